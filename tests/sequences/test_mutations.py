"""A change of a protein is read as HGVS means it, or refused with the reason."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.mutations import (
    Change,
    mutate,
    mutations_from,
    named_mutations,
    read_change,
    read_mutations,
)

PROTEIN = "MKGSWAYLLKKCHTVPDE"


@pytest.mark.parametrize(
    ("text", "mutant"),
    [
        ("G3D", "MKDSWAYLLKKCHTVPDE"),
        ("g3d", "MKDSWAYLLKKCHTVPDE"),
        ("p.G3D", "MKDSWAYLLKKCHTVPDE"),
        ("p.Gly3Asp", "MKDSWAYLLKKCHTVPDE"),
        ("p.(Gly3Asp)", "MKDSWAYLLKKCHTVPDE"),
        ("K2del", "MGSWAYLLKKCHTVPDE"),
        ("p.Lys2_Ser4del", "MWAYLLKKCHTVPDE"),
        ("K2_G3insQSW", "MKQSWGSWAYLLKKCHTVPDE"),
        ("p.Lys2_Gly3insGlnSer", "MKQSGSWAYLLKKCHTVPDE"),
        ("C12_T14delinsWV", "MKGSWAYLLKKWVVPDE"),
        ("p.Cys12delinsTrpVal", "MKGSWAYLLKKWVHTVPDE"),
        ("A6_L8dup", "MKGSWAYLAYLLKKCHTVPDE"),
        ("L8dup", "MKGSWAYLLLKKCHTVPDE"),
    ],
)
def test_changes(text, mutant):
    """Prevents a change that is applied a residue beside its place."""
    assert mutate(PROTEIN, read_change(text)).sequence == mutant


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("p.Arg97fs", "a frameshift"),
        ("p.Arg97ProfsTer23", "a frameshift"),
        ("R97fs*12", "a frameshift"),
        ("W5*", "a stop"),
        ("p.Trp5Ter", "a stop"),
        ("K2_G3insQ*", "a stop"),
        ("p.Met1?", "the start or the end"),
        ("*19Q", "the start or the end"),
        ("M1V", "the start or the end"),
        ("M1_G3del", "the start or the end"),
        ("p.Ter19GlnextTer8", "the start or the end"),
        ("p.Gly3=", "does not change"),
        ("G3G", "does not change"),
        ("G3X", "non-standard residue 'X'"),
        ("K2_G3insQSTer", "a stop after new residues"),
        ("G4_Q6delinsTer", "a stop: it makes no new peptide"),
        ("", "not a change"),
        ("G12", "not a change"),
        ("12D", "not a change"),
        ("c.35G>A", "not a change"),
        ("K2_S4insQ", "not a change"),
        ("S4_K2del", "not a change"),
        ("K2delins", "not a change"),
    ],
)
def test_what_makes_no_peptide_says_why(text, reason):
    """Prevents a frameshift or a stop from vanishing, or from being read as a substitution."""
    with pytest.raises(InputError, match=reason):
        read_change(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("G4D", "the protein has S at 4, not G"),
        ("G30D", "the protein has 18 residues, so none at 30"),
        ("G0D", "positions are counted from 1"),
        ("E18_K19del", "so none at 19"),
        ("K2_W4del", "the protein has S at 4, not W"),
        ("K3_G4insQ", "the protein has G at 3, not K"),
    ],
)
def test_a_protein_with_other_residues_is_told(text, reason):
    """Prevents another isoform or numbering from giving mutant peptides that nobody has."""
    with pytest.raises(InputError) as caught:
        mutate(PROTEIN, read_change(text))
    assert reason in str(caught.value)


def test_another_isoform_is_told():
    """Prevents a change of another isoform from being made where a residue happens to fit."""
    change = Change(3, 3, ((3, "G"),), "D", length=18)
    assert mutate(PROTEIN, change).sequence == mutate(PROTEIN + "*", change).sequence.rstrip("*")
    with pytest.raises(InputError, match="the protein has 17 residues, the annotated one 18: another isoform"):
        mutate(PROTEIN[:-1], change)


def test_residues_that_stay_are_no_change():
    """Prevents windows over residues that an annotation repeats: VEP writes an insertion as G/GQS."""
    mutant = mutate(PROTEIN, Change(3, 3, ((3, "G"),), "GQS"))
    assert mutant.sequence[mutant.start : mutant.stop] == "QS" and mutant.shift == 2
    with pytest.raises(InputError, match="does not change"):
        mutate(PROTEIN, Change(3, 4, ((3, "GS"),), "GS"))


@given(
    protein=st.text("ACDEF", min_size=1, max_size=12),
    inserted=st.text("ACDEF", max_size=4),
    place=st.tuples(st.integers(1, 12), st.integers(0, 4)),
)
def test_new_residues_are_where_the_mutant_says(protein, inserted, place):
    """Prevents a place of the new residues that does not fit the mutant protein."""
    start, end = place[0], min(len(protein), place[0] + place[1] - 1)
    if start > len(protein):
        return
    try:
        mutant = mutate(protein, Change(start, end, (), inserted))
    except InputError as error:
        assert "does not change" in str(error)
        return
    assert mutant.sequence == protein[: start - 1] + inserted + protein[end:]
    after = len(mutant.sequence) - mutant.stop
    assert mutant.sequence[: mutant.start] == protein[: mutant.start]
    assert not after or mutant.sequence[mutant.stop :] == protein[-after:]
    assert mutant.shift == len(mutant.sequence) - len(protein)


def test_tables_and_options(tmp_path):
    """Prevents a bad change from losing its row, and an option without a protein from being guessed."""
    path = tmp_path / "mutations.tsv"
    path.write_text("Gene\tHGVSp\nKRAS\tp.Gly12Asp\nTP53\tnonsense\nKRAS\tENSP1.2:p.Gly12Asp\nNRAS\tKRAS:G12D\n")
    found = read_mutations(path)
    assert [(one.names, one.text) for one in found[:2]] == [(("KRAS",), "p.Gly12Asp"), (("TP53",), "nonsense")]
    assert (found[2].names, found[2].change) == (("ENSP1.2", "KRAS"), found[0].change)
    assert found[3].change is None, "another protein than that of its column"
    assert found[0].change == Change(12, 12, ((12, "G"),), "D") and found[1].reason.startswith("not a change")
    assert mutations_from(pd.DataFrame({"protein": ["KRAS"], "mutation": ["G12D"]}))[0].change == found[0].change
    assert named_mutations(["sp|P01116|RASK_HUMAN:G12D"])[0].names == ("sp|P01116|RASK_HUMAN",)
    for text in ("G12D", ":G12D", "KRAS:"):
        with pytest.raises(InputError, match="--mutation: no protein and change"):
            named_mutations([text])


def test_what_else_a_table_says(tmp_path):
    """Prevents the reads of a mutation from being dropped, and a gene beside a protein from being in doubt."""
    path = tmp_path / "mutations.csv"
    path.write_text("Protein,gene,vaf,Mutation\nENSP1,KRAS, 0.50,G12D\nENSP2,TP53,,R175H\n")
    found = read_mutations(path)
    assert [one.names for one in found] == [("ENSP1",), ("ENSP2",)]
    assert [one.own for one in found] == [{"gene": "KRAS", "vaf": "0.50"}, {"gene": "TP53", "vaf": ""}]
    path.write_text("Protein,mutation,protein\nKRAS,G12D,TP53\n")
    assert [(one.names, one.own) for one in read_mutations(path)] == [(("TP53",), {"Protein": "KRAS"})]
    path.write_text("#version 2.4\nHugo_Symbol\tGene\tHGVSp\tHGVSp_Short\nKRAS\tENSG1\tp.Gly12Asp\tp.G12D\n")
    (one,) = read_mutations(path)
    assert (one.names, one.text, one.own) == (("KRAS",), "p.G12D", {"Gene": "ENSG1", "HGVSp": "p.Gly12Asp"})


def test_texts_that_name_their_protein_again(tmp_path):
    """Prevents what --mutation takes from being refused in a table beside its protein."""
    found = mutations_from(pd.DataFrame({"protein": ["KRAS", "KRAS"], "mutation": ["KRAS:G12D", "NRAS:G12D"]}))
    assert found[0].change == Change(12, 12, ((12, "G"),), "D") and found[1].change is None


def test_a_data_frame_without_its_columns_is_one_line():
    """Prevents a traceback out of pandas."""
    with pytest.raises(InputError, match="mutations, column 'mutation': the column is missing"):
        mutations_from(pd.DataFrame({"protein": ["KRAS"], "change": ["G12D"]}))
