"""Everything that a training run depends on besides its dataset."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from geolocate.dataset.captions import CaptionStyle
from geolocate.dataset.versions import DatasetRef
from geolocate.errors import SettingsError, first_mistake
from geolocate.models.clip import ClipConfig, LossName
from geolocate.models.fusion import FusionName
from geolocate.models.gps import GpsEncoderName
from geolocate.models.objective import LossWeights
from geolocate.training.samples import ViewsName


class TrainConfig(BaseModel):
    """Encoders, loss and schedule of one run; the same configuration, dataset and seed give the same model.

    The defaults train two heads on cached features of frozen encoders, in under a minute on two cores.
    ``TrainConfig.study()`` is the study's recipe.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    image_encoder: str = "efficientnet-lite0-stages"
    text_encoder: str = "minilm"
    #: Side of the encoder's pictures; None leaves it to the encoder.
    pixels: int | None = Field(default=None, ge=32, le=512)
    freeze_image: bool = True
    freeze_text: bool = True
    #: What names a class: as the study did, by StreetCLIP's prompt, or with admin units, climate and driving side.
    captions: CaptionStyle = "study"

    loss: LossName = "infonce"
    #: Further losses beside the contrast, by their weights; see LossWeights.
    haversine: float = Field(default=0.0, ge=0, le=100)
    region: float = Field(default=0.0, ge=0, le=100)
    geography: float = Field(default=0.0, ge=0, le=100)
    #: Heads beside text, by how much their losses count; 0 leaves one out.
    cells: float = Field(default=0.0, ge=0, le=100)
    gps: float = Field(default=0.0, ge=0, le=100)
    gps_encoder: GpsEncoderName = "fourier"
    tau_km: float = Field(default=75.0, gt=0, le=20_000)
    #: What is learned from at once: each view by itself, all views of a panorama together, or each view with any others
    #: of its panorama, drawn anew in each epoch.
    views: ViewsName = "single"
    #: How the views of a panorama become one; with single views it is learned from one view at a time.
    fusion: FusionName = "mean"
    projection: int = Field(default=256, ge=2, le=4096)
    dropout: float = Field(default=0.1, ge=0, lt=1)
    temperature: float = Field(default=0.07, ge=0.01, le=10)

    epochs: int = Field(default=40, ge=1, le=10_000)
    #: The study's. Frozen features are cheap, and what a few thousand pictures lack is steps, not negatives.
    batch_size: int = Field(default=32, ge=2, le=65_536)
    seed: int = Field(default=0, ge=0, lt=2**32)
    lr_heads: float = Field(default=1e-3, gt=0, le=1)
    lr_image: float = Field(default=1e-4, gt=0, le=1)
    lr_text: float = Field(default=1e-5, gt=0, le=1)
    #: Of the heads; encoders that are tuned have theirs below.
    weight_decay: float = Field(default=1e-3, ge=0, le=1)
    weight_decay_image: float = Field(default=0.0, ge=0, le=1)
    weight_decay_text: float = Field(default=0.0, ge=0, le=1)
    #: Steps over which the learning rates rise from nothing.
    warmup_steps: int = Field(default=0, ge=0, le=1_000_000)
    #: Afterwards they fall when the validation loss does not, or along half a cosine to the last step of ``epochs``.
    schedule: Literal["plateau", "cosine"] = "plateau"
    #: Epochs without a better validation loss before the learning rates are multiplied by ``schedule_factor``.
    schedule_patience: int = Field(default=1, ge=0)
    schedule_factor: float = Field(default=0.8, gt=0, lt=1)
    #: The greatest norm of all gradients together; a longer one is shortened to it. None leaves them as they are.
    clip_norm: float | None = Field(default=None, gt=0, le=1e6)
    #: Of the exponential moving average of the weights, which is then what is judged and kept; 0 is none.
    ema: float = Field(default=0.0, ge=0, lt=1)
    #: Pictures that a tuned encoder takes at a time; the loss is over the whole batch all the same. None is all.
    micro_batch: int | None = Field(default=None, ge=1, le=65_536)
    #: What a tuned encoder computes in; ``bf16`` needs a graphics card.
    precision: Literal["fp32", "bf16"] = "fp32"
    #: Let torch.compile translate a tuned image encoder: minutes at first, faster steps afterwards.
    compile: bool = False
    #: The figure by which the best epoch is chosen, less is better. The contrastive loss depends on what else is in
    #: the batch and rises as soon as the model is surer than it is right; kilometres on val ground are what is asked.
    select_by: Literal["val_mean_km", "val_loss"] = "val_mean_km"
    #: Epochs without a better one before training stops.
    stop_patience: int = Field(default=8, ge=1)

    @classmethod
    def study(cls, **changes: object) -> Self:
        """The study's recipe: its encoders, trained along, and its loss; ``changes`` replace fields of it."""
        recipe: dict[str, object] = {
            "image_encoder": "resnet50",
            "text_encoder": "distilbert",
            "pixels": 224,
            "freeze_image": False,
            "freeze_text": False,
            "loss": "study",
            "temperature": 1.0,
            "select_by": "val_loss",
            "epochs": 4,
            "batch_size": 32,
        }
        return cls.model_validate(recipe | changes)

    @classmethod
    def study_recipe(cls, **changes: object) -> Self:
        """The study's loss, schedule and single views on the encoders at hand, frozen: to be compared with ours."""
        recipe: dict[str, object] = {
            "loss": "study",
            "temperature": 1.0,
            "select_by": "val_loss",
            "epochs": 4,
            "batch_size": 32,
        }
        return cls.model_validate(recipe | changes)

    @property
    def clip(self) -> ClipConfig:
        """The part that the heads are built from."""
        return ClipConfig(
            loss=self.loss,
            projection=self.projection,
            dropout=self.dropout,
            temperature=self.temperature,
            fusion=self.fusion,
            standardise=self.freeze_image,
        )

    @property
    def weights(self) -> LossWeights:
        """The further losses."""
        return LossWeights.model_validate({name: getattr(self, name) for name in LossWeights.model_fields})


RECIPES: dict[str, Callable[..., TrainConfig]] = {
    "default": TrainConfig,
    "study": TrainConfig.study,
    "study-recipe": TrainConfig.study_recipe,
}


def config_from_options(recipe: str, options: Mapping[str, object]) -> TrainConfig:
    """Build a configuration from a recipe's name and the fields that a user set; text values are converted.

    Raises SettingsError with one line that names the field and its value.
    """
    if recipe not in RECIPES:
        raise SettingsError(f"unknown recipe {recipe!r}: choose one of {', '.join(RECIPES)}")
    try:
        return RECIPES[recipe](**options)
    except ValidationError as error:
        first = error.errors()[0]
        if first["type"] == "extra_forbidden":
            raise SettingsError(
                f"unknown option {first['loc'][0]!r}: choose among {', '.join(TrainConfig.model_fields)}"
            ) from None
        raise SettingsError(first_mistake(error)) from None


def default_run_name(dataset: DatasetRef, config: TrainConfig) -> str:
    """Name a run after what it is made of, so that the same command finds its run again and another gets its own."""
    digest = hashlib.sha256(config.model_dump_json(exclude_defaults=True).encode()).hexdigest()[:6]
    return f"{dataset.name[:60]}-{dataset.version[:8]}-{config.loss}-s{config.seed}-{digest}"
