"""Build the source distribution and the wheel, the same bytes every time from the same files.

python packaging/build.py -o dist

``SOURCE_DATE_EPOCH`` is the time that stands in the archives; without it, that of the last commit.  The sdist is packed
again here, because setuptools keeps the times and owners of the files.  The wheel holds compiled kernels, so its
bytes are the same on the same machine with the same compiler.  The bioconda recipe gets the checksum of the sdist.
"""

import argparse
import gzip
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
BUILD = "import sys; d = sys.argv[1]; from setuptools import build_meta as b; b.build_sdist(d); b.build_wheel(d)"
IGNORED = shutil.ignore_patterns("__pycache__", "*.so", "*.egg-info", "build", "dist", ".*", "runs", "tests")


def commit_time() -> str:
    """Give the time of the last commit in seconds."""
    command = ["git", "-C", str(ROOT), "log", "-1", "--format=%ct"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def build(destination: Path, epoch: str) -> list[Path]:
    """Build from a copy of the files, so that nothing of an earlier build gets in."""
    destination.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "SOURCE_DATE_EPOCH": epoch, "PYTHONHASHSEED": "0"}
    # Compilers write the folder of the sources into what they make.
    flags = f"-ffile-prefix-map={tempfile.gettempdir()}=."
    with tempfile.TemporaryDirectory() as folder:
        source, made = Path(folder) / "source", Path(folder) / "made"
        shutil.copytree(ROOT, source, ignore=IGNORED)
        made.mkdir()
        environment["CFLAGS"] = f"{os.environ.get('CFLAGS', '')} {flags} -g0".strip()
        subprocess.run([sys.executable, "-c", BUILD, str(made)], cwd=source, env=environment, check=True)
        found = []
        for path in sorted(made.iterdir()):
            target = destination / path.name
            target.write_bytes(normalised(path.read_bytes(), int(epoch)) if path.suffix == ".gz" else path.read_bytes())
            found.append(target)
    return found


def normalised(packed: bytes, epoch: int) -> bytes:
    """Pack a tar.gz again: files in order, of one time and no owner."""
    plain = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(packed)) as before,
        tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as after,
    ):
        for member in sorted(before.getmembers(), key=lambda member: member.name):
            member.mtime, member.uid, member.gid, member.uname, member.gname = epoch, 0, 0, "", ""
            member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
            member.pax_headers = {}
            after.addfile(member, before.extractfile(member) if member.isfile() else None)
    return gzip.compress(plain.getvalue(), mtime=epoch)


def fill_recipe(sdist: Path) -> str:
    """Give the bioconda recipe with the checksum of the sdist."""
    digest = hashlib.sha256(sdist.read_bytes()).hexdigest()
    return (ROOT / "packaging/bioconda/meta.yaml").read_text(encoding="utf-8").replace("@SHA256@", digest)


def main() -> None:
    """Build, and tell the checksums."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "dist")
    options = parser.parse_args()
    for path in build(options.output, os.environ.get("SOURCE_DATE_EPOCH") or commit_time()):
        sys.stdout.write(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n")
        if path.suffix == ".gz":
            (options.output / "meta.yaml").write_text(fill_recipe(path), encoding="utf-8")


if __name__ == "__main__":
    main()
