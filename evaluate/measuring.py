"""One batch through one explainer: maps, what they measure, and what went wrong, image by image."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from stackwalls.evaluate.adapters import ImageRef, PrecomputedExplainer
from stackwalls.evaluate.evaluation_spec import Target
from stackwalls.evaluate.maps import Explainer, Maps, Progress
from stackwalls.evaluate.metrics import dead_zone_lit, energy_share, map_fault, mu, mu_native, pointing_game
from stackwalls.evaluate.subject import Subject
from stackwalls.hub_cards import Batch
from stackwalls.model import InputError, Wall, preserved, to_input

UNKNOWN = -1
"""The label of an image whose class is not known, and the target where there is none."""


@dataclass(frozen=True, eq=False)
class PreparedBatch:
    """A batch on the device, with the network's predictions.

    Attributes:
        batch: ids, labels and pixels.
        inputs: `(N, 3, H, W)` float32 normalised, on the model's device.
        predictions: `(N,)` int64, the class of the highest logit.
        classes: number of logits.
        refs: which images these are, for maps that were made elsewhere.
    """

    batch: Batch
    inputs: torch.Tensor
    predictions: NDArray[np.int64]
    classes: int
    refs: tuple[ImageRef, ...]

    @classmethod
    def of(cls, subject: Subject, batch: Batch, dataset: str = "", start: int = 0) -> PreparedBatch:
        """Normalise the images and let the network classify them.

        Args:
            subject: the network under test.
            batch: some rows of a dataset.
            dataset: its name.
            start: the first row's position in it.

        Raises:
            InputError: if the images have not the size of the wall's image.
        """
        size = subject.wall.image_size
        if batch.images.shape[1:] != (size, size, 3):
            raise InputError(
                f"Expected images of {size} × {size} pixels, as the wall {subject.wall} is for, but got "
                f"{batch.images.shape[1:]}."
            )
        inputs = to_input(batch.images, subject.mean, subject.std, device=subject.device)
        with preserved(subject.model), torch.inference_mode():
            logits = subject.model(inputs)
        refs = tuple(ImageRef(dataset, start + place, image_id) for place, image_id in enumerate(batch.image_ids))
        return cls(batch, inputs, logits.argmax(1).cpu().numpy(), logits.shape[1], refs)

    def __len__(self) -> int:
        return len(self.batch)

    def columns(self, index: int) -> dict[str, Any]:
        """What every row of this image says, whatever the method."""
        label, prediction = int(self.batch.labels[index]), int(self.predictions[index])
        return {
            "image_id": self.batch.image_ids[index],
            "label": label,
            "prediction": prediction,
            "correct": None if label == UNKNOWN else label == prediction,
        }

    def target(self, index: int, kind: Target) -> int:
        """The class to explain; `UNKNOWN` where that is the label and the network has no such class."""
        if kind == "predicted":
            return int(self.predictions[index])
        label = int(self.batch.labels[index])
        return label if 0 <= label < self.classes else UNKNOWN


@dataclass(frozen=True, eq=False)
class Outcome:
    """One image and method: the columns of its row, and the map where there is one."""

    columns: dict[str, Any]
    map: NDArray[Any] | None = None


def explain_batch(
    subject: Subject,
    explainer: Explainer,
    prepared: PreparedBatch,
    counts: Mapping[str, int],
    kind: Target,
    progress: Progress | None = None,
) -> Iterator[tuple[int, str, Outcome]]:
    """Run an explainer over a batch and measure its maps.

    Args:
        subject: the network under test.
        explainer: of one or several methods.
        prepared: the batch.
        counts: method → how many of the batch's first images it gets.
        kind: which class is explained.
        progress: told about long calls.

    Yields:
        (index in the batch, method, outcome), in calls of at most `explainer.max_batch` images.
    """
    targets = [prepared.target(index, kind) for index in range(len(prepared))]
    for count in sorted({counts[method] for method in explainer.methods if counts[method] > 0}):
        methods = [method for method in explainer.methods if counts[method] == count]
        for index in range(count):
            if targets[index] == UNKNOWN:
                label = int(prepared.batch.labels[index])
                reason = f"no label to explain: it is {label}, and the network has {prepared.classes} classes"
                yield from ((index, method, _failed(UNKNOWN, reason)) for method in methods)
        known = [index for index in range(count) if targets[index] != UNKNOWN]
        step = explainer.max_batch or len(prepared)
        for start in range(0, len(known), step):
            indices = known[start : start + step]
            chosen = [targets[index] for index in indices]
            yield from _explain(subject, explainer, prepared, indices, chosen, methods, progress)


def _explain(
    subject: Subject,
    explainer: Explainer,
    prepared: PreparedBatch,
    indices: Sequence[int],
    targets: Sequence[int],
    methods: Sequence[str],
    progress: Progress | None,
) -> Iterator[tuple[int, str, Outcome]]:
    """One call; where it fails on several images, one call an image, so that each has its own result or reason."""
    started = _now(subject.device)
    try:
        asked = explainer
        if isinstance(explainer, PrecomputedExplainer):
            asked = explainer.for_images([prepared.refs[index] for index in indices])
        found = asked.explain(prepared.inputs[list(indices)], targets, methods, progress)
        seconds = (_now(subject.device) - started) / (len(indices) * len(methods))
        measured = {method: measure(found[method], subject.wall, len(indices)) for method in methods}
    except Exception as error:  # whatever a method raises is the reason in its row
        if len(indices) > 1:
            for index, target in zip(indices, targets, strict=True):
                yield from _explain(subject, explainer, prepared, [index], [target], methods, progress)
            return
        reason = f"{type(error).__name__}: {(str(error).splitlines() or ['no message'])[0]}"
        yield from ((indices[0], method, _failed(targets[0], reason)) for method in methods)
        return
    for method in methods:
        for index, target, outcome in zip(indices, targets, measured[method], strict=True):
            outcome.columns.update(target=target, seconds=seconds)
            yield index, method, outcome


def measure(maps: Maps, wall: Wall, count: int) -> list[Outcome]:
    """What `count` maps measure; a map that is none (wrong shape, NaN, negative) is named in its row's `error`.

    Raises:
        InputError: if there is another number of maps.
    """
    values = np.asarray(maps.maps)
    if len(values) != count:
        raise InputError(f"the method gave {len(values)} maps for {count} images")
    size = (wall.image_size, wall.image_size)
    faults = [map_fault(values[index], size) for index in range(count)]
    whole = [index for index, fault in enumerate(faults) if fault is None]
    columns = _measures(values[whole], None if maps.raw is None else np.asarray(maps.raw)[whole], wall) if whole else {}
    outcomes = [Outcome({"error": fault}) for fault in faults]
    for position, index in enumerate(whole):
        row = {name: column[position].item() for name, column in columns.items()}
        outcomes[index] = Outcome(row, values[index])
    return outcomes


def _measures(values: NDArray[Any], raw: NDArray[Any] | None, wall: Wall) -> dict[str, NDArray[Any]]:
    columns = {
        "mu": mu(values, wall),
        "lit": dead_zone_lit(values, wall),
        "energy": energy_share(values, wall),
        "pointing": pointing_game(values, wall),
    }
    return columns if raw is None else columns | {"mu_native": mu_native(raw, wall)}


def _failed(target: int, reason: str) -> Outcome:
    return Outcome({"target": target, "error": reason})


def _now(device: torch.device) -> float:
    """The clock, after all that the device was given to do."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
    return time.perf_counter()
