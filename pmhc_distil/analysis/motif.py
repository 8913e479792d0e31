"""Binding motifs and length preferences of alleles, as the model sees them and as ligands show them.

The predicted motif is counted in the random human peptides that bind best, as is usual (NetMHCpan's motif viewer): all
stretches of the model's random peptides are scored, and those with a low rank among peptides of their length are kept.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from pmhc_distil.errors import InputError
from pmhc_distil.inference.predictor import Predictor
from pmhc_distil.inference.request import resolve_alleles
from pmhc_distil.models.vocabulary import FIRST_RESIDUE, encode
from pmhc_distil.sequences.explain import ENOUGH_LIGANDS
from pmhc_distil.sequences.residues import MAX_PEPTIDE_LENGTH, PEPTIDE_LENGTHS, RESIDUES
from pmhc_distil.sequences.result_columns import LENGTH_COLUMNS, MOTIF_COLUMNS, make_frame
from pmhc_distil.sequences.small_tables import require_columns
from pmhc_distil.sequences.tables import STRONG_BINDER_RANK
from pmhc_distil.sequences.windows import checked_lengths

PREDICTED, LIGANDS = "predicted", "ligands"
"""What stands in the column ``source``."""


def predicted_motifs(
    predictor: Predictor,
    alleles: Sequence[str] | None,
    *,
    grooves: Mapping[str, str] | None = None,
    lengths: Sequence[int] = (9,),
    top: float = STRONG_BINDER_RANK,
    progress: bool = False,
) -> pd.DataFrame:
    """Count the residues of the random peptides that bind best.

    Parameters
    ----------
    predictor : Predictor
    alleles : sequence of str, optional
        HLA names in any spelling, or keys of `grooves`; by default all of these.
    grooves : mapping of str to str, optional
        Names to grooves (34 residues) of molecules that are given by sequence.
    lengths : sequence of int
        Of the peptides, 8 to 15.
    top : float
        Highest rank of the peptides that are counted, in percent of the random peptides of their length.
    progress : bool
        Show progress on stderr, if that is a terminal.

    Returns
    -------
    DataFrame
        Columns :data:`~pmhc_distil.sequences.result_columns.MOTIF_COLUMNS`; a row for every allele, length and
        position.

    Raises
    ------
    InputError
        For an allele that does not exist, or none at all, or for other lengths.
    """
    request = resolve_alleles(alleles, grooves)
    lengths = checked_lengths(lengths)
    windows = predictor.random_peptides[MAX_PEPTIDE_LENGTH]
    random = {
        length: np.concatenate([windows[:, at : at + length] for at in range(MAX_PEPTIDE_LENGTH - length + 1)])
        for length in lengths
    }
    parts = []
    pairs = list(zip(request.allele_names, request.grooves, strict=True))
    for name, groove in tqdm(pairs, unit=" alleles", disable=None if progress else True):
        prefix, table = predictor.engine.backend.prefix(groove), predictor.rank_table(groove)
        for length, tokens in random.items():
            logits = predictor.engine.backend.forward(prefix, tokens)[:, 0].astype(np.float64)
            _, rank = table.ranks(groove, logits, np.full(len(logits), length))
            # A rank is strict, but a model with few random peptides may leave none below it.
            kept = rank <= max(top, rank.min())
            parts.append(_motif(tokens[kept], name, PREDICTED))
    return pd.concat(parts, ignore_index=True)


def predicted_lengths(
    predictor: Predictor,
    alleles: Sequence[str] | None,
    *,
    grooves: Mapping[str, str] | None = None,
    top: float = STRONG_BINDER_RANK,
) -> pd.DataFrame:
    """Tell which lengths the best binders have among random peptides, as many of every length.

    Parameters
    ----------
    predictor, alleles, grooves
        As for :func:`predicted_motifs`.
    top : float
        Highest rank of what counts, in percent of random peptides of all lengths.

    Returns
    -------
    DataFrame
        Columns :data:`~pmhc_distil.sequences.result_columns.LENGTH_COLUMNS`; a row for every allele and length.

    Raises
    ------
    InputError
        As :func:`predicted_motifs`.
    """
    request = resolve_alleles(alleles, grooves)
    pairs = zip(request.allele_names, request.grooves, strict=True)
    shares = ((name, predictor.rank_table(groove).length_shares(groove, top)) for name, groove in pairs)
    return _lengths(shares, PREDICTED)


def ligand_motifs(ligands: pd.DataFrame, lengths: Sequence[int] = (9,)) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Count the residues and the lengths of known ligands.

    Parameters
    ----------
    ligands : DataFrame
        Columns ``peptide`` (8 to 15 standard residues) and ``allele`` (canonical); every pair counts once.
    lengths : sequence of int

    Returns
    -------
    motifs, lengths : DataFrame
        As those of :func:`predicted_motifs` and :func:`predicted_lengths`; alleles in the order of their first ligand,
        and without a motif of a length of which there is no ligand.

    Raises
    ------
    InputError
        For lengths other than 8 to 15.
    """
    lengths = checked_lengths(lengths)
    distinct = ligands[["allele", "peptide"]].drop_duplicates()
    motifs, shares = [], []
    for name, own in distinct.groupby("allele", sort=False)["peptide"]:
        size = own.str.len()
        counts = np.array([(size == length).sum() for length in PEPTIDE_LENGTHS], dtype=np.float64)
        shares.append((str(name), counts / max(counts.sum(), 1)))
        for length in lengths:
            peptides = own[size == length].tolist()
            if peptides:
                motifs.append(_motif(encode(peptides), str(name), LIGANDS))
    table = pd.concat(motifs, ignore_index=True) if motifs else make_frame(MOTIF_COLUMNS, [])
    return table, _lengths(shares, LIGANDS)


def compared_motifs(
    predictor: Predictor,
    alleles: Sequence[str] | None,
    ligands: pd.DataFrame | None = None,
    *,
    grooves: Mapping[str, str] | None = None,
    lengths: Sequence[int] = (9,),
    top: float = STRONG_BINDER_RANK,
    progress: bool = False,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Give the predicted motifs and length preferences, and those of known ligands of the same alleles.

    Parameters
    ----------
    predictor, alleles, grooves, lengths, top, progress
        As for :func:`predicted_motifs`.
    ligands : DataFrame, optional
        As for :func:`ligand_motifs`; those of other alleles are left out.

    Returns
    -------
    motifs, lengths : DataFrame
        Those of :func:`predicted_motifs` and :func:`predicted_lengths`, then those of :func:`ligand_motifs`.

    Raises
    ------
    InputError
        As :func:`predicted_motifs`; or if the ligands lack a column.
    """
    motifs = predicted_motifs(predictor, alleles, grooves=grooves, lengths=lengths, top=top, progress=progress)
    shares = predicted_lengths(predictor, alleles, grooves=grooves, top=top)
    if ligands is not None:
        require_columns(ligands, ("allele", "peptide"), "ligands")
        known = ligands[ligands["allele"].isin(set(motifs["allele"]))]
        motif, share = ligand_motifs(known, lengths)
        motifs, shares = pd.concat([motifs, motif], ignore_index=True), pd.concat([shares, share], ignore_index=True)
    return motifs, shares


def trained_alleles(predictor: Predictor) -> list[str]:
    """Name the alleles with enough training ligands to have a motif of their own, in the order of their names.

    Raises
    ------
    InputError
        If the model does not tell what it was trained on.
    """
    names = sorted(predictor.training.trained)
    if not names:
        reason = f"the model names no allele with {ENOUGH_LIGANDS} training ligands"
        raise InputError(reason, source=str(predictor.folder), hint="name alleles instead")
    return names


def motif_notes(
    predictor: Predictor, alleles: Sequence[str] | None, grooves: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Say of each allele how near the training data come to it.

    Parameters
    ----------
    predictor, alleles, grooves
        As for :func:`predicted_motifs`.

    Returns
    -------
    dict of str to str
        Allele to a few words; to none where it has data of its own, or the model does not tell of any.
    """
    request = resolve_alleles(alleles, grooves)
    notes = {}
    for name, groove in zip(request.allele_names, request.grooves, strict=True):
        nearest, distance = predictor.training.nearest(groove)
        # Without training data there is no nearest one, and the distance is no number.
        far = distance > 0
        notes[name] = f"nearest allele with training ligands: {nearest}, distance {distance:.2f}" if far else ""
    return notes


def _motif(tokens: NDArray[np.uint8], allele: str, source: str) -> pd.DataFrame:
    """Count residues, (n, length) to a row for every position.

    The information is that of Schneider et al. 1986 (J Mol Biol 188:415): log2 of 20, less the entropy and its
    correction for small samples.
    """
    count, length = tokens.shape
    hot = tokens[:, :, None] == np.arange(FIRST_RESIDUE, FIRST_RESIDUE + len(RESIDUES), dtype=np.uint8)
    shares = hot.mean(0)
    entropy = -(shares * np.log2(shares, where=shares > 0, out=np.zeros_like(shares))).sum(1)
    correction = (len(RESIDUES) - 1) / (2 * np.log(2) * count)
    information = np.maximum(np.log2(len(RESIDUES)) - entropy - correction, 0)
    rows = [(allele, source, length, count, at + 1, information[at], *shares[at]) for at in range(length)]
    return make_frame(MOTIF_COLUMNS, rows)


def _lengths(shares: Iterable[tuple[str, NDArray[np.float64]]], source: str) -> pd.DataFrame:
    rows = [
        (name, source, size, share) for name, each in shares for size, share in zip(PEPTIDE_LENGTHS, each, strict=True)
    ]
    return make_frame(LENGTH_COLUMNS, rows)
