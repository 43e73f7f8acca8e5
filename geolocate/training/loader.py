"""Load packed pictures for training: decoded in parallel, ahead of the step that needs them.

In: pictures of the store, an encoder's side and normalisation. Out: batches ``[B, 3, side, side]``, channels last. A
picture is resized and cropped once, as everywhere, and kept as a small JPEG; an epoch only decodes that. What is random
about a picture is drawn anew from (seed, epoch, number), so that an interrupted run goes on with the same bits, however
many threads decode.
"""

import io
import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from PIL import Image, ImageOps, UnidentifiedImageError
from torchvision.io import ImageReadMode, decode_jpeg, encode_jpeg

from geolocate.dataset.pack import Pack, Progress, Transform, pack_pictures
from geolocate.errors import PictureError
from geolocate.models.image_encoders import ImageEncoder
from geolocate.models.pictures import TRANSFORM
from geolocate.storage import DataRoot

#: Below it blocks show in a picture of 224 pixels; above it the files grow faster than the picture gains.
QUALITY = 90
#: Batches that are decoded ahead: one is enough unless steps differ much, two cost little memory.
AHEAD = 2


@dataclass(frozen=True, slots=True)
class Augment:
    """What is varied about a picture at each epoch; nothing by default.

    ``crop`` is the least share of the side that is kept, ``light`` the most by which brightness and contrast change.
    Nothing is mirrored: on which side people drive is evidence.
    """

    crop: float = 1.0
    light: float = 0.0

    def __bool__(self) -> bool:
        return self.crop < 1 or self.light > 0

    def apply(self, picture: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
        """Vary one ``uint8`` picture ``[3, side, side]``; its size stays."""
        side = picture.shape[-1]
        kept = round(side * float(rng.uniform(self.crop, 1.0)))
        top, left = (int(rng.integers(side - kept + 1)) for _ in range(2))
        bright, contrast = (float(rng.uniform(1 - self.light, 1 + self.light)) for _ in range(2))
        cut = picture[:, top : top + kept, left : left + kept]
        if kept < side:
            cut = F.interpolate(cut[None], (side, side), mode="bilinear", antialias=True)[0]
        if not self.light:
            return cut
        varied = cut.float().mul_(bright)
        middle = varied.mean()
        return varied.sub_(middle).mul_(contrast).add_(middle).clamp_(0, 255).to(torch.uint8)


NO_AUGMENT = Augment()


def packing(pixels: int) -> Transform:
    """The transform that packs pictures for an encoder of this side."""
    return Transform(f"{TRANSFORM}-{pixels}px-q{QUALITY}", lambda body: shrunk(body, pixels))


def shrunk(body: bytes, pixels: int) -> bytes:
    """Turn a picture's bytes into the JPEG of its middle square, ``pixels`` a side.

    As ``picture_pixels`` does it, but for rounding (at most one level of 255): torch's bicubic is twice as fast as
    Pillow's. Raises PictureError for bytes that are no picture, or only the beginning of one.
    """
    try:
        with Image.open(io.BytesIO(body)) as image:
            image.draft("RGB", (pixels, pixels))
            ImageOps.exif_transpose(image, in_place=True)
            rows = np.array(image.convert("RGB") if image.mode != "RGB" else image)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise PictureError(
            f"a picture of {len(body)} bytes cannot be read ({type(error).__name__}): give a whole JPEG, PNG or WebP"
        ) from error
    square = torch.from_numpy(_middle(rows)).permute(2, 0, 1)[None]
    if square.shape[-2:] != (pixels, pixels):
        square = F.interpolate(square, (pixels, pixels), mode="bicubic", antialias=True)
    # Unlike Pillow's, this encoder lets other threads work meanwhile.
    return bytes(encode_jpeg(square[0].contiguous(), QUALITY).numpy())


def _middle(rows: np.ndarray) -> np.ndarray:
    """Cut the middle square out of ``[height, width, 3]``."""
    height, width = rows.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return rows[top : top + side, left : left + side]


@dataclass(frozen=True, slots=True)
class Draws:
    """What decides the random part of a batch: the run's seed, the epoch, and how much is varied."""

    seed: int = 0
    epoch: int = 0
    augment: Augment = NO_AUGMENT


NO_DRAWS = Draws()


class Loader:
    """Packed pictures by number, as the encoder's module takes them.

    ``workers`` threads decode; by default as many as there are cores, 16 at the most. Close it when done.
    """

    def __init__(self, pack: Pack, encoder: ImageEncoder, workers: int | None = None) -> None:
        self._pack = pack
        scale = 255 * torch.tensor(encoder.std)
        self._scale, self._shift = 1 / scale, -torch.tensor(encoder.mean) * 255 / scale
        self._side = encoder.pixels
        self.workers = workers or min(16, os.cpu_count() or 1)
        self._pool = ThreadPoolExecutor(self.workers, initializer=torch.set_num_threads, initargs=(1,))

    @classmethod
    def of(
        cls, root: DataRoot, encoder: ImageEncoder, sha256s: Sequence[str], progress: Progress | None = None
    ) -> "Loader":
        """Pack what is not packed yet, and load from that. Raises what ``pack_pictures`` raises."""
        return cls(pack_pictures(root, packing(encoder.pixels), sha256s, progress), encoder)

    def __len__(self) -> int:
        return len(self._pack)

    def close(self) -> None:
        """Stop decoding ahead."""
        self._pool.shutdown(cancel_futures=True)

    def batch(self, numbers: Sequence[int], draws: Draws = NO_DRAWS) -> torch.Tensor:
        """Give the pictures with these numbers: ``[B, 3, side, side]`` float32, normalised."""
        return self._begun(numbers, draws).whole()

    def batches(self, batches: Iterable[Sequence[int]], draws: Draws = NO_DRAWS) -> Iterator[torch.Tensor]:
        """Give batch after batch, the next ones being decoded meanwhile."""
        waiting: deque[_Batch] = deque()
        try:
            for numbers in batches:
                waiting.append(self._begun(numbers, draws))
                if len(waiting) > AHEAD:
                    yield waiting.popleft().whole()
            while waiting:
                yield waiting.popleft().whole()
        finally:
            for batch in waiting:
                batch.cancel()

    def _begun(self, numbers: Sequence[int], draws: Draws) -> "_Batch":
        """Share a batch between the threads, each of which writes its part of one tensor."""
        rows = torch.empty(len(numbers), self._side, self._side, 3)
        size = -(-len(numbers) // self.workers)
        parts = [slice(start, start + size) for start in range(0, len(numbers), size)]
        chosen = [int(number) for number in numbers]
        return _Batch(rows, [self._pool.submit(self._decode, chosen[part], draws, rows[part]) for part in parts])

    def _decode(self, numbers: list[int], draws: Draws, rows: torch.Tensor) -> None:
        pictures = decode_jpeg(self._pack.jpegs(numbers), mode=ImageReadMode.RGB)
        for number, picture, row in zip(numbers, pictures, rows, strict=True):
            varied = picture
            if draws.augment:
                varied = draws.augment.apply(picture, np.random.default_rng([draws.seed, draws.epoch, number]))
            # Decoder and network both go pixel by pixel (channels last), so that this is one pass over memory.
            torch.addcmul(self._shift, varied.permute(1, 2, 0).float(), self._scale, out=row)


@dataclass(frozen=True, slots=True)
class _Batch:
    """A batch on its way: where it is written, ``[B, side, side, 3]``, and who writes."""

    rows: torch.Tensor
    parts: list[Future[None]]

    def whole(self) -> torch.Tensor:
        """Wait for all parts."""
        for part in self.parts:
            part.result()
        return self.rows.permute(0, 3, 1, 2)

    def cancel(self) -> None:
        """Let no thread begin with a part of it any more."""
        for part in self.parts:
            part.cancel()
