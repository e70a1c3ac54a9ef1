"""Methods and networks that are named `package.module:name`."""

import difflib
import importlib
import operator
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from stackwalls.model.errors import InputError
from stackwalls.model.hub.failures import first_line
from stackwalls.model.runtime.foreign import contained

_SPEC = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")


def is_import_spec(text: str) -> bool:
    """Whether a text has the form `package.module:name`."""
    return _SPEC.fullmatch(text) is not None


def import_object(spec: str) -> Any:
    """Import `package.module:name`; `name` may have dots (`Class.method`).

    If Python's path has no such module, the working directory is searched too, as `python -m` does.

    Raises:
        InputError: if the module is missing or fails, or has no such name.
    """
    if not is_import_spec(spec):
        raise InputError(f"Cannot import {spec!r}: expected package.module:name, such as mypkg.explain:my_method.")
    module_name, _, path = spec.partition(":")
    if module_name.endswith(".py"):
        raise InputError(f"Cannot import {spec!r}: name the module, not its file: {module_name[:-3]}:{path}.")
    module = _import_module(spec, module_name)
    try:
        return operator.attrgetter(path)(module)
    except AttributeError as error:
        hint = did_you_mean(error.name or path, dir(error.obj))
        raise InputError(f"Cannot import {spec!r}: {first_line(error)}.{hint}") from error


def _import_module(spec: str, name: str) -> ModuleType:
    here = str(Path.cwd())
    try:
        with contained():
            return importlib.import_module(name)
    except (Exception, SystemExit) as error:  # whatever the module raises is the reason
        # whether the module itself, or a package that it is in, does not exist
        missing = isinstance(error, ModuleNotFoundError) and f"{name}.".startswith(f"{error.name}.")
        if missing and here not in sys.path:
            sys.path.append(here)  # stays: the module may import its neighbors later
            try:
                return _import_module(spec, name)
            except InputError:
                sys.path.remove(here)
                raise
        reason = f"importing {name} raised {type(error).__name__}: {first_line(error)}"
        if missing and isinstance(error, ModuleNotFoundError):
            where = f"neither on Python's path nor in {here}"
            reason = f"there is no module {error.name!r}, {where}. Install it, or run from the folder that contains it."
        raise InputError(f"Cannot import {spec!r}: {reason}") from error


def model_from(what: str | Callable[[], object]) -> nn.Module:
    """The network that `package.module:name` names, a module or what makes one without arguments; or such a function.

    Raises:
        InputError: if it cannot be imported or made.
    """
    found = import_object(what) if isinstance(what, str) else what
    name = what if isinstance(what, str) else getattr(what, "__qualname__", type(what).__name__)
    expected = "expected a torch.nn.Module, or a function that returns one when called without arguments"
    if not isinstance(found, nn.Module):
        if not callable(found):
            raise InputError(f"{name} is an object of type {type(found).__name__}: {expected}.")
        try:
            with contained():
                found = found()
        except (Exception, SystemExit) as error:  # whatever it raises is the reason
            reason = f"{type(error).__name__}: {first_line(error)}"
            raise InputError(f"Cannot make a network by {name}(): {reason}") from error
    if not isinstance(found, nn.Module):
        raise InputError(f"{name}() returned an object of type {type(found).__name__}: {expected}.")
    return found


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of an error message: the nearest known name, if one is near."""
    folded = {other.casefold(): other for other in known}
    near = difflib.get_close_matches(name.casefold().replace("-", ""), folded, n=1)
    return f" Did you mean {folded[near[0]]!r}?" if near else ""
