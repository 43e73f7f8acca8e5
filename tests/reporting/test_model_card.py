"""The card says what becomes of pictures that the model knows nothing of."""

import pytest

from geolocate.reporting.model_card import model_card
from geolocate.storage import read_json, write_json
from geolocate.training.checkpoints import load_run
from tests.evaluation.trained import RUNS


@pytest.fixture
def card(root, evaluated):
    """Write the card with other limits of refusal, and put things back."""
    folder = root.run(RUNS[0])
    files = {name: (folder / name).read_bytes() for name in ("answering.json", "metrics.json")}

    def write(limits, refused):
        answering, metrics = (read_json(folder / name) for name in files)
        write_json(folder / "answering.json", {**answering, "refuse_below": limits})
        metrics["answering"]["refusal"] |= {"refuse_below": limits, "refused": refused}
        write_json(folder / "metrics.json", metrics)
        return model_card(root, load_run(root, RUNS[0]), "cities")

    yield write
    for name, body in files.items():
        (folder / name).write_bytes(body)


def test_a_model_with_a_limit_refuses_and_says_what_that_costs(card):
    text = card([0.81, 0.84, 0.86], 0.0432)
    assert "is refused by `geolocate predict`" in text
    assert "and so were 4.3 % of the genuine test panoramas" in text
    assert "all the same" not in text.split("must not be used for")[1].split("## What it learned")[0]


def test_a_model_without_a_limit_names_a_place_all_the_same(card):
    text = card([], 0.0)
    assert "refuses nothing, for want of calibration ground" in text
    assert "is refused by" not in text


def test_a_model_that_was_never_calibrated_says_so(root, card):
    card([], 0.0)
    (root.run(RUNS[0]) / "answering.json").unlink()
    text = model_card(root, load_run(root, RUNS[0]), "cities")
    assert "It was not calibrated, so it refuses nothing, and names one of them all the same." in text
