"""Tables to measure models on: ligands among random windows of proteins, for single alleles or for simulated donors."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.csv_tables import line_of_row, read_rows
from pmhc_distil.sequences.hla import resolve_allele
from pmhc_distil.sequences.proteins import Proteome
from pmhc_distil.sequences.residues import peptide_problem

LOCI = ("A", "B", "C")


def known_ligands(path: Path) -> set[str]:
    """Read the peptides, in upper case, of the rows of a CSV file whose ``label`` is 1, whatever else stands there.

    Raises
    ------
    InputError
        As :func:`~pmhc_distil.sequences.csv_tables.read_rows`; or if there is none.
    """
    return set(_ligands(path, ("peptide", "label"), None)["peptide"])


def read_ligands(path: Path, where: str | None = None) -> pd.DataFrame:
    """Read ``peptide`` and ``allele`` of the rows of a CSV file whose ``label`` is 1, each pair once.

    Peptides are in upper case, alleles canonical.

    Raises
    ------
    InputError
        As :func:`~pmhc_distil.sequences.csv_tables.read_rows`; if there is none; or for what is no peptide or allele.
    """
    ligands = _ligands(path, ("peptide", "allele", "label"), where)[["peptide", "allele"]]
    names: dict[str, str] = {}
    for row, peptide, allele in zip(ligands.index, ligands["peptide"], ligands["allele"].astype(str), strict=True):
        if problem := peptide_problem(peptide):
            line = line_of_row(path, int(row))
            raise InputError(problem, str(path), line, "peptide", peptide, hint="leave it out with --where")
        if allele not in names:
            try:
                names[allele] = resolve_allele(allele).name
            except InputError as error:
                raise replace(error, source=str(path), row=line_of_row(path, int(row)), column="allele") from error
    ligands["allele"] = ligands["allele"].map(names)
    return ligands.drop_duplicates(ignore_index=True)


def _ligands(path: Path, columns: Sequence[str], where: str | None) -> pd.DataFrame:
    frame, _ = read_rows(path, columns, where)
    ligands = frame[pd.to_numeric(frame["label"], errors="coerce") == 1]
    if ligands.empty:
        raise InputError("no ligand found", source=str(path), value=where, hint="label 1 is a ligand")
    return ligands.assign(peptide=ligands["peptide"].astype(str).str.strip().str.upper())


def at_most(ligands: pd.DataFrame, most: int, generator: np.random.Generator) -> pd.DataFrame:
    """Keep a random sample of the ligands of every allele, or of every donor where there are donors.

    Parameters
    ----------
    ligands : DataFrame
        ``peptide`` and ``allele``, and optionally ``donor``.
    most : int
        Ligands that are kept of each; one that has fewer keeps all.

    Returns
    -------
    DataFrame
        Rows of `ligands`, sorted by their labels.
    """
    # Shuffled first, so that those kept are no selection.
    shuffled = ligands.iloc[generator.permutation(len(ligands))]
    return shuffled.groupby("donor" if "donor" in ligands else "allele").head(most).sort_index()


def hits_among_windows(
    hits: pd.DataFrame,
    proteome: Proteome,
    *,
    decoys: int,
    lengths: Sequence[int] | None,
    excluded: Collection[str],
    generator: np.random.Generator,
) -> pd.DataFrame:
    """Hide ligands among random windows.

    Parameters
    ----------
    hits : DataFrame
        ``peptide`` and ``allele``, and optionally ``donor``.
    decoys : int
        Windows for every hit.
    lengths : sequence of int, optional
        Lengths of the windows, equally often; by default each hit's own.
    excluded : collection of str
        Peptides that no window may be.

    Returns
    -------
    DataFrame
        Allele by allele (and donor by donor) its hits (``label`` 1), then its windows (``label`` 0).

    Raises
    ------
    InputError
        If nearly every window of a length is excluded.
    """
    parts = []
    for _, own in hits.groupby([name for name in ("donor", "allele") if name in hits], sort=True):
        parts.append(own.assign(label=1))
        own_lengths = own["peptide"].str.len().to_numpy()
        if lengths is None:
            wanted = np.repeat(own_lengths, decoys)
        else:
            wanted = np.resize(generator.permutation(lengths), decoys * len(own))
        for length, count in zip(*np.unique(wanted, return_counts=True), strict=True):
            drawn = proteome.draw(int(length), int(count), generator, excluded)
            decoy = own.iloc[np.zeros(count, dtype=int)]
            parts.append(decoy.assign(peptide=drawn, label=0))
    return pd.concat(parts, ignore_index=True)


def simulated_donors(ligands: pd.DataFrame, donors: int, generator: np.random.Generator) -> pd.DataFrame:
    """Pool the ligands of six alleles, two of every locus, as if they had been eluted from one person.

    Parameters
    ----------
    ligands : DataFrame
        ``peptide`` and ``allele``, of at least two alleles each of HLA-A, -B and -C.

    Returns
    -------
    DataFrame
        ``peptide``, ``allele`` (six names, separated by commas) and ``donor`` (1, 2, ...): each peptide once per donor.

    Raises
    ------
    InputError
        If a locus has fewer than two alleles.
    """
    names = sorted(ligands["allele"].unique())
    loci = {locus: [name for name in names if name.startswith(f"HLA-{locus}*")] for locus in LOCI}
    for locus, own in loci.items():
        if len(own) < 2:
            reason, hint = f"donors need ligands of two alleles of HLA-{locus}", "add some, or leave out --donors"
            raise InputError(reason, source="ligands", value=len(own), hint=hint)
    parts = []
    for donor in range(1, donors + 1):
        genotype = [str(name) for own in loci.values() for name in generator.choice(own, 2, replace=False)]
        peptides = ligands.loc[ligands["allele"].isin(genotype), "peptide"].unique()
        parts.append(pd.DataFrame({"peptide": peptides, "allele": ",".join(genotype), "donor": donor}))
    return pd.concat(parts, ignore_index=True)
