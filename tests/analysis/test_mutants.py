"""Mutant peptides beside the wild type: every window over a change, each compared with the right one."""

from pathlib import Path

import pandas as pd
import pytest

from pmhc_distil.analysis.anchors import Anchors, motif_anchors
from pmhc_distil.analysis.mutant_windows import mutant_windows, told_of_neighbours
from pmhc_distil.analysis.mutants import MutantRequest, mutant_parts, mutants
from pmhc_distil.errors import InputError, InputWarning
from pmhc_distil.inference.predictor import Predictor
from pmhc_distil.sequences.mutations import Change, Mutation, mutation, named_mutations, read_mutations
from pmhc_distil.sequences.protein_names import NamedProteins
from pmhc_distil.sequences.tables import PREDICTION_NAMES
from pmhc_distil.sequences.vep import read_changes

EXAMPLES = Path(__file__).parents[2] / "data" / "examples"
PROTEIN = "MKGSWAYLLKKCHTVPDEFIRNQ"
PROTEINS = NamedProteins([("p1 GN=GENE", PROTEIN), ("short", "MKV")])
HLA = MutantRequest(["A*11:01", "C*08:02"])


@pytest.fixture(scope="module")
def predictor():
    return Predictor(threads=1, windows=3000)


@pytest.fixture(scope="module")
def oncogenes():
    return NamedProteins.read(EXAMPLES / "oncogenes.fasta")


@pytest.mark.parametrize(
    ("change", "start", "stop", "sequence"),
    [
        ("L9D", 8, 9, "MKGSWAYLDKKCHTVPDEFIRNQ"),
        ("K2D", 1, 2, "MDGSWAYLLKKCHTVPDEFIRNQ"),
        ("Q23D", 22, 23, "MKGSWAYLLKKCHTVPDEFIRND"),
        ("Y7_L8insDDD", 7, 10, "MKGSWAYDDDLLKKCHTVPDEFIRNQ"),
        ("W5_Y7del", 4, 4, "MKGSLLKKCHTVPDEFIRNQ"),
        ("W5_Y7delinsDE", 4, 6, "MKGSDELLKKCHTVPDEFIRNQ"),
    ],
)
def test_every_window_over_a_change(change, start, stop, sequence):
    """Prevents windows that miss the change, and windows over it that are missed, at the ends of a protein, too."""
    made = mutant_windows(PROTEINS, named_mutations([f"GENE:{change}"]), (8, 9))
    wanted = []
    for begin in range(len(sequence)):
        for length in (8, 9):
            window = set(range(begin, begin + length))
            over = window & set(range(start, stop)) if stop > start else {start - 1, start} <= window
            if over and begin + length <= len(sequence):
                wanted.append((sequence[begin : begin + length], begin + 1))
    assert list(made[["peptide", "position"]].itertuples(index=False, name=None)) == wanted
    assert (made["wild_type_peptide"].str.len() == made["peptide"].str.len()).all()
    assert all(text in PROTEIN for text in made["wild_type_peptide"])
    for row in made.itertuples():
        pairs = enumerate(zip(row.peptide, row.wild_type_peptide, strict=True), 1)
        assert row.changed == ",".join(str(place) for place, (a, b) in pairs if a != b) != ""


def test_a_substitution_is_compared_in_place():
    """Prevents a wild-type peptide that is shifted against the mutant."""
    made = mutant_windows(PROTEINS, named_mutations(["GENE:L9D"]), (8,))
    for row in made.itertuples():
        assert row.wild_type_peptide == PROTEIN[row.position - 1 : row.position + 7]
        assert row.changed == str(10 - row.position)


@pytest.mark.parametrize("new", ["", "delinsWW"])
def test_a_long_deletion_is_compared_with_what_follows_it(new):
    """Prevents a peptide that has all but its first residue from behind a deletion to be paired with one before it."""
    wild = "MFWDKESRSPHESAPQYARKIWEMAAAVAPHQATIRSVINIIRLAQVEGLEMTQTHLLWSTPWCSIPQGNVNDRTEGTPNSASC"
    change = f"P30_S60{new or 'del'}"
    made = mutant_windows(NamedProteins([("p", wild)]), named_mutations([f"p:{change}"]), (9,))
    last = made.iloc[-1]
    if new:
        assert (last["peptide"], last["wild_type_peptide"], last["changed"]) == ("WTPWCSIPQ", "STPWCSIPQ", "1")
    else:
        assert (last["peptide"], last["wild_type_peptide"], last["changed"]) == ("ATPWCSIPQ", "STPWCSIPQ", "1")
    first = made.iloc[0]
    assert first["wild_type_peptide"] == wild[first["position"] - 1 :][:9]


@pytest.mark.parametrize(
    ("wild", "change", "expected"),
    [
        ("ACDEFGHIKLMNPQRSTVWY", "I8_K9insACDEFGHK", "ACDEFGHI"),  # the very eight residues before it
        ("W" * 8 + "Y" * 8, "W8_Y9insDDDDDDDD", "W" * 8),  # the first of equally like ones
        ("AAAAAAAACDEFGHIKLMNPQRST", "A8_C9insLMNPQRSA", "LMNPQRST"),  # the last that can be
    ],
)
def test_an_insertion_is_compared_with_what_is_most_like_it(wild, change, expected):
    """Prevents the wild-type peptide at either end of those around the insertion from being missed."""
    made = mutant_windows(NamedProteins([("p", wild)]), named_mutations([f"p:{change}"]), (8,))
    assert made.set_index("position")["wild_type_peptide"][9] == expected


def test_peptides_of_the_wild_type_are_no_mutants():
    """Prevents the repeat beside a deletion from being listed as mutant: taking out either L of LL is the same."""
    made = [mutant_windows(PROTEINS, named_mutations([f"GENE:{change}"]), (8, 9)) for change in ("L8del", "L9del")]
    assert not any(text in PROTEIN for frame in made for text in frame["peptide"])
    assert set(made[0]["peptide"]) == set(made[1]["peptide"])


def test_proteins_in_lower_case(predictor):
    """Prevents a protein in lower case, or with its stop, from being told to have other residues."""
    for sequence in (PROTEIN, PROTEIN.lower(), f"{PROTEIN}*"):
        made = mutants({"p": sequence}, ["p:L9D"], MutantRequest(["A*02:01"], lengths=(9, 9)), predictor=predictor)
        assert len(made) == 9 and (made["note"] == "").all()


def test_what_a_change_leaves_is_no_mutant():
    """Prevents windows between the ends of a change from being listed that are those of the wild type."""
    change = f"G3_T14delinsW{PROTEIN[3:13]}K"
    made = mutant_windows(PROTEINS, named_mutations([f"GENE:{change}"]), (8, 8))
    assert (made["note"] == "").all() and (made["changed"] != "").all() and not made.duplicated().any()
    assert 4 not in made["position"].tolist(), "a window that begins after the first and ends before the last residue"


def test_an_insertion_that_nothing_can_be_compared_with():
    """Prevents an insertion into another isoform, whose residues the annotation does not tell."""
    inserted = Change(4, 3, (), "W")
    of_gene, own = (Mutation(names, "ins", inserted, variant="v", own_names=1) for names in (("x", "GENE"), ("p1",)))
    refused, made = (mutant_windows(PROTEINS, [one], (8,)) for one in (of_gene, own))
    assert "nothing tells to be the annotated one" in refused["note"].item() and (made["note"] == "").all()


def test_mutations_that_cannot_be_used_keep_their_place():
    """Prevents a mutation from vanishing from a patient's list, whatever is wrong with it."""
    texts = ["GENE:L9D", "GENE:L10D", "MYC:T58A", "GENE:R21fs", "short:K2D", "GENE:W5*", "GENE:L9E"]
    made = mutant_windows(PROTEINS, named_mutations(texts), (8,))
    told = made[made["note"] != ""]
    assert told["mutation"].tolist() == ["L10D", "T58A", "R21fs", "K2D", "W5*"] and (told["peptide"] == "").all()
    assert told["protein"].tolist() == ["p1", "MYC", "p1", "short", "p1"]
    assert "the protein has K at 10, not L" in told["note"].iloc[0] and "no peptide" in told["note"].iloc[3]
    assert made["mutation"].drop_duplicates().tolist() == [text.partition(":")[2] for text in texts]


def test_readings_of_one_variant():
    """Prevents a variant from being told once for each of its transcripts, or not at all."""

    def reading(names, change, variant):
        return mutation(names, change, variant)

    some = [reading(["x"], "L9D", "v1"), reading(["p1"], "L9D", "v1"), reading(["GENE"], "p.Leu9Asp", "v1")]
    some += [reading(["x"], "L9E", "v2"), reading(["y"], "L9E", "v2"), reading(["p1"], "L9E", "v3")]
    made = mutant_windows(PROTEINS, some, (8,))
    assert made["mutation"].tolist() == ["L9D"] * 8 + ["L9E"] * 9
    assert made["note"].iloc[8] == "no protein called x in proteins" and (made["note"] != "").sum() == 1


def test_order_of_what_cannot_be_used():
    """Prevents neighbouring variants that are refused from changing places."""
    some = [mutation(["x"], change, change) for change in ("L9D", "L9E", "L9K")]
    assert mutant_windows(PROTEINS, some, (8,))["mutation"].tolist() == ["L9D", "L9E", "L9K"]


def test_ranks_of_both(predictor, oncogenes):
    """Prevents the wild type from being scored with another allele, and a fold change that is upside down."""
    made = mutants(oncogenes, ["KRAS:G12D"], HLA, predictor=predictor)
    assert list(made.columns[: len(PREDICTION_NAMES)]) == list(PREDICTION_NAMES)
    assert len(made) == (8 + 9 + 10 + 11) * 2
    wild = predictor.predict(made[["wild_type_peptide", "allele"]].rename(columns={"wild_type_peptide": "peptide"}))
    pd.testing.assert_series_equal(made["wild_type_rank"], wild["rank"], check_names=False)
    ratio = wild["affinity_nm"] / made["affinity_nm"]
    pd.testing.assert_series_equal(made["fold_change"], ratio, check_names=False)
    # Presented by C*08:02 and recognised in a patient (Tran et al. 2016): the new D is an anchor at P3 there.
    known = made[(made["peptide"] == "GADGVGKSAL") & (made["allele"] == "HLA-C*08:02")].iloc[0]
    assert known["rank"] < 0.5 < known["wild_type_rank"] and known["fold_change"] > 10 and not known["anchor"]
    assert made.loc[made["changed"] == "2", "anchor"].all()
    assert made.loc[made["changed"] == made["peptide"].str.len().astype(str), "anchor"].all()


def test_anchors_of_the_motif(predictor, oncogenes):
    """Prevents P3 of C*08:02, where G12D makes an anchor, from being missed if the motif is asked."""
    assert motif_anchors(predictor, ["HLA-A*02:01"], [9], {}) == {("HLA-A*02:01", 9): {2, 9}}
    request = MutantRequest(["C*08:02"], lengths=(9,), anchors=Anchors(by_motif=True))
    made = mutants(oncogenes, ["KRAS:G12D", "KRAS:S12D"], request, predictor=predictor)
    assert set(made.loc[made["anchor"].fillna(False).astype(bool), "changed"]) == {"3", "9"}
    assert pd.isna(made["anchor"].iloc[-1])


def test_a_motif_without_clear_anchors(monkeypatch):
    """Prevents a molecule of which nothing is an anchor, as each position tells less than half a bit."""
    frame = pd.DataFrame({"allele": "a", "length": 3, "position": [1, 2, 3], "information": [0.1, 0.6, 0.2]})
    monkeypatch.setattr("pmhc_distil.analysis.motif.predicted_motifs", lambda *_, **__: frame)
    assert motif_anchors(None, ["a"], [3], {}) == {("a", 3): {2}}


def test_genotypes_samples_and_a_limit(predictor, oncogenes):
    """Prevents rows of one sample from being compared with the best allele of another."""
    people = {"d1": ["A*11:01", "C*08:02"], "d2": ["A*02:01"]}
    request = MutantRequest(samples=people, genotype=True, lengths=(9,), max_rank=2)
    found = read_mutations(EXAMPLES / "mutations.csv")
    made = mutants(oncogenes, found, request, predictor=predictor)
    assert made.columns[len(PREDICTION_NAMES)] == "alleles_bound" and made.columns[-1] == "sample"
    scored = made[made["note"] == ""]
    assert set(scored["sample"]) == {"d1", "d2"} and (scored["rank"] <= 2).all()
    assert set(scored.loc[scored["sample"] == "d2", "allele"]) == {"HLA-A*02:01"}
    told = made[made["peptide"] == ""]
    assert told["mutation"].tolist() == ["S12D", "p.Arg213fs", "T58A"] and told["binder"].eq("").all()
    kept = set(made["mutation"])
    assert made["mutation"].drop_duplicates().tolist() == [one.text for one in found if one.text in kept]


def test_a_rank_at_the_limit_is_kept(predictor, monkeypatch):
    """Prevents peptides that are written with a rank of 2 from being left out by a limit of 2."""
    predict = type(predictor).predict
    monkeypatch.setattr(predictor, "predict", lambda *a, **k: predict(predictor, *a, **k).assign(rank=2.00004))
    request = MutantRequest(["A*02:01"], lengths=(9,), max_rank=2)
    assert len(mutants({"p": PROTEIN}, ["p:L9D"], request, predictor=predictor)) == 9


def test_a_mutation_that_cannot_be_used_moves_no_other_row(predictor):
    """Prevents rows of one mutation from being shuffled where they are put in the order of the mutations."""
    request = MutantRequest(["A*02:01", "A*01:01", "B*07:02", "B*08:01", "C*07:01"])
    alone, beside = (
        mutants({"p": PROTEIN}, texts, request, predictor=predictor)[["peptide", "allele"]]
        for texts in (["p:L9D"], ["p:A23D", "p:L9D"])
    )
    pd.testing.assert_frame_equal(beside.iloc[1:].reset_index(drop=True), alone)


def test_parts_make_the_same_table(predictor, oncogenes, monkeypatch):
    """Prevents a long list from giving another table than its parts."""
    found = [*read_changes(EXAMPLES / "variants.vcf")[0], *read_mutations(EXAMPLES / "mutations.csv")]
    found[1:1] = [mutation(["KRAS"], "Q61H", "v1"), mutation(["P01116"], "Q61H", "v1"), mutation(["x"], "Q61H", "v1")]
    proteome = [*oncogenes.sequences.values(), "WWKLVVVGADGVGKWW"]
    request = MutantRequest(["A*11:01"], lengths=(9, 10))
    with pytest.warns(InputWarning, match=r"p\.Arg248Gln and p\.Ile255del of P04637 lie within one peptide"):
        whole = mutants(oncogenes, found, request, predictor=predictor, proteome=proteome)
    monkeypatch.setattr("pmhc_distil.analysis.mutants._AT_ONCE", 2)
    parts = mutant_parts(oncogenes, found, request, lambda: predictor, proteome)
    frames, counts = zip(*parts, strict=True)
    pd.testing.assert_frame_equal(pd.concat(frames, ignore_index=True), whole)
    assert sum(counts) == len(found) == 14
    known = whole[whole["in_proteome"].fillna(False).astype(bool)]
    assert set(known["peptide"]) == {"KLVVVGADG", "LVVVGADGV", "VVVGADGVG", "VVGADGVGK"} | {
        "KLVVVGADGV",
        "LVVVGADGVG",
        "VVVGADGVGK",
    }


def test_changes_beside_each_other_are_told():
    """Prevents peptides that hold one of two changes of a chromosome from passing for those of the tumour."""
    proteins = NamedProteins([("p1", PROTEIN), ("p2", PROTEIN)])
    first, near, far = mutation(["p1"], "A3V"), mutation(["p1"], "E13K"), mutation(["p1"], "E14K")
    told = told_of_neighbours(proteins, [far, first, near], (8, 11))
    assert told.startswith("A3V and E13K of p1 (and 1 more pairs) lie within one peptide")
    assert not told_of_neighbours(proteins, [first, far], (8, 11)), "11 residues apart"
    others = [mutation(["p2"], "E13K"), mutation(["p1"], "A3L"), mutation(["p1"], "A3V", "v"), mutation(["p1"], "no")]
    assert not told_of_neighbours(proteins, [first, *others], (8, 11)), "of another protein, or at the same place"


def test_no_mutations_and_other_inputs(predictor):
    """Prevents a patient without mutations from stopping a pipeline, and the API from taking files alone."""
    made = mutants({"p1": PROTEIN}, [], HLA, predictor=predictor)
    assert len(made) == 0 and made["anchor"].dtype == "boolean" and made["position"].dtype == "Int64"
    table = pd.DataFrame({"protein": ["p1"], "mutation": ["L9D"]})
    by_table = mutants({"p1": PROTEIN}, table, HLA, predictor=predictor)
    pd.testing.assert_frame_equal(by_table, mutants({"p1": PROTEIN}, ["p1:L9D"], HLA, predictor=predictor))
    assert by_table["in_proteome"].isna().all()
    with_own = mutants({"p1": PROTEIN}, table.assign(reads=[7]), HLA, predictor=predictor)
    pd.testing.assert_frame_equal(with_own, by_table.assign(reads=7))
    with pytest.raises(InputError, match="no HLA alleles"):
        mutants({"p1": PROTEIN}, ["p1:L9D"], MutantRequest(), predictor=predictor)


def test_mutations_that_are_none_are_refused(predictor):
    """Prevents a mutation from being lost for the way it is given."""
    one = mutants({"p1": PROTEIN}, "p1:L9D", HLA, predictor=predictor)
    pd.testing.assert_frame_equal(mutants({"p1": PROTEIN}, [mutation(("p1",), "L9D")], HLA, predictor=predictor), one)
    for given, row in ([("p1", "L9D")], 1), ([1, 2], 1), (["p1:L9D", None], 2):
        with pytest.raises(InputError, match=f"mutations, row {row}: not a mutation"):
            mutants({"p1": PROTEIN}, given, HLA, predictor=predictor)


def test_a_proteome_of_any_kind(predictor):
    """Prevents a peptide of the proteome from passing for a new one."""
    made = PROTEIN[:8] + "D" + PROTEIN[9:]
    proteomes = ([made], {"x": made}, (text for text in [made]))
    found = [mutants({"p1": PROTEIN}, ["p1:L9D"], HLA, predictor=predictor, proteome=one) for one in proteomes]
    assert found[0]["in_proteome"].all()
    for one in found[1:]:
        pd.testing.assert_frame_equal(one, found[0])
    with pytest.raises(InputError, match="not one text"):
        mutants({"p1": PROTEIN}, ["p1:L9D"], HLA, predictor=predictor, proteome=made)


def test_alleles_are_looked_at_before_mutations(predictor):
    """Prevents an allele of a sample, or of two sources, from being left out without a word."""
    both = MutantRequest(["A*02:01"], samples={"d": ["A*11:01"]})
    with pytest.raises(InputError, match="both by alleles and by samples"):
        mutants({"p1": PROTEIN}, ["p1:L9D"], both, predictor=predictor)
    with pytest.raises(InputError, match="samples, row 1"):
        mutants({"p1": PROTEIN}, ["p1:L9D"], MutantRequest(samples={"d": ["XX"]}), predictor=predictor)
    null = MutantRequest(samples={"d": "A*24:09N;A*11:01"}, genotype=True)
    with pytest.warns(InputWarning, match="null allele"):
        mutants({"p1": PROTEIN}, ["p1:L9D"], null, predictor=predictor)
    with pytest.raises(InputError, match="max_rank: a percentage"):
        MutantRequest(["A*11:01"], max_rank=-2)
