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
from geolocate.reporting import results_table, verdicts
from geolocate.storage import read_json

INTERRUPTED = 130


def main() -> int:
    """Run the chain and print its table, read from the run's metrics.json."""
    started = time.monotonic()
    console = Console()
    result = geolocate_uk()
    run = Path(result["report"]).parent
    metrics = read_json(run / "metrics.json")
    console.print(results_table(metrics))
    for verdict in verdicts(metrics):
        console.print(verdict, highlight=False, markup=False)
    if result["requests"] == 0:
        console.print("Nothing to do: everything was collected before, 0 requests were sent.")
    console.print(f"Dataset     {result['dataset']} (sha256 {metrics['dataset']['sha256']})")
    console.print(f"Checkpoint  {run / 'checkpoint.safetensors'}")
    console.print(f"Metrics     {run / 'metrics.json'}")
    console.print(f"Report      {run / 'report.html'}")
    console.print(
        f"{time.monotonic() - started:.0f} s, of which orchestration {result['orchestration_share']:.1%}"
        " (start-up of the server and the emulator apart)"
    )
    return 0


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
