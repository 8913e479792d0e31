"""Tables of spreadsheets as the text that the readers take: Excel workbooks and Parquet as CSV, UTF-16 as UTF-8.

The libraries for workbooks and Parquet are extras, imported only when such a file is read.
"""

import csv
import datetime
import importlib
import io
import warnings
import zipfile
from collections.abc import Iterator
from tempfile import TemporaryFile
from typing import Any, BinaryIO, cast

from pmhc_distil.errors import InputError

_ZIP = b"PK\x03\x04"
_PARQUET = b"PAR1"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_PIECE = 1 << 20
_BATCH = 50_000


def converted(file: BinaryIO, source: str) -> BinaryIO:
    """Give a file as text if it is of a kind that can be, and else the file itself.

    Parameters
    ----------
    file : BinaryIO
        Seekable, at its beginning.
    source : str
        Its name, for messages.

    Returns
    -------
    BinaryIO
        At its beginning.  Of a workbook the rows are those of its one sheet, blank ones too, so that their numbers are
        those of the sheet; a formula is the value that the spreadsheet has stored.

    Raises
    ------
    InputError
        If a workbook has several sheets with content, a column of Parquet is no text and no number, the file is damaged
        or its library is not installed.
    """
    head = file.read(len(_ZIP))
    file.seek(0)
    if head.startswith(_UTF16):
        return _of_utf16(file, source)
    if head == _PARQUET:
        return _of_parquet(file, source)
    if head == _ZIP and _is_workbook(file):
        return _of_workbook(file, source)
    file.seek(0)
    return file


def _is_workbook(file: BinaryIO) -> bool:
    try:
        with zipfile.ZipFile(file) as archive:
            return "xl/workbook.xml" in archive.namelist()
    except zipfile.BadZipFile:
        return False


def _of_utf16(file: BinaryIO, source: str) -> BinaryIO:
    text = io.TextIOWrapper(file, encoding="utf-16", newline="")
    made = _temporary()
    try:
        while piece := text.read(_PIECE):
            made.write(piece.encode())
    except UnicodeError as error:
        raise InputError("is damaged UTF-16 text", source=source, hint="save it as UTF-8") from error
    return _from_start(made)


def _of_parquet(file: BinaryIO, source: str) -> BinaryIO:
    parquet = _library("pyarrow.parquet", "parquet", "a Parquet file", source)
    arrow, arrow_csv = importlib.import_module("pyarrow"), importlib.import_module("pyarrow.csv")
    made = _temporary()
    try:
        table = parquet.ParquetFile(file)
        with arrow_csv.CSVWriter(made, table.schema_arrow) as writer:
            for batch in table.iter_batches(_BATCH):
                writer.write_batch(batch)
    except (arrow.ArrowException, OSError) as error:
        reason = f"cannot be read as a table of texts and numbers: {' '.join(str(error).split())}"
        raise InputError(reason, source=source) from error
    return _from_start(made)


def _of_workbook(file: BinaryIO, source: str) -> BinaryIO:
    openpyxl = _library("openpyxl", "xlsx", "an Excel workbook", source)
    made = _temporary()
    text = io.TextIOWrapper(made, encoding="utf-8", newline="")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles and rules, which are nothing to us
            book = openpyxl.load_workbook(file, read_only=True, data_only=True)
            sheets = [sheet for sheet in book.worksheets if any(filter(None, _rows(sheet)))]
            if len(sheets) > 1:
                names = ", ".join(f"'{sheet.title}'" for sheet in sheets)
                hint = "save the one that you mean as CSV or in a workbook of its own"
                raise InputError(f"the workbook has several sheets with content: {names}", source=source, hint=hint)
            writer = csv.writer(text, lineterminator="\n")
            width = 0
            for row in _rows(sheets[0]) if sheets else ():
                width = width or len(row)
                writer.writerow([*row, *[""] * (width - len(row))] if row else [])
    except InputError:
        raise
    except Exception as error:
        raise InputError("the workbook is damaged", source=source, hint="save the sheet as CSV") from error
    text.detach()
    return _from_start(made)


def _rows(sheet: Any) -> Iterator[list[str]]:
    """Give the cells of each row of a sheet as text, up to the last one with content."""
    for cells in sheet.iter_rows(values_only=True):
        row = [_text(value) for value in cells]
        while row and not row[-1]:
            row.pop()
        yield row


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        value = value.date()
    return value.isoformat() if isinstance(value, datetime.date | datetime.time) else str(value)


def _library(module: str, extra: str, called: str, source: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        hint = f"pip install 'pmhc-distil[{extra}]', or save it as CSV"
        raise InputError(
            f"is {called}, and to read it {module.partition('.')[0]} is needed", source, hint=hint
        ) from error


def _temporary() -> BinaryIO:
    return cast("BinaryIO", TemporaryFile())


def _from_start(file: BinaryIO) -> BinaryIO:
    file.seek(0)
    return file
