"""The maps of which metrics are asked: a method's own, corrected, turned around, and two that know nothing."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from stackwalls.evaluate.checks.map_maker import MapMaker
from stackwalls.evaluate.judging.metric_spec import Maps
from stackwalls.evaluate.maps import normalized_maps
from stackwalls.evaluate.subject import Subject
from stackwalls.model import RunError, Wall

VARIANTS = {
    "m": "the method's map",
    "m′": "the same, its dead zone set to 0",
    "opposite": "the same, its seen part set to 0",
    "uniform": "the same everywhere",
    "random": "random cells, upsampled as the method's are",
}
"""Maps of which metrics are asked; all have maximum 1."""

_CELLS = 14
"""Rows and columns of the random map before upsampling, as VGG16's last map has."""


@dataclass(frozen=True, eq=False)
class JudgedMaps:
    """Maps of one kind for some images of a batch: those for which such a map exists.

    Attributes:
        method: whose maps; empty for those that know nothing.
        variant: of `VARIANTS`.
        places: of their images in the batch.
        maps: `(len(places), H, W)` float32 in [0, 1].
        explain: images and targets to maps made in the same way; None: the maps are the same for any image.
    """

    method: str
    variant: str
    places: list[int]
    maps: Maps
    explain: Callable[[torch.Tensor, Sequence[int]], Maps] | None = None


def without_dead(maps: Maps, wall: Wall) -> Maps:
    """m′: maps with the dead zone set to 0 and scaled to maximum 1; all zero where nothing else was lit."""
    return _only(maps, ~wall.mask())


def without_seen(maps: Maps, wall: Wall) -> Maps:
    """The opposite of m′: maps with the seen part set to 0 and scaled to maximum 1, or all zero."""
    return _only(maps, wall.mask())


def _only(maps: Maps, kept: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> Maps:
    left = np.where(kept, maps, np.float32(0))
    highest = left.max((1, 2), keepdims=True)
    return np.asarray(left / np.where(highest > 0, highest, 1), dtype=np.float32)


def random_maps(count: int, size: int, seed: int) -> Maps:
    """`count` maps of independent random cells, upsampled and scaled as a CAM is; the same for the same seed."""
    cells = np.random.default_rng(seed).random((count, _CELLS, _CELLS), dtype=np.float32)
    return normalized_maps(torch.from_numpy(cells), size).numpy()


class JudgedNetwork:
    """A network and the methods that explain it.

    Args:
        subject: the network.
        named: methods, named by `adapters.named_methods`.
        seed: of methods that draw random numbers, and of the random maps.
    """

    def __init__(self, subject: Subject, named: Mapping[str, object], seed: int = 0) -> None:
        self.subject, self._seed = subject, seed
        self._together = MapMaker(subject, named, seed)
        self._alone = {name: MapMaker(subject, {name: method}, seed) for name, method in named.items()}

    def maps(self, images: torch.Tensor, targets: list[int], start: int) -> Iterator[JudgedMaps | tuple[str, str]]:
        """All maps of a batch, or (method, why it has none); `start` is the number of its first image in the set."""
        for method, found in self._together.maps(images, targets).items():
            if isinstance(found, str):
                yield method, found
            else:
                yield from self._variants(method, np.asarray(found.maps, dtype=np.float32))
        count, size = len(targets), self.subject.wall.image_size
        drawn = np.concatenate([random_maps(1, size, self._seed + start + number) for number in range(count)])
        for name, maps in (("uniform", np.ones((count, size, size), np.float32)), ("random", drawn)):
            yield JudgedMaps("", name, list(range(count)), maps)

    def _variants(self, method: str, maps: Maps) -> Iterator[JudgedMaps]:
        """m, and of the images on which it lights both sides of the wall, m′ and the opposite.

        Where it lights one side only, one of these is m itself, and the other is no map.
        """
        wall = self.subject.wall
        made = {"m": _scaled(maps), "m′": without_dead(maps, wall), "opposite": without_seen(maps, wall)}
        both = made["m′"].any((1, 2)) & made["opposite"].any((1, 2))
        for variant, values in made.items():
            places: list[int] = np.flatnonzero(values.any((1, 2)) if variant == "m" else both).tolist()
            if places:
                yield JudgedMaps(method, variant, places, values[places], self._explain(method, variant))

    def _explain(self, method: str, variant: str) -> Callable[[torch.Tensor, Sequence[int]], Maps]:
        def explain(images: torch.Tensor, targets: Sequence[int]) -> Maps:
            found = self._alone[method].maps(images, list(targets))[method]
            if isinstance(found, str):
                raise RunError(f"{method} has no map of a changed image: {found}")
            maps, wall = np.asarray(found.maps, dtype=np.float32), self.subject.wall
            if variant == "m":
                return _scaled(maps)
            return without_dead(maps, wall) if variant == "m′" else without_seen(maps, wall)

        return explain


def _scaled(maps: Maps) -> Maps:
    """Maximum 1, as m′ has; all zero stays."""
    return _only(maps, np.ones(maps.shape[1:], dtype=np.bool_))
