"""Functions `f(model, inputs, targets)`, with tensors or with arrays, as Quantus calls them."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from stackwalls.evaluate.adapters.adapter import Adapter, Configured
from stackwalls.evaluate.subject import Subject
from stackwalls.model import InputError

_NAMES = ("model", "inputs", "targets")


@dataclass(frozen=True)
class Convention:
    """How a function is called.

    Attributes:
        arrays: NumPy arrays for inputs and targets, as Quantus passes them, or tensors.
        keywords: `f(model=…, inputs=…, targets=…)`, or by position.
        device: whether it takes `device="cpu"`, which Quantus passes.
    """

    arrays: bool
    keywords: bool
    device: bool

    @classmethod
    def of(cls, name: str, function: Any, options: Mapping[str, Any], arrays: bool | None = None) -> Convention:
        """Read it from the signature.

        The annotation of `inputs` says whether they are arrays or tensors. Without one, a function that takes
        `**kwargs` or `device` gets arrays, because Quantus passes these to every function. Any other gets tensors.

        Args:
            name: of the method.
            function: the function, or any callable object.
            options: keyword arguments of every call.
            arrays: overrides what the signature says.

        Raises:
            InputError: if it cannot be called with three arguments.
        """
        called = function.forward if isinstance(function, nn.Module) else function
        try:
            signature = inspect.signature(called)
        except (TypeError, ValueError):  # of some built-ins
            return cls(bool(arrays), False, False)
        keywords = _binds(signature, **dict.fromkeys(_NAMES), **options)
        if not keywords and not _binds(signature, None, None, None, **options):
            raise InputError(
                f"The method {name} cannot be called as f({', '.join([*_NAMES, *options])}): its signature is "
                f"{signature}."
            )
        parameters = signature.parameters
        open_ended = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
        device = (open_ended or "device" in parameters) and "device" not in options
        if arrays is None:
            second = parameters.get("inputs") if keywords else dict(enumerate(parameters.values())).get(1)
            said = _annotated_arrays(second)
            arrays = (open_ended or "device" in parameters) if said is None else said
        return cls(arrays, keywords, device)


class FunctionExplainer(Adapter):
    """A function, in one of two conventions.

    Plain: `f(model, inputs, targets, **options)` with tensors on the model's device. It returns final maps: a negative
    value is an error, unless `reduce` says how the values become a map.

    Quantus's: `f(model=model, inputs=x, targets=y, device="cpu", **options)` with x `(N, 3, H, W)` float32 and y `(N,)`
    int64 NumPy arrays. It returns attributions of any sign: "sum" is the default reduction.

    Args:
        name: of its rows in the tables.
        subject: the network under test.
        given: the function, options of its call, the reduction, and whether it gets arrays (see `Convention.of`).
        seed: of the random numbers that it draws.

    Raises:
        InputError: if it cannot be called with three arguments.
    """

    def __init__(self, name: str, subject: Subject, given: Configured, seed: int = 0) -> None:
        self.function: Any = given.method
        self.convention = Convention.of(name, self.function, given.options, given.arrays)
        super().__init__(name, subject, given, usual="sum" if self.convention.arrays else None, seed=seed)

    def _form(self) -> str:
        return "a function with arrays, as Quantus calls it" if self.convention.arrays else "a function with tensors"

    def _values(self, inputs: torch.Tensor, targets: torch.Tensor) -> Any:
        given: tuple[Any, Any] = (inputs, targets)
        if self.convention.arrays:
            given = inputs.cpu().numpy(), targets.cpu().numpy()
        options = dict(self.given.options)
        if self.convention.device:
            options["device"] = str(inputs.device)
        model = self.subject.model
        if self.convention.keywords:
            return self.function(model=model, inputs=given[0], targets=given[1], **options)
        return self.function(model, *given, **options)


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
