"""Class activation maps by torch-cam: an extractor, or its class."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from stackwalls.evaluate.adapters.adapter import MOST_IMAGES, Adapter, Configured, class_of, preset
from stackwalls.evaluate.adapters.isolation import undisturbed
from stackwalls.evaluate.subject import Subject
from stackwalls.model import InputError


class TorchCamExplainer(Adapter):
    """An extractor of torch-cam, hooked into the network for one call at a time.

    A class is instantiated at the network's target layer; an extractor must have its hooks in the network. The options
    of `given` are those of the extractor's call. Its maps are final: what torch-cam shows, with the ReLU that most
    extractors have (CAM has none) and its min–max, upsampled bilinearly as in `torchcam.metrics`. With a reduction, the
    map is taken before torch-cam's normalization.
    """

    def __init__(self, name: str, subject: Subject, given: Configured, seed: int = 0, most: int = MOST_IMAGES) -> None:
        super().__init__(name, subject, given, seed, most)
        given.refuse("an extractor of torch-cam", "arrays")
        kind = class_of(given.method)
        self._make_target = self._target_maker()
        if kind is None:
            if not _inner(given.method).hook_handles:
                raise InputError(f"The hooks of the extractor {name} have been removed: pass its class, or a new one.")
            self._check_network(given.method.model)
        with undisturbed(subject.model, subject.kept, torch.empty(0, 3, 1, 1), seed), self._hooked() as extractor:
            if not hasattr(extractor, "target_names"):
                raise InputError(
                    f"The method {name} ({type(extractor).__name__}) does not make a map of one class: pass a function "
                    "f(model, inputs, targets) that makes one with it."
                )
            self._check_call(extractor, **self._arguments([], None))
            layers = [_inner(extractor).submodule_dict[layer] for layer in extractor.target_names]
        self.form = self._form_of(kind or type(given.method), layers)

    def _values(self, inputs: torch.Tensor, targets: torch.Tensor) -> Any:
        model = self.subject.model
        model.requires_grad_(False)
        with self._hooked() as extractor:
            scores = model(inputs.requires_grad_(True))
            maps = extractor(**self._arguments(targets.tolist(), scores, len(extractor.target_names) > 1))
            return maps[0] if len(maps) == 1 else extractor.fuse_cams(maps)

    def _arguments(self, targets: list[int], scores: Any, several: bool = False) -> dict[str, Any]:
        """Of the extractor's call. Maps of several layers are only comparable once they are normalized."""
        make = self._make_target
        explained = {"class_idx": targets} if make is None else {"targets": [make(target) for target in targets]}
        return {"normalized": several or self.reduce is None, **self.given.options, **explained, "scores": scores}

    @contextmanager
    def _hooked(self) -> Iterator[Any]:
        """The extractor with its hooks in the network; afterwards it is as it was, or gone."""
        method = self.given.method
        if class_of(method) is not None:
            layer = {} if preset(method, "target_layer") else {"target_layer": self.subject.target_layer}
            extractor = self._instantiate(method, **layer)
            try:
                yield extractor
            finally:
                if hasattr(extractor, "remove_hooks"):
                    extractor.remove_hooks()
            return
        enabled = _inner(method)._hooks_enabled
        method.enable_hooks()
        try:
            yield method
        finally:
            _inner(method)._hooks_enabled = enabled
            method.reset_hooks()  # drops the activations that it holds


def _inner(extractor: Any) -> Any:
    """The extractor that has the hooks: FinerCAM and RefineCAM wrap another one."""
    return getattr(extractor, "base_cam", extractor)
