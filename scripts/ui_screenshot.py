"""Take a picture of a flow run's page, or print its text, with a headless Chromium.

    python scripts/ui_screenshot.py RUN_ID logs.png
    python scripts/ui_screenshot.py RUN_ID artifacts.png --tab Artifacts
    python scripts/ui_screenshot.py RUN_ID outcomes.png --artifact outcomes
    python scripts/ui_screenshot.py RUN_ID --text

The server is the running local stack, or the one that PREFECT_API_URL names. RUN_ID is shown by
`prefect flow-run ls`.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from html import unescape
from pathlib import Path
from urllib.parse import quote

import requests

from deployments.state import running_server_url

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--window-size=1440,1300",
]
# The page asks the server for its data after it has loaded: this much of its own time, in milliseconds.
PATIENCE_MS = 20_000


def chromium(url: str, *flags: str) -> bytes:
    """Open the page and return what Chromium writes to standard output."""
    with tempfile.TemporaryDirectory() as profile:
        command = ["chromium", *FLAGS, f"--user-data-dir={profile}", f"--virtual-time-budget={PATIENCE_MS}", *flags]
        return subprocess.run([*command, url], capture_output=True, check=True, timeout=120).stdout


def page_text(html: str) -> str:
    """Return what a person reads on the page."""
    visible = re.sub(r"<(script|style)\b.*?</\1>", " ", html, flags=re.DOTALL | re.IGNORECASE)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", visible))).strip()


def page_path(api: str, run_id: str, tab: str, artifact: str) -> str:
    """Return the page of the run's tab, or of the run's artifact of that key.

    The second generation of the page, unlike the first, can be opened at a tab.
    """
    if not artifact:
        return f"v2/runs/flow-run/{run_id}?tab={quote(tab)}"
    query = {"artifacts": {"flow_run_id": {"any_": [run_id]}, "key": {"any_": [artifact]}}}
    found = requests.post(f"{api}/artifacts/filter", json=query, timeout=30).json()
    if not found:
        sys.exit(f"error: run {run_id} has no artifact {artifact!r}")
    return f"v2/artifacts/artifact/{found[0]['id']}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run_id")
    parser.add_argument("picture", type=Path, nargs="?", default=Path("page.png"))
    parser.add_argument("--tab", default="Logs", help="a tab of the page, such as Artifacts or Task Runs")
    parser.add_argument("--artifact", default="", help="the page of this artifact of the run instead, by its key")
    parser.add_argument("--text", action="store_true", help="print the page's text instead")
    arguments = parser.parse_args()
    api = os.environ.get("PREFECT_API_URL") or running_server_url()
    if not api:
        sys.exit("error: no server is up: run `make up`, or set PREFECT_API_URL")
    url = f"{api.removesuffix('api')}{page_path(api, arguments.run_id, arguments.tab, arguments.artifact)}"
    if arguments.text:
        print(page_text(chromium(url, "--dump-dom").decode()))
        return
    chromium(url, f"--screenshot={arguments.picture.resolve()}")
    print(arguments.picture)


if __name__ == "__main__":
    main()
