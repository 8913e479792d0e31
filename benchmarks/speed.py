"""How fast, how large and how exact: one run on one machine, written to ``speed.json`` beside this file, or another.

    python benchmarks/speed.py --proteins human.fasta.gz --mhcflurry /path/to/python
    python benchmarks/speed.py --proteins human.fasta.gz --device cuda --results benchmarks/speed_gpu.json

Times are of whole commands, from file to file and with start-up, the best of several runs; of a peer without start-up.
``--mhcflurry`` is the interpreter of another environment that has MHCflurry; without it that peer is left out.
"""

import argparse
import importlib.metadata
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pmhc_distil.inference import background
from pmhc_distil.inference.engine import Engine, available_cores, read_weights
from pmhc_distil.inference.predictor import Predictor
from pmhc_distil.models import BUNDLED_MODEL
from pmhc_distil.models.vocabulary import VOCABULARY
from pmhc_distil.sequences.groove_table import GROOVE_LENGTH
from pmhc_distil.sequences.hla import resolve_allele
from pmhc_distil.sequences.proteins import read_proteins

if TYPE_CHECKING:
    import torch

    from pmhc_distil.inference.fused import FusedBackend

HERE = Path(__file__).parent
COMMAND = [sys.executable, "-m", "pmhc_distil.cli"]
ALLELES = ["HLA-A*02:01", "HLA-A*01:01", "HLA-B*07:02", "HLA-B*44:02", "HLA-C*07:02", "HLA-C*03:04"]
LETTERS = np.array([token[0] for token in VOCABULARY])
PROTEINS = 200
Facts = dict[str, Any]


@dataclass(frozen=True)
class Work:
    """A task that is timed from file to file."""

    name: str
    pairs: int
    arguments: list[str]


def random_peptides(count: int, lengths: Sequence[int]) -> list[str]:
    """Draw peptides, all residues equally likely."""
    generator = np.random.default_rng(1)
    chosen = generator.choice(lengths, count)
    return ["".join(generator.choice(LETTERS[4:], length)) for length in chosen]


def write_peptides(path: Path, peptides: Sequence[str]) -> Path:
    """Write a table with the column ``peptide``."""
    path.write_text("\n".join(["peptide", *peptides, ""]), encoding="utf-8")
    return path


# The largest memory of a process counts that of the one it was started from: so a small one starts it.
STARTER = """
import json, resource, subprocess, sys, time
start = time.perf_counter()
done = subprocess.run(sys.argv[1:], capture_output=True, text=True)
seconds, usage = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([seconds, usage.ru_maxrss / 1024, done.returncode, done.stdout, done.stderr[-500:]]))
"""


def started(command: Sequence[str]) -> tuple[float, float, str]:
    """Run a command; its seconds, its largest resident memory in MiB, and what it printed."""
    done = subprocess.run([sys.executable, "-c", STARTER, *command], check=True, capture_output=True, text=True)
    seconds, memory, status, output, told = json.loads(done.stdout)
    if status:
        raise SystemExit(f"{' '.join(command)} failed: {told}")
    return seconds, memory, output


def run(command: Sequence[str], repeats: int = 3) -> tuple[float, float]:
    """Time a command; seconds of the fastest run, and the largest resident memory in MiB."""
    runs = [started(command) for _ in range(repeats)]
    return min(one[0] for one in runs), max(one[1] for one in runs)


def best(function: Callable[[], object], seconds: float = 1.0) -> float:
    """Time a function for a while; seconds of the fastest call."""
    function()
    times: list[float] = []
    while sum(times) < seconds:
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def machine(threads: int, device: str) -> Facts:
    """Describe the processor or GPU, and how fast it multiplies large matrices."""
    import torch

    torch.set_num_threads(threads)
    on_gpu = device == "cuda"
    info = Path("/proc/cpuinfo")
    names = re.findall(r"^model name\s*:\s*(.*)$", info.read_text(), re.M) if info.exists() else []
    speeds = {}
    for name, dtype, size in (("half", torch.bfloat16, 4096), ("single", torch.float32, 2048)):
        size *= 2 if on_gpu else 1
        square = torch.randn(size, size, device=device).to(dtype)
        speeds[name] = 2 * size**3 / best(finished(partial(torch.matmul, square, square), device), 3) / 1e9
    return {
        "processor": torch.cuda.get_device_name() if on_gpu else names[0] if names else platform.processor(),
        "threads": threads,
        "torch": torch.__version__,
        "matrix_gflops": speeds,
    }


def finished(function: Callable[[], object], device: str) -> Callable[[], object]:
    """Make a function wait for a GPU that it has given work to."""
    import torch

    def waited() -> None:
        function()
        torch.cuda.synchronize()

    return waited if device == "cuda" else function


def operations(length: int) -> int:
    """Count additions and multiplications of the encoder for one peptide, the groove's aside."""
    shape, _ = read_weights(BUNDLED_MODEL)
    width, inner, tokens = shape.hidden_size, shape.intermediate_size, length + 1
    attention = 2 * width * (GROOVE_LENGTH + tokens)
    per_token = 4 * width * width + 2 * width * inner + attention
    last = 2 * width * width * tokens + 2 * width * width + 2 * width * inner + attention
    return 2 * ((shape.num_hidden_layers - 1) * tokens * per_token + last + width * width)


def launched(backend: "FusedBackend", parts: "list[list[torch.Tensor]]") -> None:
    """Score what lies in the memory of a GPU, as its backend has placed it."""
    for part in parts:
        backend.launch(*part)


def encoder(threads: int, matrix_gflops: dict[str, float], device: str) -> Facts:
    """Time the encoder alone on 9-mers, and compare with matrix multiplication."""
    generator = np.random.default_rng(0)
    result = {}
    for precision in ("half", "single"):
        count = 40_000 if device == "cpu" else 1 << 20 if precision == "half" else 1 << 17
        tokens = generator.integers(4, len(VOCABULARY), (count, 9)).astype(np.uint8)
        engine = Engine(BUNDLED_MODEL, threads=threads, device=device, precision=precision)
        prefix = engine.backend.prefix(resolve_allele(ALLELES[0]).groove)
        forward: Callable[[], object] = partial(engine.backend.forward, prefix, tokens)
        if device == "cuda" and precision == "half":
            from pmhc_distil.inference.fused import FusedBackend

            # What lies in the memory of the GPU already; torch, if the kernels have failed their test, is timed whole.
            if isinstance(engine.backend, FusedBackend):
                parts = list(engine.backend.placed([prefix], tokens, np.array([0, count]), np.arange(count)))
                forward = partial(launched, engine.backend, parts)
        rate = len(tokens) / best(finished(forward, device), 3)
        gflops = rate * operations(9) / 1e9
        result[precision] = {"pairs_per_s": rate, "gflops": gflops, "share": gflops / matrix_gflops[precision]}
    return result


def reference(threads: int, device: str) -> Facts:
    """Time the transformers model run plainly: padded batches, groove and peptide together."""
    import torch

    from pmhc_distil.models.hf.modeling import PMHCForSequenceClassification
    from pmhc_distil.models.hf.tokenizer import PMHCTokenizer

    torch.set_num_threads(threads)
    model, tokenizer = PMHCForSequenceClassification.from_pretrained(BUNDLED_MODEL).float().eval(), PMHCTokenizer()
    model.to(device)
    peptides = random_peptides(512 if device == "cpu" else 16_384, [9])
    grooves = [resolve_allele(ALLELES[0]).groove] * len(peptides)

    def score() -> np.ndarray:
        with torch.inference_mode():
            found = model(**tokenizer(peptides, grooves, padding=True, return_tensors="pt").to(device))
        return torch.stack([found.logits[:, 1] - found.logits[:, 0], found.affinity_logits], 1).cpu().numpy()

    expected = score()
    errors = {}
    for precision in ("half", "single"):
        engine = Engine(BUNDLED_MODEL, threads=threads, device=device, precision=precision)
        found = engine.score(peptides, grooves[:1], np.zeros(len(peptides), np.int64))
        errors[precision] = float(np.abs(found - expected).max())
    return {"pairs_per_s": len(peptides) / best(score, 5), "largest_difference": errors}


def classes(threads: int, device: str) -> Facts:
    """Count binder classes that half precision changes, with and without a second look at the rows near a limit."""
    random = background.read_windows(BUNDLED_MODEL / background.FILE_NAME)
    peptides = ["".join(row) for tokens in random.values() for row in LETTERS[tokens[:4000]]]
    predictors = [Predictor(threads=threads, device=device, precision=name) for name in ("half", "single")]
    half, single = (one.predict(peptides, ALLELES) for one in predictors)
    predictors[0]._sharpen = lambda *_: None  # type: ignore[method-assign]
    raw = predictors[0].predict(peptides, ALLELES)
    return {
        "pairs": len(half),
        "changed": int((half["binder"] != single["binder"]).sum()),
        "changed_without_second_look": int((raw["binder"] != single["binder"]).sum()),
    }


def works(folder: Path, proteins: Path, device: str) -> list[Work]:
    """Write the input of the three tasks, one of them in two ways; of the first two more for a GPU."""
    first, second = (100_000, 10_000) if device == "cpu" else (1_000_000, 1_000_000)
    one = write_peptides(folder / "one.csv", random_peptides(first, [9]))
    six = write_peptides(folder / "six.csv", random_peptides(second, [8, 9, 10, 11]))
    chosen = [part for part in read_proteins(proteins) if 200 <= len(part[1]) <= 1000][:PROTEINS]
    fasta = folder / "proteins.fasta"
    fasta.write_text("".join(f">{name}\n{sequence}\n" for name, sequence in chosen), encoding="utf-8")
    windows = sum(max(0, len(sequence) - length + 1) for _, sequence in chosen for length in range(8, 12))
    alleles, scan = ",".join(ALLELES), f"{PROTEINS} proteins, 8 to 11, 6 alleles"
    return [
        Work(f"{first:,} 9-mers, 1 allele", first, ["predict", str(one), "--hla", ALLELES[0]]),
        Work(f"{second:,} peptides, 6 alleles", second * 6, ["predict", str(six), "--hla", alleles]),
        Work(f"{scan}", windows * 6, ["scan", str(fasta), "--hla", alleles]),
        Work(f"{scan}, rank up to 2", windows * 6, ["scan", str(fasta), "--hla", alleles, "--max-rank", "2"]),
    ]


def timed(work: Work, folder: Path, threads: int, device: str) -> Facts:
    """Time a task from file to file."""
    command = [*COMMAND, *work.arguments, "--threads", str(threads), "--device", device, "-o", str(folder / "out.csv")]
    seconds, peak = run(command, repeats=5 if work.pairs < 1_000_000 else 2)
    return {"name": work.name, "pairs": work.pairs, "seconds": seconds, "peak_mib": peak}


def mhcflurry(python: str, folder: Path, threads: int) -> Facts:
    """Time MHCflurry's architecture both ways on less of the same work, without its start."""
    result: Facts = {}
    for name, count, alleles in (("one", 20_000, ALLELES[:1]), ("six", 3_000, ALLELES)):
        peptides = write_peptides(
            folder / f"peer_{name}.csv", random_peptides(count, [9] if name == "one" else range(8, 12))
        )
        for way in ([], ["--cartesian"]):
            command = [python, str(HERE / "peer_mhcflurry.py"), str(peptides), "--alleles", ",".join(alleles)]
            command += ["--threads", str(threads), "-o", str(folder / "peer.csv"), *way]
            found = json.loads(started(command)[2].splitlines()[-1])
            rate = found["pairs"] / found["predict_s"]
            if rate > result.get(name, {}).get("pairs_per_s", 0):
                result[name] = {**found, "pairs_per_s": rate}
    return result


def first_stage(folder: Path, work: Work) -> Facts:
    """Compare a scan for binders with and without its first stage."""
    rows = []
    for name, more in (("with", []), ("without", ["--exhaustive"])):
        output = folder / f"{name}.csv"
        run([*COMMAND, *work.arguments, *more, "-o", str(output)], repeats=1)
        rows.append(set(output.read_text(encoding="utf-8").splitlines()[1:]))
    return {"binders": len(rows[1]), "lost": len(rows[1] - rows[0]), "changed": len(rows[0] - rows[1])}


def memory(folder: Path, device: str) -> Facts:
    """Measure the largest resident memory of predictions of more and more peptides with six alleles."""
    result = {}
    for count in (1_000, 100_000, 1_000_000):
        peptides = write_peptides(folder / "many.csv", random_peptides(count, [9]))
        command = [*COMMAND, "predict", str(peptides), "--hla", ",".join(ALLELES), "--device", device]
        result[str(count)] = run([*command, "-o", str(folder / "many_out.csv")], repeats=1)[1]
    return result


def start(folder: Path, device: str) -> Facts:
    """Time the first prediction of a cold process, and the import of torch."""
    peptides = write_peptides(folder / "ten.csv", random_peptides(10, [9]))
    predict = [*COMMAND, "predict", str(peptides), "--hla", ALLELES[0], "--device", device]
    return {
        "predict_s": run([*predict, "-o", str(folder / "ten_out.csv")], repeats=7)[0],
        "import_torch_s": run([sys.executable, "-c", "import torch"], repeats=7)[0],
        "python_s": run([sys.executable, "-c", "pass"], repeats=7)[0],
    }


def installed() -> Facts:
    """Measure what lies on the disk: the package, and it with all that it requires, in MiB."""
    sizes: dict[str, float] = {}
    todo = ["pmhc-distil"]
    while todo:
        name = re.sub(r"[-_.]+", "-", todo.pop()).lower()
        if name in sizes:
            continue
        try:
            found = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        paths = [Path(str(found.locate_file(part))) for part in found.files or []]
        sizes[name] = sum(path.stat().st_size for path in paths if path.is_file()) / 2**20
        needed = [text for text in found.requires or [] if "extra ==" not in text]
        todo += [match[0] for text in needed if (match := re.match(r"[\w.-]+", text))]
    package = Path(str(importlib.metadata.distribution("pmhc-distil").locate_file("pmhc_distil")))
    folder = package if package.is_dir() else BUNDLED_MODEL.parents[1]
    sizes["pmhc-distil"] = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 2**20
    light = ("pmhc-distil", "numpy", "pandas", "safetensors", "click", "tqdm", "biopython", "python-dateutil", "six")
    return {
        "package_mib": sizes["pmhc-distil"],
        "for_prediction_mib": sum(sizes.get(name, 0) for name in light),
        "all_mib": sum(sizes.values()),
    }


def training(folder: Path, threads: int) -> Facts:
    """Time fine-tuning of the shipped teacher and distillation of a student beside it; pairs per second."""
    generator = np.random.default_rng(2)
    header = "peptide,allele,label,affinity_nm,inequality,offset,source\n"
    rows = [
        f"{peptide},{ALLELES[i % 6]},{generator.integers(2)},,,0,made up\n"
        for i, peptide in enumerate(random_peptides(16_384, range(8, 16)))
    ]
    (folder / "train.csv").write_text(header + "".join(rows), encoding="utf-8")
    (folder / "validation.csv").write_text(header + "".join(rows[:600]), encoding="utf-8")
    data = ["--train", str(folder / "train.csv"), "--validation", str(folder / "validation.csv")]
    teacher = str(HERE.parent / "data" / "teacher")
    result = {}
    for command, model in (("finetune", "--model"), ("distill", "--teacher")):
        recipe = (HERE.parent / "recipes" / f"{command}.yaml").read_text(encoding="utf-8")
        short = folder / f"{command}.yaml"
        short.write_text(re.sub(r"num_train_epochs: .*", "num_train_epochs: 1", recipe), encoding="utf-8")
        call = [*COMMAND, command, model, teacher, *data, "--recipe", str(short)]
        environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
        done = subprocess.run(
            [*call, "-o", str(folder / command)], env=environment, check=True, capture_output=True, text=True
        )
        result[command] = float(re.findall(r"([\d.]+) examples per second", done.stderr.replace(",", ""))[-1])
    return result


def main() -> None:
    """Run everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--proteins", type=Path, required=True, help="FASTA to scan")
    parser.add_argument("--mhcflurry", help="interpreter that has MHCflurry")
    parser.add_argument("--threads", type=int, default=available_cores())
    parser.add_argument(
        "--device", choices=["cpu", "cuda"], default="cpu", help="cuda leaves out what a GPU does not do"
    )
    parser.add_argument("--only", nargs="+", metavar="PART", help="measure these again, and keep the others")
    parser.add_argument("--results", type=Path, default=HERE / "speed.json", metavar="FILE", help="where to write them")
    given = parser.parse_args()
    results: Path = given.results
    facts: Facts = json.loads(results.read_text(encoding="utf-8")) if given.only else {}
    with tempfile.TemporaryDirectory() as name:
        folder, threads, device = Path(name), given.threads, given.device
        tasks = works(folder, given.proteins, device)
        parts: dict[str, Callable[[], Any]] = {
            "machine": lambda: machine(threads, device),
            "encoder": lambda: encoder(threads, facts["machine"]["matrix_gflops"], device),
            "reference": lambda: reference(threads, device),
            "start": lambda: start(folder, device),
            "works": lambda: [timed(task, folder, threads, device) for task in tasks],
            "mhcflurry": lambda: mhcflurry(given.mhcflurry, folder, threads) if given.mhcflurry else {},
            "first_stage": lambda: first_stage(folder, tasks[-1]),
            "classes": lambda: classes(threads, device),
            "memory": lambda: memory(folder, device),
            "installed": installed,
            "training": lambda: training(folder, threads),
        }
        if device == "cuda":  # the rest is about processors
            parts = {
                name: parts[name] for name in ("machine", "encoder", "reference", "start", "works", "classes", "memory")
            }
        for part, measure in parts.items():
            if not given.only or part in given.only:
                facts[part] = measure()
                results.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
