"""Runs in shards, and runs that end early, write what one run would have written."""

import functools
import gzip
import itertools
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from pmhc_distil.sequences import resumable
from pmhc_distil.sequences.writers import PredictionWriter

NAMES = ("out.csv", "out.tsv.gz", "out.jsonl", "out.parquet", "out.mhcflurry.gz", "out.netmhcpan", "out.mhctools")
HLA = ("--hla", "A0201,B0702")


def named(name):
    """Give the arguments that write a file in the format that its name says."""
    known = name.split(".")[1]
    return ("-o", name, *(() if known in ("csv", "tsv", "jsonl", "parquet", "xlsx") else ("--format", known)))


@pytest.fixture
def peptides(tmp_path):
    """Give a table with quoted line ends, rows that cannot be scored, and text in a column of the user's own."""
    generator = np.random.default_rng(7)
    texts = ["".join(generator.choice(list("ACDEFGHIKLMNPQRSTVWY"), size)) for size in generator.integers(6, 16, 60)]
    rows = "".join(f'{text},"note {i}, ""µ""\nend"\n' for i, text in enumerate(texts))
    (tmp_path / "in.csv").write_text("peptide,own\n" + rows, encoding="utf-8")
    return "in.csv"


@pytest.fixture
def run(run_command):
    def checked(*arguments):
        status, out, err = run_command(*arguments)
        assert (status, out) == (0, ""), err
        return err

    return checked


@pytest.mark.parametrize("name", NAMES)
def test_gathered_shards_are_one_run(run, peptides, name):
    """Prevents a table that depends on how many machines made it, in any format."""
    run("predict", peptides, *HLA, *named(name))
    whole = Path(name).read_bytes()
    parts = [f"part{number}.{name.partition('.')[2]}" for number in range(1, 8)]
    for number, part in enumerate(parts, 1):
        run("predict", peptides, *HLA, *named(part), "--shard", f"{number}/7", "--chunk-pairs", 1 + 3 * number)
    err = run("gather", *reversed(parts), "-o", name)
    assert Path(name).read_bytes() == whole
    assert "of 120 rows have no score" in err


@pytest.mark.parametrize("more", [(), ("--regions",), ("--top", 2), ("--max-rank", 3), ("--genotype",)], ids=str)
def test_shards_of_a_scan(run, more):
    """Prevents a protein at the limit of a shard from being lost or told twice."""
    proteins = "".join(f">p{i}\n{'MSLYNTVATLKKWGILGFVFTL' * (i % 3 + 1)}\n" for i in range(9))
    Path("in.fasta").write_text(proteins)
    run("scan", "in.fasta", *HLA, *more, "-o", "whole.csv")
    parts = [f"{number}.csv.gz" for number in range(1, 13)]
    for number, part in enumerate(parts, 1):
        run("scan", "in.fasta", *HLA, *more, "-o", part, "--shard", f"{number}/12")
    run("gather", *parts, "-o", "all.csv")
    assert Path("all.csv").read_bytes() == Path("whole.csv").read_bytes()


def test_more_shards_than_rows(run):
    """Prevents a small sample from failing in a workflow that was made for large ones."""
    Path("in.txt").write_text("SLYNTVATL\n")
    run("predict", "in.txt", *HLA, "-o", "whole.parquet")
    for number in (1, 2, 3):
        run("predict", "in.txt", *HLA, "-o", f"{number}.parquet", "--shard", f"{number}/3")
    run("gather", *(f"{number}.parquet" for number in (1, 2, 3)), "-o", "all.parquet")
    assert Path("all.parquet").read_bytes() == Path("whole.parquet").read_bytes()


def make_shards(run, peptides):
    for number in (1, 2, 3):
        run("predict", peptides, *HLA, "-o", f"{number}.csv", "--shard", f"{number}/3")


def remake(*arguments):
    return lambda run, peptides: run("predict", peptides, *(arguments or HLA), "-o", "2.csv", "--shard", "2/3")


def edit_input(run, peptides):
    with Path(peptides).open("a") as file:
        file.write("SLYNTVATL,more\n")
    remake()(run, peptides)


DAMAGED = json.dumps(
    {
        "shard": {"number": "a", "of": None},
        "facts": 1,
        "tally": {"rows": 0},
        "format": "csv",
        "header": 0,
        "sha256": "x",
    }
)


def edit_record(name, value):
    def edit(run, peptides):
        record = json.loads(Path("2.csv.shard.json").read_text())
        record["facts"][name] = value
        Path("2.csv.shard.json").write_text(json.dumps(record))

    return edit


@pytest.mark.parametrize(
    ("change", "given", "message"),
    [
        (None, "13", "1 of 3 shards are missing: 2"),
        (None, "1223", "2.csv: shard 2/3 is given twice"),
        (remake("--hla", "A0201"), "123", "2.csv: the shard has another --hla"),
        (remake(*HLA, "--genotype"), "123", "the shard has another --genotype"),
        (edit_input, "123", "the shard has another input"),
        (edit_record("model", "of somebody else"), "123", "2.csv: the shard has another model: 'of somebody else'"),
        (edit_record("backend", "NativeBackend AMX of somebody"), "123", "backend: 'NativeBackend AMX of somebody'"),
        (edit_record("version", "0.0.1"), "123", "the shard has another version: '0.0.1'"),
        (edit_record("precision", "half"), "123", "1.csv has 'single'; run all with --precision single"),
        (lambda run, peptides: os.truncate("2.csv", 99), "123", "2.csv: is not what was written"),
        (lambda run, peptides: Path("2.csv").unlink(), "123", "2.csv: cannot read"),
        (lambda run, peptides: Path("2.csv.shard.json").unlink(), "123", "2.csv: there is no record of its shard"),
        (lambda run, peptides: Path("2.csv.shard.json").write_text("{}"), "123", "record of a shard is damaged"),
        (lambda run, peptides: Path("2.csv.shard.json").write_text(DAMAGED), "123", "record of a shard is damaged"),
    ],
)
def test_what_does_not_belong_together_is_refused(run, run_command, peptides, change, given, message):
    """Prevents a table with a hole, a repetition, or rows of two models, which nobody would see."""
    make_shards(run, peptides)
    if change:
        change(run, peptides)
    status, out, err = run_command("gather", *(f"{number}.csv" for number in given), "-o", "all.csv")
    assert status == 2 and out == "" and message in err and err.count("\n") == 1
    assert not Path("all.csv").exists()


def test_a_shard_is_not_written_over(run, run_command, peptides):
    """Prevents a part, or the input, from being lost to the table that is made of it, and a folder that is no name."""
    for number in (1, 2):
        run("predict", peptides, "--hla", "A0201", "--shard", f"{number}/2", "-o", f"{number}.csv")
    for name, message in (("1.csv", "over what is read"), (".", "is a folder")):
        status, _, err = run_command("gather", "1.csv", "2.csv", "-o", name)
        assert status == 2 and message in err and err.count("\n") == 1
    status, _, err = run_command("predict", "1.csv", "-o", "1.csv")
    assert status == 2 and "over what is read" in err


def test_gathered_into_another_format(run, run_command, peptides):
    """Prevents a CSV under the name of a Parquet file."""
    make_shards(run, peptides)
    status, _, err = run_command("gather", "1.csv", "2.csv", "3.csv", "-o", "all.tsv")
    assert status == 2 and "the shards are csv, but this name asks for tsv" in err
    run("gather", "1.csv", "2.csv", "3.csv", "-o", "all.csv.gz")
    status, out, _ = run_command("gather", "1.csv", "2.csv", "3.csv")
    assert status == 0 and out.encode() == gzip.decompress(Path("all.csv.gz").read_bytes())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--shard", "1/2"), "--shard: is only for a file"),
        (("--resume",), "--resume: is only for a file"),
        (("--resume", "-o", "/dev/null", "--format", "csv"), "need a file"),
        (("--shard", "3/2", "-o", "out.csv"), "is no shard: '3/2'"),
        (("--shard", "1/2", "-o", "out.xlsx"), "a workbook has no shards"),
    ],
)
def test_mistakes_are_one_line(run_command, peptides, arguments, message):
    """Prevents a promise to keep what cannot be kept."""
    status, out, err = run_command("predict", peptides, *HLA, *arguments)
    assert status == 2 and out == "" and message in err and err.count("\n") == 1


@pytest.fixture
def stop_after(monkeypatch):
    """Give a function that lets so many tables be written and then raises; without a number, never."""
    write = PredictionWriter.write

    def stop(count=None, error=None):
        left = itertools.count() if count is None else iter(range(count))

        def write_some(self, frame):
            if len(frame) and next(left, None) is None:
                raise error
            write(self, frame)

        monkeypatch.setattr(PredictionWriter, "write", write_some)

    return stop


@pytest.mark.parametrize("name", [*NAMES[:4], "out.mhctools", "out.xlsx"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()], ids=str)
def test_a_run_that_ended_early_is_continued(run, run_command, peptides, stop_after, monkeypatch, name, error):
    """Prevents rows that are lost, doubled or differ where a run was interrupted, and half a table under its name."""
    run("predict", peptides, *HLA, *named(name))
    whole = Path(name).read_bytes()
    Path(name).unlink()
    command = ("predict", peptides, *HLA, *named(name), "--resume", "--chunk-pairs", 8)
    done = []
    for _ in range(3):
        stop_after(4, error)
        status, _, err = run_command(*command)
        assert status == (2 if isinstance(error, OSError) else 130) and not Path(name).exists()
        assert ("no space left on device (what is done is kept" in err) == isinstance(error, OSError)
        done.append(json.loads(Path(f"{name}.journal").read_text().splitlines()[-1])["tally"]["rows"])
    assert done == [16, 32, 48]
    stop_after()
    err = run(*command)
    assert "continuing after 48 of 60 rows" in err and "of 120 rows have no score" in err
    assert Path(name).read_bytes() == whole
    assert sorted(path.name for path in Path().iterdir()) == ["in.csv", name]


def test_without_resume_nothing_is_left(run_command, peptides, stop_after):
    """Prevents folders from filling with parts of tables that nobody asked to keep."""
    stop_after(3, KeyboardInterrupt())
    for more in ((), ("--shard", "1/1")):
        status, _, _ = run_command("predict", peptides, *HLA, "-o", "out.csv", "--chunk-pairs", 8, *more)
        assert status == 130 and [path.name for path in Path().iterdir()] == ["in.csv"]


def spoil_rows():
    with Path("out.csv.partial").open("r+b") as file:
        file.seek(700)
        file.write(b"X")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda: Path("in.csv").write_text("peptide\n" + "SLYNTVATL\n" * 60), "is of a run with other input"),
        (spoil_rows, "out.csv.partial is damaged; what is whole is kept"),
        (lambda: os.truncate("out.csv.partial", 900), "is damaged"),
        (lambda: os.truncate("out.csv.journal", Path("out.csv.journal").stat().st_size - 9), "continuing after 28"),
        (lambda: os.truncate("out.csv.journal", 30), ""),
        (lambda: Path("out.csv.journal").write_text('{"facts": 3}\n[]\n'), ""),
        (lambda: Path("out.csv.partial").unlink(), ""),
    ],
)
def test_what_cannot_be_continued_is_predicted_anew(run, run_command, peptides, stop_after, spoil, message):
    """Prevents a table that is half of another input, or holds what a failing disk made of it."""
    command = ("predict", peptides, *HLA, "-o", "out.csv", "--resume", "--chunk-pairs", 8)
    stop_after(8, KeyboardInterrupt())
    run_command(*command)
    spoil()
    stop_after()
    assert message in run(*command)
    run("predict", peptides, *HLA, "-o", "whole.csv")
    assert Path("out.csv").read_bytes() == Path("whole.csv").read_bytes()


def test_two_runs_do_not_share_a_file(run_command, peptides, monkeypatch):
    """Prevents a job that a scheduler started twice from writing two tables into one."""
    told = []
    first = resumable.ResumableWriter.mark

    def second_run(self, tally):
        first(self, tally)
        monkeypatch.setattr(resumable.ResumableWriter, "mark", first)
        told.append(run_command("predict", peptides, *HLA, "-o", "out.csv", "--resume"))

    monkeypatch.setattr(resumable.ResumableWriter, "mark", second_run)
    assert run_command("predict", peptides, *HLA, "-o", "out.csv", "--resume")[0] == 0
    (status, _, err), *_ = told
    assert status == 2 and "out.csv: another run is writing this file" in err
    assert Path("out.csv").read_text().count("HLA-A*02:01") == 60


@pytest.mark.parametrize("more", [(), ("--resume",), ("--shard", "1/1")], ids=str)
def test_an_input_that_changes_is_no_result(run_command, fake_predictor, monkeypatch, more):
    """Prevents a table without the rows that were cut off while it was made."""
    Path("in.txt").write_text("SLYNTVATL\n" * 20_000)
    predict = fake_predictor.predict

    def cut(self, *arguments, **options):
        os.truncate("in.txt", 100_000)
        return predict(self, *arguments, **options)

    monkeypatch.setattr(fake_predictor, "predict", cut)
    status, _, err = run_command("predict", "in.txt", *HLA, "-o", "out.csv", "--chunk-pairs", 200, *more)
    assert status == 2 and "in.txt: the input has changed while it was read" in err
    assert not Path("out.csv").exists()


@pytest.mark.parametrize("option", [("--resume",), ("--shard", "1/2")], ids=str)
def test_a_folder_that_cannot_be_written(run_command, peptides, fake_predictor, monkeypatch, option):
    """Prevents hours of prediction for a folder that is read-only."""
    monkeypatch.setattr("pmhc_distil.sequences.files.os.access", lambda *_: False)  # nothing is read-only for root
    status, _, err = run_command("predict", peptides, *HLA, "-o", "out.csv", *option)
    assert status == 2 and "out.csv: cannot write: no permission in its folder" in err
    assert [path.name for path in Path().iterdir()] == ["in.csv"]


def test_shards_of_samples_from_a_pipe(run_command, peptides):
    """Prevents shards of different sample sheets from being gathered, because of a pipe nothing is left to compare."""
    os.mkfifo("sheet")
    writer = threading.Thread(target=lambda: Path("sheet").write_text("sample,alleles\none,A0201\n"))
    writer.start()
    status, _, err = run_command("predict", peptides, "--samples", "sheet", "-o", "out.csv", "--shard", "1/2")
    writer.join()
    assert status == 2 and "--samples: a pipe can be read once" in err and not Path("out.csv").exists()


def test_shards_of_samples(run, peptides):
    """Prevents a peptide whose samples are told in two shards, or in none."""
    Path("samples.csv").write_text("sample,alleles\none,A0201;B0702\ntwo,A0101\n")
    command = ("predict", peptides, "--samples", "samples.csv")
    run(*command, "-o", "whole.csv")
    for number in (1, 2, 3, 4):
        run(*command, "-o", f"{number}.csv", "--shard", f"{number}/4", "--resume", "--chunk-pairs", number)
    run("gather", "1.csv", "2.csv", "3.csv", "4.csv", "-o", "all.csv")
    assert Path("all.csv").read_bytes() == Path("whole.csv").read_bytes()


KILLER = """
import os, random, signal, sys, time
from pathlib import Path
from pmhc_distil import cli
import pmhc_distil.cli.predict, pmhc_distil.inference.predictor, pmhc_distil.sequences.resumable

journal, out = Path("out.csv.journal"), Path("out.csv")
draw = random.Random(2)
whole = Path("whole.csv").read_bytes()
def steps():
    try:
        return journal.read_bytes().count(b"\\n")
    except FileNotFoundError:  # the run has ended just now
        return 0

kills = ends = 0
while kills < 20 or not ends:
    before = steps()
    child = os.fork()
    if not child:
        try:
            cli.main()
            os._exit(0)
        finally:
            os._exit(1)
    wanted = before + draw.randrange(1, 4)
    while kills < 20 and steps() < wanted and not out.exists():
        time.sleep(0.001)
    time.sleep(draw.uniform(0, 0.02))
    if kills < 20:
        os.kill(child, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, -signal.SIGKILL), status
    kills += status != 0
    if out.exists():
        assert out.read_bytes() == whole
        out.unlink()
        ends += 1
print(kills, ends)
"""


@pytest.fixture
def environment(tmp_path):
    """Give the environment of a program that a scheduler starts."""
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "PMHC_DISTIL_CACHE": str(tmp_path / "cache")}


def test_killed_twenty_times(tmp_path, peptides, environment):
    """Prevents a lost or doubled row whenever a machine goes away, be it in the middle of a write."""
    command = ("predict", peptides, *HLA, "--threads", "1", "-o")
    program = [sys.executable, "-m", "pmhc_distil.cli", *command, "whole.csv"]
    subprocess.run(program, cwd=tmp_path, env=environment, check=True, capture_output=True)
    program = [sys.executable, "-c", KILLER, *command, "out.csv", "--resume", "--chunk-pairs", "2"]
    done = subprocess.run(program, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    kills, ends = map(int, done.stdout.split())
    assert kills >= 20 and ends >= 1 and "continuing after" in done.stderr


@pytest.mark.parametrize("more", [(), ("--resume",), ("--shard", "1/1")], ids=str)
def test_a_disk_that_fills(tmp_path, environment, more):
    """Prevents half a table under its name where a write fails on its way to the disk, which no call of ours sees."""
    (tmp_path / "in.txt").write_text("SLYNTVATL\n" * 3_000)
    command = [sys.executable, "-m", "pmhc_distil.cli", "predict", "in.txt", *HLA, "--threads", "1", "-o", "out.csv"]
    command += ["--chunk-pairs", "500", *more]
    started = {"cwd": tmp_path, "env": environment, "stderr": subprocess.PIPE, "text": True, "check": False}
    done = subprocess.run(
        command, **started, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10**5,) * 2)
    )
    assert done.returncode == 2 and "out.csv: cannot write: file too large" in done.stderr
    left = {path.name for path in tmp_path.iterdir()} - {"in.txt", "cache"}
    assert left == ({"out.csv.partial", "out.csv.journal"} if "--resume" in more else set())
    assert subprocess.run(command, **started).returncode == 0
    assert (tmp_path / "out.csv").read_text().count("\n") == 6_001


LONG = {"predict": "SLYNTVATL,a text of the user's own of some length\n", "scan": f">one\n{'SLYNTVATLGGGG' * 99}\n"}


@pytest.mark.parametrize("command", LONG)
def test_memory_of_a_shard(tmp_path, environment, command):
    """Prevents a node of a cluster from having to hold the whole input for its part of it."""
    most = {}
    for name, megabytes in (("small", 0.01), ("large", 40)):
        count = int(megabytes * 1e6 / len(LONG[command]))
        with (tmp_path / name).open("w") as file:
            file.write("peptide,own\n" if command == "predict" else "")
            file.writelines(itertools.repeat(LONG[command], count))
        more = ["--shard", f"{count // 2}/{count}", "--threads", "1", "-o", f"{name}.csv"]
        program = [sys.executable, "-m", "pmhc_distil.cli", command, name, *HLA, *more]
        process = subprocess.Popen(program, cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0 and (tmp_path / f"{name}.csv").stat().st_size > 0
        most[name] = usage.ru_maxrss / 1000  # MB, with Linux's KiB
        (tmp_path / name).unlink()
    assert most["large"] < most["small"] + 20


@pytest.mark.parametrize(("number", "resume"), [(signal.SIGTERM, True), (signal.SIGTERM, False), (signal.SIGHUP, True)])
def test_a_scheduler_ends_a_run(tmp_path, environment, number, resume):
    """Prevents a time limit from leaving half a table, and from looking like success or like a mistake of the user."""
    (tmp_path / "in.txt").write_text("SLYNTVATL\n" * 50_000)
    more = ["--threads", "1", "--chunk-pairs", "2", *["--resume"] * resume]
    command = [sys.executable, "-m", "pmhc_distil.cli", "predict", "in.txt", *HLA, "-o", "out.csv", *more]
    # Under `nohup`, what the tests start would ignore the signal, as it should.
    heed = functools.partial(signal.signal, number, signal.SIG_DFL)
    process = subprocess.Popen(
        command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True, preexec_fn=heed
    )
    deadline = time.monotonic() + 30
    pattern = "out.csv.partial" if resume else ".*.out.csv"
    while not any(path.stat().st_size for path in tmp_path.glob(pattern)):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 128 + number and err.endswith(f"ended by {number.name}\n")
    left = {path.name for path in tmp_path.iterdir()} - {"in.txt", "cache"}
    assert left == ({"out.csv.partial", "out.csv.journal"} if resume else set())
