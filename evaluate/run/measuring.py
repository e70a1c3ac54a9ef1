"""One batch through one explainer: maps, what they measure, and what went wrong, image by image."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from stackwalls.evaluate.adapters import ImageRef, PrecomputedExplainer
from stackwalls.evaluate.engine.batch_sizes import BatchSizes, is_out_of_memory
from stackwalls.evaluate.engine.engine import EngineExplainer, SharedPass
from stackwalls.evaluate.maps import Explainer, Maps, Progress
from stackwalls.evaluate.metrics import dead_zone_lit, energy_share, map_fault, mu, mu_native, pointing_game
from stackwalls.evaluate.run.evaluation_spec import Target
from stackwalls.evaluate.run.stopwatch import stopwatch
from stackwalls.evaluate.subject import Subject
from stackwalls.hub_cards import Batch
from stackwalls.model import InputError, RunError, StackwallsError, Wall, preserved, to_input

UNKNOWN = -1
"""The label of an image whose class is not known, and the target where there is none."""


@dataclass(frozen=True, eq=False)
class PreparedBatch:
    """A batch on the device, with the network's predictions.

    Attributes:
        subject: the network.
        batch: ids, labels and pixels.
        inputs: `(N, 3, H, W)` float32 normalised, on the model's device.
        predictions: `(N,)` int64, the highest logit; `UNKNOWN` where the logits are not finite.
        classes: number of logits.
        refs: which images these are, for maps that were made elsewhere.
        shared: the forward pass that made the predictions, for the engine's methods.
    """

    subject: Subject
    batch: Batch
    inputs: torch.Tensor
    predictions: NDArray[np.int64]
    classes: int
    refs: tuple[ImageRef, ...]
    shared: SharedPass | None = None

    @classmethod
    def of(
        cls,
        subject: Subject,
        batch: Batch,
        dataset: str = "",
        start: int = 0,
        engine: EngineExplainer | None = None,
        kind: Target = "predicted",
        sizes: BatchSizes | None = None,
    ) -> PreparedBatch:
        """Normalise the images and let the network classify them.

        Args:
            subject: the network under test.
            batch: some rows of a dataset.
            dataset: its name.
            start: the first row's position in it.
            engine: makes the one forward pass, where it makes maps too.
            kind: which class will be explained, for the engine's backward pass.
            sizes: how many images a forward pass without the engine; shrink where memory does not suffice.

        Raises:
            InputError: if the images have not the size of the wall's image, or the logits do not fit the classes.
            RunError: if memory does not suffice for one image.
        """
        size = subject.wall.image_size
        if batch.images.shape[1:] != (size, size, 3):
            raise InputError(
                f"Expected images of {size} × {size} pixels, as the wall {subject.wall} is for, but got "
                f"{batch.images.shape[1:]}."
            )
        inputs = to_input(batch.images, subject.mean, subject.std, device=subject.device)
        refs = tuple(ImageRef(dataset, start + place, image_id) for place, image_id in enumerate(batch.image_ids))
        shared = None
        with _enough_memory():
            if engine is None:
                logits = _logits(subject, inputs, sizes or BatchSizes())
            else:
                shared = engine.forward(inputs)
                logits = shared.explained.logits
                if kind == "label":
                    # rows without a class of the network's are left out later; they need some class until then
                    known = [subject.logit_of(label, logits.shape[1]) or 0 for label in batch.labels.tolist()]
                    shared = engine.explaining(shared, known)
        if subject.class_indices is not None and len(subject.class_indices) != logits.shape[1]:
            raise InputError(
                f"{subject.name} has {logits.shape[1]} logits, but `class_indices` names {len(subject.class_indices)} "
                "classes: expected one for each logit."
            )
        predictions = logits.argmax(1).where(logits.isfinite().all(1), UNKNOWN)
        return cls(subject, batch, inputs, predictions.cpu().numpy(), logits.shape[1], refs, shared)

    def __len__(self) -> int:
        return len(self.batch)

    def columns(self, index: int) -> dict[str, Any]:
        """What every row of this image says, whatever the method."""
        label, prediction = int(self.batch.labels[index]), self.subject.class_of(int(self.predictions[index]))
        return {
            "image_id": self.batch.image_ids[index],
            "label": label,
            "prediction": prediction,
            "correct": None if label == UNKNOWN else label == prediction != UNKNOWN,
        }

    def target(self, index: int, kind: Target) -> int:
        """The logit to explain; `UNKNOWN` where there is none (see `untold`)."""
        prediction, label = int(self.predictions[index]), int(self.batch.labels[index])
        if kind == "predicted" or prediction == UNKNOWN:
            return prediction
        logit = self.subject.logit_of(label, self.classes)
        return UNKNOWN if logit is None else logit

    def untold(self, index: int) -> str:
        """Why there is no class to explain."""
        if self.predictions[index] == UNKNOWN:
            return "the network's logits are not finite, so that there is no class to explain"
        return f"no label to explain: it is {self.batch.labels[index]}, and the network has {self.classes} classes"


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
                yield from ((index, method, _failed(UNKNOWN, prepared.untold(index))) for method in methods)
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
    try:
        with stopwatch(subject.device) as time:
            asked = _for_images(explainer, prepared, indices)
            found = asked.explain(prepared.inputs[list(indices)], targets, methods, progress)
        call = time.seconds / (len(indices) * len(methods))
        measured = {method: measure(found[method], subject.wall, len(indices)) for method in methods}
    except Exception as error:  # whatever a method raises is the reason in its row
        if len(indices) == 1:
            said = (str(error).splitlines() or ["no message"])[0]
            reason = said if isinstance(error, StackwallsError) else f"{type(error).__name__}: {said}"
            yield from ((indices[0], method, _failed(subject.class_of(targets[0]), reason)) for method in methods)
            return
        # half of them where memory did not suffice
        step = len(indices) // 2 if is_out_of_memory(error) else 1
    else:
        for method in methods:
            seconds = found[method].seconds
            for index, target, outcome in zip(indices, targets, measured[method], strict=True):
                outcome.columns.update(target=subject.class_of(target), seconds=call if seconds is None else seconds)
                yield index, method, outcome
        return
    # after the `except`, since its error holds the frames that hold the memory
    for start in range(0, len(indices), step):
        part = slice(start, start + step)
        yield from _explain(subject, explainer, prepared, indices[part], targets[part], methods, progress)


def _for_images(explainer: Explainer, prepared: PreparedBatch, indices: Sequence[int]) -> Explainer:
    """The explainer with what it is to know of these images."""
    if isinstance(explainer, PrecomputedExplainer):
        return explainer.for_images([prepared.refs[index] for index in indices])
    if isinstance(explainer, EngineExplainer) and prepared.shared is not None:
        return explainer.from_pass(prepared.shared.at(indices))
    return explainer


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
    columns = _measures(values[whole], wall) if whole else {}
    if whole and maps.raw is not None:
        columns["mu_native"] = mu_native(np.asarray(maps.raw)[whole], wall, maps.final)
    outcomes = [Outcome({"error": fault}) for fault in faults]
    for position, index in enumerate(whole):
        row = {name: column[position].item() for name, column in columns.items()}
        outcomes[index] = Outcome(row, values[index])
    return outcomes


def _measures(values: NDArray[Any], wall: Wall) -> dict[str, NDArray[Any]]:
    maps = torch.from_numpy(np.asarray(values, dtype=np.float64))  # converted once, not by each of them
    measured = {
        "mu": mu(maps, wall),
        "lit": dead_zone_lit(maps, wall),
        "energy": energy_share(maps, wall),
        "pointing": pointing_game(maps, wall),
    }
    return {name: column.numpy() for name, column in measured.items()}


def _failed(target: int, reason: str) -> Outcome:
    return Outcome({"target": target, "error": reason})


def _logits(subject: Subject, inputs: torch.Tensor, sizes: BatchSizes) -> torch.Tensor:
    def run(size: int) -> torch.Tensor:
        return torch.cat([subject.model(part) for part in torch.split(inputs, size)])

    with preserved(subject.model), torch.inference_mode():
        return sizes.shrinking("images", run, len(inputs))


@contextmanager
def _enough_memory() -> Iterator[None]:
    """Say in a sentence that one image alone does not fit."""
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise RunError(f"Memory does not suffice for a forward pass of one image ({said}): free some.") from error
