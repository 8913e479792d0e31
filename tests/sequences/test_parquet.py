"""A Parquet file says what the CSV says, is whole or not there, and costs nothing where it is not asked for."""

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.parquet import VERSION_KEY
from pmhc_distil.sequences.tables import PREDICTION_COLUMNS, SCHEMA_VERSION, empty_predictions
from pmhc_distil.sequences.writers import open_predictions, write_predictions


@pytest.fixture
def frame():
    frame = empty_predictions(["own"])
    numbers = [0.98765432198, 0.00012344, 1 / 3, 21.23456]
    frame.loc[0] = ["SLYNTVATL", "HLA-A*02:01", *numbers, "SB", "", 0.5, 0.012345, 0.012345, "007"]
    frame.loc[1] = ["SLYNTVA", "HLA-A*02:01", *[np.nan] * 4, "", "length 7 is outside 8-15", *[np.nan] * 3, ""]
    frame.loc[2] = ["NLVPMVATV", "HLA-B*07:02", 1e-30, 100.0, 2 / 3, 49999.96, "", "", 1e-7, 0.0, 0.5, 'x, "y"\n']
    return frame


def test_reads_back_as_the_csv_does(frame, tmp_path):
    """Prevents a second way of rounding, and a missing number or an empty text that only one of the formats has."""
    for name in ("out.csv", "out.parquet"):
        write_predictions(frame, tmp_path / name)
    expected = pd.read_csv(tmp_path / "out.csv", dtype=str, keep_default_na=False)
    for name in frame.columns[frame.dtypes == "float64"]:
        expected[name] = [float(text) if text else np.nan for text in expected[name]]
    found = pd.read_parquet(tmp_path / "out.parquet")
    pd.testing.assert_frame_equal(found, expected, check_exact=True)
    assert found["own"][0] == "007" and pq.read_table(tmp_path / "out.parquet")["score"].null_count == 1


@pytest.mark.parametrize("rows", [None, 0, 2])
def test_schema(frame, tmp_path, rows):
    """Prevents a sample without peptides, or a writer without a table, from breaking a data set of many files."""
    with open_predictions(tmp_path / "out.parquet") as writer:
        if rows is not None:
            writer.write(frame.head(rows))
    found = pq.read_table(tmp_path / "out.parquet")
    types = {column.name: pa.string() if column.dtype == "str" else pa.float64() for column in PREDICTION_COLUMNS}
    own = {} if rows is None else {"own": pa.string()}
    assert dict(zip(found.schema.names, found.schema.types, strict=True)) == types | own
    assert found.schema.metadata == {VERSION_KEY.encode(): SCHEMA_VERSION.encode()} and len(found) == (rows or 0)


@given(own=st.lists(st.text(st.characters(codec="utf-8")), max_size=9), size=st.integers(1, 4))
def test_own_text_reads_back(tmp_path_factory, own, size):
    """Prevents text of the user's own from being changed, taken for a number or lost between parts."""
    path = tmp_path_factory.mktemp("own") / "out.parquet"
    frame = pd.DataFrame({"own": own}, dtype="str")
    with open_predictions(path) as writer:
        for start in range(0, max(len(own), 1), size):
            writer.write(frame.iloc[start : start + size])
    assert pq.read_table(path)["own"].to_pylist() == own


def test_own_types(tmp_path):
    """Prevents integers from turning into floats or text where some are missing, and codes in place of categories."""
    frame = pd.DataFrame(
        {
            "n": [1, 2],
            "x": [0.1, np.nan],
            "o": pd.Series([None, pd.NA], dtype=object),
            "i": pd.array([1, None], dtype="Int64"),
            "c": pd.Categorical(["a", "b"]),
            "t": pd.Series(["a", None], dtype=object),
            "b": [True, False],
        }
    )
    with open_predictions(tmp_path / "out.parquet") as writer:
        writer.write(frame)
        writer.write(frame.tail(1).assign(n=3, i=pd.Series([None], index=[1], dtype=object)))
    found = pq.read_table(tmp_path / "out.parquet")
    assert list(map(str, found.schema.types)) == ["int64", "double", "string", "int64", "string", "string", "bool"]
    assert found.to_pylist()[1:] == [
        {"n": 2, "x": None, "o": None, "i": None, "c": "b", "t": None, "b": False},
        {"n": 3, "x": None, "o": None, "i": None, "c": "b", "t": None, "b": False},
    ]


def test_parts_keep_their_columns_and_types(tmp_path):
    """Prevents a column that is cut off or turned into something else in the middle of a table."""
    first = pd.DataFrame({"peptide": ["SLYNTVATL"], "own": [1]})
    with open_predictions(tmp_path / "out.parquet") as writer:
        writer.write(first)
        with pytest.raises(ValueError, match="columns change"):
            writer.write(first.drop(columns="own"))
        with pytest.raises(InputError, match=r"column 'own': .* is int64 at first and then double \(make it"):
            writer.write(first.assign(own=0.5))
    assert len(pq.read_table(tmp_path / "out.parquet")) == 1


@pytest.mark.parametrize("own", [[1, "a"], [2**70, 0], ["\udcff", "a"], [object(), None]])
def test_what_parquet_cannot_hold_is_told(tmp_path, own):
    """Prevents a traceback from the inside of pyarrow, and half a file."""
    with pytest.raises(InputError, match="column 'own': cannot be written as Parquet"):
        write_predictions(pd.DataFrame({"own": pd.Series(own, dtype=object)}), tmp_path / "out.parquet")
    with pytest.raises(ValueError, match="occurs twice"):
        write_predictions(pd.DataFrame([[1, 2]], columns=["a", "a"]), tmp_path / "out.parquet")
    assert list(tmp_path.iterdir()) == []


def test_same_table_same_bytes(frame, tmp_path, monkeypatch):
    """Prevents checksums that change with the clock, the file name, the parts, or how texts lie in memory."""
    monkeypatch.setattr("pmhc_distil.sequences.parquet.ROW_GROUP", 2_500)
    whole = pd.concat([frame] * 2_000, ignore_index=True)
    whole["own"] = pd.Series([f"{i:x}" * (i % 199) for i in range(len(whole))], dtype="str")  # several pages
    pieces = pd.concat([whole.iloc[:777], whole.iloc[777:]], ignore_index=True)
    tables = [whole, pieces, whole.astype({"own": object}), whole.astype({"own": pd.StringDtype("python")})]
    for i, table in enumerate(tables):
        write_predictions(table, tmp_path / f"{i}.parquet")
    for size in (7, 999, 3_000, 5_999):
        with open_predictions(tmp_path / f"parts of {size}.parquet") as writer:
            for start in range(0, len(whole), size):
                writer.write(whole.iloc[start : start + size])
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1
    assert pq.ParquetFile(tmp_path / "0.parquet").num_row_groups == 3
    assert pq.ParquetFile(tmp_path / "0.parquet").metadata.row_group(0).column(0).compression == "ZSTD"


@pytest.mark.parametrize("destination", ["out.parquet", "-"])
def test_failure_leaves_no_table(frame, tmp_path, monkeypatch, destination):
    """Prevents what was written before a failure from looking like a whole table."""
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(KeyboardInterrupt), open_predictions(destination, "parquet") as writer:
        writer.write(frame)
        raise KeyboardInterrupt
    del writer
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(pa.ArrowInvalid):
        pq.read_table(io.BytesIO(raw.getvalue() or b"nothing"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_device_is_told(frame):
    """Prevents an error that only surfaces when the last bytes are flushed from being a traceback."""
    with pytest.raises(InputError, match="/dev/full: cannot write: no space left"):
        write_predictions(frame, "/dev/full", "parquet")


def test_standard_output(frame, tmp_path, monkeypatch):
    """Prevents standard output from being closed, sought in or decoded, and raw bytes from reaching a terminal."""

    class Pipe(io.BytesIO):
        def seekable(self):
            return False

        def seek(self, *_):
            raise OSError(29, "Illegal seek")

        tell = seek

    raw = Pipe()
    stdout = io.TextIOWrapper(raw, encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stdout)
    write_predictions(frame, "-", "parquet")
    write_predictions(frame, tmp_path / "out.parquet")
    assert not stdout.closed and raw.getvalue() == (tmp_path / "out.parquet").read_bytes()
    monkeypatch.setattr(stdout, "isatty", lambda: True, raising=False)
    with pytest.raises(InputError, match="standard output: Parquet is nothing to read in a terminal"):
        write_predictions(frame, "-", "parquet")


def test_a_reader_that_leaves_early_is_no_error():
    """Prevents `pmhc-distil predict --format parquet | head -c 4` from ending in a traceback."""
    code = (
        "import numpy as np, pandas as pd\nfrom pmhc_distil.sequences.writers import write_predictions\n"
        "write_predictions(pd.DataFrame({'x': np.random.default_rng(0).random(200_000)}), '-', 'parquet')"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout.read(4) == b"PAR1"
        process.stdout.close()
        assert process.stderr.read() == b"" and process.wait() == 0


@pytest.mark.parametrize(("name", "wanted"), [("out.parquet.gz", None), ("out.gz", "parquet")])
def test_packed_twice_is_refused(frame, tmp_path, monkeypatch, name, wanted):
    """Prevents a file that no reader of Parquet can open."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=rf"{name}: Parquet is packed already \(leave out \.gz\)"):
        write_predictions(frame, name, wanted)
    assert list(tmp_path.iterdir()) == []


def test_without_pyarrow_it_is_told_how_to_get_it(frame, tmp_path, monkeypatch):
    """Prevents a traceback where the extra is not installed, and the other formats from needing it."""
    for name in ("pyarrow", "pyarrow.parquet", "pmhc_distil.sequences.parquet"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(InputError, match=r"Parquet needs pyarrow \(pip install 'pmhc-distil\[parquet\]'\)"):
        write_predictions(frame, tmp_path / "out.parquet")
    write_predictions(pd.DataFrame({"x": [1]}), tmp_path / "out.csv")


def test_only_parquet_loads_its_reader_and_writer(tmp_path):
    """Prevents every CSV from waiting for a library that it does not use."""
    code = (
        "import sys, pandas as pd\nfrom pmhc_distil.sequences.writers import write_predictions\n"
        "write_predictions(pd.DataFrame({'x': [1]}), 'out.csv')\n"
        "assert 'pyarrow.parquet' not in sys.modules\n"
        "write_predictions(pd.DataFrame({'x': [1]}), 'out.parquet')\n"
        "assert 'pyarrow.parquet' in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
