"""A protein is found by any of its names, and never guessed."""

import pytest

from pmhc_distil.errors import InputError
from pmhc_distil.sequences.protein_names import NamedProteins

PROTEINS = NamedProteins(
    [
        ("sp|P01116|RASK_HUMAN GTPase KRas OS=Homo sapiens GN=KRAS PE=1", "MTEY"),
        ("ENSP00000269305.4 pep gene:ENSG00000141510.17 transcript:ENST00000269305.9 gene_symbol:TP53", "MEEP"),
        ("ENSP00000391127.1 pep gene:ENSG00000141510.17 transcript:ENST00000420246.6 gene_symbol:TP53", "MEEPQ"),
        ("mine", "MKV"),
        ("NP_000537.3 [gene=EGFR] [protein=receptor]", "MRPS"),
    ],
    "proteins.fasta",
)


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        (["KRAS"], "sp|P01116|RASK_HUMAN"),
        (["P01116"], "sp|P01116|RASK_HUMAN"),
        (["RASK_HUMAN"], "sp|P01116|RASK_HUMAN"),
        (["sp|P01116|RASK_HUMAN"], "sp|P01116|RASK_HUMAN"),
        (["ENSP00000269305"], "ENSP00000269305.4"),
        (["ENSP00000269305.3", "TP53"], "ENSP00000269305.4"),
        (["ENST00000420246.1"], "ENSP00000391127.1"),
        (["ENSP9", "mine"], "mine"),
        (["EGFR"], "NP_000537.3"),
    ],
)
def test_names(names, wanted):
    """Prevents a mutation from being lost because the FASTA and the list are of two sources."""
    assert PROTEINS.find(names) == wanted


def test_what_is_not_clear_is_refused():
    """Prevents the first of several isoforms from being taken for the one that was meant."""
    with pytest.raises(InputError, match=r"2 proteins are called TP53: ENSP00000269305.4, ENSP00000391127.1"):
        PROTEINS.find(["TP53"])
    with pytest.raises(InputError, match=r"no protein called MYC or sp in proteins.fasta"):
        PROTEINS.find(["MYC", "sp"])
    with pytest.raises(InputError, match=r"row 2: two proteins have the same name"):
        NamedProteins([("a one", "MK"), ("a two", "MKV")])
    assert PROTEINS.id_of(["TP53"], "TP53") == "TP53"
