"""From files of ligands and affinities to the training and validation tables.

Two kinds of sources, told apart by their columns: ligands (``peptide, allele``, all positives, or with ``label`` 1/0)
and affinities (``peptide, allele, measurement_nM`` and optionally ``inequality``).  Rows that cannot be used are
dropped and counted; peptides are split, not rows, so that no peptide is in two tables.
"""

import gzip
import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.explain import TRAINING_FILE
from pmhc_distil.sequences.files import atomic_path
from pmhc_distil.sequences.hla import resolve_allele
from pmhc_distil.sequences.overlap import HASHES_FILE, write_hashes
from pmhc_distil.sequences.proteins import Proteome, read_proteins
from pmhc_distil.sequences.residues import PEPTIDE_LENGTHS, peptide_problem

TABLE_COLUMNS = ["peptide", "allele", "label", "affinity_nm", "inequality", "offset", "source"]


@dataclass(frozen=True)
class Source:
    """One file of training data.

    Attributes
    ----------
    file : str
        CSV, plain or gzip, in the data folder.
    lengths : tuple of int
        Peptide lengths that the file could hold; others were never looked for.
    where : str
        Condition on the file's columns, in the language of ``DataFrame.query``; rows that fail it are dropped.
    """

    file: str
    lengths: tuple[int, ...] = PEPTIDE_LENGTHS
    where: str = ""


@dataclass
class Prepared:
    """Tables of :func:`prepare` and what was left out on the way."""

    train: pd.DataFrame
    validation: pd.DataFrame
    alleles: pd.DataFrame
    """``allele, ligands, affinities``: what training knows of every allele."""
    measured: pd.DataFrame
    """``peptide, allele`` of what was measured, without validation and random negatives."""
    dropped: dict[str, int] = field(default_factory=dict)


def read_source(folder: Path, source: Source, dropped: Counter[str]) -> pd.DataFrame:
    """Read one file, give canonical alleles, and count in ``dropped`` what cannot be used.

    Returns
    -------
    DataFrame with :data:`TABLE_COLUMNS`
    """
    path = folder / source.file
    try:
        frame = pd.read_csv(path, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise InputError(
            "cannot be read as CSV", source=str(path), hint="see data/README.md for the columns"
        ) from error
    if source.where:
        try:
            kept = frame.query(source.where)
        except Exception as error:  # the language of query raises errors of many kinds
            hint = f"the columns are: {', '.join(frame.columns)}"
            raise InputError(
                "the condition cannot be evaluated", source=str(path), value=source.where, hint=hint
            ) from error
        dropped[f"{source.file}: not {source.where}"] += len(frame) - len(kept)
        frame = kept
    for column in ("peptide", "allele"):
        if column not in frame:
            there = ", ".join(frame.columns)
            raise InputError(f"the column is missing; there are: {there}", source=str(path), column=column)
    names = {text: _canonical(str(text)) for text in frame["allele"].unique()}
    table = pd.DataFrame({"peptide": frame["peptide"].astype(str).str.strip().str.upper()})
    table["allele"] = frame["allele"].map(names)
    table["source"] = source.file.split(".")[0]
    table["label"] = np.nan
    table["affinity_nm"] = np.nan
    table["inequality"] = ""
    table["offset"] = 0.0
    if "measurement_nM" in frame:
        table["affinity_nm"] = pd.to_numeric(frame["measurement_nM"], errors="coerce")
        if "inequality" in frame:
            table["inequality"] = frame["inequality"]
        table["inequality"] = table["inequality"].where(table["inequality"].isin(["<", ">"]), "=")
        bad = table["affinity_nm"].isna()
    else:
        table["label"] = pd.to_numeric(frame["label"], errors="coerce") if "label" in frame else 1.0
        bad = ~table["label"].isin([0, 1])
    problems = {text: peptide_problem(text) for text in table["peptide"].unique()}
    reason = table["peptide"].map(problems).astype(object)
    reason[bad] = "no usable measurement"
    reason[table["allele"] == ""] = "allele without a groove sequence"
    outside = (reason == "") & ~table["peptide"].str.len().isin(source.lengths)
    reason[outside] = "length outside the source's range"
    for text, count in reason[reason != ""].value_counts().items():
        dropped[f"{source.file}: {text}"] += int(count)
    return table.loc[reason == "", TABLE_COLUMNS]


def _canonical(text: str) -> str:
    try:
        return resolve_allele(text).name
    except InputError:
        return ""


def prepare(
    folder: Path,
    sources: Sequence[Source],
    proteome: Proteome,
    *,
    negatives_per_positive: float,
    uniform_share: float,
    validation_share: float,
    seed: int,
) -> Prepared:
    """Join the sources, add negatives and split by peptide.

    Negatives are random windows of proteins.  A share of them has every length equally often, the others follow the
    lengths of the ligands, where most mistakes are to be avoided.  The column ``offset`` undoes that choice: a model
    whose logit is trained with the offset added gives the odds against negatives of which all lengths are equally
    likely, and so learns how often each allele presents each length (logit adjustment, Menon et al. 2021).  A source
    restricted to some lengths counts as if it had its missing lengths too.  A window that is a known ligand or binder
    of any allele is not used.

    Parameters
    ----------
    folder : Path
        Holds the sources.
    negatives_per_positive : float
        Negatives for each ligand of a source that holds all lengths.
    uniform_share : float
        Share of the negatives, above 0 and at most 1, whose lengths are equally likely.
    validation_share : float
        Share of the peptides, 0 to 1, that go to validation.
    seed : int
        Draws the negatives and the split.
    """
    for name, value, most in (
        ("negatives_per_positive", negatives_per_positive, 1000),
        ("uniform_share", uniform_share, 1),
        ("validation_share", validation_share, 1),
    ):
        if not isinstance(value, int | float) or not 0 < value <= most:
            raise InputError("not a number in its range", column=name, value=value, hint=f"above 0, at most {most}")
    dropped: Counter[str] = Counter()
    tables = {source: read_source(folder, source, dropped) for source in sources}
    joined = pd.concat(tables.values(), ignore_index=True)
    unique = joined.drop_duplicates(["peptide", "allele", "label", "affinity_nm", "inequality"])
    unique = _one_affinity_per_pair(unique)
    again = int(joined["affinity_nm"].notna().sum()) - int(unique["affinity_nm"].notna().sum())
    dropped["affinity measured again, or known from an earlier source"] += again
    ligands = unique[unique["label"] == 1].drop_duplicates(["peptide", "allele"])
    dropped["ligand known from an earlier source"] += int((joined["label"] == 1).sum()) - len(ligands)
    others = unique[unique["label"] != 1]
    positives = pd.concat([ligands, others], ignore_index=True)
    binders = others.loc[(others["affinity_nm"] < 500) & (others["inequality"] != ">"), "peptide"]
    known = set(ligands["peptide"]) | set(binders)
    shares = ligands["peptide"].str.len().value_counts(normalize=True).reindex(PEPTIDE_LENGTHS, fill_value=0.0)
    uniform = 1 / len(PEPTIDE_LENGTHS)
    drawn = (1 - uniform_share) * shares + uniform_share * uniform
    negatives = _negatives(ligands, sources, shares, negatives_per_positive * drawn, proteome, known, seed)
    table = pd.concat([positives, negatives], ignore_index=True)
    labelled = table["label"].notna()
    table["offset"] = table["peptide"].str.len().map(dict(np.log(uniform / drawn))).where(labelled, 0.0)
    held_out = table["peptide"].map(
        {text: in_validation(text, validation_share, seed) for text in table["peptide"].unique()}
    )
    measured = positives[~held_out[: len(positives)].to_numpy()]
    counts = measured.groupby("allele")["label"].agg(
        ligands=lambda label: int((label == 1).sum()), affinities=lambda label: int(label.isna().sum())
    )
    return Prepared(
        train=table[~held_out].reset_index(drop=True),
        validation=table[held_out].reset_index(drop=True),
        alleles=counts.reset_index(),
        measured=measured[["peptide", "allele"]],
        dropped=dict(dropped),
    )


def in_validation(peptide: str, share: float, seed: int) -> bool:
    """Tell whether a peptide belongs to validation: a property of the peptide and the seed alone."""
    digest = hashlib.sha256(f"{seed}:{peptide}".encode()).digest()
    return int.from_bytes(digest[:8], "big") < share * 2**64


def _one_affinity_per_pair(table: pd.DataFrame) -> pd.DataFrame:
    """Keep, of repeated affinities of a pair, its first source's, and of these the geometric mean per inequality."""
    measured = table["affinity_nm"].notna()
    affinities = table[measured]
    first = affinities.groupby(["peptide", "allele"], sort=False)["source"].transform("first")
    kept = affinities[affinities["source"] == first].copy()
    kept["affinity_nm"] = np.log(kept["affinity_nm"].clip(lower=1e-3))
    merged = kept.groupby(["peptide", "allele", "inequality", "offset", "source"], sort=False, as_index=False)[
        "affinity_nm"
    ].mean()
    merged["affinity_nm"] = np.exp(merged["affinity_nm"])
    merged["label"] = np.nan
    return pd.concat([table[~measured], pd.DataFrame(merged)[TABLE_COLUMNS]], ignore_index=True)


def _negatives(
    ligands: pd.DataFrame,
    sources: Sequence[Source],
    shares: "pd.Series[float]",
    rates: "pd.Series[float]",
    proteome: Proteome,
    known: set[str],
    seed: int,
) -> pd.DataFrame:
    """Draw negatives for every source and allele; see :func:`prepare`."""
    generator = np.random.default_rng(seed)
    frames = []
    for source in sources:
        name = source.file.split(".")[0]
        counts = ligands.loc[ligands["source"] == name, "allele"].value_counts().sort_index()
        covered = float(shares.reindex(list(source.lengths)).sum())
        for length in source.lengths:
            numbers: np.ndarray = np.round(counts.to_numpy() * rates[length] / max(covered, 1e-9)).astype(int)
            drawn: list[str] = []
            while len(drawn) < sum(numbers):
                fresh = [text for text in proteome.draw(length, int(sum(numbers)), generator) if text not in known]
                if not fresh:
                    raise InputError(
                        f"every window of {length} residues is a known ligand", source="proteins", hint="give more"
                    )
                drawn += fresh
            allele = np.repeat(counts.index.to_numpy(), numbers)
            frames.append(pd.DataFrame({"peptide": drawn[: len(allele)], "allele": allele}))
    table = pd.concat(frames, ignore_index=True).drop_duplicates() if frames else pd.DataFrame()
    return table.assign(label=0.0, affinity_nm=np.nan, inequality="", offset=0.0, source="negative")[TABLE_COLUMNS]


def sources_from_recipe(entries: Any) -> list[Source]:
    """Read the ``sources`` of a recipe: ``file``, and optionally ``lengths: [first, last]`` and ``where``.

    Raises
    ------
    InputError
        For an entry with another key or without a file.
    """
    hint = "each is a mapping such as {file: ligands.csv, lengths: [8, 11], where: score > 2}; only file is needed"
    if not isinstance(entries, list) or not entries:
        raise InputError("a list of sources is expected", source="sources", value=entries, hint=hint)
    sources = []
    for row, entry in enumerate(entries, start=1):
        if not isinstance(entry, dict) or "file" not in entry or set(entry) - {"file", "lengths", "where"}:
            raise InputError("not a source", source="sources", row=row, value=entry, hint=hint)
        span = entry.get("lengths", [PEPTIDE_LENGTHS[0], PEPTIDE_LENGTHS[-1]])
        if not (isinstance(span, list) and len(span) == 2 and set(span) <= set(PEPTIDE_LENGTHS) and span[0] <= span[1]):
            raise InputError(
                "not a range of lengths", source="sources", row=row, column="lengths", value=span, hint=hint
            )
        sources.append(Source(str(entry["file"]), tuple(range(span[0], span[1] + 1)), str(entry.get("where", ""))))
    return sources


def write_prepared(prepared: Prepared, folder: Path) -> None:
    """Write the tables and the report of :func:`prepare`; the same input gives the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    tables = {
        "train.csv.gz": prepared.train,
        "validation.csv.gz": prepared.validation,
        TRAINING_FILE: prepared.alleles,
    }
    for name, table in tables.items():
        with atomic_path(folder / name) as temporary:
            text = table.to_csv(index=False, float_format="%.6g", lineterminator="\n").encode()
            # pandas would write the temporary file's name, another one every time, into the gzip header.
            temporary.write_bytes(gzip.compress(text, compresslevel=5, mtime=0) if name.endswith(".gz") else text)
    write_hashes(prepared.measured["peptide"], prepared.measured["allele"], folder / HASHES_FILE)
    report = {
        "dropped": prepared.dropped,
        "sha256": {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in (*tables, HASHES_FILE)},
    }
    with atomic_path(folder / "report.json") as temporary:
        temporary.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def split_proteins(fasta: Path, folder: Path, validation_share: float, seed: int) -> tuple[int, int]:
    """Write ``train.fasta.gz`` and ``validation.fasta.gz``, split by sequence; give the number of proteins in each."""
    folder.mkdir(parents=True, exist_ok=True)
    parts: tuple[list[str], list[str]] = ([], [])
    for name, sequence in read_proteins(fasta):
        parts[in_validation(sequence, validation_share, seed)].append(f">{name}\n{sequence}\n")
    for name, records in zip(("train", "validation"), parts, strict=True):
        with atomic_path(folder / f"{name}.fasta.gz") as temporary:
            temporary.write_bytes(gzip.compress("".join(records).encode(), mtime=0))
    return len(parts[0]), len(parts[1])
