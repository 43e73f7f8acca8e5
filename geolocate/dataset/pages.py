"""The pages of a dataset card: for people to read, in Markdown and HTML, with the coverage map.

In: the facts of the card. Out: the bytes of ``card.md``, ``card.html`` and ``coverage.png``. The HTML needs no other
file; the Markdown opens with the fields that the Hugging Face hub reads. The same facts give the same bytes.
"""

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from geolocate.dataset.quality import REASONS
from geolocate.dataset.splits import LEFT_OUT, PARTS
from geolocate.geography.regions import Region

Card = Mapping[str, Any]

# The hub's own names; every other licence is "other" there and by its name in the text.
_HUB_LICENCES = ("cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "odbl", "etalab-2.0")
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
_LARGEST = "1M<n<10M"
_ATTRIBUTIONS = 20
_REST = "in no part"


@dataclass(frozen=True, slots=True)
class CardTable:
    """One section of the card: notes, then rows; ``text`` numbers the columns that are read, not compared."""

    key: str
    title: str
    columns: tuple[str, ...] = ()
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    text: tuple[int, ...] = (0,)
    notes: tuple[str, ...] = ()


def card_pages(card: Card, panoramas: pd.DataFrame, region: Region) -> dict[str, bytes]:
    """Render the card; ``panoramas`` (``lat, lon, part``) are drawn on the map."""
    world = ", emulated world" if card["world"] == "emulated" else ""
    coverage = _coverage(panoramas, region, f"{card['name']}@{card['version']}{world}")
    content = {
        "card": card,
        "license": _hub_licence(card["licenses"]),
        "pretty_name": f"{card['name']} ({card['region_title']}{world})",
        "size_category": next((name for limit, name in _SIZES if card["images"] < limit), _LARGEST),
        "parts_text": ", ".join(f"{part} {count}" for part, count in card["panoramas_by_part"].items()),
        "probe_lines": _probe_lines(card),
        "tables": card_tables(card),
    }
    page = render("card.html.j2", content | {"coverage": data_uri(coverage, "image/png")})
    return {
        "card.md": render("card.md.j2", content).encode(),
        "card.html": page.encode(),
        "coverage.png": coverage,
    }


def _coverage(panoramas: pd.DataFrame, region: Region, title: str) -> bytes:
    # Loading the drawing takes most of a second, which only publishing should pay.
    from geolocate.geography.maps import map_png

    # In the order of drawing: test places lie on top, what is in no part below.
    part = panoramas["part"].where(panoramas["part"].isin(PARTS), _REST)
    parts = pd.Categorical(part, categories=[_REST, *PARTS])
    return map_png(region, panoramas["lat"], panoramas["lon"], colour_by=parts, title=title)


def render(template: str, content: Mapping[str, Any]) -> str:
    """Render a template of this package; HTML is escaped, Markdown by its ``md`` filter."""
    environment = Environment(
        loader=PackageLoader("geolocate.dataset"),
        autoescape=select_autoescape(enabled_extensions=("html.j2",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["md"] = _markdown
    return environment.get_template(template).render(content)


def data_uri(body: bytes, media_type: str) -> str:
    """Return the bytes as an address that needs no other file."""
    return f"data:{media_type};base64,{base64.b64encode(body).decode()}"


def card_tables(card: Card) -> list[CardTable]:
    """Lay the facts out as sections, in the order in which the pages show them."""
    return [
        _counts(card),
        _balance(card),
        _dates(card),
        _sources(card),
        _rights(card),
        _owed(card),
        _layers(card),
        _quality(card),
        _lineage(card),
    ]


def _counts(card: Card) -> CardTable:
    images = card["images_by_part"]
    by_part = card["panoramas_by_part"]
    rows: list[tuple[Any, ...]] = [(part, by_part.get(part, 0), images.get(part, 0), "") for part in PARTS]
    rows += [
        (f"left out: {reason}", by_part[reason], images[reason], why)
        for reason, why in LEFT_OUT.items()
        if by_part.get(reason)
    ]
    rows.append(("together", card["panoramas"], card["images"], ""))
    notes: tuple[str, ...] = (
        f"Views {', '.join(card['views'])}; {card['bytes'] / 1e6:.1f} MB; {_listed(card['sizes'])} pixels.",
    )
    if card["panoramas_without_class"]:
        notes += (
            f"{card['panoramas_without_class']} panoramas of the collections belong to no class and are not here.",
        )
    return CardTable("counts", "Counts", ("part", "panoramas", "images", "why"), rows, (0, 3), notes)


def _balance(card: Card) -> CardTable:
    balance = card["balance"]
    parts = [part for part in PARTS if any(part in entry for entry in balance["classes"])]
    rows = [
        (entry["class_name"], entry["class_id"], entry["panoramas"], *(entry.get(part, 0) for part in parts))
        for entry in balance["classes"]
    ]
    note = (
        f"Panoramas a class: least {balance['panoramas_min']}, median {balance['panoramas_median']:g}, most "
        f"{balance['panoramas_max']}; {card['classes']} classes are worth {balance['effective_classes']:g} even ones."
    )
    return CardTable("balance", "Classes", ("class", "id", "panoramas", *parts), rows, (0, 1), (note,))


def _dates(card: Card) -> CardTable:
    dates = card["dates"]
    if not dates["earliest"]:
        return CardTable("dates", "Capture dates", notes=("No panorama has a capture date.",))
    seasons = ", ".join(f"{name} {count}" for name, count in dates["seasons"].items())
    note = f"{dates['earliest']} to {dates['latest']}; {seasons}; {dates['undated']} without a date."
    months = [f"{month:02}" for month in range(1, 13)]
    rows = [
        (year, total, *(dates["months"].get(f"{year}-{month}", 0) for month in months))
        for year, total in dates["years"].items()
    ]
    return CardTable("dates", "Capture dates", ("panoramas by year", "all", *months), rows, notes=(note,))


def _sources(card: Card) -> CardTable:
    rows = [
        (entry["provider"], entry["world"], entry["terms_version"], entry["panoramas"], entry["images"])
        for entry in card["sources"]
    ]
    notes: tuple[str, ...] = (f"Collections: {', '.join(card['collections'])}.",)
    if card["outcomes"]:
        notes += (f"How their planned points ended: {_listed(card['outcomes'])}.",)
    columns = ("provider", "world", "edition of its terms", "panoramas", "images")
    return CardTable("sources", "Sources", columns, rows, (0, 1, 2), notes)


def _rights(card: Card) -> CardTable:
    rights = card["rights"]
    rows = [("licence", name, count) for name, count in rights["licenses"].items()]
    rows += [("basis", name, count) for name, count in rights["bases"].items()]
    attributions = list(rights["attributions"].items())
    rows += [("attribution", name, count) for name, count in attributions[:_ATTRIBUTIONS]]
    notes = []
    if len(attributions) > _ATTRIBUTIONS:
        notes.append(f"{len(attributions)} attributions, the most frequent ones below; card.json has all of them.")
    if rights["retain_until"]:
        notes.append(f"Some rows may be kept until {rights['retain_until']} only.")
    return CardTable("rights", "Rights", ("right", "value", "images"), rows, (0, 1), tuple(notes))


def _owed(card: Card) -> CardTable:
    """Say what the licences ask for; cards of before do not."""
    rows = [
        (entry["license"], entry["images"], entry["creators"], " ".join([*entry["asks"], entry["address"]]))
        for entry in card.get("owed", ())
    ]
    notes = ("ATTRIBUTION, where there is one, names every creator with the line that is asked for.",)
    columns = ("licence", "images", "creators", "what it asks for")
    return CardTable("owed", "Attribution", columns, rows, (0, 3), notes)


def _layers(card: Card) -> CardTable:
    rows = [(layer["name"], layer["what"], layer["license"]) for layer in card["region_layers"]]
    notes = () if rows else ("The region's folder has no SOURCES.md: where its layers are from is not known.",)
    return CardTable("layers", "Layers of the region", ("source", "what", "licence"), rows, (0, 1, 2), notes)


def _quality(card: Card) -> CardTable:
    quality = card["quality"]
    rows = [(REASONS[reason], count) for reason, count in quality["reasons"].items()]
    note = (
        f"{quality['flagged']} of {quality['images']} images are flagged, {quality['measured']} could be measured; "
        "quality.html shows them, quality.parquet has every measure."
    )
    return CardTable("quality", "Quality", ("images that are", "images"), rows, (0,), (note,))


def _lineage(card: Card) -> CardTable:
    made_of = card.get("lineage") or {"partition_version": card["partition_version"]}
    rows = [("content", card["sha256"]), *_leaves(made_of)]
    return CardTable("lineage", "Lineage", ("what", "hash or version"), rows, (0, 1))


def _leaves(value: Any, *path: str) -> Iterator[tuple[str, str]]:
    """Give every value within nested mappings, with the way to it; what there is none of is passed over."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, *path, str(key))
    elif value is not None:
        yield ", ".join(path), str(value)


def _probe_lines(card: Card) -> list[dict[str, str]]:
    """Lay out the probes, with chance as the last lines."""
    probes = card["probes"]
    if not probes["results"]:
        return []
    lines = [
        {
            "title": result["title"],
            "accuracy": f"{100 * result['accuracy']:.1f} {_interval(result['accuracy_interval'], 100)}",
            "km": f"{result['mean_km']:.0f} {_interval(result['km_interval'], 1)}",
            "above": "yes" if result["above"] else "no",
            "nearer": "yes" if result["nearer"] else "no",
        }
        for result in probes["results"]
    ]
    chance = probes["chance"]
    rest = [
        ("prior", f"{100 * chance['prior']:.1f}", ""),
        ("uniform", f"{100 * chance['uniform']:.1f}", ""),
        ("best constant", "", f"{chance['best_constant_km']:.0f}"),
    ]
    return lines + [
        {"title": title, "accuracy": accuracy, "km": km, "above": "", "nearer": ""} for title, accuracy, km in rest
    ]


def _interval(bounds: tuple[float, float], scale: float) -> str:
    digits = 1 if scale > 1 else 0
    return f"[{scale * bounds[0]:.{digits}f}, {scale * bounds[1]:.{digits}f}]"


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} ({count})" for name, count in counts.items())


def _hub_licence(licences: Mapping[str, int]) -> str:
    names = [name.lower() for name in licences]
    return names[0] if len(names) == 1 and names[0] in _HUB_LICENCES else "other"


def _markdown(value: Any) -> str:
    """Escape what Markdown would take for markup, so that a name stays a name."""
    text = " ".join(str(value).split())
    for mark in "\\`*[]<>|":
        text = text.replace(mark, f"\\{mark}")
    return text
