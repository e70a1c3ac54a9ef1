"""All methods of a batch from one forward pass, exact."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Literal

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
from stackwalls.model import BlindModel, MaskedVGG16, Walled

Precision = Literal["exact", "fast"]

Progress = Callable[[int, int], None]
"""Called with (passes done, passes in all)."""

ENGINE_METHODS = (*SINGLE_PASS, "AblationCAM", "ScoreCAM")
"""The methods that the engine computes; all others run through grad-cam itself."""


class Engine:
    """Raw low-resolution maps of a batch, for any of `ENGINE_METHODS`, equal to grad-cam's.

    Args:
        model: the network, in evaluation mode; nothing in it is changed.
        precision: "exact" computes everything in float32; "fast" runs ScoreCAM's masked passes, and nothing else, in
            16 bits (float16 on a GPU, bfloat16 on a CPU that multiplies it natively). Where the device has no such
            arithmetic, the attribute `precision` says "exact" afterwards.
        sizes: how much is computed at once; chosen by the device by default. They shrink where memory does not suffice.
    """

    def __init__(self, model: BlindModel, precision: Precision = "exact", sizes: BatchSizes | None = None) -> None:
        self.model = model
        self.device = next(model.parameters()).device
        self._dtype = torch.float32 if precision == "exact" else reduced_dtype(self.device) or torch.float32
        self.precision: Precision = "exact" if self._dtype == torch.float32 else "fast"
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

        return self.sizes.shrinking("images", run)

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
            progress: called with (channels done, channels in all) while ScoreCAM runs.

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
            weights = self._ablation(explained) if method == "AblationCAM" else self._score(images, explained, progress)
            return weighted_sum(weights, activations)

    def _ablation(self, explained: Explained) -> torch.Tensor:
        given = self.model, explained.activations, explained.targets, explained.scores
        return self.sizes.shrinking("ablated", lambda size: ablation_weights(*given, size))

    def _score(self, images: torch.Tensor, explained: Explained, progress: Progress | None) -> torch.Tensor:
        scorer = self._scorer = self._scorer or self._make_scorer()
        weights = torch.empty(explained.activations.shape[:2], device=images.device)
        number, channels = weights.shape

        def report(index: int, done: int) -> None:
            if progress is not None:
                progress(index * channels + done, number * channels)

        for index, (image, activations) in enumerate(zip(images, explained.activations, strict=True)):
            given = scorer, image, activations, int(explained.targets[index]), self.model.wall
            told = partial(report, index)
            weights[index] = self.sizes.shrinking("masked", partial(score_weights, *given, report=told))
        return weights

    def _make_scorer(self) -> SeenScorer:
        model = self.model
        if isinstance(model, MaskedVGG16):
            rows = SeenRows(model, self.sizes.masked, self._dtype)
            return SeenScorer(lambda parts, _: rows.features(parts[0]), rows.scores)
        scorer = walled_scorer(model) if isinstance(model, Walled) else whole_image_scorer(model)
        return self._reduced(scorer) if self.precision == "fast" else scorer

    def _reduced(self, scorer: SeenScorer) -> SeenScorer:
        def run(parts: SeenParts, target: int) -> torch.Tensor:
            with torch.autocast(self.device.type, self._dtype):
                return scorer.run(parts, target)

        return replace(scorer, run=run)
