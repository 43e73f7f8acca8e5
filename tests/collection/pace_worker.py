"""One of several processes that ask the same provider: take turns until told to stop, and write down when.

python -m tests.collection.pace_worker PACE_FILE SECONDS PER_SECOND
"""

import sys
import time
from pathlib import Path

from geolocate.collection.shared_pace import SharedPace


def main() -> None:
    """Print the moment of each turn, in seconds of the clock that all processes share; begin when told to."""
    path, seconds, per_second = Path(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
    with SharedPace(path, "fetch") as shared:
        say("ready")
        sys.stdin.readline()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            turn = shared.turn(per_second, burst=10)
            if turn.ended:
                say(f"ended {turn.ended}")
                return
            if turn.pause_s:
                time.sleep(min(turn.pause_s, 0.05))
                continue
            time.sleep(turn.wait_s)
            say(f"{time.monotonic():.6f}")


def say(text: str) -> None:
    """Tell whoever has started this process, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
