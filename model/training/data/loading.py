"""Batches in time: pictures are read, decoded and cropped in the background while the network is busy."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset
from torchvision.io import ImageReadMode, decode_jpeg

from stackwalls.model.errors import RunError
from stackwalls.model.images.decoding import BrokenImageError, decode_and_crop, gpu_decodes
from stackwalls.model.images.labelled import LabelledImages
from stackwalls.model.training.data.augmentation import apply_crop
from stackwalls.model.training.data.batch_order import BatchOrder, Place
from stackwalls.model.training.data.preparing import (
    Piece,
    Preparation,
    Sample,
    TrainingSet,
    TrainingStream,
    collate,
)
from stackwalls.model.training.recipes import Recipe
from stackwalls.model.training.training_data import TrainingData
from stackwalls.model.wall import IMAGE_SIZE

_AHEAD = 4
"""Batches that each background process has ready."""

Batch = tuple[torch.Tensor, torch.Tensor]
"""Pictures `(N, 3, H, 224)` uint8 and logit positions `(N,)` int64, on the device."""


class Loader:
    """The batches of a training from one step to its end, with the time that the network waits for them.

    Args:
        data: training pictures and classes.
        order: which pictures, in which order, and this process's share.
        recipe: crops and flips.
        steps: the steps to load for.
        rows: pixel rows from the top that the network sees.
        device: where batches are needed; JPEGs are decoded there where nvJPEG can.
        workers: background processes; 0 prepares each batch when it is asked for.
        gpu_decode: whether to decode JPEGs on the GPU where that is possible.

    Attributes:
        waited: seconds that the caller spent here so far.
    """

    def __init__(
        self,
        data: TrainingData,
        order: BatchOrder,
        recipe: Recipe,
        steps: range,
        *,
        rows: int = IMAGE_SIZE,
        device: torch.device | str = "cpu",
        workers: int = 0,
        gpu_decode: bool = True,
    ) -> None:
        self._device, self._rows, self.waited = torch.device(device), rows, 0.0
        prepare = Preparation(recipe, order.seed, rows, gpu_decode and gpu_decodes(self._device))
        dataset: Dataset[Any]
        options: dict[str, Any]
        if isinstance(data.train, LabelledImages):
            dataset = TrainingSet(data, data.train, prepare)
            options = {"batch_sampler": _Pieces(order, steps), "collate_fn": collate}
        else:
            dataset = TrainingStream(data, data.train, prepare, order, steps)
            options, workers = {"batch_size": None}, min(workers, 1)  # one reader, whose threads decode
        if workers:
            options |= {"prefetch_factor": _AHEAD, "multiprocessing_context": "fork", "worker_init_fn": _leave_signals}
        pinned = self._device.type == "cuda"
        options |= {"num_workers": workers, "pin_memory": pinned, "generator": torch.Generator()}
        self._pieces = iter(DataLoader(dataset, **options))

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        started = time.perf_counter()
        batch = to_device(Piece(*next(self._pieces)), self._rows, self._device)
        self.waited += time.perf_counter() - started
        return batch


def _leave_signals(_worker: int) -> None:
    """Let a background process end when the training does, not by itself.

    Ctrl-C and most schedulers' SIGTERM reach all processes at once, and a training still needs its pictures to come to
    the end of a step. A background process whose training is gone ends by itself.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


class _Pieces:
    """A batch sampler for DataLoader: the pieces of an order, made as they are asked for."""

    def __init__(self, order: BatchOrder, steps: range) -> None:
        self._order, self._steps = order, steps

    def __iter__(self) -> Iterator[list[Place]]:
        return self._order.pieces(self._steps.start, self._steps.stop)

    def __len__(self) -> int:
        return len(self._steps) * self._order.accumulation


class _EvaluationSet(Dataset[Sample]):
    def __init__(self, data: TrainingData, numbers: range, rows: int) -> None:
        self._pictures, self._numbers, self._rows = data.val, numbers, rows
        self._positions = data.positions()[data.val.labels]

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, item: int) -> Sample:
        number = self._numbers[item]
        position = int(self._positions[number])
        try:
            pixels = torch.from_numpy(decode_and_crop(self._pictures.read(number)).copy()).permute(2, 0, 1)
            return Sample(pixels[:, : self._rows], position)
        except (BrokenImageError, OSError) as error:
            return Sample(None, position, f"{self._pictures.where(number)} cannot be decoded ({error})")


def evaluation_batches(
    data: TrainingData,
    batch_size: int,
    *,
    share: tuple[int, int] = (0, 1),
    rows: int = IMAGE_SIZE,
    device: torch.device | str = "cpu",
    workers: int = 0,
) -> Iterator[Batch]:
    """The validation pictures once, by the evaluation transform.

    Args:
        data: validation pictures and classes.
        batch_size: pictures at a time.
        share: rank and number of processes; each gets every so-manieth picture.
        rows: pixel rows from the top that the network sees.
        device: where batches are needed.
        workers: background processes.

    Raises:
        RunError: if a picture cannot be decoded.
    """
    numbers = range(share[0], len(data.val.labels), share[1])
    if not numbers:
        return
    dataset = _EvaluationSet(data, numbers, rows)
    # a generator of their own: else loaders draw from the global one
    options: dict[str, Any] = {"num_workers": workers, "worker_init_fn": _leave_signals, "generator": torch.Generator()}
    for piece in DataLoader(dataset, batch_size, collate_fn=collate, **options):
        yield to_device(Piece(*piece), rows, torch.device(device))


def to_device(piece: Piece, rows: int, device: torch.device) -> Batch:
    """Pixels and positions on the device; JPEGs are decoded and cropped there.

    Raises:
        RunError: if a picture was broken.
    """
    if piece.broken:
        raise RunError(f"{piece.broken}: mend or remove it, then go on with --resume.")
    pixels = piece.pixels.to(device, non_blocking=True)
    if piece.jpegs:
        whole = torch.empty((len(piece.positions), 3, rows, IMAGE_SIZE), dtype=torch.uint8, device=device)
        whole[piece.places.to(device)] = pixels.view(-1, 3, rows, IMAGE_SIZE)
        try:
            found = decode_jpeg([data for data, _, _ in piece.jpegs], ImageReadMode.RGB, device)
        except RuntimeError as error:
            raise RunError(f"A JPEG cannot be decoded on the GPU ({error}): --decode cpu says which.") from error
        for picture, (_, crop, place) in zip(found, piece.jpegs, strict=True):
            whole[place] = apply_crop(picture, crop)[:, :rows]
        pixels = whole
    return pixels, piece.positions.to(device, non_blocking=True)
