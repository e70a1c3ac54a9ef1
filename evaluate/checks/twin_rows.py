"""An image and its twin, which has another dead zone, to one row per method."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from stackwalls.evaluate.checks.leak_diagnostics import SIGNS, STAGES, eigen_maps, mu_by_stage, seen_change, twins_of
from stackwalls.evaluate.checks.map_maker import MapMaker, activations_of
from stackwalls.evaluate.maps import Maps, normalized_maps
from stackwalls.evaluate.metrics import mu
from stackwalls.evaluate.subject import Subject
from stackwalls.hub_cards import Batch
from stackwalls.model import Wall, find_device, local_arithmetic, preserved, to_input

Task: TypeAlias = tuple[int, Batch, NDArray[np.uint8]]
"""A batch's number, the batch, and the images whose dead zones its twins have."""


@dataclass(frozen=True, eq=False)
class MakeRows:
    """Makes what turns a batch into rows, here or in a worker, on the device; None: where the network is."""

    subject: Subject
    named: Mapping[str, object]
    seed: int
    device: str | None = None

    def __call__(self) -> Callable[[Task], list[dict[str, Any]]]:
        """What turns a batch into rows."""
        if self.device is not None:
            self.subject.model.to(find_device(self.device))
        maker = MapMaker(self.subject, self.named, self.seed)
        return lambda task: _rows(self.subject, maker, *task[1:])

    def failed(self, batch: Batch, reason: str) -> list[dict[str, Any]]:
        """The rows of a batch without maps."""
        none = {"target": -1, "target_class": "", "same_logits": False, "error": reason}
        return [{**none, "image_id": name, "method": each} for name in batch.image_ids for each in self.named]


def with_donors(batches: Iterator[Batch], count: int) -> Iterator[tuple[Batch, NDArray[np.uint8]]]:
    """Batches up to `count` images, each with the images that follow its own; the first one follows the last."""

    def kept() -> Iterator[Batch]:
        left = count
        for batch in batches:
            yield Batch(batch.image_ids[:left], batch.labels[:left], batch.images[:left])
            left -= len(batch)
            if left <= 0:
                return

    chosen = kept()
    held = first = next(chosen)
    for following in chain(chosen, [first]):
        yield held, np.concatenate([held.images[1:], following.images[:1]])
        held = following


def _rows(subject: Subject, maker: MapMaker, batch: Batch, donors: NDArray[np.uint8]) -> list[dict[str, Any]]:
    pair = (batch.images, twins_of(batch.images, donors, subject.wall))
    inputs = [to_input(images, subject.mean, subject.std, device=subject.device) for images in pair]
    with preserved(subject.model), torch.inference_mode(), local_arithmetic():
        logits = [subject.model(images) for images in inputs]
    targets: list[int] = logits[0].argmax(1).tolist()
    classes = subject.classes.checked(subject.name, logits[0].shape[1])
    explained = [{"target": classes.number(each), "target_class": classes.name(each)} for each in targets]
    same = (logits[0] == logits[1]).all(1).tolist()
    found = [_with_signs(subject, images, maker.maps(images, targets)) for images in inputs]
    rows: list[dict[str, Any]] = []
    for method in found[0]:
        measured = _measured(found[0][method], found[1][method], subject.wall)
        for image_id, target, equal, columns in zip(batch.image_ids, explained, same, measured, strict=False):
            rows.append({"image_id": image_id, **target, "same_logits": equal, "method": method, **columns})
    return rows


def _with_signs(subject: Subject, images: torch.Tensor, found: dict[str, Maps | str]) -> dict[str, Maps | str]:
    """`found` with EigenCAM's other signs after it, as methods of their own."""
    shown: dict[str, Maps | str] = {}
    for name, maps in found.items():
        shown[name] = maps
        if name == "EigenCAM" and isinstance(maps, Maps) and maps.raw is not None:
            signed = eigen_maps(np.asarray(maps.raw), activations_of(subject, images))
            for sign in SIGNS[1:]:
                upsampled = normalized_maps(torch.from_numpy(signed[sign]), images.shape[-1])
                shown[f"{name}, {sign}"] = Maps(upsampled.numpy(), signed[sign])
    return shown


def _measured(first: Maps | str, second: Maps | str, wall: Wall) -> Sequence[dict[str, Any]]:
    """One dict of columns per image."""
    if isinstance(first, str) or isinstance(second, str):
        return [{"error": first if isinstance(first, str) else f"on the twin: {second}"}]
    maps = np.asarray(first.maps)
    columns = {"map_drift": seen_change(maps, np.asarray(second.maps), wall), f"mu_{STAGES[-1]}": mu(maps, wall)}
    if first.raw is not None and second.raw is not None:
        raw = np.asarray(first.raw)
        columns["raw_drift"] = seen_change(raw, np.asarray(second.raw), wall)
        columns |= {f"mu_{stage}": values for stage, values in mu_by_stage(raw, wall).items()}
    return [{name: float(values[index]) for name, values in columns.items()} for index in range(len(maps))]
