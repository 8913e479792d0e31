"""Runs side by side."""

import pytest
import yaml
from click.testing import CliRunner

from pmhc_distil import cli
from pmhc_distil.errors import InputError
from pmhc_distil.evaluation.runs import compare_runs


@pytest.fixture
def make_run(tmp_path):
    """Give a function that writes what a run leaves behind."""

    def make(name, exact_match, task="question-answering", fingerprint="a", digest="b"):
        folder = tmp_path / name
        folder.mkdir()
        tested = {"file": "test.json", "examples": 40, "fingerprint": fingerprint}
        record = {"command": "distill", "task": task, "test": tested, "test_digest": digest, "parameters": 123_456}
        (folder / "recipe.yaml").write_text(yaml.safe_dump(record))
        (folder / "metrics_test.csv").write_text(f"loss,exact_match,f1\n0.5,{exact_match},98.5\n")
        (folder / "model.safetensors").write_bytes(b"0" * 250_000)
        return folder

    return make


def test_rows_are_runs(make_run):
    """Prevents numbers of one run beside the name of another."""
    found = compare_runs([make_run("student", 97.5), make_run("teacher", 98.25)])
    assert found.to_dict("list") == {
        "run": ["student", "teacher"],
        "command": ["distill"] * 2,
        "n": [40] * 2,
        "exact_match": [97.5, 98.25],
        "f1": [98.5] * 2,
        "parameters": [123_456] * 2,
        "size_mb": [0.25] * 2,
    }


@pytest.mark.parametrize("other", [{"task": "regression"}, {"digest": "c"}])
def test_runs_that_cannot_be_compared(make_run, other):
    """Prevents a table of numbers that were measured on different examples."""
    with pytest.raises(InputError, match="student: tested on another"):
        compare_runs([make_run("teacher", 98.0), make_run("student", 97.0, **other)])


def test_a_run_of_an_earlier_version(make_run):
    """Prevents a wrong reason for a run that did not write down its test."""
    folder = make_run("old", 97.0)
    record = yaml.safe_load((folder / "recipe.yaml").read_text())
    del record["test_digest"]
    (folder / "recipe.yaml").write_text(yaml.safe_dump(record))
    with pytest.raises(InputError, match="old: the run is of an earlier version"):
        compare_runs([folder])


def test_one_file_that_is_read_in_two_ways(make_run):
    """Prevents models of other vocabularies from being kept apart, but for those whose hidden tokens differ by it."""
    assert len(compare_runs([make_run("a", 98.0), make_run("b", 97.0, fingerprint="c")])) == 2
    masked = [make_run(name, 9.0, "fill-mask", fingerprint=name) for name in ("c", "d")]
    with pytest.raises(InputError, match="the same vocabulary"):
        compare_runs(masked)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("recipe.yaml", "a: ["),
        ("recipe.yaml", ""),
        ("recipe.yaml", "command: distill\ntask: regression\ntest:\n  fingerprint: a\n"),
        ("metrics_test.csv", ""),
        ("metrics_test.csv", "loss,f1\n"),
    ],
)
def test_a_damaged_run(make_run, name, text):
    """Prevents a traceback for a file that was cut short."""
    folder = make_run("student", 97.0)
    (folder / name).write_text(text)
    with pytest.raises(InputError, match=r"student: recipe.yaml or metrics_test.csv is damaged"):
        compare_runs([folder])


def test_run_without_a_test(make_run):
    """Prevents a traceback for a folder that is no run, or one made without --test."""
    folder = make_run("student", 97.0)
    (folder / "metrics_test.csv").unlink()
    with pytest.raises(InputError, match=r"student: metrics_test.csv is missing"):
        compare_runs([folder])


def test_test_of_an_earlier_run(make_run):
    """Prevents the numbers of one model beside the name of another, or a traceback."""
    folder = make_run("student", 97.0)
    record = yaml.safe_load((folder / "recipe.yaml").read_text())
    del record["test"]
    (folder / "recipe.yaml").write_text(yaml.safe_dump(record))
    with pytest.raises(InputError, match=r"student: metrics_test.csv is of an earlier run"):
        compare_runs([folder])


def test_command(make_run, tmp_path):
    """Prevents a document that loses what stands around the table."""
    document = tmp_path / "d.md"
    document.write_text("# A\n\n<!-- runs:begin -->\nold\n<!-- runs:end -->\n\nend\n")
    arguments = ["compare", str(make_run("teacher", 97.0)), "--insert", str(document)]
    result = CliRunner().invoke(cli.group, arguments, catch_exceptions=False)
    assert result.output.splitlines()[0] == "run,command,n,exact_match,f1,parameters,size_mb"
    text = document.read_text()
    assert (
        text.startswith("# A\n") and text.endswith("\nend\n") and "old" not in text and "| teacher | distill |" in text
    )
    document.write_text("# A\n")
    result = CliRunner().invoke(cli.group, arguments)
    assert isinstance(result.exception, InputError) and result.stdout == "", "a table that is not inserted after all"
