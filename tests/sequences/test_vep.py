"""Protein changes of an annotated VCF, as VEP writes them."""

import gzip
from pathlib import Path

import pytest

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.mutations import Change, read_change
from pmhc_distil.sequences.vep import read_changes

FIELDS = "Allele|Consequence|SYMBOL|Gene|Feature|ENSP|HGVSp|Protein_position|Amino_acids"
HEADER = f"""##fileformat=VCFv4.2
##INFO=<ID=DP,Number=1,Type=Integer,Description="Depth. Format: none">
##INFO=<ID=CSQ,Number=.,Type=String,Description="Consequence annotations from Ensembl VEP. Format: {FIELDS}">
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tTUMOUR
"""
EXAMPLES = Path(__file__).parents[2] / "data" / "examples"


@pytest.fixture
def read(tmp_path):
    """Read variants whose annotations are given."""

    def read(*annotations, header=HEADER, filters="PASS", **options):
        path = tmp_path / "variants.vcf.gz"
        lines = [
            f"1\t{i}\t.\tA\tC\t.\t{filters}\tDP=9;CSQ={text};SOMATIC\tGT\t0/1\n"
            for i, text in enumerate(annotations, 1)
        ]
        path.write_bytes(gzip.compress((header + "".join(lines)).encode()))
        return read_changes(path, **options)

    return read


@pytest.mark.parametrize(
    ("annotation", "change"),
    [
        (
            "T|missense_variant|KRAS|G|ENST1|ENSP1|ENSP1.5:p.Gly12Asp|12/189|G/D",
            Change(12, 12, ((12, "G"),), "D", length=189),
        ),
        ("T|missense_variant&splice_region_variant|K|G|T|||5|V/M", Change(5, 5, ((5, "V"),), "M")),
        ("-|inframe_deletion|EGFR|G|T|P||746-750|ELREA/-", Change(746, 750, ((746, "ELREA"),))),
        ("TCC|inframe_insertion|E|G|T|P||12-13|-/QS", Change(13, 12, (), "QS")),
        (
            "AAA|inframe_insertion|E|G|T|P|P.2:p.Pro12_Gly13insLys|12-13/354|-/K",
            Change(13, 12, ((12, "P"), (13, "G")), "K", length=354),
        ),
        (
            "AAA|inframe_insertion|E|G|T|P|P.2:p.Lys12dup|12-13/354|-/K",
            Change(12, 12, ((12, "K"),), copies=True, length=354),
        ),
        ("TCC|inframe_insertion|E|G|T|P||12|G/GQS", Change(12, 12, ((12, "G"),), "GQS")),
        ("T|missense_variant|K|G|T|P|P.1:p.Gly12Asp||", Change(12, 12, ((12, "G"),), "D")),
    ],
)
def test_changes(read, annotation, change):
    """Prevents residues and places of VEP from being read a column beside, or an insertion at the wrong side."""
    ((found,), silent, *_) = read(annotation)
    assert found.change == change and found.reason == "" and silent == 0


@pytest.mark.parametrize(
    ("annotation", "text"),
    [
        ("T|missense_variant|K|G|T|||12/60|A/W", "A12W"),
        ("T|missense_variant|K|G|T|||20-21/60|VS/WL", "V20_S21delinsWL"),
        ("-|inframe_deletion|EGFR|G|T|P||746-750/1210|ELREA/-", "E746_A750del"),
    ],
)
def test_changes_without_hgvs_are_written_like_it(read, annotation, text):
    """Prevents a column of mutations that cannot be joined with others, or read again: ``A12/60W``."""
    ((found,), *_) = read(annotation)
    assert found.text == text
    written, change = read_change(text), found.change
    assert (written.start, written.end, written.inserted) == (change.start, change.end, change.inserted)


@pytest.mark.parametrize(
    ("annotation", "reason"),
    [
        ("-|frameshift_variant|TP53|G|T|P|P.4:p.Arg213GlyfsTer34|213/393|R/X", "a frameshift"),
        ("T|stop_gained|TP53|G|T|P|P.4:p.Arg213Ter|213/393|R/*", "a stop"),
        ("T|stop_gained|TP53|G|T|P||213/393|R/*", "the change R/* makes no peptide"),
        ("T|start_lost|TP53|G|T|P|P.4:p.Met1%3F|1/393|M/?", "the start or the end"),
        ("T|start_lost|TP53|G|T|P|P.4:p.Met1?|1/393|M/V", "the start or the end"),
        ("T|coding_sequence_variant|TP53|G|T|P||?-213/393|", "no residues and position"),
        ("T|splice_donor_variant&intron_variant|TP53|G|T|P|||", "a change of splicing"),
    ],
)
def test_what_cannot_be_used_says_why(read, annotation, reason):
    """Prevents a frameshift from vanishing among the variants."""
    ((found,), *_) = read(annotation)
    assert found.change is None and reason in found.reason and found.names[-2:] == ("TP53", "G")


def test_transcripts_of_a_variant(read):
    """Prevents the readings of one variant from being told apart, and silent ones from being counted as changes."""
    entries = [
        "T|missense_variant|KRAS|G|ENST1|ENSP1||12|G/D",
        "T|missense_variant|KRAS|G|ENST2|ENSP2||10|G/D",
        "T|synonymous_variant|KRAS|G|ENST3|ENSP3|ENSP3:p.Gly12%3D|12|G",
    ]
    found, silent, bare, *_ = read(",".join(entries), "T|intron_variant|KRAS|G|ENST1||||", "")
    assert [one.names[0] for one in found] == ["ENSP1", "ENSP2"] and (silent, bare) == (1, 1)
    assert len({one.variant for one in found}) == 1
    header = HEADER.replace("|Amino_acids", "|Amino_acids|PICK")
    found, *_ = read(",".join([entries[0] + "|", entries[1] + "|1"]), header=header)
    assert [one.names[0] for one in found] == ["ENSP2"]


def test_every_allele_is_picked_for_itself(read):
    """Prevents the second allele of a site from vanishing where VEP has picked a transcript of the first alone."""
    entries = [f"{allele}|missense_variant|{gene}|G|T{allele}|P{gene}||12|G/D" for gene in "KL" for allele in "TA"]
    header = HEADER.replace("|Amino_acids", "|Amino_acids|PICK")
    found, *_ = read(
        ",".join(f"{entry}|{'1' * (entry[0] == 'T' and 'PK' in entry)}" for entry in entries), header=header
    )
    assert [one.names[:2] for one in found] == [("PK", "TT"), ("PK", "TA"), ("PL", "TA")]


def test_readings_follow_each_other(read):
    """Prevents the readings of a variant from being told apart because VEP writes those of two genes in turn."""
    entries = [f"T|missense_variant|{gene}|G|T{number}|P{number}||12|G/D" for number, gene in enumerate("KLKL")]
    found, *_ = read(*[",".join(entries)] * 2)
    assert [one.names[0] for one in found] == ["P0", "P2", "P1", "P3"] * 2
    assert len({one.variant for one in found}) == 4 and all(one.own_names == 2 for one in found)


def test_the_example():
    """Prevents an example that shows less than it says."""
    found, silent, *_ = read_changes(EXAMPLES / "variants.vcf")
    assert len(found) == 3 and silent == 1


def test_mistakes_name_their_row(tmp_path, read):
    """Prevents a VCF without annotation from passing for one without mutations."""
    path = tmp_path / "plain.vcf"
    path.write_text("##fileformat=VCFv4.2\n#CHROM\tPOS\n")
    with pytest.raises(InputError, match="no CSQ with its format in the header"):
        read_changes(path)
    path.write_text("##fileformat=VCFv4.2\n#CHROM\tPOS\n1\t2\t.\tA\tC\t.\t.\tDP=1\n")
    with pytest.raises(InputError, match=r"plain.vcf, row 3: no CSQ .*vep --vcf"):
        read_changes(path)
    path.write_text(HEADER + "1\t2\t.\n")
    with pytest.raises(InputError, match="row 5: a variant has at least 8 fields, and this has 3"):
        read_changes(path)


def test_variants_that_did_not_pass(read):
    """Prevents calls that the caller itself doubts from being used without a word, or from being dropped unasked."""
    changing, silent = "T|missense_variant|K|G|T|||5|V/M", "T|intron_variant|K|G|T||||"
    counts = {}
    for filters in ("PASS", ".", "weak_evidence;germline"):
        for only in (False, True):
            made = read(changing, silent, filters=filters, pass_only=only)
            counts[filters, only] = len(made.mutations), made.silent, made.failed
    assert counts == {
        **{(filters, only): (1, 1, 0) for filters in ("PASS", ".") for only in (False, True)},
        ("weak_evidence;germline", False): (1, 1, 1),
        ("weak_evidence;germline", True): (0, 1, 1),
    }
    with pytest.raises(InputError, match="only a VCF tells"):
        read_changes(EXAMPLES / "mutations.csv", pass_only=True)


@pytest.mark.parametrize("first", ["#CHROM\tPOS\tID\n", "## ENSEMBL VARIANT EFFECT PREDICTOR v110.0\n"])
def test_what_is_a_part_of_a_vcf(tmp_path, first):
    """Prevents a VCF without its header, and VEP's own table, from being called a table without columns."""
    path = tmp_path / "variants.vcf"
    path.write_text(first + "1\t7\t.\n")
    with pytest.raises(InputError, match=r"row 1: not a VCF.*vep --vcf"):
        read_changes(path)


def test_an_allele_without_a_sequence(of_sample):
    """Prevents a structural variant beside another allele from ending the whole run."""
    found = of_sample(("C", "T,<DEL>"), f"{V_TO_M},deletion|transcript_ablation|K|G|E||||", "9:0/0", "9:0/2")
    assert [one.reason for one in found.mutations] == [
        "no residues and position in the annotation (transcript_ablation)"
    ]


def test_the_fields_of_the_line(read):
    """Prevents peptides that cannot be traced to their variant."""
    (one,) = read("T|missense_variant|K|G|T|||5|V/M", filters="germline").mutations
    assert list(one.own) == ["CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER"]
    assert one.own["CHROM"] == "1" and one.own["FILTER"] == "germline"


TWO = HEADER.replace("TUMOUR", "NORMAL\tTUMOUR")
V_TO_M, V_TO_L = "T|missense_variant|K|G|E|||5|V/M", "G|missense_variant|K|G|E|||5|V/L"


@pytest.fixture
def of_sample(tmp_path):
    """Read what the tumour of a pair carries of one line, given the part of it from REF and ALT on."""

    def of_sample(alleles, annotations, *genotypes, sample="TUMOUR", keys="DP:GT", header=TWO):
        path = tmp_path / "pair.vcf"
        cells = ["1", "7", ".", *alleles, ".", "PASS", f"CSQ={annotations}", keys, *genotypes]
        path.write_text(header + "\t".join(cells) + "\n")
        return read_changes(path, sample=sample)

    return of_sample


@pytest.mark.parametrize(
    ("genotype", "residues"),
    [
        ("9:0/1", ["M"]),
        ("9:0|2", ["L"]),
        ("9:1/2", ["M", "L"]),
        ("9:2", ["L"]),
        ("9:0/0", []),
        ("9:./.", []),
        ("9", []),
    ],
)
def test_alleles_that_a_sample_carries(of_sample, genotype, residues):
    """Prevents what only another sample has from becoming a neoantigen, and one allele from passing for another."""
    found = of_sample(("C", "T,G"), f"{V_TO_M},{V_TO_L}", "9:1/2", genotype)
    assert [one.change.inserted for one in found.mutations] == residues
    assert found.absent == (not residues) and found.samples == ("NORMAL", "TUMOUR")
    everyone = of_sample(("C", "T,G"), f"{V_TO_M},{V_TO_L}", "9:1/2", genotype, sample=None)
    assert [one.change.inserted for one in everyone.mutations] == ["M", "L"] and everyone.absent == 0


def test_alleles_of_several_lengths(of_sample):
    """Prevents VEP's names of insertions and deletions, which lack the shared base, from meeting a wrong allele."""
    deletion, insertion = "-|inframe_deletion|K|G|E|||5|V/-", "CAAA|inframe_insertion|K|G|E|||5-6|-/K"
    for genotype, change in (("9:0/1", ""), ("9:0/2", "K")):
        found = of_sample(("TCCC", "T,TCAAA"), f"{deletion},{insertion}", "9:0/0", genotype)
        assert [one.change.inserted for one in found.mutations] == [change]
    starred = of_sample(("TCCC", "T,*"), deletion, "9:0/0", "9:0/2")
    assert not starred.mutations and starred.absent == 1
    numbered = HEADER.replace("TUMOUR", "NORMAL\tTUMOUR").replace(FIELDS, FIELDS + "|ALLELE_NUM")
    found = of_sample(("C", "T,G"), f"{V_TO_M}|2,{V_TO_L}|1", "9:0/0", "9:0/2", header=numbered)
    assert [one.change.inserted for one in found.mutations] == ["M"]


def test_what_does_not_tell_who_carries_it(of_sample):
    """Prevents a variant without a genotype from being used or dropped for somebody who was asked for."""
    for broken in (
        dict(keys="DP", genotypes=("9", "9")),
        dict(keys="DP:GT", genotypes=("9:0/1",)),
        dict(header=TWO.replace("#CHROM", "##CHROM"), genotypes=("9:0/1", "9:0/1")),
    ):
        genotypes = broken.pop("genotypes")
        with pytest.raises(InputError, match=r"no genotype \(GT\) of the sample .*--vcf-sample"):
            of_sample(("C", "T"), V_TO_M, *genotypes, **broken)
    with pytest.raises(InputError, match="no such sample; there are: NORMAL, TUMOUR"):
        of_sample(("C", "T"), V_TO_M, "9:0/1", "9:0/1", sample="tumor")
    with pytest.raises(InputError, match=r"none of the alleles T,A: 'G' .*--allele_number"):
        of_sample(("C", "T,A"), V_TO_L, "9:0/1", "9:0/1")
    with pytest.raises(InputError, match="only a VCF tells which variants a sample carries"):
        read_changes(EXAMPLES / "mutations.csv", sample="TUMOUR")
