"""What a reader should know before trusting a dataset version: sentences made from its card's figures.

In: the facts of the card. Out: one sentence a finding; what is not found is not said.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from geolocate.dataset.splits import LEFT_OUT

Card = Mapping[str, Any]

# From here on a class, month or season has visibly more than its share.
_UNEVEN = 2.0
_HALF = 0.5
_NAMED = 5


def biases_of(card: Card) -> list[str]:
    """Say what is uneven, missing or made up in the dataset, in the order of how much it matters."""
    return [sentence for finding in _FINDINGS for sentence in finding(card)]


def probe_sentences(card: Card) -> list[str]:
    """Say which shortcuts beat chance, or that none does, or why it could not be judged."""
    probes = card["probes"]
    if not probes["results"]:
        return [f"The shortcut probes could not be judged: {probes['reason']}."]
    prior, uniform = probes["chance"]["prior"], probes["chance"]["uniform"]
    said = [
        f"Above the prior: {result['title']} tells {_percent(result['accuracy'])} of the test panoramas' classes "
        f"(prior {_percent(prior)}, uniform {_percent(uniform)})."
        for result in probes["results"]
        if result["above"]
    ]
    constant = probes["chance"]["best_constant_km"]
    said += [
        f"Nearer than the best constant: {result['title']} is {result['mean_km']:.0f} km off on average, the best "
        f"constant {constant:.0f} km."
        for result in probes["results"]
        if result["nearer"]
    ]
    return said or [
        f"No shortcut probe is above the prior ({_percent(prior)}) and uniform ({_percent(uniform)}), nor nearer than "
        "the best constant, by more than the ground blocks' spread."
    ]


def _world(card: Card) -> Iterator[str]:
    if card["world"] == "emulated":
        yield "All pictures were drawn by the emulator: nothing that holds on them need hold on photographs."


def _approximate_names(card: Card) -> Iterator[str]:
    if card.get("level") in ("town", "cell"):
        yield (
            "Town names are approximations: the nearest place of the gazetteer, and the nearest larger town instead of "
            "the post town."
        )


def _imbalance(card: Card) -> Iterator[str]:
    balance = card["balance"]
    if balance["largest_share"] * card["classes"] >= _UNEVEN:
        largest = balance["classes"][0]
        yield (
            f"{largest['class_name']} alone holds {_percent(balance['largest_share'])} of the panoramas; the "
            f"{card['classes']} classes are worth {balance['effective_classes']:.1f} even ones."
        )
    if balance["ratio"] >= _UNEVEN:
        yield (
            f"The largest class has {balance['ratio']:.1f} × the panoramas of the smallest ({balance['panoramas_max']} "
            f"and {balance['panoramas_min']})."
        )


def _without(card: Card) -> Iterator[str]:
    names = {entry["class_id"]: entry["class_name"] for entry in card["balance"]["classes"]}
    lacking = {part: [names[name] for name in ids] for part, ids in card["splits"]["classes_without"].items()}
    consequences = {
        "train": "No training place, so never the answer",
        "test": "No place on test ground, so never tested",
    }
    for part, consequence in consequences.items():
        if lacking[part]:
            yield f"{consequence}: {len(lacking[part])} of {card['classes']} classes ({_some(lacking[part])})."


def _losses(card: Card) -> Iterator[str]:
    lost = sum(card["splits"]["left_out"].values())
    if lost > 0.1 * card["panoramas"]:
        reasons = sorted(card["splits"]["left_out"].items(), key=lambda item: -item[1])
        listed = ", ".join(f"{LEFT_OUT[reason]} {count}" for reason, count in reasons if count)
        yield f"{_percent(lost / card['panoramas'])} of the panoramas are in no part: {listed}."


def _dates(card: Card) -> Iterator[str]:
    dates = card["dates"]
    dated = sum(dates["months"].values())
    if dates["undated"]:
        yield f"{dates['undated']} of {card['panoramas']} panoramas have no capture date."
    if not dated:
        return
    season, most = max(dates["seasons"].items(), key=lambda item: item[1])
    fewest, least = min(dates["seasons"].items(), key=lambda item: item[1])
    if most / dated > _HALF or least < 0.1 * dated:
        yield f"{_percent(most / dated)} were captured in {season}, {_percent(least / dated)} in {fewest}."
    month, count = max(dates["months"].items(), key=lambda item: item[1])
    if len(dates["months"]) == 1 or count / dated > _HALF:
        yield f"{_percent(count / dated)} were captured in one month, {month}."
    alone = dates["single_month_classes"]
    if alone and len(dates["months"]) > 1:
        yield (
            f"{alone} of {card['classes']} classes were captured in a single month each: weather and light of that "
            "month can stand for the place."
        )


def _no_imagery(card: Card) -> Iterator[str]:
    names = {entry["class_id"]: entry["class_name"] for entry in card["balance"]["classes"]}
    shares = sorted(((share, names[name]) for name, share in card["no_imagery_by_class"].items()), reverse=True)
    sparse = [f"{name} ({_percent(share)})" for share, name in shares if share >= 0.1]
    if sparse:
        yield (
            f"Points without imagery were drawn again elsewhere, so places with imagery stand for those without, most "
            f"in {_some(sparse)}."
        )
    lost = card["outcomes"].get("no_imagery", 0)
    if lost:
        yield f"{lost} of {sum(card['outcomes'].values())} planned points ended without imagery."


def _one_source(card: Card) -> Iterator[str]:
    names = card["rights"]["attributions"]
    largest, count = next(iter(names.items()))
    if card["world"] == "real" and len(names) > 1 and count / card["images"] > _HALF:
        yield f"{_percent(count / card['images'])} of the images are by one source, {largest}."


def _flagged(card: Card) -> Iterator[str]:
    quality = card["quality"]
    if quality["flagged"]:
        yield (
            f"{quality['flagged']} of {quality['images']} images are flagged for their quality and are still in; see "
            "the quality page."
        )


def _some(names: list[str]) -> str:
    more = len(names) - _NAMED
    return "; ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


_FINDINGS: tuple[Callable[[Card], Iterator[str]], ...] = (
    _world,
    _approximate_names,
    _imbalance,
    _without,
    _losses,
    _dates,
    _no_imagery,
    _one_source,
    _flagged,
)
