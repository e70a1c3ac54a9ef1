"""Attributions by captum, or by anything else with `attribute(inputs, target=…)`."""

import warnings
from collections.abc import Sequence
from typing import Any

import torch

from stackwalls.evaluate.adapters.adapter import MOST_IMAGES, Adapter, Configured, class_of, parameters_of, preset
from stackwalls.evaluate.subject import Subject
from stackwalls.model import InputError


class CaptumExplainer(Adapter):
    """A captum attribution: an object, or a class, which is instantiated at the network's target layer if it takes one.

    The options of `given` are those of `attribute`. captum's LayerGradCam has no ReLU. Here negative values count as 0,
    as in Grad-CAM, unless `reduce` says otherwise: "sum" is the default. captum divides what a method makes of the
    images (the steps of IntegratedGradients) into passes of at most `most` images, which changes rounding only.
    """

    usual = "sum"

    def __init__(self, name: str, subject: Subject, given: Configured, seed: int = 0, most: int = MOST_IMAGES) -> None:
        super().__init__(name, subject, given, seed, most)
        given.refuse("a captum attribution", "arrays")
        self.attribution = self._made(given.method) if class_of(given.method) else given.method
        self._check_network(getattr(self.attribution, "forward_func", None))
        # NoiseTunnel and others wrap another attribution
        self._inner = getattr(self.attribution, "attribution_method", self.attribution)
        self.form = self._form_of(type(self.attribution), _layers(self._inner))
        if hasattr(self._inner, "perm_func"):
            raise InputError(
                f"The method {name} permutes features among the images of a batch (captum's FeaturePermutation), so "
                "an image's map depends on the images beside it, and a single image has none: take FeatureAblation, or "
                "compute the maps yourself and pass them (a mapping image id → map)."
            )
        self._attribute: Any = getattr(self.attribution, "attribute")  # noqa: B009 - of a third-party object
        self._check_call(self._attribute, None, **self._arguments(None, 1))

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
        with warnings.catch_warnings():
            # captum warns at each call of guided backpropagation and DeepLift; it removes the hooks afterwards
            warnings.filterwarnings("ignore", message="Setting .*hooks")
            return self._attribute(inputs.requires_grad_(True), **self._arguments(targets, len(inputs)))

    def _arguments(self, targets: torch.Tensor | None, images: int) -> dict[str, Any]:
        """Of `attribute`, beside the images."""
        parameters: dict[str, Any] = parameters_of(self._attribute)
        if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
            parameters = {"target": None, **parameters_of(getattr(self._inner, "attribute"))}  # noqa: B009
        options = dict(self.given.options)
        caps = {"internal_batch_size": max(self.most, images), "perturbations_per_eval": max(self.most // images, 1)}
        for name in caps.keys() & parameters.keys():
            asked = options.get(name, parameters[name].default)
            options[name] = caps[name] if asked is None else min(asked, caps[name])
        return {**({"target": targets} if "target" in parameters else {}), **options}


def _layers(attribution: Any) -> Sequence[object]:
    """The layers that it reads: one, several, or none (then it reads the input)."""
    found = getattr(getattr(attribution, "grad_cam", attribution), "layer", None)
    return found if isinstance(found, list | tuple) else [layer for layer in [found] if layer is not None]
