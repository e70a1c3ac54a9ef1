"""Class activation maps by torch-cam: an extractor, or its class."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from stackwalls.evaluate.adapters.adapter import (
    Adapter,
    Configured,
    check_network,
    class_of,
    form_of,
    instantiate,
    layers_note,
    preset,
)
from stackwalls.evaluate.adapters.isolation import undisturbed
from stackwalls.evaluate.subject import Subject
from stackwalls.model import InputError


class TorchCamExplainer(Adapter):
    """An extractor of torch-cam, hooked into the network for one call at a time.

    Its map is taken before its own normalization, which has no second min–max after upsampling.

    Args:
        name: of its rows in the tables.
        subject: the network under test.
        given: a class, which is instantiated at the network's target layer, or an extractor whose hooks are in the
            network; options of the extractor's call, the reduction ("sum" by default: most extractors have a ReLU).
        seed: of the random numbers that it draws.

    Raises:
        InputError: if an extractor was made for another network, or its hooks have been removed.
    """

    def __init__(self, name: str, subject: Subject, given: Configured, seed: int = 0) -> None:
        super().__init__(name, subject, given, usual="sum", seed=seed)
        given.refuse("an extractor of torch-cam", "arrays")
        self._method: Any = given.method
        self._class: Any = class_of(given.method)
        if self._class is None:
            if not _inner(self._method).hook_handles:
                raise InputError(f"The hooks of the extractor {name} have been removed: pass its class, or a new one.")
            check_network(name, subject, self._method.model)
        with undisturbed(subject.model, subject.kept, torch.empty(0, 3, 1, 1), seed), self._hooked() as extractor:
            layers = [_inner(extractor).submodule_dict[layer] for layer in extractor.target_names]
        self._where = layers_note(name, subject, layers)

    def _form(self) -> str:
        return f"{form_of(self._class or type(self._method))}{self._where}"

    def _values(self, inputs: torch.Tensor, targets: torch.Tensor) -> Any:
        model = self.subject.model
        model.requires_grad_(False)
        with self._hooked() as extractor:
            scores = model(inputs.requires_grad_(True))
            several = len(extractor.target_names) > 1
            # maps of several layers are only comparable once they are normalised
            maps = extractor(targets.tolist(), scores, normalized=several, **self.given.options)
            return maps[0] if len(maps) == 1 else extractor.fuse_cams(maps)

    @contextmanager
    def _hooked(self) -> Iterator[Any]:
        if self._class is not None:
            layer = {} if preset(self._method, "target_layer") else {"target_layer": self.subject.target_layer}
            extractor = instantiate(self.name, self.subject, self._method, **layer)
            try:
                yield extractor
            finally:
                extractor.remove_hooks()
            return
        extractor, enabled = self._method, _inner(self._method)._hooks_enabled
        extractor.enable_hooks()
        try:
            yield extractor
        finally:
            _inner(extractor)._hooks_enabled = enabled
            extractor.reset_hooks()  # drops the activations that it holds


def _inner(extractor: Any) -> Any:
    """The extractor that has the hooks: FinerCAM and RefineCAM wrap another one."""
    return getattr(extractor, "base_cam", extractor)
