"""Two sentences of a bias probe differ in what is probed and in nothing else."""

from pathlib import Path

import pytest

from pmhc_distil.errors import InputError
from pmhc_distil.texts.bias import PairTemplate, read_pairs_of_templates

EXAMPLES = Path(__file__).parents[2] / "data/examples/bias_templates.csv"


def test_shipped_templates():
    """Prevents an example that does not run, or that probes the same thing twice."""
    found = read_pairs_of_templates(EXAMPLES)
    assert len(found) >= 20
    pairs = [one.sentences() for one in found]
    assert len(set(pairs)) == len(pairs)
    for first, second in pairs:
        assert first != second and first.count("[MASK]") == second.count("[MASK]") == 1
        assert "{" not in first + second


def test_sentences():
    """Prevents the mask of another tokenizer from being read as a word."""
    template = PairTemplate("In town, {} is a [MASK].", "he", "she", 2)
    assert template.sentences("<mask>") == ("In town, he is a <mask>.", "In town, she is a <mask>.")


@pytest.mark.parametrize(
    ("line", "row", "told"),
    [
        ("{} is good.,he,she", 3, "needs [MASK] exactly once"),
        ("{} is [MASK] [MASK].,he,she", 3, "needs [MASK] exactly once"),
        ("He is [MASK].,he,she", 3, "needs {} exactly once"),
        ("{} is [MASK].,he,he", 3, "the same"),
        ("{} is [MASK].,he,", 3, "empty"),
        ("{} is [MASK].,he,[MASK]", 3, "holds a [MASK]"),
    ],
)
def test_mistakes(tmp_path, line, row, told):
    """Prevents a template that would be filled with something else than was meant."""
    (tmp_path / "t.csv").write_text(f"template,first,second\n{{}} was [MASK].,he,she\n{line}\n")
    with pytest.raises(InputError) as caught:
        read_pairs_of_templates(tmp_path / "t.csv")
    assert told in str(caught.value) and caught.value.row == row


def test_no_templates(tmp_path):
    """Prevents an empty report where columns or rows are missing."""
    for content, told in (
        ("template,first\na,b\n", "columns are: template, first"),
        ("template,first,second\n", "rows"),
    ):
        (tmp_path / "t.csv").write_text(content)
        with pytest.raises(InputError, match=told):
            read_pairs_of_templates(tmp_path / "t.csv")
