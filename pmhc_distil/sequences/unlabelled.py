"""Pairs that nobody has measured, for a student to learn its teacher's answers to them (Beyer et al. 2022)."""

import numpy as np
import pandas as pd

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.groove_table import groove_table
from pmhc_distil.sequences.hla import resolve_allele

SOURCE = "unlabelled"


def with_unlabelled(table: pd.DataFrame, alleles: int, peptides: int, generator: np.random.Generator) -> pd.DataFrame:
    """Add pairs of alleles without training data to a training table.

    A student sees their grooves then, and not those of the training data alone.

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
    pools = [table.loc[labels == label, "peptide"].unique() for label in (1, 0)]
    shares = [peptides // 2, peptides - peptides // 2]
    for what, there, asked in (
        ("alleles without data", len(others), alleles),
        *zip(("ligands", "negatives"), map(len, pools), shares, strict=True),
    ):
        if there < asked:
            raise InputError(f"there are only {there:,} {what}", value=asked, hint="ask for less")
    chosen = generator.choice(others, alleles, replace=False)
    drawn = [
        generator.choice(pool, share, replace=False) for _ in chosen for pool, share in zip(pools, shares, strict=True)
    ]
    added = pd.DataFrame({"peptide": np.concatenate(drawn), "allele": np.repeat(chosen, peptides)})
    added = added.reindex(columns=table.columns).assign(offset=0.0, source=SOURCE)
    return pd.concat([table, added], ignore_index=True)
