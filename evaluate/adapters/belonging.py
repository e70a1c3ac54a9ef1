"""Whether a method that was made elsewhere explains the network under test, at a layer that it can explain."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterable
from typing import Any

from torch import nn

from stackwalls.evaluate.subject import Subject
from stackwalls.model import InputError, Walled


def check_network(name: str, subject: Subject, explained: object) -> None:
    """Refuse a method that was made for another network: the wall proves nothing about that one.

    What is a function of one's own is not looked into.

    Raises:
        InputError: if `explained` is a module that does not hold the network under test.
    """
    explained = getattr(explained, "__self__", explained)  # model.forward
    if not isinstance(explained, nn.Module) or any(module is subject.model for module in explained.modules()):
        return
    raise InputError(
        f"The method {name} was made for another network ({type(explained).__name__}) than the one under test "
        f"({subject.name}): make it with the same object, or pass its class."
    )


def layers_note(name: str, subject: Subject, layers: Iterable[object]) -> str:
    """Where a method reads, in words.

    Raises:
        InputError: if a layer is not the network's, or runs once for each side of the wall.
    """
    layers = list(layers)
    names = {id(module): path or "the network itself" for path, module in subject.model.named_modules()}
    if unknown := [layer for layer in layers if id(layer) not in names]:
        raise InputError(f"The layer {type(unknown[0]).__name__} of the method {name} is no module of {subject.name}.")
    if isinstance(subject.model, Walled):
        inner = {id(module) for module in subject.model.extractor.modules()}
        if any(id(layer) in inner for layer in layers):
            raise InputError(
                f"The method {name} reads a layer of {subject.name} that runs on each side of the wall separately, so "
                f"it would see one side only: take the network's target layer, {names[id(subject.target_layer)]}."
            )
    if all(layer is subject.target_layer for layer in layers):
        return ""
    return f" at {', '.join(names[id(layer)] for layer in layers)}, which is not the network's target layer alone"


def class_of(method: object) -> type | None:
    """The class that a method is, or of which a `functools.partial` makes objects; None for anything else."""
    if isinstance(method, functools.partial):
        method = method.func
    return method if isinstance(method, type) else None


def parameters_of(function: Any) -> dict[str, inspect.Parameter]:
    """Parameters of a function or constructor; none where they are not known (of built-ins)."""
    try:
        return dict(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return {}


def takes(function: Any, name: str) -> bool:
    """Whether a function may be called with the keyword `name`."""
    parameters = parameters_of(function)
    return name in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())


def make(name: str, subject: Subject, factory: Any, **arguments: object) -> Any:
    """An object of somebody else's class, for the network.

    Raises:
        InputError: if its constructor raises anything.
    """
    try:
        return factory(subject.model, **arguments)
    except Exception as error:  # whatever it raises is the reason
        reason = (str(error).splitlines() or ["no message"])[0]
        raise InputError(
            f"The method {name} cannot be made for {subject.name}: {type(error).__name__}: {reason}"
        ) from error


def bound(method: object, name: str) -> Any:
    """What a `functools.partial` was given for a parameter; None otherwise."""
    return method.keywords.get(name) if isinstance(method, functools.partial) else None


def form_of(kind: type | None) -> str:
    """A class in words, with the package that it is from."""
    return "" if kind is None else f"{kind.__name__} ({kind.__module__.partition('.')[0]})"
