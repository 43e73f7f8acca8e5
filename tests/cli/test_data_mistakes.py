"""Wrong calls of `geolocate data …`: each is one line that names the value and what to do, and changes nothing."""

import json
import re

import pytest

COLLECT = ("collect", "--name", "x", "--top", "2", "--per-place", "1")
GOOGLE = {"GEOLOCATE_STREET_VIEW_URL": "http://127.0.0.1:9", "GEOLOCATE_WORLD": "emulated", "GOOGLE_MAPS_API_KEY": "k"}
SECRET = "AIza-very-secret"

CASES = {
    "a budget below nothing": ((*COLLECT, "--budget-usd", "-1"), GOOGLE, "budget of -1 dollars"),
    "a budget that is no number": ((*COLLECT, "--budget-usd", "nan"), GOOGLE, "budget of nan dollars"),
    "a budget without end": ((*COLLECT, "--budget-usd", "inf"), GOOGLE, "budget of inf dollars"),
    "fewer images than none": ((*COLLECT, "--max-images", "-5"), GOOGLE, "-5 images"),
    "an unknown provider": ((*COLLECT, "--provider", "bing"), GOOGLE, "'bing': choose one of .*google.*mapillary"),
    "an empty provider": ((*COLLECT, "--provider", ""), GOOGLE, "'': choose one of"),
    "an unknown provider in a plan": (("plan", "--provider", "kartaview"), {}, "'kartaview': choose one of"),
    "a folder to be collected": ((*COLLECT, "--provider", "folder"), GOOGLE, "geolocate data import"),
    "a folder to be planned": (("plan",), {"GEOLOCATE_PROVIDER": "folder"}, "geolocate data import"),
    "a name that leaves the data root": (("collect", "--name", "../x", "--top", "2"), GOOGLE, "letters, digits"),
    "an empty name": (("collect", "--name", "", "--top", "2"), GOOGLE, "letters, digits"),
    "an unknown kind": (("plan", "--kind", "villages"), {}, "kind 'villages'.*cities"),
    "no points at all": (("plan", "--total", "0", "--kind", "uniform"), {}, "total 0"),
    "a table that is not there": (("plan", "--points", "absent.csv"), {}, "absent.csv"),
    "an unknown region": ((*COLLECT, "--region", "atlantis"), GOOGLE, "region 'atlantis'"),
    "Mapillary without a token": ((*COLLECT, "--provider", "mapillary"), {}, "MAPILLARY_TOKEN"),
    "Mapillary elsewhere, undeclared": (
        (*COLLECT, "--provider", "mapillary"),
        {"GEOLOCATE_MAPILLARY_URL": "http://127.0.0.1:9", "MAPILLARY_TOKEN": "t"},
        "GEOLOCATE_MAPILLARY_URL.*GEOLOCATE_WORLD=emulated",
    ),
    "Mapillary's tiles are real, the rest is not": (
        (*COLLECT, "--provider", "mapillary"),
        {"GEOLOCATE_MAPILLARY_URL": "http://127.0.0.1:9", "MAPILLARY_TOKEN": "t", "GEOLOCATE_WORLD": "emulated"},
        "GEOLOCATE_MAPILLARY_TILES_URL",
    ),
    "Panoramax elsewhere, undeclared": (
        (*COLLECT, "--provider", "panoramax"),
        {"GEOLOCATE_PANORAMAX_URL": "http://127.0.0.1:9"},
        "GEOLOCATE_PANORAMAX_URL.*GEOLOCATE_WORLD=emulated",
    ),
    "a key in an address": (
        COLLECT,
        {**GOOGLE, "GEOLOCATE_STREET_VIEW_URL": f"http://127.0.0.1:9/?key={SECRET}"},
        "GEOLOCATE_STREET_VIEW_URL: give scheme, host and port",
    ),
    "an address without a scheme": (COLLECT, {**GOOGLE, "GEOLOCATE_STREET_VIEW_URL": "127.0.0.1:9"}, "scheme"),
    "a signing secret that is none": (
        COLLECT,
        {"GOOGLE_MAPS_API_KEY": SECRET, "GEOLOCATE_GOOGLE_AGREEMENT": "A", "GOOGLE_MAPS_SIGNING_SECRET": "not base64!"},
        "GOOGLE_MAPS_SIGNING_SECRET",
    ),
    "validating what is not there": (("validate", "absent"), {}, "no collection 'absent'"),
    "validating beside nobody": (("validate", "absent", "--against", "http://127.0.0.1:9"), {}, "no collection"),
    "importing from nowhere": (
        ("import", "absent", "--name", "x", "--license", "CC0-1.0", "--attribution", "A"),
        {},
        "absent",
    ),
    "importing without a licence": (
        ("import", ".", "--name", "x", "--license", "", "--attribution", "A"),
        {},
        "licence",
    ),
}
#: What the options' own checks refuse, before any of our code runs.
USAGE = {
    "another depth of looking": ((*COLLECT, "--verify", "deep"), "none.*size.*hash"),
    "no concurrency": ((*COLLECT, "--concurrency", "0"), "--concurrency"),
    "a budget in words": ((*COLLECT, "--budget-usd", "lots"), "--budget-usd"),
    "no name": (("collect", "--top", "2"), "--name"),
    "an option that there is not": ((*COLLECT, "--fast"), "--fast"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_wrong_call_is_one_line(name, command, tmp_path):
    words, environment, expected = CASES[name]
    code, printed = command(("data", *words), environment)
    assert code == 1
    assert printed.err.count("\n") == 1, printed.err
    assert re.match(f"error: .*{expected}", printed.err), printed.err
    assert printed.out == ""
    assert SECRET not in printed.err
    assert not list((tmp_path / "data").rglob("plan.parquet")), "a collection was started"


def test_where_nobody_answers_the_plan_is_kept_for_the_next_run(command, tmp_path):
    nobody = {"GEOLOCATE_PANORAMAX_URL": "http://127.0.0.1:9", "GEOLOCATE_WORLD": "emulated"}
    code, printed = command(("data", *COLLECT, "--provider", "panoramax"), nobody)
    assert code == 1
    assert re.fullmatch("error: nobody answers at http://127.0.0.1:9 .*GEOLOCATE_PANORAMAX_URL.*\n", printed.err)
    assert (tmp_path / "data" / "collections" / "x" / "plan.parquet").exists()


@pytest.mark.parametrize("name", USAGE)
def test_a_wrong_option_is_told_without_a_traceback(name, command):
    words, expected = USAGE[name]
    code, printed = command(("data", *words))
    assert code == 2
    assert "Traceback" not in printed.err
    assert re.search(expected, re.sub(r"\s+", " ", printed.err)), printed.err


def test_a_plan_for_machines_is_json_only(command):
    code, printed = command(("data", "plan", "--top", "2", "--per-place", "2", "--json"))
    assert code == 0
    assert json.loads(printed.out)["points"] == 4
    assert printed.err == ""
