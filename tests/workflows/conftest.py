"""Folders in which the Snakemake workflows run as they are shipped."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SNAKEMAKE = ROOT / "workflows" / "snakemake"
PROGRAM = """#!/bin/sh
echo "$@" >> {calls}
case "$*" in *--shard\\ 2/*) if [ -e {kill} ]; then rm {kill}; kill -9 $$; fi;; esac
PYTHONPATH={root} OMP_NUM_THREADS=1 exec {python} -m pmhc_distil.cli "$@"
"""


class Place:
    """A folder with a workflow's test data, and a program on the path that remembers its calls."""

    def __init__(self, folder, workflow):
        self.folder, self.bin = folder / "work", folder / "bin"
        shutil.copytree(SNAKEMAKE / workflow, self.folder)
        self.bin.mkdir()
        self.calls_file, self.kill = folder / "calls", folder / "kill"
        names = {"calls": self.calls_file, "kill": self.kill, "root": ROOT, "python": sys.executable}
        self.add_program("pmhc-distil", PROGRAM.format(**names))
        path = os.pathsep.join([str(self.bin), str(Path(sys.executable).parent), os.environ["PATH"]])
        self.environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "HOME": str(folder)}

    def add_program(self, name, text):
        """Put a script on the path."""
        script = self.bin / name
        script.write_text(text)
        script.chmod(script.stat().st_mode | stat.S_IXUSR)

    def change(self, name):
        """Give a small file another content, which Snakemake asks for beside a later time."""
        path = self.folder / name
        path.write_text(path.read_text() + "\n")

    def run(self, *command, fails=False):
        done = subprocess.run(
            [sys.executable, "-m", *command], cwd=self.folder, env=self.environment, capture_output=True, text=True
        )
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done.stdout + done.stderr

    def snakemake(self, snakefile, *more, fails=False):
        return self.run("snakemake", "-s", str(SNAKEMAKE / snakefile), *more, fails=fails)

    def calls(self):
        """Give the calls since the last time: the command and, for a shard, which."""
        lines = self.calls_file.read_text().splitlines() if self.calls_file.exists() else []
        self.calls_file.unlink(missing_ok=True)
        words = [line.split() for line in lines]
        return sorted((call[0], call[call.index("--shard") + 1] if "--shard" in call else call[1]) for call in words)


@pytest.fixture
def place(tmp_path):
    return lambda workflow: Place(tmp_path, workflow)
