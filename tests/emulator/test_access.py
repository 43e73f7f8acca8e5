"""Keys, signatures, and what the command line refuses."""

import pytest

from geolocate.emulator.access import AccessError, check_signature, decode_secret, sign
from geolocate.emulator.faults import Fault, parse_faults
from geolocate.emulator.server import EmulatorConfig
from geolocate.errors import SettingsError

SECRET = decode_secret("vNIXE0xscrmjlyV-12Nj_BvUPaw=")
SIGNED = "/maps/api/geocode/json?address=New+York&client=clientID"


def test_signs_as_googles_test_vector_says() -> None:
    assert sign(SIGNED, SECRET) == "chaRF2hTJKOScPr-RQCEhZbSzIE="
    check_signature(f"{SIGNED}&signature=chaRF2hTJKOScPr-RQCEhZbSzIE=", SECRET)
    with pytest.raises(AccessError):
        check_signature(f"{SIGNED}&signature=chaRF2hTJKOScPr-RQCEhZbSzIF=", SECRET)


@pytest.mark.parametrize("secret", ["", "not a secret!", "é"])
def test_a_malformed_secret_is_refused_without_showing_it(secret: str) -> None:
    with pytest.raises(SettingsError) as caught:
        decode_secret(secret)
    assert not secret or secret not in str(caught.value)


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["fire=0.1"], "unknown fault 'fire'"),
        (["html=lots"], "html=lots"),
        (["html=1.5"], "from 0 to 1"),
        (["html=nan"], "from 0 to 1"),
        (["html=0.6", "truncated=0.6"], "add up to 1.2"),
    ],
)
def test_faults_that_cannot_be_are_refused(texts: list[str], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        parse_faults(texts)


def test_faults_are_read_by_name() -> None:
    assert parse_faults(["html=0.25"]).shares == ((Fault.HTML, 0.25),)


def test_a_port_or_a_latency_that_cannot_be_is_refused() -> None:
    with pytest.raises(SettingsError, match="port 70000"):
        EmulatorConfig(port=70000)
    with pytest.raises(SettingsError, match="latency -1"):
        EmulatorConfig(latency_ms=-1)
    with pytest.raises(SettingsError, match="processes -2"):
        EmulatorConfig(processes=-2)
