"""What a client sees over real HTTP."""

import io
import json
import os
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest
import requests
from PIL import Image

from geolocate.emulator.access import decode_secret, sign
from geolocate.emulator.faults import parse_faults
from geolocate.emulator.server import IMAGE_PATH, METADATA_PATH, EmulatorConfig
from tests.emulator.conftest import running

LONDON = {"location": "51.51,-0.12", "radius": "250", "key": "any"}
SEA = {"location": "55.5,1.9", "key": "any"}
SECRET = "vNIXE0xscrmjlyV-12Nj_BvUPaw="


def metadata(url: str, **query: str) -> dict[str, object]:
    answer = requests.get(url + METADATA_PATH, params=query, timeout=30)
    assert answer.status_code == 200
    parsed: dict[str, object] = answer.json()
    return parsed


def image(url: str, **query: str) -> requests.Response:
    return requests.get(url + IMAGE_PATH, params={"key": "any", "size": "320x320", **query}, timeout=60)


def grey_share(body: bytes) -> float:
    pixels = np.asarray(Image.open(io.BytesIO(body)).convert("RGB"))
    return float((pixels == (0xE4, 0xE3, 0xDF)).all(axis=2).mean())


def test_metadata_names_a_panorama_that_the_image_endpoint_draws(emulator: str) -> None:
    found = metadata(emulator, **LONDON)
    assert found["status"] == "OK"
    assert len(str(found["pano_id"])) == 22
    assert set(found) == {"status", "pano_id", "location", "date", "copyright"}
    assert metadata(emulator, pano=str(found["pano_id"]), key="any") == found
    first, second = (image(emulator, pano=str(found["pano_id"]), heading="90") for _ in range(2))
    assert first.headers["Content-Type"] == "image/jpeg"
    assert first.content == second.content
    assert Image.open(io.BytesIO(first.content)).size == (320, 320)
    assert first.content != image(emulator, pano=str(found["pano_id"]), heading="180").content


@pytest.mark.parametrize(
    ("query", "status"),
    [
        (SEA, "ZERO_RESULTS"),
        ({"pano": "AAAAAAAAAAAAAAAAAAAAAA", "key": "any"}, "ZERO_RESULTS"),
        ({"location": "10 Downing Street", "key": "any"}, "NOT_FOUND"),
        ({"key": "any"}, "INVALID_REQUEST"),
        ({"location": "95,0", "key": "any"}, "INVALID_REQUEST"),
        ({"location": "51,0", "radius": "-5", "key": "any"}, "INVALID_REQUEST"),
        ({"location": "51,0", "source": "indoor", "key": "any"}, "INVALID_REQUEST"),
        ({"location": "51,0"}, "REQUEST_DENIED"),
    ],
)
def test_metadata_says_what_is_wrong_with_status_200(emulator: str, query: dict[str, str], status: str) -> None:
    answer = metadata(emulator, **query)
    assert answer["status"] == status
    assert ("error_message" in answer) == (status in ("INVALID_REQUEST", "REQUEST_DENIED"))


def test_without_imagery_the_picture_is_grey_or_404(emulator: str) -> None:
    answer = image(emulator, location="55.5,1.9")
    assert answer.status_code == 200
    assert 0.95 < grey_share(answer.content) < 1
    assert image(emulator, location="55.5,1.9", return_error_code="true").status_code == 404


@pytest.mark.parametrize("query", [{"size": ""}, {"size": "0x10"}, {"heading": "361"}, {"fov": "121"}, {"pitch": "91"}])
def test_a_bad_view_is_400(emulator: str, query: dict[str, str]) -> None:
    assert image(emulator, **{"location": "51.51,-0.12", **query}).status_code == 400


def test_a_larger_size_is_clamped(emulator: str) -> None:
    answer = image(emulator, location="51.51,-0.12", radius="250", size="2000x100")
    assert Image.open(io.BytesIO(answer.content)).size == (640, 100)


def test_without_heading_the_camera_looks_at_the_location(emulator: str) -> None:
    found = metadata(emulator, **LONDON)
    at = found["location"]
    assert isinstance(at, dict)
    north_of_it = f"{at['lat'] + 0.00001},{at['lng']}"
    assert image(emulator, location=north_of_it).content == image(emulator, location=north_of_it, heading="0").content


def test_counters_tell_what_is_billed(emulator: str) -> None:
    def counters() -> dict[str, int]:
        parsed: dict[str, int] = requests.get(f"{emulator}/counters", timeout=30).json()
        return parsed

    before = counters()
    metadata(emulator, **LONDON)
    image(emulator, location="51.51,-0.12", radius="250")
    image(emulator, location="55.5,1.9", return_error_code="true")
    image(emulator, location="51.51,-0.12", size="nonsense")
    after = counters()
    assert [after[name] - before[name] for name in ("metadata", "billed", "images")] == [1, 2, 1]
    assert requests.get(f"{emulator}/health", timeout=30).json()["world"] == "emulated"


def test_keys_and_signatures_are_checked() -> None:
    secret = decode_secret(SECRET)
    config = EmulatorConfig(port=0, processes=1, keys=("good",), signing_secret=secret)
    with running(config) as url:
        path = f"{METADATA_PATH}?location=51.51,-0.12&radius=250&key="
        good, wrong = (
            requests.get(f"{url}{p}&signature={sign(p, secret)}", timeout=30) for p in (f"{path}good", f"{path}x")
        )
        assert good.json()["status"] == "OK"
        assert wrong.json()["status"] == "REQUEST_DENIED"
        forged = requests.get(f"{url}{path}good&signature=AAAA", timeout=30)
        assert forged.json()["status"] == "REQUEST_DENIED"
        refused = requests.get(f"{url}{IMAGE_PATH}?location=51.51,-0.12&size=64x64&key=good", timeout=30)
        assert refused.status_code == 403
    assert "good" not in repr(config)


def test_faults_befall_a_share_of_requests_and_a_retry_can_succeed() -> None:
    faults = parse_faults(["server_error=0.2", "over_query_limit=0.15", "html=0.15"])
    with running(EmulatorConfig(port=0, processes=1, faults=faults)) as url, requests.Session() as session:
        seen: set[str] = set()
        for number in range(60):
            query = {"location": f"51.5,{-0.1 - number / 1000}", "radius": "500", "key": "any"}
            for _ in range(20):
                answer = session.get(url + METADATA_PATH, params=query, timeout=30)
                kind = "html" if "html" in answer.headers["Content-Type"] else str(answer.status_code)
                if kind == "200":
                    kind = answer.json()["status"]
                seen.add(kind)
                if kind == "OK":
                    break
            else:
                pytest.fail(f"no try of {query} succeeded")
        assert seen == {"OK", "500", "html", "OVER_QUERY_LIMIT"}


def test_a_truncated_body_and_an_error_picture() -> None:
    pano = {"location": "51.51,-0.12", "radius": "250"}
    cut = (requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError)
    with (
        running(EmulatorConfig(port=0, processes=1, faults=parse_faults(["truncated=1"]))) as url,
        pytest.raises(cut),
    ):
        image(url, **pano)
    with running(EmulatorConfig(port=0, processes=1, faults=parse_faults(["error_picture=1"]))) as url:
        answer = image(url, **pano)
        assert answer.status_code == 200
        assert grey_share(answer.content) > 0.85


SERVE = (
    "import sys; from geolocate.emulator.server import EmulatorConfig, serve\n"
    "config = EmulatorConfig(port=int(sys.argv[1]), processes=2)\n"
    "if __name__ == '__main__': serve(config, lambda port: print(port, flush=True))"
)


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_no_process_is_left_behind(ending: signal.Signals) -> None:
    process = subprocess.Popen([sys.executable, "-c", SERVE, "0"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    url = f"http://127.0.0.1:{int(process.stdout.readline())}"
    assert image(url, location="51.51,-0.12", radius="250", size="32x32").status_code == 200
    children = psutil.Process(process.pid).children(recursive=True)
    assert children
    process.send_signal(ending)
    code = process.wait(30)
    process.stdout.close()
    assert code == (-signal.SIGKILL if ending is signal.SIGKILL else 0)
    deadline = time.monotonic() + 15
    while any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children):
        assert time.monotonic() < deadline, "a worker outlived the server"
        time.sleep(0.05)


def test_scenes_go_on_when_a_worker_is_killed() -> None:
    with running(EmulatorConfig(port=0, processes=1)) as url:
        before = image(url, location="51.51,-0.12", radius="250").content
        workers = [p for p in psutil.Process().children() if "spawn_main" in " ".join(p.cmdline())]
        os.kill(max(workers, key=lambda p: p.create_time()).pid, signal.SIGKILL)
        assert image(url, location="51.51,-0.12", radius="250").content == before


def test_a_port_in_use_is_one_clear_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = subprocess.run([sys.executable, "-c", SERVE, port], capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert (
        done.stderr.strip()
        .splitlines()[-1]
        .endswith(f"port {port} is in use: stop what runs there, or choose another --port")
    )


def test_the_answer_is_plain_json(emulator: str) -> None:
    answer = requests.get(emulator + METADATA_PATH, params=LONDON, timeout=30)
    assert answer.headers["Content-Type"].startswith("application/json")
    assert json.loads(answer.text)["copyright"].startswith("© ")
