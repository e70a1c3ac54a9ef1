"""Methods and networks that are named `package.module:name`: found by import, with errors that say what was tried."""

from __future__ import annotations

import difflib
import importlib
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from stackwalls.model import BlindModel, InputError, Wall

_SPEC = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")


def is_import_spec(text: str) -> bool:
    """Whether a text has the form `package.module:name`."""
    return _SPEC.fullmatch(text) is not None


def import_object(spec: str) -> Any:
    """What `package.module:name` stands for; `name` may have dots (`Class.method`).

    Where Python's path has no such module, the working directory is searched too, as `python -m` does.

    Raises:
        InputError: if the module is missing or fails, or has no such name.
    """
    if not is_import_spec(spec):
        raise InputError(f"Cannot import {spec!r}: expected package.module:name, such as mypkg.explain:my_method.")
    module_name, _, path = spec.partition(":")
    if module_name.endswith(".py"):
        raise InputError(f"Cannot import {spec!r}: name the module, not its file: {module_name[:-3]}:{path}.")
    found: Any = _import_module(spec, module_name)
    for attribute in path.split("."):
        if not hasattr(found, attribute):
            near = difflib.get_close_matches(attribute, dir(found), n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            owner = found.__name__ if isinstance(found, ModuleType | type) else type(found).__name__
            raise InputError(f"Cannot import {spec!r}: {owner} has no {attribute!r}.{hint}")
        found = getattr(found, attribute)
    return found


def _import_module(spec: str, name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        here = str(Path.cwd())
        if not _is_part_of(error.name, name) or here in sys.path:
            raise _failed(spec, name, error) from error
    except Exception as error:  # whatever the module raises is the reason
        raise _failed(spec, name, error) from error
    sys.path.append(here)  # stays: the module may import its neighbours later
    try:
        return importlib.import_module(name)
    except Exception as error:
        sys.path.remove(here)
        raise _failed(spec, name, error) from error


def _is_part_of(missing: str | None, name: str) -> bool:
    return missing is not None and f"{name}.".startswith(f"{missing}.")


def _failed(spec: str, name: str, error: Exception) -> InputError:
    if isinstance(error, ModuleNotFoundError) and _is_part_of(error.name, name):
        return InputError(
            f"Cannot import {spec!r}: there is no module {error.name!r}, neither on Python's path nor in {Path.cwd()}. "
            "Install it, or run from the folder that holds it."
        )
    reason = (str(error).splitlines() or ["no message"])[0]
    return InputError(f"Cannot import {spec!r}: importing {name} raised {type(error).__name__}: {reason}")


def model_from(spec: str) -> nn.Module:
    """The network that `package.module:name` stands for, for `--model`.

    Args:
        spec: a module, or a function or class that makes one when it is called without arguments. It must be a
            `BlindModel`, or have the attributes `wall` (a `Wall`) and `target_layer` (a module of its own); `name`,
            `mean` and `std` are taken from it too where it has them.

    Raises:
        InputError: if it cannot be imported or made, or lacks one of these.
    """
    found = import_object(spec)
    if not isinstance(found, nn.Module):
        found = _made(spec, found)
    if isinstance(found, BlindModel):
        return found
    wall, layer = getattr(found, "wall", None), getattr(found, "target_layer", None)
    if not isinstance(wall, Wall):
        raise InputError(
            f"The network of {spec} needs an attribute `wall`, a stackwalls.model.Wall such as "
            f"Wall.parse('bottom:54'), but has {_said(wall)}: without it no part of a map is known to be wrong."
        )
    if not isinstance(layer, nn.Module) or all(layer is not module for module in found.modules()):
        raise InputError(
            f"The network of {spec} needs an attribute `target_layer`, the module of its own whose output is the map "
            f"(N, C, h, w), but has {_said(layer)}."
        )
    return found


def _made(spec: str, factory: Any) -> nn.Module:
    expected = "expected a torch.nn.Module, or a function that returns one when it is called without arguments"
    if not callable(factory):
        raise InputError(f"{spec} is {_said(factory)}: {expected}.")
    try:
        found = factory()
    except Exception as error:  # whatever it raises is the reason
        reason = (str(error).splitlines() or ["no message"])[0]
        raise InputError(f"Cannot make a network by {spec}(): {type(error).__name__}: {reason}") from error
    if not isinstance(found, nn.Module):
        raise InputError(f"{spec}() gave {_said(found)}: {expected}.")
    return found


def _said(value: object) -> str:
    return "none" if value is None else f"an object of type {type(value).__name__}"
