"""One batch through one explainer: maps, what they measure, and what went wrong, as columns of the per-image rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from stackwalls.evaluate.adapters import ImageRef, PrecomputedExplainer
from stackwalls.evaluate.adapters.isolation import LeftChangedError, same_network
from stackwalls.evaluate.classes import Matching
from stackwalls.evaluate.engine.attention import AttentionExplainer, AttentionPass, shared_passes
from stackwalls.evaluate.engine.batch_sizes import BatchSizes
from stackwalls.evaluate.engine.engine import EngineExplainer, SharedPass
from stackwalls.evaluate.maps import Explainer, Maps, Progress
from stackwalls.evaluate.metrics import dead_zone_lit, energy_share, map_fault, mu, mu_native, pointing_game
from stackwalls.evaluate.run.evaluation_spec import Target
from stackwalls.evaluate.subject import Subject
from stackwalls.hub_cards import Batch
from stackwalls.model import InputError, Wall, is_out_of_memory, memory_errors, preserved, reason_of, to_input
from stackwalls.model.runtime.device import stopwatch

ROW_SCHEMA = pa.schema(
    {
        "dataset": pa.string(),
        "image_id": pa.string(),
        "label": pa.int32(),  # index in the dataset's classes; -1 where unknown
        "transform": pa.string(),  # "as-is" or "resize-crop"; null where that is not known
        "prediction": pa.int32(),  # see `LogitClasses.number`; -1 where the logits are not finite
        "correct": pa.bool_(),  # null where the label is unknown, or not among the network's classes
        "target": pa.int32(),  # the class that was explained, as `prediction`; -1 where there was none
        "method": pa.string(),
        "mu": pa.float64(),
        "mu_native": pa.float64(),
        "lit": pa.bool_(),
        "energy": pa.float64(),
        "pointing": pa.float64(),
        "seconds": pa.float64(),  # per image, averaged over a call, as if the method ran alone
        "error": pa.string(),  # why there is no map; null if there is one
    }
)
"""Columns of the per-image rows. The measures are NaN where they are undefined and null where there is no map."""

TIMINGS = "seconds"
"""Kept in a separate file: everything else is the same on every run."""

UNKNOWN = -1
"""The label of an image whose class is not known, and the target if there is none."""


NO_ROOM = "There is not enough memory for a forward pass of one image: free some."

_MEASURES = ("mu", "mu_native", "energy", "pointing")  # in [0, 1]


def check_rows(rows: pa.Table, datasets: Sequence[Mapping[str, Any]]) -> None:
    """Check per-image rows that were read from a file (`ROW_SCHEMA`) against the datasets of their run.json.

    Raises:
        InputError: if a value is missing or out of range, or there are not as many rows as images were measured.
    """
    frame = rows.to_pandas()
    given = ["dataset", "image_id", "label", "prediction", "target", "method"]
    if missing := [name for name in given if frame[name].isna().any()]:
        raise InputError(f"Expected a value in every row's {', '.join(missing)}, but some are null.")
    measured = frame[frame["error"].isna()]
    values = measured[list(_MEASURES)].astype(float)
    if not ((frame["seconds"] >= 0) & (frame["seconds"] < np.inf) | frame["seconds"].isna()).all():
        raise InputError("Expected the seconds of every row to be a number of at least 0.")
    if measured["lit"].isna().any() or not ((values >= 0) & (values <= 1) | values.isna()).all(axis=None):
        raise InputError(f"Expected {', '.join(_MEASURES)} in [0, 1], and lit, of every row without an error.")
    found = frame.groupby(["dataset", "method"]).size().to_dict()
    said = {(data["name"], method): count for data in datasets for method, count in data["images"].items() if count}
    if found != said:
        name, method = next(pair for pair in {**found, **said} if found.get(pair) != said.get(pair))
        counts = f"{said.get((name, method), 0)} rows of {method} on {name}, but found {found.get((name, method), 0)}"
        raise InputError(f"Expected {counts}.")


@dataclass(frozen=True, eq=False)
class PreparedBatch:
    """A batch on the device, with the network's predictions and the classes to explain.

    `shared` is the forward pass that made the predictions, for the engine's methods; `attended` has the same pass with
    its attention until that is used, as it takes much memory; `refs` is for precomputed maps.
    """

    subject: Subject
    batch: Batch
    inputs: torch.Tensor  # (N, 3, H, W) float32 normalized, on the model's device
    predictions: NDArray[np.int64]  # (N,) the highest logit; UNKNOWN where the logits are not finite
    targets: NDArray[np.int64]  # (N,) the logit to explain; UNKNOWN where there is none (see `reason`)
    matching: Matching
    refs: tuple[ImageRef, ...]
    shared: SharedPass | None = None
    attended: list[AttentionPass] = field(default_factory=list)

    @classmethod
    def of(
        cls,
        subject: Subject,
        batch: Batch,
        matching: Matching,
        target: Target = "predicted",
        dataset: str = "",
        start: int = 0,
        engine: EngineExplainer | None = None,
        sizes: BatchSizes | None = None,
        attention: Callable[[torch.Tensor], AttentionPass] | None = None,
    ) -> PreparedBatch:
        """Normalize the images of a dataset from position `start` on, and let the network classify them.

        `matching` knows the logits of the dataset's classes: an image whose class has none is explained for the
        predicted one. `attention` or else `engine` makes the one forward pass, if they make maps too; otherwise `sizes`
        gives the images per pass.

        Raises:
            InputError: if the images do not have the size of the wall's image.
            RunError: if there is not enough memory for one image.
        """
        size = subject.wall.image_size
        if batch.images.shape[1:] != (size, size, 3):
            got = batch.images.shape[1:]
            raise InputError(f"The wall {subject.wall} is for images of {size} × {size} pixels, but got {got}.")
        inputs = to_input(batch.images, subject.mean, subject.std, device=subject.device)
        refs = tuple(ImageRef(dataset, start + place, image_id) for place, image_id in enumerate(batch.image_ids))
        with memory_errors(NO_ROOM):
            attended, shared = shared_passes(inputs, engine, attention)
            if shared is not None:
                logits = shared.explained.logits
            elif attended:
                logits = attended[0].attended.logits.detach()
            else:
                logits = _logits(subject, inputs, sizes or BatchSizes())
            predictions = logits.argmax(1).where(logits.isfinite().all(1), UNKNOWN).cpu().numpy()
            targets = predictions
            if target == "label":
                pairs = zip(batch.labels.tolist(), predictions.tolist(), strict=True)
                targets = np.array([_labeled_logit(matching, *pair) for pair in pairs], dtype=np.int64)
                if engine is not None and shared is not None:
                    # rows without a class are left out later; they need some class until then
                    shared = engine.explaining(shared, targets.clip(0).tolist())
        return cls(subject, batch, inputs, predictions, targets, matching, refs, shared, attended)

    def __len__(self) -> int:
        return len(self.batch)

    def columns(self, index: int) -> dict[str, Any]:
        """What every row of this image says, whatever the method."""
        label, logit = int(self.batch.labels[index]), int(self.predictions[index])
        expected = self.matching.logit_of(label)
        correct = None if expected is None else logit == expected
        transform = self.batch.transforms[index] if self.batch.transforms else None
        about = {"image_id": self.batch.image_ids[index], "label": label, "transform": transform}
        return {**about, "prediction": self.subject.classes.number(logit), "correct": correct}

    def reason(self, index: int) -> str:
        """Why there is no class to explain."""
        if self.predictions[index] == UNKNOWN:
            return "the network's logits are not finite, so that there is no class to explain"
        return f"no label to explain: it is {self.batch.labels[index]}"


@dataclass(frozen=True, eq=False)
class Outcome:
    """One image and method: the columns of its row, and the map if there is one; `raw`, before upsampling."""

    columns: dict[str, Any]
    map: NDArray[Any] | None = None
    raw: NDArray[Any] | None = None


def explain_batch(
    explainer: Explainer, prepared: PreparedBatch, counts: Mapping[str, int], progress: Progress | None = None
) -> Iterator[tuple[int, str, Outcome]]:
    """Measure an explainer's maps of a batch: (index in the batch, method, outcome).

    `counts` says how many of the batch's first images each method gets.

    Raises:
        LeftChangedError: if a method changed what cannot be restored.
    """
    foreign = () if isinstance(explainer, EngineExplainer | AttentionExplainer) else explainer.methods
    with same_network(prepared.subject, foreign):
        yield from _explain_all(explainer, prepared, counts, progress)


def _explain_all(
    explainer: Explainer, prepared: PreparedBatch, counts: Mapping[str, int], progress: Progress | None
) -> Iterator[tuple[int, str, Outcome]]:
    for count in sorted({counts[method] for method in explainer.methods if counts[method] > 0}):
        methods = [method for method in explainer.methods if counts[method] == count]
        known = [index for index in range(count) if prepared.targets[index] != UNKNOWN]
        for index in sorted(set(range(count)) - set(known)):
            failed = Outcome({"target": UNKNOWN, "error": prepared.reason(index)})
            yield from ((index, method, failed) for method in methods)
        step = explainer.max_batch or len(prepared)
        for start in range(0, len(known), step):
            yield from _explain(explainer, prepared, known[start : start + step], methods, progress)


def _explain(
    explainer: Explainer,
    prepared: PreparedBatch,
    indices: Sequence[int],
    methods: Sequence[str],
    progress: Progress | None,
) -> Iterator[tuple[int, str, Outcome]]:
    """One call; if it fails on several images, one call per image, so that each has its own result or reason."""
    subject, targets = prepared.subject, [int(prepared.targets[index]) for index in indices]
    try:
        with stopwatch(subject.device) as time:
            asked = explainer
            if isinstance(explainer, PrecomputedExplainer):
                asked = explainer.for_images([prepared.refs[index] for index in indices])
            elif isinstance(explainer, EngineExplainer) and prepared.shared is not None:
                asked = explainer.from_pass(prepared.shared.at(indices))
            elif isinstance(explainer, AttentionExplainer) and prepared.attended and len(indices) == len(prepared):
                asked = explainer.from_pass(prepared.attended.pop())
            found = asked.explain(prepared.inputs[list(indices)], targets, methods, progress)
        given = subject.wall, len(indices), subject.dead_cells
        measured = {method: measure(found[method], *given) for method in methods}
    except LeftChangedError:
        raise  # no later row would be right
    except (Exception, SystemExit) as error:  # whatever a method raises is the reason in its row
        if len(indices) == 1:
            failed = Outcome({"target": subject.classes.number(targets[0]), "error": reason_of(error)})
            yield from ((indices[0], method, failed) for method in methods)
            return
        # half of them if memory ran out
        step = len(indices) // 2 if is_out_of_memory(error) else 1
    else:
        call = time.seconds / (len(indices) * len(methods))
        for method in methods:
            seconds = found[method].seconds
            for index, target, outcome in zip(indices, targets, measured[method], strict=True):
                shown = call if seconds is None else seconds
                outcome.columns.update(target=subject.classes.number(target), seconds=shown)
                yield index, method, outcome
        return
    # after the `except`: the error holds the frames that hold the memory
    for start in range(0, len(indices), step):
        yield from _explain(explainer, prepared, indices[start : start + step], methods, progress)


def measure(maps: Maps, wall: Wall, count: int, dead: NDArray[np.bool_] | None = None) -> list[Outcome]:
    """What `count` maps measure; what is wrong with a map (shape, NaN, negative values) is its row's `error`.

    `dead` are the dead cells of the layer, for `mu_native`.

    Raises:
        InputError: if there is another number of maps.
    """
    values = np.asarray(maps.maps)
    if len(values) != count:
        raise InputError(f"the method gave {len(values)} maps for {count} images")
    faults = [map_fault(one, (wall.image_size, wall.image_size)) for one in values]
    outcomes = [Outcome({"error": fault}) for fault in faults]
    whole = [index for index, fault in enumerate(faults) if fault is None]
    if not whole:
        return outcomes
    converted = torch.from_numpy(np.asarray(values[whole], dtype=np.float64))  # once, not by each measure
    measures = {"mu": mu, "lit": dead_zone_lit, "energy": energy_share, "pointing": pointing_game}
    columns = {name: function(converted, wall).numpy() for name, function in measures.items()}
    raw = None if maps.raw is None else np.asarray(maps.raw)
    if raw is not None:
        columns["mu_native"] = mu_native(raw[whole], wall, maps.final, dead)
    for position, index in enumerate(whole):
        row = {name: column[position].item() for name, column in columns.items()}
        outcomes[index] = Outcome(row, values[index], None if raw is None else np.maximum(raw[index], 0))
    return outcomes


def _labeled_logit(matching: Matching, label: int, prediction: int) -> int:
    """The logit to explain for a label: the predicted one if the class has none; `UNKNOWN` without a label."""
    if UNKNOWN in (label, prediction):
        return UNKNOWN
    logit = matching.logit_of(label)
    return prediction if logit is None else logit


def _logits(subject: Subject, inputs: torch.Tensor, sizes: BatchSizes) -> torch.Tensor:
    def run(size: int) -> torch.Tensor:
        return torch.cat([subject.model(part) for part in torch.split(inputs, size)])

    with preserved(subject.model), torch.inference_mode():
        return sizes.shrinking("images", run, len(inputs))
