"""All methods of a batch from one forward pass, exact."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from typing import Literal, get_args

import torch

from stackwalls.evaluate.engine.ablation import ablation_weights
from stackwalls.evaluate.engine.batch_sizes import BatchSizes
from stackwalls.evaluate.engine.features import Features, fast_features
from stackwalls.evaluate.engine.forward import Explained, explain_head
from stackwalls.evaluate.engine.kernels import reduced_dtype
from stackwalls.evaluate.engine.score import (
    SeenParts,
    SeenScorer,
    score_weights,
    walled_scorer,
    whole_image_scorer,
)
from stackwalls.evaluate.engine.seen_rows import SeenRows
from stackwalls.evaluate.engine.single_pass import SINGLE_PASS, weighted_sum
from stackwalls.evaluate.engine.split_products import SplitProducts, multiplies_tf32
from stackwalls.model import BlindModel, MaskedVGG16, Walled

Precision = Literal["exact", "tf32x3", "fast"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)

Progress = Callable[[int, int], None]
"""Called with (passes done, passes in all)."""


def _untold(done: int, total: int) -> None:
    """Where nobody asked for progress."""


ENGINE_METHODS = (*SINGLE_PASS, "AblationCAM", "ScoreCAM")
"""The methods that the engine computes; all others run through grad-cam itself."""


class Engine:
    """Raw low-resolution maps of a batch, for any of `ENGINE_METHODS`, equal to grad-cam's.

    Args:
        model: the network, in evaluation mode; nothing in it is changed.
        precision: of ScoreCAM's masked passes, and of nothing else. "exact" is float32; "tf32x3" makes a float32
            product of three TF32 ones (NVIDIA's GPUs from Ampere on; see `split_products`); "fast" is 16 bits (float16
            on a GPU, bfloat16 on a CPU that multiplies it natively). Where the device has no such arithmetic, the
            attribute `precision` says "exact" afterwards.
        sizes: how much is computed at once; chosen by the device by default. They shrink where memory does not suffice.
    """

    def __init__(self, model: BlindModel, precision: Precision = "exact", sizes: BatchSizes | None = None) -> None:
        self.model = model
        self.device = next(model.parameters()).device
        reduced = reduced_dtype(self.device) if precision == "fast" else None
        available = reduced is not None or (precision == "tf32x3" and multiplies_tf32(self.device))
        self.precision: Precision = precision if available else "exact"
        self._dtype = reduced or torch.float32
        self.sizes = sizes or BatchSizes.usual(self.device)
        self._features: Features | None = None
        self._scorer: SeenScorer | None = None

    def explained(self, images: torch.Tensor, targets: torch.Tensor | None = None) -> Explained:
        """The forward pass behind all methods, in batches of at most `sizes.images`.

        Args:
            images: `(N, 3, 224, 224)` normalised, on the model's device.
            targets: `(N,)` classes to explain; the predicted ones by default.
        """
        features = self._features = self._features or fast_features(self.model)

        def run(size: int) -> Explained:
            chosen = [None] * len(images) if targets is None else torch.split(targets, size)
            parts = zip(torch.split(images, size), chosen, strict=False)
            with torch.no_grad():
                return Explained.joined([explain_head(self.model, features(part), classes) for part, classes in parts])

        return self.sizes.shrinking("images", run, len(images))

    def raw_maps(
        self,
        images: torch.Tensor,
        methods: Sequence[str],
        targets: torch.Tensor | None = None,
        progress: Progress | None = None,
    ) -> tuple[dict[str, torch.Tensor], Explained]:
        """Raw maps, before ReLU, min–max and upsampling.

        Args:
            images: `(N, 3, 224, 224)` normalised, on the model's device.
            methods: of `ENGINE_METHODS`.
            targets: `(N,)` classes to explain; the predicted ones by default.
            progress: called with (channels done, channels in all) while AblationCAM or ScoreCAM runs.

        Returns:
            method → `(N, h, w)` float32, and the forward pass behind them.
        """
        explained = self.explained(images, targets)
        return {method: self.raw_map(method, images, explained, progress) for method in methods}, explained

    def raw_map(
        self, method: str, images: torch.Tensor, explained: Explained, progress: Progress | None = None
    ) -> torch.Tensor:
        """One method's `(N, h, w)` from a forward pass that was made."""
        activations = explained.activations
        with torch.inference_mode():
            if method in SINGLE_PASS:
                return SINGLE_PASS[method](activations, explained.gradients)
            run = self._ablation if method == "AblationCAM" else self._score
            return weighted_sum(run(images, explained, progress or _untold), activations)

    def _ablation(self, _: torch.Tensor, explained: Explained, progress: Progress) -> torch.Tensor:
        given = self.model, explained.activations, explained.targets, explained.scores
        number, channels = explained.activations.shape[:2]

        def report(done: int) -> None:
            progress(done, number * channels)

        return self.sizes.shrinking("ablated", lambda size: ablation_weights(*given, size, report), channels)

    def _score(self, images: torch.Tensor, explained: Explained, progress: Progress) -> torch.Tensor:
        scorer = self._scorer = self._scorer or self._make_scorer()
        weights = torch.empty(explained.activations.shape[:2], device=images.device)
        number, channels = weights.shape

        def report(index: int, done: int) -> None:
            progress(index * channels + done, number * channels)

        for index, (image, activations) in enumerate(zip(images, explained.activations, strict=True)):
            given = scorer, image, activations, int(explained.targets[index]), self.model.wall
            told = partial(report, index)
            weights[index] = self.sizes.shrinking("masked", partial(score_weights, *given, report=told), channels)
        return weights

    def _make_scorer(self) -> SeenScorer:
        model, precision = self.model, self.precision
        if isinstance(model, MaskedVGG16):
            rows = SeenRows(model, self.sizes.masked, self._dtype)
            scorer = SeenScorer(lambda parts, _: rows.features(parts[0]), rows.scores)
        else:
            scorer = walled_scorer(model) if isinstance(model, Walled) else whole_image_scorer(model)
        if precision == "tf32x3":
            split = SplitProducts()  # one, which keeps the weights that it has split
            return _run_inside(scorer, lambda: split)
        if precision == "fast" and not isinstance(model, MaskedVGG16):  # whose rows have their type already
            return _run_inside(scorer, partial(torch.autocast, self.device.type, self._dtype))
        return scorer


def _run_inside(scorer: SeenScorer, context: Callable[[], AbstractContextManager[object]]) -> SeenScorer:
    """The same with its first step in a context, asked for at each call: on a CPU calls run side by side."""

    def run(parts: SeenParts, target: int) -> torch.Tensor:
        with context():
            return scorer.run(parts, target)

    return replace(scorer, run=run)
