"""Regions and the best rows of proteins must not depend on the parts in which predictions come in."""

import numpy as np
import pandas as pd
import pytest

from pmhc_distil.analysis.regions import best_of_proteins, binder_regions
from pmhc_distil.errors import InputError

PROTEINS = {"one": "MSLYNTVATLKKWGILGFVFTLAAA", "two": "MNLVPMVATVQ"}


def predictions(samples=()):
    """Every window of 8 and 9 residues with two alleles, with ranks that follow no order."""
    generator = np.random.default_rng(1)
    rows = [
        (sequence[start : start + length], allele, name, start + 1, sample)
        for name, sequence in PROTEINS.items()
        for start in range(len(sequence))
        for length in (8, 9)
        if start + length <= len(sequence)
        for sample in samples or ("",)
        for allele in ("A", "B")
    ]
    frame = pd.DataFrame(rows, columns=["peptide", "allele", "protein", "position", "sample"])
    frame.insert(2, "rank", np.round(generator.uniform(0, 8, len(frame)), 3))
    frame.loc[5, "rank"] = np.nan
    return frame if samples else frame.drop(columns="sample")


def expected_regions(frame, max_rank, genotype):
    """Merge by marking residues, one protein after the other: another way to the same regions."""
    found = set()
    binders = frame[frame["rank"] <= max_rank]
    for (protein, _), own in binders.groupby(["protein", "protein" if genotype else "allele"]):
        intervals = sorted((row.position, row.position + len(row.peptide) - 1) for row in own.itertuples())
        joined = pd.arrays.IntervalArray.from_tuples(intervals, closed="both")
        covered = [any(i in interval for interval in joined) for i in range(1, 40)]
        links = [any(i in interval and i + 1 in interval for interval in joined) for i in range(1, 40)]
        start = None
        for i in range(1, 39):
            if covered[i - 1] and start is None:
                start = i
            if start is not None and not links[i - 1]:
                inside = own[(own["position"] >= start) & (own["position"] <= i)]
                best = inside.loc[inside["rank"].idxmin()]
                sequence = PROTEINS[protein][start - 1 : i]
                found.add((protein, best["allele"], start, i, sequence, len(inside), best["peptide"], best["rank"]))
                start = None
    return found


@pytest.mark.parametrize("genotype", [False, True])
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_regions_are_what_binders_cover(genotype, size):
    """Prevents a region that is cut where a part or a protein ends, and one whose sequence is not the protein's."""
    frame = predictions()
    if genotype:  # one row for every window, of its best allele
        frame = frame.loc[frame.groupby(["protein", "position", "peptide"], sort=False)["rank"].idxmin()]
    parts = [frame.iloc[start : start + size] for start in range(0, len(frame), size)]
    made = pd.concat(list(binder_regions(parts, max_rank=0.6, genotype=genotype)), ignore_index=True)
    assert set(made.itertuples(index=False, name=None)) == expected_regions(frame, 0.6, genotype)
    assert made["start"].dtype == "int64" and len(made) > 1


def regions_of(*rows):
    frame = pd.DataFrame(rows, columns=["peptide", "position", "rank"]).assign(protein="one", allele="A")
    return pd.concat(list(binder_regions([frame])), ignore_index=True)


def test_binders_side_by_side_are_two_regions():
    """Prevents binders that share no residue from being joined."""
    found = regions_of(("ACDEFGHI", 1, 0.1), ("KLMNPQRS", 9, 0.1), ("LMNPQRST", 10, 0.1))
    assert found[["start", "end"]].to_numpy().tolist() == [[1, 8], [9, 17]]


def test_of_equally_good_binders_the_first_is_named():
    """Prevents a best peptide that depends on how the region was put together."""
    assert regions_of(("ACDEFGHI", 1, 0.1), ("CDEFGHIK", 2, 0.1))["best_peptide"].tolist() == ["ACDEFGHI"]


def test_a_rank_counts_as_it_is_written():
    """Prevents a region without a window that is listed as a binder."""
    assert len(regions_of(("ACDEFGHI", 1, 2.00004))) == 1


def test_predictions_of_no_protein():
    """Prevents a traceback out of pandas."""
    with pytest.raises(InputError, match="predictions, column 'protein': the column is missing"):
        list(binder_regions([predictions().drop(columns="protein")]))


def test_best_regions_of_every_protein_and_sample():
    """Prevents a shortlist that one long protein, or one sample, fills alone."""
    frame = predictions(samples=("p1", "p2"))
    made = pd.concat(list(binder_regions([frame], max_rank=4, top=2)), ignore_index=True)
    every = pd.concat(list(binder_regions([frame], max_rank=4)), ignore_index=True)
    assert list(made.columns)[:3] == ["sample", "protein", "allele"]
    for key, own in made.groupby(["protein", "sample"]):
        others = every[(every["protein"] == key[0]) & (every["sample"] == key[1])]
        assert own["best_rank"].tolist() == sorted(others["best_rank"])[:2]


def test_no_binder_gives_the_columns():
    """Prevents a file without a header where nothing binds."""
    (made,) = binder_regions([predictions()], max_rank=0)
    assert len(made) == 0 and made["best_rank"].dtype == "float64" and "end" in made
    (made,) = best_of_proteins([predictions().iloc[:0]], 3)
    assert made.columns.tolist() == predictions().columns.tolist()


@pytest.mark.parametrize("size", [1, 4, 1000])
def test_best_rows_of_every_protein(size):
    """Prevents rows that are lost where a protein goes on in the next part, and rows without a rank on a shortlist."""
    frame = predictions()
    parts = [frame.iloc[start : start + size] for start in range(0, len(frame), size)]
    made = pd.concat(list(best_of_proteins(parts, 4)), ignore_index=True)
    wanted = [own.sort_values("rank", kind="stable").head(4) for _, own in frame.groupby("protein", sort=False)]
    pd.testing.assert_frame_equal(made, pd.concat(wanted, ignore_index=True))


def test_the_best_of_what_is_no_table_of_predictions():
    """Prevents a traceback out of pandas, and a limit that leaves nothing."""
    frame = pd.DataFrame({"protein": ["p"], "rank": [0.1]})
    with pytest.raises(InputError, match="predictions, column 'protein': the column is missing"):
        list(best_of_proteins([frame.drop(columns="protein")], 1))
    with pytest.raises(InputError, match="top: a whole number above 0 is expected: '0'"):
        list(best_of_proteins([frame], 0))


def test_best_rows_of_every_sample():
    """Prevents a shortlist that one sample fills alone."""
    frame = pd.DataFrame({"protein": "one", "sample": ["d1", "d1", "d2", "d2"], "rank": [0.1, 0.2, 5.0, 4.0]})
    assert pd.concat(list(best_of_proteins([frame], 1)))["rank"].tolist() == [0.1, 4.0]
