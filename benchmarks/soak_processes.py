"""The processes and the disk of a soak: emulators, the collecting process, a file system that can be made full.

All are real: programs started as a person starts them, killed by their process ids, and a tmpfs in a mount namespace of
this process alone, which ends with it.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from benchmarks.soak_faults import Fault

ROOT = Path(__file__).resolve().parents[1]
_NAMESPACE = "GEOLOCATE_SOAK_NAMESPACE"
_ROOMY = "4g"
#: How much a full disk still has: less than a shard's tables and some pictures need.
_LEFT_BYTES = 64 << 10


def enter_namespace() -> None:
    """Start this program anew where it may mount: as root in a mount namespace, else in a user namespace too.

    Returns where that is done already, or cannot be done.
    """
    if _NAMESPACE in os.environ or shutil.which("unshare") is None:
        return
    os.environ[_NAMESPACE] = "1"
    for options in (["-m"], ["-rm"]):
        if subprocess.run(["unshare", *options, "true"], capture_output=True).returncode == 0:
            os.execvp("unshare", ["unshare", *options, sys.executable, *sys.argv])


class Disk:
    """A small file system under the data root; ``why_not`` says why there is none, where there is none."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={_ROOMY}", "tmpfs", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True)
        self.why_not = "" if done.returncode == 0 else f"no file system can be mounted here ({done.stderr.strip()})"

    def fill(self) -> None:
        """Leave next to no room."""
        state = os.statvfs(self.folder)
        used = (state.f_blocks - state.f_bfree) * state.f_frsize
        self._resize(str(used + _LEFT_BYTES))

    def free(self) -> None:
        """Make room again."""
        self._resize(_ROOMY)

    def close(self) -> None:
        """Give the memory back."""
        if not self.why_not:
            subprocess.run(["umount", "-l", str(self.folder)], check=True, capture_output=True)

    def _resize(self, size: str) -> None:
        command = ["mount", "-o", f"remount,size={size}", str(self.folder)]
        subprocess.run(command, check=True, capture_output=True)


@contextmanager
def emulator(faults: dict[Fault, float], seed: int) -> Iterator[str]:
    """Run one with dummy pictures on a free port; yields its address."""
    command = [sys.executable, "-m", "geolocate.cli", "emulator", "--port", "0", "--pictures", "dummy"]
    command += ["--processes", "1", "--seed", str(seed)]
    command += [part for fault, share in faults.items() for part in ("--fault", f"{fault}={share:.6f}")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield next(word for word in process.stdout.readline().split() if word.startswith("http"))
        finally:
            process.terminate()
            process.wait(60)


def counters(url: str) -> dict[str, Any]:
    """What the emulator counted."""
    parsed: dict[str, Any] = requests.get(f"{url}/counters", timeout=60).json()
    return parsed


@dataclass
class Collector:
    """Starts ``geolocate data …`` against one emulator, over and over."""

    url: str
    data: Path
    log: Path
    options: tuple[str, ...]

    def start(self) -> subprocess.Popen[str]:
        """Start collecting in the background."""
        command = [sys.executable, "-m", "geolocate.cli", "data", "collect", *self.options, "--json"]
        with self.log.open("a") as log:
            return subprocess.Popen(
                command, cwd=ROOT, env=self._environment(), stdout=subprocess.PIPE, stderr=log, text=True
            )

    def start_s(self) -> float:
        """Return how long the process takes before it asks anything: as long as one that only plans."""
        taken = [word for word in self.options if word not in ("--name", "--concurrency")]
        command = [sys.executable, "-m", "geolocate.cli", "data", "plan"]
        started = time.monotonic()
        subprocess.run([*command, *taken[1:-1]], cwd=ROOT, env=self._environment(), capture_output=True, check=True)
        return time.monotonic() - started

    def run(self) -> dict[str, Any]:
        """Collect to the end, and return the summary; ends the soak where the collection fails."""
        process = self.start()
        out, _ = process.communicate(timeout=1800)
        if process.returncode:
            raise SystemExit(f"collecting ends with {process.returncode}: {self.last_words()}")
        parsed: dict[str, Any] = json.loads(out)
        return parsed

    def validate(self, name: str) -> str:
        """Return what ``geolocate data validate`` says; ends the soak where it finds something."""
        command = [sys.executable, "-m", "geolocate.cli", "data", "validate", name, "--against", self.url]
        done = subprocess.run(command, cwd=ROOT, env=self._environment(), capture_output=True, text=True, timeout=1800)
        if done.returncode:
            raise SystemExit(f"`geolocate data validate` fails: {done.stderr.strip()}")
        return done.stdout.strip()

    def last_words(self) -> str:
        """The last line on the collector's standard error."""
        lines = self.log.read_text().strip().splitlines()
        return lines[-1] if lines else ""

    def _environment(self) -> dict[str, str]:
        ours = {"GEOLOCATE_DATA": str(self.data), "GEOLOCATE_STREET_VIEW_URL": self.url, "GEOLOCATE_WORLD": "emulated"}
        return {**os.environ, **ours, "GEOLOCATE_PROVIDER": "google", "GOOGLE_MAPS_API_KEY": "soak-key"}
