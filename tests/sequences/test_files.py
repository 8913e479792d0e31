"""Files are written whole or not at all."""

import os
import resource
from types import SimpleNamespace

import pytest

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.files import (
    atomic_path,
    check_destination,
    check_folder,
    check_not_input,
    check_outputs,
    check_space,
    create_folder,
    write_text,
)


def test_atomic_path_replaces_only_at_the_end(tmp_path):
    """Prevents a reader from seeing half a file, and the loss of the old one to a failed run."""
    target = tmp_path / "out.csv.gz"
    target.write_text("old")
    with atomic_path(target) as path:
        assert path.parent == tmp_path and path.suffixes[-2:] == [".csv", ".gz"]
        path.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]


def test_a_full_disk_is_told_by_the_name_of_the_file(tmp_path):
    """Prevents a message from which nobody knows which of several outputs there was no room for."""
    target = tmp_path / "out.csv"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))
    try:
        with pytest.raises(InputError, match=r"out.csv: cannot write: file too large"), atomic_path(target) as path:
            path.write_text("half of what does not fit")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_fit_is_not_begun(tmp_path, monkeypatch):
    """Prevents hours of work for a file that there was no room for at the beginning."""
    monkeypatch.setattr(
        "shutil.disk_usage", lambda folder: SimpleNamespace(free=3_000_000 if folder == tmp_path else 0)
    )
    check_space(tmp_path / "v.h5", 3_000_000)
    with pytest.raises(InputError, match=r"v.h5: cannot write: no space left, 3.1 MB are needed and 3.0 MB are free"):
        check_space(tmp_path / "v.h5", 3_100_000)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_atomic_path_leaves_nothing_behind_a_failure(tmp_path, error):
    """Prevents half-written files after a crash or Ctrl-C."""
    target = tmp_path / "out.csv"
    with pytest.raises(error), atomic_path(target) as path:
        path.write_text("half")
        raise error
    assert list(tmp_path.iterdir()) == []


def test_atomic_path_follows_links(tmp_path):
    """Prevents a link to a file on another disk from being replaced by a file."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link.csv").symlink_to(tmp_path / "real" / "out.csv")
    with atomic_path(tmp_path / "link.csv") as path:
        path.write_text("x")
    assert (tmp_path / "link.csv").is_symlink() and (tmp_path / "real" / "out.csv").read_text() == "x"


def test_atomic_path_keeps_the_rights_of_what_it_replaces(tmp_path):
    """Prevents a result that was closed to others from being opened to them by a second run."""
    path = tmp_path / "out.csv"
    path.touch()
    path.chmod(0o640)
    with atomic_path(path) as temporary:
        temporary.write_text("x")
    assert path.stat().st_mode & 0o777 == 0o640 and path.read_text() == "x"


def test_atomic_path_does_not_replace_a_device():
    """Prevents `-o /dev/null`, run by root, from turning the device into a file."""
    with atomic_path("/dev/null") as path:
        assert str(path) == "/dev/null"


def test_a_pipe_that_is_open_already():
    """Prevents `-o /dev/stdout | cat` from being refused: the link leads to no path."""
    ends = os.pipe()
    with atomic_path(f"/dev/fd/{ends[1]}") as path:
        path.write_text("x")
    os.close(ends[1])
    assert os.read(ends[0], 9) == b"x"
    os.close(ends[0])


def test_names_that_are_no_text(tmp_path):
    """Prevents a page from being lost for the name of its input."""
    write_text(tmp_path / "page.html", "of caf\udce9.csv")
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == "of caf\ufffd.csv"


@pytest.mark.parametrize("name", ["missing/out.csv", ".", "x" * 300, "a\0b"])
def test_unwritable_destination(tmp_path, name):
    """Prevents an hour of prediction that ends in a path that could never be written."""
    with pytest.raises(InputError, match=r"out\.csv|folder|cannot write"):
        check_destination(f"{tmp_path}/{name}")


def test_a_folder_for_output(tmp_path):
    """Prevents a traceback where a file is in the way of the folder for output."""
    (tmp_path / "file").write_text("")
    assert create_folder(tmp_path / "a/b") == create_folder(tmp_path / "a/b") and (tmp_path / "a/b").is_dir()
    for name, told in (("file", "is a file, not a folder"), ("file/a", "cannot create the folder: not a directory")):
        with pytest.raises(InputError, match=told):
            create_folder(tmp_path / name)


def test_a_folder_that_could_be_created_is_looked_at_alone(tmp_path):
    """Prevents hours of work for a folder with a file in its way, and an empty folder after a mistake elsewhere."""
    (tmp_path / "file").write_text("")
    check_folder(tmp_path / "a/b")
    check_folder(tmp_path)
    for name in ("file", "file/a/b"):
        with pytest.raises(InputError, match="file: is a file, not a folder"):
            check_folder(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_what_is_read_is_not_written_over(tmp_path, monkeypatch):
    """Prevents a user's only copy of a table from being replaced by its predictions, under another name as well."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "table.csv").write_text("peptide\n")
    (tmp_path / "link.csv").symlink_to("table.csv")
    for name in ("table.csv", tmp_path / "table.csv", "link.csv"):
        with pytest.raises(InputError, match="over what is read"):
            check_not_input(name, None, "-", "missing.csv", "table.csv")
    check_not_input("other.csv", "table.csv")
    check_not_input("-", "table.csv", "-")


def test_two_outputs_are_two_files(tmp_path, monkeypatch):
    """Prevents the second table of a command from replacing the first without a word."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "table.csv").write_text("peptide\n")
    (tmp_path / "link.csv").symlink_to("new.csv")
    check_outputs(("new.csv", None, "other.csv"), "table.csv", None)
    for name in ("new.csv", tmp_path / "new.csv", "link.csv"):
        with pytest.raises(InputError, match="named for two outputs"):
            check_outputs(("new.csv", None, name), "table.csv")
    with pytest.raises(InputError, match="over what is read"):
        check_outputs(("new.csv", "table.csv"), None, "table.csv")
