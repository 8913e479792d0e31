"""Pairs that nobody has measured, for a student to learn its teacher's answers to them (Beyer et al. 2022)."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.csv_tables import line_of_row, read_rows
from pmhc_distil.sequences.groove_table import groove_table
from pmhc_distil.sequences.hla import resolve_allele
from pmhc_distil.sequences.sources import TABLE_COLUMNS, UNLABELLED


def read_training_table(path: Path) -> pd.DataFrame:
    """Read a table that ``pmhc-distil data prepare`` wrote, with all its columns.

    Raises
    ------
    InputError
        As :func:`~pmhc_distil.sequences.csv_tables.read_rows`, or for an allele that is not known.
    """
    frame, _ = read_rows(path, TABLE_COLUMNS)
    for row, name in frame["allele"].drop_duplicates().items():
        try:
            resolve_allele(str(name))
        except InputError as error:
            line = line_of_row(path, int(str(row)))
            raise replace(error, source=str(path), row=line, column="allele") from error
    return frame


def with_unlabelled(
    table: pd.DataFrame, alleles: int, peptides: int, generator: np.random.Generator, *, of_known: int = 0
) -> pd.DataFrame:
    """Add pairs that are not in a training table: of alleles without training data, and of those that have some.

    A student sees the grooves of the former then, and not those of the training data alone.

    Parameters
    ----------
    table : DataFrame
        As ``pmhc-distil data prepare`` writes it.
    alleles : int
        Grooves that are drawn from those of the shipped table that no allele of `table` has; each stands under the name
        of its first allele.
    peptides : int
        Peptides for each: half of them ligands of any allele, the others negatives of `table`.
    generator : Generator
    of_known : int
        Peptides for each allele of `table`, chosen likewise from those that it is not paired with there.

    Returns
    -------
    DataFrame
        The rows of `table`, then the new ones: without label and affinity, `source` "unlabelled".

    Raises
    ------
    InputError
        If there are fewer grooves, ligands or negatives than asked for, or an allele is not known.
    """
    known = {resolve_allele(str(name)).groove for name in table["allele"].unique()}
    grooves = groove_table()
    others = [grooves.names_of(groove)[0] for groove in grooves.unique_grooves() if groove not in known]
    labels = pd.to_numeric(table["label"], errors="coerce")
    numbers, texts = pd.factorize(table["peptide"])
    pools = dict(zip(("ligands", "negatives"), (pd.unique(numbers[labels == label]) for label in (1, 0)), strict=True))
    shares = [peptides // 2, peptides - peptides // 2]
    for what, there, asked in (
        ("alleles without data", len(others), alleles),
        *zip(pools, map(len, pools.values()), shares, strict=True),
    ):
        if there < asked:
            raise InputError(f"there are only {there:,} {what}", value=asked, hint="ask for less")
    chosen = generator.choice(others, alleles, replace=False)
    drawn = [
        generator.choice(pool, share, replace=False)
        for _ in chosen
        for pool, share in zip(pools.values(), shares, strict=True)
    ]
    names = [np.repeat(chosen, peptides)]
    for name, rows in table.groupby("allele").indices.items() if of_known else ():
        for (what, pool), share in zip(pools.items(), (of_known // 2, of_known - of_known // 2), strict=True):
            new = pool[~np.isin(pool, numbers[rows])]
            if len(new) < share:
                reason = f"there are only {len(new):,} {what} that are not with {name}"
                raise InputError(reason, value=share, hint="ask for less")
            drawn.append(generator.choice(new, share, replace=False))
        names.append(np.repeat(str(name), of_known))
    added = pd.DataFrame({"peptide": texts[np.concatenate(drawn)], "allele": np.concatenate(names)})
    added = added.reindex(columns=table.columns).assign(offset=0.0, source=UNLABELLED)
    return pd.concat([table, added], ignore_index=True)
