"""A long collection broken on purpose: a fifth of all requests fail, the process is killed, the disk fills up.

    python benchmarks/soak.py [--images 20000] [--kills 25] [--disk-full 2] [--faults 0.2] [--seed 0]

The collecting process is the real command line, killed with SIGKILL by its process id. The instants are uniform over
what is left of its working time, estimated from the requests so far: finding, assigning, fetching, writing tables and
summing up are all hit, and now and then its start. The same command is then given again, as a person would. At the end
every picture is compared with the answer of an emulator of the same world that never fails, every missing one is traced
to an answer that said so, `geolocate data validate` must agree, and what was billed must be explained. Exit code 0: all
of it holds.
"""

import argparse
import math
import os
import platform
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from rich.console import Console
from rich.table import Table

from benchmarks.soak_faults import never_injected, shares
from benchmarks.soak_processes import ROOT, Collector, Disk, counters, emulator, enter_namespace
from benchmarks.soak_verdict import Verdict, judge
from geolocate.collection.ledger import Ledger
from geolocate.storage import DataRoot

NAME = "soak"
VIEWS = 3
#: Of a hundred points in towns so many give all their pictures; the rest lie off the road or meet a final answer.
_YIELD = 0.8
#: Requests a second that a first estimate reckons with, the seconds that tables take, and how often starting is hit.
_FIRST_RATE, _TABLES_S, _KILLED_AT_START = 150.0, 2.0, 0.1
_PATIENT_FROM = 5000
_MOST_RERUNS = 12


@dataclass
class Story:
    """What happened to the collecting process."""

    running_s: float = 0.0
    lives: int = 0
    killed_while: Counter[str] = field(default_factory=Counter)
    in_flight_at_kills: list[int] = field(default_factory=list)
    full_while: Counter[str] = field(default_factory=Counter)
    in_flight_at_full: list[int] = field(default_factory=list)
    said_when_full: list[str] = field(default_factory=list)
    ended_by_itself: Counter[str] = field(default_factory=Counter)
    tables_removed: int = 0


class Soak:
    """One collection, and all that befalls it."""

    def __init__(self, options: argparse.Namespace, collector: Collector, disk: Disk) -> None:
        self.options = options
        self.collector = collector
        self.disk = disk
        self.story = Story()
        self._rng = random.Random(options.seed)
        self._points = points_for(options.images)
        # Requests that a second try answers, and those for points whose first draw has no panorama, come on top.
        self._expected = self._points * 1.4 + options.images / (1 - options.faults)
        fulls = 0 if disk.why_not else options.disk_full
        self._left = ["kill"] * options.kills + ["full"] * fulls
        self._table_s: float | None = None
        self._unsettled = 0
        self._start_s = collector.start_s()

    def live(self) -> None:
        """Start the process again and again, until all that was to befall it has."""
        while self._left:
            after_s = self._next_instant_s()
            event = self._left.pop(self._rng.randrange(len(self._left)))
            before, started = counters(self.collector.url), time.monotonic()
            process = self.collector.start()
            self.story.lives += 1
            try:
                process.communicate(timeout=after_s)
            except subprocess.TimeoutExpired:
                self._strike(process, event, before)
            else:
                self._left.append(event)
                self._ended(process.returncode, time.monotonic() - started)
            self.story.running_s += time.monotonic() - started

    def finish(self) -> dict[str, Any]:
        """Run until nothing is open, and once more: that run must send nothing. Returns the last summary."""
        for _ in range(_MOST_RERUNS):
            started = time.monotonic()
            summary = self.collector.run()
            self.story.lives += 1
            self.story.running_s += time.monotonic() - started
            if not summary["run_image_requests"] and not summary["run_metadata_requests"]:
                return summary
        raise SystemExit(f"after {_MOST_RERUNS} undisturbed runs there is still something to ask: {summary}")

    def _strike(self, process: subprocess.Popen[str], event: str, before: dict[str, Any]) -> None:
        phase = self._phase(before)
        if event == "kill":
            os.kill(process.pid, signal.SIGKILL)
            process.communicate()
            self.story.killed_while[phase] += 1
            self.story.in_flight_at_kills.append(self._newly_unsettled())
            return
        self.disk.fill()
        try:
            process.communicate(timeout=300)
        except subprocess.TimeoutExpired:
            process.kill()
            raise SystemExit("the disk was full and the process neither ended nor went on for five minutes") from None
        finally:
            self.disk.free()
        if process.returncode == 0:  # what was left to be written found room
            self._left.append(event)
            self._ended(0, self._table_s or self._start_s + _TABLES_S)
            return
        self.story.full_while[phase] += 1
        self.story.said_when_full.append(f"exit {process.returncode}: {self.collector.last_words()}")
        self.story.in_flight_at_full.append(self._newly_unsettled())

    def _ended(self, code: int | None, seconds: float) -> None:
        """Go on where the process came to its end first; where nothing is open, let the tables be made anew."""
        self.story.ended_by_itself["done" if code == 0 else self.collector.last_words()] += 1
        if sum(self.story.ended_by_itself.values()) > 15:
            raise SystemExit(f"the collecting process keeps ending: {dict(self.story.ended_by_itself)}")
        if code == 0:
            self._table_s = seconds
            shutil.rmtree(self.collector.data / "collections" / NAME)
            self.story.tables_removed += 1

    def _next_instant_s(self) -> float:
        """Draw when the next of what is left to befall the process does, in seconds from its start."""
        if self._rng.random() < _KILLED_AT_START:
            return self._start_s * self._rng.random()
        # The first of so many instants that are uniform over what is left.
        return self._start_s + self._remaining_s() * (1 - self._rng.random() ** (1 / len(self._left)))

    def _remaining_s(self) -> float:
        """Estimate how long the process would still run, undisturbed, once it has started."""
        if self._table_s is not None:
            return max(self._table_s - self._start_s, 1.0)
        asked = counters(self.collector.url)
        done = asked["metadata"] + asked["image_requests"]
        working_s = self.story.running_s - self.story.lives * self._start_s
        rate = done / working_s if working_s > 2 * self._start_s else _FIRST_RATE
        return max(0.0, self._expected - done) / max(rate, 1.0) + _TABLES_S

    def _phase(self, before: dict[str, Any]) -> str:
        """Say what the process is at, as far as its files and its requests tell."""
        folder = self.collector.data / "collections" / NAME
        shards = math.ceil(self._points / 100)
        found, done = (len(list((folder / name).glob("*.json"))) for name in ("found", "outcomes"))
        now = counters(self.collector.url)
        if all(now[name] == before[name] for name in ("metadata", "image_requests")):
            return "starting or reading" if done < shards else "writing or summing up"
        if not (folder / "duplicates.parquet").exists():
            return "finding" if found < shards * 0.9 else "finding or assigning"
        return "fetching"

    def _newly_unsettled(self) -> int:
        """Count the requests that the process which has just ended left without an outcome in the ledger."""
        path = DataRoot(self.collector.data).ledger
        if not path.exists():
            return 0
        with Ledger(path) as ledger:
            known, self._unsettled = self._unsettled, ledger.unsettled(NAME)
        return self._unsettled - known


def points_for(images: int) -> int:
    """How many points give so many images."""
    return math.ceil(images / VIEWS / _YIELD / 50) * 50


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--kills", type=int, default=25)
    parser.add_argument("--disk-full", type=int, default=2)
    parser.add_argument("--faults", type=float, default=0.2, help="share of the image requests that fail")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--concurrency", type=int, default=32)
    options = parser.parse_args()
    enter_namespace()
    print(f"seed {options.seed}: the same faults strike, at instants drawn from it", flush=True)
    with tempfile.TemporaryDirectory(prefix="soak-") as name:
        raise SystemExit(run(options, Path(name)))


def run(options: argparse.Namespace, folder: Path) -> int:
    disk = Disk(folder / "disk")
    try:
        return soak(options, folder, disk)
    finally:
        disk.close()


def soak(options: argparse.Namespace, folder: Path, disk: Disk) -> int:
    started = time.monotonic()
    if disk.why_not:
        print(f"THE DISK WILL NOT BE FULL: {disk.why_not}; run as root, or where user namespaces are allowed")
    patient = options.images >= _PATIENT_FROM
    injected = shares(options.faults, patient)
    with emulator(injected, options.seed) as url, emulator({}, options.seed) as faultless:
        words = ("--name", NAME, "--region", "uk", "--kind", "cities", "--top", "50")
        words += ("--per-place", str(points_for(options.images) // 50), "--seed", str(options.seed))
        words += ("--concurrency", str(options.concurrency))
        collector = Collector(url, folder / "disk" / "data", folder / "collector.log", words)
        trial = Soak(options, collector, disk)
        trial.live()
        summary = trial.finish()
        agreed = collector.validate(NAME)
        asked = counters(url)
        strikes = requests.get(f"{url}/faults", timeout=120).json()
        verdict = judge(collector.data, NAME, strikes, faultless)
    report = Report(options, trial.story, summary, asked, verdict, disk.why_not, time.monotonic() - started)
    report.print(agreed, never_injected(patient))
    return 0 if report.holds else 1


@dataclass(frozen=True)
class Report:
    """The soak's table, and whether all that must hold does."""

    options: argparse.Namespace
    story: Story
    summary: dict[str, Any]
    asked: dict[str, Any]
    verdict: Verdict
    no_disk: str
    wall_s: float

    @property
    def minimum(self) -> int:
        """What the images there cost at least: one billed answer each, and those that a fault made useless."""
        return self.verdict.images + sum(self.asked["billed_in_vain"].values())

    @property
    def in_flight(self) -> int:
        """Requests of which the ledger knows no outcome: under way at a kill or when the disk was full."""
        return int(self.summary["unsettled"])

    @property
    def holds(self) -> bool:
        """Nothing wrong, nothing lost, enough images, and no billed answer beyond what kills explain."""
        explained = self.minimum <= self.asked["billed"] <= self.minimum + self.in_flight
        bounded = all(each <= self.options.concurrency for each in self.story.in_flight_at_kills)
        enough = self.verdict.images >= self.options.images
        return not self.verdict.wrong and not self.verdict.lost and explained and bounded and enough

    def print(self, agreed: str, left_out: list[Any]) -> None:
        """Print the tables and what does not hold."""
        console = Console(width=110)
        console.print(self._of_faults())
        console.print(self._of_the_soak(agreed))
        console.print(f"faults left out: {', '.join(left_out) or 'none'}")
        for line in (*self.verdict.wrong[:20], *self.verdict.lost[:20]):
            console.print(f"NOT AS IT SHOULD BE: {line}")
        console.print("everything holds" if self.holds else "DOES NOT HOLD")

    def _of_faults(self) -> Table:
        table = Table("fault", "struck", "billed in vain", title="faults injected, emulated world (dummy pictures)")
        for name, count in self.asked["faults_by_name"].items():
            table.add_row(name, f"{count:,}", f"{self.asked['billed_in_vain'].get(name, 0):,}")
        table.add_row("all", f"{self.asked['faults']:,}", f"{sum(self.asked['billed_in_vain'].values()):,}")
        return table

    def _of_the_soak(self, agreed: str) -> Table:
        story, asked, verdict = self.story, self.asked, self.verdict
        sent = asked["metadata"] + asked["image_requests"]
        rows = {
            "images wanted, there": f"{self.options.images:,}, {verdict.images:,}",
            "fetchable images lost, wrong images": f"{len(verdict.lost):,}, {len(verdict.wrong):,}",
            "outcomes": ", ".join(f"{status} {count:,}" for status, count in verdict.statuses.items()),
            "faults in all requests": f"{asked['faults']:,} of {sent:,}, {asked['faults'] / sent:.1%}",
            "lives of the process, killed": f"{story.lives}, {sum(story.killed_while.values())}",
            "killed while": _listed(story.killed_while),
            "in flight at each kill": " ".join(map(str, story.in_flight_at_kills)) or "–",
            "disk full": self.no_disk or f"{sum(story.full_while.values())} times, while {_listed(story.full_while)}",
            "what it said": "; ".join(story.said_when_full) or "–",
            "in flight when full": " ".join(map(str, story.in_flight_at_full)) or "–",
            "ended by itself meanwhile": _listed(story.ended_by_itself),
            "tables removed to be made anew": str(story.tables_removed),
            "billed by the emulator": f"{asked['billed']:,}",
            "minimum: images + billed faults": f"{self.minimum:,}",
            "beyond the minimum, allowed": f"{asked['billed'] - self.minimum:,}, {self.in_flight:,}",
            "image requests in the ledger": f"{self.summary['image_requests']:,}, {self.in_flight:,} of them unsettled",
            "geolocate data validate": agreed,
            "wall time": f"{self.wall_s:,.0f} s, {story.running_s:,.0f} s of them collecting",
            "seed, commit, machine": f"{self.options.seed}, {_commit()}, {_machine()}",
        }
        table = Table("soak", "", show_header=False, title="soak")
        for name, value in rows.items():
            table.add_row(name, value)
        return table


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.most_common()) or "–"


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty", "--abbrev=7", "--exclude", "*"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout.strip() or "no commit"


def _machine() -> str:
    return f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {sys.platform}"


if __name__ == "__main__":
    main()
