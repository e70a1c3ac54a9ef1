"""What tells a function, class, object or network from another of the same name, the same in every process.

Code counts by what it is compiled to, with what it closes over, its defaults, and what it uses of its own module; of
another module of one's own, the whole file counts; of an installed package, the name. An object counts by its class and
its attributes. What cannot be looked into (a generator, an extension's object) counts by its type alone.
"""

from __future__ import annotations

import functools
import hashlib
import logging
import re
import site
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.hooks import RemovableHandle

from stackwalls.model import file_sha256

_PLAIN = (int, float, complex, str, bytes, range, slice, Path, torch.dtype, torch.device, type(None), type(...))

_BY_TYPE = (logging.Logger, RemovableHandle, torch.Generator)
"""Kinds of objects whose attributes say nothing of what a method does, and differ from process to process."""

_INSTALLED = tuple(
    str(Path(folder).resolve())
    for folder in (
        *(sysconfig.get_path(kind) for kind in ("stdlib", "platstdlib", "purelib", "platlib")),
        *site.getsitepackages(),
        site.getusersitepackages(),
    )
)

_ADDRESS = re.compile(r" at 0x[0-9a-f]+", re.IGNORECASE)
"""In what Python prints of an object that says no more of itself; another one in every process."""

_PACKAGE = __name__.partition(".")[0]

_WRAPPERS = (staticmethod, classmethod, property, functools.cached_property)


def identity_of(value: object) -> str:
    """SHA-256 of what a value is and does."""
    try:
        return _hash(_Description().of(value))
    except Exception:  # whatever somebody's object raises when it is looked into, or endless ones
        return _name_of(type(value))


def weights_hash(model: nn.Module) -> str:
    """SHA-256 of a network's parameters and buffers: names, types, shapes and bytes."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {getattr(tensor, 'dtype', '')} {tuple(getattr(tensor, 'shape', ()))}\n".encode())
        if isinstance(tensor, torch.Tensor):
            digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def network_code(model: nn.Module) -> str:
    """SHA-256 of what a network computes beside its weights: its structure, and the code and settings of own classes.

    The classes of this package and of installed ones count by name: their versions are known.
    """
    description = _Description()
    told = [_ADDRESS.sub("", repr(model))]
    for name, module in model.named_modules():
        if _is_own_class(type(module)):
            settings = {key: item for key, item in vars(module).items() if _is_setting(key, item)}
            told.append(f"{name} {description.of(type(module))} {description.of(settings)}")
        # methods of this one module alone
        own = {key: item for key, item in vars(module).items() if isinstance(item, FunctionType | MethodType)}
        told += [f"{name}.{key} {description.of(item)}" for key, item in own.items()]
    return _hash("\n".join(told))


def _is_setting(name: str, value: object) -> bool:
    return not name.startswith("_") and name != "training" and isinstance(value, (*_PLAIN, tuple, list))


class _Description:
    """Values as text; each object that is met again counts once, so that circles end."""

    def __init__(self) -> None:
        self._met: dict[int, object] = {}

    def of(self, value: object) -> str:
        """The text, which may be long."""
        if isinstance(value, _PLAIN):
            return repr(value)
        if isinstance(value, tuple):  # equal constants may be one object or several: not asked
            return f"({', '.join(map(self.of, value))})"
        if isinstance(value, set | frozenset):
            return f"{{{', '.join(sorted(map(self.of, value)))}}}"
        if id(value) in self._met:
            return "…"
        self._met[id(value)] = value  # held, so that no other gets its id
        if isinstance(value, Mapping):
            return f"{{{', '.join(f'{self.of(key)}: {self.of(item)}' for key, item in value.items())}}}"
        if isinstance(value, list):
            return f"[{', '.join(map(self.of, value))}]"
        return self._of_object(value)

    def _of_object(self, value: Any) -> str:
        if isinstance(value, torch.Tensor):
            value = value.detach().cpu().resolve_conj().resolve_neg()
            return f"{value.dtype} {tuple(value.shape)} {_hash(_bytes_of(value))}"
        if isinstance(value, np.ndarray | np.generic):
            value = np.asarray(value)
            return f"{value.dtype} {value.shape} {self.of(value.tolist()) if value.dtype == object else _hash(value)}"
        if isinstance(value, functools.partial):
            return f"{self.of(value.func)} {self.of(value.args)} {self.of(value.keywords)}"
        if isinstance(value, MethodType):
            return f"{self.of(value.__func__)} of {self.of(value.__self__)}"
        if isinstance(value, FunctionType):
            return self._of_function(value)
        if isinstance(value, _WRAPPERS):
            parts = [getattr(value, name, None) for name in ("__func__", "func", "fget", "fset", "fdel")]
            return self.of(parts)
        if isinstance(value, type):
            return self._of_class(value)
        if isinstance(value, ModuleType):
            return _of_module(value)
        if isinstance(value, nn.Module):
            return f"{self.of(type(value))} {network_code(value)} {weights_hash(value)}"
        if isinstance(value, _BY_TYPE) or not hasattr(value, "__dict__"):
            return _name_of(type(value) if not hasattr(value, "__qualname__") else value)
        return f"{self.of(type(value))} {self.of(vars(value))}"

    def _of_function(self, function: FunctionType) -> str:
        named = _name_of(function)
        around = [
            function.__defaults__,
            function.__kwdefaults__,
            [_content(cell) for cell in function.__closure__ or ()],
        ]
        wrapped = getattr(function, "__wrapped__", None)
        if not _is_own(function.__globals__.get("__name__", ""), function.__code__.co_filename):
            return f"{named} {self.of(around)} {self.of(wrapped)}"
        used = {
            name: function.__globals__[name]
            for name in sorted(set(_names(function.__code__)))
            if name in function.__globals__
        }
        uses = {name: self._of_global(item, function.__module__) for name, item in used.items()}
        return f"{named} {self._of_code(function.__code__)} {self.of(around)} {self.of(wrapped)} {uses}"

    def _of_global(self, value: Any, module: str) -> str:
        """What a function's own module defines counts by what it is, what it imports by where it is from."""
        if isinstance(value, FunctionType | type) and value.__module__ != module:
            return f"{_name_of(value)} {_of_module(sys.modules.get(value.__module__))}"
        data = isinstance(value, (*_PLAIN, Mapping, tuple, list, set, frozenset, torch.Tensor, np.ndarray, nn.Module))
        code = isinstance(value, FunctionType | type | ModuleType | functools.partial)
        if data or code or _is_own_class(type(value)):
            return self.of(value)
        return _name_of(type(value))

    def _of_code(self, code: CodeType) -> str:
        constants = [self._of_code(item) if isinstance(item, CodeType) else self.of(item) for item in code.co_consts]
        return f"{_hash(code.co_code)} {code.co_names} {code.co_varnames} {code.co_freevars} {constants}"

    def _of_class(self, kind: type) -> str:
        if not _is_own_class(kind):
            return _name_of(kind)
        content = {
            name: item
            for name, item in sorted(vars(kind).items())
            if isinstance(item, (FunctionType, *_WRAPPERS)) or (not name.startswith("__") and isinstance(item, _PLAIN))
        }
        return f"{_name_of(kind)} {self.of(content)} {self.of(kind.__bases__)}"


def _names(code: CodeType) -> Iterator[str]:
    """The names that code, and code inside it, looks up."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _content(cell: Any) -> object:
    try:
        return cell.cell_contents
    except ValueError:  # not yet filled
        return None


def _name_of(named: Any) -> str:
    return f"{getattr(named, '__module__', '')}.{getattr(named, '__qualname__', type(named).__qualname__)}"


def _of_module(module: ModuleType | None) -> str:
    """The content of its file where it is one's own, the name otherwise."""
    path = getattr(module, "__file__", None)
    if module is None or path is None or not _is_own(module.__name__, path) or not Path(path).is_file():
        return getattr(module, "__name__", "")
    return f"{module.__name__} {file_sha256(Path(path))}"


def _is_own_class(kind: type) -> bool:
    """A class of a notebook, or of text that was executed, has no file."""
    path = getattr(sys.modules.get(kind.__module__), "__file__", None)
    return kind.__module__ != "builtins" and _is_own(kind.__module__, path or "")


def _is_own(module: str, path: str) -> bool:
    """Whether code is neither this package's nor Python's or an installed package's."""
    if module.partition(".")[0] == _PACKAGE or path.startswith("<frozen"):
        return False
    resolved = str(Path(path).resolve())
    return not any(resolved.startswith(f"{folder}/") for folder in _INSTALLED)


def _bytes_of(tensor: torch.Tensor) -> bytes:
    if tensor.layout != torch.strided:
        return repr(tensor).encode()
    return tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def _hash(content: str | bytes | np.ndarray[Any, Any]) -> str:
    if isinstance(content, str):
        content = content.encode()
    elif isinstance(content, np.ndarray):
        content = content.tobytes()
    return hashlib.sha256(content).hexdigest()
