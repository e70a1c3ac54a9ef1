"""From a picture's turn to its pixels and label: what the loader's background processes do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

import torch
from torch.utils.data import Dataset, IterableDataset

from stackwalls.model.images.decoding import BrokenImageError, as_tensor, decode_tensor, jpeg_size
from stackwalls.model.images.labelled import LabelledImages
from stackwalls.model.images.tables import TableStream
from stackwalls.model.training.data.augmentation import Crop, apply_crop, random_crop
from stackwalls.model.training.data.batch_order import BatchOrder, Place
from stackwalls.model.training.recipes import Recipe
from stackwalls.model.training.training_data import TrainingData

_THREADS = 4
"""Threads that decode a stream's pictures; torch and PIL let go of the interpreter meanwhile."""

Prepared = torch.Tensor | tuple[torch.Tensor, Crop]
"""Pixels `(3, H, 224)` uint8, or a JPEG's bytes for the GPU, with its crop."""


class Sample(NamedTuple):
    """A prepared picture, its logit's position, and why there is none where it is broken."""

    picture: Prepared | None
    position: int
    broken: str = ""


class Piece(NamedTuple):
    """Samples together: those decoded, those not, and where each is in the piece.

    Attributes:
        pixels: `(n, 3, H, 224)` uint8.
        jpegs: bytes, crop and place of each picture that the GPU is to decode.
        places: `(n,)` int64, the places of `pixels`.
        positions: `(N,)` int64, logit positions.
        broken: why a picture could not be prepared, or nothing.
    """

    pixels: torch.Tensor
    jpegs: list[tuple[torch.Tensor, Crop, int]]
    places: torch.Tensor
    positions: torch.Tensor
    broken: str


@dataclass(frozen=True)
class Preparation:
    """What is done to a picture of one turn.

    Attributes:
        recipe: crops and flips.
        seed: the training's.
        rows: pixel rows from the top that the network sees; the others go no further.
        undecoded: whether JPEGs are left to the GPU.
    """

    recipe: Recipe
    seed: int
    rows: int
    undecoded: bool = False

    def __call__(self, picture: bytes, place: Place) -> Prepared:
        """The picture as it goes to the network.

        Raises:
            BrokenImageError: if it cannot be decoded.
        """
        turn = (self.seed, place.epoch, place.position)
        if self.undecoded:
            size = jpeg_size(picture)
            if size is not None:
                return as_tensor(picture), random_crop(*size, self.recipe, turn)
        pixels = decode_tensor(picture)
        height, width = pixels.shape[1:]
        return apply_crop(pixels, random_crop(height, width, self.recipe, turn))[:, : self.rows]


class TrainingSet(Dataset[Sample]):
    """A set's pictures by their turn."""

    def __init__(self, data: TrainingData, pictures: LabelledImages, prepare: Preparation) -> None:
        self._pictures, self._prepare = pictures, prepare
        self._positions = data.positions()[pictures.labels]

    def __getitem__(self, place: Place) -> Sample:
        position = int(self._positions[place.number])
        try:
            return Sample(self._prepare(self._pictures.read(place.number, place.epoch), place), position)
        except (BrokenImageError, OSError) as error:
            return Sample(None, position, f"{self._pictures.where(place.number)} cannot be decoded ({error})")


class TrainingStream(IterableDataset[Piece]):
    """This process's pieces of a stream, which every process reads whole and decodes its share of."""

    def __init__(
        self, data: TrainingData, stream: TableStream, prepare: Preparation, order: BatchOrder, steps: range
    ) -> None:
        self._stream, self._prepare, self._order, self._steps = stream, prepare, order, steps
        self._positions = data.positions()

    def _sample(self, place: Place, picture: bytes, label: int) -> Sample:
        position, where = int(self._positions[label]), f"picture {place.position} of {self._stream.name}"
        if position < 0:
            return Sample(None, 0, f"{where} is of class {label}, of which validation has no picture")
        try:
            return Sample(self._prepare(picture, place), position)
        except BrokenImageError as error:
            return Sample(None, position, f"{where} cannot be decoded ({error})")

    def __iter__(self) -> Iterator[Piece]:
        # what was learnt from before is passed over undecoded
        pictures = islice(self._stream.shuffled(self._order.seed), self._steps.start * self._order.batch_size, None)
        with ThreadPoolExecutor(_THREADS) as pool:
            for step in self._steps:
                batch = list(islice(pictures, self._order.batch_size))
                for places in self._order.pieces(step, step + 1):
                    first = places[0].position % self._order.batch_size
                    read = batch[first : first + len(places)]
                    jobs = zip(places, (p for p, _ in read), (label for _, label in read), strict=True)
                    yield collate(list(pool.map(lambda job: self._sample(*job), jobs)))


def collate(samples: Sequence[Sample]) -> Piece:
    """Samples to a piece, in their order."""
    decoded = [(i, s.picture) for i, s in enumerate(samples) if isinstance(s.picture, torch.Tensor)]
    return Piece(
        torch.stack([pixels for _, pixels in decoded]) if decoded else torch.empty(0, dtype=torch.uint8),
        [(*sample.picture, i) for i, sample in enumerate(samples) if isinstance(sample.picture, tuple)],
        torch.tensor([i for i, _ in decoded], dtype=torch.int64),
        torch.tensor([sample.position for sample in samples], dtype=torch.int64),
        next((sample.broken for sample in samples if sample.broken), ""),
    )
