"""What becomes of results whose reader, disk or stream goes away."""

import os
import resource
import subprocess
import sys

import pytest

RUN = [sys.executable, "-m", "pmhc_distil.cli"]
PREDICT = [*RUN, "predict", "--peptide", "SLYNTVATL", "--hla", "A0201", "--threads", "1"]
MOTIF = ["motif", "--hla", "A0201", "--threads", "1"]


def start(command, **more):
    environment = {**os.environ, **more.pop("env", {})}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, **more)


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_disk(tmp_path, unbuffered):
    """Prevents a table that is cut short from passing for whole; unbuffered, a write may take a part alone."""
    peptides = tmp_path / "peptides.txt"
    peptides.write_text("SLYNTVATL\n" * 5000)
    with (tmp_path / "out.csv").open("wb") as out:
        done = subprocess.run(
            [*RUN, "predict", peptides, "--hla", "A0201", "--threads", "1"],
            stdout=out,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
        )
    assert done.returncode == 2, done.stderr
    assert "cannot write" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "command", [["--help"], ["hla", "list"], PREDICT[3:], [*MOTIF, "--table", "-"]], ids=lambda words: words[0]
)
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_has_seen_enough(command, unbuffered):
    """Prevents ``| head`` from failing a script that minds the status of every command of a pipe."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [*RUN, *command],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")  # noqa: PTH110
@pytest.mark.parametrize("command", [["hla", "list"], PREDICT[3:]], ids=lambda words: words[0])
def test_no_space_left(command):
    """Prevents a traceback, or an end as if all had been written."""
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run([*RUN, *command], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2 and done.stderr.startswith("error: ") and done.stderr.count("\n") == 1


def test_streams_that_are_closed(tmp_path):
    """Prevents a run whose table goes to a file from failing because nobody listens."""
    shell = " ".join(map(str, PREDICT))
    done = start(f"{shell} -o {tmp_path}/out.csv 2>&- >&-", shell=True)
    assert done.returncode == 0
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 2
    done = start(f"{shell} >&-", shell=True)
    assert done.returncode == 2 and "cannot write" in done.stderr and done.stderr.count("\n") == 1
