"""The engine: all its methods' maps of a batch from one forward pass, equal to grad-cam's.

A backward pass runs through the head alone: the target layer is the last one with a map, so no convolution is ever
differentiated.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, fields, replace
from functools import cached_property, partial
from typing import Any, Literal, get_args

import numpy as np
import torch

from stackwalls.evaluate.engine.ablation import ablation_weights
from stackwalls.evaluate.engine.batch_sizes import BatchSizes
from stackwalls.evaluate.engine.kernels import fast_parts, multiplies_tf32, reduced_dtype
from stackwalls.evaluate.engine.score import SeenScorer, score_weights, scorer_of
from stackwalls.evaluate.engine.single_pass import SINGLE_PASS, weighted_sum
from stackwalls.evaluate.maps import Maps, Progress, normalized_maps
from stackwalls.evaluate.methods import METHODS
from stackwalls.evaluate.subject import Subject
from stackwalls.model import BlindModel, preserved
from stackwalls.model.runtime.device import stopwatch

Precision = Literal["exact", "tf32x3", "fast"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)

ENGINE_METHODS = (*SINGLE_PASS, "AblationCAM", "ScoreCAM")
"""The methods that the engine computes; all others run through grad-cam itself."""


@dataclass(frozen=True)
class Explained:
    """A batch after its one forward pass."""

    activations: torch.Tensor  # (N, C, h, w) float32, the target layer's map
    gradients: torch.Tensor  # of each image's explained logit with respect to it, same shape
    logits: torch.Tensor  # (N, classes)
    targets: torch.Tensor  # (N,) int64, the explained classes
    rest: torch.Tensor | None = None  # what else the head needs of each image (see `BlindModel.parts`)

    @property
    def scores(self) -> torch.Tensor:
        """`(N,)` the explained logits."""
        return self.logits.gather(1, self.targets[:, None])[:, 0]

    def at(self, indices: Sequence[int]) -> Explained:
        """These images of the batch; the object itself if they are all of them."""
        chosen = list(indices)
        if chosen == list(range(len(self.logits))):
            return self
        columns: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        part: dict[str, Any] = {name: each if each is None else each[chosen] for name, each in columns.items()}
        return Explained(**part)

    @classmethod
    def joined(cls, parts: Sequence[Explained]) -> Explained:
        """Several batches as one."""
        if len(parts) == 1:
            return parts[0]
        columns = {field.name: [getattr(part, field.name) for part in parts] for field in fields(cls)}
        whole: dict[str, Any] = {
            name: None if column[0] is None else torch.cat(column) for name, column in columns.items()
        }
        return cls(**whole)


def explain_head(
    model: BlindModel,
    activations: torch.Tensor,
    targets: torch.Tensor | None = None,
    rest: torch.Tensor | None = None,
) -> Explained:
    """The head forward and backward, from `(N, C, h, w)` maps of the target layer and the rest of `parts`.

    The model must be in evaluation mode, with `requires_grad` off. `targets`: `(N,)` classes to explain; the predicted
    ones by default.
    """
    leaf = activations.detach().requires_grad_(True)
    with torch.enable_grad():
        logits = model.from_parts(leaf, rest)
        if targets is None:
            targets = logits.detach().argmax(1)
        # images do not interact in evaluation mode: one backward pass of the sum gives every image's own gradient
        (gradients,) = torch.autograd.grad(logits.gather(1, targets[:, None]).sum(), leaf)
    return Explained(leaf.detach(), gradients, logits.detach(), targets, rest)


class Engine:
    """Raw low-resolution maps of a batch, for any of `ENGINE_METHODS`.

    Args:
        model: the network, in evaluation mode; nothing in it is changed.
        precision: of ScoreCAM's masked passes, and of nothing else. "exact" is float32; "tf32x3" makes a float32
            product of three TF32 ones (see `kernels.SplitProducts`); "fast" is 16 bits (see `kernels.reduced_dtype`).
            If the device has no such arithmetic, the attribute `precision` is "exact" afterwards.
        sizes: how much is computed at once; the device's usual sizes by default. They shrink if memory runs out.
    """

    def __init__(self, model: BlindModel, precision: Precision = "exact", sizes: BatchSizes | None = None) -> None:
        self.model = model
        self.device = next(model.parameters()).device
        reduced = reduced_dtype(self.device) if precision == "fast" else None
        available = reduced is not None or (precision == "tf32x3" and multiplies_tf32(self.device))
        self.precision: Precision = precision if available else "exact"
        self._dtype = reduced or torch.float32
        self.sizes = sizes or BatchSizes.usual(self.device)
        self._scorer: SeenScorer | None = None

    @cached_property
    def _parts(self) -> Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor | None]]:
        return fast_parts(self.model)

    def explained(self, images: torch.Tensor, targets: torch.Tensor | None = None) -> Explained:
        """The forward pass that all methods share, in batches of at most `sizes.images`; see `explain_head`."""

        def run(size: int) -> Explained:
            chosen = [None] * len(images) if targets is None else torch.split(targets, size)
            found = []
            for images_here, classes in zip(torch.split(images, size), chosen, strict=False):
                with torch.no_grad():
                    activations, rest = self._parts(images_here)
                found.append(explain_head(self.model, activations, classes, rest))
            return Explained.joined(found)

        return self.sizes.shrinking("images", run, len(images))

    def raw_maps(
        self,
        images: torch.Tensor,
        methods: Sequence[str],
        targets: torch.Tensor | None = None,
        progress: Progress | None = None,
    ) -> tuple[dict[str, torch.Tensor], Explained]:
        """Method → raw maps, and the forward pass that they share (see `raw_map` and `explained`)."""
        explained = self.explained(images, targets)
        return {method: self.raw_map(method, images, explained, progress) for method in methods}, explained

    def raw_map(
        self, method: str, images: torch.Tensor, explained: Explained, progress: Progress | None = None
    ) -> torch.Tensor:
        """The maps `(N, h, w)` float32 of one of `ENGINE_METHODS`, before ReLU, min–max and upsampling.

        `explained` is the forward pass of the images. `progress` is told the channels done, and all, while AblationCAM
        or ScoreCAM runs.
        """
        activations = explained.activations
        with torch.inference_mode():
            if method in SINGLE_PASS:
                return SINGLE_PASS[method](activations, explained.gradients)
            run = self._ablation if method == "AblationCAM" else self._score
            return weighted_sum(run(images, explained, progress or (lambda done, total: None)), activations)

    def _ablation(self, _: torch.Tensor, explained: Explained, progress: Progress) -> torch.Tensor:
        given = self.model, explained.activations, explained.targets, explained.scores
        number, channels = explained.activations.shape[:2]

        def run(size: int) -> torch.Tensor:
            return ablation_weights(*given, size, lambda done: progress(done, number * channels), explained.rest)

        return self.sizes.shrinking("ablated", run, channels)

    def _score(self, images: torch.Tensor, explained: Explained, progress: Progress) -> torch.Tensor:
        if self._scorer is None:
            self._scorer = scorer_of(self.model, self.sizes.masked, self._dtype, self.precision == "tf32x3")
        number, channels = explained.activations.shape[:2]

        def report(index: int, done: int) -> None:
            progress(index * channels + done, number * channels)

        found = []
        for index, (image, activations) in enumerate(zip(images, explained.activations, strict=True)):
            given = self._scorer, image, activations, int(explained.targets[index]), self.model.wall
            run = partial(score_weights, *given, report=partial(report, index))
            found.append(self.sizes.shrinking("masked", run, channels))
        return torch.stack(found)


@dataclass(frozen=True, eq=False)
class SharedPass:
    """The forward pass of a batch, for the predictions and all of the engine's maps, and its seconds per image."""

    explained: Explained
    seconds: float

    def at(self, indices: Sequence[int]) -> SharedPass:
        """These images of the batch."""
        return SharedPass(self.explained.at(indices), self.seconds)


class EngineExplainer:
    """The engine as an `Explainer` of `methods`, on a network that splits (see `engine_methods`)."""

    max_batch: int | None = None

    def __init__(
        self, subject: Subject, methods: Sequence[str], precision: Precision = "exact", sizes: BatchSizes | None = None
    ) -> None:
        if not isinstance(subject.model, BlindModel):
            raise TypeError(f"Expected a BlindModel, but got {type(subject.model).__name__}.")
        self.subject = subject
        self.methods = tuple(methods)
        self.engine = Engine(subject.model, precision, sizes)
        self.note = _precision_note(precision, self.engine.precision) if "ScoreCAM" in self.methods else None
        self.shared: SharedPass | None = None

    def from_pass(self, shared: SharedPass) -> EngineExplainer:
        """The explainer for the images of one forward pass; without it, each call makes its own."""
        explainer = copy(self)
        explainer.shared = shared
        return explainer

    def forward(self, images: torch.Tensor, targets: Sequence[int] | None = None) -> SharedPass:
        """The forward pass of `(N, 3, H, W)` images; the predicted classes are explained by default."""
        return self._timed(self.engine.explained, images, targets)

    def explaining(self, shared: SharedPass, targets: Sequence[int]) -> SharedPass:
        """The same forward pass for other classes: the head runs again, the convolutions do not."""
        return self.continuing((shared.explained.activations, shared.explained.rest), shared.seconds, targets)

    def continuing(
        self, parts: tuple[torch.Tensor, torch.Tensor | None], seconds: float, targets: Sequence[int] | None = None
    ) -> SharedPass:
        """The forward pass whose `BlindModel.parts` took so many seconds per image."""
        head = self._timed(partial(explain_head, self.engine.model, rest=parts[1]), parts[0], targets)
        return replace(head, seconds=seconds + head.seconds)

    def _timed(self, run: Callable[..., Explained], inputs: torch.Tensor, targets: Sequence[int] | None) -> SharedPass:
        chosen = None if targets is None else torch.as_tensor(list(targets), device=inputs.device)
        with preserved(self.subject.model) as model, stopwatch(inputs.device) as time:
            model.requires_grad_(False)
            explained = run(inputs, chosen)
        return SharedPass(explained, time.seconds / len(inputs))

    def explain(
        self, images: torch.Tensor, targets: Sequence[int], methods: Any = None, progress: Progress | None = None
    ) -> dict[str, Maps]:
        """See `Explainer`."""
        shared = self.shared or self.forward(images, targets)
        with preserved(self.subject.model) as model:
            model.requires_grad_(False)
            asked = self.methods if methods is None else methods
            maps = {name: self._maps(name, images, shared, progress) for name in asked}
        # grad-cam ablates to zero only if the map's minimum is zero; otherwise it uses a rule of its own
        odd = (shared.explained.activations.amin((1, 2, 3)) != 0).nonzero()[:, 0]
        if "AblationCAM" in maps and len(odd):
            maps["AblationCAM"] = self._ablated_by_grad_cam(maps["AblationCAM"], images, targets, odd)
        return maps

    def _maps(self, name: str, images: torch.Tensor, shared: SharedPass, progress: Progress | None) -> Maps:
        with stopwatch(images.device) as time:
            raw = self.engine.raw_map(name, images, shared.explained, progress)
            maps = normalized_maps(raw, images.shape[-1]).cpu().numpy()
        return Maps(maps, raw.cpu().numpy(), seconds=shared.seconds + time.seconds / len(images))

    def _ablated_by_grad_cam(self, maps: Maps, images: torch.Tensor, targets: Sequence[int], odd: torch.Tensor) -> Maps:
        from stackwalls.evaluate.adapters.grad_cam import GradCamExplainer

        explainer = GradCamExplainer(self.subject, METHODS["AblationCAM"])
        rows = odd.cpu().numpy()
        found = explainer.explain(images[odd], [targets[index] for index in rows])["AblationCAM"]
        full, raw = np.array(maps.maps), np.array(maps.raw)
        full[rows], raw[rows] = found.maps, found.raw
        return replace(maps, maps=full, raw=raw)


def _precision_note(asked: Precision, used: Precision) -> str | None:
    """What the report says about the arithmetic, if something other than float32 was requested."""
    if asked == "exact":
        return None
    arithmetic = {"tf32x3": "TF32", "fast": "16-bit"}[asked]
    passes = {"tf32x3": "three TF32 products for one of float32", "fast": "16 bits"}[asked]
    if used == "exact":
        return f"ScoreCAM: in float32, because this device has no fast {arithmetic} arithmetic"
    return f"ScoreCAM: its masked passes use {passes}; everything else is in float32"


def engine_methods(subject: Subject, names: Sequence[str]) -> tuple[str, ...]:
    """The `names` that the engine computes on this network: none unless it splits at the layer to be explained."""
    model = subject.model
    splits = isinstance(model, BlindModel) and model.splits and subject.map_layer is model.target_layer
    return tuple(name for name in names if splits and name in ENGINE_METHODS)
