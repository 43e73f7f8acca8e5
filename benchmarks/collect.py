"""Images a second of the collector and of others, side by side, against one server; its memory, and how it resumes.

    python benchmarks/collect.py [--images 3000] [--rounds 2] [--with-img2dataset | --img2dataset-python PATH]
    python benchmarks/collect.py --memory 10000,200000
    python benchmarks/collect.py --resume 1000000

The first form runs every contender in a process of its own, in turns, against one process that answers with 40 KB
pictures of 640 x 640 after 50 ms. "bare" throws the bytes away: the limit. The collector has everything on: ledger,
a decode of every byte, hash, durable write, manifest; it also searches each panorama. Of several rounds the median
counts.
"""

import argparse
import json
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import requests
from rich.console import Console
from rich.table import Table

HERE = Path(__file__).parent
BATCH_CONTENDERS = ("bare", "collector", "requests")
#: One request at a time: more images would only take longer.
FEW = 40
COMPARED = ("bare", "img2dataset", "google-streetview")

Row = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--concurrency", type=int, default=64, help="requests at once of the first two")
    parser.add_argument("--latency-ms", type=float, default=50.0)
    parser.add_argument("--img2dataset-python", help="the Python of an environment that has img2dataset")
    parser.add_argument("--with-img2dataset", action="store_true", help="make such an environment for this run")
    parser.add_argument("--memory", type=numbers, metavar="IMAGES,…", help="peak memory of these many dummy pictures")
    parser.add_argument("--resume", type=int, metavar="ROWS", help="seconds to resume over a ledger of so many rows")
    options = parser.parse_args()
    if options.memory:
        show_memory(options.memory)
    elif options.resume:
        subprocess.run([sys.executable, HERE / "collect_resume.py", str(options.resume)], check=True)
    else:
        compare(options)


def numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def compare(options: argparse.Namespace) -> None:
    rows: dict[str, list[Row]] = {}
    with ExitStack() as stack:
        python = options.img2dataset_python
        if options.with_img2dataset:
            python = stack.enter_context(an_environment())
        url = stack.enter_context(a_server("--latency-ms", str(options.latency_ms)))
        for _ in range(options.rounds):
            for name in BATCH_CONTENDERS:
                rows.setdefault(name, []).append(contend(name, url, options.images, options.concurrency))
            rows.setdefault("google-streetview", []).append(contend("google-streetview", url, FEW, 1))
            if python:
                command = [python, HERE / "collect_img2dataset.py", url, str(options.images)]
                rows.setdefault("img2dataset", []).append(result_of(command))
    show({name: median(found) for name, found in rows.items()}, options)


def contend(name: str, url: str, images: int, concurrency: int) -> Row:
    return result_of([sys.executable, HERE / "collect_contenders.py", name, url, str(images), str(concurrency)])


def result_of(command: list[object]) -> Row:
    """Run one contender and return what it measured; its own words go where nobody reads them."""
    run = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if run.returncode:
        raise SystemExit(f"{command[1]} failed:\n{run.stderr[-3000:]}")
    row: Row = json.loads(run.stdout.strip().splitlines()[-1])
    rate, cpu_ms = row["images"] / row["seconds"], 1000 * row["cpu_s"] / row["images"]
    return {**row, "rate": rate, "cpu_ms": cpu_ms}


def median(rows: list[Row]) -> Row:
    return {name: statistics.median(row[name] for row in rows) for name in rows[0]}


def show(rows: dict[str, Row], options: argparse.Namespace) -> None:
    title = f"{options.images} images, {options.latency_ms:g} ms, {options.concurrency} at once; {machine()}"
    table = Table(title=title)
    for column in ("", "images/s", "CPU, ms an image", "peak, MB", *(f"x {name}" for name in COMPARED if name in rows)):
        table.add_column(column, justify="left" if column == "" else "right")
    for name, row in rows.items():
        ratios = [f"{row['rate'] / rows[other]['rate']:.2f}" for other in COMPARED if other in rows]
        table.add_row(name, f"{row['rate']:.1f}", f"{row['cpu_ms']:.2f}", f"{row['peak_mb']:.0f}", *ratios)
    Console(width=140).print(table)


def machine() -> str:
    """The commit, and what it ran on."""
    git = ["git", "-C", str(HERE), "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip()
    cores = len(os.sched_getaffinity(0))
    return f"commit {commit or 'unknown'}, {platform.machine()}, {cores} cores, Python {platform.python_version()}"


@contextmanager
def a_server(*arguments: str) -> Iterator[str]:
    """Run the server until the end; yield its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([sys.executable, HERE / "collect_server.py", str(port), *arguments])
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(url)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=30)


def wait_for(url: str) -> None:
    for _ in range(300):
        try:
            if requests.get(f"{url}/health", timeout=2).ok:
                return
        except requests.ConnectionError:
            time.sleep(0.1)
    raise SystemExit("the server did not start")


@contextmanager
def an_environment() -> Iterator[str]:
    """Make an environment with img2dataset; yield its Python."""
    folder = Path(tempfile.mkdtemp(prefix="img2dataset-"))
    try:
        venv.create(folder, with_pip=True)
        python = folder / "bin" / "python"
        subprocess.run([python, "-m", "pip", "install", "-q", "img2dataset"], check=True)
        yield str(python)
    finally:
        shutil.rmtree(folder)


def show_memory(sizes: list[int]) -> None:
    """Collect so many small pictures in a process each, and print the peak memory of it."""
    table = Table(title=f"dummy pictures of 64 x 64; {machine()}")
    for column in ("images", "images/s", "CPU, ms an image", "peak, MB"):
        table.add_column(column, justify="right")
    with a_server("--latency-ms", "5", "--side", "64", "--bytes", "1000") as url:
        for size in sizes:
            row = contend("dummies", url, size, 64)
            table.add_row(f"{row['images']}", f"{row['rate']:.0f}", f"{row['cpu_ms']:.2f}", f"{row['peak_mb']:.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()
