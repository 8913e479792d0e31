"""What is not text is refused with its name and row, whatever its packing."""

import gzip
import io
import sys

import pytest

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.text_files import open_text, read_text


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("from_stdin", [False, True])
def test_text_whatever_its_packing(tmp_path, monkeypatch, pack, from_stdin):
    """Prevents a byte order mark, Windows line ends, a misnamed gzip or a packed pipe from reaching the parser."""
    data = pack("\ufeffa\r\nb\rü\n".encode())
    path = tmp_path / "peptides.txt"
    path.write_bytes(data)
    if from_stdin:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    source = "-" if from_stdin else path
    with open_text(source) as stream:
        assert list(stream) == ["a\n", "b\n", "ü\n"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (gzip.compress(b"PEPTIDE\n" * 100, mtime=0)[:-12], "in.txt: the gzip file is cut short"),
        (b"\x1f\x8bnonsense", "in.txt: the gzip file is damaged"),
        (b"ok\nfine\nPEP\0TIDE\n", "in.txt, row 3: holds a NUL byte"),
        (b"ok\nna\xefve\n", "in.txt, row 2: byte 0xef is not UTF-8 text"),
        (b"PK\x03\x04rest", "in.txt: is a zip archive"),
    ],
)
def test_what_is_not_text_is_refused(tmp_path, monkeypatch, data, message):
    """Prevents tracebacks and nonsense rows from workbooks, archives and broken downloads."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.txt").write_bytes(data)
    with pytest.raises(InputError) as caught:
        read_text("in.txt")
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("piece", range(1, 12))
def test_text_is_checked_in_pieces(tmp_path, monkeypatch, piece):
    """Prevents a letter of several bytes at the edge of a piece from being refused, or an error from a wrong line."""
    monkeypatch.setattr("pmhc_distil.sequences.text_files._PIECE", piece)
    path = tmp_path / "in.txt"
    text = "äö\n€uro\n𐍈\n"
    path.write_text(text, encoding="utf-8")
    assert read_text(path) == text
    path.write_bytes(text.encode() + b"ok\n\xe2\x82A\n")
    with pytest.raises(InputError, match="row 5: byte 0xe2 is not UTF-8"):
        read_text(path)
    path.write_bytes(text.encode() + b"ok\xe2\x82")
    with pytest.raises(InputError, match="row 4: byte 0xe2 is not UTF-8"):
        read_text(path)


def test_missing_file_and_folder(tmp_path):
    """Prevents a traceback for the commonest mistake of all."""
    with pytest.raises(InputError, match="no such file"):
        read_text(tmp_path / "none.csv")
    with pytest.raises(InputError, match="is a folder"):
        read_text(tmp_path)
