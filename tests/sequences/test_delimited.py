"""Lines that are split at once give what the module csv would give."""

import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pmhc_distil.errors import InputError
from pmhc_distil.sequences import delimited
from pmhc_distil.sequences.delimited import read_header, read_parts


def read(text, delimiter, quoted, skipped=0):
    """Give the columns and lines of all rows, or the message."""
    stream = io.StringIO(text, newline="")
    try:
        header, _ = read_header(stream, "x", skipped, delimiter, quoted=quoted)
        parts = list(read_parts(stream, "x", skipped, delimiter, header, quoted=quoted))
    except InputError as error:
        return str(error)
    columns = [[cell for part, _ in parts for cell in part[place]] for place in range(len(header))]
    return header, columns, [int(row) for _, rows in parts for row in rows]


def compare(text, delimiter, quoted, skipped=0):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delimited, "_LINES", 3)
        fast = read(text, delimiter, quoted, skipped)
        patch.setattr(delimited, "_plain_columns", lambda *_: None)
        assert read(text, delimiter, quoted, skipped) == fast


@given(st.text('ab,\t"\n\r é\udce9', max_size=60), st.sampled_from(",\t"), st.booleans())
@example("a\n\nb\nc\nd\n\ne\n", ",", True)
@example("a\n \nb\nc\nd\n\ne\n", ",", True)
@example("a\r\nb\r\nc", ",", True)
@example("a,b\n1,2\n3,4\n5,6\n7\n8,9,10\n", ",", True)
@example('a,b\n1,2\n3,4\n5,6\n"7\n7",8\n9,10\n', ",", True)
@example('a,b\n1,2\n3,4\n5,6\n"7,8\n9,10\n', ",", True)
def test_any_text(text, delimiter, quoted):
    """Prevents rows that are lost, moved or numbered otherwise because nothing in them needed the module csv."""
    compare("x" + delimiter + "y\n" + text, delimiter, quoted)
    compare("x\n" + text, delimiter, quoted)


@given(st.integers(1, 4), st.integers(0, 12), st.integers(0, 3))
def test_regular_tables(width, count, skipped):
    """Prevents the quick way from being tested on nothing but irregular lines."""
    lines = [",".join(f"{row}.{place}" for place in range(width)) for row in range(count + 1)]
    text = "\n" * skipped + "\n".join(lines)
    header, columns, rows = read(text, ",", True, skipped)
    assert len(header) == len(columns) == width
    assert columns == [[f"{row}.{place}" for row in range(1, count + 1)] for place in range(width)]
    assert rows == list(range(skipped + 2, skipped + 2 + count))
    compare(text, ",", True, skipped)


def test_a_field_too_long():
    """Prevents a file that is no table from being read as one huge cell."""
    found = read("x,y\n1,2\n" + "A" * 200_000 + ",3\n", ",", True)
    assert "more than 131,072 characters" in found


def test_columns_without_a_name():
    """Prevents a column that is called as one without a name would be from being told to occur twice."""
    header, _, _ = read("a,,column_2,\n1,2,3,4\n", ",", True)
    assert header == ["a", "column_2_", "column_2", "column_4"]
    assert read("a,b,a\n1,2,3\n", ",", True) == "x, row 1: the column name occurs twice: 'a'"
