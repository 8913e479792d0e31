"""The Snakemake workflows run as they are shipped, and after a failure repeat only what is missing."""

import shlex
import shutil
from pathlib import Path

import pandas as pd
import pytest
import yaml

from pmhc_distil.models import BUNDLED_MODEL

pytest.importorskip("snakemake")

FOLDER = Path(__file__).parents[2] / "workflows" / "snakemake"
ROOT = FOLDER.parents[1]
SCHEDULER = {
    "qsub": """#!/bin/sh
echo $$ >> {home}/submitted
if [ -e {home}/kill_job ]; then rm {home}/kill_job; echo 137 > {home}/status.$$; echo $$; exit; fi
(env -i HOME={home} PATH="$PATH" setsid sh "$1"; echo $? > {home}/status.$$) > /dev/null 2>&1 &
echo $$
""",
    "qstat": """#!/bin/sh
[ ! -e {home}/status.$2 ]
""",
    "qacct": """#!/bin/sh
echo "failed       0    "
echo "exit_status  $(cat {home}/status.$2)"
""",
}


def check_results(here):
    """Compare with what one run writes."""
    for name, arguments in (("listed", ("peptides.txt", "--hla", "A*02:01,B*07:02")), ("paired", ("pairs.csv",))):
        data, *more = arguments
        here.run("pmhc_distil.cli", "predict", f"data/{data}", *more, "--genotype", "-o", f"{name}.csv")
        assert (here.folder / f"results/{name}.csv").read_bytes() == (here.folder / f"{name}.csv").read_bytes()


def test_a_killed_job_alone_is_repeated(place):
    """Prevents one lost node of hundreds from costing the work of all, and shards that do not make the whole."""
    here = place("predict/.test")
    here.kill.touch()
    here.snakemake("predict/workflow/Snakefile", "--cores", "1", "--keep-going", fails=True)
    predicted = [("predict", "1/1"), ("predict", "1/2"), ("predict", "2/2")]
    assert here.calls() == [("gather", "results/shards/paired/1-of-1.csv"), *predicted]
    here.snakemake("predict/workflow/Snakefile", "--profile", str(FOLDER / "profiles/local"), "--cores", "1")
    assert here.calls() == [("gather", "results/shards/listed/1-of-2.csv"), ("predict", "2/2")]
    check_results(here)
    assert not (here.folder / "results/shards/listed/1-of-2.csv").exists()
    timed = pd.read_csv(here.folder / "benchmarks/predict/listed/1-of-2.tsv", sep="\t")
    assert (timed["s"] > 0).all()


def test_jobs_through_a_scheduler(place, tmp_path):
    """Prevents a workflow that only works where all jobs are children of one process, or waits for one that is dead."""
    here = place("predict/.test")
    for name, text in SCHEDULER.items():
        here.add_program(name, text.format(home=tmp_path))
    profile = yaml.safe_load((FOLDER / "profiles/cluster/config.yaml").read_text())
    assert shlex.split(profile["cluster-generic-submit-cmd"])[0] == "qsub"
    (tmp_path / "profile").mkdir()
    (tmp_path / "kill_job").touch()
    profile |= {"cluster-generic-submit-cmd": "qsub", "latency-wait": 20, "jobs": 2, "seconds-between-status-checks": 1}
    (tmp_path / "profile/config.yaml").write_text(yaml.safe_dump(profile))
    here.snakemake("predict/workflow/Snakefile", "--profile", str(tmp_path / "profile"), "--config", "retries=1")
    assert len((tmp_path / "submitted").read_text().splitlines()) == 6 and len(here.calls()) == 5
    check_results(here)


def test_proteins_are_scanned(place):
    """Prevents an option of predict from being given to scan, or one that scan cannot resume."""
    here = place("predict/.test")
    protein = ROOT / "data/examples/oncogenes.fasta"
    (here.folder / "config/samples.csv").write_text(f"sample,alleles,file\nall,A1101;C0802,{protein}\n")
    top = ("--config", "command=scan", "options=['--top', '3']", "format=tsv", "shard_megabytes=0.0004")
    here.snakemake("predict/workflow/Snakefile", "--cores", "1", *top)
    assert len(here.calls()) > 2
    here.run("pmhc_distil.cli", "scan", str(protein), "--hla", "A1101,C0802", "--top", "3", "-o", "all.tsv")
    assert (here.folder / "results/all.tsv").read_bytes() == (here.folder / "all.tsv").read_bytes()


def test_mistakes_are_told_field_by_field(place):
    """Prevents a traceback or a job that fails after hours for a typing mistake in the sheet or the configuration."""
    here = place("predict/.test")
    sheet = "sample,alleles,file\nmy sample,A0201,data/peptides.txt\nb,A0201,data/none.txt\nc,A0201\n"
    (here.folder / "config/samples.csv").write_text(f"{sheet}paired,,data/pairs.csv\npaired,,data/pairs.csv\n")
    told = here.snakemake("predict/workflow/Snakefile", "--dry-run", fails=True)
    assert "Traceback" not in told
    for line in (
        "config/samples.csv, row 2, 'sample' 'my sample': a name of letters, digits",
        "config/samples.csv, row 3, 'file' 'data/none.txt': there is no such file",
        "config/samples.csv, row 4, 'file' '': the path of a file of peptides",
        "config/samples.csv, row 6, 'sample' 'paired': every sample has one row",
    ):
        assert line in told
    sheet = "sample,alleles,file\na,A0201;A9999,data/peptides.txt\nb,A0201,B0702,data/peptides.txt\n"
    (here.folder / "config/samples.csv").write_text(sheet)
    told = here.snakemake("predict/workflow/Snakefile", "--dry-run", fails=True)
    assert "config/samples.csv, row 2, 'alleles': no such allele in IPD-IMGT/HLA" in told and "'A9999'" in told
    assert "config/samples.csv, row 3: there are more values than columns" in told
    (here.folder / "config/samples.csv").write_text("name,alleles,file\na,A0201,data/peptides.txt\n")
    told = here.snakemake("predict/workflow/Snakefile", "--dry-run", fails=True)
    assert "the column 'sample' is missing; there are name, alleles, file" in told
    settings = ("shard_megabytes=-1", "format=xls", "thread=2", "options=[--output]")
    told = here.snakemake("predict/workflow/Snakefile", "--dry-run", "--config", *settings, fails=True)
    assert "Traceback" not in told
    for line in (
        "the configuration, 'shard_megabytes' '-1': a positive number is expected",
        "the configuration, 'format' 'xls': one of csv, tsv",
        "the configuration, 'thread' '2': known are samples, command",
        "the configuration, 'options' '['--output']': a list of more options",
    ):
        assert line in told
    for settings, line in (
        ("options=[--shard=1/2]", "'options' '['--shard=1/2']': a list of more options"),
        ("options=[--format=jsonl]", "'options' '['--format=jsonl']': a list of more options"),
        ("options=[-oout.csv]", "'options' '['-oout.csv']': a list of more options"),
        ("options=[--hla-fasta=gone.fasta]", "'options' '--hla-fasta gone.fasta': there is no such file"),
    ):
        told = here.snakemake("predict/workflow/Snakefile", "--dry-run", "--config", settings, fails=True)
        assert "Traceback" not in told and f"the configuration, {line}" in told
    paged = ("report=True", "options=[--samples=config/samples.csv]")
    told = here.snakemake("predict/workflow/Snakefile", "--dry-run", "--config", *paged, fails=True)
    assert "Traceback" not in told and "a page takes the alleles of the sample sheet, not --samples" in told


def test_what_the_options_name(place):
    """Prevents a page of another model than the table's, and results that stay when their model has changed."""
    here = place("predict/.test")
    shutil.copytree(BUNDLED_MODEL, here.folder / "model")
    (here.folder / "config/samples.csv").write_text("sample,alleles,file\nlisted,A0201,data/peptides.txt\n")
    options = "options=['--model=model', '--precision', 'single', '--top=3', '--lengths=9']"
    shutil.copy(ROOT / "data/examples/protein.fasta", here.folder / "data/peptides.txt")
    given = ("--cores", "1", "--config", "command=scan", "shard_megabytes=2", "report=True", options)
    here.snakemake("predict/workflow/Snakefile", *given)
    made = [("gather", "results/shards/listed/1-of-1.csv"), ("report", "data/peptides.txt"), ("scan", "1/1")]
    assert here.calls() == made
    assert pd.read_csv(here.folder / "results/listed.csv")["peptide"].str.len().tolist() == [9, 9, 9]
    assert "<html" in (here.folder / "results/listed.html").read_text()
    plan = here.snakemake("predict/workflow/Snakefile", "--dry-run", *given)
    assert "Nothing to be done" in plan
    here.change("model/config.json")
    plan = here.snakemake("predict/workflow/Snakefile", "--dry-run", "--printshellcmds", *given)
    assert "pmhc-distil scan data/peptides.txt" in plan and "model/config.json" in plan
    assert "--hla A0201 --lengths 8-11 --model model --precision single --lengths 9 --title listed" in plan


def test_an_empty_value_and_a_sheet_with_tabs(place):
    """Prevents an option whose value is empty from swallowing the next, and a sheet with tabs from being refused."""
    here = place("predict/.test")
    (here.folder / "config/samples.csv").write_text("sample\talleles\tfile\nlisted\tA0201;B0702\tdata/pairs.csv\n")
    for option in ("'--allele-column='", "'--allele-column', ''"):
        given = ("--dry-run", "--printshellcmds", "--config", f"options=[{option}, --genotype]")
        plan = here.snakemake("predict/workflow/Snakefile", *given)
        assert "predict data/pairs.csv --hla A0201,B0702 --allele-column= --genotype" in plan


@pytest.mark.parametrize("workflow", ["predict", "train"])
def test_lint_and_plan(place, workflow):
    """Prevents what Snakemake's own linter objects to, and a rule whose input nobody makes."""
    here = place(f"{workflow}/.test")
    assert "in a good condition" in here.snakemake(f"{workflow}/workflow/Snakefile", "--lint")
    plan = here.snakemake(f"{workflow}/workflow/Snakefile", "--dry-run", "--quiet", "rules")
    assert "missing" not in plan.lower()
    assert here.calls() == []


def test_wrapper(place):
    """Prevents a wrapper that only works for the names in its own test."""
    here = place("wrapper/test")
    shutil.copytree(FOLDER / "wrapper", here.folder / "wrapper", ignore=shutil.ignore_patterns("test"))
    snakefile = here.folder / "Snakefile"
    snakefile.write_text(snakefile.read_text().replace("master/bio/pmhc-distil/predict", f"file:{here.folder}/wrapper"))
    (here.folder / "other.txt").write_text((here.folder / "peptides.txt").read_text())
    here.run("snakemake", "--cores", "1", "other.predictions.csv")
    rows = pd.read_csv(here.folder / "other.predictions.csv")
    peptides = (here.folder / "peptides.txt").read_text().split()
    assert rows["peptide"].tolist() == peptides and set(rows["allele"]) <= {"HLA-A*02:01", "HLA-B*07:02"}
    meta = yaml.safe_load((FOLDER / "wrapper/meta.yaml").read_text())
    assert {"name", "description", "url", "authors", "input", "output", "params"} == set(meta)
