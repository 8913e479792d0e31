"""Tables of other tools' columns, read as those tools and the pipelines around them read them."""

import io
import math

import numpy as np
import pandas as pd
import pytest

from pmhc_distil.sequences.formats import PEER_FORMATS
from pmhc_distil.sequences.tables import PREDICTION_NAMES, binder_class, empty_predictions
from pmhc_distil.sequences.writers import open_predictions


@pytest.fixture
def predictions():
    """Windows of a protein with two alleles, and one that cannot be scored."""
    scan = ["protein", "position", "n_flank", "c_flank", "BA"]
    frame = empty_predictions(scan).astype({"position": "int64"})
    for place, (peptide, allele, score, rank, nm) in enumerate(
        [
            ("SLYNTVATL", "HLA-A*02:01", 0.987654321, 0.1234567, 5.77794),
            ("SLYNTVATL", "HLA-B*07:02", 0.0123, 12.5, 20123.4),
            ("SLYNTVATLK", "HLA-A*02:01", 0.6, 1.5, 333.333),
        ]
    ):
        numbers = [score, rank, rank, nm]
        row = [peptide, allele, *numbers, str(binder_class(rank)), "", score, 0.0, 0.1, "gag", 77 + place // 2]
        frame.loc[len(frame)] = [*row, "AAA", "CCC", "own"]
    bad = ["SLYNXVATL", "HLA-A*02:01", *[np.nan] * 4, "", "non-standard residue 'X'", *[np.nan] * 3]
    frame.loc[len(frame)] = [*bad, "gag", 79, "AAA", "CCC", "own"]
    return frame.astype({"position": "int64"})


@pytest.fixture
def write(predictions, tmp_path):
    """Write in a format, in two parts, and give the text."""

    def write(format):
        with open_predictions(tmp_path / "out.txt", format) as writer:
            writer.write(predictions.iloc[:2])
            writer.write(predictions.iloc[2:])
        return (tmp_path / "out.txt").read_text()

    return write


def test_mhcflurry_as_nf_core_and_pvactools_read_it(write, predictions):
    """Prevents a pipeline that knows mhcflurry from failing on a missing column or a missing number."""
    frame = pd.read_csv(io.StringIO(write("mhcflurry")))
    units = frame["mhcflurry_affinity"].apply(lambda nm: 1 - math.log10(min(nm, 50000)) / math.log10(50000))
    merged = frame.rename(columns={"peptide": "sequence", "mhcflurry_presentation_percentile": "rank"})
    merged = merged[["sequence", "allele", "rank"]].assign(BA=units)
    assert (merged["rank"] <= 2).tolist() == [True, False, True, False]
    assert merged["BA"][0] == pytest.approx(1 - math.log(5.7779) / math.log(50000)) and np.isnan(merged["BA"][3])
    renamed = frame.rename(columns={"mhcflurry_affinity": "ic50", "mhcflurry_affinity_percentile": "percentile"})
    assert renamed["ic50"][:3].tolist() == [5.7779, 20123, 333.33] and renamed["percentile"].isna().all()
    assert {"mhcflurry_processing_score", "mhcflurry_presentation_score"} <= set(renamed)
    assert frame["n_flank"].eq("AAA").all() and frame["BA"].eq("own").all()


def test_netmhcpan_as_mhctools_parses_it(write, predictions):
    """Prevents a column that is off by one, which a parser by place would take for another number."""
    rows, seen_rule = [], False
    for line in map(str.strip, write("netmhcpan").split("\n")):
        if line.startswith("---"):
            seen_rule = True
        elif seen_rule and line and not line.startswith("#") and not line.startswith("Pos"):
            rows.append(line.split())
    scored = predictions[predictions["note"] == ""]
    assert len(rows) == len(scored)
    for fields, row in zip(rows, scored.itertuples(), strict=True):
        assert (int(fields[0]), fields[1], fields[2], fields[10]) == (row.position, row.allele, row.peptide, "gag")
        assert [float(fields[i]) for i in (11, 12, 15)] == pytest.approx([row.score, row.rank, row.affinity_nm], 1e-3)
        assert float(fields[13]) == pytest.approx(1 - math.log(row.affinity_nm) / math.log(50000), abs=1e-6)
        assert all(int(field) == 0 for field in fields[4:9]) and math.isnan(float(fields[14]))
        assert fields[16:] == (["<=", row.binder] if row.binder else [])
    assert "# not scored: SLYNXVATL HLA-A*02:01: non-standard residue 'X'" in write("netmhcpan")


def test_bigmhc_as_mhctools_and_pvactools_read_it(write):
    """Prevents columns by other names or in another order: scripts read this table by place, too."""
    frame = pd.read_csv(io.StringIO(write("bigmhc")))
    assert list(frame.columns[:5]) == ["mhc", "pep", "tgt", "len", "BigMHC_EL"]
    typed = frame.astype({"mhc": "string", "pep": "string", "tgt": "float32", "len": "int8"})
    assert typed["len"].tolist() == [9, 9, 10, 9] and typed["BigMHC_EL"][:3].tolist() == [0.9876543, 0.0123, 0.6]


def test_mhctools(write):
    """Prevents an offset from 1, a rank that was never computed, and kinds that mhctools does not know."""
    frame = pd.read_csv(io.StringIO(write("mhctools")), keep_default_na=False)
    names = "sample_name peptide n_flank c_flank source_sequence_name offset predictor_name predictor_version"
    assert list(frame.columns[:13]) == [*names.split(), "allele", "kind", "score", "value", "percentile_rank"]
    assert frame["kind"].tolist() == ["pMHC_presentation", "pMHC_affinity"] * 4
    assert frame["offset"].tolist() == [76, 76, 76, 76, 77, 77, 78, 78]
    presentation, affinity = frame.iloc[0], frame.iloc[1]
    assert (presentation["score"], presentation["value"], presentation["percentile_rank"]) == (
        "0.9876543",
        "",
        "0.1235",
    )
    assert (affinity["value"], affinity["percentile_rank"]) == ("5.7779", "")
    assert 50000 ** (1 - float(affinity["score"])) == pytest.approx(5.7779, 1e-4)
    assert frame["score"].iloc[-1] == "" and frame["note"].iloc[-1].startswith("non-standard")


def test_positions_of_the_user(predictions, tmp_path):
    """Prevents an offset that was made up, the loss of what a position says, and a traceback for an infinite one."""
    told = ["78", "12-20", "13.7", "inf"]
    frame = predictions.assign(position=pd.Series(told, dtype="str"))
    for format in ("mhctools", "netmhcpan"):
        with open_predictions(tmp_path / format, format) as writer:
            writer.write(frame)
    found = pd.read_csv(tmp_path / "mhctools", keep_default_na=False, dtype=str)[::2]
    assert found["offset"].tolist() == ["77", "", "", ""] and found["position"].tolist() == told
    assert "\n  78 HLA-A*02:01" in (tmp_path / "netmhcpan").read_text()


def test_nf_core(write):
    """Prevents a table that cannot be laid beside those of the pipeline's other predictors."""
    frame = pd.read_csv(io.StringIO(write("nf-core")), sep="\t")
    assert list(frame.columns[:6]) == ["sequence", "allele", "BA", "rank", "binder", "predictor"]
    assert frame["binder"][:3].tolist() == [True, False, True] and pd.isna(frame["binder"][3])
    assert "BA_input" in frame and frame["predictor"].eq("pmhc-distil").all()


@pytest.mark.parametrize("format", PEER_FORMATS)
def test_no_rows(tmp_path, format):
    """Prevents a sample without peptides from stopping a pipeline."""
    with open_predictions(tmp_path / "out.txt", format) as writer:
        writer.write(empty_predictions())
    with open_predictions(tmp_path / "full.txt", format) as writer:
        row = [["SLYNTVATL", "HLA-A*02:01", 0.9, 0.1, 0.1, 5.0, "SB", "", 0.9, 0.0, 0.1]]
        writer.write(pd.DataFrame(row, columns=PREDICTION_NAMES))
    empty, full = ((tmp_path / name).read_text() for name in ("out.txt", "full.txt"))
    assert empty and full.startswith(empty) and full.count("\n") - empty.count("\n") in (1, 2)
