"""Where a provider is asked: at its own host, or at the emulator, which must be declared as such.

In: settings, and the addresses that a provider is reached at. Out: a site, which says whose answers will come and with
what they must not be mixed. Every provider module ends in a ``SOURCE`` made of these; the registry is a table of them.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from geolocate.errors import RightsError, SettingsError
from geolocate.providers.protocol import Guard, Provider, Unlimited
from geolocate.records import Rights, World
from geolocate.settings import Settings


@dataclass(frozen=True, slots=True)
class Address:
    """One base URL of a provider: the setting and the variable that hold it, and the domains that are its own."""

    setting: str
    variable: str
    domains: tuple[str, ...]

    def url(self, settings: Settings) -> str:
        """Return the base URL without a slash at its end."""
        return str(getattr(settings, self.setting)).rstrip("/")

    def is_own(self, settings: Settings) -> bool:
        """Say whether the base URL is one of the provider's own hosts."""
        host = urlsplit(self.url(settings)).hostname or ""
        return any(host == domain or host.endswith(f".{domain}") for domain in self.domains)


@dataclass(frozen=True, slots=True)
class Site:
    """Whose answers come: the provider's own, of the real world, or those of a version of the emulated world."""

    world: World
    version: str = ""

    @property
    def realm(self) -> str:
        """The part of the ledger's keys that keeps answers of different worlds apart."""
        return f"{self.world.value}:{self.version}" if self.version else self.world.value

    @property
    def emulated_rights(self) -> Rights:
        """The rights in what the emulator draws, where its answers name no others."""
        return Rights("CC0-1.0", "geolocate emulator", "own", World.EMULATED, self.version or "unversioned")


@dataclass(frozen=True, slots=True)
class Backing:
    """What stands behind a provider: the rights that an owner has declared, and who counts its requests of a day."""

    rights: Rights | None = None
    guard: Guard = field(default_factory=Unlimited)


@dataclass(frozen=True, slots=True)
class Source:
    """How a provider is made from settings.

    ``client`` is its class, which tells what a picture costs and how fast it may be asked before anything is made.
    ``make`` gets the settings, the site and the backing; it sends nothing and raises
    SettingsError or RightsError for what is missing. ``check`` raises the same without opening anything, where making
    opens files.
    """

    make: Callable[[Settings, Site, Backing], Provider]
    addresses: tuple[Address, ...] = ()
    check: Callable[[Settings, Rights | None], None] | None = None
    client: type[Provider] = field(kw_only=True)

    def shows_itself(self, settings: Settings) -> bool:
        """Say whether the provider's own hosts are asked; a provider without addresses is its own."""
        return all(address.is_own(settings) for address in self.addresses)

    def site(self, settings: Settings, version: str = "") -> Site:
        """Return whose answers will come; raise SettingsError or RightsError where that is not declared.

        ``version`` is the emulated world's, where the endpoint has told it.
        """
        for address in self.addresses:
            _check_url(address, settings)
        if self.shows_itself(settings):
            return Site(World.REAL)
        return Site(World.EMULATED, version)


def _check_url(address: Address, settings: Settings) -> None:
    """Hold one rule for all: a host that is not the provider's own is the emulator, and declared to be."""
    url = address.url(settings)
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.username:
        raise SettingsError(f"{address.variable}: give scheme, host and port only, such as http://127.0.0.1:8930")
    owner = address.domains[0]
    if address.is_own(settings):
        if settings.world is World.EMULATED:
            raise SettingsError(
                f"GEOLOCATE_WORLD=emulated contradicts {owner}'s own host, which shows the real world: set "
                f"{address.variable} to the emulator, or leave GEOLOCATE_WORLD out"
            )
        if parts.scheme != "https":
            raise SettingsError(f"{address.variable} {url!r}: use https for {owner}'s own host")
    elif settings.world is None:
        raise SettingsError(
            f"{address.variable} is {url}, none of {owner}'s own hosts: declare with GEOLOCATE_WORLD=emulated that it "
            "is the emulator"
        )
    elif settings.world is World.REAL:
        raise RightsError(
            f"GEOLOCATE_WORLD=real with {url}: nothing is known about the rights in its pictures; use {owner}'s own "
            "host, or your own photos with `geolocate data import`"
        )
