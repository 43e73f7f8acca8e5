"""Which provider the settings give, and which they refuse."""

import pytest

from geolocate.errors import ProviderError, RightsError, SettingsError
from geolocate.providers import check_endpoint, provider_from_settings
from geolocate.providers.registry import check_provider, shows_google_itself, world_of
from geolocate.providers.sites import Backing
from geolocate.records import Rights, World
from geolocate.settings import GOOGLE_URL, Settings
from tests.collection.stand_in import running_stand_in

LOCAL = "http://127.0.0.1:8930"


def settings(**values) -> Settings:
    return Settings(_env_file=None, **values)


def test_an_unknown_provider_is_told_the_choices():
    with pytest.raises(ProviderError, match="unknown provider 'bing': choose one of folder, google"):
        provider_from_settings(settings(provider="bing"))


def test_googles_own_host_needs_an_agreement_and_says_why():
    with pytest.raises(RightsError, match="forbid storing") as caught:
        provider_from_settings(settings(google_key="k"))
    assert "GEOLOCATE_GOOGLE_AGREEMENT" in str(caught.value)


def test_googles_own_host_needs_a_key():
    with pytest.raises(SettingsError, match="GOOGLE_MAPS_API_KEY"):
        provider_from_settings(settings(google_agreement="A-1"))


def test_googles_own_host_is_real_whatever_is_declared():
    with pytest.raises(SettingsError, match="real world"):
        provider_from_settings(settings(google_agreement="A-1", google_key="k", world="emulated"))
    provider = provider_from_settings(settings(google_agreement="A-1", google_key="k"))
    assert provider.rights.world is World.REAL
    assert provider.rights.rights_basis == "agreement:A-1"
    assert provider.rights.license == "LicenseRef-Google-Maps-Platform"


def test_a_key_never_leaves_for_google_unencrypted():
    with pytest.raises(SettingsError, match="https"):
        provider_from_settings(
            settings(google_agreement="A", google_key="k", street_view_url="http://maps.googleapis.com")
        )


@pytest.mark.parametrize(
    ("url", "google"),
    [
        (GOOGLE_URL, True),
        ("https://maps.google.com", True),
        ("https://MAPS.googleapis.com", True),
        ("https://maps.googleapis.com.example.org", False),
        (LOCAL, False),
    ],
)
def test_which_hosts_are_googles(url, google):
    assert shows_google_itself(settings(street_view_url=url)) is google


def test_another_host_must_declare_its_world():
    with pytest.raises(SettingsError, match="GEOLOCATE_WORLD=emulated"):
        provider_from_settings(settings(street_view_url=LOCAL))
    with pytest.raises(RightsError, match="nothing is known"):
        provider_from_settings(settings(street_view_url=LOCAL, world="real"))


def test_the_emulators_pictures_are_own_and_its_versions_kept_apart():
    provider = provider_from_settings(settings(street_view_url=LOCAL, world="emulated"), "3-0")
    assert provider.rights.attribution == "geolocate emulator"
    assert (provider.rights.license, provider.rights.rights_basis) == ("CC0-1.0", "own")
    assert provider.realm == "emulated:3-0"


def test_a_url_with_a_secret_in_it_is_refused_unseen():
    with pytest.raises(SettingsError) as caught:
        provider_from_settings(settings(street_view_url="http://127.0.0.1/?key=SECRET", world="emulated"))
    assert "SECRET" not in str(caught.value)


def test_the_world_of_settings():
    assert world_of(settings(street_view_url=LOCAL, world="emulated")) is World.EMULATED
    assert world_of(settings()) is World.REAL
    assert world_of(settings(provider="folder", world="emulated")) is World.REAL


def test_a_folder_needs_rights_and_a_path(tmp_path):
    for refused in (settings(provider="folder"), settings(provider="folder", photos=tmp_path)):
        for ask in (provider_from_settings, check_provider, check_endpoint):
            with pytest.raises(RightsError, match="data import"):
                ask(refused)
    owned = Backing(Rights("CC0-1.0", "A", "own", World.REAL, "1"))
    with pytest.raises(SettingsError, match="GEOLOCATE_PHOTOS"):
        provider_from_settings(settings(provider="folder"), backing=owned)


def test_the_preflight_names_the_world_version_or_the_way_out():
    with running_stand_in() as server:
        assert check_endpoint(settings(street_view_url=server.url, world="emulated")) == "test"
        with pytest.raises(ProviderError, match="no Street View emulator"):
            check_endpoint(settings(street_view_url=server.url + "/maps", world="emulated"))
    with pytest.raises(ProviderError, match="run `geolocate emulator`"):
        check_endpoint(settings(street_view_url=server.url, world="emulated"))


def test_a_proxy_is_not_asked_for_this_machine(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with running_stand_in() as server:
        assert check_endpoint(settings(street_view_url=server.url, world="emulated")) == "test"
