"""Saliency maps by the grad-cam package, as its users call it, and the model left as it was found."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import pytorch_grad_cam
import torch
from numpy.typing import NDArray
from pytorch_grad_cam.ablation_layer import AblationLayer
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import nn

from stackwalls.evaluate.maps import Maps, Progress
from stackwalls.evaluate.methods import MethodSpec
from stackwalls.evaluate.subject import Subject
from stackwalls.model import preserved


class GradCamExplainer:
    """One method of the grad-cam package on one network.

    Args:
        subject: the network under test.
        spec: the method.
    """

    def __init__(self, subject: Subject, spec: MethodSpec) -> None:
        self.subject = subject
        self.spec = spec
        self.methods = (spec.name,)
        self.max_batch = spec.max_batch

    def explain(
        self,
        images: torch.Tensor,
        targets: Sequence[int],
        methods: Sequence[str] | None = None,
        progress: Progress | None = None,
    ) -> dict[str, Maps]:
        """See `Explainer`. With `targets` the predicted classes, the same maps as with grad-cam's `targets=None`."""
        del methods  # there is only one
        with running(self.subject, self.spec, progress) as cam:
            raw = _recorded(cam)
            maps = cam(images, [ClassifierOutputTarget(int(target)) for target in targets])
        return {self.spec.name: Maps(maps, raw[-1] if raw else None)}


@contextmanager
def running(subject: Subject, spec: MethodSpec, progress: Progress | None = None) -> Iterator[Any]:
    """grad-cam's object for a method, hooked into the model; afterwards the model is as before, on errors too.

    Unlike grad-cam's own `with`, this one lets every exception through.
    """
    layer = subject.target_layer
    options: dict[str, Any] = {}
    if spec.cam_class == "AblationCAM":
        options["ablation_layer"] = AblationLayer()  # grad-cam's default one is shared by all its objects
    cam_class = getattr(pytorch_grad_cam, spec.cam_class)
    with ExitStack() as stack:
        stack.enter_context(preserved(subject.model))
        stack.enter_context(same_layers(subject.model))
        stack.enter_context(_quiet(sys.modules[cam_class.__module__], progress))
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        subject.model.requires_grad_(False)
        if spec.gradients:
            # registered before grad-cam's own hooks, so that they see what it returns
            layer.register_forward_hook(_begin_graph)
        cam = cam_class(model=subject.model, target_layers=[layer], **options)
        stack.callback(cam.activations_and_grads.release)
        yield cam


@contextmanager
def same_layers(model: nn.Module) -> Iterator[None]:
    """Put back every child module: an AblationCAM that fails half-way leaves its own layer in the model."""
    children = [(module, dict(module._modules)) for module in model.modules()]
    try:
        yield
    finally:
        for module, before in children:
            module._modules.update(before)


def _begin_graph(module: nn.Module, inputs: Any, output: torch.Tensor) -> torch.Tensor:
    """Start the graph at the target layer: no method differentiates what lies before it.

    So the convolutions need no backward pass, a frozen model works, and no activation but this is kept. The copy
    makes it no leaf, which an in-place operation after the target layer could not change.
    """
    del module, inputs
    return output.detach().requires_grad_(True).clone()


def _recorded(cam: Any) -> list[NDArray[np.float32]]:
    """A list that will hold the low-resolution maps `(N, h, w)` of each call, before ReLU."""
    raw: list[NDArray[np.float32]] = []
    original = cam.get_cam_image

    def recording(*args: Any, **kwargs: Any) -> Any:
        image = original(*args, **kwargs)
        raw.append(np.array(image, dtype=np.float32))
        return image

    cam.get_cam_image = recording
    return raw


class _InsteadOfTqdm:
    """Stands for the module `tqdm` inside grad-cam's: no bars of its own, the passes counted for ours."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress

    def tqdm(self, steps: Iterable[Any]) -> Iterator[Any]:
        steps = list(steps)
        for done, step in enumerate(steps):
            if self._progress is not None:
                self._progress(done, len(steps))
            yield step


@contextmanager
def _quiet(module: Any, progress: Progress | None) -> Iterator[None]:
    if not hasattr(module, "tqdm"):
        yield
        return
    original = module.tqdm
    module.tqdm = _InsteadOfTqdm(progress)
    try:
        yield
    finally:
        module.tqdm = original
