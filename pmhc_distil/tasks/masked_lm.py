"""Masked-LM on proteins: hide residues and predict them, as ProteinBERT does (Brandes et al. 2022)."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from transformers.utils import ModelOutput

from pmhc_distil.distillation.task import Batch, Task
from pmhc_distil.models.hf.modeling import PMHCForMaskedLM
from pmhc_distil.models.vocabulary import CLS, FIRST_RESIDUE, MASK, PAD, VOCABULARY, encode
from pmhc_distil.sequences.proteins import read_proteins

MASKED_SHARE = 0.15
DEFAULT_WINDOW = 128
IGNORED = -100


class WindowData:
    """One window of every protein, anew in every epoch.

    Parameters
    ----------
    proteins : list of str
    window : int
        Longest window in residues; shorter proteins are taken whole.
    """

    def __init__(self, proteins: list[str], window: int) -> None:
        self.window = window
        self.lengths = np.array([len(protein) for protein in proteins], dtype=np.int64)
        self.starts = np.concatenate([[0], np.cumsum(self.lengths)])
        self.residues = encode(["".join(proteins)])[0]
        self.order = (0, 0)

    def __len__(self) -> int:
        return len(self.lengths)

    def batches(self, batch_size: int, *, shuffle: bool, seed: int) -> "WindowSampler":
        """Give proteins in random order."""
        return WindowSampler(self, batch_size, shuffle=shuffle, seed=seed)

    def collate(self, numbers: list[int]) -> Batch:
        """Cut, mask and pad windows.

        Of the chosen 15 % of the residues, 80 % are masked, 10 % replaced and 10 % left (Devlin et al. 2019).

        Returns
        -------
        dict
            ``input_ids``, ``attention_mask`` and ``labels`` (windows, tokens); labels are -100 where nothing is asked.
        """
        generator = np.random.default_rng((*self.order, *numbers[:4]))
        index = np.asarray(numbers)
        lengths = np.minimum(self.lengths[index], self.window)
        offset = (generator.random(len(index)) * (self.lengths[index] - lengths + 1)).astype(np.int64)
        columns = np.arange(lengths.max())
        inside = columns < lengths[:, None]
        tokens = self.residues[(self.starts[index] + offset)[:, None] + np.where(inside, columns, 0)].astype(np.int64)
        tokens[~inside] = PAD
        chosen = inside & (tokens >= FIRST_RESIDUE) & (generator.random(tokens.shape) < MASKED_SHARE)
        labels = np.where(chosen, tokens, IGNORED)
        lot = generator.random(tokens.shape)
        tokens[chosen & (lot < 0.8)] = MASK
        replaced = chosen & (lot >= 0.9)
        tokens[replaced] = generator.integers(FIRST_RESIDUE, len(VOCABULARY), replaced.sum())
        first = np.full((len(index), 1), CLS)
        return {
            "input_ids": torch.from_numpy(np.concatenate([first, tokens], axis=1)),
            "attention_mask": torch.from_numpy(np.pad(inside, ((0, 0), (1, 0)), constant_values=True).astype(np.int64)),
            "labels": torch.from_numpy(np.pad(labels, ((0, 0), (1, 0)), constant_values=IGNORED)),
        }

    def fingerprint(self) -> str:
        """Give a SHA-256 of the proteins and the window."""
        return hashlib.sha256(self.residues.tobytes() + self.starts.tobytes() + bytes(self.window)).hexdigest()


class WindowSampler:
    """Protein numbers of every batch; the epoch also draws the windows and masks."""

    def __init__(self, data: WindowData, batch_size: int, *, shuffle: bool, seed: int) -> None:
        self.data = data
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.seed = seed
        self.epoch = 0

    def __len__(self) -> int:
        return -(-len(self.data) // self.batch_size)

    def set_epoch(self, epoch: int) -> None:
        """Choose the order."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[list[int]]:
        self.data.order = (self.seed, self.epoch)
        count = len(self.data)
        order = np.random.default_rng(self.data.order).permutation(count) if self.shuffle else np.arange(count)
        for first in range(0, count, self.batch_size):
            yield order[first : first + self.batch_size].tolist()


def read_windows(path: Path, *, max_seq_length: int | None = None) -> WindowData:
    """Read a FASTA of proteins; windows are 128 residues long unless another length is given."""
    return WindowData([sequence for _, sequence in read_proteins(path)], max_seq_length or DEFAULT_WINDOW)


def rows(outputs: ModelOutput, batch: Batch) -> Tensor:
    """Give the logits over the vocabulary at the masked positions, shape (positions, vocabulary)."""
    return outputs.logits[batch["labels"] != IGNORED]


def targets(batch: Batch) -> Tensor:
    """Give the residues that were masked, shape (positions, 1)."""
    return batch["labels"][batch["labels"] != IGNORED][:, None]


def hard_loss(outputs: ModelOutput, batch: Batch) -> Tensor:
    """Cross-entropy at the masked positions."""
    return F.cross_entropy(rows(outputs, batch).float(), targets(batch)[:, 0])


def metrics(predicted: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Measure how often the masked residue is the most probable one, and the perplexity."""
    logits = torch.from_numpy(predicted)
    loss = F.cross_entropy(logits, torch.from_numpy(truth[:, 0]))
    return {"accuracy": float((predicted.argmax(-1) == truth[:, 0]).mean()), "perplexity": float(loss.exp())}


MASKED_LM = Task(
    name="masked-lm",
    model_class=PMHCForMaskedLM,
    read=read_windows,
    link="softmax",
    rows=rows,
    hard_loss=hard_loss,
    targets=targets,
    metrics=metrics,
    best_metric="accuracy",
    cacheable=False,
    pipeline_tag="fill-mask",
)
