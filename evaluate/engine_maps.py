"""Saliency maps by the engine: all its methods from one forward pass, for networks that split."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from stackwalls.evaluate.engine import ENGINE_METHODS, Engine, Precision, normalised_maps
from stackwalls.evaluate.gradcam_maps import GradCamExplainer
from stackwalls.evaluate.maps import Maps, Progress
from stackwalls.evaluate.methods import find_method
from stackwalls.evaluate.subject import Subject
from stackwalls.model import BlindModel, preserved

_ABLATION = "AblationCAM"
_SCORE = "ScoreCAM"


class EngineExplainer:
    """The engine on one network.

    Args:
        subject: a network that splits, with its own target layer (see `runs_on`).
        methods: of `ENGINE_METHODS`.
        precision: see `Engine`.
    """

    max_batch: int | None = None

    def __init__(self, subject: Subject, methods: Sequence[str], precision: Precision = "exact") -> None:
        if not isinstance(subject.model, BlindModel):
            raise TypeError(f"Expected a BlindModel, but got {type(subject.model).__name__}.")
        self.subject = subject
        self.methods = tuple(methods)
        self.engine = Engine(subject.model, precision)
        self.note = self._precision_note() if precision == "fast" and _SCORE in self.methods else None

    def _precision_note(self) -> str:
        if self.engine.precision == "exact":
            return f"{_SCORE}: in float32, since this device has no fast 16-bit arithmetic"
        return f"{_SCORE}: its masked passes in 16 bits, everything else in float32"

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
        wanted = self.methods if methods is None else tuple(methods)
        model = self.subject.model
        with preserved(model):
            model.requires_grad_(False)
            chosen = torch.as_tensor(list(targets), device=images.device)
            raw, explained = self.engine.raw_maps(images, wanted, chosen, progress)
        maps = {
            name: Maps(normalised_maps(r, images.shape[-1]).cpu().numpy(), r.cpu().numpy()) for name, r in raw.items()
        }
        if _ABLATION in wanted:
            # grad-cam ablates to zero only where the map's least value is zero; elsewhere it does something of its own
            odd = (explained.activations.amin((1, 2, 3)) != 0).nonzero()[:, 0]
            if len(odd):
                maps[_ABLATION] = self._ablated_by_grad_cam(maps[_ABLATION], images, targets, odd)
        return maps

    def _ablated_by_grad_cam(self, maps: Maps, images: torch.Tensor, targets: Sequence[int], odd: torch.Tensor) -> Maps:
        explainer = GradCamExplainer(self.subject, find_method(_ABLATION))
        found = explainer.explain(images[odd], [targets[int(index)] for index in odd])[_ABLATION]
        rows = odd.cpu().numpy()
        full, raw = np.array(maps.maps), np.array(maps.raw)
        full[rows], raw[rows] = found.maps, found.raw
        return Maps(full, raw)


def engine_methods(subject: Subject, names: Sequence[str]) -> tuple[str, ...]:
    """Those of `names` that the engine computes on this network."""
    return tuple(name for name in names if name in ENGINE_METHODS) if EngineExplainer.runs_on(subject) else ()
