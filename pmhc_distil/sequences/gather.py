"""Shards joined into the table of one run, once it is certain that they are all there and belong together."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.files import check_not_input, file_sha256
from pmhc_distil.sequences.formats import PEER_FORMATS, STDOUT, choose_format
from pmhc_distil.sequences.journal import Tally
from pmhc_distil.sequences.shard_record import ShardRecord
from pmhc_distil.sequences.text_files import open_unpacked, pieces
from pmhc_distil.sequences.writers import open_predictions, open_raw

if TYPE_CHECKING:
    from pmhc_distil.sequences.parquet import ParquetPredictionWriter


def gather(tables: Sequence[str | Path], destination: str | Path) -> Tally:
    """Join shards, whatever their order, into what one run would have written.

    Parameters
    ----------
    tables : sequence of str or Path
        All shards of one table.
    destination : str or Path
        As for :func:`~pmhc_distil.sequences.writers.open_predictions`; in the format of the shards, packed or not.

    Returns
    -------
    Tally
        Of all shards.

    Raises
    ------
    InputError
        If a shard is missing, there twice, damaged, of another run than the first, or `destination` itself.
    """
    check_not_input(destination, *tables)
    found = sorted(((str(table), ShardRecord.load(table)) for table in tables), key=lambda pair: pair[1].shard.number)
    _check_same(found)
    _check_complete(found)
    format = found[0][1].format
    known = choose_format(destination, format if format in PEER_FORMATS or str(destination) == STDOUT else None)
    if known != format:
        hint = f"end its name as those of the shards, such as {Path(found[0][0]).name}"
        raise InputError(f"the shards are {format}, but this name asks for {known}", source=str(destination), hint=hint)
    for table, record in found:
        if file_sha256(table) != record.sha256:
            raise InputError("is not what was written", source=table, hint="copy it anew, or run its shard again")
    if format == "parquet":
        _join_parquet([table for table, _ in found], destination)
    else:
        with open_raw(destination) as raw:
            for piece in _joined(found):
                raw.write(piece)
    return sum((record.tally for _, record in found), Tally())


def _check_same(found: Sequence[tuple[str, ShardRecord]]) -> None:
    """Refuse shards of several tables."""
    first, expected = found[0][0], _described(found[0][1])
    for table, record in found:
        known = _described(record)
        for name in dict.fromkeys((*expected, *known)):
            if known.get(name) != expected.get(name):
                computed = name in ("precision", "backend")
                alike = "run all with --precision single --device cpu" if computed else "run all shards alike"
                hint = f"{first} has '{_short(expected.get(name))}'; {alike}"
                raise InputError(
                    f"the shard has another {name}", source=table, value=_short(known.get(name)), hint=hint
                )


def _described(record: ShardRecord) -> dict[str, Any]:
    options = record.facts.get("options", {})
    facts = {name: value for name, value in record.facts.items() if name != "options"}
    named = {f"--{name.rstrip('_').replace('_', '-')}": value for name, value in options.items()}
    return {"number of shards": record.shard.of, "format": record.format, **facts, **named}


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 40 else text[:12] + "..."  # such as a digest


def _check_complete(found: Sequence[tuple[str, ShardRecord]]) -> None:
    """Refuse a shard that is missing, or there twice."""
    seen: dict[int, str] = {}
    for table, record in found:
        before = seen.setdefault(record.shard.number, table)
        if before != table or sum(other == table for other, _ in found) > 1:
            raise InputError(f"shard {record.shard} is given twice", source=table, hint=f"also by {before}")
    of = found[0][1].shard.of
    if missing := [str(number) for number in range(1, of + 1) if number not in seen]:
        listed = ", ".join(missing[:10]) + (", ..." if len(missing) > 10 else "")
        hint = "run them with --shard, or give their files as well"
        raise InputError(f"{len(missing)} of {of} shards are missing: {listed}", source=found[0][0], hint=hint)


def _joined(found: Sequence[tuple[str, ShardRecord]]) -> Iterator[bytes]:
    header = b""
    for number, (table, record) in enumerate(found):
        with open_unpacked(table) as file:
            own = file.read(record.header)
            if number == 0:
                header = own
                yield header
            elif own != header:
                raise InputError("the shard has another header", source=table, hint=f"compare it with {found[0][0]}")
            yield from pieces(file)


def _join_parquet(tables: Sequence[str], destination: str | Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with open_predictions(destination, "parquet") as opened:
        writer = cast("ParquetPredictionWriter", opened)
        for table in tables:
            with pq.ParquetFile(table) as file:
                writer.write_table(file.schema_arrow.empty_table())
                for batch in file.iter_batches():
                    writer.write_table(pa.Table.from_batches([batch]))
