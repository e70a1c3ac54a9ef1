"""Is this method sound? Verdicts on one method, on small networks that are proved blind behind a wall."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from stackwalls.evaluate.adapters import named_methods
from stackwalls.evaluate.checks.map_maker import MapMaker
from stackwalls.evaluate.checks.tiny_subject import tiny_masked_vgg, tiny_pictures, tiny_walled
from stackwalls.evaluate.checks.twin_drift import seen_change, twins_of
from stackwalls.evaluate.maps import Maps
from stackwalls.evaluate.metrics import mu
from stackwalls.evaluate.subject import Subject
from stackwalls.model import BlindModel, Wall, require_certificate, to_input

NETWORKS: dict[str, Callable[[], BlindModel]] = {"bottom:54": tiny_masked_vgg, "top:64": tiny_walled}
"""The networks of the check by their wall: on two sides, so that looking at one side only does not pass."""

ASPECTS: dict[str, str] = {
    "valid": "every map is (H, W), finite and ≥ 0",
    "weights": "the network's weights are the same afterwards",
    "repeated": "the same pictures give the same maps again",
    "alone": "a picture's map does not depend on the others in its batch",
    "blind": "nothing is lit where the network cannot see, but for the cell that upsampling smears over the wall",
    "twins": "another picture behind the wall, which changes no logit, leaves the seen part of the map as it was",
}
"""What is checked, in order, and what passes."""

SAME = 1e-4
"""Largest relative difference of two maps that count as the same: rounding, in other batches and other orders."""

_RELATIVE_ZERO = 1e-6
"""What counts as dark, in parts of the map's largest value: rounding."""


@dataclass(frozen=True)
class Verdict:
    """One aspect of one method behind one wall.

    Attributes:
        wall: of the network.
        aspect: of `ASPECTS`.
        passed: whether it holds; None where it could not be tried, as there are no valid maps.
        found: what was seen, in words.
        value: the number behind it, where there is one.
    """

    wall: str
    aspect: str
    passed: bool | None
    found: str
    value: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def check_method(method: object, wall: str, seed: int = 0) -> list[Verdict]:
    """Every aspect of a method behind one of the walls of `NETWORKS`.

    Args:
        method: in any form that `evaluate` takes.
        wall: of `NETWORKS`.
        seed: of the random numbers that the method draws.

    Raises:
        InputError: if it is no method, or does not fit the network.
    """
    model = NETWORKS[wall]()
    subject = Subject.of(model)
    require_certificate(model, subject.wall, seed)
    [(name, given)] = list(named_methods([method]).items())
    maker = MapMaker(subject, {name: given}, seed)
    pictures = tiny_pictures()
    batch = _Batch(subject, maker, name, pictures)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    first = batch.maps(pictures)
    left = {key for key, value in model.state_dict().items() if not torch.equal(value, before[key])}
    changed = sorted(left | subject.kept.changed)  # what an adapter puts back was changed, too
    weights = f"{changed[0]} and {len(changed) - 1} more changed" if changed else "unchanged"
    if isinstance(first, str):
        missing = [Verdict(wall, aspect, None, "there are no maps to look at") for aspect in list(ASPECTS)[2:]]
        return [Verdict(wall, "valid", False, first), Verdict(wall, "weights", not changed, weights), *missing]
    verdicts = [
        Verdict(wall, "valid", True, f"{len(first)} maps of {first.shape[1]} × {first.shape[2]}"),
        Verdict(wall, "weights", not changed, weights),
    ]
    return [*verdicts, *_compared(batch, first, wall)]


@dataclass(frozen=True, eq=False)
class _Batch:
    """The method on pictures, for the classes that the network predicts."""

    subject: Subject
    maker: MapMaker
    name: str
    pictures: NDArray[np.uint8]

    def maps(self, pictures: NDArray[np.uint8]) -> NDArray[Any] | str:
        inputs = to_input(pictures, self.subject.mean, self.subject.std)
        with torch.inference_mode():
            targets = self.subject.model(inputs).argmax(1).tolist()
        found = self.maker.maps(inputs, targets)[self.name]
        return np.asarray(found.maps) if isinstance(found, Maps) else found


def _compared(batch: _Batch, first: NDArray[Any], wall: str) -> Iterator[Verdict]:
    pictures = batch.pictures
    yield _same(wall, "repeated", first, batch.maps(pictures))
    singles = [batch.maps(pictures[index : index + 1]) for index in range(len(pictures))]
    failed = next((single for single in singles if isinstance(single, str)), None)
    whole = np.concatenate([single for single in singles if not isinstance(single, str)] or [first[:0]])
    yield _same(wall, "alone", first, failed if failed is not None else whole)
    yield _blind(batch.subject, first, wall)
    other = batch.maps(twins_of(pictures, np.roll(pictures, -1, axis=0), batch.subject.wall))
    if isinstance(other, str):
        yield Verdict(wall, "twins", False, f"on the twins: {other}")
        return
    drift = float(np.nanmax(seen_change(first, other, batch.subject.wall)))
    yield Verdict(wall, "twins", drift <= SAME, f"the seen part changes by up to {100 * drift:.2g} %", drift)


def _same(wall: str, aspect: str, first: NDArray[Any], second: NDArray[Any] | str) -> Verdict:
    if isinstance(second, str):
        return Verdict(wall, aspect, False, second)
    size = float(np.abs(first).max()) or 1.0
    difference = float(np.abs(first - second).max()) / size
    return Verdict(wall, aspect, difference <= SAME, f"maps differ by up to {100 * difference:.2g} %", difference)


def _blind(subject: Subject, maps: NDArray[Any], wall: str) -> Verdict:
    inner = inner_wall(subject)
    found = mu(maps, subject.wall)
    mean = float(np.nanmean(found)) if not np.isnan(found).all() else float("nan")
    if np.isnan(mean):
        return Verdict(wall, "blind", None, "every map is zero everywhere, which says nothing")
    highest = maps.max((1, 2))
    lit = maps[inner.index(3)].max((1, 2)) > _RELATIVE_ZERO * highest
    said = f"{int(lit.sum())} of {len(maps)} maps are lit there; mean mu {mean:.3f}, chance {subject.wall.chance:.3f}"
    return Verdict(wall, "blind", not lit.any(), said, mean)


def inner_wall(subject: Subject) -> Wall:
    """The dead zone without the first cell of the target layer's map behind the wall, which upsampling smears into."""
    sizes: list[int] = []
    with torch.inference_mode():
        handle = subject.target_layer.register_forward_hook(lambda _m, _i, output: sizes.append(output.shape[-1]))
        try:
            subject.model(torch.zeros(1, 3, subject.wall.image_size, subject.wall.image_size, device=subject.device))
        finally:
            handle.remove()
    wall = subject.wall
    cell = -(-wall.image_size // sizes[-1])
    start = wall.start + cell if wall.start > 0 else 0
    stop = wall.stop - cell if wall.stop < wall.image_size else wall.stop
    return Wall(wall.axis, start, stop, wall.image_size)


def summarised(verdicts: Mapping[str, list[Verdict]]) -> dict[str, Any]:
    """Verdicts of several methods as JSON: method → list, and whether all passed."""
    return {
        "format": 1,
        "aspects": ASPECTS,
        "methods": {name: [verdict.to_dict() for verdict in found] for name, found in verdicts.items()},
        "passed": all(verdict.passed for found in verdicts.values() for verdict in found),
    }
