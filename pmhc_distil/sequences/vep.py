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
    "splice_acceptor_variant",
    "splice_donor_variant",
    "transcript_ablation",
}
"""Consequences that change the protein, as Ensembl names them, or may do so."""
_SPLICING = {"splice_acceptor_variant", "splice_donor_variant"}
_SYMBOLIC = {"<DEL>": "deletion", "<INS>": "insertion", "<DUP>": "duplication"}
"""What VEP calls alleles without a sequence."""
_NO_VCF = ("#CHROM\t", "## ENSEMBL VARIANT EFFECT PREDICTOR")
"""What a VCF without its first line begins with, and VEP's own table."""
_SPLICED = "a change of splicing: the protein after it is not read here"
_OWN_NAMES = ("ENSP", "Feature")
_GENE_NAMES = ("SWISSPROT", "SYMBOL", "Gene")
_FIELDS = ("CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER")
"""What a line of a VCF begins with."""
_PLACE = re.compile(r"(\d+)(?:-(\d+))?(?:/(\d+))?")


class Changes(NamedTuple):
    """What a file tells of changes of proteins.

    Attributes
    ----------
    mutations : list of Mutation
        Those of one line, allele and gene have the same ``variant`` and follow each other.  Of a VCF they have the
        fixed fields of their line, ``CHROM`` to ``FILTER``, as the user's own columns.
    silent : int
        Variants that change no protein.
    bare : int
        Variants without an annotation.
    failed : int
        Variants that change one, and did not pass all filters of the caller.
    absent : int
        Variants that change one, and that the sample which was asked for does not carry.
    samples : tuple of str
        The samples of the VCF.
    """

    mutations: list[Mutation]
    silent: int = 0
    bare: int = 0
    failed: int = 0
    absent: int = 0
    samples: tuple[str, ...] = ()


def read_changes(path: str | Path, *, pass_only: bool = False, sample: str | None = None) -> Changes:
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
    sample : str, optional
        Leave out what this sample of the VCF does not carry by its genotype (GT).

    Raises
    ------
    InputError
        If the file cannot be read, has no annotation, or a line is no variant; or as ``read_mutations``; or if only
        what passed or what a sample carries is to be read, and the file does not tell.
    """
    stream = open_text(path)
    first = stream.readline()
    is_vcf = first.startswith("##fileformat=VCF")
    if first.startswith(_NO_VCF):
        hint = "give the VCF that `vep --vcf --symbol --protein --hgvs` writes, with all of its header"
        raise InputError("not a VCF, but a part or a table of one", source=str(path), row=1, hint=hint)
    stream.seek(0)
    if is_vcf:
        return _read_vcf(stream, str(path), pass_only, sample)
    if pass_only:
        raise InputError("only a VCF tells which variants passed their filters", source=str(path), value="--pass-only")
    if sample is not None:
        raise InputError("only a VCF tells which variants a sample carries", source=str(path), value=sample)
    return Changes(read_mutations(path, stream))


def _read_vcf(stream: TextIO, source: str, pass_only: bool, sample: str | None) -> Changes:
    fields: list[str] | None = None
    samples: tuple[str, ...] = ()
    column: int | None = None
    found: list[Mutation] = []
    silent = bare = failed = absent = 0
    for row, line in enumerate(stream, 1):
        if line.startswith("#"):
            if match := _FORMAT.match(line):
                fields = match[1].strip().split("|")
            if line.startswith("#CHROM"):
                samples = tuple(line.rstrip("\n").split("\t")[9:])
                if sample is not None and sample not in samples:
                    reason = f"the VCF has no such sample; there are: {', '.join(samples) or 'none'}"
                    raise InputError(reason, source=source, row=row, value=sample)
                column = None if sample is None else 9 + samples.index(sample)
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
        changing = _changing(entries)
        silent += bool(entries) and not changing
        bare += not entries
        if changing and sample is not None:
            changing = _carried(changing, cells, _genotype(cells, column, source, row), source, row)
            absent += not changing
        made = list(_mutations(changing, f"{row} {cells[0]}:{cells[1]} {cells[3]}>{cells[4]}"))
        passed = cells[6] in ("PASS", ".", "")
        failed += bool(made) and not passed
        if passed or not pass_only:
            found += [replace(one, own=dict(zip(_FIELDS, cells, strict=False))) for one in made]
    if fields is None:
        raise InputError("no CSQ with its format in the header", source=source, hint="annotate it with vep --vcf")
    return Changes(found, silent, bare, failed, absent, samples)


def _changing(entries: list[dict[str, str]]) -> list[dict[str, str]]:
    """Keep the annotations that change a protein; of an allele of which VEP has picked some, only these."""
    picked = {entry.get("Allele") for entry in entries if entry.get("PICK") == "1"}
    return [
        entry
        for entry in entries
        if (entry.get("PICK") == "1" or entry.get("Allele") not in picked)
        and _CHANGING & set(entry.get("Consequence", "").split("&"))
    ]


def _genotype(cells: list[str], column: int | None, source: str, row: int) -> set[int]:
    """Give the numbers of the alleles that a sample carries, 0 for that of the reference; none if it was not called."""
    keys = cells[8].split(":") if len(cells) > 8 else []
    if "GT" not in keys or column is None or len(cells) <= column:
        hint = "leave out --vcf-sample, or call genotypes"
        raise InputError("the variant has no genotype (GT) of the sample", source=source, row=row, hint=hint)
    values = cells[column].split(":")  # fields at the end may be left out
    text = values[keys.index("GT")] if keys.index("GT") < len(values) else ""
    return {int(number) for number in re.findall(r"\d+", text)}


def _carried(
    entries: list[dict[str, str]], cells: list[str], genotype: set[int], source: str, row: int
) -> list[dict[str, str]]:
    """Keep the annotations of alleles that are in a genotype."""
    names = _names_of_alleles(cells[3], cells[4].split(","))
    kept = []
    for entry in entries:
        number = int(entry["ALLELE_NUM"]) if entry.get("ALLELE_NUM", "").isdigit() else None
        if number is None and len(names) == 1:
            number = 1
        elif number is None:
            if entry.get("Allele") not in names:
                reason, hint = f"the annotation is of none of the alleles {cells[4]}", "annotate with --allele_number"
                raise InputError(reason, source=source, row=row, value=entry.get("Allele", ""), hint=hint)
            number = 1 + names.index(entry["Allele"])
        if number in genotype:
            kept.append(entry)
    return kept


def _names_of_alleles(reference: str, alleles: list[str]) -> list[str]:
    """Name alleles as VEP does: without the first base, where all share one and some differ in length."""
    plain = [allele for allele in alleles if set(allele) <= set("ACGTNacgtn")]
    if len({len(text) for text in (reference, *plain)}) > 1 and len({text[:1] for text in (reference, *plain)}) == 1:
        alleles = [(allele[1:] or "-") if allele in plain else allele for allele in alleles]
    return [_SYMBOLIC.get(allele, allele) for allele in alleles]


def _mutations(entries: list[dict[str, str]], where: str) -> Iterator[Mutation]:
    """Read the changes of a line, those of one allele and gene after each other."""
    readings: dict[tuple[str, str], list[dict[str, str]]] = {}
    for entry in entries:
        key = entry.get("Allele", ""), entry.get("SYMBOL") or entry.get("Gene") or ""
        readings.setdefault(key, []).append(entry)
    for (allele, gene), same in readings.items():
        for entry in same:
            protein, _, hgvs = unquote(entry.get("HGVSp", "")).rpartition(":")
            own = dict.fromkeys(filter(None, [protein, *map(entry.get, _OWN_NAMES)]))
            names = dict.fromkeys([*own, *filter(None, map(entry.get, _GENE_NAMES))])
            made = _mutation(entry, tuple(names), hgvs, f"{where} {allele} {gene}")
            yield replace(made, own_names=len(own))


def _described(old: str, place: re.Match[str] | None, new: str) -> str:
    """Write a substitution or a deletion as HGVS does, ``""`` where there is another change."""
    if place is None or not old.isalpha() or not (new.isalpha() or new == "-"):
        return ""
    if len(old) == len(new) == 1 and new != "-":
        return f"{old}{place[1]}{new}"
    span = f"{old[0]}{place[1]}" + (f"_{old[-1]}{place[2]}" if place[2] else "")
    return span + ("del" if new == "-" else f"delins{new}")


def _mutation(entry: Mapping[str, str], names: tuple[str, ...], hgvs: str, variant: str) -> Mutation:
    """Read one transcript's change: from residues and position, or from HGVSp where these are missing."""
    consequences = entry.get("Consequence", "").split("&")
    old, slash, new = entry.get("Amino_acids", "").partition("/")
    place = _PLACE.fullmatch(entry.get("Protein_position", ""))
    text = hgvs or _described(old, place, new) or f"{old}{entry.get('Protein_position', '')}{new}"
    if "frameshift_variant" in consequences:
        return Mutation(names, text, None, FRAMESHIFT, variant)
    if "start_lost" in consequences:
        return Mutation(names, text, None, START_OR_END, variant)
    if _SPLICING & set(consequences) and not slash:
        return Mutation(names, hgvs or entry.get("HGVSc", "").rpartition(":")[2], None, _SPLICED, variant)
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
