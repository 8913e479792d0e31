"""Every spelling gives the allele that was meant, or a refusal."""

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.explain import (
    ENOUGH_LIGANDS,
    TrainingCounts,
    TrainingDistance,
    explain_allele,
    read_training_alleles,
)
from pmhc_distil.sequences.groove_distance import groove_distance, nearest_allele
from pmhc_distil.sequences.groove_table import GrooveTable, groove_table
from pmhc_distil.sequences.hla import (
    _REASSIGNED,
    Allele,
    look_up_allele,
    resolve_allele,
)
from pmhc_distil.sequences.hla_search import search_names

NAMES = groove_table().names
SPELLINGS = (
    "A*02:01",
    "HLA-A*02:01",
    "HLA-A0201",
    "hla_a_02_01",
    "A*02:01:01:01",
    "A0201",
    "HLA-A02:01",
    "A02:01",
    "A*0201",
    "A*2:01",
    "HLA-A-02-01",
    "HLA.A.02.01",
    "HLAA0201",
    "A020101",
    "A02010101",
    ' "A 02 01" ',
    "'HLA-A*02:01'\r\n",
    "A\uff0a02\uff1a01",
    "human A0201",
)


@pytest.mark.parametrize("text", SPELLINGS)
def test_spellings_give_one_name(text):
    """Users try spelling after spelling because every tool wants its own."""
    allele = resolve_allele(text)
    assert (allele.name, allele.requested, allele.warning) == ("HLA-A*02:01", text, "")
    assert allele.groove == groove_table().groove("HLA-A*02:01")


@pytest.mark.parametrize("text", ["B*18:177", "hla_b_18_177", "HLA-B18177", "B*18:177:01", "B18177"])
def test_three_digit_fields_stay_whole(text):
    """B*18:177 cut to B*18:17 is the score of an allele that the patient does not carry."""
    assert resolve_allele(text).name == "HLA-B*18:177"


def test_a_longer_field_is_not_cut_to_a_known_one():
    """A*02:9999 does not exist; its digits, read as A*02:99:99, would."""
    for text in ("A*02:9999", "B*57:99999", "hla_a_02_9999", "A*02:1", "A*02:001", "HLA-A0201:01"):
        with pytest.raises(InputError, match="no such allele"):
            resolve_allele(text)
    assert resolve_allele("A*02:10").name != resolve_allele("A*02:1010").name


def test_digits_that_can_be_read_in_two_ways_are_refused():
    """A021010 is A*02:10:10 or A*02:1010: nobody can know."""
    for text in ("A021010", "HLA-B1817701"):
        with pytest.raises(InputError, match="ambiguous"):
            resolve_allele(text)


def spellings_of(name):
    """Return strategies for the unambiguous spellings of a canonical name."""
    gene, fields = name.removeprefix("HLA-").split("*")
    first, second = fields.split(":")
    prefix = st.sampled_from(["", "HLA-", "hla_", "HLA ", "hla"])
    separated = st.sampled_from([":", "_", "-", " ", "."]).flatmap(
        lambda sep: st.sampled_from(["", f"{sep}01", f"{sep}01{sep}99"]).map(lambda more: f"{first}{sep}{second}{more}")
    )
    digits = separated if len(second) == 4 else separated | st.just(first + second)
    case = st.sampled_from([str.upper, str.lower])
    quote = st.sampled_from(["", " ", '"', "'"])
    return st.builds(
        lambda start, star, body, change, mark: mark + change(start + gene + star + body) + mark,
        prefix,
        st.sampled_from(["*", "_", "-", ""]),
        digits,
        case,
        quote,
    )


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(NAMES).flatmap(lambda name: st.tuples(st.just(name), spellings_of(name))))
def test_any_spelling_of_any_name_comes_back(drawn):
    """A spelling rule that works for A*02:01 and confuses two of the other sixteen thousand."""
    name, text = drawn
    allele = resolve_allele(text)
    withdrawn = {f"HLA-{new}" for new in _REASSIGNED.values()}
    assert allele.name == name or (allele.name in withdrawn and allele.warning)


def test_every_canonical_name_resolves_to_itself():
    """A name that is listed but cannot be requested."""
    for name in NAMES:
        allele = look_up_allele(name)
        assert allele is not None and allele.name == name
        assert bool(allele.warning) == bool(groove_table().expression(name))


@pytest.mark.parametrize("text", ["A*24:09N", "A*24:09", "a*24:09n", "HLA-A2409N", "A*24:09:01N"])
def test_null_alleles_warn_with_and_without_their_suffix(text):
    """A null allele presents nothing: a high score without a word is a lie."""
    allele = resolve_allele(text)
    assert allele.name == "HLA-A*24:09"
    assert "HLA-A*24:09N: null allele" in allele.warning


def test_a_suffix_of_one_member_marks_that_member_only():
    """A*24:02:01:02L is low, A*24:02 is not."""
    assert resolve_allele("A*24:02").warning == ""
    assert resolve_allele("A*24:02:01:01").warning == ""
    for text in ("A*24:02:01:02L", "A*24:02:01:02"):
        allele = resolve_allele(text)
        assert allele.name == "HLA-A*24:02"
        assert "HLA-A*24:02:01:02L: low expression" in allele.warning


@pytest.mark.parametrize("suffix", "NLSCAQ")
def test_a_written_suffix_always_warns(suffix):
    """A typer's suffix that the release does not know yet must not be dropped."""
    assert f"A*02:01{suffix}: " in resolve_allele(f"A*02:01{suffix}").warning
    assert "HLA-A*24:09N" in resolve_allele(f"A*24:09{suffix}").warning


def test_groups_of_the_nomenclature():
    """G and P codes name groups with one groove, and only at the level where the nomenclature has them."""
    assert "G group" in resolve_allele("A*02:01:01G").warning
    assert "P group" in resolve_allele("A*02:01P").warning
    with pytest.raises(InputError):
        resolve_allele("A*02:01G")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("DRB1*01:01", "class II"),
        ("HLA-DPA1*01:03/DPB1*04:01", "class II"),
        ("H-2-Kb", "not a human allele"),
        ("H2-Kb", "not a human allele"),
        ("Mamu-A*01", "not a human allele"),
        ("BoLA-6*01301", "not a human allele"),
        ("HLA-H*01:01", "gene H cannot be scored"),
        ("MICA*002", "gene MICA cannot be scored"),
        ("foo", "not an HLA class I allele name"),
        ("nan", "not an HLA class I allele name"),
        ("", "empty"),
        ("  ", "empty"),
        ("A*99:99", "no such allele"),
        ("A2", "serotype"),
        ("Cw4", "serotype"),
        ("A203", "serotype"),
        ("A*02", "two fields are needed"),
        ("HLA-A", "two fields are needed"),
        ("A*02:01/A*02:02", "ambiguous typing.*choose one"),
        ("HLA-A*02:01/02:09", "ambiguous typing.*choose one"),
        ("A*02:01+A*24:02", "more than one.*--genotype"),
        ("A*02:01 HLA-B*07:02", "more than one"),
        ("A*02:01,A*03:01", "more than one"),
        ("HLA-A*02:01;HLA-B*07:02", "more than one"),
        ("A*02:AB", "a code for several alleles.*choose one"),
        ("HLA-A*02:01 R65A", "not an HLA class I allele name"),
        ("A*01:417N", "no complete groove"),
        ("B*18:17", "no complete groove"),
    ],
)
def test_refusals(text, reason):
    """Nonsense, mouse, class II and names that do not exist must never get a score."""
    with pytest.raises(InputError, match=reason) as caught:
        resolve_allele(text, source="pairs.csv", row=7, column="allele")
    error = caught.value
    assert (error.source, error.row, error.column, error.value) == ("pairs.csv", 7, "allele", text)
    assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("A*02", "HLA-A*02:01 or HLA-A*02:02 or HLA-A*02:03"),
        ("B62", "HLA-B*15:01"),
        ("B*27:5", "HLA-B*27:05"),
        ("A*02:9999", "HLA-A*02:1099"),
        ("A*99:99", "HLA-A*"),
        ("A*24:01", "HLA-A*24:02"),
        ("foo", "write a name such as HLA-A*02:01"),
    ],
)
def test_hints_name_alleles_that_exist(text, hint):
    """A refusal without the way out sends the user to the documentation."""
    with pytest.raises(InputError) as caught:
        resolve_allele(text)
    assert hint in (caught.value.hint or "")
    offered = [word.rstrip("?)") for word in caught.value.hint.split() if word.startswith("HLA-")]
    assert len(offered) <= 3 and all(name in groove_table() for name in offered)


@pytest.mark.parametrize(
    ("text", "name", "warning"),
    [
        ("B*44:01", "HLA-B*44:02", "HLA-B*44:01 is a retired name"),
        ("B4401", "HLA-B*44:02", "retired"),
        ("A*9201", "HLA-A*02:101", "retired"),
        ("A*24:16", "HLA-A*31:08", "retired"),
        ("A*01:34N", "HLA-A*01:01", "low expression"),
        ("A*02:01:08", "HLA-A*02:1040", "withdrawn"),
        ("A*020108", "HLA-A*02:1040", "withdrawn"),
    ],
)
def test_retired_names_resolve_with_a_warning(text, name, warning):
    """Old files hold old names: the replacement must be the right protein, and be named."""
    allele = resolve_allele(text)
    assert allele.name == name
    assert warning in allele.warning


def test_reassigned_names_exist():
    """A typing error in the list of withdrawn names."""
    table = groove_table()
    known = set(table.names) | set(table.incomplete)
    assert {f"HLA-{new}" for new in _REASSIGNED.values()} <= known


def test_common_spellings_need_no_slow_import():
    """A cold start that pays 1.4 s for mhcgnomes, or torch, to learn that A0201 is A*02:01."""
    code = (
        "import sys; from pmhc_distil.sequences.hla import resolve_allele\n"
        "for text in ('HLA-A*02:01', 'A0201', 'hla_b_18_177', 'A*24:09N', 'A*02:01:01:02L'): resolve_allele(text)\n"
        "print(sorted({'torch', 'transformers', 'mhcgnomes', 'pandas', 'Bio'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_distance_is_a_distance():
    """An asymmetric or unnormalised score would make far alleles look near."""
    grooves = groove_table().unique_grooves()[::300]
    for a in grooves:
        assert groove_distance(a, a) == 0
        for b in grooves:
            assert groove_distance(a, b) == pytest.approx(groove_distance(b, a))
            assert (groove_distance(a, b) > 0) == (a != b)


def test_distance_by_hand():
    """A wrong matrix or normalisation: Y-Y scores 7, F-F 6 and Y-F 3."""
    assert groove_distance("Y" * 34, "F" * 34) == pytest.approx(1 - 3 / (7 * 6) ** 0.5)
    assert groove_distance("Y" * 34, "F" * 17 + "Y" * 17) == pytest.approx(1 - (3 + 7) / (14 * (6 + 7)) ** 0.5)


def test_nearest_allele():
    """The nearest of the training set, not of the table; the first of equals."""
    groove = groove_table().groove("HLA-A*02:06")
    assert nearest_allele(groove, ["HLA-B*07:02", "HLA-A*02:01", "HLA-C*07:02"])[0] == "HLA-A*02:01"
    assert nearest_allele(groove, ["HLA-A*02:06"]) == ("HLA-A*02:06", 0.0)
    table = GrooveTable("1", {"HLA-A*01:01": groove, "HLA-A*01:02": groove})
    assert nearest_allele(groove, ["HLA-A*01:02", "HLA-A*01:01"], table) == ("HLA-A*01:02", 0.0)
    with pytest.raises(ValueError, match="no training alleles"):
        nearest_allele(groove, [])
    with pytest.raises(ValueError, match="not a groove"):
        groove_distance(groove, groove[:-1])


def test_explain_names_the_nearest_allele_with_data():
    """An allele listed with zero measurements is no support for a prediction."""
    training = {
        "HLA-A*02:06": TrainingCounts(0, 0),
        "HLA-A*02:01": TrainingCounts(900, 100),
        "HLA-A*02:09": TrainingCounts(5000, 0),
        "own": TrainingCounts(9, 9),
    }
    far = explain_allele(resolve_allele("A*02:06"), training)
    assert (far.ligands, far.nearest) == (0, "HLA-A*02:09") and far.distance > 0
    itself = explain_allele(resolve_allele("A*02:01"), training)
    assert (itself.nearest, itself.distance, itself.ligands) == ("HLA-A*02:01", 0.0, 900)
    own = explain_allele(Allele("own", "own", groove_table().groove("HLA-A*02:01")), training)
    assert (own.ligands, own.distance) == (0, 0.0)
    assert own.same_groove == len(groove_table().names_of(own.groove))


def test_of_alleles_with_one_groove_that_with_most_data_is_named():
    """Prevents an allele with a single ligand from being named beside one that has many."""
    table = groove_table()
    groove = next(one for one in table.unique_grooves() if len(table.names_of(one)) > 2)
    asked, few, many, *_ = table.names_of(groove)
    found = explain_allele(resolve_allele(asked), {few: TrainingCounts(1), many: TrainingCounts(9)})
    assert (found.nearest, found.distance) == (many, 0.0)


def test_distance_to_what_was_trained_on():
    """Prevents too few ligands from counting as training, and a name that depends on more than the file's order."""
    table = groove_table()
    groove = next(one for one in table.unique_grooves() if len(table.names_of(one)) > 1)
    first, second, *_ = table.names_of(groove)
    enough = TrainingCounts(ENOUGH_LIGANDS)
    assert TrainingDistance({second: enough, first: enough}).nearest(groove) == (second, 0.0)
    assert TrainingDistance({first: TrainingCounts(ENOUGH_LIGANDS - 1)}).nearest(groove)[0] == ""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("allele,ligands\nHLA-A*02:01,3\n", "missing column"),
        ("allele,ligands,affinities\nHLA-A*02:01,3,x\n", "row 2, column 'affinities': not a whole number"),
        ("allele,ligands,affinities\nHLA-A*02:01,3\n", "not a whole number"),
        ("allele,ligands,affinities\nHLA-A*02:01,3,1\nHLA-A*02:01,3,1\n", "row 3, column 'allele'"),
        ("allele,ligands,affinities\n", "no HLA allele with training data"),
        ("", "missing column"),
    ],
)
def test_training_counts_are_checked(tmp_path, text, reason):
    """A broken table of counts would make every allele look untrained."""
    path = tmp_path / "training_alleles.csv"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_training_alleles(path)
    assert reason in str(caught.value)


def test_search():
    """A search that misses the spelling at hand, or hides the best match among the rest."""
    assert search_names("HLA-B*27:05")[0] == search_names("b2705")[0] == "HLA-B*27:05"
    assert search_names("B*18:17")[0] == "HLA-B*18:170"
    assert "HLA-C*04:01" in search_names("Cw04")
    assert search_names("A2")[0] == "HLA-A*02:01" and search_names("Cw7")[0] == "HLA-C*07:01"
    assert all(name.startswith("HLA-B*07:") for name in search_names("B7")) and search_names("B*2") != []
    assert search_names("A*02:01:01") == search_names("HLA-A*02:01:01G") == ["HLA-A*02:01"]
    assert search_names("zzz") == [] and search_names("HLA-") == search_names("*") == list(groove_table().names)
