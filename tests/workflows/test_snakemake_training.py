"""The Snakemake workflow of a training runs as it is shipped, and repeats only what has changed."""

import pandas as pd
import pytest

pytest.importorskip("snakemake")


def test_training(place):
    """Prevents a chain from ligands to metrics that breaks between two commands, and a second run that repeats it."""
    here = place("train/.test")
    here.snakemake("train/workflow/Snakefile", "--cores", "1")
    assert [call for call, _ in here.calls()] == ["data", "data", "distill", "evaluate", "finetune", "pretrain"]
    metrics = pd.read_csv(here.folder / "results/metrics.csv")
    assert set(metrics["model"]) == {"teacher", "student"}
    assert metrics.loc[metrics["by"] == "all", "auroc"].between(0, 1).all()
    here.snakemake("train/workflow/Snakefile", "--cores", "1")
    assert here.calls() == []
    here.change("data/affinities.csv")
    assert "rule prepare:" in here.snakemake("train/workflow/Snakefile", "--dry-run")
    (here.folder / "recipes/data.yaml").write_text("sources: ligands.csv\n")
    told = here.snakemake("train/workflow/Snakefile", "--dry-run", fails=True)
    assert "recipes/data.yaml, 'sources': a list of files is expected" in told and "Traceback" not in told
