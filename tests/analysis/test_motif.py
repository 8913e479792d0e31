"""Motifs show the anchors that every immunologist knows, and tables hold what the pictures show."""

import io
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from pmhc_distil import InputError, Predictor
from pmhc_distil.analysis.html_page import html_figure
from pmhc_distil.analysis.ligands import read_ligands
from pmhc_distil.analysis.logos import motif_figures, motif_page
from pmhc_distil.analysis.motif import (
    compared_motifs,
    ligand_motifs,
    motif_notes,
    predicted_lengths,
    predicted_motifs,
    trained_alleles,
)
from pmhc_distil.analysis.pictures import picture_format, plain_names, save_pictures
from pmhc_distil.inference.request import resolve_alleles
from pmhc_distil.sequences.explain import FAR, TrainingDistance
from pmhc_distil.sequences.groove_table import groove_table
from pmhc_distil.sequences.residues import RESIDUES

ANCHORS = {
    "HLA-A*02:01": (set("LM"), set("VLI")),
    "HLA-A*24:02": (set("YF"), set("FILW")),
    "HLA-B*07:02": (set("P"), set("LMFVI")),
    "HLA-B*44:02": (set("E"), set("FYWL")),
}


@pytest.fixture(scope="module")
def predictor():
    return Predictor(threads=1, windows=500)


@pytest.fixture(scope="module")
def motifs(predictor):
    return predicted_motifs(predictor, list(ANCHORS), lengths=(9, 10))


@pytest.mark.parametrize("length", [9, 10])
@pytest.mark.parametrize("allele", ANCHORS)
def test_anchors_are_those_of_the_textbook(motifs, allele, length):
    """A motif that is shifted by a position, mixed up between alleles, or counted in the wrong peptides."""
    own = motifs[(motifs["allele"] == allele) & (motifs["length"] == length)].set_index("position")
    assert own.index.tolist() == list(range(1, length + 1))
    np.testing.assert_allclose(own[list(RESIDUES)].sum(axis=1), 1)
    assert set(own["information"].nlargest(2).index) == {2, length}
    for position, expected in zip((2, length), ANCHORS[allele], strict=True):
        shares = own.loc[position, list(RESIDUES)].astype(float)
        assert shares.idxmax() in expected and shares[list(expected)].sum() > 0.5


def test_other_lengths_are_refused(predictor):
    """A traceback out of numpy for a length without its list."""
    for lengths in (9, [7]):
        with pytest.raises(InputError, match=r"^lengths: "):
            predicted_motifs(predictor, ["A0201"], lengths=lengths)


def test_length_preference(predictor):
    """Shares that do not sum to one, or an allele that would present all lengths alike."""
    shares = predicted_lengths(predictor, ["A0201", "B0801"])
    assert shares.groupby("allele")["share"].sum().to_list() == pytest.approx([1, 1])
    table = shares.pivot(index="allele", columns="length", values="share")
    assert (table.idxmax(axis=1) == 9).all()
    assert table.loc["HLA-B*08:01", 8] > 5 * table.loc["HLA-A*02:01", 8]


def test_long_peptides_are_stretches_of_all_random_peptides():
    """Prevents a motif of long peptides that is counted in fewer of them than there are."""
    found = predicted_motifs(Predictor(threads=1, windows=300), ["A*02:01"], lengths=(14, 15), top=100)
    assert found.groupby("length")["peptides"].first().tolist() == [600, 300], "two stretches of 14 residues, one of 15"


def test_a_molecule_given_by_sequence_has_the_motif_of_its_name(motifs, predictor, tmp_path, monkeypatch):
    """An unseen allele by sequence that is drawn with the motif of another one."""
    monkeypatch.setenv("PMHC_DISTIL_CACHE", str(tmp_path))
    groove = groove_table().groove("HLA-A*02:01")
    found = predicted_motifs(predictor, None, grooves={"mine": groove}, lengths=(9,))
    named = motifs[(motifs["allele"] == "HLA-A*02:01") & (motifs["length"] == 9)]
    columns = ["information", *RESIDUES]
    np.testing.assert_array_equal(found[columns], named[columns])
    assert set(found["allele"]) == {"mine"}


def test_ligands_are_counted_by_hand():
    """A logo of the user's ligands in which repeated rows, other lengths or too few peptides mislead."""
    peptides = ["ALAAAAAAV", "ALAAAAAAV", "AMAAAAAAV", "ALAAAAAAAV"]
    frame = pd.DataFrame({"peptide": peptides, "allele": "HLA-A*02:01"})
    motif, lengths = ligand_motifs(frame)
    second = motif[motif["position"] == 2].iloc[0]
    assert (second["peptides"], second["L"], second["M"]) == (2, 0.5, 0.5)
    assert second["information"] == 0, "two peptides tell nothing"
    assert lengths.set_index("length")["share"].loc[[8, 9, 10]].to_list() == pytest.approx([0, 2 / 3, 1 / 3])
    many = pd.DataFrame({"peptide": [f"{a}LAAAA{b}AV" for a in RESIDUES for b in RESIDUES], "allele": "x"})
    information = ligand_motifs(many)[0].set_index("position")["information"]
    correction = 19 / (2 * np.log(2) * 400)
    assert information[2] == pytest.approx(np.log2(20) - correction) and information[1] == 0


def test_ligands_of_a_file(tmp_path):
    """Ligands of other alleles, negatives and rows that cannot be read, drawn as if they were ligands."""
    path = tmp_path / "ligands.csv"
    path.write_text(
        "peptide,allele,label\nSLYNTVATL,A0201,1\nSLYNTVATV,A*02:01,0\nSLYNTV,A0201,1\nGPAAAAAAL,B0702,1\nX,no,1\n"
        "NLVPMVATV,A0201;B0702,1\n"
    )
    request, told = resolve_alleles(["HLA-A*02:01"]), []
    assert read_ligands(str(path), request, told.append)["peptide"].tolist() == ["SLYNTVATL"]
    # Rows that are not ligands, or of another allele, are left out as they are meant to be.
    left_out = "of 5 ligands are left out, as their"
    assert told == [
        f"{path}: 2 {left_out} peptide cannot be scored, such as row 4: length 6 is outside 8-15: 'SLYNTV'",
        f"{path}: 2 {left_out} allele is not known, such as row 6: not an HLA class I allele name "
        "(write a name such as HLA-A*02:01): 'no'",
    ]
    with pytest.raises(InputError, match="no ligand of the alleles"):
        read_ligands(str(path), resolve_alleles(["C*07:02"]), told.append)
    path.write_text("SLYNTVATL\nGILGFVFTL\n")
    assert read_ligands(str(path), request, pytest.fail)["allele"].tolist() == ["HLA-A*02:01"] * 2
    with pytest.raises(InputError, match="no alleles"):
        read_ligands(str(path), resolve_alleles(["A*02:01", "B*07:02"]), pytest.fail)


def test_only_a_label_of_zero_says_that_it_is_no_ligand(tmp_path):
    """Prevents ligands without a label from being left out."""
    path = tmp_path / "ligands.csv"
    path.write_text("peptide,allele,label\nSLYNTVATL,A0201,1\nGILGFVFTL,A0201,\nNLVPMVATV,A0201,0\n")
    found = read_ligands(str(path), resolve_alleles(["A0201"]), pytest.fail)
    assert found["peptide"].tolist() == ["SLYNTVATL", "GILGFVFTL"]


def test_notes_tell_what_is_far(predictor):
    """An allele without data whose logo looks as trustworthy as that of A*02:01."""
    notes = motif_notes(predictor, ["A0201", "F*01:01"])
    assert notes["HLA-A*02:01"] == "" and "distance" in notes["HLA-F*01:01"]
    told_nothing = SimpleNamespace(training=TrainingDistance({}))
    assert motif_notes(told_nothing, ["A0201"]) == {"HLA-A*02:01": ""}
    assert "HLA-A*02:01" in trained_alleles(predictor) and "HLA-F*01:01" not in trained_alleles(predictor)


def test_notes_tell_what_is_near(predictor):
    """Prevents a motif that other alleles taught from passing for one of the allele's own ligands."""
    table = groove_table()
    name = next(one for one in table.names if 0 < predictor.training.nearest(table.groove(one))[1] < FAR)
    assert "nearest allele with training ligands" in motif_notes(predictor, [name])[name]


def test_pictures(predictor, tmp_path):
    """Pictures that are empty, differ from run to run, or leave out an allele or its ligands."""
    import matplotlib.image

    ligands = pd.DataFrame({"peptide": ["ALAAAAAAV"] * 3, "allele": "HLA-A*02:01"})
    motifs, lengths = compared_motifs(predictor, ["A0201", "B0702"], ligands, lengths=(9,))
    (figure,) = motif_figures(motifs, lengths)
    assert [axis.get_title(loc="left") for axis in figure.axes] == [
        "HLA-A*02:01, predicted",
        "HLA-A*02:01, ligands",
        "",
        "HLA-B*07:02, predicted",
        "HLA-B*07:02, ligands",
        "",
    ]
    for suffix in ("png", "svg", "pdf"):
        paths = [tmp_path / f"{number}.{suffix}" for number in range(2)]
        for path in paths:
            save_pictures(motif_figures(motifs, lengths), path)
        assert paths[0].read_bytes() == paths[1].read_bytes() != b""
    pixels = matplotlib.image.imread(tmp_path / "0.png")[:, : 7 * 200, :3]
    assert (np.ptp(pixels, axis=2) > 0.3).mean() > 0.002, "letters have colours"
    page = motif_page("Motifs", motifs, lengths, {"HLA-A*02:01": "a < b"})
    assert page.count("<svg") == 2 and "a &lt; b" in page and "https://" not in page.replace("http://www.w3", "")
    assert len(motif_figures(motifs, lengths, rows=1)) == 2


def test_ligands_that_are_too_few_are_said_to_be(predictor):
    """Prevents an empty logo, which looks like a mistake, where three ligands cannot tell a motif."""
    peptides = ["GILGFVFTL", "NLVPMVATV", "KLSWDRQAE"]
    ligands = pd.DataFrame({"peptide": peptides, "allele": "HLA-A*02:01"})
    (figure,) = motif_figures(*compared_motifs(predictor, ["A0201"], ligands, lengths=(9,)))
    said = [[text.get_text() for text in axis.texts] for axis in figure.axes[:2]]
    assert said == [[], ["too few to tell"]]


def test_a_picture_of_unknown_format_is_refused(tmp_path):
    """Minutes of work that end in a file which cannot be written."""
    with pytest.raises(InputError, match=r"end it in \.png, \.svg, \.pdf, \.html"):
        picture_format(tmp_path / "logo.gif", ("html",))


def test_without_the_extra_a_line_tells_what_to_install(tmp_path, monkeypatch):
    """A traceback for everybody who has installed the package alone, or one after minutes of work."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(InputError, match=r"pip install 'pmhc-distil\[plots\]'"):
        picture_format(tmp_path / "logo.png")


def test_command(tmp_path, monkeypatch, capsys):
    """The command as the README shows it: picture and tables, nothing half-written on a mistake."""
    from pmhc_distil import cli

    monkeypatch.chdir(tmp_path)
    arguments = ["motif", "--hla", "A0201", "--threads", "1", "-o", "motif.png", "--table", "motif.csv"]
    monkeypatch.setattr("sys.argv", ["pmhc-distil", *arguments, "--length-table", "lengths.tsv"])
    cli.main()
    table = pd.read_csv("motif.csv")
    assert list(table.columns[-20:]) == list(RESIDUES) and len(table) == 9
    assert len(pd.read_csv("lengths.tsv", sep="\t")) == 8
    assert io.BytesIO((tmp_path / "motif.png").read_bytes()).read(4) == b"\x89PNG"
    for wrong, told in (
        (["--hla", "A0201"], "nothing to write"),
        (["--hla", "A0201", "--all", "-o", "x.png"], "--all"),
        (["--hla", "A9999", "-o", "x.png"], "A9999"),
        (["-o", "x.png"], "no HLA alleles"),
        (["--hla", "A0201", "--table", "x.csv", "--length-table", "x.csv"], "x.csv: named for two outputs"),
    ):
        monkeypatch.setattr("sys.argv", ["pmhc-distil", "motif", *wrong])
        with pytest.raises(SystemExit, match="2"):
            cli.main()
        error = capsys.readouterr().err
        assert told in error and error.count("\n") == 1
    assert not (tmp_path / "x.png").exists()


def test_names_are_no_formulas(tmp_path):
    """Prevents a traceback where a name has two dollar signs, between which matplotlib looks for a formula."""
    from matplotlib.figure import Figure

    @plain_names
    def draw():
        figure = Figure()
        figure.subplots().set_title(r"my$x_$ and $\frac$")
        return figure

    save_pictures([draw()], tmp_path / "a.svg")
    assert "my$x_$" in html_figure(draw())
