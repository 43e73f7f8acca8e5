"""Every error that a user can meet, as one tree.

GeolocateError
├── SettingsError      a setting is missing, malformed, or contradicts another
├── RegionError        an unknown region, or a region file that does not say what it must
├── PlanError          a plan that cannot be made: a cell size of 0, more cities than there are
├── ProviderError      a provider refused, is unknown, or cannot be reached
│   └── RightsError    the rights in the rows, or the missing agreement, do not allow this use
├── CollectionError    a collection that does not exist or does not reconcile
├── ManifestError      a Parquet file that is not a manifest, or of a version that this code does not know
├── DatasetError       a dataset version that is missing, empty, altered or unfit
├── EncoderError       an unknown encoder, or weights that are not to be had here
│   └── WeightsAbsentError  an open model's weights are in no folder and no cache
├── LeaseError         a dataset version that another run is training on
├── CheckpointError    a checkpoint of another dataset or partition, or a damaged one
├── PictureError       an input picture that cannot be read
├── StackError         the local stack cannot start, or a part of it died
└── StorageError       a path outside the data root, a full disk, a file that changed under us

Each message is one line: the value that was met, what is allowed, and what to do.
"""

from pydantic import ValidationError


class GeolocateError(Exception):
    """Whatever went wrong in a way that the user can mend."""


class SettingsError(GeolocateError, ValueError):
    """A setting is missing, malformed, or contradicts another."""


class RegionError(GeolocateError, ValueError):
    """The region is unknown, or its file is incomplete."""


class PlanError(GeolocateError, ValueError):
    """The plan that was asked for cannot be made."""


class ProviderError(GeolocateError, RuntimeError):
    """The provider is unknown, refused, or cannot be reached."""


class RightsError(ProviderError, PermissionError):
    """The rights at hand do not allow this use of the imagery."""


class CollectionError(GeolocateError, RuntimeError):
    """The collection does not exist, or its totals do not reconcile."""


class ManifestError(GeolocateError, ValueError):
    """The file is not a manifest that this version can read."""


class DatasetError(GeolocateError, ValueError):
    """The dataset version is missing, empty, altered or unfit."""


class EncoderError(GeolocateError, ValueError):
    """The encoder is unknown, or its weights cannot be had here."""


class WeightsAbsentError(EncoderError):
    """An open model's weights are not on this machine: it is not run, and its row says so."""


class LeaseError(GeolocateError, RuntimeError):
    """Another run is training on the dataset version."""


class CheckpointError(GeolocateError, ValueError):
    """The checkpoint does not belong to what it is used with, or is damaged."""


class PictureError(GeolocateError, ValueError):
    """The picture cannot be read."""


class StorageError(GeolocateError, OSError):
    """A path leaves the data root, or the disk does not take or give what was asked."""


class StackError(GeolocateError, RuntimeError):
    """A part of the local stack did not start, or died."""


def first_mistake(error: ValidationError, *, show_value: bool = True) -> str:
    """Say in a line what pydantic refused first: the field, the value unless it may be a secret, and why."""
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"]) or "it"
    met = f" {first['input']!r}" if show_value and isinstance(first["input"], str | int | float) else ""
    why = "there is no such key" if first["type"] == "extra_forbidden" else first["msg"].removeprefix("Value error, ")
    return f"{name}{met}: {why}"
