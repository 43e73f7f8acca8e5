"""Training beside what else there is: the loop, the loader, open_clip's trainer, the cache of features, neighbours.

    python benchmarks/train.py [--only loop loader open_clip knn]

Each part runs in a process of its own; what is compared runs in turns within it, over the same pictures, and every
throughput is averaged over the whole window. Out: a table in Markdown with ratios, machine and commit.
"""

import argparse
import json
import logging
import os
import platform
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

PARTS = ("loop", "loader", "open_clip", "knn")


def measured(part: str, folder: Path) -> list[dict[str, Any]]:
    """Run one part in this process."""
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    if part == "loop":
        from benchmarks.train_loop import loops

        return loops(folder, images=20_000, rounds=5)
    if part == "loader":
        from benchmarks.train_loader import loaders

        return loaders(folder, count=2000)
    if part == "open_clip":
        from benchmarks.train_open_clip import trainers

        return trainers(folder, steps=2)
    from benchmarks.train_knn import searches

    return searches(gallery=1_000_000, queries=2000)


def in_a_process(part: str) -> list[dict[str, Any]]:
    """Run one part by itself."""
    command = [sys.executable, __file__, "--part", part]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    rows: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as Markdown."""
    lines = ["| part | what | a second | ratio | aimed at | |", "|---|---|---:|---:|---:|---|"]
    for row in rows:
        aim = f"≥ {row['aim']:g}" if "aim" in row else ""
        numbers = f"{row['images/s']:,.2f} | {row['ratio']:.2f} | {aim}"
        lines.append(f"| {row['part']} | {row['what']} | {numbers} | {row.get('note', '')} |")
    return "\n".join(lines)


def where() -> str:
    """The commit, and what it ran on."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    name = commit.stdout.strip() or "unknown"
    return f"commit {name}, {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        with tempfile.TemporaryDirectory(prefix="geolocate-benchmark-") as folder:
            print(json.dumps(measured(options.part, Path(folder))))
        return
    rows = []
    for part in options.only:
        print(f"{part} …", file=sys.stderr)
        rows += in_a_process(part)
    print(f"{where()}\n\n{table(rows)}")


if __name__ == "__main__":
    main()
