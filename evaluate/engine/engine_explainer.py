"""Saliency maps by the engine: all its methods from one forward pass, for networks that split."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace

import numpy as np
import torch

from stackwalls.evaluate.adapters.grad_cam_explainer import GradCamExplainer
from stackwalls.evaluate.engine import (
    ENGINE_METHODS,
    BatchSizes,
    Engine,
    Explained,
    Precision,
    explain_head,
    normalised_maps,
)
from stackwalls.evaluate.maps import Maps, Progress
from stackwalls.evaluate.methods import find_method
from stackwalls.evaluate.subject import Subject
from stackwalls.model import BlindModel, preserved
from stackwalls.model.device import stopwatch

_ABLATION = "AblationCAM"
_SCORE = "ScoreCAM"


@dataclass(frozen=True, eq=False)
class SharedPass:
    """The forward pass of a batch, which all of the engine's methods start from and which makes the predictions.

    Attributes:
        explained: the pass.
        seconds: an image, that it took.
    """

    explained: Explained
    seconds: float

    def at(self, indices: Sequence[int]) -> SharedPass:
        """Those images of the batch."""
        return SharedPass(self.explained.at(indices), self.seconds)


class EngineExplainer:
    """The engine on one network.

    Args:
        subject: a network that splits, with its own target layer (see `runs_on`).
        methods: of `ENGINE_METHODS`.
        precision: see `Engine`.
        sizes: how much is computed at once; the device's usual ones by default.
        shared: the forward pass of the images that it is asked for; one of its own for each call by default.
    """

    max_batch: int | None = None

    def __init__(
        self,
        subject: Subject,
        methods: Sequence[str],
        precision: Precision = "exact",
        sizes: BatchSizes | None = None,
        shared: SharedPass | None = None,
    ) -> None:
        if not isinstance(subject.model, BlindModel):
            raise TypeError(f"Expected a BlindModel, but got {type(subject.model).__name__}.")
        self.subject = subject
        self.methods = tuple(methods)
        self.engine = Engine(subject.model, precision, sizes)
        self.note = self._precision_note(precision) if _SCORE in self.methods else None
        self.shared = shared

    def from_pass(self, shared: SharedPass) -> EngineExplainer:
        """The explainer of the images of one forward pass."""
        explainer = copy(self)
        explainer.shared = shared
        return explainer

    def forward(self, images: torch.Tensor, targets: Sequence[int] | None = None) -> SharedPass:
        """The forward pass of `(N, 3, H, W)` images; explained are the classes predicted, by default."""
        chosen = None if targets is None else torch.as_tensor(list(targets), device=images.device)
        with preserved(self.subject.model) as model, stopwatch(images.device) as time:
            model.requires_grad_(False)
            explained = self.engine.explained(images, chosen)
        return SharedPass(explained, time.seconds / len(images))

    def explaining(self, shared: SharedPass, targets: Sequence[int]) -> SharedPass:
        """The same forward pass for other classes: the head runs again, the convolutions do not."""
        activations = shared.explained.activations
        chosen = torch.as_tensor(list(targets), device=activations.device)
        with preserved(self.subject.model) as model, stopwatch(activations.device) as time:
            model.requires_grad_(False)
            explained = explain_head(self.engine.model, activations, chosen)
        return SharedPass(explained, shared.seconds + time.seconds / len(activations))

    def _precision_note(self, asked: Precision) -> str | None:
        """What the report says about the arithmetic, where something else than float32 was asked for."""
        if asked == "exact":
            return None
        arithmetic = {"tf32x3": "TF32", "fast": "16-bit"}[asked]
        if self.engine.precision == "exact":
            return f"{_SCORE}: in float32, since this device has no fast {arithmetic} arithmetic"
        passes = {"tf32x3": "of three TF32 products for one of float32", "fast": "in 16 bits"}[asked]
        return f"{_SCORE}: its masked passes {passes}, everything else in float32"

    @staticmethod
    def runs_on(subject: Subject) -> bool:
        """Whether the network splits at the layer that is to be explained."""
        model = subject.model
        return isinstance(model, BlindModel) and subject.target_layer is model.target_layer

    def explain(
        self,
        images: torch.Tensor,
        targets: Sequence[int],
        methods: Sequence[str] | None = None,
        progress: Progress | None = None,
    ) -> dict[str, Maps]:
        """See `Explainer`."""
        shared = self.shared or self.forward(images, targets)
        with preserved(self.subject.model) as model:
            model.requires_grad_(False)
            maps = {
                name: self._maps(name, images, shared, progress)
                for name in (self.methods if methods is None else tuple(methods))
            }
        if _ABLATION in maps:
            # grad-cam ablates to zero only where the map's least value is zero; elsewhere it does something of its own
            odd = (shared.explained.activations.amin((1, 2, 3)) != 0).nonzero()[:, 0]
            if len(odd):
                maps[_ABLATION] = self._ablated_by_grad_cam(maps[_ABLATION], images, targets, odd)
        return maps

    def _maps(self, name: str, images: torch.Tensor, shared: SharedPass, progress: Progress | None) -> Maps:
        with stopwatch(images.device) as time:
            raw = self.engine.raw_map(name, images, shared.explained, progress)
            maps = normalised_maps(raw, images.shape[-1]).cpu().numpy()
        return Maps(maps, raw.cpu().numpy(), seconds=shared.seconds + time.seconds / len(images))

    def _ablated_by_grad_cam(self, maps: Maps, images: torch.Tensor, targets: Sequence[int], odd: torch.Tensor) -> Maps:
        explainer = GradCamExplainer(self.subject, find_method(_ABLATION))
        found = explainer.explain(images[odd], [targets[int(index)] for index in odd])[_ABLATION]
        rows = odd.cpu().numpy()
        full, raw = np.array(maps.maps), np.array(maps.raw)
        full[rows], raw[rows] = found.maps, found.raw
        return replace(maps, maps=full, raw=raw)


def engine_methods(subject: Subject, names: Sequence[str]) -> tuple[str, ...]:
    """Those of `names` that the engine computes on this network."""
    return tuple(name for name in names if name in ENGINE_METHODS) if EngineExplainer.runs_on(subject) else ()
