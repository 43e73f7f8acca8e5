"""Settings come from the environment and never show a secret."""

import pytest

from geolocate.errors import SettingsError
from geolocate.records import World
from geolocate.settings import settings_from_environment


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("GEOLOCATE_DATA", "GEOLOCATE_PROVIDER", "GOOGLE_MAPS_API_KEY", "GEOLOCATE_WORLD"):
        monkeypatch.delenv(name, raising=False)


def test_the_environment_sets_and_an_override_wins(monkeypatch):
    monkeypatch.setenv("GEOLOCATE_PROVIDER", "google")
    monkeypatch.setenv("GEOLOCATE_WORLD", "emulated")
    assert settings_from_environment().world is World.EMULATED
    assert settings_from_environment(provider="folder").provider == "folder"


def test_a_dotenv_file_is_read(tmp_path):
    (tmp_path / ".env").write_text("GEOLOCATE_DATA=elsewhere\n")
    assert str(settings_from_environment().data) == "elsewhere"


def test_a_secret_shows_nowhere(monkeypatch):
    monkeypatch.setenv("GOOGLE_MAPS_API_KEY", "AIza-very-secret")
    settings = settings_from_environment()
    assert "very-secret" not in f"{settings!r} {settings} {settings.model_dump_json()}"
    assert settings.google_key.get_secret_value() == "AIza-very-secret"


def test_a_bad_value_is_one_line_with_the_name_and_the_choices(monkeypatch):
    monkeypatch.setenv("GEOLOCATE_WORLD", "imaginary")
    with pytest.raises(SettingsError, match=r"GEOLOCATE_WORLD.*'real' or 'emulated'") as caught:
        settings_from_environment()
    assert "\n" not in str(caught.value)
