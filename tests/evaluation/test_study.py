"""Recipes of several seeds, Holm over them, and the study's table with what was not run."""

import pytest

from geolocate.errors import CheckpointError
from geolocate.evaluation.compare import compare_recipes, recipes_of
from geolocate.evaluation.study import SYSTEMS, TASKS, check_one_world, study_table, system_of
from geolocate.reporting.study_page import study_markdown, write_study_page
from tests.evaluation.recorded import evaluated_run, seeds


@pytest.fixture(scope="module")
def runs():
    return [*seeds("base", 1.0), *seeds("better", 3.0), *seeds("same", 1.0, noise=100)]


@pytest.fixture(scope="module")
def compared(runs):
    return compare_recipes(recipes_of(runs))


def test_runs_that_differ_in_their_seed_only_are_one_recipe_of_mean_figures(runs, compared):
    assert compared["runs"] == ["base (5 seeds)", "better (5 seeds)", "same (5 seeds)"]
    assert compared["seeds_paired"]
    of_base = [one.metrics["metrics"]["mean_km"]["model"]["value"] for one in runs[:5]]
    assert compared["metrics"]["mean_km"]["base (5 seeds)"]["value"] == pytest.approx(sum(of_base) / 5)


def test_holm_tells_a_better_recipe_from_the_same_again(compared):
    better, same = (compared["paired"]["mean_km"][f"{name} (5 seeds)"] for name in ("better", "same"))
    assert better["told_apart"]
    assert better["holm_high"] < 0
    assert better["holm_low"] <= better["low"]
    assert not same["told_apart"]
    assert same["holm_low"] < 0 < same["holm_high"]


def test_seeds_widen_the_interval_that_one_run_would_claim():
    from geolocate.evaluation.compare import Recipe

    unlike = [evaluated_run(f"odd-s{seed}", skill, seed) for seed, skill in enumerate((0.0, 4.0, 1.0, 3.0, 2.0))]
    width = {}
    for name, members in (("one", unlike[4:]), ("five", unlike)):
        cell = compare_recipes([Recipe(name, tuple(members))])["metrics"]["mean_km"][name]
        width[name] = cell["high"] - cell["low"]
    assert width["five"] > width["one"]


def test_the_study_s_table_says_what_was_not_run(runs):
    markdown = study_markdown(study_table(runs))
    assert all(task.title in markdown for task in TASKS)
    assert "| StreetCLIP | not run: weights absent" in markdown
    assert "| ours: better (5 seeds) |" in markdown
    assert "14.34 %" in markdown.split("Published by others")[1]
    assert "14.34 %" not in markdown.split("Published by others")[0]
    us = markdown[markdown.index("US grid") : markdown.index("Published by others")]
    assert us.count("not run:") == len(SYSTEMS)


def test_worlds_are_never_mixed():
    ours, theirs = evaluated_run("a", 1.0, 0), evaluated_run("b", 1.0, 0, {"world": "real", "world_version": None})
    with pytest.raises(CheckpointError, match="worlds are never mixed"):
        check_one_world([ours, theirs])


def test_the_page_is_one_file_that_names_its_world(runs, compared, tmp_path):
    page = write_study_page(tmp_path / "comparison.html", study_table(runs), [compared]).read_text()
    assert 0 < page.index("Emulated world.") < page.index("<h1>")
    assert "<script" not in page
    assert "http" not in page
    assert "after Holm over 2" in page


@pytest.mark.parametrize(
    ("config", "system"),
    [
        ({"loss": "infonce"}, "ours"),
        ({"loss": "study", "freeze_image": True, "image_encoder": "efficientnet-lite0"}, "study-recipe"),
        ({"loss": "study", "freeze_image": False, "image_encoder": "resnet50=weights.pth"}, "study"),
    ],
)
def test_a_run_is_filed_under_the_recipe_that_it_followed(config, system):
    assert system_of({"kind": "run", "config": config, "system": "x"}) == system


def test_a_single_open_model_stands_in_its_row(runs):
    facts = {"kind": "open model", "system": "streetclip", "seed": None, "config": {}}
    theirs = evaluated_run("streetclip-uk", 2.0, 0, facts)
    assert "| StreetCLIP: streetclip-uk |" in study_markdown(study_table([*runs, theirs]))
