"""Changes of proteins in a VCF that the Ensembl Variant Effect Predictor has annotated."""

import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, TextIO
from urllib.parse import unquote

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.mutations import (
    FRAMESHIFT,
    START_OR_END,
    Change,
    Mutation,
    mutation,
    read_change,
    read_mutations,
)
from pmhc_distil.sequences.text_files import open_text

_FORMAT = re.compile(r'##INFO=<ID=CSQ,.*Format: ?([^">]+)')
_CHANGING = {
    "missense_variant",
    "inframe_insertion",
    "inframe_deletion",
    "protein_altering_variant",
    "frameshift_variant",
    "stop_gained",
    "stop_lost",
    "start_lost",
    "coding_sequence_variant",
}
"""Consequences that change the protein, as Ensembl names them."""
_OWN_NAMES = ("ENSP", "Feature")
_GENE_NAMES = ("SWISSPROT", "SYMBOL", "Gene")
_PLACE = re.compile(r"(\d+)(?:-(\d+))?(?:/(\d+))?")


class Changes(NamedTuple):
    """What a file tells of changes of proteins.

    Attributes
    ----------
    mutations : list of Mutation
        Those of one line, allele and gene have the same ``variant`` and follow each other.
    silent : int
        Variants that change no protein.
    failed : int
        Variants that change one, and did not pass all filters of the caller.
    """

    mutations: list[Mutation]
    silent: int
    failed: int


def read_changes(path: str | Path, *, pass_only: bool = False) -> Changes:
    """Read the protein changes of a VCF or of a table, which are told apart by the first line.

    Of every allele of a variant the transcripts whose protein changes are read, or only the picked ones if VEP has
    picked any.

    Parameters
    ----------
    path : str or Path
        Plain or gzip: a VCF with ``CSQ`` in INFO and its format in the header, or what
        :func:`~pmhc_distil.sequences.mutations.read_mutations` reads.
    pass_only : bool
        Leave out variants of a VCF whose FILTER is neither PASS nor missing.

    Raises
    ------
    InputError
        If the file cannot be read, has no annotation, or a line is no variant; or as ``read_mutations``; or if only
        what passed is to be read, and the file is no VCF.
    """
    stream = open_text(path)
    is_vcf = stream.readline().startswith("##fileformat=VCF")
    stream.seek(0)
    if is_vcf:
        return _read_vcf(stream, str(path), pass_only)
    if pass_only:
        raise InputError("only a VCF tells which variants passed their filters", source=str(path), value="--pass-only")
    return Changes(read_mutations(path, stream), 0, 0)


def _read_vcf(stream: TextIO, source: str, pass_only: bool) -> Changes:
    fields: list[str] | None = None
    found: list[Mutation] = []
    silent = failed = 0
    for row, line in enumerate(stream, 1):
        if line.startswith("#"):
            if match := _FORMAT.match(line):
                fields = match[1].strip().split("|")
            continue
        if not line.strip():
            continue
        if fields is None:
            hint = "annotate it with vep --vcf --symbol --protein --hgvs"
            raise InputError("no CSQ with its format in the header", source=source, row=row, hint=hint)
        cells = line.rstrip("\n").split("\t")
        if len(cells) < 8:
            reason = f"a variant has at least 8 fields, and this has {len(cells)}"
            raise InputError(reason, source=source, row=row, value=line.strip())
        info = dict(part.partition("=")[::2] for part in cells[7].split(";"))
        entries = [dict(zip(fields, text.split("|"), strict=False)) for text in info.get("CSQ", "").split(",") if text]
        made = list(_mutations(entries, f"{row} {cells[0]}:{cells[1]} {cells[3]}>{cells[4]}"))
        passed = cells[6] in ("PASS", ".", "")
        silent += not made
        failed += bool(made) and not passed
        if passed or not pass_only:
            found += made
    if fields is None:
        raise InputError("no CSQ with its format in the header", source=source, hint="annotate it with vep --vcf")
    return Changes(found, silent, failed)


def _mutations(entries: list[dict[str, str]], where: str) -> Iterator[Mutation]:
    """Read the changes of a line, those of one allele and gene after each other."""
    readings: dict[tuple[str, str], list[dict[str, str]]] = {}
    picked = {entry.get("Allele") for entry in entries if entry.get("PICK") == "1"}
    for entry in entries:
        left_out = entry.get("Allele") in picked and entry.get("PICK") != "1"
        if not left_out and _CHANGING & set(entry.get("Consequence", "").split("&")):
            key = entry.get("Allele", ""), entry.get("SYMBOL") or entry.get("Gene") or ""
            readings.setdefault(key, []).append(entry)
    for (allele, gene), same in readings.items():
        for entry in same:
            protein, _, hgvs = unquote(entry.get("HGVSp", "")).rpartition(":")
            own = dict.fromkeys(filter(None, [protein, *map(entry.get, _OWN_NAMES)]))
            names = dict.fromkeys([*own, *filter(None, map(entry.get, _GENE_NAMES))])
            made = _mutation(entry, tuple(names), hgvs, f"{where} {allele} {gene}")
            yield replace(made, own_names=len(own))


def _mutation(entry: Mapping[str, str], names: tuple[str, ...], hgvs: str, variant: str) -> Mutation:
    """Read one transcript's change: from residues and position, or from HGVSp where these are missing."""
    consequences = entry.get("Consequence", "").split("&")
    old, slash, new = entry.get("Amino_acids", "").partition("/")
    place = _PLACE.fullmatch(entry.get("Protein_position", ""))
    text = hgvs or f"{old}{entry.get('Protein_position', '')}{new}"
    if "frameshift_variant" in consequences:
        return Mutation(names, text, None, FRAMESHIFT, variant)
    if "start_lost" in consequences:
        return Mutation(names, text, None, START_OR_END, variant)
    if not slash or place is None or set(old + new) & set("*X?"):
        if hgvs:
            return mutation(names, hgvs, variant)
        reason = f"no residues and position in the annotation ({', '.join(consequences)})"
        if set(old + new) & set("*X?"):
            reason = f"the change {old}/{new} makes no peptide that can be told from the protein alone"
        return Mutation(names, text, None, reason, variant)
    start, length = int(place[1]), int(place[3]) if place[3] else None
    old, new = old.replace("-", ""), new.replace("-", "")
    change = Change(start, start + len(old) - 1, ((start, old),) if old else (), new, length=length)
    if not old:  # an insertion between two residues, which HGVSp names
        change = replace(change, start=start + 1, end=start)
        with contextlib.suppress(InputError):
            change = replace(read_change(hgvs), length=length)
    return Mutation(names, text, change, variant=variant)
