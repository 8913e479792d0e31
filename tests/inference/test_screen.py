"""The first stage of a scan discards what cannot bind, and nothing else."""

import numpy as np
import pandas as pd
import pytest

from pmhc_distil import Predictor
from pmhc_distil.cli import predicting
from pmhc_distil.inference import parts
from pmhc_distil.inference.request import resolve_alleles, resolve_request
from pmhc_distil.inference.screen import MotifScreen
from pmhc_distil.models.vocabulary import VOCABULARY
from pmhc_distil.sequences.hla import resolve_allele
from pmhc_distil.sequences.readers import table_from

NAMES = ["HLA-A*02:01", "HLA-B*27:05", "HLA-C*07:02"]
LENGTHS = (8, 9, 11)
LETTERS = np.array([token[0] for token in VOCABULARY])


@pytest.fixture(scope="module")
def predictor():
    return Predictor(threads=1, device="cpu")


@pytest.fixture(scope="module")
def unseen(predictor):
    """Give random human peptides that no motif was fitted to, of mixed lengths."""
    tokens = predictor.random_peptides
    peptides = ["".join(row) for length in LENGTHS for row in LETTERS[tokens[length][-2000:]]]
    return [peptides[i] for i in np.random.default_rng(0).permutation(len(peptides))]


@pytest.mark.parametrize("max_rank", [0.5, 2.0])
def test_binders_pass_and_most_others_do_not(predictor, unseen, max_rank):
    """Prevents a scan from losing binders, and a first stage that is not worth its time."""
    screen = predictor.screen([resolve_allele(name).groove for name in NAMES], LENGTHS, max_rank)
    passing = screen.passing(unseen)
    assert passing.shape == (len(unseen), len(NAMES))
    for number, name in enumerate(NAMES):
        binds = predictor.predict(unseen, name)["rank"].to_numpy() <= max_rank
        assert binds.sum() > 10
        assert (binds & ~passing[:, number]).sum() <= 0.001 * binds.sum()
    assert passing.mean() < 0.6


def test_another_length_takes_no_peptide_away():
    """Prevents binders of a length that an allele prefers from being lost where another is asked for besides."""
    predictor = Predictor(threads=1, windows=300)
    groove = resolve_allele("B*08:01").groove  # which presents peptides of 8 residues, and hardly any of 15
    peptides = ["".join(row) for row in LETTERS[predictor.random_peptides[8]]]
    alone, among = (predictor.screen([groove], lengths, 2.0).passing(peptides) for lengths in ((8,), (8, 15)))
    assert (alone <= among).all()


def test_pairs_keep_their_rows(predictor):
    """Prevents a window from coming out with another's position, allele or flanks."""
    screen = predictor.screen([resolve_allele(name).groove for name in NAMES], (9, 10), 0.5)
    peptides = ["GILGFVFTL", "GILGFVFTX", "DDDDDDDDD", "SHORT", "GILGFVFTL"]
    table = table_from(peptides)
    request = resolve_alleles(NAMES)
    pairs = screen.rows(table, request, genotype=False)
    found = list(zip(pairs.frame["peptide"], pairs.frame["allele"], pairs.rows, strict=True))
    assert ("GILGFVFTL", "HLA-A*02:01", 1) in found and ("GILGFVFTL", "HLA-A*02:01", 5) in found
    assert {row for _, _, row in found} == {1, 5}
    best = screen.rows(table, request, genotype=True)
    assert best.frame["peptide"].tolist() == ["GILGFVFTL"] * 2 and "allele" not in best.frame
    none = screen.rows(table_from(["DDDDDDDDD"]), request, genotype=False)
    assert len(none.frame) == 0 and len(predictor.predict(none.frame.drop(columns="note"))) == 0


def test_rows_with_alleles_of_their_own_pass_for_these(predictor):
    """Prevents a peptide of one sample from passing for the allele of another."""
    cells = ["A0201", "A*01:01", "A0101,A*02:01", "A*99:99"]
    table = table_from(pd.DataFrame({"peptide": ["GLCTLVAML"] * 4, "allele": cells}))
    request = resolve_request(table.frame, genotype=True)
    screen = predictor.screen(request.grooves, (9,), 0.5)
    assert dict(zip(request.allele_names, screen.passing(["GLCTLVAML"])[0].tolist(), strict=True)) == {
        "HLA-A*02:01": True,
        "HLA-A*01:01": False,
    }
    assert screen.rows(table, request, genotype=True).rows.tolist() == [1, 3]
    none = table_from(pd.DataFrame({"peptide": ["SHORT"], "allele": ["A0201"]}))
    assert len(screen.rows(none, request, genotype=False).frame) == 0


@pytest.mark.parametrize("samples", [False, True])
@pytest.mark.parametrize("genotype", [False, True])
def test_a_scan_is_the_same_with_and_without(tmp_path, monkeypatch, genotype, samples):
    """Prevents the first stage from changing a number, the order of the rows or what is said about them."""
    monkeypatch.setattr(parts, "WORTH", 0)
    used = []
    rows = MotifScreen.rows
    monkeypatch.setattr(MotifScreen, "rows", lambda *a, **b: used.append(1) or rows(*a, **b))
    told = []
    monkeypatch.setattr(predicting, "tell", told.append)
    from pmhc_distil.sequences.windows import protein_windows

    fasta = tmp_path / "proteins.fasta"
    generator = np.random.default_rng(1)
    sequences = ["".join(generator.choice(list("ACDEFGHIKLMNPQRSTVWYX"), 150)) for _ in range(4)]
    fasta.write_text("".join(f">p{i}\n{sequence}\n" for i, sequence in enumerate(sequences)))
    people = tmp_path / "samples.csv"
    people.write_text("sample,alleles\none,A0201;B2705\ntwo,B*27:05\nthree,C0702 A0201\n")
    lengths = (9, 10)
    for name, screened in (("with", lengths), ("without", ())):
        predicting.predict_rows(
            lambda: protein_windows(fasta, lengths),
            hla=() if samples else ("A0201,A*02:01:01:02L,F*01:01",),
            hla_fasta=None,
            samples=str(people) if samples else None,
            genotype=genotype,
            output=str(tmp_path / f"{name}.csv"),
            format_=None,
            model=None,
            threads=1,
            device="cpu",
            precision="auto",
            max_rank=2.0,
            screened=screened,
        )
    assert (tmp_path / "with.csv").read_bytes() == (tmp_path / "without.csv").read_bytes()
    assert len((tmp_path / "with.csv").read_text().splitlines()) > 10
    text = (tmp_path / "with.csv").read_text()
    assert samples or genotype or ("HLA-A*02:01:01:02L: " in text and "far from the training data" in text)
    assert used == [1]
    assert told[: len(told) // 2] == told[len(told) // 2 :]


def test_samples_do_not_make_a_scan_longer_than_it_is(tmp_path):
    """Prevents motifs from being fitted for a scan that is too short for it, and other rows from a shard of one."""
    from pmhc_distil.sequences.samples import PeptidesOfSamples
    from pmhc_distil.sequences.shards import Shard
    from pmhc_distil.sequences.windows import protein_windows

    fasta = tmp_path / "proteins.fasta"
    fasta.write_text("".join(f">p{i}\n{'ACDEFGHIKL' * 3}\n" for i in range(4)))
    people = {"one": ["A0201", "B2705"], "two": ["B2705"]}
    for genotype, rows in ((False, 3), (True, 2)):
        for shard in (None, Shard(1, 2)):
            source = PeptidesOfSamples(protein_windows(fasta, (9,), shard=shard), people, genotype=genotype)
            overview = source.check()
            assert overview.peptides_of_all == 4 * 22
            assert overview.rows == 22 * rows * (2 if shard else 4)
