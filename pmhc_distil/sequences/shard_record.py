"""What is known of one shard of a table: written beside it, so that only what belongs together is ever joined.

The record of ``predictions.3.csv`` is ``predictions.3.csv.shard.json``.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.files import atomic_path
from pmhc_distil.sequences.journal import Tally
from pmhc_distil.sequences.shards import Shard


@dataclass(frozen=True)
class ShardRecord:
    """What is known of one shard of a table.

    Attributes
    ----------
    shard : Shard
    facts : dict
        What the rows depend on; the same for all shards of a table.
    tally : Tally
    format : str
        As :func:`~pmhc_distil.sequences.formats.choose_format` gives it.
    header : int
        Bytes of text before the first row.
    sha256 : str
        Of the file.
    """

    shard: Shard
    facts: dict[str, Any]
    tally: Tally
    format: str
    header: int
    sha256: str

    def save(self, table: str | Path) -> None:
        """Write it beside its table."""
        with atomic_path(record_path(table)) as path:
            path.write_text(json.dumps(asdict(self), indent=1, sort_keys=True) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, table: str | Path) -> "ShardRecord":
        """Read the record of a table.

        Raises
        ------
        InputError
            If there is none, or it is damaged.
        """
        path = record_path(table)
        try:
            entry = json.loads(path.read_text(encoding="utf-8"))
            record = cls(**{**entry, "shard": Shard(**entry["shard"]), "tally": Tally(**entry["tally"])})
            kinds = (record.facts, dict), (record.format, str), (record.header, int), (record.sha256, str)
            numbers = ((number, int) for part in (record.shard, record.tally) for number in vars(part).values())
            if not all(isinstance(value, kind) for value, kind in (*kinds, *numbers)):
                raise TypeError
            return record
        except FileNotFoundError as error:
            hint = f"{path.name} is written with it by predict --shard and scan --shard, and must stay beside it"
            raise InputError("there is no record of its shard", source=str(table), hint=hint) from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                "the record of a shard is damaged", source=str(path), hint="run its shard again"
            ) from error


def record_path(table: str | Path) -> Path:
    """Tell where the record of a table is."""
    return Path(f"{table}.shard.json")
