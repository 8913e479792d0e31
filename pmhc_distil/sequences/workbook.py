"""Tables as an Excel workbook.  Imported only when it is asked for: openpyxl is an extra.

Texts are texts, also where they start with ``=`` or look like a date, and nothing in the file depends on the clock.
"""

import datetime
import io
import re
import zipfile
from collections.abc import Mapping
from typing import Any, BinaryIO

import pandas as pd
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.cells import parts_of, rows_of

MOST_ROWS = 1_048_576
"""Rows of a sheet, with its header."""
MOST_COLUMNS = 16_384
_LONGEST = 32_767
_START = datetime.datetime(1980, 1, 1)
_DATES = re.compile(rb"(<dcterms:(created|modified)[^>]*>)[^<]*")


class WorkbookWriter:
    """Writes a table some rows at a time into the one sheet of a workbook.

    Parameters
    ----------
    raw : BinaryIO
        Gets the whole workbook when the writer is closed.
    digits : mapping
        Significant digits of the columns that are rounded.
    """

    def __init__(self, raw: BinaryIO, digits: Mapping[str, int]) -> None:
        self._raw = raw
        self._digits = digits
        self._book = Workbook(write_only=True)
        self._sheet = self._book.create_sheet("pmhc-distil")
        self._names: list[str] = []
        self._count = 0
        self._ended = False

    def write(self, frame: pd.DataFrame) -> None:
        """Write more rows; the first table decides on the columns.

        Raises
        ------
        InputError
            If there are more rows or columns than a sheet holds, or a text is longer than a cell holds.
        ValueError
            If a later table has other columns.
        """
        names = [str(name) for name in frame.columns]
        if len(names) > MOST_COLUMNS:
            hint = "write CSV or Parquet, or fewer columns"
            raise InputError(f"an Excel sheet holds {MOST_COLUMNS:,} columns, and there are {len(names):,}", hint=hint)
        if not self._names:
            self._names = names
            self._append(names)
        elif names != self._names:
            msg = f"the columns change from {self._names} to {names}"
            raise ValueError(msg)
        if self._count + len(frame) > MOST_ROWS:
            hint = "write CSV or Parquet, or fewer rows"
            raise InputError(f"an Excel sheet holds {MOST_ROWS:,} rows, and there are more", hint=hint)
        for part in parts_of(frame):
            for row in rows_of(part, self._digits):
                self._append(row)

    def close(self) -> None:
        """Write the workbook; leaves the file itself open."""
        made = io.BytesIO()
        self._ended = True
        self._book.save(made)
        with zipfile.ZipFile(made) as book, zipfile.ZipFile(self._raw, "w", zipfile.ZIP_DEFLATED) as packed:
            for entry in book.infolist():
                content = book.read(entry)
                if entry.filename == "docProps/core.xml":
                    content = _DATES.sub(rb"\g<1>1980-01-01T00:00:00Z", content)
                packed.writestr(zipfile.ZipInfo(entry.filename, _START.timetuple()[:6]), content, zipfile.ZIP_DEFLATED)

    def discard(self) -> None:
        """End a workbook that is not to be written, which openpyxl would complain about otherwise."""
        if not self._ended:
            self._ended = True
            self._sheet.close()

    def _append(self, row: Any) -> None:
        cells = zip(self._names, row, strict=True)
        self._sheet.append([self._text(value, name) if isinstance(value, str) else value for name, value in cells])
        self._count += 1

    def _text(self, text: str, column: str) -> Any:
        if len(text) > _LONGEST:
            reason = f"a cell of Excel holds {_LONGEST:,} characters"
            raise InputError(
                reason, source="the workbook", row=self._count, column=column, value=text, hint="write CSV"
            )
        cell = WriteOnlyCell(self._sheet, ILLEGAL_CHARACTERS_RE.sub("\ufffd", text))
        cell.data_type = "s"
        return cell
