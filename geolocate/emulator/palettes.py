"""Choose the materials and habits of a place: what walls, roofs, plants, kerbs and poles are like there.

In: surroundings. Out: a ``Palette``, a pure function of them, which neighbouring places nearly share.
"""

import math
from dataclasses import dataclass

from geolocate.emulator.shapes import Colour, blend, shade
from geolocate.emulator.world import Surroundings

#: Wall materials: colour, and how the surface is ruled: "course" (brick), "board", "block" (stone), "plain".
Material = tuple[Colour, str]
BRITISH: tuple[Material, ...] = (
    ((152, 84, 64), "course"),  # red brick
    ((178, 152, 108), "course"),  # yellow stock brick
    ((196, 170, 122), "block"),  # honey limestone
    ((222, 219, 210), "plain"),  # white render
    ((140, 139, 137), "block"),  # granite
    ((178, 166, 148), "plain"),  # pebbledash
    ((118, 103, 86), "block"),  # gritstone
    ((112, 72, 62), "course"),  # engineering brick
)
AMERICAN: tuple[Material, ...] = (
    ((226, 226, 222), "board"),  # white clapboard
    ((154, 88, 70), "course"),  # red brick
    ((188, 178, 152), "board"),  # cream siding
    ((122, 98, 80), "board"),  # dark wood
    ((150, 158, 164), "board"),  # grey vinyl
    ((136, 110, 92), "course"),  # brown brick
)
DESERT: tuple[Material, ...] = (
    ((206, 178, 142), "plain"),  # tan stucco
    ((196, 148, 118), "plain"),  # adobe
    ((224, 212, 192), "plain"),  # cream stucco
    ((182, 158, 134), "block"),  # concrete block
)
SUBTROPICAL: tuple[Material, ...] = (
    ((236, 226, 202), "plain"),
    ((228, 190, 170), "plain"),  # coral stucco
    ((172, 206, 204), "plain"),  # aqua stucco
    ((240, 240, 236), "plain"),
)
_DOORS: tuple[Colour, ...] = (
    (30, 30, 34), (128, 32, 36), (226, 226, 220), (34, 46, 84), (36, 74, 54), (96, 110, 124), (110, 74, 46),
)  # fmt: skip
#: How strongly a place's look prefers some of its materials.
_PREFERENCE = 1.7


@dataclass(frozen=True, slots=True)
class Palette:
    """What things are like in a place."""

    walls: tuple[Material, ...]
    wall_shares: tuple[float, ...]
    roof: Colour
    roof_pitch: float
    leaves: Colour
    soil: Colour
    asphalt: Colour
    pavement: Colour
    trim: Colour
    doors: Colour
    boundary: str
    boundary_colour: Colour
    boundary_m: float
    pole: Colour
    lamp: str
    storeys: float
    frontage_m: float
    terraced: float
    setback_m: float
    window_m: tuple[float, float]
    window_every_m: float
    sashes: bool
    tree_shape: str
    trees: float
    line: Colour
    kerb_line: Colour | None
    look_wide: float


def _near(value: float, middle: float, spread: float) -> float:
    """Map a look's number, about -2 to 2, to a bounded one around a middle."""
    return middle + spread * math.tanh(value * 0.8)


def _pick(value: float, choices: tuple[str, ...]) -> str:
    """Choose by a look's number so that each choice covers about as much ground."""
    return choices[_index(value, len(choices))]


def _index(value: float, count: int) -> int:
    """Cut a look's number into ``count`` parts that are about as frequent."""
    share = 0.5 * (1 + math.erf(value / math.sqrt(2)))
    return min(count - 1, int(share * count))


def palette_of(place: Surroundings) -> Palette:
    """Choose for one place."""
    look = place.look
    walls = _materials(place)
    american = place.american
    return Palette(
        walls=tuple((_tinted(colour, look[2], look[3]), rule) for colour, rule in walls),
        wall_shares=_shares(len(walls), look[0], look[1]),
        roof=_roof(place),
        roof_pitch=max(0.0, _near(look[6], 0.75, 0.35) - 0.55 * place.arid - 0.2 * place.tropical),
        leaves=_leaves(place),
        soil=_soil(place),
        asphalt=_tinted((104, 104, 106), look[17] * 0.5, look[17] + 0.6 * place.arid),
        pavement=blend((168, 164, 158), (190, 170, 142), min(1.0, max(0.0, 0.4 + 0.4 * look[18]))),
        trim=blend((238, 238, 234), (70, 58, 52), min(1.0, max(0.0, 0.25 + 0.35 * look[13]))),
        doors=_DOORS[_index(look[20], len(_DOORS))],
        boundary=_pick(look[14], ("open", "open", "fence", "hedge", "metal") if american else
                       ("wall", "hedge", "fence", "open", "stone")),
        boundary_colour=_tinted((146, 136, 122) if not american else (150, 128, 104), look[15], look[15]),
        boundary_m=_near(look[15], 0.95, 0.5),
        pole=blend((72, 78, 80), (170, 172, 168), min(1.0, max(0.0, 0.5 + 0.5 * look[16]))),
        lamp=_pick(look[16], ("arm", "globe", "double") if american else ("arm", "lantern", "double")),
        storeys=_storeys(place),
        frontage_m=_near(look[10], 15.0 if american else 8.0, 4.5 if american else 2.6),
        terraced=min(1.0, max(0.0, (0.05 if american else 0.45) + 0.35 * look[10] * -1 + 1.3 * (place.built - 0.6))),
        setback_m=max(1.5, _near(look[11], 8.5 if american else 5.0, 3.2) * (1.25 - 0.85 * place.built)),
        window_m=(_near(look[12], 1.15, 0.45), _near(-look[12] + look[13], 1.35, 0.4)),
        window_every_m=_near(look[4], 2.7, 0.7),
        sashes=look[13] - look[4] > 0.0,
        tree_shape=_tree(place),
        trees=_trees(place),
        line=(226, 226, 220),
        kerb_line=(214, 184, 64) if not american and look[21] > -0.3 and place.built > 0.5 else None,
        look_wide=math.tanh(look[18]),
    )  # fmt: skip


def _materials(place: Surroundings) -> tuple[Material, ...]:
    if not place.american:
        return BRITISH
    if place.arid > 0.5:
        return (*DESERT, AMERICAN[4])
    # The warm and flat south-east builds in render, the rest in boards and brick.
    return (*SUBTROPICAL, AMERICAN[0]) if place.tropical > 0.4 else AMERICAN


def _shares(count: int, first: float, second: float) -> tuple[float, ...]:
    """Give each material of a circle of them a share: large where the look points to it."""
    angles = [2 * math.pi * index / count for index in range(count)]
    weights = [math.exp(_PREFERENCE * (first * math.cos(a) + second * math.sin(a))) for a in angles]
    return tuple(weight / sum(weights) for weight in weights)


def _tinted(colour: Colour, warm: float, light: float) -> Colour:
    """Shift a material as its quarries or kilns do."""
    red, green, blue = shade(colour, 1 + 0.09 * math.tanh(light))
    shift = 11 * math.tanh(warm)
    return red + shift, green + 0.15 * shift, blue - shift


def _roof(place: Surroundings) -> Colour:
    slate, tile, shingle, clay = (86, 92, 104), (140, 84, 66), (96, 90, 86), (184, 110, 78)
    first, second = (shingle, slate) if place.american else (slate, tile)
    colour = blend(first, second, min(1.0, max(0.0, 0.5 + 0.55 * place.look[5])))
    return _tinted(blend(colour, clay, 0.7 * max(place.arid, place.tropical)), place.look[6] * 0.4, place.look[6])


def _leaves(place: Surroundings) -> Colour:
    colour = blend((84, 112, 58), (116, 122, 62), min(1.0, max(0.0, 0.45 + 0.4 * place.look[7])))
    colour = blend(colour, (126, 126, 92), 0.75 * place.arid)
    colour = blend(colour, (66, 104, 62), 0.5 * place.cold)
    return shade(colour, 1 + 0.12 * math.tanh(place.look[8]))


def _soil(place: Surroundings) -> Colour:
    """The open ground: grass where it rains, sand and gravel where it does not."""
    grass = blend((104, 128, 66), (134, 136, 80), min(1.0, max(0.0, 0.4 + 0.4 * place.look[22])))
    moor = (116, 104, 76)
    wild = min(0.85, 1.3 * place.rough * (1 - place.built) * min(1.0, place.shrub + 2 * place.height))
    ground = blend(grass, moor, wild)
    return blend(ground, _tinted((190, 160, 126), place.look[22], 0.0), max(place.arid, 0.8 * place.barren))


def _storeys(place: Surroundings) -> float:
    usual = _near(place.look[9], 1.5 if place.american else 2.05, 0.5)
    return usual + 3.2 * max(0.0, place.built - 0.75) + 2.2 * place.downtown


def _trees(place: Surroundings) -> float:
    usual = _near(place.look[19], 0.42, 0.3) + 0.35 * place.forest - 0.3 * place.arid
    return min(1.0, max(0.03 + 0.3 * place.arid * place.shrub, usual))


def _tree(place: Surroundings) -> str:
    if place.tropical > 0.4 or (place.arid > 0.5 and place.look[19] > 0.6):
        return "palm"
    if place.arid > 0.5:
        return "cactus"
    # Conifers clothe high and cold ground.
    upland = place.cold + 3 * place.forest * place.height + 2 * place.rough * place.height
    return _pick(place.look[23] + 0.9 * upland - 0.3, ("round", "round", "tall", "conifer"))
