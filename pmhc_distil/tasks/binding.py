"""The peptide-HLA task: is a peptide presented, and how strongly is it bound?"""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from scipy.stats import spearmanr
from torch import Tensor
from transformers import AutoModelForSequenceClassification
from transformers.utils import ModelOutput

from pmhc_distil.distillation.task import Batch, Reading, Task
from pmhc_distil.errors import InputError
from pmhc_distil.models.vocabulary import MASK, PAD, encode
from pmhc_distil.sequences.affinity import affinity_to_unit, signs
from pmhc_distil.sequences.csv_tables import line_of_row, read_csv
from pmhc_distil.sequences.hla import resolve_allele
from pmhc_distil.sequences.residues import MAX_PEPTIDE_LENGTH, peptide_problem
from pmhc_distil.sequences.sources import POOLED, TABLE_COLUMNS
from pmhc_distil.tasks.blocks import BLOCK_SIZE, BlockSampler
from pmhc_distil.tasks.metrics import BINARY_METRICS, binary_metrics

_HINT = "make the table with `pmhc-distil data prepare`"
COLUMNS = tuple(name for name in TABLE_COLUMNS if name != "source")
USES = (
    "Ranks peptides of 8 to 15 standard residues by how likely an HLA class I molecule presents them. Research "
    "use; not for clinical decisions. A score is no statement about T-cell recognition. The further an "
    "allele's groove is from those of the training data, the less a score can be trusted "
    "(`pmhc-distil hla explain`)."
)
_SIGNS = {"<": -1.0, "=": 0.0, ">": 1.0}
AFFINITY_WEIGHT = 2.0
"""Weight of the squared error of the affinity (0 to 1) beside the cross-entropy of presentation."""


class PairData:
    """Peptide-HLA pairs with what was measured on them.

    Parameters
    ----------
    frame : DataFrame
        Columns ``peptide`` (8 to 15 standard residues), ``allele``, ``label`` (1, 0 or missing), ``affinity_nm``
        (nM or missing), ``inequality`` (``<``, ``=`` or ``>``, what the true affinity is of the given one), ``offset``;
        and ``pooled`` (0 to 1) where some source is.

    Attributes
    ----------
    pooled : ndarray of float32, shape (pairs,), optional
        How far each is one of pooled sources, if any is.
    new : ndarray of bool, shape (pairs,), optional
        Those of an allele of which nothing was measured, if there is one.
    """

    def __init__(self, frame: pd.DataFrame) -> None:
        alleles, self.allele = np.unique(frame["allele"].to_numpy(str), return_inverse=True)
        self.grooves = encode([resolve_allele(str(name)).groove for name in alleles])
        self.peptides = encode(frame["peptide"].tolist(), MAX_PEPTIDE_LENGTH)
        self.lengths = (self.peptides != PAD).sum(1)
        inequality = frame["inequality"].map(_SIGNS).to_numpy(np.float32)
        affinity = affinity_to_unit(frame["affinity_nm"].to_numpy(np.float32))
        offset = frame["offset"].to_numpy(np.float32)
        measured = (frame["label"].notna() | frame["affinity_nm"].notna()).to_numpy()
        self.unlabelled = int((~measured).sum())
        new = ~np.isin(self.allele, self.allele[measured])
        self.new = new if new.any() else None
        label = frame["label"].to_numpy(np.float32)
        self.labels = np.stack([label, affinity, inequality, offset], axis=1, dtype=np.float32)
        self.pooled = frame[POOLED].to_numpy(np.float32) if POOLED in frame and frame[POOLED].any() else None

    classes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.peptides)

    def batches(self, batch_size: int, *, shuffle: bool, seed: int) -> BlockSampler:
        """Give blocks of one allele."""
        return BlockSampler(self.allele, batch_size, shuffle=shuffle, seed=seed)

    def collate(self, numbers: list[int]) -> Batch:
        """Build the prefix form of a batch; padding has no label.

        Returns
        -------
        dict
            ``groove_ids`` (blocks, 34), ``peptide_ids`` (blocks, pairs, longest), ``labels`` (blocks * pairs, 4):
            presentation (0, 1), affinity (0 to 1) and its inequality (-1, 0, 1), NaN where not measured; and what is
            added to the presentation logit in training.  ``counted`` (blocks * pairs,) tells which are no padding, and
            ``pooled`` (blocks * pairs,), if any is, how far each is one of pooled sources; ``new`` (blocks,), if any
            pair is, which are of an allele of which nothing was measured.
        """
        index = np.asarray(numbers)
        padding = index < 0
        index = np.where(padding, ~index, index)
        labels = self.labels[index]
        labels[padding] = np.nan
        longest = self.lengths[index].max()
        peptides = self.peptides[index, :longest].reshape(-1, BLOCK_SIZE, longest)
        grooves = self.grooves[self.allele[index[::BLOCK_SIZE]]]
        batch = {
            "groove_ids": torch.from_numpy(grooves.astype(np.int64)),
            "peptide_ids": torch.from_numpy(peptides.astype(np.int64)),
            "labels": torch.from_numpy(labels),
            "counted": torch.from_numpy(~padding),
        }
        if self.pooled is not None:
            batch["pooled"] = torch.from_numpy(self.pooled[index])
        if self.new is not None:
            batch["new"] = torch.from_numpy(self.new[index[::BLOCK_SIZE]])
        return batch

    def fingerprint(self, *, labels: bool = True) -> str:
        """Give a SHA-256 of peptides, grooves and what was measured, in their order."""
        digest = hashlib.sha256()
        learned = [table for table in (self.labels, self.pooled) if labels and table is not None]
        for table in (self.peptides, self.grooves, self.allele, *learned):
            digest.update(np.ascontiguousarray(table).tobytes())
        return digest.hexdigest()


def read_pairs(path: Path, reading: Reading | None = None) -> PairData:
    """Read a table of training pairs (CSV, plain or gzip) as written by ``pmhc-distil data prepare``.

    Parameters
    ----------
    path : Path
    reading : Reading, optional
        Tells the longest peptide: its tokens and one more.

    Raises
    ------
    InputError
        If the file cannot be read, lacks a column, or holds a peptide or an allele that cannot be scored, a peptide too
        long for the model, a label that is neither 1 nor 0, an affinity that is not above 0, or an inequality that is
        none.
    """
    text = dict.fromkeys(("peptide", "allele", "inequality"), str)
    blank = {column: [""] for column in ("label", "affinity_nm", POOLED)}
    frame = read_csv(path, hint=_HINT, dtype=text, na_values=blank)
    for column in COLUMNS:
        if column not in frame:
            there = ", ".join(frame.columns)
            raise InputError(f"the column is missing; there are: {there}", source=str(path), column=column, hint=_HINT)
    for column in ("label", "affinity_nm", "offset"):
        numbers = pd.to_numeric(frame[column], errors="coerce")
        _refuse(frame, column, numbers.isna() & frame[column].notna(), "not a number", path)
        _refuse(frame, column, np.isinf(numbers), "not a finite number", path)
        frame[column] = numbers
    _refuse(frame, "label", frame["label"].notna() & ~frame["label"].isin([0, 1]), "neither 1 (presented) nor 0", path)
    _refuse(frame, "affinity_nm", frame["affinity_nm"] <= 0, "not above 0", path)
    if POOLED in frame:
        frame[POOLED] = pd.to_numeric(frame[POOLED], errors="coerce")
        outside = frame["label"].notna() & ~frame[POOLED].between(0, 1)
        _refuse(frame, POOLED, outside, "not a share from 0 to 1", path)
        frame[POOLED] = frame[POOLED].fillna(0.0)
    inequality = signs(frame["inequality"])
    bad = inequality.isna() & frame["affinity_nm"].notna()
    _refuse(frame, "inequality", bad, "none of <, = and >", path)
    frame["inequality"] = inequality.where(frame["affinity_nm"].notna(), "")
    for column, problem in (("peptide", peptide_problem), ("allele", _allele_problem)):
        found = {value: reason for value in frame[column].unique() if (reason := problem(value))}
        for reason in dict.fromkeys(found.values()):
            _refuse(frame, column, frame[column].map(found) == reason, reason, path)
    if reading is not None:
        most = reading.max_seq_length - 1
        reason = f"longer than {most}, which max_seq_length allows, by default that of the model"
        _refuse(frame, "peptide", frame["peptide"].str.len() > most, reason, path)
    return PairData(frame)


def _refuse(frame: pd.DataFrame, column: str, bad: "pd.Series[bool]", reason: str, path: Path) -> None:
    """Refuse the first row that is bad, by its line in the file."""
    if bad.any():
        row = int(bad.to_numpy().argmax())
        line, value = line_of_row(path, row), frame[column].iloc[row]
        raise InputError(reason, source=str(path), row=line, column=column, value=value, hint=_HINT)


def _allele_problem(text: str) -> str:
    try:
        resolve_allele(text)
    except InputError as error:
        return error.reason
    return ""


def hide(config: Any, batch: Batch) -> Batch:
    """Hide a share of the residues of every groove, so that an allele never seen as a whole is no surprise.

    The teacher does not see them either: a student that follows answers to a groove that it cannot see learns less of
    alleles without data.
    """
    if not config.groove_dropout:
        return batch
    grooves = batch["groove_ids"]
    hidden = torch.rand(grooves.shape, device=grooves.device) < config.groove_dropout
    return {**batch, "groove_ids": grooves.masked_fill(hidden, MASK)}


def new_part(batch: Batch) -> tuple[Batch, Tensor]:
    """Give the blocks of alleles of which nothing was measured, and which pairs these are, shape (pairs,)."""
    new = batch["new"]
    inputs = {name: batch[name][new] for name in ("groove_ids", "peptide_ids")}
    return inputs, new.repeat_interleave(batch["peptide_ids"].shape[1])


def rows(outputs: ModelOutput, _: Batch) -> Tensor:
    """Give presentation and affinity logits, shape (pairs, 2)."""
    return torch.stack([outputs.logits[:, 1] - outputs.logits[:, 0], outputs.affinity_logits], dim=-1)


def compared(states: Tensor, batch: Batch) -> Tensor:
    """Leave out what fills up blocks: of the CLS states (pairs, width), or of the packed tokens (tokens, width)."""
    counted = batch["counted"]
    if len(states) != len(counted):
        counted = counted.repeat_interleave(1 + (batch["peptide_ids"].flatten(0, 1) != PAD).sum(1))
    return states[counted]


def hard_loss(outputs: ModelOutput, batch: Batch) -> Tensor:
    """Cross-entropy of presentation plus the weighted squared error of the affinity, each over what was measured.

    An affinity known only as weaker or stronger than a bound costs nothing beyond the bound (O'Donnell et al. 2018).
    Ligands of pooled sources are presented by a logit of their own; a negative counts for both, as far as it stands for
    the ligands of either.
    """
    pooled = getattr(outputs, "pooled_logits", None), batch.get("pooled")
    return _loss(rows(outputs, batch), batch["labels"], *pooled)


def _loss(logits: Tensor, labels: Tensor, pooled_logits: Tensor | None = None, pooled: Tensor | None = None) -> Tensor:
    presentation, affinity = logits.float().unbind(-1)
    label, target, inequality, offset = labels.unbind(-1)
    presented, measured = ~label.isnan(), ~target.isnan()

    def entropy(logit: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(logit + offset.nan_to_num(), label.nan_to_num(), reduction="none")

    cross_entropy = entropy(presentation)
    if pooled_logits is not None and pooled is not None:
        cross_entropy = cross_entropy.lerp(entropy(presentation + pooled_logits.float()), pooled)
    error = affinity.sigmoid() - target.nan_to_num()
    # A true affinity of more nM than given lies lower on the unit scale: only errors upwards count, and vice versa.
    error = torch.where(inequality > 0, error.clamp_min(0), torch.where(inequality < 0, error.clamp_max(0), error))
    return (cross_entropy * presented).sum() / presented.sum().clamp_min(1) + (
        AFFINITY_WEIGHT * (error.square() * measured).sum() / measured.sum().clamp_min(1)
    )


def prepare_model(model: Any, data: PairData) -> None:
    """Give a model an output for pooled sources if the data have some."""
    model.tell_pooled_apart(data.pooled is not None)


def strip_model(model: Any) -> None:
    """Take that output away: what is wrong with the labels of a source is nothing to predict."""
    model.tell_pooled_apart(False)


def _labelled(targets: np.ndarray) -> np.ndarray:
    return ~np.isnan(targets[:, 0])


def _exact(targets: np.ndarray) -> np.ndarray:
    """Tell which affinities are known exactly, none if they are too few for a correlation."""
    exact = ~np.isnan(targets[:, 1]) & (targets[:, 2] == 0)
    return exact & (exact.sum() > 2)


def measures(data: PairData) -> tuple[str, ...]:
    """Name the metrics that :func:`metrics` gives for these data."""
    presentation = BINARY_METRICS if _labelled(data.labels).any() else ()
    return (*presentation, *(["affinity_spearman"] if _exact(data.labels).any() else []))


def metrics(_: PairData, predicted: np.ndarray, targets: np.ndarray) -> dict[str, float]:
    """Measure the loss, presentation on labelled pairs, and the rank correlation of exactly measured affinities."""
    labelled, exact = _labelled(targets), _exact(targets)
    result = {"loss": float(_loss(torch.from_numpy(predicted), torch.from_numpy(targets)))}
    if labelled.any():
        result |= binary_metrics(targets[labelled, 0], predicted[labelled, 0], threshold=0.0)
    if exact.any():
        result["affinity_spearman"] = float(spearmanr(predicted[exact, 1], targets[exact, 1]).statistic)
    return result


BINDING = Task(
    name="binding",
    auto_class=AutoModelForSequenceClassification,
    read=read_pairs,
    link="sigmoid",
    rows=rows,
    compared=compared,
    hide=hide,
    new_part=new_part,
    hard_loss=hard_loss,
    targets=lambda batch: batch["labels"],
    metrics=metrics,
    prepare_model=prepare_model,
    strip_model=strip_model,
    measures=measures,
    pipeline_tag="text-classification",
    uses=USES,
    tags=("protein", "immunology"),
    encoders=("peptides",),
    cacheable=True,
)
