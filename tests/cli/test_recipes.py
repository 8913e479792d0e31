"""A recipe is read as it was meant, or refused in one line."""

import pytest

from pmhc_distil.cli import group
from pmhc_distil.cli.recipes import read_recipe
from pmhc_distil.errors import InputError

KNOWN = {"seed", "learning_rate", "layers", "bf16", "sources"}


@pytest.fixture
def write(tmp_path):
    """Give a function that writes a recipe."""

    def write(text):
        (tmp_path / "r.yaml").write_text(text)
        return tmp_path / "r.yaml"

    return write


@pytest.mark.parametrize("text", ["1e-3", "1.e-3", "1.0e-3", "0.001", "1E-3", "+10e-4"])
def test_every_way_to_write_a_number_is_one(write, text):
    """Prevents 1e-3, which YAML takes for text, from reaching the optimizer as text."""
    found = read_recipe(write(f"learning_rate: {text}\n"), KNOWN)
    assert found == {"learning_rate": pytest.approx(1e-3)} and type(found["learning_rate"]) is float


def test_numbers_within_settings(write):
    """Prevents 2e-2 from being refused as no number where it stands in a mapping or a list."""
    found = read_recipe(write("sources: {least_kept: 2e-2, of: [1e3, x, 7]}\n"), KNOWN)
    assert found == {"sources": {"least_kept": 0.02, "of": [1000.0, "x", 7]}}


def test_other_values_stay_as_they_are(write):
    """Prevents layers such as '0,3' or '2e' from being taken for numbers, and whole numbers for fractions."""
    text = "seed: 7\nlayers: 0,3\nbf16: true\nsources:\n  - {file: a.csv, lengths: [8, 11]}\n"
    found = read_recipe(write(text), KNOWN)
    assert found == {
        "seed": 7,
        "layers": "0,3",
        "bf16": True,
        "sources": [{"file": "a.csv", "lengths": [8, 11]}],
    }
    assert type(found["seed"]) is int
    assert read_recipe(write("sources: [{file: '1e5', where: \"2e3\"}]\n"), KNOWN)["sources"][0]["file"] == "1e5"
    for layers in ("first", "2e", "e3"):
        assert read_recipe(write(f"layers: {layers}\n"), KNOWN) == {"layers": layers}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("- a\n", "not a mapping"),
        ("", "not a mapping"),
        ("a: [\n", "not YAML"),
        ("sed: 1\n", "unknown setting: 'sed'"),
        ("1: 2\n", "unknown setting: '1'"),
        ("seed: 1\nseed: 2\n", "row 2, column 'seed': the setting is there twice"),
        ("? [a, b]\n: 1\n", "not YAML"),
    ],
)
def test_mistakes_are_one_line(write, text, reason):
    """Prevents a traceback, and a misspelt setting from being ignored."""
    path = write(text)
    with pytest.raises(InputError) as caught:
        read_recipe(path, KNOWN)
    assert reason in str(caught.value) and str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_missing_and_binary_files(tmp_path):
    """Prevents a traceback from a file that is not there, or is no text."""
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00\x01" * 10)
    for name in ("missing.yaml", "bytes.yaml"):
        with pytest.raises(InputError, match=name):
            read_recipe(tmp_path / name, KNOWN)


def test_a_setting_that_cannot_be_used(write):
    """Prevents a mistake that does not say in which file it is."""
    path = write("windows: 100\nseed: 1.5\n")
    arguments = ["calibrate", "model", "--proteins", "p.fasta", "--recipe", str(path)]
    with pytest.raises(InputError) as caught:
        group(arguments, standalone_mode=False)
    assert (caught.value.source, caught.value.column) == (str(path), "seed")


def test_needed_settings(write):
    """Prevents a table or a calibration that is made with settings nobody chose."""
    path = write("seed: 1\n")
    assert read_recipe(path, KNOWN, {"seed"}) == {"seed": 1}
    with pytest.raises(InputError, match="the setting is missing") as caught:
        read_recipe(path, KNOWN, {"seed", "sources"})
    assert (caught.value.source, caught.value.column) == (str(path), "sources")
