"""The command says which alleles it left out, and refuses before it predicts."""

from pathlib import Path


def test_coverage_of_written_predictions(run_command, fake_predictor):
    """Prevents a model from being loaded for predictions that are there, and missing alleles from going unsaid."""
    Path("predictions.csv").write_text("peptide,allele,rank\nSLYNTVATL,HLA-A*02:01,0.1\n")
    Path("frequencies.csv").write_text("allele,frequency\nA*02:01,0.5\nB*07:02,0.1\n")
    fake_predictor.made = ()
    status, out, err = run_command("coverage", "predictions.csv", "--frequencies", "frequencies.csv")
    assert (status, fake_predictor.made) == (0, ())
    assert out.splitlines()[1:3] == [",all,0.75,0.75,0.4,2,1,HLA-B*07:02", ",A,0.75,0.75,0.4,1,1,"]
    assert err == "warning: frequencies.csv: no prediction for HLA-B*07:02, counted as presenting nothing\n"


def test_mistakes_are_one_line(run_command, fake_predictor):
    """Prevents minutes of prediction before a percentage is found among the frequencies."""
    Path("peptides.txt").write_text("SLYNTVATL\n")
    Path("frequencies.csv").write_text("allele,frequency\nA*02:01,27\n")
    fake_predictor.made = ()
    status, out, err = run_command("coverage", "peptides.txt", "--frequencies", "frequencies.csv", "-o", "out.csv")
    assert (status, out, fake_predictor.made) == (2, "", ()) and err.count("\n") == 1
    assert "frequencies.csv, row 2, column 'frequency'" in err and not Path("out.csv").exists()


def test_peptides_that_are_not_counted_are_told(run_command):
    """Prevents a share that looks like that of all peptides when some, or all, could not be scored."""
    Path("frequencies.csv").write_text("allele,frequency\nA*02:01,0.27\n")
    Path("peptides.txt").write_text("SLYNTVATL\nSLYXTVATL\n")
    status, _, err = run_command("coverage", "peptides.txt", "--frequencies", "frequencies.csv")
    assert (status, err.count("\n")) == (0, 1) and "1 of 2 peptides have a row without a rank" in err
    Path("peptides.txt").write_text("")
    status, out, err = run_command("coverage", "peptides.txt", "--frequencies", "frequencies.csv")
    assert (status, out) == (2, "") and err.count("\n") == 1 and "there are no peptides" in err
    Path("peptides.txt").write_text("SLYXTVATL\nSLYNTV\u200bATL\n")
    status, out, err = run_command("coverage", "peptides.txt", "--frequencies", "frequencies.csv")
    told = "error: peptides.txt: no peptide has a rank (non-standard residue 'X')\n"
    assert (status, out) == (2, "") and err.endswith(told)


def test_every_peptide_meets_every_allele(run_command):
    """Prevents a table of pairs from being predicted pair by pair, which covers fewer people than its peptides do."""
    Path("frequencies.csv").write_text("allele,frequency\nA*02:01,0.27\nB*07:02,0.1\n")
    Path("pairs.csv").write_text("peptide,allele\nSLYNTVATL,A*02:01\nTPRVTGGGAM,B*07:02\nSLYNTVATL,A*01:01\n")
    Path("peptides.txt").write_text("SLYNTVATL\nTPRVTGGGAM\n")
    pairs = run_command("coverage", "pairs.csv", "--frequencies", "frequencies.csv", "--max-rank", "9")
    alone = run_command("coverage", "peptides.txt", "--frequencies", "frequencies.csv", "--max-rank", "9")
    assert pairs[:2] == alone[:2] and float(alone[1].splitlines()[1].split(",")[2]) > 0
    assert alone[2] == "" and pairs[2] == (
        "pairs.csv: each peptide is predicted with every allele of the frequencies, not its own\n"
    )
    run_command("predict", "pairs.csv", "-o", "predictions.csv")
    status, _, err = run_command("coverage", "predictions.csv", "--frequencies", "frequencies.csv")
    assert (status, err.count("\n")) == (0, 1) and "2 of 4 pairs of a peptide and an allele have no row" in err
