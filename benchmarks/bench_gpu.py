"""What a GPU makes of training: ResNet-50 tuned on packed pictures, in float32 and bf16, by batch size.

    python benchmarks/bench_gpu.py [--batches 32 128 512] [--steps 20] [--pixels 224] [--tiny]

Out: a table in Markdown: images a second over all steps after two that warm up, and the peak memory of the device. On a
CPU, bf16 is left out (it is 7 to 17 times slower there); ``--tiny`` (two steps with batches of 2, 64 pixels) only
shows that the script runs.
"""

import argparse
import platform
import sys
import tempfile
import time
import warnings
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.train import where
from benchmarks.train_inputs import CLASSES, make_pictures
from geolocate.models.batch import PlaceBatch, grouped_views
from geolocate.models.image_encoders import image_encoder
from geolocate.storage import DataRoot
from geolocate.training.config import TrainConfig
from geolocate.training.learner import Learner
from geolocate.training.loader import Loader
from geolocate.training.sources import CachedFeatures, LivePictures

WARM_UP = 2


def steps_of(root: DataRoot, hashes: list[str], options: Any, batch: int, precision: str) -> tuple[float, float]:
    """Images a second and the device's peak memory in GB, of so many steps of this size."""
    encoder = image_encoder("resnet50=random", options.pixels)
    config = TrainConfig(image_encoder="resnet50=random", freeze_image=False, batch_size=batch)
    pictures = LivePictures(encoder, Loader.of(root, encoder, hashes))
    captions = CachedFeatures(torch.randn(CLASSES, 384))
    learner = Learner(pictures, captions, config, (np.zeros(CLASSES), np.zeros(CLASSES))).train()
    device = next(encoder.module.parameters()).device
    numbers = np.random.default_rng(0).integers(len(hashes), size=(WARM_UP + options.steps, batch))
    pictures.expect(numbers.tolist())
    started = 0.0
    for step, chosen in enumerate(torch.from_numpy(numbers)):
        if step == WARM_UP:
            _finished(device)
            started = time.perf_counter()
        with torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else nullcontext():
            learner.step(_batch(pictures, chosen, device))
    _finished(device)
    memory = torch.cuda.max_memory_allocated() / 1024**3 if device.type == "cuda" else float("nan")
    return options.steps * batch / (time.perf_counter() - started), memory


def _batch(pictures: LivePictures, chosen: torch.Tensor, device: torch.device) -> PlaceBatch:
    zeros = torch.zeros(len(chosen), dtype=torch.float64)
    views = grouped_views(pictures(chosen), zeros, [1] * len(chosen))
    return PlaceBatch(views, zeros, zeros, chosen % CLASSES, torch.zeros(len(chosen), 0, dtype=torch.int64)).to(device)


def _finished(device: torch.device) -> None:
    """Wait for the device: what was asked of a GPU is done later."""
    if device.type == "cuda":
        torch.cuda.synchronize()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, nargs="+", default=[32, 128, 512])
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--pixels", type=int, default=224)
    parser.add_argument("--tiny", action="store_true")
    options = parser.parse_args()
    if options.tiny:
        options.batches, options.steps, options.pixels = [2], 2, 64
    warnings.simplefilter("ignore")
    cuda = torch.cuda.is_available()
    print(f"{where()}; {torch.cuda.get_device_name() if cuda else platform.machine() + ', no GPU'}\n")
    print("| batch | precision | images/s | × float32 | device memory, GB |\n|---:|---|---:|---:|---:|")
    with tempfile.TemporaryDirectory(prefix="geolocate-benchmark-") as folder:
        root, hashes, _ = make_pictures(Path(folder), 32 if options.tiny else 2048)
        for batch in options.batches:
            plain = 0.0
            for precision in ("fp32", "bf16") if cuda else ("fp32",):
                if cuda:
                    torch.cuda.reset_peak_memory_stats()
                rate, memory = steps_of(root, hashes, options, batch, precision)
                plain = plain or rate
                used = f"{memory:.2f}" if cuda else "–"
                print(f"| {batch} | {precision} | {rate:,.1f} | {rate / plain:.2f} | {used} |", flush=True)


if __name__ == "__main__":
    main()
