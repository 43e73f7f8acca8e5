"""Each fault does over real HTTP what its row in the documentation says, and costs what it says."""

import io
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from geolocate.emulator.access import Quota, QuotaError, decode_secret, sign
from geolocate.emulator.fault_names import IMAGE_FAULTS, MEANINGS, METADATA_FAULTS, Fault
from geolocate.emulator.faults import FaultDice, FaultShares, parse_faults
from geolocate.emulator.server import IMAGE_PATH, METADATA_PATH, EmulatorConfig
from tests.emulator.conftest import running
from tests.emulator.test_server import grey_share

ROOT = Path(__file__).resolve().parents[2]
HERE = {"location": "51.51,-0.12", "radius": "250", "key": "any"}
SIZE = {"size": "64x48", "heading": "90", "return_error_code": "true"}


class Asked:
    """One emulator with one fault at share 1, asked once at each endpoint; ``None`` stands for no fault."""

    def __init__(self, fault: Fault | None) -> None:
        shares = FaultShares(((fault, 1.0),) if fault else ())
        with running(EmulatorConfig(port=0, processes=1, pictures="dummy", faults=shares)) as url:
            self.url = url
            self.metadata = self._ask(METADATA_PATH, HERE)
            self.image = self._ask(IMAGE_PATH, {**HERE, **SIZE})
            self.counters: dict[str, Any] = requests.get(f"{url}/counters", timeout=30).json()
            self.struck: list[list[str]] = requests.get(f"{url}/faults", timeout=30).json()

    def _ask(self, path: str, query: dict[str, str]) -> requests.Response | Exception:
        """Ask with the patience of a second between two pieces, and for 2 MiB at most."""
        try:
            answer = requests.get(self.url + path, params=query, timeout=1, stream=True, allow_redirects=False)
            body = bytearray()
            for chunk in answer.iter_content(1 << 16):
                body += chunk
                if len(body) > 2 << 20:
                    break
            answer._content = bytes(body)
            answer.close()
        except requests.RequestException as error:
            return error
        else:
            return answer


@pytest.fixture(scope="module")
def asked() -> Iterator[dict[Fault | None, Asked]]:
    """All faults at once: slow answers wait beside each other."""
    names = (None, *Fault)
    with ThreadPoolExecutor(8) as threads:
        yield dict(zip(names, threads.map(Asked, names), strict=True))


def got(answer: requests.Response | Exception) -> requests.Response:
    assert isinstance(answer, requests.Response), answer
    return answer


def test_the_documentation_lists_every_fault_with_its_meaning() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.+) \| (.+) \| (yes|no|–) \|$", (ROOT / "docs/emulator.md").read_text(), re.M)
    expected = [
        (str(fault), it.metadata or "–", it.image or "–", "yes" if it.billed else "no" if it.image else "–")
        for fault, it in MEANINGS.items()
    ]
    assert rows == expected
    assert list(MEANINGS) == list(Fault)


@pytest.mark.parametrize("fault", Fault)
def test_it_is_billed_and_counted_as_documented(asked: dict[Fault | None, Asked], fault: Fault) -> None:
    counters, meaning = asked[fault].counters, MEANINGS[fault]
    endpoints = (fault in METADATA_FAULTS) + (fault in IMAGE_FAULTS)
    assert counters["faults_by_name"] == {fault: endpoints}
    assert counters["faults"] == endpoints
    assert [name for name, _ in asked[fault].struck] == [fault] * endpoints
    billed = int(meaning.billed or not meaning.image)
    assert counters["billed"] == billed
    assert counters["billed_by_path"] == ({IMAGE_PATH: 1} if billed else {})
    spoiled = bool(meaning.billed and fault not in ("slow", "wrong_date"))
    assert counters["billed_in_vain"] == ({fault: 1} if spoiled else {})


CODES = {"server_error": 500, "too_many": 429, "redirect": 302} | {
    str(fault): int(match[1]) for fault in Fault if (match := re.match(r"http_(\d+)", fault))
}


@pytest.mark.parametrize("fault", CODES)
def test_codes_come_with_and_without_retry_after(asked: dict[Fault | None, Asked], fault: str) -> None:
    for answer in (got(asked[Fault(fault)].metadata), got(asked[Fault(fault)].image)):
        assert answer.status_code == CODES[fault]
        wait = answer.headers.get("Retry-After")
        if fault == "http_429_date":
            assert wait is not None
            assert abs((parsedate_to_datetime(wait) - datetime.now(UTC)).total_seconds()) < 120
        elif fault.endswith(("_later", "_hours")) or fault == "too_many":
            assert wait == ("21600" if fault.endswith("_hours") else "1")
        else:
            assert wait is None
        if fault == "redirect":
            assert "key" not in answer.headers["Location"]


STATUSES = {
    "zero_results": 404, "not_found": 404, "over_query_limit": 403, "request_denied": 403, "invalid_request": 400,
    "unknown_error": 500,
}  # fmt: skip


@pytest.mark.parametrize("fault", STATUSES)
def test_all_statuses_of_the_api(asked: dict[Fault | None, Asked], fault: str) -> None:
    it = asked[Fault(fault)]
    assert got(it.metadata).status_code == 200
    assert got(it.metadata).json()["status"] == fault.upper()
    assert got(it.image).status_code == STATUSES[fault]
    assert ("quota" in got(it.image).text) == (fault == "over_query_limit")


def test_metadata_of_other_panoramas(asked: dict[Fault | None, Asked]) -> None:
    def said(fault: Fault | None) -> dict[str, Any]:
        parsed: dict[str, Any] = got(asked[fault].metadata).json()
        assert parsed["status"] == "OK"
        return parsed

    right = said(None)
    assert "location" not in said(Fault.NO_POSITION)
    assert "date" not in said(Fault.UNDATED)
    assert said(Fault.FUTURE_DATE)["date"] == f"{int(right['date'][:4]) + 60}{right['date'][4:]}"
    assert said(Fault.FAR)["location"]["lat"] > right["location"]["lat"] + 1.9
    foreign = said(Fault.THIRD_PARTY)
    assert len(foreign["pano_id"]) > 22
    assert foreign["copyright"] != "© Google"


def test_neighbouring_points_share_a_panorama() -> None:
    near = [f"{51.51 + north / 10_000:.4f},{-0.12 + east / 10_000:.4f}" for north in (-4, 4) for east in (-4, 4)]

    def panoramas(faults: list[str]) -> set[str]:
        with running(EmulatorConfig(port=0, processes=1, faults=parse_faults(faults))) as url:
            query = [{"location": each, "radius": "250", "key": "any"} for each in near]
            return {requests.get(url + METADATA_PATH, params=each, timeout=30).json()["pano_id"] for each in query}

    assert len(panoramas(["shared=1"])) == 1
    assert len(panoramas([])) > 1


def test_bodies_that_are_not_the_picture(asked: dict[Fault | None, Asked]) -> None:
    def image(fault: Fault | None) -> requests.Response:
        answer = got(asked[fault].image)
        assert answer.status_code == 200
        return answer

    right = image(None)
    assert 0.5 < grey_share(image(Fault.GREY).content) < 1  # so small a picture is half filled by its text
    assert image(Fault.ERROR_PICTURE).content != image(Fault.GREY).content
    assert Image.open(io.BytesIO(image(Fault.WRONG_SIZE).content)).size == (32, 24)
    assert image(Fault.WRONG_TYPE).content == right.content
    assert image(Fault.WRONG_TYPE).headers["Content-Type"] == "application/octet-stream"
    assert image(Fault.HTML).headers["Content-Type"].startswith("text/html")
    assert image(Fault.EMPTY).content == b""
    assert got(asked[Fault.EMPTY].metadata).content == b""
    assert got(asked[Fault.WRONG_TYPE].metadata).headers["Content-Type"].startswith("text/plain")


@pytest.mark.parametrize("endpoint", ["metadata", "image"])
def test_what_becomes_of_an_answer_on_the_way(asked: dict[Fault | None, Asked], endpoint: str) -> None:
    def answer(fault: Fault | None) -> requests.Response | Exception:
        given: requests.Response | Exception = getattr(asked[fault], endpoint)
        return given

    right = got(answer(None)).content
    cut = (requests.exceptions.ChunkedEncodingError, requests.ConnectionError)
    assert isinstance(answer(Fault.TRUNCATED), cut)
    assert isinstance(answer(Fault.STALLED), requests.ConnectionError)  # read timed out
    reset = answer(Fault.RESET)
    assert isinstance(reset, requests.ConnectionError)
    assert "reset" in str(reset).lower()
    assert got(answer(Fault.SLOW)).content == right
    assert got(answer(Fault.SLOW)).elapsed.total_seconds() < 1  # the head comes at once
    endless = got(answer(Fault.ENDLESS)).content
    assert endless.startswith(right)
    assert len(endless) > 2 << 20
    assert "Content-Length" not in got(answer(Fault.ENDLESS)).headers
    assert got(answer(Fault.WRONG_DATE)).content == right
    assert got(answer(Fault.WRONG_DATE)).headers["Date"].endswith("1970 00:00:00 GMT")


def test_a_client_that_hangs_up_is_billed() -> None:
    with running(EmulatorConfig(port=0, processes=1, pictures="dummy", latency_ms=300)) as url:
        with pytest.raises(requests.Timeout):
            requests.get(url + IMAGE_PATH, params={**HERE, **SIZE}, timeout=0.1)
        ends = time.monotonic() + 10
        while requests.get(f"{url}/counters", timeout=30).json()["billed"] != 1:
            assert time.monotonic() < ends, "the answer was never billed"
            time.sleep(0.05)


def test_keys_and_signatures_do_not_change_which_faults_strike() -> None:
    shares = parse_faults(["server_error=0.3", "grey=0.3"])
    first, second = FaultDice(shares, 7), FaultDice(shares, 7)
    paths = [f"/maps/api/streetview?pano={number}&heading=90" for number in range(50)] * 2
    plain = [first.fault_for(f"{path}&key=a") for path in paths]
    assert plain == [second.fault_for(f"{path}&key=b&signature=xyz=") for path in paths]
    assert len(set(plain)) == 3
    assert plain[:50] != plain[50:]  # the second try of a request is another throw


@given(st.integers(0, 2**63), st.floats(0, 0.5), st.sampled_from(list(Fault)))
def test_a_share_of_requests_is_struck_by_what_can_befall_them(seed: int, share: float, fault: Fault) -> None:
    dice = FaultDice(FaultShares(((fault, share),)), seed)
    struck = sum(dice.fault_for(f"/x?n={number}", IMAGE_FAULTS) is fault for number in range(400))
    assert abs(struck - 400 * share * (fault in IMAGE_FAULTS)) < 70


def test_a_quota_a_minute_and_one_a_day_for_unsigned_requests() -> None:
    quota = Quota(per_minute=3, unsigned_per_day=4)
    for moment in (0.0, 1.0, 59.0):
        quota.spend(signed=False, now_s=moment)
    with pytest.raises(QuotaError) as refused:
        quota.spend(signed=True, now_s=59.5)
    assert refused.value.retry_after_s == 1
    quota.spend(signed=False, now_s=60.0)
    with pytest.raises(QuotaError, match="daily request quota"):
        quota.spend(signed=False, now_s=61.0)
    quota.spend(signed=True, now_s=62.0)
    quota.spend(signed=False, now_s=86_400.0)


def test_quotas_over_http_refuse_pictures_and_not_metadata() -> None:
    secret = decode_secret("vNIXE0xscrmjlyV-12Nj_BvUPaw=")
    config = EmulatorConfig(port=0, processes=1, pictures="dummy", signing_secret=secret, unsigned_per_day=2)
    with running(config) as url:
        answers = [requests.get(url + IMAGE_PATH, params={**HERE, **SIZE}, timeout=30) for _ in range(3)]
        assert [each.status_code for each in answers] == [200, 200, 403]
        assert "quota" in answers[2].text
        path = f"{IMAGE_PATH}?location=51.51,-0.12&size=64x48&key=any"
        assert requests.get(f"{url}{path}&signature={sign(path, secret)}", timeout=30).status_code == 200
        assert requests.get(f"{url}{path}&signature=AAAA", timeout=30).status_code == 403
        assert requests.get(url + METADATA_PATH, params=HERE, timeout=30).json()["status"] == "OK"
        assert requests.get(f"{url}/counters", timeout=30).json()["billed"] == 3
    with running(EmulatorConfig(port=0, processes=1, pictures="dummy", requests_per_minute=0)) as url:
        answer = requests.get(url + IMAGE_PATH, params={**HERE, **SIZE}, timeout=30)
        assert answer.status_code == 429
        assert 1 <= int(answer.headers["Retry-After"]) <= 60


def test_dummy_pictures_say_so_and_belong_to_a_world_of_their_own(asked: dict[Fault | None, Asked]) -> None:
    body = got(asked[None].image).content
    assert b"dummy picture, no photograph" in body
    with running(EmulatorConfig(port=0, processes=1, pictures="dummy")) as url:
        views = [{**HERE, **SIZE, "heading": heading} for heading in ("90", "180")]
        east, south = (requests.get(url + IMAGE_PATH, params=view, timeout=30).content for view in views)
        assert requests.get(f"{url}/health", timeout=30).json()["world_version"] == "2-dummy"
    assert east == body
    assert south != body
