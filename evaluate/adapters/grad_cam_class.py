"""Class activation maps by a class of grad-cam's interface: one of that package's, or one of one's own."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from functools import partial
from typing import Any

import numpy as np
import pytorch_grad_cam
import torch
from numpy.typing import NDArray
from pytorch_grad_cam.ablation_layer import AblationLayer
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

from stackwalls.evaluate.adapters.adapter import Adapter
from stackwalls.evaluate.adapters.belonging import bound, class_of, form_of, layers_note, parameters_of
from stackwalls.evaluate.adapters.configured import Configured
from stackwalls.evaluate.maps import Maps
from stackwalls.evaluate.methods import METHODS
from stackwalls.evaluate.subject import Subject


class GradCamClassExplainer(Adapter):
    """A class with grad-cam's interface: `cls(model, target_layers)`, then `cam(input_tensor, targets)`.

    Its maps are final: grad-cam normalises and upsamples itself.

    Args:
        name: of its rows in the tables.
        subject: the network under test.
        given: the class, or a `functools.partial` of it; options of the call (`eigen_smooth`, `aug_smooth`).
        seed: of the random numbers that it draws.
    """

    def __init__(self, name: str, subject: Subject, given: Configured, seed: int = 0) -> None:
        super().__init__(name, subject, given, usual=None, seed=seed)
        given.refuse("a class of grad-cam's interface", "arrays", "reduce")
        self._method: Any = given.method
        self._class = class_of(given.method) or object
        self._layers: list[Any] = list(bound(given.method, "target_layers") or [subject.target_layer])
        self._where = layers_note(name, subject, self._layers)
        if self.max_batch is None:
            self.max_batch = _usual_batch(self._class)

    @property
    def note(self) -> str | None:
        """See `Adapter.note`; None for a class of grad-cam itself, whose maps are what its users know."""
        ours = self._class.__module__.partition(".")[0] == pytorch_grad_cam.__name__
        return None if ours and not self.given.options and not isinstance(self._method, partial) else super().note

    def _form(self) -> str:
        return f"{form_of(self._class)}{self._where}"

    def _values(self, inputs: torch.Tensor, targets: torch.Tensor) -> Any:
        model = self.subject.model
        # the whole graph, as grad-cam's users have it: FullGrad differentiates with respect to the input, SESS detaches
        # it, ShapleyCAM needs a gradient that depends on something
        model.requires_grad_(True)
        with ExitStack() as stack:
            stack.enter_context(_without_bars(self._class))
            with redirect_stdout(io.StringIO()):  # FullGrad prints that it takes layers of its own
                cam = self._method(model=model, target_layers=self._layers, **self._ablation())
            if hooks := getattr(cam, "activations_and_grads", None):
                stack.callback(hooks.release)
            raw = _recorded(cam)
            chosen = [ClassifierOutputTarget(target) for target in targets.tolist()]
            maps = np.asarray(cam(inputs.requires_grad_(True), chosen, **self.given.options))
        once = len(raw) == 1 and len(raw[0]) == len(inputs)
        return Maps(maps, raw[0] if once else None)

    def _ablation(self) -> dict[str, Any]:
        """grad-cam's default ablation layer is one object, shared by all."""
        return {"ablation_layer": AblationLayer()} if "ablation_layer" in parameters_of(self._method) else {}


def _usual_batch(cam_class: type) -> int | None:
    """What the registry says of a class's own method or of the method that it derives from."""
    for spec in METHODS.values():
        if issubclass(cam_class, getattr(pytorch_grad_cam, spec.cam_class)):
            return spec.max_batch
    return None


def _recorded(cam: Any) -> list[NDArray[np.float32]]:
    """A list that will hold the low-resolution maps `(N, h, w)` of each call, before ReLU."""
    raw: list[NDArray[np.float32]] = []
    inner = getattr(cam, "base_cam", cam)
    original = getattr(inner, "get_cam_image", None)
    if original is None:
        return raw

    def recording(*args: Any, **kwargs: Any) -> Any:
        image = original(*args, **kwargs)
        raw.append(np.array(image, dtype=np.float32))
        return image

    inner.get_cam_image = recording
    return raw


@contextmanager
def _without_bars(cam_class: type) -> Iterator[None]:
    """grad-cam's ScoreCAM and AblationCAM show bars of their own, which would break ours."""
    names = {parent.__module__ for parent in cam_class.__mro__}
    shown: list[Any] = [sys.modules[name] for name in names if hasattr(sys.modules.get(name), "tqdm")]
    before = [module.tqdm for module in shown]
    try:
        for module in shown:
            module.tqdm = _NoTqdm
        yield
    finally:
        for module, original in zip(shown, before, strict=True):
            module.tqdm = original


class _NoTqdm:
    """Stands for the module `tqdm` inside grad-cam's."""

    @staticmethod
    def tqdm(steps: Any, *args: Any, **kwargs: Any) -> Any:
        del args, kwargs
        return steps
