"""Measure the Snakemake workflow on many peptides in shards, and work out what a thousand million pairs cost.

python benchmarks/cluster.py --cores 2 --insert workflows/README.md

It writes ``cluster.json`` beside itself, and its table between ``<!-- cluster:begin -->`` and ``<!-- cluster:end -->``.
The gathered table is compared with that of one run without shards.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from pmhc_distil import Predictor
from pmhc_distil.evaluation.markdown import insert
from pmhc_distil.sequences.files import file_sha256
from pmhc_distil.sequences.writers import write_predictions

ALLELES = ("A*02:01", "A*24:02", "B*07:02", "B*35:01", "C*04:01", "C*07:02")
ROOT = Path(__file__).parents[1]
SNAKEFILE = ROOT / "workflows/snakemake/predict/workflow/Snakefile"
PROGRAM = f'#!/bin/sh\nexec "{sys.executable}" -m pmhc_distil.cli "$@"\n'


def prepare(folder: Path, count: int, shards: int) -> Path:
    """Write random peptides of 8 to 11 residues, and what the workflow needs."""
    letters = np.array(list("ACDEFGHIKLMNPQRSTVWY"))
    generator = np.random.default_rng(1)
    lengths = generator.integers(8, 12, count)
    rows = letters[generator.integers(0, len(letters), (count, 11))]
    peptides = folder / "peptides.txt"
    peptides.write_text("".join("".join(row[:n]) + "\n" for row, n in zip(rows, lengths, strict=True)))
    megabytes = peptides.stat().st_size / shards / 1e6 * (1 + 1e-9)
    (folder / "config").mkdir()
    config = {"samples": "config/samples.csv", "format": "csv", "shard_megabytes": megabytes}
    (folder / "config/config.yaml").write_text(yaml.safe_dump(config))
    (folder / "config/samples.csv").write_text(f"sample,alleles,file\nrandom,{';'.join(ALLELES)},peptides.txt\n")
    (folder / "bin").mkdir()
    (folder / "bin/pmhc-distil").write_text(PROGRAM)
    (folder / "bin/pmhc-distil").chmod(0o755)
    return peptides


def measure(folder: Path, count: int, shards: int, cores: int) -> dict[str, Any]:
    """Run the workflow, and the same without shards."""
    peptides = prepare(folder, count, shards)
    path = os.pathsep.join([str(folder / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    start = time.perf_counter()
    command = [sys.executable, "-m", "snakemake", "-s", str(SNAKEFILE), "--cores", str(cores), "--quiet"]
    subprocess.run(command, cwd=folder, env=environment, check=True)
    seconds = time.perf_counter() - start
    whole = [*("predict", str(peptides), "--hla", ",".join(ALLELES)), "--threads", str(cores), "-o", "whole.csv"]
    start = time.perf_counter()
    subprocess.run(["pmhc-distil", *whole], cwd=folder, env=environment, check=True)
    return {
        "peptides": count,
        "alleles": len(ALLELES),
        "cores": cores,
        "seconds": seconds,
        "one_run_seconds": time.perf_counter() - start,
        "same_bytes": file_sha256(folder / "whole.csv") == file_sha256(folder / "results/random.csv"),
        "table_bytes": (folder / "whole.csv").stat().st_size,
        "shards": [read_benchmark(path) for path in sorted(folder.glob("benchmarks/predict/random/*.tsv"))],
        "gather": read_benchmark(folder / "benchmarks/gather/random.tsv"),
        "row_seconds": cost_of_rows(),
    }


def cost_of_rows(count: int = 20_000) -> float:
    """Measure the seconds of one core that a pair takes beside the encoder: laid out, ranked and written."""
    generator = np.random.default_rng(2)
    letters = np.array(list("ACDEFGHIKLMNPQRSTVWY"))
    peptides = ["".join(row) for row in letters[generator.integers(0, len(letters), (count, 9))]]
    predictor = Predictor(threads=1, precision="single")
    predictor.predict(peptides[:10], ALLELES)

    def score(peptides: list[str], grooves: list[str], index: np.ndarray, *, progress: bool = False) -> np.ndarray:
        return generator.normal(-3, 2, (len(peptides), 2)).astype(np.float32)

    predictor.engine.score = score  # type: ignore[method-assign,assignment]
    start = time.process_time()
    frame = predictor.predict(peptides, ALLELES)
    with tempfile.TemporaryDirectory() as folder:
        write_predictions(frame, Path(folder) / "rows.csv")
    return (time.process_time() - start) / len(frame)


def read_benchmark(path: Path) -> dict[str, float]:
    """Read what Snakemake measured of a job."""
    with path.open(newline="") as stream:
        (row,) = csv.DictReader(stream, delimiter="\t")
    return {"seconds": float(row["s"]), "memory_mib": float(row["max_rss"])}


def to_markdown(facts: dict[str, Any]) -> str:
    """Lay out what was measured, and what follows for a thousand million pairs."""
    pairs = facts["peptides"] * facts["alleles"]
    seconds = [shard["seconds"] for shard in facts["shards"]]
    per_hour = pairs / sum(seconds) * 3600
    hours = 1e9 / per_hour
    rows = [
        ("input", f"{facts['peptides']:,} peptides, {facts['alleles']} alleles: {pairs:,} pairs"),
        ("jobs", f"{len(seconds)} shards of one thread, {facts['cores']} at a time"),
        ("one shard, with its start", f"{min(seconds):.0f} to {max(seconds):.0f} s"),
        ("largest memory of a shard", f"{max(shard['memory_mib'] for shard in facts['shards']):.0f} MiB"),
        ("gather", f"{facts['gather']['seconds']:.1f} s for {facts['table_bytes'] / 1e6:,.0f} MB"),
        ("workflow", f"{facts['seconds']:.0f} s"),
        ("one run of as many threads", f"{facts['one_run_seconds']:.0f} s"),
        ("same bytes as one run", "yes" if facts["same_bytes"] else "NO"),
        ("pairs per core-hour", f"{per_hour:,.0f}"),
        ("of these, time of a pair outside the encoder", f"{facts['row_seconds'] * 1e6:.0f} microseconds a pair"),
        ("10^9 pairs", f"{hours:.1f} core-hours; on 1,000 cores {hours / 1000 * 60:.1f} minutes of prediction"),
    ]
    return "\n".join(["| measure | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)])


def main() -> None:
    """Measure, and write down what was found."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--peptides", type=int, default=1_000_000)
    parser.add_argument("--shards", type=int, default=8)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--insert", type=Path, metavar="FILE")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        facts = measure(Path(folder), options.peptides, options.shards, options.cores)
    (Path(__file__).parent / "cluster.json").write_text(json.dumps(facts, indent=1) + "\n")
    table = to_markdown(facts)
    sys.stdout.write(table + "\n")
    if options.insert:
        text = options.insert.read_text(encoding="utf-8")
        options.insert.write_text(insert(text, table, "cluster", str(options.insert)), encoding="utf-8")


if __name__ == "__main__":
    main()
