"""What a collection is called, and how it is published, by what was sampled."""

from geolocate.collection.plan import PlanRequest
from tasks.orders import CollectionOrder


def test_names_tell_what_was_sampled_and_how_densely() -> None:
    plans = {
        "uk-cities-50-n18-s0": PlanRequest(),
        "uk-grid-50km-n4-s1": PlanRequest(kind="grid", per_place=4, seed=1),
        "us-uniform-n300-s0": PlanRequest(region="us", kind="uniform", total=300),
        "us-population-n2000-s0": PlanRequest(region="us", kind="population"),
    }
    for name, plan in plans.items():
        assert CollectionOrder(plan=plan).name == name


def test_an_order_survives_being_written_down() -> None:
    for plan in (PlanRequest(kind="uniform"), PlanRequest(kind="grid", cell_km=100), PlanRequest(top=20)):
        order = CollectionOrder(plan=plan)
        again = CollectionOrder.model_validate_json(order.model_dump_json())
        assert again == order
        assert again.publication() == order.publication()


def test_a_sample_of_all_land_is_published_by_cell_and_one_of_cities_by_city() -> None:
    levels = {"grid": "cell", "uniform": "cell", "population": "cell", "cities": "city"}
    for kind, level in levels.items():
        assert CollectionOrder(plan=PlanRequest.model_validate({"kind": kind})).publication().level == level
