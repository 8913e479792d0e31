"""What can be said of the Nextflow modules without Nextflow: their blocks run in bash and make what is declared.

A process is taken apart, its definitions are worked out as Groovy would, and its script and its stub are run with
inputs in place.  The snapshots of nf-test are compared with what was made, and ``UPDATE_SNAPSHOTS=1`` writes them.
What only Nextflow can tell (its channels, executors, containers) is not tested here.
"""

import csv
import hashlib
import json
import os
import re
import subprocess
import sys
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "workflows" / "nextflow"
MODULES = sorted(FOLDER.glob("modules/*/*/main.nf"))
NAMES = [path.parent.name for path in MODULES]
EXAMPLES = ROOT / "data" / "examples"
HLA = "A*02:01,B*07:02"
PROGRAM = '#!/bin/sh\nPYTHONPATH={root} OMP_NUM_THREADS=1 exec {python} -m pmhc_distil.cli "$@"\n'


class Process:
    """A process of one module, taken apart."""

    def __init__(self, path):
        text = path.read_text()
        self.name = re.match(r"process (\w+) \{\n", text)[1]
        parts = re.split(r"^    (input|output|when|script|stub):\n", text.rstrip().removesuffix("}"), flags=re.M)
        self.blocks = dict(zip(parts[1::2], parts[2::2], strict=True))
        self.head = parts[0]
        self.inputs = re.findall(r"(?:val|path)\((\w+)\)", self.blocks["input"])
        self.outputs = {}
        for line in self.blocks["output"].strip().splitlines():
            emitted = re.search(r"emit: (\w+)", line)[1]
            patterns = re.findall(r'path\("([^"]+)"\)', line)
            self.outputs[emitted] = (patterns[0] if patterns else None, "optional: true" in line)
        self.version_command = re.search(r'eval\("([^"]+)"\)', self.blocks["output"])[1]

    def command(self, block, values):
        """Give what bash is to run."""
        text, values = self.blocks[block], dict(values)
        definitions, _, script = text.partition('"""\n')
        for name, expression in re.findall(r"^    def (\w+) = (.*)$", definitions, re.M):
            values[name] = work_out(expression, values)
        return fill(script.rpartition('    """')[0].replace("\\\\\n", "\\\n"), values)


def fill(text, values):
    return re.sub(r"\$\{([\w.]+)\}", lambda match: str(values[match[1]]), text)


def work_out(expression, values):
    """Work out ``a ?: b``, ``a ? b : c`` and texts, which is all that the modules use."""
    if " ?: " in expression:
        first, second = expression.split(" ?: ")
        return values.get(first) or work_out(second, values)
    if match := re.fullmatch(r"(\w+) \? (.+) : (''|\".*\")", expression):
        return work_out(match[2] if values[match[1]] else match[3], values)
    assert expression[0] == expression[-1] and expression[0] in "'\"", expression
    return fill(expression[1:-1], values) if expression[0] == '"' else expression[1:-1]


@pytest.fixture
def run(tmp_path):
    """Give a function that runs a block of a process in a folder with its inputs, and what was made there."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/pmhc-distil").write_text(PROGRAM.format(root=ROOT, python=sys.executable))
    (tmp_path / "bin/pmhc-distil").chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"}

    def bash(command, folder):
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command], cwd=folder, env=environment, capture_output=True, text=True
        )

    def run_process(name, block, values, files=()):
        process = Process(FOLDER / "modules/pmhcdistil" / name / "main.nf")
        folder = tmp_path / f"{name}-{block}-{values['meta.id']}"
        folder.mkdir()
        for file in files:
            (folder / Path(file).name).symlink_to(file)
        before = set(folder.iterdir())
        command = process.command(block, {"task.cpus": 1, **values})
        done = bash(command, folder)
        assert done.returncode == 0, command + done.stderr
        made = {}
        for emitted, (pattern, optional) in process.outputs.items():
            if pattern:
                made[emitted] = [path for path in folder.glob(pattern) if path not in before]
                assert optional or len(made[emitted]) == 1, (emitted, made)
        printed = bash(process.version_command, folder)
        assert printed.stdout == f"{version('pmhc-distil')}\n" and printed.returncode == 0
        return {emitted: paths[0] for emitted, paths in made.items() if paths}

    return run_process


def values(identifier, **more):
    return {"meta.id": identifier, "task.ext.args": "", "task.ext.prefix": "", **more}


@pytest.mark.parametrize("prefix", ["", "other"])
def test_predicted_and_gathered(run, prefix):
    """Prevents a command that does not run, or writes under another name than is declared."""
    peptides = EXAMPLES / "peptides.fasta"
    parts = []
    for number in (1, 2):
        filled = values(f"part{number}", peptides=peptides.name, hla=HLA, shard=f"{number}/2")
        filled |= {"task.ext.args": "--precision single", "task.ext.prefix": prefix and f"{prefix}{number}"}
        parts.append(run("predict", "script", filled, [peptides]))
        assert parts[-1]["predictions"].name == f"{prefix or 'part'}{number}.tsv"
    files = [part[emitted] for part in parts for emitted in ("predictions", "record")]
    tables = " ".join(part["predictions"].name for part in parts)
    records = " ".join(part["record"].name for part in parts)
    table = run("gather", "script", values("all", tables=tables, records=records), files)["predictions"]
    filled = values("whole", peptides=peptides.name, hla=HLA, shard="") | {"task.ext.args": "--precision single"}
    whole = run("predict", "script", filled, [peptides])
    assert "record" not in whole and table.read_bytes() == whole["predictions"].read_bytes()
    assert len(list(csv.DictReader(table.open(), delimiter="\t"))) == 30


def test_alleles_of_a_table(run):
    """Prevents an option without its value where a table has its own alleles."""
    pairs = EXAMPLES / "pairs.csv"
    made = run("predict", "script", values("test", peptides=pairs.name, hla="", shard=""), [pairs])
    assert made["predictions"].read_text().count("\n") == pairs.read_text().count("\n")


@pytest.mark.parametrize("name", NAMES)
def test_stub(run, name):
    """Prevents a stub that makes other files than the script, with which a dry run of a pipeline stops."""
    process = Process(FOLDER / "modules/pmhcdistil" / name / "main.nf")
    made = run(name, "stub", values("test", **dict.fromkeys(process.inputs, "none")))
    assert set(made) == {emitted for emitted, (pattern, _) in process.outputs.items() if pattern}


def as_nf_test_writes(value):
    """Give what stands in a snapshot for a value: files by name and checksum, folders by what is in them."""
    if isinstance(value, dict):
        return {name: as_nf_test_writes(value[name]) for name in sorted(value)}
    if isinstance(value, list):
        return [as_nf_test_writes(each) for each in value]
    if not isinstance(value, Path):
        return value
    if value.is_dir():
        return [as_nf_test_writes(path) for path in sorted(value.iterdir())]
    return f"{value.name}:md5,{hashlib.md5(value.read_bytes()).hexdigest()}"


def observed(assertion, channels):
    """Work out one argument of ``snapshot(...)``, of the kinds that the tests use."""
    if assertion == "sanitizeOutput(process.out)":
        return channels
    if assertion == "process.out.findAll { key, val -> key.startsWith('versions') }":
        return {name: value for name, value in channels.items() if name.startswith("versions")}
    kind, name, rest = re.fullmatch(r"(file|path)\(process\.out\.(\w+)\[0\]\[1\]\)\.(.+)", assertion).groups()
    path = channels[name][0][1]
    if (kind, rest) == ("file", "name"):
        return path.name
    if (kind, rest) == ("file", "list().sort()"):
        return sorted(each.name for each in path.iterdir())
    if rest == "json.shard":
        return json.loads(path.read_text())["shard"]
    lines = path.read_text().splitlines()
    return {"readLines()[0]": lines[0], "readLines().size()": len(lines)}[rest]


def read_inputs(process, text):
    """Read the input of a process from a test: what its script sees of it, and the files."""
    identifier, *_ = re.findall(r"\[ id:'(\w+)' \]", text)
    given = [line.strip(" ,") for line in text.split("],", 1)[1].splitlines() if line.strip(" ,")]
    files = [re.match(r'file\("\$\{projectDir\}/(.*?)"', line) for line in given]
    paths = [(FOLDER / match[1]).resolve() if match else None for match in files]
    seen = [path.name if path else line[1:-1] for path, line in zip(paths, given, strict=True)]
    return values(identifier, **dict(zip(process.inputs[1:], seen, strict=True))), [path for path in paths if path]


def run_setup(run, text, block):
    """Run the predictions that a test begins with, and give the input of gather."""
    process, made = Process(FOLDER / "modules/pmhcdistil/predict/main.nf"), []
    for given in re.findall(r"input\[0\] = \[\n(.*?)\n {16}\]", text, re.S):
        made.append(run("predict", block, *read_inputs(process, given)))
    names = {each: " ".join(part[each].name for part in made) for each in ("predictions", "record")}
    filled = values("all", tables=names["predictions"], records=names["record"])
    return filled, [path for part in made for path in part.values()]


@pytest.mark.parametrize("path", MODULES, ids=NAMES)
def test_snapshots(run, path):
    """Prevents snapshots that nobody has ever compared with an output, and tests that have none."""
    process, test = Process(path), (path.parent / "tests/main.nf.test").read_text()
    before, *parts = re.split(r'^    test\("(.*)"\) \{\n', test, flags=re.M)
    snapshots = {}
    for name, text in zip(parts[::2], parts[1::2], strict=True):
        block = "stub" if 'options "-stub"' in text else "script"
        if "setup {" in before:
            filled, files = run_setup(run, before, block)
        else:
            filled, files = read_inputs(process, re.search(r"input\[0\] = \[\n(.*?)\n {16}\]", text, re.S)[1])
        made = run(path.parent.name, block, filled, files)
        meta = {"id": filled["meta.id"]}
        channels = {each: [[meta, made[each]]] if each in made else [] for each in process.outputs}
        channels["versions_pmhcdistil"] = [[process.name, "pmhc-distil", version("pmhc-distil")]]
        (wanted,) = re.findall(r"snapshot\((.*)\)\.match\(\)", text, re.S)
        arguments = [line.strip().removesuffix(",") for line in wanted.strip().split("\n")]
        snapshots[name] = [as_nf_test_writes(observed(argument, channels)) for argument in arguments]
    assert all(f"{name} - stub" in snapshots for name in snapshots if not name.endswith(" - stub"))
    snap = path.parent / "tests/main.nf.test.snap"
    stored = json.loads(snap.read_text()) if snap.exists() else {}
    if "UPDATE_SNAPSHOTS" in os.environ:
        for name, content in snapshots.items():
            if stored.get(name, {}).get("content") != content:
                stored[name] = {"content": content, "timestamp": datetime.now().isoformat()}
        snap.write_text(json.dumps({name: stored[name] for name in snapshots}, indent=4) + "\n")
    assert {name: entry["content"] for name, entry in stored.items()} == snapshots


@pytest.mark.parametrize("path", MODULES, ids=NAMES)
def test_the_description_is_of_this_module(path):
    """Prevents a description with other inputs and outputs than the process has."""
    process, meta = Process(path), yaml.safe_load((path.parent / "meta.yml").read_text())
    assert meta["name"] == process.name.lower() == f"pmhcdistil_{path.parent.name}"
    assert [name for entry in meta["input"][0] for name in entry] == process.inputs
    described = {emitted: [name for part in entry[0] for name in part] for emitted, entry in meta["output"].items()}
    files = {emitted: ["meta", pattern] for emitted, (pattern, _) in process.outputs.items() if pattern}
    printed = ["${task.process}", "pmhc-distil", process.version_command]
    assert described == {**files, "versions_pmhcdistil": printed}
    assert [name for part in meta["topics"]["versions"][0] for name in part] == printed
    assert "topic: versions" in process.blocks["output"]
    environment = yaml.safe_load((path.parent / "environment.yml").read_text())
    assert environment["dependencies"] == [f"bioconda::pmhc-distil={version('pmhc-distil')}"]
    assert f"pmhc-distil:{version('pmhc-distil')}'" in process.head
    test = (path.parent / "tests/main.nf.test").read_text()
    assert f'process "{process.name}"' in test and 'options "-stub"' in test
    for file in re.findall(r'file\("\$\{projectDir\}/(.*?)"', test):
        assert (FOLDER / file).exists(), file


@pytest.mark.parametrize("path", [*MODULES, FOLDER / "main.nf"], ids=[*NAMES, "pipeline"])
def test_the_syntax(path, tmp_path):
    """Prevents a bracket too few, which no other test would see."""
    reftrace = pytest.importorskip("reftrace", reason="has no build for this machine")
    assert isinstance(reftrace.Module.from_file(str(path)), reftrace.Module)
    (tmp_path / "main.nf").write_text(path.read_text().replace("}", "", 1))
    assert isinstance(reftrace.Module.from_file(str(tmp_path / "main.nf")), reftrace.ParseError)


def test_the_pipeline_uses_what_there_is():
    """Prevents a pipeline that names a module, an output or a setting that is not there."""
    text = (FOLDER / "main.nf").read_text()
    for name, path in re.findall(r"include \{ (\w+)\s*\} from '(.*)'", text):
        process = Process(FOLDER / f"{path}.nf")
        assert process.name == name
        assert set(re.findall(rf"{name}\.out\.(\w+)", text)) <= set(process.outputs)
    config = (FOLDER / "nextflow.config").read_text()
    assert 'error("${sheet}: there are no samples")' in text
    known = set(re.findall(r"^    (\w+) =", config[config.index("params {") : config.index("process {")], re.M))
    assert set(re.findall(r"params\.(\w+)", text + config)) == known


def test_values_with_a_dash_have_an_equals_sign():
    """Prevents an example that Nextflow reads as two options, of which the first is true."""
    examples = re.findall(r"`(--options\b.*?)`", (FOLDER / "README.md").read_text())
    assert examples and all(example.startswith("--options='-") for example in examples)
