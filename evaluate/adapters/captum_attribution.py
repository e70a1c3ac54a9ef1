"""Attributions by captum, or by anything else with `attribute(inputs, target=…)`."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
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
    parameters_of,
    preset,
)
from stackwalls.evaluate.subject import Subject
from stackwalls.model import InputError

_EXPECTED_WARNING = "Setting .*hooks"
"""captum warns at each call of guided backpropagation and DeepLift; it removes the hooks afterwards."""


class CaptumExplainer(Adapter):
    """A captum attribution: an object, or a class, which is instantiated at the network's target layer if it takes one.

    captum's LayerGradCam has no ReLU. Here negative values count as 0, as in Grad-CAM, unless `reduce` says otherwise.

    Args:
        name: of its rows in the tables.
        subject: the network under test.
        given: the attribution, options of `attribute`, the reduction ("sum" by default).
        seed: of the random numbers that it draws.

    Raises:
        InputError: if it was made for another network or its layer, or the class needs more than a network.
    """

    def __init__(self, name: str, subject: Subject, given: Configured, seed: int = 0) -> None:
        super().__init__(name, subject, given, usual="sum", seed=seed)
        given.refuse("a captum attribution", "arrays")
        self.attribution = _made(name, subject, given.method) if class_of(given.method) else given.method
        check_network(name, subject, getattr(self.attribution, "forward_func", None))
        self._where = layers_note(name, subject, _layers(self.attribution))

    def _form(self) -> str:
        return f"{form_of(type(self.attribution))}{self._where}"

    def _values(self, inputs: torch.Tensor, targets: torch.Tensor) -> Any:
        self.subject.model.requires_grad_(False)
        attribute: Any = getattr(self.attribution, "attribute")  # noqa: B009 - of a third-party object
        parameters = parameters_of(attribute)
        takes_target = "target" in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())
        target = {"target": targets} if takes_target else {}
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=_EXPECTED_WARNING)
            return attribute(inputs.requires_grad_(True), **target, **self.given.options)


def _made(name: str, subject: Subject, method: Any) -> Any:
    """An attribution object of a class, or of a `functools.partial` of one."""
    parameters = parameters_of(method)
    if not {"model", "forward_func"} & set(parameters):
        raise InputError(
            f"The method {name}: {class_of(method)} takes more than a network. Pass an object, such as "
            "NoiseTunnel(Saliency(model))."
        )
    layer = {"layer": subject.target_layer} if "layer" in parameters and preset(method, "layer") is None else {}
    return instantiate(name, subject, method, **layer)


def _layers(attribution: Any) -> Iterable[object]:
    """The layers that it reads: one, several, or none (then it reads the input)."""
    found = getattr(getattr(attribution, "grad_cam", attribution), "layer", None)
    if found is None:
        return []
    return found if isinstance(found, list | tuple) else [found]
