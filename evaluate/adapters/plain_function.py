"""Functions `f(model, inputs, targets)`, with tensors or with arrays, as Quantus calls them."""

import inspect
from typing import Any

import numpy as np
import torch
from torch import nn

from stackwalls.evaluate.adapters.adapter import MOST_IMAGES, Adapter, Configured
from stackwalls.evaluate.subject import Subject
from stackwalls.model import InputError

_NAMES = ("model", "inputs", "targets")


class FunctionExplainer(Adapter):
    """A function, in one of two conventions.

    Plain: `f(model, inputs, targets, **options)` with tensors on the model's device. It returns final maps: a negative
    value is an error, unless `reduce` says how the values become a map.

    Quantus's: `f(model=model, inputs=x, targets=y, device="cpu", **options)` with x `(N, 3, H, W)` float32 and y `(N,)`
    int64 NumPy arrays. It returns attributions of any sign: "sum" is the default reduction.

    `given` says which; if it does not, the signature does: the annotation of `inputs` decides between arrays and
    tensors. Without one, a function that takes `**kwargs` or `device` gets arrays, because Quantus passes these to all.
    Others get tensors.
    """

    def __init__(self, name: str, subject: Subject, given: Configured, seed: int = 0, most: int = MOST_IMAGES) -> None:
        self._arrays, self._keywords, self._device = _convention(name, given)
        self.usual = "sum" if self._arrays else None
        self.form = "a function with arrays, as Quantus calls it" if self._arrays else "a function with tensors"
        super().__init__(name, subject, given, seed, most)

    def _values(self, inputs: torch.Tensor, targets: torch.Tensor) -> Any:
        given = (inputs.cpu().numpy(), targets.cpu().numpy()) if self._arrays else (inputs, targets)
        arguments = (self.subject.model, *given)
        options = {**self.given.options, **({"device": str(inputs.device)} if self._device else {})}
        if self._keywords:
            return self.given.method(**dict(zip(_NAMES, arguments, strict=True)), **options)
        return self.given.method(*arguments, **options)


def _convention(name: str, given: Configured) -> tuple[bool, bool, bool]:
    """How a function is called: with arrays, with keywords `f(model=…, inputs=…, targets=…)`, with `device="cpu"`."""
    function, options = given.method, given.options
    if taken := [option for option in options if option in _NAMES]:
        raise InputError(f"The option `{taken[0]}` of the method {name} is what every call passes: leave it out.")
    try:
        signature = inspect.signature(function.forward if isinstance(function, nn.Module) else function)
    except (TypeError, ValueError):  # of some built-ins
        return bool(given.arrays), False, False
    keywords = _binds(signature, **dict.fromkeys(_NAMES), **options)
    if not keywords and not _binds(signature, None, None, None, **options):
        raise InputError(
            f"The method {name} cannot be called as f({', '.join([*_NAMES, *options])}): its signature is {signature}."
        )
    parameters = signature.parameters
    as_quantus = "device" in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    inputs = parameters.get("inputs") if keywords else dict(enumerate(parameters.values())).get(1)
    annotated = _annotated_arrays(inputs) if given.arrays is None else given.arrays
    return as_quantus if annotated is None else annotated, keywords, as_quantus and "device" not in options


def _binds(signature: inspect.Signature, *args: object, **kwargs: object) -> bool:
    try:
        signature.bind(*args, **kwargs)
    except TypeError:
        return False
    return True


def _annotated_arrays(parameter: inspect.Parameter | None) -> bool | None:
    """Whether a parameter's annotation asks for NumPy arrays; None if it does not say."""
    if parameter is None or parameter.annotation is parameter.empty:
        return None
    said = "ndarray" if parameter.annotation is np.array else str(parameter.annotation)
    if "Tensor" in said:
        return False
    return True if any(word in said.lower() for word in ("ndarray", "np.array", "numpy")) else None
