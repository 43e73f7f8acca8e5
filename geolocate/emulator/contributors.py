"""Say who has photographed the emulated world for an open service, with which camera, and where it looked.

In: the panoramas of the world, and the name of a service. Out: contributions: pictures with an id, a creator, a time,
a sequence and a direction. Some drives were made with a 360° camera on the roof, some with one behind the windscreen,
some by people on foot who took a few pictures at a place; many were never contributed. All of it hangs on the drive
and the panorama, so that a contribution can be told again from its id.
"""

import base64
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from uuid import UUID

from geolocate.emulator.panoramas import EmulatedPanorama, panorama_by_id, panoramas_of_tile, tiles_in_box
from geolocate.geography.hashing import mix

_NAMES = (
    *("velo_marie", "Stadtwerke Nord", "tom-on-foot", "Ville de Lac", "mapper_42", "greenlanes"),
    *("Rue Libre", "anna.k", "County Survey", "dashcam-dave", "Les Marcheurs", "openroads"),
)
_METRES_A_DEGREE = 111_195.0
#: Pictures that somebody on foot takes at a place at the most.
_MOST = 4
#: Shares of the drives of a service, in thousandths: not contributed, 360° camera, dashcam; the rest goes on foot.
_UNSEEN, _SPHERES, _DASHCAMS = 350, 600, 800


@dataclass(frozen=True, slots=True)
class Lens:
    """A camera model, and the shape of its pictures: horizontal field of view in degrees, sides in pixels."""

    maker: str
    model: str
    fov: float
    width: int
    height: int


SPHERE = Lens("GoPro", "Max", 360.0, 5760, 2880)
DASHCAM = Lens("Viofo", "A129 Pro", 96.0, 1920, 1080)
PHONE = Lens("Fairphone", "FP4", 66.0, 4000, 3000)


@dataclass(frozen=True, slots=True)
class Contribution:
    """A contributed picture; ``number`` tells those of one panorama apart.

    ``azimuth`` is where its middle looks, degrees clockwise from true north; ``sequence`` 128 bits that the pictures
    of one drive share.
    """

    panorama: EmulatedPanorama
    number: int
    lat: float
    lon: float
    azimuth: float
    lens: Lens
    creator: str
    taken: datetime
    sequence: UUID

    @property
    def id_bytes(self) -> bytes:
        """The 16 bytes that tell the picture: its panorama's id, with the picture's number in the last of them."""
        raw = base64.urlsafe_b64decode(self.panorama.pano_id + "==")
        return _numbered(raw, self.number)

    @property
    def whole(self) -> bool:
        """Whether it is a 360° picture."""
        return self.lens is SPHERE


def contributions_in_box(
    seed: int, service: str, south: float, west: float, north: float, east: float
) -> list[Contribution]:
    """Return all that was contributed to a service in a box of degrees."""
    return [
        one
        for row, column in tiles_in_box(south, west, north, east)
        for one in _of_tile(seed, service, row, column)
        if south <= one.lat <= north and west <= one.lon <= east
    ]


@lru_cache(maxsize=64)
def _of_tile(seed: int, service: str, row: int, column: int) -> tuple[Contribution, ...]:
    return tuple(
        one for panorama in panoramas_of_tile(seed, row, column) for one in contributions_of(service, panorama)
    )


def contribution_by_bytes(seed: int, service: str, raw: bytes) -> Contribution | None:
    """Return the picture with these 16 bytes of an id, or None; bytes that the seed never issued do not decode."""
    for number in range(_MOST):
        pano_id = base64.urlsafe_b64encode(_numbered(raw, number)).rstrip(b"=").decode()
        if panorama := panorama_by_id(seed, pano_id):
            return next((one for one in contributions_of(service, panorama) if one.number == number), None)
    return None


def _numbered(raw: bytes, number: int) -> bytes:
    return raw[:-1] + bytes([raw[-1] ^ number << 1])


def contributions_of(service: str, panorama: EmulatedPanorama) -> Iterator[Contribution]:
    """Give what was contributed to a service of one panorama's place: nothing, one picture, or a few flat ones."""
    if not panorama.copyright.endswith("Google"):  # photospheres are somebody's own and stay where they are
        return
    drive = mix(int.from_bytes(service.encode()), panorama.nuisance >> 32)
    own = mix(drive, panorama.nuisance & 0xFFFFFFFF)
    ahead = (panorama.road_bearing + (180 if drive & 1 else 0)) % 360
    kind = drive // 2 % 1000
    if kind < _UNSEEN:
        return
    if kind < _DASHCAMS:
        lens = SPHERE if kind < _SPHERES else DASHCAM
        yield _contribution(panorama, 0, ahead + own % 7 - 3, lens, drive, own)
        return
    for number in range(1 + own % _MOST):
        turn = (0, 90, 180, 270)[number] + (own >> 8 * number) % 21 - 10
        yield _contribution(panorama, number, ahead + turn, PHONE, drive, own)


def _contribution(
    panorama: EmulatedPanorama, number: int, azimuth: float, lens: Lens, drive: int, own: int
) -> Contribution:
    # On foot one takes a step or two between pictures.
    step_m, towards = (1.5 * number, math.radians((own >> 16) % 360)) if number else (0.0, 0.0)
    north, east = step_m * math.cos(towards), step_m * math.sin(towards)
    year, month = (int(part) for part in panorama.date.split("-"))
    day = datetime(year, month, 1 + drive % 28, 8 + drive // 28 % 9, tzinfo=UTC)
    return Contribution(
        panorama,
        number,
        round(panorama.lat + north / _METRES_A_DEGREE, 7),
        round(panorama.lon + east / (_METRES_A_DEGREE * math.cos(math.radians(panorama.lat))), 7),
        round(azimuth % 360, 1),
        lens,
        _NAMES[drive // 7 % len(_NAMES)],
        day + timedelta(seconds=own % 3000 + 5 * number),
        UUID(int=mix(drive, 1) << 64 | mix(drive, 2)),
    )
