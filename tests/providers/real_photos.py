"""Real photographs, 360° ones among them: the test data of the PyPI source package geovisio (MIT licence).

They are downloaded once a machine, checked against a hash and kept in the user's cache folder. Where they cannot be
had, the tests that need them skip and say so; in CI that fails the run.
"""

import hashlib
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

PACKAGE = "geovisio==2.15.1"
BACKEND = "flit_core==3.12.0"
ARCHIVE = "geovisio-2.15.1.tar.gz"
SHA256 = "939f5243cdfe236502f23e6abc4b058c5287d4cb2d9b757e212fc698333d0eea"
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "geolocate-tests"


@pytest.fixture(scope="session")
def real_photos(tmp_path_factory):
    """A folder with the photographs, its own for each session."""
    archive = _downloaded(tmp_path_factory.mktemp("download"))
    folder = tmp_path_factory.mktemp("photographs")
    with tarfile.open(archive) as tar:
        for member in tar.getmembers():
            if "/tests/data/" in member.name and member.name.endswith(".jpg"):
                member.name = Path(member.name).name
                tar.extract(member, folder, filter="data")
    return folder


def _downloaded(folder):
    kept = CACHE / ARCHIVE
    if kept.is_file() and _hash(kept) == SHA256:
        return kept
    pip, backend = [sys.executable, "-m", "pip", "--disable-pip-version-check"], folder / "backend"
    quiet = ["--quiet", "--no-deps"]
    source = [*quiet, "--no-build-isolation", "--no-binary", "geovisio", "--dest", str(folder), PACKAGE]
    environment = {**os.environ, "PYTHONPATH": str(backend)}
    # Asking for the name of a source package runs its build backend.
    for command in ([*pip, "install", *quiet, "--target", str(backend), BACKEND], [*pip, "download", *source]):
        got = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)
        if got.returncode:
            said = (got.stderr.strip().splitlines() or ["no reason given"])[-1]
            pytest.skip(f"{PACKAGE} with the real photographs cannot be downloaded: {said[:200]}")
    assert _hash(folder / ARCHIVE) == SHA256, f"{ARCHIVE} is not the file that these tests were written for"
    CACHE.mkdir(parents=True, exist_ok=True)
    beside = kept.with_suffix(f".{os.getpid()}")
    beside.write_bytes((folder / ARCHIVE).read_bytes())
    beside.replace(kept)
    return kept


def _hash(path):
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
