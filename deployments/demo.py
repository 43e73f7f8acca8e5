"""`make demo`: the whole chain on the emulated world, run by Prefect, from boundaries to a report.

Run by ``python -m deployments.stack run``, which lends it a server and the emulator for as long as it takes.
"""

import logging
import sys
import time
from pathlib import Path

from rich.console import Console

from flows.geolocate_uk import geolocate_uk
from geolocate.errors import GeolocateError
from geolocate.evaluation.compare import read_evaluated
from geolocate.evaluation.study import system_rows
from geolocate.reporting import results_table, verdicts
from geolocate.reporting.study_page import difference_line, systems_shown
from geolocate.storage import DataRoot, read_json

INTERRUPTED = 130


def main() -> int:
    """Run the chain and print its table, read from the run's metrics.json."""
    started = time.monotonic()
    result = geolocate_uk()
    run = Path(result["report"]).parent
    metrics = read_json(run / "metrics.json")
    Console().print(results_table(metrics))
    for verdict in verdicts(metrics):
        _say(verdict)
    _beside_study(run, result["study"])
    if result["requests"] == 0:
        _say("Nothing to do: everything was collected before, 0 requests were sent.")
    _say(f"Dataset     {result['dataset']} (sha256 {metrics['dataset']['sha256']})")
    _say(f"Checkpoint  {run / 'checkpoint.safetensors'}")
    _say(f"Metrics     {run / 'metrics.json'}")
    _say(f"Report      {run / 'report.html'}")
    share = result["orchestration_share"]
    _say(f"{time.monotonic() - started:.0f} s, of which orchestration {share:.1%}; start-up is printed above")
    return 0


def _beside_study(run: Path, study: str) -> None:
    """Print what the study's recipe reached on the same data with the same encoders, and how far ours is from it."""
    root = DataRoot(run.parents[1])
    systems = system_rows([read_evaluated(root, name) for name in (study, run.name)])
    Console().print(systems_shown(systems))
    _say(difference_line(systems, run.name, "study-recipe"))


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except GeolocateError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted: finished work is kept; run `make demo` again to go on\n")
        sys.exit(INTERRUPTED)
    finally:
        logging.shutdown()
