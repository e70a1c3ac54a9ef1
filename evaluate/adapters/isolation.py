"""Calls of third-party code that leave nothing behind, and give the same result for the same images.

What such code can reach is restored: the network (`KeptState`), the process's settings (`SETTINGS`), functions that it
replaced, random number generators. What cannot be restored ends the run, because every later number would be of another
network: `LeftChangedError`.
"""

import os
import random
import signal
import sys
import threading
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial, reduce
from typing import Any, cast

import numpy as np
import torch
from torch import nn

from stackwalls.evaluate.subject import Subject
from stackwalls.model import KeptState, RunError, contained, preserved

_SAME_LOGITS = 1e-4
"""Of the largest logit: more than the rounding of two passes, less than what changes a map."""


class LeftChangedError(RunError):
    """A method changed what cannot be restored."""


def _attribute(owner: object, path: str) -> tuple[Callable[[], Any], Callable[[Any], None]]:
    """How a setting that is an attribute is read and written."""
    *inner, last = path.split(".")
    return lambda: getattr(reduce(getattr, inner, owner), last), lambda v: setattr(
        reduce(getattr, inner, owner), last, v
    )


def _set_environment(before: dict[str, str]) -> None:
    for name in os.environ.keys() - before.keys():
        del os.environ[name]
    os.environ.update(before)


def _set_filters(before: list[Any]) -> None:
    warnings.resetwarnings()  # also tells the modules that remember what they have shown
    cast("list[Any]", warnings.filters)[:] = before


def _set_handlers(before: dict[int, Any]) -> None:
    if threading.current_thread() is threading.main_thread():
        for number, handler in before.items():
            if handler is not None and signal.getsignal(number) is not handler:
                signal.signal(number, handler)


def _global_hooks() -> dict[str, dict[Any, Any]]:
    """Hooks that run in every module of the process."""
    return {name: dict(value) for name, value in vars(nn.modules.module).items() if _is_hooks(name, value)}


def _set_global_hooks(before: dict[str, dict[Any, Any]]) -> None:
    for name, hooks in before.items():
        registered = getattr(nn.modules.module, name)
        registered.clear()
        registered.update(hooks)


def _is_hooks(name: str, value: object) -> bool:
    return name.startswith("_global") and isinstance(value, dict)


def _autocast_depth() -> int:
    """How many contexts of autocast are open."""
    torch.autocast_increment_nesting()
    return int(torch.autocast_decrement_nesting())


def _set_autocast_depth(before: int) -> None:
    while _autocast_depth() > before:
        torch.autocast_decrement_nesting()
    while _autocast_depth() < before:
        torch.autocast_increment_nesting()
    torch.clear_autocast_cache()  # as the last context does; weights in it would never be those of a later step


SETTINGS: dict[str, tuple[Callable[[], Any], Callable[[Any], object]]] = {
    "the environment variables": (lambda: dict(os.environ), _set_environment),
    "sys.path": (lambda: list(sys.path), partial(setattr, sys, "path")),
    "sys.stderr": _attribute(sys, "stderr"),
    "the recursion limit": (sys.getrecursionlimit, sys.setrecursionlimit),
    "the signal handlers": (lambda: {each: signal.getsignal(each) for each in signal.valid_signals()}, _set_handlers),
    "the warning filters": (lambda: list(warnings.filters), _set_filters),
    "warnings.showwarning": _attribute(warnings, "showwarning"),
    "NumPy's error handling": (np.geterr, lambda before: np.seterr(**before)),
    "torch's default dtype": (torch.get_default_dtype, torch.set_default_dtype),
    # the CPU may be the default because none was set, which costs less
    "torch's default device": (
        torch.get_default_device,
        lambda before: torch.set_default_device(None if before.type == "cpu" else before),
    ),
    "torch's number of threads": (torch.get_num_threads, torch.set_num_threads),
    "torch's deterministic algorithms": (torch.get_deterministic_debug_mode, torch.set_deterministic_debug_mode),
    "torch's anomaly detection": (torch.is_anomaly_enabled, torch.autograd.set_detect_anomaly),
    "torch's handling of denormal numbers": (
        lambda: bool(torch.tensor(1e-310, dtype=torch.float64) * 1 == 0),
        torch.set_flush_denormal,
    ),
    "torch's global hooks": (_global_hooks, _set_global_hooks),
    **{
        f"autocast on {kind}": (
            partial(torch.is_autocast_enabled, kind),
            partial(torch.set_autocast_enabled, kind),
        )
        for kind in ("cpu", "cuda")
    },
    "autocast's open contexts": (_autocast_depth, _set_autocast_depth),
    "the precision of float32 products": (torch.get_float32_matmul_precision, torch.set_float32_matmul_precision),
    **{
        f"torch.{path}": _attribute(torch, path)
        for path in (
            "utils.deterministic.fill_uninitialized_memory",
            *(f"backends.cudnn.{name}" for name in ("enabled", "benchmark", "deterministic", "allow_tf32")),
            *(f"backends.cuda.matmul.{name}" for name in ("allow_tf32", "allow_fp16_reduced_precision_reduction")),
            "backends.mkldnn.enabled",
            "backends.mkldnn.deterministic",
            # since torch 2.9, by backend and operator
            *(f"backends.{name}fp32_precision" for name in ("", "cudnn.", "cudnn.conv.", "cudnn.rnn.", "cuda.matmul.")),
            *(f"backends.mkldnn.{name}.fp32_precision" for name in ("matmul", "conv", "rnn")),
        )
    },
}
"""What third-party code may set for the whole process: name → how it is read and written.

In the order of writing: one of torch's settings of precision sets several of those after it.
"""


def _value(name: str) -> Any:
    """Of a setting; None if it has none: in another torch, or with a mixture of its old and new names."""
    with suppress(AttributeError, RuntimeError):
        return SETTINGS[name][0]()
    return None


def _functions(model: nn.Module) -> list[tuple[Any, dict[str, Any]]]:
    """What a network's passes call, by the namespace it is in: its classes, and torch."""
    classes = {kind for module in model.modules() for kind in type(module).__mro__} - {object}
    owners = [*classes, torch.Tensor, torch.nn.functional, torch]
    return [(owner, {name: value for name, value in vars(owner).items() if callable(value)}) for owner in owners]


@contextmanager
def _settings_kept(model: nn.Module) -> Iterator[None]:
    """Afterwards `SETTINGS` and the functions of `_functions` are as before.

    Raises:
        LeftChangedError: if one cannot be.
    """
    before, functions = {name: _value(name) for name in SETTINGS}, _functions(model)
    try:
        yield
    finally:
        for owner, held in functions:
            now = vars(owner)
            for name in [name for name, value in held.items() if now.get(name) is not value]:
                setattr(owner, name, held[name])
            # a library that is imported inside adds to torch; a method of a class's own hides the inherited one
            for name in [name for name in now if name not in held] if isinstance(owner, type) else ():
                if callable(now[name]) and owner is not torch.Tensor:
                    delattr(owner, name)
        for name, value in before.items():
            if _value(name) != value:
                with suppress(Exception):  # what remains is told below
                    SETTINGS[name][1](value)
        if left := [name for name, value in before.items() if _value(name) != value]:
            raise LeftChangedError(
                f"A method changed {', '.join(left)}, which cannot be restored: leave that method out."
            )


@contextmanager
def restored(model: nn.Module) -> Iterator[None]:
    """Gradients on; afterwards the model has its modes, hooks, gradients and child modules again, on errors too.

    An AblationCAM that fails halfway leaves its own layer in the model.
    """
    children = [(module, dict(module._modules)) for module in model.modules()]
    with preserved(model), torch.inference_mode(False), torch.enable_grad():
        try:
            yield
        finally:
            for module, before in children:
                module._modules.update(before)


@dataclass
class Draws:
    """Whether random numbers were drawn, known afterwards."""

    any: bool = False


@contextmanager
def undisturbed(model: nn.Module, kept: KeptState, images: torch.Tensor, seed: int) -> Iterator[Draws]:
    """Run a method: gradients on, its prints to stderr; afterwards all is `restored`, the network's state as `kept`.

    The global random number generators are seeded by the images, and restored afterwards. So a method that draws
    numbers gives the same maps whatever ran before: in one process, in several, or after a resumed run. With one image
    per call, they do not depend on the batch size either.

    Raises:
        LeftChangedError: if a setting of the process was changed and cannot be restored.
    """
    sampled = images[..., ::8, ::8].detach().float().cpu().contiguous().numpy()  # enough to identify an image
    number = zlib.crc32(sampled.tobytes(), seed)
    of_python, of_numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 - what third-party code draws from
    devices = [images.device] if images.device.type == "cuda" else []
    with _settings_kept(model), restored(model), torch.random.fork_rng(devices), contained():
        for parameter in model.parameters():
            parameter.grad = None  # a backward pass would add to the user's gradient in place
        torch.manual_seed(number)
        np.random.seed(number)  # noqa: NPY002
        random.seed(number)
        draws, before = Draws(), _states(images.device)
        try:
            yield draws
        finally:
            draws.any = _states(images.device) != before
            random.setstate(of_python)
            np.random.set_state(of_numpy)  # noqa: NPY002
            kept.put_back()


@contextmanager
def same_network(subject: Subject, methods: tuple[str, ...]) -> Iterator[None]:
    """Third-party methods that run inside must leave the network's logits as they were, whatever they did to it.

    Raises:
        LeftChangedError: if they do not.
    """
    if not methods:
        yield
        return
    before = subject.probed
    yield
    try:
        rounding = _SAME_LOGITS * float(before.nan_to_num().abs().max())
        same = torch.allclose(subject.probe(), before, rtol=0, atol=rounding, equal_nan=True)
    except Exception:  # it does not even run any more
        same = False
    if not same:
        raise LeftChangedError(
            f"The method {' or '.join(methods)} changed the network in a way that cannot be restored: its logits of "
            "one image are not the same any more. Leave that method out, or make it undo what it changes."
        )


def _states(device: torch.device) -> tuple[object, ...]:
    """Of all generators that a method may draw from."""
    name, keys, *rest = np.random.get_state()  # noqa: NPY002
    of_device = torch.cuda.get_rng_state(device).numpy().tobytes() if device.type == "cuda" else b""
    of_torch = torch.get_rng_state().numpy().tobytes()
    return (of_torch, of_device, random.getstate(), name, np.asarray(keys).tobytes(), *rest)
