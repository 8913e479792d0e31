"""The shipped table of HLA class I names and grooves: the authority on which alleles exist.

The file is a gzip'd text of comment lines, a header and one line per distinct groove with every two-field name that has
it.  A name carries its expression suffix (``A*24:09N``) only where each of its members carries it.  Two more lines keep
what a name alone does not tell: under ``incomplete`` the names whose sequences do not cover the groove, under
``members`` the longer names whose expression differs from that of their two-field allele (``A*24:02:01:02L``).
"""

import gzip
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib import resources

GENES = ("A", "B", "C", "E", "F", "G")
"""The HLA class I genes that have a groove."""

GROOVE_LENGTH = 34

EXPRESSION = {
    "N": "null allele, not expressed at the cell surface, presents no peptide",
    "L": "low expression at the cell surface",
    "S": "secreted, not found at the cell surface",
    "C": "cytoplasmic, not found at the cell surface",
    "A": "aberrant expression, doubtful whether there is a protein",
    "Q": "questionable expression, its mutation disturbs expression in other alleles",
}
"""What the expression suffixes of the nomenclature mean."""

ATTRIBUTION = (
    "Derived from the IPD-IMGT/HLA Database, licence CC BY-ND 4.0",
    "Barker DJ et al., The IPD-IMGT/HLA Database, Nucleic Acids Research 2023, 51:D1053-D1060",
    "Robinson J et al., IPD-IMGT/HLA Database, Nucleic Acids Research 2020, 48:D948-D955",
)

_HEADER = "groove\tnames"
_INCOMPLETE = "incomplete"
_MEMBERS = "members"
_PREFIX = "HLA-"


def name_order(name: str) -> tuple[str, ...] | tuple[str, int, int]:
    """Sort key of an allele name: gene, then the fields as numbers."""
    match = re.match(r"(?:HLA-)?([A-Z]+)\*(\d+):(\d+)", name)
    return (match[1], int(match[2]), int(match[3])) if match else (name,)


@dataclass(frozen=True, eq=False)
class GrooveTable:
    """Two-field HLA class I names with their groove sequences.

    Attributes
    ----------
    release : str
        Release of IPD-IMGT/HLA from which the table was derived.
    grooves : mapping
        Canonical name (``HLA-A*02:01``) to groove, 34 residues.
    suffixes : mapping
        Canonical name to the expression suffix that all its members carry; names without one are absent.
    incomplete : mapping
        Canonical names without a complete groove, to their suffix or an empty string.
    members : mapping
        Names of three or four fields without their suffix, to a suffix that their two-field name does not carry.
    """

    release: str
    grooves: Mapping[str, str]
    suffixes: Mapping[str, str] = field(default_factory=dict)
    incomplete: Mapping[str, str] = field(default_factory=dict)
    members: Mapping[str, str] = field(default_factory=dict)

    def __contains__(self, name: object) -> bool:
        return name in self.grooves

    def __len__(self) -> int:
        return len(self.grooves)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Canonical names in the order of gene and numeric fields."""
        return tuple(sorted(self.grooves, key=name_order))

    @cached_property
    def _sharing(self) -> dict[str, list[str]]:
        sharing: dict[str, list[str]] = {}
        for name in self.names:
            sharing.setdefault(self.grooves[name], []).append(name)
        return sharing

    def groove(self, name: str) -> str:
        """Return the groove of a canonical name; ``KeyError`` if it is not in the table."""
        return self.grooves[name]

    def expression(self, name: str) -> str:
        """Return the suffix that every member of a canonical name carries (one of N L S C A Q), or an empty string."""
        return self.suffixes.get(name, "")

    def unique_grooves(self) -> list[str]:
        """Return the distinct grooves, in the order of their first names."""
        return list(self._sharing)

    def names_of(self, groove: str) -> list[str]:
        """Return the names that have this groove, in order; none for an unknown groove."""
        return list(self._sharing.get(groove, ()))


@cache
def groove_table() -> GrooveTable:
    """Load the shipped table, once."""
    return parse_groove_table(resources.files("pmhc_distil.sequences").joinpath("grooves.tsv.gz").read_bytes())


def parse_groove_table(data: bytes) -> GrooveTable:
    """Read a table from the bytes that :func:`format_groove_table` made."""
    lines = gzip.decompress(data).decode("ascii").splitlines()
    comments = [line[2:] for line in lines if line.startswith("# ")]
    release = next(line.split(" ", 1)[1] for line in comments if line.startswith("release "))
    grooves: dict[str, str] = {}
    suffixes: dict[str, str] = {}
    incomplete: dict[str, str] = {}
    members: dict[str, str] = {}
    for line in lines[len(comments) + 1 :]:
        groove, names = line.split("\t")
        if groove == _INCOMPLETE:
            incomplete.update(_split(names))
        elif groove == _MEMBERS:
            members.update(_split(names))
        else:
            for name, suffix in _split(names):
                grooves[name] = groove
                if suffix:
                    suffixes[name] = suffix
    return GrooveTable(release, grooves, suffixes, incomplete, members)


def _split(names: str) -> Iterator[tuple[str, str]]:
    for name in names.split(",") if names else ():
        if name[-1].isdigit():
            yield _PREFIX + name, ""
        else:
            yield _PREFIX + name[:-1], name[-1]


def format_groove_table(table: GrooveTable) -> bytes:
    """Write a table as reproducible gzip'd text: the same table gives the same bytes."""
    lines = [f"# release {table.release}", *(f"# {line}" for line in ATTRIBUTION), _HEADER]
    lines += [
        f"{groove}\t{','.join(name.removeprefix(_PREFIX) + table.expression(name) for name in table.names_of(groove))}"
        for groove in table.unique_grooves()
    ]
    for label, names in ((_INCOMPLETE, table.incomplete), (_MEMBERS, table.members)):
        ordered = sorted(names, key=lambda name: (name_order(name), name))
        lines.append(f"{label}\t{','.join(name.removeprefix(_PREFIX) + names[name] for name in ordered)}")
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=buffer, compresslevel=9, mtime=0) as stream:
        stream.write(("\n".join(lines) + "\n").encode("ascii"))
    return buffer.getvalue()
