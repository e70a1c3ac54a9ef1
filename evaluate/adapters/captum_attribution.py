"""Attributions by captum, or by anything else with `attribute(inputs, target=…)`."""

import warnings
from collections.abc import Sequence
from typing import Any

import torch

from stackwalls.evaluate.adapters.adapter import Adapter, Configured, class_of, parameters_of, preset
from stackwalls.evaluate.subject import Subject
from stackwalls.model import InputError


class CaptumExplainer(Adapter):
    """A captum attribution: an object, or a class, which is instantiated at the network's target layer if it takes one.

    The options of `given` are those of `attribute`. captum's LayerGradCam has no ReLU. Here negative values count as 0,
    as in Grad-CAM, unless `reduce` says otherwise: "sum" is the default.
    """

    usual = "sum"

    def __init__(self, name: str, subject: Subject, given: Configured, seed: int = 0) -> None:
        super().__init__(name, subject, given, seed)
        given.refuse("a captum attribution", "arrays")
        self.attribution = self._made(given.method) if class_of(given.method) else given.method
        self._check_network(getattr(self.attribution, "forward_func", None))
        self.form = self._form_of(type(self.attribution), _layers(self.attribution))

    def _made(self, method: Any) -> Any:
        """An attribution object of a class, or of a `functools.partial` of one."""
        parameters = parameters_of(method)
        if not {"model", "forward_func"} & set(parameters):
            raise InputError(
                f"The method {self.name}: {class_of(method)} takes more than a network. Pass an object, such as "
                "NoiseTunnel(Saliency(model))."
            )
        own_layer = "layer" in parameters and preset(method, "layer") is None
        return self._instantiate(method, **({"layer": self.subject.target_layer} if own_layer else {}))

    def _values(self, inputs: torch.Tensor, targets: torch.Tensor) -> Any:
        self.subject.model.requires_grad_(False)
        attribute: Any = getattr(self.attribution, "attribute")  # noqa: B009 - of a third-party object
        parameters = parameters_of(attribute)
        takes_target = "target" in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())
        target = {"target": targets} if takes_target else {}
        with warnings.catch_warnings():
            # captum warns at each call of guided backpropagation and DeepLift; it removes the hooks afterwards
            warnings.filterwarnings("ignore", message="Setting .*hooks")
            return attribute(inputs.requires_grad_(True), **target, **self.given.options)


def _layers(attribution: Any) -> Sequence[object]:
    """The layers that it reads: one, several, or none (then it reads the input)."""
    found = getattr(getattr(attribution, "grad_cam", attribution), "layer", None)
    return found if isinstance(found, list | tuple) else [layer for layer in [found] if layer is not None]
