"""What a person sets by environment, by a ``.env`` file or by a folder of secret files.

Secrets are ``SecretStr``: they show as asterisks wherever a settings object is printed or logged.
"""

from pathlib import Path
from typing import Annotated

from pydantic import AliasChoices, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from geolocate.errors import SettingsError, first_mistake
from geolocate.records import World

GOOGLE_URL = "https://maps.googleapis.com"
MAPILLARY_URL = "https://graph.mapillary.com"
MAPILLARY_TILES_URL = "https://tiles.mapillary.com"
PANORAMAX_URL = "https://api.panoramax.xyz"


def _named(name: str) -> AliasChoices:
    """Read the field from one environment variable, or by its Python name in code."""
    return AliasChoices(name, name.lower())


class Settings(BaseSettings):
    """All settings of the library, each from the environment variable named beside it."""

    model_config = SettingsConfigDict(
        env_file=".env", extra="ignore", frozen=True, hide_input_in_errors=True, populate_by_name=True
    )

    data: Annotated[Path, Field(validation_alias=_named("GEOLOCATE_DATA"))] = Path("data")
    provider: Annotated[str, Field(validation_alias=_named("GEOLOCATE_PROVIDER"))] = "google"
    google_key: Annotated[SecretStr | None, Field(validation_alias=_named("GOOGLE_MAPS_API_KEY"))] = None
    google_signing_secret: Annotated[SecretStr | None, Field(validation_alias=_named("GOOGLE_MAPS_SIGNING_SECRET"))] = (
        None
    )
    google_agreement: Annotated[str | None, Field(validation_alias=_named("GEOLOCATE_GOOGLE_AGREEMENT"))] = None
    street_view_url: Annotated[str, Field(validation_alias=_named("GEOLOCATE_STREET_VIEW_URL"))] = GOOGLE_URL
    mapillary_token: Annotated[SecretStr | None, Field(validation_alias=_named("MAPILLARY_TOKEN"))] = None
    mapillary_url: Annotated[str, Field(validation_alias=_named("GEOLOCATE_MAPILLARY_URL"))] = MAPILLARY_URL
    mapillary_tiles_url: Annotated[str, Field(validation_alias=_named("GEOLOCATE_MAPILLARY_TILES_URL"))] = (
        MAPILLARY_TILES_URL
    )
    panoramax_url: Annotated[str, Field(validation_alias=_named("GEOLOCATE_PANORAMAX_URL"))] = PANORAMAX_URL
    world: Annotated[World | None, Field(validation_alias=_named("GEOLOCATE_WORLD"))] = None
    photos: Annotated[Path | None, Field(validation_alias=_named("GEOLOCATE_PHOTOS"))] = None
    photos_layout: Annotated[str, Field(validation_alias=_named("GEOLOCATE_PHOTOS_LAYOUT"))] = "photos"
    photos_positions: Annotated[Path | None, Field(validation_alias=_named("GEOLOCATE_PHOTOS_POSITIONS"))] = None
    photos_headings: Annotated[tuple[float, ...], Field(validation_alias=_named("GEOLOCATE_PHOTOS_HEADINGS"))] = ()
    photos_fov: Annotated[float, Field(validation_alias=_named("GEOLOCATE_PHOTOS_FOV"), gt=0, le=120)] = 90.0
    policy: Annotated[Path | None, Field(validation_alias=_named("GEOLOCATE_POLICY"))] = None


def settings_from_environment(**overrides: object) -> Settings:
    """Read the settings, with overrides by field name taking precedence.

    Raises SettingsError with one line that names the variable, never its value.
    """
    try:
        return Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        raise SettingsError(f"setting {first_mistake(error, show_value=False)}") from None


def revealed(secret: SecretStr | None) -> str:
    """Return a secret's text, "" where it is not set; for the request that needs it, never for a message."""
    return secret.get_secret_value().strip() if secret else ""
