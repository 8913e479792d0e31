"""Training tables: no leak, honest negatives, and every dropped row accounted for."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.csv_tables import write_csv
from pmhc_distil.sequences.overlap import HASHES_FILE
from pmhc_distil.sequences.prepare import prepare
from pmhc_distil.sequences.prepared import FILES, write_prepared
from pmhc_distil.sequences.proteins import Proteome
from pmhc_distil.sequences.sources import TABLE_COLUMNS, Source, sources_from_recipe

RESIDUES = list("ACDEFGHIKLMNPQRSTVWY")
A1, A2, B7 = "HLA-A*01:01", "HLA-A*02:01", "HLA-B*07:02"
SETTINGS = {"negatives_per_positive": 4, "uniform_share": 0.25, "validation_share": 0.2, "seed": 11}


def random(generator, lengths):
    return ["".join(generator.choice(RESIDUES, length)) for length in lengths]


@pytest.fixture(scope="module")
def proteome():
    return Proteome(random(np.random.default_rng(1), [400] * 20))


@pytest.fixture(scope="module")
def folder(tmp_path_factory, proteome):
    """Ligands of all lengths (nearly all 9-mers), ligands of 9 only, and affinities; some stand in the proteome."""
    folder = tmp_path_factory.mktemp("sources")
    generator = np.random.default_rng(2)
    peptides = random(generator, [9] * 160 + [10] * 30 + [8] * 10)
    peptides[:40] = proteome.draw(9, 40, generator)
    wide = pd.DataFrame({"peptide": peptides, "allele": (["A0201", "HLA-B*07:02"] * 100)})
    wide.to_csv(folder / "wide.csv.gz", index=False)
    nine = pd.DataFrame({"peptide": random(generator, [9] * 90 + [10] * 10), "allele": "A*01:01", "n": [1, 2] * 50})
    nine.to_csv(folder / "nine.csv", index=False)
    measured = random(generator, [9] * 60)
    measured[:20] = proteome.draw(9, 20, generator)
    pd.DataFrame(
        {
            "peptide": measured,
            "allele": "A*02:01",
            "measurement_nM": [10.0] * 20 + [30_000.0] * 40,
            "inequality": ["="] * 20 + [">"] * 40,
        }
    ).to_csv(folder / "affinity.csv", index=False)
    return folder


SOURCES = [Source("wide.csv.gz"), Source("nine.csv", (9,)), Source("affinity.csv")]


@pytest.fixture(scope="module")
def prepared(folder, proteome):
    return prepare(folder, SOURCES, proteome, **SETTINGS)


def whole(prepared):
    return pd.concat([prepared.train, prepared.validation], ignore_index=True)


def test_no_peptide_in_two_splits(prepared):
    """Prevents a leak: a peptide seen with one allele in training, and with another in validation."""
    train, validation = set(prepared.train["peptide"]), set(prepared.validation["peptide"])
    assert train and validation and not train & validation
    assert len(validation) / (len(train) + len(validation)) == pytest.approx(0.2, abs=0.05)
    assert list(prepared.train.columns) == TABLE_COLUMNS


def test_negatives_are_never_known_to_bind(prepared, proteome):
    """Prevents ligands and strong binders of any allele, which the proteome has too, from being called negatives."""
    table = whole(prepared)
    negatives = table[table["source"] == "negative"]
    binders = table[(table["label"] == 1) | ((table["affinity_nm"] < 500) & (table["inequality"] != ">"))]
    assert len(negatives) and not set(negatives["peptide"]) & set(binders["peptide"])
    assert all(text in proteome.text for text in negatives["peptide"])
    assert (negatives["label"] == 0).all() and negatives["affinity_nm"].isna().all()


@pytest.fixture(scope="module", params=[1, 0.25])
def counted(request, folder):
    """Give the whole table for a share of uniform lengths; the proteome is so large that windows hardly repeat."""
    large = Proteome(random(np.random.default_rng(8), [4000] * 40))
    settings = {**SETTINGS, "uniform_share": request.param}
    return request.param, whole(prepare(folder, SOURCES, large, **settings))


def shares_of_ligands(table):
    lengths = table.loc[table["label"] == 1, "peptide"].str.len()
    return lengths.value_counts(normalize=True).reindex(range(8, 16), fill_value=0)


def test_negatives_follow_the_mixture_of_lengths(counted):
    """Prevents negatives of lengths that ligands rarely have from being forgotten, or from crowding out the others."""
    share, table = counted
    drawn = (1 - share) * shares_of_ligands(table) + share / 8
    for allele in (A2, B7):
        own = table[table["allele"] == allele]
        ligands = (own["label"] == 1).sum()
        counts = own.loc[own["source"] == "negative", "peptide"].str.len().value_counts()
        assert set(counts.index) == set(range(8, 16))
        for length, count in counts.items():
            assert count == pytest.approx(SETTINGS["negatives_per_positive"] * ligands * drawn[length], abs=2.5)
        if share == 1:
            assert counts.max() - counts.min() <= 2, "every length has as many"


def test_offset_undoes_the_mixture(counted):
    """Prevents a model from learning the lengths of the drawn negatives instead of those of the ligands."""
    share, table = counted
    labelled = table[table["label"].notna()]
    per_length = labelled.groupby(labelled["peptide"].str.len())["offset"]
    assert (per_length.nunique() == 1).all(), "a ligand and a negative of one length have the same offset"
    offset = per_length.first()
    assert np.exp(-offset).mean() == pytest.approx(1), "rates of all lengths add up to one"
    assert (offset == 0).all() == (share == 1)
    for allele in (A2, B7):
        own = table[(table["allele"] == allele) & (table["source"] == "negative")]
        counts = own["peptide"].str.len().value_counts().sort_index()
        expected = SETTINGS["negatives_per_positive"] * ((table["allele"] == allele) & (table["label"] == 1)).sum() / 8
        error = 2.5 * np.exp(offset)
        assert (abs(counts * np.exp(offset) - expected) < error).all(), "equal for every length, but for rounding"


def test_affinities_have_no_offset(prepared):
    """Prevents an affinity from being shifted by the lengths of negatives that it is not compared with."""
    table = whole(prepared)
    measured = table[table["affinity_nm"].notna()]
    assert len(measured) and (measured["offset"] == 0).all()
    assert table["offset"].notna().all() and np.isfinite(table["offset"]).all()


def test_source_of_one_length(counted):
    """Prevents negatives of lengths that a source never looked for, and a ratio other than that of other sources."""
    share, table = counted
    own = table[table["allele"] == A1]
    assert set(own["peptide"].str.len()) == {9}
    nines = shares_of_ligands(table)[9]
    rate = (1 - share) * nines + share / 8
    expected = SETTINGS["negatives_per_positive"] * rate * (own["label"] == 1).sum() / nines
    assert (own["label"] == 0).sum() == pytest.approx(expected, abs=2.5)


def test_affinities_alone_need_no_negatives(folder, proteome):
    """Prevents a traceback where no source holds ligands."""
    table = whole(prepare(folder, [Source("affinity.csv")], proteome, **SETTINGS))
    assert len(table) == 60 and table["label"].isna().all()


def test_labelled_negatives_of_a_source_have_the_offset_too(tmp_path, proteome):
    """Prevents two scales of logits: one for negatives that a user brings, one for drawn ones."""
    rows = [("SLYNTVATL", "A*02:01", 1), ("NLVPMVATV", "A*02:01", 0), ("GILGFVFTLK", "A*02:01", 0)]
    pd.DataFrame(rows, columns=["peptide", "allele", "label"]).to_csv(tmp_path / "own.csv", index=False)
    table = whole(prepare(tmp_path, [Source("own.csv")], proteome, **SETTINGS))
    table = table[table["source"] == "own"].set_index("peptide")["offset"]
    nines = np.log(0.125 / (0.75 + 0.25 / 8))
    assert table.to_dict() == pytest.approx(
        {"SLYNTVATL": nines, "NLVPMVATV": nines, "GILGFVFTLK": -np.log(SETTINGS["uniform_share"])}
    )


def test_first_source_counts(tmp_path, proteome):
    """Prevents a pair from counting twice, and a later source from overruling an earlier one."""
    affinity = {"peptide": ["NLVPMVATV"] * 3, "allele": "A*02:01", "measurement_nM": [10.0, 1000.0, 10.0]}
    pd.DataFrame(affinity).to_csv(tmp_path / "one.csv", index=False)
    pd.DataFrame({**affinity, "measurement_nM": [5.0, 6.0, 7.0]}).to_csv(tmp_path / "two.csv", index=False)
    for name in ("ligands", "again"):
        pd.DataFrame({"peptide": ["SLYNTVATL"], "allele": ["A0201"]}).to_csv(tmp_path / f"{name}.csv", index=False)
    sources = [Source(f"{name}.csv") for name in ("one", "two", "ligands", "again")]
    made = prepare(tmp_path, sources, proteome, **SETTINGS)
    table = whole(made)
    measured = table[table["affinity_nm"].notna()]
    assert measured["affinity_nm"].tolist() == pytest.approx([100.0]), "the geometric mean of the first source's two"
    assert (table["label"] == 1).sum() == 1
    assert {reason: count for reason, count in made.dropped.items() if count} == {
        "affinity measured again, or known from an earlier source": 5,
        "ligand known from an earlier source": 1,
    }


def test_a_pair_that_sources_disagree_on(tmp_path, proteome):
    """Prevents a pair from being learned as a ligand and as none."""
    for name, label in (("one", [1, 0]), ("two", [0, 1])):
        pairs = {"peptide": ["SLYNTVATL", "NLVPMVATV"], "allele": "A0201", "label": label}
        pd.DataFrame(pairs).to_csv(tmp_path / f"{name}.csv", index=False)
    made = prepare(tmp_path, [Source("one.csv"), Source("two.csv")], proteome, **SETTINGS)
    table = whole(made)
    known = table[table["source"] != "negative"].set_index("peptide")["label"].to_dict()
    assert known == {"SLYNTVATL": 1, "NLVPMVATV": 0}
    assert made.dropped["ligand known from an earlier source"] == 1
    assert made.dropped["non-ligand known from an earlier source"] == 1


@pytest.mark.parametrize("name", ["negative.csv", "unlabelled.csv.gz"])
def test_a_source_called_as_rows_of_no_source(tmp_path, proteome, name):
    """Prevents a user's rows from being taken for random negatives, and replaced as these are; others may hold it."""
    pd.DataFrame({"peptide": ["SLYNTVATL"], "allele": ["A0201"], "label": [0]}).to_csv(tmp_path / name, index=False)
    pd.DataFrame({"peptide": ["GILGFVFTL"], "allele": ["A0201"]}).to_csv(tmp_path / "own.csv", index=False)
    with pytest.raises(InputError, match=rf"recipe, column 'sources: file': .*'{name}' .*rename the file"):
        prepare(tmp_path, [Source("own.csv"), Source(name)], proteome, **SETTINGS)
    prepare(tmp_path, [Source("own.csv")], proteome, held_out=[Source(name)], **SETTINGS)


def test_nothing_to_train_on(tmp_path, proteome):
    """Prevents empty tables that are told to be a success, and settings that end in a traceback."""
    pd.DataFrame({"peptide": ["SLYNTVATL"], "allele": ["A0201"], "label": [1]}).to_csv(tmp_path / "one.csv")
    with pytest.raises(InputError, match=r"nothing is left to train on .*not label == 7"):
        prepare(tmp_path, [Source("one.csv", where="label == 7")], proteome, **SETTINGS)
    for bad in (5, [5], "A*02:01"):
        with pytest.raises(InputError, match="not a list of alleles"):
            prepare(tmp_path, [Source("one.csv")], proteome, **SETTINGS, held_out_alleles=bad)
    for entry in ({"lengths": [8.0, 11.0]}, {"lengths": [[8], 11]}):
        with pytest.raises(InputError, match="not a range of lengths"):
            sources_from_recipe([{"file": "one.csv", **entry}])
    with pytest.raises(InputError, match="recipe, column 'held_out: 1': not a source"):
        sources_from_recipe([{"file": "one.csv", "lengths": [8, 11]}], "held_out")
    (tmp_path / "none.csv").write_text("peptide\n")
    with pytest.raises(InputError, match="no peptides to hold out"):
        prepare(tmp_path, [Source("one.csv")], proteome, held_out=[Source("none.csv")], **SETTINGS)


def test_dropped_rows_of_a_source_are_counted(prepared):
    """Prevents rows that vanish without a word."""
    assert prepared.dropped["nine.csv: length outside the source's range"] == 10


def test_counts_of_alleles_are_those_of_training(prepared):
    """Prevents `hla explain` from promising data that only validation has."""
    train = prepared.train
    for allele, ligands, affinities in prepared.alleles[["allele", "ligands", "affinities"]].itertuples(index=False):
        own = train[train["allele"] == allele]
        assert ligands == (own["label"] == 1).sum()
        assert affinities == own["affinity_nm"].notna().sum()
    assert set(prepared.alleles["allele"]) == {A1, A2, B7}


def test_same_seed_same_bytes(folder, proteome, prepared, tmp_path):
    """Prevents tables that cannot be made again, and a report whose checksums are of something else."""
    again = prepare(folder, SOURCES, proteome, **SETTINGS)
    other = prepare(folder, SOURCES, proteome, **{**SETTINGS, "seed": 12})
    for name, tables in (("a", prepared), ("b", again), ("c", other)):
        write_prepared(tables, tmp_path / name)
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert files == ["report.json", "train.csv.gz", "training_alleles.csv", HASHES_FILE, "validation.csv.gz"]
    for name in files:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert (tmp_path / "a" / "train.csv.gz").read_bytes() != (tmp_path / "c" / "train.csv.gz").read_bytes()
    assert set(json.loads((tmp_path / "a" / "report.json").read_text())["sha256"]) == set(files) - {"report.json"}


def test_what_was_written_is_what_training_reads(prepared, tmp_path):
    """Prevents a table that the binding task cannot read back."""
    from pmhc_distil.tasks.binding import PairData, read_pairs

    write_prepared(prepared, tmp_path)
    read, made = read_pairs(tmp_path / "train.csv.gz"), PairData(prepared.train)
    np.testing.assert_array_equal(read.peptides, made.peptides)
    np.testing.assert_array_equal(read.grooves[read.allele], made.grooves[made.allele])
    np.testing.assert_allclose(read.labels, made.labels, atol=1e-5)


def test_held_out(folder, proteome, prepared, tmp_path):
    """Prevents what models are measured on from being trained on, under another allele or as an affinity."""
    affinities = pd.read_csv(folder / "affinity.csv")
    known = pd.read_csv(folder / "wide.csv.gz")
    fold = pd.concat([affinities["peptide"][:10], known["peptide"][:10]])
    fold.to_frame().assign(allele="A*02:01", fold="c4", label=1).to_csv(folder / "fold.csv", index=False)
    made = prepare(
        folder,
        SOURCES,
        proteome,
        **SETTINGS,
        held_out=[Source("fold.csv", where="fold == 'c4'")],
        held_out_alleles=["B0702"],
    )
    rest = whole(made)
    assert B7 not in set(rest["allele"]) | set(made.measured["allele"]) | set(made.alleles["allele"])
    assert not set(fold) & (set(rest["peptide"]) | set(made.measured["peptide"]))
    reasons = made.held_out.groupby("held_out").size().to_dict()
    assert reasons == {"allele": 100, "peptide": 15}, "five of the ten ligands are of the allele"
    assert made.dropped["held out"] == 115
    assert made.held_out.loc[made.held_out["source"] == "affinity", "measurement_nM"].notna().all()
    write_prepared(made, tmp_path)
    ligands, measured = (pd.read_csv(tmp_path / f"held_out_{name}.csv.gz") for name in ("ligands", "affinities"))
    assert (len(ligands), len(measured)) == (105, 10)
    assert (ligands["label"] == 1).all() and (measured["measurement_nM"] > 0).all()
    assert prepared.held_out.empty


def test_an_interrupted_set_is_not_mixed_with_an_earlier_one(prepared, tmp_path, monkeypatch):
    """Prevents new training peptides beside those of an older validation, which a report calls a complete set."""
    for name in FILES:
        (tmp_path / name).write_text("of before")
    names = iter(["train.csv.gz"])

    def interrupted(table, path):
        if path.name != next(names, None):
            raise KeyboardInterrupt
        write_csv(table, path)

    monkeypatch.setattr("pmhc_distil.sequences.prepared.write_csv", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_prepared(prepared, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["train.csv.gz"]


def test_held_out_peptides_of_no_source_are_no_negatives(folder, proteome, tmp_path):
    """Prevents a test set of one's own from coming back as negatives of the training table."""
    shutil.copytree(folder, tmp_path / "data")
    windows = sorted({text for length in (8, 9, 10) for text in proteome.draw(length, 3000, np.random.default_rng(5))})
    pd.DataFrame({"peptide": windows, "allele": "A0201"}).to_csv(tmp_path / "data" / "mine.csv", index=False)
    prepared = prepare(tmp_path / "data", SOURCES, proteome, held_out=[Source("mine.csv")], **SETTINGS)
    assert not set(windows) & (set(prepared.train["peptide"]) | set(prepared.validation["peptide"]))


def test_held_out_peptides_of_rows_that_cannot_be_used(folder, proteome, tmp_path):
    """Prevents what models are measured on from being trained on because its row has no usable allele or affinity."""
    shutil.copytree(folder, tmp_path / "data")
    known = pd.read_csv(folder / "wide.csv.gz")["peptide"][:5]
    rows = {
        "peptide": [known[0].lower(), *known[1:], "SLYNXVATL", "SLYN"],
        "allele": ["A2", "DRB1*01:01", "", "A0201", "A0201", "A0201", "A0201"],
        "measurement_nM": ["5", "5", "5", "ND", "5", "5", "5"],
        "inequality": ["=", "=", "=", "=", "?", "=", "="],
    }
    pd.DataFrame(rows).to_csv(tmp_path / "data" / "mine.csv", index=False)
    made = prepare(tmp_path / "data", SOURCES, proteome, held_out=[Source("mine.csv")], **SETTINGS)
    assert set(made.held_out["peptide"]) == set(known) and not set(known) & set(whole(made)["peptide"])
    told = {reason: count for reason, count in made.dropped.items() if "mine.csv" in reason}
    assert told == {
        "mine.csv, held_out: non-standard residue 'X'": 1,
        "mine.csv, held_out: length 4 is outside 8-15": 1,
    }
    with pytest.raises(InputError, match=r"mine\.csv: no row meets the condition: 'allele == 7'"):
        prepare(tmp_path / "data", SOURCES, proteome, held_out=[Source("mine.csv", where="allele == 7")], **SETTINGS)


@pytest.mark.parametrize("seed", [1.5, "1", -1, None])
def test_a_seed_is_a_whole_number(folder, proteome, seed):
    """Prevents a traceback for a typing error in a recipe."""
    with pytest.raises(InputError, match="seed"):
        prepare(folder, SOURCES, proteome, **(SETTINGS | {"seed": seed}))


def test_pooled_rows(folder, proteome):
    """Prevents negatives from counting for a source of which their allele has no ligands."""
    ligands = pd.DataFrame({"peptide": random(np.random.default_rng(5), [9] * 50), "allele": "A*02:01"})
    ligands.to_csv(folder / "clean.csv", index=False)
    sources = [Source("clean.csv"), *SOURCES]
    table = whole(prepare(folder, sources, proteome, **SETTINGS, pooled=["wide.csv.gz"]))
    assert list(table.columns) == [*TABLE_COLUMNS, "pooled"]
    ours = table[table["label"] == 1]
    assert (ours["pooled"] == (ours["source"] == "wide")).all() and ours["pooled"].nunique() == 2
    assert (table.loc[table["label"].isna(), "pooled"] == 0).all()
    negatives = table[table["source"] == "negative"].groupby("allele")["pooled"]
    assert (negatives.nunique() == 1).all()
    share = (ours["source"] == "wide").groupby(ours["allele"]).mean()
    assert 0 < share[A2] < 1 and share[B7] == 1 and share[A1] == 0
    pd.testing.assert_series_equal(negatives.first(), share, check_names=False)
    for wrong in (["wide"], "wide.csv.gz", [1], [{"file": "wide.csv.gz"}]):
        with pytest.raises(InputError, match="not a list of sources"):
            prepare(folder, sources, proteome, **SETTINGS, pooled=wrong)
