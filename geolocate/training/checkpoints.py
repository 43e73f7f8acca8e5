"""What lies in a run's folder, and how a finished run is opened.

``config.json``             what the run was started with: configuration, dataset, partition
``last.safetensors``        weights and optimiser of the last epoch, with the numbers beside them in its header; gone
                            when the run is finished
``checkpoint.safetensors``  the weights of the best epoch, and the encoded captions of the classes
``curves.csv``              one row an epoch
``checkpoint.json``         written last: its presence means that the run is finished

Random numbers are drawn anew from (seed, epoch), so a checkpoint needs no state of a generator. Nothing is pickled.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save

from geolocate.dataset.versions import DatasetRef, DatasetVersion
from geolocate.errors import CheckpointError
from geolocate.models.clip import Clip
from geolocate.models.geolocator import Classes, Geolocator, ModelConfig, geolocator_from_state
from geolocate.models.image_encoders import ImageEncoder, best_device, image_encoder
from geolocate.models.posterior import cell_candidates, place_posterior
from geolocate.records import World
from geolocate.storage import DataRoot, atomic_write, read_json, sha256_of_file, write_json
from geolocate.training.config import TrainConfig

FORMAT_VERSION = 1

RunState = Literal["new", "interrupted", "finished"]


@dataclass(frozen=True)
class RunCard:
    """What a run was started with; another card under the same name is another run."""

    config: TrainConfig
    dataset: DatasetRef
    partition_version: str
    world: World
    region: str
    level: str

    @classmethod
    def of(cls, dataset: DatasetVersion, config: TrainConfig) -> "RunCard":
        """The card of training ``config`` on ``dataset``."""
        return cls(config, dataset.ref, dataset.partition_version, dataset.world, dataset.region, dataset.level)

    def to_json(self) -> dict[str, Any]:
        """The card as JSON values."""
        return {
            "format_version": FORMAT_VERSION,
            "config": self.config.model_dump(mode="json"),
            "dataset": asdict(self.dataset),
            "partition_version": self.partition_version,
            "world": self.world.value,
            "region": self.region,
            "level": self.level,
        }

    @classmethod
    def from_json(cls, card: Mapping[str, Any], path: Path) -> "RunCard":
        """Read a card. Raises CheckpointError for one of another format."""
        if card.get("format_version") != FORMAT_VERSION:
            raise CheckpointError(
                f"{path} has format_version {card.get('format_version')!r}, this program reads {FORMAT_VERSION}: "
                "train the run again under another name"
            )
        try:
            config, dataset = TrainConfig.model_validate(card["config"]), DatasetRef(**card["dataset"])
            world = World(card["world"])
            return cls(config, dataset, card["partition_version"], world, card["region"], card["level"])
        except (ValidationError, KeyError, TypeError, ValueError) as error:
            reason = " ".join(str(error).split())[:100]
            raise CheckpointError(f"{path} is damaged ({reason}): train the run again under another name") from error


@dataclass(frozen=True)
class TrainedRun:
    """A finished run: all that evaluating or predicting needs.

    ``classes`` has ``class_id, class_name, caption, lat, lon``, one row a trained class in the order of the columns
    of a posterior; ``lat, lon`` is the geometric median of its training panoramas. ``text_features`` are the
    encoded captions, ``[C, T]``.
    """

    run: str
    path: Path
    card: RunCard
    model: Geolocator
    classes: pd.DataFrame
    text_features: torch.Tensor
    tuned_image: Mapping[str, torch.Tensor]
    epochs: int
    best_epoch: int

    @property
    def clip(self) -> Clip:
        """The text head, and what stands before it."""
        return self.model.clip

    @property
    def config(self) -> TrainConfig:
        """What it was trained with."""
        return self.card.config

    @property
    def dataset(self) -> DatasetRef:
        """The dataset version that it was trained on."""
        return self.card.dataset

    @property
    def partition_version(self) -> str:
        """The ground partition that kept its test places apart."""
        return self.card.partition_version

    @property
    def world(self) -> World:
        """The world of its pictures."""
        return self.card.world

    @property
    def region(self) -> str:
        """The region's name."""
        return self.card.region

    @property
    def level(self) -> str:
        """What a class is: ``city`` or ``cell``."""
        return self.card.level

    @property
    def curves(self) -> pd.DataFrame:
        """Loss, accuracy and learning rate, one row an epoch."""
        return pd.read_csv(self.path / "curves.csv")

    def image_encoder(self) -> ImageEncoder:
        """Load the image encoder, with the weights that this run gave it where it was not frozen."""
        encoder = image_encoder(self.config.image_encoder, self.config.pixels)
        if self.tuned_image:
            encoder.module.load_state_dict(dict(self.tuned_image))
        return encoder

    def posterior(self, image_features: Any, azimuths: Sequence[torch.Tensor] | None = None) -> np.ndarray:
        """Give the probability of each class, ``[P, C]``, for features as ``class_posterior`` takes them."""
        lat, lon = (torch.from_numpy(self.classes[name].to_numpy(float, copy=True)) for name in ("lat", "lon"))
        return place_posterior(self.model, image_features, Classes(self.text_features, lat, lon), azimuths)

    def cell_candidates(
        self, image_features: Any, azimuths: Sequence[torch.Tensor] | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Give posterior, latitudes and longitudes ``[P, n]`` of the finest geocells: see ``cell_candidates``."""
        return cell_candidates(self.model, image_features, azimuths)


def run_state(root: DataRoot, run: str) -> RunState:
    """Say how far a run has come."""
    folder = root.run(run)
    if (folder / "checkpoint.json").exists():
        return "finished"
    return "interrupted" if (folder / "config.json").exists() else "new"


def check_run(root: DataRoot, run: str, card: RunCard) -> RunState:
    """Say how far a run has come, after making sure that it is the run of this card.

    Raises CheckpointError, naming the difference, when the name belongs to another dataset, partition or
    configuration.
    """
    state = run_state(root, run)
    if state == "new":
        return state
    path = root.run(run) / "config.json"
    difference = _difference(RunCard.from_json(read_json(path), path), card)
    if difference:
        raise CheckpointError(
            f"run {run!r} was started with {difference}: choose another run name, or delete {path.parent}"
        )
    return state


def _difference(old: RunCard, new: RunCard) -> str:
    """Name the first thing in which two cards differ, or nothing."""
    if old.dataset.sha256 != new.dataset.sha256:
        return f"dataset {old.dataset}, not {new.dataset}"
    if old.partition_version != new.partition_version:
        return f"partition version {old.partition_version}, not {new.partition_version}"
    before, after = old.config.model_dump(), new.config.model_dump()
    changed = [f"{name}={before[name]}, not {after[name]}" for name in before if before[name] != after[name]]
    return changed[0] if changed else ""


def save_state(folder: Path, tensors: Mapping[str, torch.Tensor], state: Mapping[str, Any]) -> None:
    """Write from where to go on, tensors and numbers, as one file, so that a kill never parts them."""
    _write_tensors(folder / "last.safetensors", tensors, {"state": json.dumps(state, allow_nan=False)})


def read_state(folder: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]] | None:
    """Read from where to go on, or nothing where nothing was saved. Raises CheckpointError for a damaged file."""
    path = folder / "last.safetensors"
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            state = json.loads((file.metadata() or {})["state"])
        return load_file(path), state
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise CheckpointError(f"{path} is damaged ({error}): delete {folder} and train again") from error


def save_best(folder: Path, weights: Mapping[str, torch.Tensor], text_features: torch.Tensor) -> None:
    """Write the best epoch's weights: ``clip.*``, and those of encoders that were not frozen."""
    _write_tensors(folder / "checkpoint.safetensors", {**weights, "text_features": text_features}, {})


def finish_run(folder: Path, card: RunCard, classes: pd.DataFrame, epochs: Mapping[str, Any]) -> None:
    """Write ``checkpoint.json``, which makes the run a finished one, and drop what only going on would need."""
    sha256 = sha256_of_file(folder / "checkpoint.safetensors")
    write_json(
        folder / "checkpoint.json",
        {**card.to_json(), **epochs, "classes": classes.to_dict(orient="records"), "checkpoint_sha256": sha256},
    )
    (folder / "last.safetensors").unlink(missing_ok=True)


def load_run(root: DataRoot, run: str) -> TrainedRun:
    """Open a finished run. Raises CheckpointError for one that is unknown, unfinished or damaged."""
    _check_finished(root, run)
    return load_run_folder(root.run(run), run)


def load_run_folder(folder: Path, run: str) -> TrainedRun:
    """Open the run whose files, or copies of them, lie in a folder. Raises CheckpointError for a damaged one."""
    path = folder / "checkpoint.json"
    card = read_json(path)
    weights = folder / "checkpoint.safetensors"
    if not weights.exists() or sha256_of_file(weights) != card.get("checkpoint_sha256"):
        raise CheckpointError(f"{weights} is not what training wrote: train the run again under another name")
    tensors = load_file(weights)
    text_features = tensors.pop("text_features")
    run_card = RunCard.from_json(card, path)
    return TrainedRun(
        run=run,
        path=folder,
        card=run_card,
        model=_model(card, run_card, tensors, weights),
        classes=pd.DataFrame(card["classes"], columns=["class_id", "class_name", "caption", "lat", "lon"]),
        text_features=text_features,
        tuned_image=_below("pictures.module.", tensors),
        epochs=card["epochs"],
        best_epoch=card["best_epoch"],
    )


def _check_finished(root: DataRoot, run: str) -> None:
    state = run_state(root, run)
    if state == "interrupted":
        raise CheckpointError(f"run {run!r} is not finished: the same `geolocate model train` command goes on with it")
    if state == "new":
        known = sorted(path.parent.name for path in (root.path / "runs").glob("*/checkpoint.json"))
        raise CheckpointError(f"no run {run!r} under {root.path / 'runs'}: there is {', '.join(known) or 'none'} yet")


def _model(card: Mapping[str, Any], run: RunCard, tensors: Mapping[str, torch.Tensor], path: Path) -> Geolocator:
    """Build the model that the card describes. Raises CheckpointError when the weights are another one's."""
    try:
        config = ModelConfig.model_validate(card.get("model") or _text_alone(run, tensors))
        heads = {name: value for name, value in tensors.items() if not name.startswith(("pictures.", "captions."))}
        return geolocator_from_state(config, heads, str(path)).to(best_device())
    except CheckpointError:
        raise
    except (ValidationError, KeyError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())[:100]
        raise CheckpointError(
            f"{path.parent / 'checkpoint.json'} is damaged ({reason}): train the run again"
        ) from error


def _text_alone(run: RunCard, tensors: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    """The architecture of a run from before there were other heads, which does not say it."""
    width = {side: tensors[f"clip.{side}_head.projection.weight"].shape[1] for side in ("image", "text")}
    return {"image_dim": width["image"], "text_dim": width["text"], "clip": run.config.clip}


def _below(prefix: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _write_tensors(path: Path, tensors: Mapping[str, torch.Tensor], metadata: dict[str, str]) -> None:
    # Convolutions are kept channels_last; the file format wants rows in order.
    plain = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    with atomic_write(path) as file:
        file.write(save(plain, metadata=metadata))
