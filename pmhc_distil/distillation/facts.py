"""What a model tells of its training data: hashes of the pairs, and counts of every allele.

They are its own, which ``pmhc-distil data prepare`` left beside the training table, and those of the models that it
begins from and learns from.
"""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from pmhc_distil.models.hf.loading import load_config
from pmhc_distil.sequences.csv_tables import write_csv
from pmhc_distil.sequences.explain import TRAINING_FILE, TrainingCounts, read_training_alleles
from pmhc_distil.sequences.hla import resolve_allele
from pmhc_distil.sequences.overlap import HASHES_FILE, TrainingHashes, hash_pairs


@dataclass(frozen=True)
class TrainingFacts:
    """What is known of the data that a model was trained on.

    Attributes
    ----------
    hashes : TrainingHashes
        Of its pairs and their peptides.
    counts : mapping of str to TrainingCounts
        By canonical name of the allele; empty if nobody counted.
    """

    hashes: TrainingHashes
    counts: Mapping[str, TrainingCounts]

    @classmethod
    def read(cls, folder: Path) -> "TrainingFacts | None":
        """Read what is beside a training table or in a model folder; None if there are no hashes."""
        hashes, counts = folder / HASHES_FILE, folder / TRAINING_FILE
        if not hashes.is_file():
            return None
        return cls(TrainingHashes.read(hashes), read_training_alleles(counts) if counts.is_file() else {})

    def are_of(self, table: Path) -> bool:
        """Tell whether a training table (CSV) has these pairs, and as many of every allele."""
        try:
            frame = pd.read_csv(table, usecols=["peptide", "allele", "label", "affinity_nm"])
        except (OSError, EOFError, zlib.error, ValueError):
            return False
        names = {name: resolve_allele(str(name)).name for name in frame["allele"].unique()}
        frame["allele"] = frame["allele"].map(names)
        frame["ligands"] = frame["label"] == 1
        frame["affinities"] = frame["affinity_nm"].notna()
        measured = frame[frame["ligands"] | frame["affinities"]]
        if not self.hashes.seen(hash_pairs(measured["peptide"], measured["allele"])).all():
            return False
        counted = {name: (count.ligands, count.affinities) for name, count in self.counts.items() if count.total}
        found = measured.groupby("allele")[["ligands", "affinities"]].sum()
        return not counted or counted == dict(zip(found.index, found.itertuples(index=False, name=None), strict=True))

    def union(self, other: "TrainingFacts") -> "TrainingFacts":
        """Join the pairs; of an allele, keep the larger counts, as most pairs may be the same."""
        counts = {
            name: TrainingCounts(max(one.ligands, two.ligands), max(one.affinities, two.affinities))
            for name in {**self.counts, **other.counts}
            for one, two in [(self.counts.get(name, TrainingCounts()), other.counts.get(name, TrainingCounts()))]
        }
        return TrainingFacts(self.hashes.union(other.hashes), counts)

    def write(self, folder: Path) -> None:
        """Write them into a model folder, alleles in the order of their names."""
        self.hashes.write(folder / HASHES_FILE)
        if self.counts:
            rows = [{"allele": name, **asdict(count)} for name, count in sorted(self.counts.items())]
            write_csv(pd.DataFrame(rows), folder / TRAINING_FILE)


def training_facts(train: Path, sources: Sequence[str | Path]) -> tuple[TrainingFacts | None, bool, list[str]]:
    """Join what is known of a training table with what the models tell that a model begins from and learns from.

    Parameters
    ----------
    train : Path
        The table.
    sources : sequence of str or Path
        These models.

    Returns
    -------
    TrainingFacts, optional
        None if there is nothing beside the table, or what is of another one.
    bool
        Whether what is beside the table is not of another one.
    list of str
        What a user ought to know that the model will not tell.
    """
    facts = TrainingFacts.read(train.parent)
    known = [(source, TrainingFacts.read(Path(source))) for source in sources]
    if facts is not None and not facts.are_of(train):
        return None, False, [f"{train.parent} tells of other training data than {train.name}, so the model does not"]
    if facts is None:
        lost = ", ".join(Path(source).name for source, told in known if told is not None)
        note = f"no {HASHES_FILE} is beside {train}, so the model does not tell what {lost} was trained on either"
        return None, True, [note] if lost else []
    notes = []
    for source, told in known:
        if told is not None:
            facts = facts.union(told)
        elif any("SequenceClassification" in name for name in load_config(source).architectures or ()):
            name = Path(source).name
            notes.append(f"{name} does not tell which pairs it was trained on, so the model tells of the others alone")
    return facts, True, notes
