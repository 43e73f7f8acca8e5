"""The soak in small: 2,000 images, five kills, a full disk, a fifth of all requests failing; and its judge."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd

from benchmarks.soak_faults import FINAL, never_injected, shares
from benchmarks.soak_verdict import Strikes, lost_images
from geolocate.emulator.fault_names import HARMLESS, IMAGE_FAULTS, Fault

ROOT = Path(__file__).resolve().parents[2]


def test_two_thousand_images_survive_kills_faults_and_a_full_disk() -> None:
    command = [sys.executable, "benchmarks/soak.py", "--images", "2000", "--kills", "5", "--disk-full", "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]
    assert "everything holds" in done.stdout
    cells = dict(re.findall(r"^│ ([^│]+?) +│ ([^│]+?) +│$", done.stdout, re.MULTILINE))
    wanted, there = (int(number.replace(",", "")) for number in cells["images wanted, there"].split(", "))
    assert wanted == 2000
    assert there >= 2000
    assert cells["fetchable images lost, wrong images"] == "0, 0"
    assert cells["lives of the process, killed"].endswith(", 5")
    assert len(cells["in flight at each kill"].split()) == 5
    assert cells["disk full"].startswith("1 times") or "THE DISK WILL NOT BE FULL" in done.stdout
    assert float(cells["faults in all requests"].split(", ")[1].rstrip("%")) > 15


def test_every_fault_is_injected_but_those_that_only_wait() -> None:
    assert never_injected(patient=True) == []
    assert set(never_injected(patient=False)) == {Fault.STALLED, Fault.HTTP_429_HOURS}
    injected = shares(0.2, patient=False)
    assert abs(sum(share for fault, share in injected.items() if fault in IMAGE_FAULTS) - 0.2) < 1e-9
    assert not FINAL["image"] & HARMLESS


def outcome(status: str, reasons: dict[str, str]) -> pd.DataFrame:
    return pd.DataFrame([{"status": status, "source_id": "p", "reasons": json.dumps(reasons)}])


def test_the_judge_misses_no_missing_picture() -> None:
    struck = Strikes()
    struck.add("grey", "/maps/api/streetview?pano=p&size=320x320&heading=180")
    struck.add("server_error", "/maps/api/streetview?pano=p&size=320x320&heading=90")
    two = pd.DataFrame({"source_id": ["p", "p"], "heading": [0.0, 90.0]})
    assert list(lost_images(outcome("partial", {"180": "grey_picture"}), two, struck)) == []
    # A picture that is said to be there and is not, and one given up after a failure that would have passed.
    assert len(list(lost_images(outcome("complete", {}), two, struck))) == 1
    one = two.iloc[:1]
    reasons = {"90": "unreachable", "180": "grey_picture"}
    assert len(list(lost_images(outcome("partial", reasons), one, struck))) == 1
