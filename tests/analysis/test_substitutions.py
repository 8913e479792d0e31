"""The substitution matrix finds the anchors that binding assays found, and its picture shows what the table says."""

import numpy as np
import pandas as pd
import pytest

from pmhc_distil import InputError, Predictor
from pmhc_distil.analysis.heat_maps import substitution_figures
from pmhc_distil.analysis.substitutions import position_effects, substitutions
from pmhc_distil.sequences.groove_table import groove_table
from pmhc_distil.sequences.grooves import REFERENCE
from pmhc_distil.sequences.residues import RESIDUES
from pmhc_distil.sequences.result_columns import SUBSTITUTION_COLUMNS

ANCHORED = {
    "SLYNTVATL": "HLA-A*02:01",
    "GILGFVFTL": "HLA-A*02:01",
    "NLVPMVATV": "HLA-A*02:01",
    "TPRVTGGGAM": "HLA-B*07:02",
    "SPRWYFYYL": "HLA-B*07:02",
    "AEDMKKYRW": "HLA-B*44:02",
}
"""Ligands whose anchors, P2 and the last, are known from structures."""


@pytest.fixture(scope="module")
def predictor():
    return Predictor(threads=1)


@pytest.mark.parametrize(("peptide", "allele"), ANCHORED.items())
def test_anchors_dominate(predictor, peptide, allele):
    """An explanation that points to a residue which the groove does not hold."""
    effects = position_effects(substitutions(predictor, [peptide], [allele])).set_index("position")["logit_change"]
    assert set(effects.nsmallest(2).index) == {2, len(peptide)}
    assert effects[[2, len(peptide)]].mean() < 1.5 * effects.drop([2, len(peptide)]).min()


def test_b4402_needs_glutamate_at_p2(predictor):
    """Every other residue than E at P2 must cost B*44:02 its binding."""
    table = substitutions(predictor, ["AEDMKKYRW"], ["B4402"])
    second = table[(table["position"] == 2) & (table["substitute"] != "E")]
    assert (second["logit_change"] < -2).all() and (second["log_rank_change"] > 0.5).all()


def test_every_row_is_a_prediction(predictor):
    """Changes that belong to another residue, or to a native of another peptide."""
    table = substitutions(predictor, ["slyntvatl", "TPRVTGGGAM"], ["A0201", "B0702"])
    assert list(table.columns) == [column.name for column in SUBSTITUTION_COLUMNS]
    assert len(table) == 2 * 20 * (9 + 10)
    native = table[table["residue"] == table["substitute"]]
    assert (native[["logit_change", "log_rank_change"]] == 0).all(axis=None)
    row = table.sample(1, random_state=3).iloc[0]
    at = row["position"] - 1
    variant = row["peptide"][:at] + row["substitute"] + row["peptide"][at + 1 :]
    found = predictor.predict([variant, row["peptide"]], row["allele"])
    assert found["score"].iloc[0] == row["score"] and found["rank"].iloc[0] == row["rank"]
    assert row["log_rank_change"] == pytest.approx(np.diff(np.log10(found["rank"]))[0] * -1)
    groove = groove_table().groove("HLA-A*02:01")
    mine = substitutions(predictor, ["SLYNTVATL"], None, grooves={"mine": groove})
    same = table[(table["peptide"] == "SLYNTVATL") & (table["allele"] == "HLA-A*02:01")].reset_index(drop=True)
    pd.testing.assert_frame_equal(mine.drop(columns="allele"), same.drop(columns="allele"))


def test_the_residue_itself_is_no_substitution():
    """Prevents an effect that is smaller the fewer substitutions there are, as that of no change counts."""
    rows = [("P", "a", 1, "P", new, change) for new, change in (("P", 0.0), ("A", -2.0), ("C", -4.0))]
    columns = ["peptide", "allele", "position", "residue", "substitute", "logit_change"]
    assert position_effects(pd.DataFrame(rows, columns=columns))["logit_change"].tolist() == [-3.0]


def test_the_picture_shows_the_table(predictor):
    """A heat map whose rows or columns stand in another order than their labels, or whose colours are turned round."""
    table = substitutions(predictor, ["SLYNTVATL", "SPRWYFYYL"], ["A0201", "B0702"])
    (figure,) = substitution_figures(table)
    maps = [axis for axis in figure.axes if axis.images and axis.get_ylabel() == "put in its place"]
    assert len(maps) == 4 and len(substitution_figures(table, apart=True)) == 4
    own = table[(table["peptide"] == "SLYNTVATL") & (table["allele"] == "HLA-A*02:01")]
    labels = [text.get_text() for text in maps[0].get_yticklabels()]
    assert sorted(labels) == sorted(RESIDUES)
    shown = np.asarray(maps[0].images[0].get_array())
    for place, residue in enumerate(labels):
        np.testing.assert_allclose(shown[place], own[own["substitute"] == residue]["logit_change"])
    for change, loss in (("logit", -1.0), ("rank", 1.0)):
        image = next(axis for axis in substitution_figures(table, change=change)[0].axes if axis.images).images[0]
        red, _, blue, _ = image.cmap(image.norm(loss * 10))
        assert red > blue, "what harms is red"


def test_a_peptide_that_cannot_be_scored_is_refused(predictor):
    """A traceback, or an empty picture, for a typing error."""
    with pytest.raises(InputError, match="length 5"):
        substitutions(predictor, ["SLYNT"], ["A0201"])


def test_command(tmp_path, monkeypatch, capsys):
    """The command as the README shows it."""
    from pmhc_distil import cli

    monkeypatch.chdir(tmp_path)
    words = ["pmhc-distil", "explain", "SLYNTVATL", "--hla", "A0201", "-o", "e.svg", "--table", "e.csv"]
    monkeypatch.setattr("sys.argv", words)
    cli.main()
    assert len(pd.read_csv("e.csv")) == 180 and (tmp_path / "e.svg").read_text().startswith("<?xml")
    own = tmp_path / "my.csv"
    own.write_text(f">mine\n{REFERENCE}\n")
    many = [f"SLYNTVA{a}{b}" for a in "LV" for b in RESIDUES]
    for wrong, told in (
        (["explain", "SLYNTVATX", "--hla", "A0201"], "non-standard residue 'X'"),
        (["explain", "SLYNTVATL", "--hla-fasta", "my.csv", "--table", "my.csv"], "my.csv: would be written over"),
        (["explain", *many, "--hla", "A0201,B0702", "-o", "x.png"], "not 80"),
        (["design", "SLYNTVATL", "--hla-fasta", "my.csv", "-o", "my.csv"], "my.csv: would be written over"),
    ):
        monkeypatch.setattr("sys.argv", ["pmhc-distil", *wrong])
        with pytest.raises(SystemExit, match="2"):
            cli.main()
        assert told in capsys.readouterr().err
    assert own.read_text() == f">mine\n{REFERENCE}\n"
