"""What is shipped is whole, is the same every time, and runs where there is nothing else."""

import os
import re
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PREDICT = ("predict", "--peptide", "SLYNTVATL", "--hla", "A0201", "--format", "csv", "--threads", "1")


def environment(**changed):
    """Give an environment with some variables changed, or without those that are None."""
    found = {**os.environ, **changed}
    return {name: value for name, value in found.items() if value is not None}


@pytest.mark.parametrize("home", [None, "/nonexistent", "/proc"])
def test_without_a_home(tmp_path, home):
    """Prevents a container with an arbitrary user, whose home is not there or read-only, from failing."""
    own = {"HOME": home, "XDG_CACHE_HOME": None, "PMHC_DISTIL_CACHE": None, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "pmhc_distil.cli", *PREDICT]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment(**own), capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0 and "SLYNTVATL,HLA-A*02:01,0.9" in done.stdout and done.stderr == ""


def test_recipe_of_bioconda():
    """Prevents a conda package without a dependency that the wheel has, or of another version."""
    text = (ROOT / "packaging/bioconda/meta.yaml").read_text()
    plain = re.sub(r"\{%.*?%\}|\{\{.*?\}\}", "X", text).replace("@SHA256@", "0")
    recipe = yaml.safe_load("\n".join(line for line in plain.splitlines() if line != "X"))
    assert f'version = "{PROJECT["version"]}"' in text
    named = {"torch": "pytorch"}
    wanted = {re.sub(r"^\w+(?=>)", lambda m: named.get(m[0], m[0]), text) for text in PROJECT["dependencies"]}
    wanted.add(f"python{PROJECT['requires-python']}")
    assert {entry.replace(" ", "") for entry in recipe["requirements"]["run"]} == wanted
    assert recipe["about"]["license"] == PROJECT["license"] and (ROOT / recipe["about"]["license_file"]).is_file()
    for command in recipe["test"]["commands"]:
        assert command.split()[0] == "pmhc-distil"


def test_dockerfile():
    """Prevents an image that runs as root, asks the network, names an index, or copies a file that is not there."""
    text = (ROOT / "packaging/docker/Dockerfile").read_text().replace("\\\n", " ")
    lines = [line.split(None, 1) for line in text.splitlines() if line and not line.startswith("#")]
    last = max(i for i, (word, _) in enumerate(lines) if word == "FROM")
    final = lines[last:]
    assert [rest for word, rest in final if word == "USER"] == ["1000"] and "ENTRYPOINT" not in dict(final)
    assert "ARG PIP_FLAGS=\n" in text and "://" not in text
    assert "HF_HUB_OFFLINE=1" in text and "PMHC_DISTIL_CACHE=/tmp/" in text
    assert not any("pip" in rest for word, rest in final if word == "RUN")
    allowed = (ROOT / ".dockerignore").read_text().splitlines()
    for word, rest in lines:
        if word == "COPY" and not rest.startswith("--from"):
            *sources, _ = rest.split()
            assert all((ROOT / source).exists() and f"!{source}" in allowed for source in sources)
    assert f'version="{PROJECT["version"]}"' in text


@pytest.mark.slow
def test_built_twice_and_installed_apart(tmp_path):
    """Prevents a wheel without its weights, kernels or tables, and archives whose checksum nobody can repeat."""
    built = []
    for name in ("first", "second"):
        command = [sys.executable, ROOT / "packaging/build.py", "-o", tmp_path / name]
        subprocess.run(command, env=environment(SOURCE_DATE_EPOCH="1700000000"), check=True, capture_output=True)
        built.append({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()})
    assert built[0].keys() == built[1].keys() and len(built[0]) == 3
    assert {name for name in built[0] if built[0][name] != built[1][name]} == set()
    (wheel,), (sdist,) = (tmp_path / "first").glob("*.whl"), (tmp_path / "first").glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
        assert {member.mtime for member in archive} == {1_700_000_000}
    sources = {"pmhc_distil/inference/kernel/half.c", "pmhc_distil/sequences/lines/lines.c"}
    assert {"LICENSE", "README.md", "pyproject.toml"} | sources <= names
    shipped = {str(path.relative_to(ROOT)) for path in (ROOT / "pmhc_distil/models/bundled").iterdir()}
    with zipfile.ZipFile(wheel) as archive:
        assert shipped <= names and shipped <= set(archive.namelist())
    # The packages that it needs are lent by this environment; everything of ours comes from the wheel.
    venv.create(tmp_path / "env", with_pip=True)
    program = tmp_path / "env/bin/python"
    subprocess.run([program, "-m", "pip", "install", "--no-deps", "--no-index", wheel], check=True, capture_output=True)
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    place = subprocess.run([program, "-c", code], check=True, capture_output=True, text=True).stdout.strip()
    lent = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()
    (Path(place) / "lent.pth").write_text(lent + "\n")
    own = {"PYTHONPATH": None, "HOME": "/nonexistent", "HF_HUB_OFFLINE": "1"}
    code = "from importlib.util import find_spec as f; "
    modules = ("pmhc_distil", "pmhc_distil.inference._kernel", "pmhc_distil.sequences._lines")
    code += f"print(*(f(name).origin for name in {modules}))"
    lonely = {"env": environment(**own), "cwd": tmp_path, "capture_output": True, "text": True}
    where = subprocess.run([program, "-c", code], check=True, **lonely)
    assert all(path.startswith(place) for path in where.stdout.split())
    command = [tmp_path / "env/bin/pmhc-distil", *PREDICT]
    done = subprocess.run(command, check=False, **lonely)
    assert done.returncode == 0 and done.stdout.count("\n") == 2 and done.stderr == ""
