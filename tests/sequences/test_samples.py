"""Every peptide meets the alleles of its samples, and of no others."""

import pandas as pd
import pytest

from pmhc_distil.errors import InputError, InputWarning
from pmhc_distil.sequences import delimited, samples
from pmhc_distil.sequences.peptide_source import PeptideSource
from pmhc_distil.sequences.readers import open_peptides
from pmhc_distil.sequences.samples import PeptidesOfSamples, genotype_warnings, read_samples, samples_from, with_samples
from pmhc_distil.sequences.windows import windows_of

TWO = {"p1": ["A0201", "B0702"], "p2": ["A0101"]}


@pytest.mark.parametrize(
    "text",
    [
        "sample,alleles\np1,A0201;B0702\np2,A0101\n",
        "Sample\tHLA type\np1\tA0201, B0702\np2\tA0101\n",
        'sample,alleles\n"p1","A0201,B0702"\np2,A0101\n',
        "alleles;sample\nA0201|B0702;p1\nA0101;p2\n",
        "donor,allele,age\np1,A0201 B0702,7\np2,A0101,8\n",
    ],
)
def test_tables_of_samples(tmp_path, text):
    """Prevents a genotype from losing an allele to its separator."""
    path = tmp_path / "samples.csv"
    path.write_text(text)
    assert read_samples(path) == TWO


def test_a_homozygous_person_has_an_allele_once(tmp_path):
    """Prevents its rows from standing twice, and a region from counting its binders twice."""
    people = {"p1": ["A*02:01", "A*02:01:01:02", "B0702", "HLA-A0201"], "p2": "mine;mine;A9999"}
    assert samples_from(people) == {"p1": ["A*02:01", "B0702"], "p2": ["mine", "A9999"]}
    (tmp_path / "samples.csv").write_text("sample,alleles\np1,A*24:02 A*24:02\n")
    assert read_samples(tmp_path / "samples.csv") == {"p1": ["A*24:02"]}
    assert len(with_samples(["SLYNTVATL"], {"p1": ["A2402", "A*24:02"]}, genotype=False)) == 1


def test_blank_lines_before_the_header(tmp_path):
    """Prevents a sheet from being called empty."""
    path = tmp_path / "samples.csv"
    path.write_text("\n\nsample,alleles\np1,A9999\n")
    with pytest.raises(InputError) as caught:
        read_samples(path)
    assert caught.value.row == 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the table is empty"),
        ("sample,alleles\n", "the table has no rows"),
        ("sample,other\np1,A0201\n", "row 1: no column alleles"),
        ("sample,alleles,hla\np1,A0201,B0702\n", "row 1: more than one column could be the alleles"),
        ("sample,alleles\np1,A0201\np1,B0702\n", "row 3, column 'sample': the sample occurs twice: 'p1'"),
        ("sample,alleles\np1,;\n", "row 2, column 'alleles': the sample has no alleles: 'p1'"),
        ("sample,alleles\n,A0201\n", "row 2, column 'sample': the sample has no name"),
        ("sample,alleles\np1,A0201;A9999\n", "row 2, column 'alleles': "),
    ],
)
def test_mistakes_name_their_row(tmp_path, text, message):
    """Prevents a patient who is scored without an allele that was misspelled."""
    path = tmp_path / "samples.csv"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_samples(path)
    assert message in str(caught.value) and "samples.csv" in str(caught.value)


def test_typings_as_laboratories_write_them(tmp_path):
    """Prevents homozygous persons, GL strings and typings with class II from having to be edited."""
    path = tmp_path / "samples.csv"
    path.write_text("# typed 2024\n#Subject,HLA\np1,A*02:01 -\np2,A*02:01+A*24:02^B*07:02\np3,A*02:01;DRB1*15:01\n")
    with pytest.warns(InputWarning, match=r"samples.csv: 1 alleles are left out.* class II, such as DRB1\*15:01"):
        found = read_samples(path)
    assert found == {"p1": ["A*02:01"], "p2": ["A*02:01", "A*24:02", "B*07:02"], "p3": ["A*02:01"]}
    path.write_text("sample,alleles\np1,DRB1*15:01\n")
    with pytest.raises(InputError, match="row 2, column 'alleles': the sample has only HLA class II"):
        read_samples(path)


def test_sequence_defined_alleles_are_known(tmp_path):
    """Prevents the id of an allele of the user's own from being looked up among HLA names."""
    path = tmp_path / "samples.csv"
    path.write_text("sample,alleles\np1,Mamu-X\n")
    assert read_samples(path, {"Mamu-X"}) == {"p1": ["Mamu-X"]}


@pytest.mark.parametrize("genotype", [False, True])
@pytest.mark.parametrize("part", [1, 2, 50_000])
def test_a_source_is_read_in_parts(monkeypatch, genotype, part):
    """Prevents rows that are lost, doubled or given to another sample where an input is read in parts."""
    monkeypatch.setattr(samples, "_PART", part)
    peptides = ["SLYNTVATL", "NLVPMVATV", "SLYN"]
    source = PeptidesOfSamples(PeptideSource.of_list(peptides, "list"), TWO, genotype=genotype)
    overview = source.check()
    made = pd.concat([table.frame for table in source.tables(2)], ignore_index=True)
    cells = [("p1", "A0201;B0702"), ("p2", "A0101")]
    if not genotype:
        cells = [("p1", "A0201"), ("p1", "B0702"), ("p2", "A0101")]
    wanted = [(peptide, *cell) for peptide in peptides for cell in cells]
    assert list(made[["peptide", "sample", "allele"]].itertuples(index=False, name=None)) == wanted
    assert overview.rows == len(made) and list(overview.alleles) == [cell for _, cell in cells]
    frame = with_samples(
        peptides, pd.DataFrame({"sample": ["p1", "p2"], "alleles": ["A0201;B0702", "A0101"]}), genotype=genotype
    )
    pd.testing.assert_frame_equal(frame, made[["peptide", "sample", "allele"]], check_dtype=False)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"sample": ["p1", "p1"], "alleles": ["A0201", "B0702"]}, "samples, row 2, column 'sample': the sample occurs"),
        ({"sample": ["p1", "p2"], "alleles": ["A0201", ";"]}, "samples, row 2, column 'alleles': the sample has no"),
        ({"sample": ["p1"], "hla": ["A0201"]}, "samples, column 'alleles': the column is missing; there are: sample"),
    ],
)
def test_a_data_frame_of_samples_is_read_as_strictly_as_a_file(table, message):
    """Prevents a sample with an allele a row from keeping the last one alone, without a word."""
    with pytest.raises(InputError, match=message):
        samples_from(pd.DataFrame(table))


def test_a_row_meets_its_own_sample(tmp_path, monkeypatch):
    """Prevents peptides of a patient from being scored with the alleles of another, and a typo from losing rows."""
    monkeypatch.setattr(delimited, "_LINES", 3)
    path = tmp_path / "cohort.csv"
    path.write_text("peptide,sample,n\nSLYNTVATL, p2 ,1\nNLVPMVATV,p3,2\nSLYN,p3,3\nGILGFVFTL,p1,4\n")
    source = PeptidesOfSamples(open_peptides(path), TWO, genotype=False)
    overview = source.check()
    assert overview.rows == 5 and list(overview.alleles) == ["A0101", "A0201", "B0702"]
    assert overview.warnings == (f"{path}, row 3, column 'sample': no such sample in --samples: 'p3'",)
    made = pd.concat([table.frame for table in source.tables(2)], ignore_index=True)
    assert made["allele"].tolist() == ["A0101", "", "", "A0201", "B0702"]
    assert made["sample"].tolist() == ["p2", "p3", "p3", "p1", "p1"], "without blanks, to be grouped by"
    assert made["n"].tolist() == ["1", "2", "3", "4", "4"] and source.own_columns == ["sample", "n"]
    unknown = "no such sample in --samples: 'p3'"
    assert made["note"].tolist() == ["", unknown, f"length 4 is outside 8-15; {unknown}", "", ""]
    with pytest.raises(InputError, match="row 3, column 'sample'"):
        PeptidesOfSamples(open_peptides(path, strict=True), TWO, genotype=False).check()


def test_samples_that_pandas_has_read():
    """Prevents samples that are numbers from being lost for others that are missing, or blanks around them."""
    frame = pd.DataFrame({"peptide": ["SLYNTVATL", "GILGFVFTL", "NLVPMVATV"], "sample": [1, 2, float("nan")]})
    people = {"1": ["A0101"], "2": ["A0201"]}
    made = with_samples(frame, people, genotype=False)
    assert made[["sample", "allele"]].to_numpy().tolist() == [["1", "A0101"], ["2", "A0201"], ["", ""]]
    made = with_samples(frame.assign(sample=[" 1", "2 ", "3"]), people, genotype=False)
    assert made["allele"].tolist() == ["A0101", "A0201", ""]


def test_samples_are_numbers_on_both_sides():
    """Prevents keys that are numbers from matching no row."""
    frame = pd.DataFrame({"peptide": ["SLYNTVATL"], "donor": [7]})
    assert with_samples(frame, {7: "A0101"}, genotype=False)["allele"].tolist() == ["A0101"]


def test_alleles_of_the_peptides_are_not_replaced():
    """Prevents the alleles of a table from being lost for those of samples."""
    frame = pd.DataFrame({"peptide": ["SLYNTVATL"], "HLA": ["B*07:02"]})
    with pytest.raises(
        InputError, match="column 'HLA': the table has alleles for each peptide, and samples give others"
    ):
        with_samples(frame, {"1": ["A*02:01"]}, genotype=False)


@pytest.mark.parametrize("name", ["Sample_ID", "donor", "Patient", "SAMPLE"])
def test_a_sample_by_another_name(tmp_path, name):
    """Prevents every peptide from meeting every sample where their column is called as the sheet may call it."""
    path = tmp_path / "cohort.csv"
    path.write_text(f"peptide,{name}\nSLYNTVATL,p2\nGILGFVFTL,p1\n")
    source = PeptidesOfSamples(open_peptides(path), TWO, genotype=False)
    (table,) = source.tables()
    assert table.frame[["sample", "allele"]].to_numpy().tolist() == [["p2", "A0101"], ["p1", "A0201"], ["p1", "B0702"]]
    pd.testing.assert_frame_equal(
        with_samples(pd.read_csv(path, dtype="str"), TWO, genotype=False),
        table.frame[["peptide", "sample", "allele"]],
    )


def test_several_columns_of_samples(tmp_path):
    """Prevents a guess at whose alleles a peptide meets, unless one of them is called just so."""
    path = tmp_path / "cohort.csv"
    path.write_text("peptide,donor,patient\nSLYNTVATL,p2,p1\n")
    with pytest.raises(InputError, match="more than one column could be the sample: 'donor, patient'"):
        PeptidesOfSamples(open_peptides(path), TWO, genotype=True)
    path.write_text("peptide,donor,sample\nSLYNTVATL,p2,p1\n")
    assert PeptidesOfSamples(open_peptides(path), TWO, genotype=True).own_columns == ["donor", "sample"]


def test_alleles_of_two_places_are_refused(tmp_path):
    """Prevents one of two allele columns from being ignored without a word."""
    path = tmp_path / "pairs.csv"
    path.write_text("peptide,alleles\nSLYNTVATL,A0201\n")
    with pytest.raises(InputError, match="--samples gives others"):
        PeptidesOfSamples(open_peptides(path), TWO, genotype=True)
    ignoring = PeptidesOfSamples(open_peptides(path, allele_column=""), TWO, genotype=True)
    assert ignoring.own_columns == ["alleles", "sample"]


def test_positions_of_windows_stay_numbers():
    """Prevents positions from turning into text where proteins meet samples."""
    source = PeptidesOfSamples(windows_of([("one", "MSLYNTVATL")], [9]), TWO, genotype=True)
    (table,) = source.tables()
    assert table.frame["position"].tolist() == [1, 1, 2, 2] and table.frame["position"].dtype == "int64"


def test_more_alleles_than_a_person_has():
    """Prevents a list of many alleles from passing for one person's."""
    names = ["HLA-A*01:01", "HLA-A*02:01", "HLA-A*03:01", "HLA-B*07:02", "Mamu-A1*001:01"]
    assert genotype_warnings(names, "p1") == ["p1: 3 alleles of HLA-A, but a person has at most two"]
