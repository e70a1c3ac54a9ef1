"""Batches in time: images are read, decoded and cropped in the background while the network is busy."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset

from stackwalls.model.errors import RunError
from stackwalls.model.images import decoding
from stackwalls.model.images.labeled import LabeledImages
from stackwalls.model.images.tables import TableStream
from stackwalls.model.preprocessing import USUAL_TRANSFORM, Transform
from stackwalls.model.runtime.signals import ignore_signals
from stackwalls.model.training.augmentation import Crop, apply_crop, random_crop
from stackwalls.model.training.batch_order import BatchOrder, Place
from stackwalls.model.training.spec import Recipe
from stackwalls.model.training.training_data import TrainingData
from stackwalls.model.wall import IMAGE_SIZE

_AHEAD = 4
"""Batches that each background process prepares ahead."""

_THREADS = 4
"""Threads that decode the images of a stream."""

Batch = tuple[torch.Tensor, torch.Tensor]
"""Images `(N, 3, H, size)` uint8 and logit positions `(N,)` int64, on the device."""

Prepared = torch.Tensor | tuple[torch.Tensor, Crop]
"""Pixels `(3, H, size)` uint8, or the bytes of a JPEG for the GPU, with its crop."""


class Loader:
    """The batches of a training from one step to its end, and the time that the network waits for them.

    Args:
        data: training images and classes.
        order: which images, in which order, and this process's share.
        recipe: crops and flips.
        steps: to load for.
        size: height and width of the network's images, in pixels.
        rows: pixel rows from the top that the network sees; all by default.
        device: where batches are needed.
        workers: background processes; 0 prepares each batch when it is needed.
        gpu_decode: whether to decode JPEGs on the device if nvJPEG is available.

    Attributes:
        waited: seconds that the caller has spent here so far.
    """

    def __init__(
        self,
        data: TrainingData,
        order: BatchOrder,
        recipe: Recipe,
        steps: range,
        *,
        size: int = IMAGE_SIZE,
        rows: int | None = None,
        device: torch.device | str = "cpu",
        workers: int = 0,
        gpu_decode: bool = True,
    ) -> None:
        self._device, self.waited = torch.device(device), 0.0
        self._shape = (size if rows is None else rows, size)
        prepare = Preparation(recipe, order.seed, *self._shape, gpu_decode and decoding.gpu_decodes(self._device))
        pin = {"pin_memory": self._device.type == "cuda"}
        if isinstance(data.train, LabeledImages):
            pieces = order.pieces(steps.start, steps.stop)
            images = _Images(data, data.train, prepare)
            loader = _loader(images, workers, batch_sampler=pieces, collate_fn=collate, **pin)
        else:
            stream = _Stream(data, data.train, prepare, order, steps)
            loader = _loader(stream, min(workers, 1), batch_size=None, **pin)  # one reader, whose threads decode
        self._pieces = iter(loader)

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        started = time.perf_counter()
        batch = to_device(Piece(*next(self._pieces)), self._shape, self._device)
        self.waited += time.perf_counter() - started
        return batch


def evaluation_batches(
    data: TrainingData,
    batch_size: int,
    *,
    transform: Transform = USUAL_TRANSFORM,
    share: tuple[int, int] = (0, 1),
    rows: int | None = None,
    device: torch.device | str = "cpu",
    workers: int = 0,
) -> Iterator[Batch]:
    """The validation images once, preprocessed for evaluation.

    Args:
        data: validation images and classes.
        batch_size: images at a time.
        transform: from an image to the network's input.
        share: rank and number of processes; process k gets images k, k + N, k + 2N, …
        rows: as for `Loader`, as are `device` and `workers`.
        device: see `rows`.
        workers: see `rows`.

    Raises:
        RunError: if an image cannot be decoded.
    """
    places = [Place(0, number, number) for number in range(share[0], len(data.val.labels), share[1])]
    shape = (transform.size if rows is None else rows, transform.size)

    def prepare(image: bytes, _: Place) -> torch.Tensor:
        return torch.from_numpy(decoding.decode_and_crop(image, transform)[: shape[0]].copy()).permute(2, 0, 1)

    dataset = _Images(data, data.val, prepare)
    batches = [places[i : i + batch_size] for i in range(0, len(places), batch_size)]
    for piece in _loader(dataset, workers, batch_sampler=batches, collate_fn=collate):
        yield to_device(Piece(*piece), shape, torch.device(device))


def _loader(dataset: Dataset[Any], workers: int, **options: Any) -> DataLoader[Any]:
    if workers:  # they ignore signals: the training needs images to finish its step
        options |= {"prefetch_factor": _AHEAD, "multiprocessing_context": "fork", "worker_init_fn": ignore_signals}
    # a generator of its own: otherwise the loader draws from the global one
    return DataLoader(dataset, num_workers=workers, generator=torch.Generator(), **options)


class Sample(NamedTuple):
    """A prepared image, or why there is none; and its logit position."""

    image: Prepared | str
    position: int


class Piece(NamedTuple):
    """Samples that go through the network at once.

    Attributes:
        pixels: `(n, 3, H, size)` uint8, the decoded images.
        jpegs: bytes and crop of each image that the GPU is to decode, by its place in the piece.
        positions: `(N,)` int64, logit positions.
        broken: why images could not be prepared.
    """

    pixels: torch.Tensor
    jpegs: dict[int, tuple[torch.Tensor, Crop]]
    positions: torch.Tensor
    broken: list[str]


@dataclass(frozen=True)
class Preparation:
    """What is done to an image at its turn, in the background processes.

    Attributes:
        recipe: crops and flips.
        seed: of the training.
        rows: pixel rows from the top to keep.
        size: of the crops, in pixels.
        undecoded: whether JPEGs are left to the GPU.
    """

    recipe: Recipe
    seed: int
    rows: int
    size: int
    undecoded: bool = False

    def __call__(self, image: bytes, place: Place) -> Prepared:
        """Decode and crop an image.

        Raises:
            BrokenImageError: if it cannot be decoded.
        """
        turn = (self.seed, place.epoch, place.position)
        if self.undecoded and (size := decoding.jpeg_size(image)) is not None:
            return decoding.as_tensor(image), random_crop(*size, self.recipe, turn)
        pixels = decoding.decode_tensor(image)
        height, width = pixels.shape[1:]
        return apply_crop(pixels, random_crop(height, width, self.recipe, turn), self.size)[:, : self.rows]


class _Images(Dataset[Sample]):
    """The images of a set, by their turn."""

    def __init__(self, data: TrainingData, images: LabeledImages, prepare: Callable[[bytes, Place], Prepared]) -> None:
        self._images, self._prepare = images, prepare
        self._positions = data.positions()[images.labels]

    def __getitem__(self, place: Place) -> Sample:
        position = int(self._positions[place.number])
        try:
            return Sample(self._prepare(self._images.read(place.number, place.epoch), place), position)
        except (decoding.BrokenImageError, OSError) as error:
            reason = getattr(error, "strerror", None) or error
            return Sample(f"{self._images.where(place.number)} cannot be decoded ({reason})", position)


class _Stream(IterableDataset[Piece]):
    """This process's pieces of a stream. Every process reads the whole stream and decodes its share of it."""

    def __init__(
        self, data: TrainingData, stream: TableStream, prepare: Preparation, order: BatchOrder, steps: range
    ) -> None:
        self._stream, self._prepare, self._order, self._steps = stream, prepare, order, steps
        self._positions = data.positions()

    def _sample(self, place: Place, image: bytes, label: int) -> Sample:
        position, where = int(self._positions[label]), f"image {place.position} of {self._stream.name}"
        if position < 0:
            return Sample(f"{where} is of class {label}, which has no validation image", position)
        try:
            return Sample(self._prepare(image, place), position)
        except decoding.BrokenImageError as error:
            return Sample(f"{where} cannot be decoded ({error})", position)

    def __iter__(self) -> Iterator[Piece]:
        # a resumed run skips what it has already seen, undecoded
        images = islice(self._stream.shuffled(self._order.seed), self._steps.start * self._order.batch_size, None)
        with ThreadPoolExecutor(_THREADS) as pool:
            for step in self._steps:
                batch = list(islice(images, self._order.batch_size))
                for places in self._order.pieces(step, step + 1):
                    first = places[0].position % self._order.batch_size
                    read = batch[first : first + len(places)]
                    yield collate(list(pool.map(self._sample, places, *zip(*read, strict=True))))


def collate(samples: Sequence[Sample]) -> Piece:
    """Samples to a piece, in their order."""
    images, positions = zip(*samples, strict=True)
    decoded = [image for image in images if isinstance(image, torch.Tensor)]
    return Piece(
        torch.stack(decoded) if decoded else torch.empty(0, dtype=torch.uint8),
        {place: image for place, image in enumerate(images) if isinstance(image, tuple)},
        torch.tensor(positions),
        [image for image in images if isinstance(image, str)],
    )


def to_device(piece: Piece, shape: tuple[int, int], device: torch.device) -> Batch:
    """Move a piece to the device, where its JPEGs are decoded and cropped; `shape` is that of an image, in pixels.

    Raises:
        RunError: if an image was broken.
    """
    if piece.broken:
        raise RunError(f"{piece.broken[0]}. Repair or remove it, then run again with --resume.")
    pixels = piece.pixels.to(device, non_blocking=True)
    if piece.jpegs:
        whole = torch.empty((len(piece.positions), 3, *shape), dtype=torch.uint8, device=device)
        decoded = torch.tensor([i for i in range(len(whole)) if i not in piece.jpegs], dtype=torch.int64, device=device)
        whole[decoded] = pixels.view(-1, 3, *shape)
        try:
            found = decoding.decode_on_gpu([data for data, _ in piece.jpegs.values()], device)
        except RuntimeError as error:
            raise RunError(f"A JPEG cannot be decoded on the GPU ({error}). --decode cpu tells which.") from error
        for image, (place, (_, crop)) in zip(found, piece.jpegs.items(), strict=True):
            whole[place] = apply_crop(image, crop, shape[1])[:, : shape[0]]
        pixels = whole
    return pixels, piece.positions.to(device, non_blocking=True)
