"""A bias is said when the figures show it, and not otherwise."""

import copy

import pytest

from geolocate.dataset.biases import biases_of, probe_sentences

EVEN = {
    "world": "real",
    "classes": 2,
    "images": 60,
    "panoramas": 20,
    "balance": {
        "ratio": 1.0,
        "largest_share": 0.5,
        "effective_classes": 2.0,
        "panoramas_min": 10,
        "panoramas_max": 10,
        "classes": [{"class_id": "1", "class_name": "Leeds"}, {"class_id": "2", "class_name": "York"}],
    },
    "splits": {
        "left_out": {"buffer": 0, "sequence": 0, "sample": 0, "unseen": 0},
        "classes_without": {"train": [], "val": [], "calibration": [], "test": []},
    },
    "dates": {
        "undated": 0,
        "months": {"2019-01": 5, "2019-04": 5, "2019-07": 5, "2019-10": 5},
        "seasons": {"winter": 5, "spring": 5, "summer": 5, "autumn": 5},
        "single_month_classes": 0,
    },
    "no_imagery_by_class": {},
    "outcomes": {"complete": 20},
    "rights": {"attributions": {"Ann": 30, "Bea": 30}},
    "quality": {"flagged": 0, "images": 60},
}


def changed(section, **values):
    card = copy.deepcopy(EVEN)
    if section:
        card[section] |= values
    else:
        card |= values
    return card


def test_an_even_dataset_of_photographs_has_none():
    assert biases_of(EVEN) == []


@pytest.mark.parametrize(
    ("card", "said"),
    [
        (changed(None, world="emulated"), "drawn by the emulator"),
        (changed(None, classes=4), "Leeds alone holds 50.0 %"),
        (changed("balance", ratio=9.0, panoramas_max=18, panoramas_min=2), "9.0 × the panoramas of the smallest"),
        (changed("splits", classes_without={"train": [], "test": ["2"]}), "never tested: 1 of 2 classes (York)"),
        (changed("splits", classes_without={"train": ["1"], "test": []}), "never the answer: 1 of 2 classes (Leeds)"),
        (changed("splits", left_out={"buffer": 5}), "25.0 % of the panoramas are in no part"),
        (changed("dates", undated=3), "3 of 20 panoramas have no capture date"),
        (
            changed("dates", seasons={"winter": 0, "spring": 2, "summer": 16, "autumn": 2}),
            "80.0 % were captured in summer, 0.0 % in winter",
        ),
        (changed("dates", single_month_classes=1), "1 of 2 classes were captured in a single month"),
        (changed(None, no_imagery_by_class={"2": 0.4}), "York (40.0 %)"),
        (changed(None, outcomes={"complete": 15, "no_imagery": 5}), "5 of 20 planned points ended without imagery"),
        (changed("rights", attributions={"Ann": 55, "Bea": 5}), "91.7 % of the images are by one source, Ann"),
        (changed("quality", flagged=4), "4 of 60 images are flagged"),
    ],
)
def test_each_finding_is_said_with_its_figures(card, said):
    sentences = biases_of(card)
    assert any(said in sentence for sentence in sentences), sentences
    assert len(sentences) == 1


def test_a_probe_above_the_prior_is_named_with_chance_beside_it():
    result = {"title": "the sky", "accuracy": 0.4, "mean_km": 90.0, "above": True, "nearer": False}
    chance = {"prior": 0.1, "uniform": 0.05, "best_constant_km": 80.0}
    said = probe_sentences({"probes": {"results": [result], "chance": chance, "reason": ""}})
    assert said == [
        "Above the prior: the sky tells 40.0 % of the test panoramas' classes (prior 10.0 %, uniform 5.0 %)."
    ]
    quiet = probe_sentences({"probes": {"results": [result | {"above": False}], "chance": chance, "reason": ""}})
    assert len(quiet) == 1
    assert quiet[0].startswith("No shortcut probe is above the prior (10.0 %)")


@pytest.mark.parametrize(("level", "said"), [("town", True), ("cell", True), ("city", False)])
def test_town_names_are_called_approximations_where_classes_bear_them(level, said):
    sentences = biases_of(changed(None, level=level))
    assert any("Town names are approximations" in sentence for sentence in sentences) == said
