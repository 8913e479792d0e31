"""Grooves are read off the right residues, or not at all."""

import gzip
import random

import pytest

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.groove_derivation import derive_groove_table
from pmhc_distil.sequences.groove_table import format_groove_table, groove_table, parse_groove_table
from pmhc_distil.sequences.grooves import GROOVE_POSITIONS, REFERENCE, place, read_mhc_fasta

A0201 = "YFAMYGEKVAHTHVDTLYVRYHYYTWAVLAYTWY"
SIGNAL = "MAVMAPRTLVLLLSGALALTQTWA"
ALPHA3 = "DAPKTHMTHHAVSDHEATLRCWALSFYPAEITLTWQRDGEDQTQDTELVETRPAGDGTFQKWAAVVVPSGQEQRYTCHVQHEGLPKPLTLRW"
FULL = SIGNAL + REFERENCE + ALPHA3
MOUSE_KB = (
    "GPHSLRYFVTAVSRPGLGEPRYMEVGYVDDTEFVRFDSDAENPRYEPRARWMEQEGPEYWERETQKAKGNEQSFRVDLRTLLGYYNQSKGGSHTIQVISGCEVGSDGRLL"
    "RGYQQYAYDGCDYIALNEDLKTWTAADMAALITKHKWEQAGEAERLRAYLEGTCVEWLRRYLKNGNATLLRTDSPKAHVTHHSRPEDKVTLRCWALGFYPADITLTW"
)
DRB1 = (
    "GDTRPRFLWQLKFECHFFNGTERVRLLERCIYNQEESVRFDSDVGEYRAVTELGRPDAEYWNSQKDLLEQRRAAVDTYCRHNYGVGESFTVQRRVEPKVTVYPSKTQPLQ"
    "HHNLLVCSVSGFYPGSIEVRWFRNGQEEKAGVVSTGLIQNGDWTFQTLVMLETVPRSGEVYTCQVEHPSVTSPLTVEWRARSESAQSKMLSGVGGFVLGLLFLGAGL"
)


@pytest.mark.parametrize("sequence", [FULL, REFERENCE, REFERENCE[6:], "M" * 40 + FULL, SIGNAL[5:] + REFERENCE[:171]])
def test_groove_does_not_depend_on_what_surrounds_the_domains(sequence):
    """A signal peptide of unusual length, or none, shifts every residue of the groove."""
    assert place(sequence).groove == A0201


@pytest.mark.parametrize("position", [3, 50, 90, 130, 165, 170])
def test_insertions_and_deletions_do_not_shift_the_groove(position):
    """A placement without gaps reads wrong residues behind an indel, which still look like a groove."""
    inserted = FULL[: 24 + position] + "G" + FULL[24 + position :]
    placed = place(inserted)
    wrong = sum(a != b for a, b in zip(placed.groove, A0201, strict=True))
    assert wrong <= 1
    assert place(inserted).groove[0] == "Y" and placed.groove[-1] == "Y"
    deleted = place(FULL[: 24 + position - 1] + FULL[24 + position :])
    assert sum(a != b for a, b in zip(deleted.groove, A0201, strict=True)) <= 1


def test_partial_or_ambiguous_sequences_have_no_groove():
    """A groove with a guess in it gives a score for an allele that nobody has sequenced."""
    assert place(REFERENCE[:170]).missing
    assert place(REFERENCE[:170]).missing == (171,)
    assert place(REFERENCE[7:]).missing
    for letter in "X*B":
        assert place(REFERENCE[:44] + letter + REFERENCE[45:]).missing
    assert place("").missing


def test_positions_that_are_not_in_the_groove_do_not_matter():
    """An off-by-one in the numbering of the mature chain."""
    for position in range(1, 183):
        changed = place(REFERENCE[: position - 1] + "C" + REFERENCE[position:])
        assert (changed.groove != A0201) == (position in GROOVE_POSITIONS and REFERENCE[position - 1] != "C")


def test_mouse_class_one_aligns_without_gaps():
    """Users with another species must get its true groove: Tyr 7, 59, 84, 159 and 171 are conserved."""
    placed = place(MOUSE_KB)
    assert placed.groove == "YVEYYREKAGNSFVDTLYIVSQYYTWAELAYTWY"
    assert "-" not in placed.residues


def write_fasta(path, records):
    path.write_text("".join(f">{title}\n{sequence}\n" for title, sequence in records))
    return path


def test_user_fasta_takes_proteins_and_grooves(tmp_path):
    """Full length, mature chain, bare groove, lower case, gzip and Windows line ends are all one thing."""
    lower = FULL.lower()
    text = f">full chain one\r\n{lower[:100]}\r\n{lower[100:]}*\r\n\r\n>H-2-Kb\r\n{MOUSE_KB}\r\n>g\r\n{A0201}\r\n"
    plain, packed = tmp_path / "mhc.fasta", tmp_path / "mhc.fasta.gz"
    plain.write_bytes(text.encode())
    packed.write_bytes(gzip.compress(text.encode()))
    assert read_mhc_fasta(plain) == read_mhc_fasta(packed)
    assert list(read_mhc_fasta(plain)) == ["full", "H-2-Kb", "g"]
    assert read_mhc_fasta(plain)["full"] == read_mhc_fasta(plain)["g"] == A0201


RANDOM_PROTEIN = "".join(random.Random(1).choices("ACDEFGHIKLMNPQRSTVWY", k=300))


@pytest.mark.parametrize(
    ("records", "row", "reason"),
    [
        ([("a", FULL), ("a", FULL)], 2, "twice"),
        ([("a", FULL), ("DRB1", DRB1)], 2, "not an MHC class I heavy chain"),
        ([("random", RANDOM_PROTEIN)], 1, "not an MHC class I heavy chain"),
        ([("short", REFERENCE[:150])], 1, "missing mature residues 152, 156, 158, 159, 163, 167, 171"),
        ([("x", REFERENCE[:44] + "X" + REFERENCE[45:])], 1, "missing mature residues 45"),
        ([("digits", "MAV1")], 1, "letters that are no residues"),
        ([("empty", "")], 1, "without a sequence"),
        ([("", FULL)], 1, "without an id"),
        ([("groove", A0201[:-1] + "X")], 1, "X171"),
        ([("groove", A0201[::-1])], 1, "not an MHC class I groove"),
        ([("B*07:02", FULL)], 1, "the id names HLA-B*07:02"),
    ],
)
def test_user_fasta_refuses(tmp_path, records, row, reason):
    """A record that is no class I chain, or claims another's name, must not be scored in silence."""
    with pytest.raises(InputError) as caught:
        read_mhc_fasta(write_fasta(tmp_path / "mhc.fasta", records))
    assert reason in str(caught.value)
    assert caught.value.row == row
    assert caught.value.source == str(tmp_path / "mhc.fasta")


def test_user_fasta_accepts_the_name_of_an_allele_with_its_own_groove(tmp_path):
    """A file of known alleles, as downloaded, is no mistake; an allele without a known groove may be supplied."""
    records = [("A*02:01", FULL), ("A*01:417N", FULL)]
    assert read_mhc_fasta(write_fasta(tmp_path / "mhc.fasta", records)) == {"A*02:01": A0201, "A*01:417N": A0201}


def test_user_fasta_missing_empty_or_not_fasta(tmp_path):
    """No file, an empty one and a bare sequence end in one line, not in a traceback or an empty result."""
    empty, bare = tmp_path / "empty.fasta", tmp_path / "bare.fasta"
    empty.write_text("")
    bare.write_text(FULL)
    for path, reason in (
        (tmp_path / "none.fasta", "no such file"),
        (empty, "no FASTA records"),
        (bare, "before the first"),
    ):
        with pytest.raises(InputError, match=reason):
            read_mhc_fasta(path)


def shifted(position):
    """Return a full-length chain that is read in another frame from a mature position on."""
    return FULL[: 23 + position] + RANDOM_PROTEIN[:100]


def test_derivation_folds_names_and_keeps_expression(tmp_path):
    """A suffix of one member must not mark its expressed relatives, nor be lost for itself."""
    path = write_fasta(
        tmp_path / "A_prot.fasta",
        [
            ("HLA:1 A*02:01:01:01 365 bp", FULL),
            ("HLA:2 A*02:01:01:02L 365 bp", FULL),
            ("HLA:3 A*02:01:02 273 bp", REFERENCE[:150]),
            ("HLA:4 A*02:01:03N 365 bp", shifted(120)),
            ("HLA:5 A*03:09N 365 bp", FULL),
            ("HLA:6 A*03:10N 365 bp", shifted(169)),
            ("HLA:7 A*03:11 90 bp", REFERENCE[:90]),
            ("HLA:8 DRB1*01:01 90 bp", DRB1),
        ],
    )
    derived = derive_groove_table([path], "1.2.3")
    table = derived.table
    assert (derived.n_records, derived.n_ignored) == (8, 1)
    assert table.names == ("HLA-A*02:01", "HLA-A*03:09")
    assert [table.expression(name) for name in table.names] == ["", "N"]
    assert table.members == {"HLA-A*02:01:01:02": "L", "HLA-A*02:01:03": "N"}
    assert table.incomplete == {"HLA-A*03:10": "N", "HLA-A*03:11": ""}
    again = parse_groove_table(format_groove_table(table))
    assert (again.release, again.grooves, again.suffixes) == ("1.2.3", table.grooves, table.suffixes)
    assert (again.members, again.incomplete) == (table.members, table.incomplete)


def test_derivation_refuses_members_that_disagree(tmp_path):
    """Two proteins under one name: picking either would be a silent mistake."""
    other = REFERENCE[:8] + "Y" + REFERENCE[9:]
    path = write_fasta(tmp_path / "A.fasta", [("HLA:1 A*02:01:01 9 bp", FULL), ("HLA:2 A*02:01:02 9 bp", other)])
    with pytest.raises(InputError, match="different grooves"):
        derive_groove_table([path], "1")


def test_shipped_table():
    """The table in the package is whole, ordered and reproducible, and has the published grooves."""
    table = groove_table()
    assert table.groove("HLA-A*02:01") == A0201
    assert table.groove("HLA-B*07:02") == "YYSEYRNIYAQTDESNLYLSYDYYTWAERAYEWY"
    assert table.release == "3.58.0"
    assert len(table) == len(table.names) > 16_000
    assert table.names[:2] == ("HLA-A*01:01", "HLA-A*01:02")
    assert table.names.index("HLA-B*18:02") < table.names.index("HLA-B*18:177")
    assert {len(groove) for groove in table.unique_grooves()} == {34}
    assert sum(len(table.names_of(groove)) for groove in table.unique_grooves()) == len(table)
    assert not set(table.incomplete) & set(table.names)
    assert table.expression("HLA-A*24:09") == "N"
    assert format_groove_table(table) == format_groove_table(parse_groove_table(format_groove_table(table)))
