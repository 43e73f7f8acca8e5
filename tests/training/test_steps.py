"""One step: gradients of micro-batches, the average of the weights, clipping, schedules, precision."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.optim import SGD

from geolocate.errors import SettingsError
from geolocate.models.batch import PlaceBatch, grouped_views
from geolocate.models.image_encoders import ImageEncoder
from geolocate.storage import DataRoot, sha256_of
from geolocate.training import TrainConfig
from geolocate.training.averaging import Averaged
from geolocate.training.learner import Learner
from geolocate.training.loader import Loader
from geolocate.training.schedules import Schedule
from geolocate.training.sources import CachedFeatures, LivePictures, Tuning

PLACES, SIDE = 10, 32


class _Net(nn.Module):
    """Convolution, batch normalisation with fixed statistics, dropout."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.layers = nn.Sequential(nn.Conv2d(3, 6, 5, stride=4), nn.Tanh(), nn.Flatten(), nn.Dropout(0.0))
        self.last = nn.Linear(6 * 7 * 7, 8)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return self.last(self.layers(pictures))


def stored_pictures(root: DataRoot) -> list[str]:
    """Put the batch's pictures into the store, and return their hashes."""
    rng, names = np.random.default_rng(0), []
    for _ in range(PLACES):
        body = io.BytesIO()
        Image.fromarray(rng.integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8)).save(body, "JPEG")
        names.append(sha256_of(body.getvalue()))
        root.image(names[-1]).parent.mkdir(parents=True, exist_ok=True)
        root.image(names[-1]).write_bytes(body.getvalue())
    return names


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    root = DataRoot(tmp_path_factory.mktemp("data"))
    return root, stored_pictures(root)


def learner_of(stored, **changes) -> Learner:
    root, names = stored
    encoder = ImageEncoder("net", 8, SIDE, (0.5,) * 3, (0.5,) * 3, _Net())
    config = TrainConfig(freeze_image=False, dropout=0.0, projection=8, **changes)
    tuning = Tuning(config.micro_batch, config.precision, config.compile)
    pictures = LivePictures(encoder, Loader.of(root, encoder, names), tuning)
    torch.manual_seed(1)
    captions = CachedFeatures(torch.rand(5, 8, generator=torch.Generator().manual_seed(2)))
    return Learner(pictures, captions, config, (np.zeros(5), np.zeros(5))).train()


def _batch(learner: Learner) -> PlaceBatch:
    nowhere, numbers = torch.zeros(PLACES, dtype=torch.float64), torch.arange(PLACES)
    views = grouped_views(learner.pictures(numbers), nowhere, [1] * PLACES)
    return PlaceBatch(views, nowhere, nowhere, numbers % 5, torch.zeros(PLACES, 0, dtype=torch.int64))


def step_on(learner: Learner) -> dict[str, torch.Tensor]:
    """Take one step; return its loss and all gradients by name."""
    loss = learner.step(_batch(learner))
    gradients = {name: one.grad for name, one in learner.named_parameters() if one.grad is not None}
    return {"loss": torch.tensor(loss), **gradients}


@pytest.mark.parametrize("micro", [1, 3, 9])
def test_micro_batches_give_the_gradient_of_the_whole_batch(stored, micro):
    whole, parts = learner_of(stored), learner_of(stored, micro_batch=micro)
    expected, found = step_on(whole), step_on(parts)
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        assert torch.allclose(found[name], value, atol=1e-5), name
    assert expected["pictures.module.last.weight"].abs().max() > 1e-3


def test_dropout_is_the_same_in_both_passes_of_a_micro_batch(stored):
    """The gradient of a first pass whose dropout the second did not repeat would be of two different networks."""
    learner = learner_of(stored, micro_batch=4)
    learner.pictures.module.layers[3].p = 0.5
    learner.step(_batch(learner))
    seen = []
    learner.pictures.module.layers[3].register_forward_hook(lambda *passed: seen.append(passed[2].detach() == 0))
    learner.step(_batch(learner))
    first, second = seen[:3], seen[3:]
    assert all(torch.equal(*pair) for pair in zip(first, second, strict=True))
    assert not torch.equal(first[0], first[1])


def test_gradients_are_clipped_together(stored):
    learner = learner_of(stored, clip_norm=1e-3)
    learner.step(_batch(learner))
    norm = torch.stack([one.grad.norm() for one in learner.parameters() if one.grad is not None]).norm()
    assert float(norm) == pytest.approx(1e-3, rel=1e-3)


def test_the_average_is_what_is_kept_and_training_goes_on_from_the_weights(stored):
    learner = learner_of(stored, ema=0.5)
    first = learner.pictures.module.last.bias.detach().clone()
    learner.step(_batch(learner))
    second = learner.pictures.module.last.bias.detach().clone()
    decay = 2 / 11
    with learner.averaged():
        kept = learner.best()["pictures.module.last.bias"].clone()
    assert torch.allclose(kept, decay * first + (1 - decay) * second)
    assert torch.equal(learner.pictures.module.last.bias, second)


def test_without_a_decay_there_is_no_average(stored):
    learner = learner_of(stored)
    assert Averaged(learner, 0.0).tensors() == {}
    learner.step(_batch(learner))
    with learner.averaged():
        assert learner.best().keys() == {name.removeprefix("model.") for name in learner.state_dict()}


def _rates(config: TrainConfig, steps: int) -> list[float]:
    optimizer = SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule, rates = Schedule(optimizer, config, steps), []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.after_step()
    return rates


def test_rates_rise_and_then_fall_along_a_cosine():
    rates = _rates(TrainConfig(warmup_steps=4, schedule="cosine"), 12)
    assert rates[:5] == pytest.approx([0, 0.25, 0.5, 0.75, 1])
    assert rates[8] == pytest.approx(0.5)
    assert rates[4:] == sorted(rates[4:], reverse=True)
    assert rates[-1] < 0.05


def test_a_warm_up_goes_before_a_plateau_too():
    config = TrainConfig(warmup_steps=3, schedule_patience=0, schedule_factor=0.5)
    assert _rates(config, 6) == pytest.approx([0.25, 0.5, 0.75, 1, 1, 1])
    optimizer = SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = Schedule(optimizer, config.model_copy(update={"warmup_steps": 0}), 6)
    for loss in (1.0, 2.0):
        schedule.after_epoch(loss)
    assert optimizer.param_groups[0]["lr"] == 0.5


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a graphics card")
def test_half_precision_without_a_graphics_card_is_refused(stored):
    learner = learner_of(stored, precision="bf16")
    with pytest.raises(SettingsError, match="precision 'bf16' on cpu: it needs a graphics card; use fp32"):
        learner.pictures(torch.arange(3))
