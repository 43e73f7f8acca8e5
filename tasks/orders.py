"""What flows hand to tasks: small frozen orders that the UI can show, never tables and never secrets."""

from typing import Protocol

from pydantic import BaseModel, ConfigDict, Field

from geolocate.collection import CollectRequest, Pace
from geolocate.collection.plan import DEFAULT_TOP, PlanRequest
from geolocate.collection.records import Verify
from geolocate.dataset import PublishRequest
from geolocate.geography.regions import load_region
from geolocate.providers.registry import source_of
from geolocate.settings import Settings, settings_from_environment
from geolocate.storage import DataRoot
from tasks.pace import pace_of


class Order(Protocol):
    """What a task of collecting needs to know."""

    @property
    def name(self) -> str:
        """The collection's name."""
        ...

    def request(self) -> CollectRequest:
        """The request, with the settings of the machine that the task runs on."""
        ...


class CollectionOrder(BaseModel):
    """A collection to be made: what to plan, from whom, and for how much at the most."""

    model_config = ConfigDict(frozen=True)

    plan: PlanRequest
    provider: str | None = None
    budget_usd: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    max_images: int | None = Field(default=None, ge=0)
    verify: Verify = "size"

    @property
    def cell_km(self) -> float:
        """The side of a cell: the order's own, or the region's usual one."""
        return self.plan.cell_km or load_region(self.plan.region).grid_km

    @property
    def dataset(self) -> str:
        """The dataset that this collection ends in: what was sampled and, where that was chosen, from whom."""
        whose = f"-{self.provider}" if self.provider not in (None, "", "google") else ""
        what = {"cities": f"-{self.plan.top}", "grid": f"-{self.cell_km:g}km"}.get(self.plan.kind, "")
        return f"{self.plan.region}-{self.plan.kind}{what}{whose}"

    @property
    def name(self) -> str:
        """The collection's name; another density or seed is another collection."""
        return f"{self.dataset}-n{self.plan.per_place or self.plan.total}-s{self.plan.seed}"

    def request(self) -> CollectRequest:
        """Add the settings of the machine that the task runs on, secrets among them."""
        overrides = {"provider": self.provider} if self.provider else {}
        here = settings(**overrides)
        return CollectRequest(
            name=self.name,
            settings=here,
            region=self.plan.region,
            budget_usd=self.budget_usd,
            max_images=self.max_images,
            verify=self.verify,
            pace=Pace(source=pace_of(source_of(here).client.name)),
        )

    def publication(self) -> PublishRequest:
        """The dataset version that the finished collection is published as."""
        plan = self.plan
        return PublishRequest(
            name=self.dataset,
            collections=(self.name,),
            region=plan.region,
            level="city" if plan.kind == "cities" else "cell",
            top=plan.top or DEFAULT_TOP,
            cell_km=self.cell_km,
        )


def settings(**overrides: object) -> Settings:
    """Read the settings where the task runs: a worker's environment is the one that counts."""
    return settings_from_environment(**overrides)


def data_root() -> DataRoot:
    """The data root of the machine that the task runs on."""
    return DataRoot(settings().data)
