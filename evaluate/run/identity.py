"""What a run's numbers follow from: only an identical run may resume another, or return its finished results.

A method counts by what it is pickled to, as in the cache of `datasets`: an importable function or class by name, a
lambda, closure or notebook function by its code, defaults, captured values and the globals that it uses, an object by
its class and attributes. The user's own modules that its code comes from count by their source files and those that
they import, installed packages by version. What cannot be pickled counts by its type.
"""

import ast
import functools
import hashlib
import re
import site
import sys
import sysconfig
import warnings
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from importlib.machinery import PathFinder
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from importlib.util import resolve_name
from pathlib import Path
from types import FunctionType, MethodType, ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import torch
from datasets.utils._dill import Pickler  # behind `datasets.fingerprint.Hasher`
from torch import nn

from stackwalls.evaluate.adapters import Configured
from stackwalls.evaluate.classes import Matching
from stackwalls.evaluate.run.blocks import BLOCK_IMAGES, SLOW_BLOCK_IMAGES
from stackwalls.evaluate.run.evaluation_spec import EvaluationSpec
from stackwalls.evaluate.run.provenance import versions
from stackwalls.evaluate.subject import Subject
from stackwalls.model import file_sha256, import_object, is_import_spec

_NOT_ASKED = ("batch_size", "memory")
"""Settings that change the numbers by rounding only: a run that ran out of memory may resume with less."""

_KNOWN = (*sys.stdlib_module_names, __name__.partition(".")[0])
"""Packages whose version `versions` has: Python's, and this one."""

_PYTHON = [sysconfig.get_path(kind) for kind in ("stdlib", "platstdlib", "purelib", "platlib")]
_INSTALLED = [Path(at).resolve() for at in (*_PYTHON, *site.getsitepackages(), site.getusersitepackages())]

_SETTINGS = (bool, int, float, complex, str, bytes, tuple, list, type(None), FunctionType, MethodType)
"""Types of a module's attributes that count; functions are methods of this one module alone."""


def what_is_asked(
    subject: Subject,
    weights: str,
    spec: EvaluationSpec,
    data: Mapping[str, str],
    matchings: Sequence[Matching],
    methods: Mapping[str, object],
) -> dict[str, Any]:
    """Everything that the rows depend on, as JSON values; `weights` (`weights_hash`), `data` and methods by hash."""
    return {
        "model": subject.name,
        "weights": weights,
        "code of the network": network_code(subject.model),
        "wall": str(subject.wall),
        "target_layer": subject.layer_name,
        "normalization": [list(subject.mean), list(subject.std)],
        "transform of images": subject.transform.to_dict(),
        "datasets": dict(data),
        "classes": [subject.classes.to_json(), *(matching.identity for matching in matchings)],
        "methods": {name: method_identity(method) for name, method in methods.items()},
        "spec": {key: value for key, value in spec.to_dict().items() if key not in _NOT_ASKED},
        "device": subject.device.type,
        "blocks": [SLOW_BLOCK_IMAGES, BLOCK_IMAGES],
        "versions": versions(),
    }


def method_identity(method: object) -> str:
    """What tells a method from another of the same name, the same in every process.

    A registered name counts by itself, `package.module:name` by what it stands for, files and folders by their content.
    """
    if isinstance(method, Configured):
        given = {"reduce": method.reduce, "max_batch": method.max_batch, "arrays": method.arrays}
        return f"{method_identity(method.method)} {identity_of(dict(method.options))} {given}"
    if isinstance(method, str) and is_import_spec(method):
        return f"{method} {identity_of(import_object(method))}"
    if isinstance(method, str | Path):
        path = Path(method)
        files = [path] if path.is_file() else sorted(file for file in path.rglob("*.npy") if file.is_file())
        hashes = [(file.relative_to(path).as_posix(), file_sha256(file)) for file in files]
        return f"{method} {hashlib.sha256(repr(hashes).encode()).hexdigest()}" if files else str(method)
    return identity_of(method)


def identity_of(value: object) -> str:
    """SHA-256 of what a value is and does, the same in every process."""
    if digest := _digest(value):
        return digest
    parts: dict[str, str | None] = {}
    with suppress(Exception):  # its attributes may say more than its type
        parts = {name: _digest(item) for name, item in sorted(vars(value).items())}
    return hashlib.sha256(f"{_digest(type(value)) or type(value).__qualname__} {parts}".encode()).hexdigest()


def _digest(value: object) -> str | None:
    """SHA-256 of a pickled value and of the sources of its code; None if it cannot be pickled."""
    digest = hashlib.sha256()
    pickler = _Pickler(digest)
    try:
        with warnings.catch_warnings(action="ignore"):  # a class that a function made has no name to pickle it by
            pickler.dump(value)
    except Exception:  # whatever an object raises when it is looked into
        return None
    digest.update("\n".join(_sources(pickler.modules)).encode())
    return digest.hexdigest()


class _Pickler(Pickler):  # type: ignore[misc]
    """Pickles into a digest, and notes the modules of the functions and classes that it meets."""

    def __init__(self, digest: Any) -> None:
        super().__init__(SimpleNamespace(write=digest.update), recurse=True)
        self.modules: set[str] = set()

    def save(self, obj: Any, save_persistent_id: bool = True) -> None:
        if isinstance(obj, FunctionType | type):
            self.modules.add(obj.__module__ or "builtins")
        elif isinstance(obj, ModuleType):
            self.modules.add(obj.__name__)
        elif isinstance(obj, np.ndarray) and obj.dtype != object:  # hashed in place: a pickle would copy it
            content = hashlib.sha256(np.ascontiguousarray(obj).view(np.uint8).data).hexdigest()
            obj = (str(obj.dtype), obj.shape, content)
        super().save(obj, save_persistent_id)


def weights_hash(model: nn.Module) -> str:
    """SHA-256 of a network's parameters and buffers: names, types, shapes and bytes."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {getattr(tensor, 'dtype', '')} {tuple(getattr(tensor, 'shape', ()))}\n".encode())
        if isinstance(tensor, torch.Tensor):
            digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def network_code(model: nn.Module) -> str:
    """SHA-256 of what a network computes beside its weights: its structure, code and settings."""
    told = [re.sub(r"(?i) at 0x[0-9a-f]+", "", repr(model))]  # an address is different in every process
    for name, module in model.named_modules():
        public = {key: value for key, value in vars(module).items() if not key.startswith("_") and key != "training"}
        settings = {key: value for key, value in public.items() if isinstance(value, _SETTINGS)}
        told.append(f"{name} {identity_of(type(module))} {identity_of(settings)}")
    return hashlib.sha256("\n".join(told).encode()).hexdigest()


def _sources(modules: Iterable[str]) -> list[str]:
    """File hashes of the user's own modules and of those that they import; versions of installed packages."""
    found: dict[str, str] = {}
    met, left = set(_KNOWN), list(modules)
    while left:
        name = left.pop()
        top = name.partition(".")[0]
        if name in met or top in _KNOWN:
            continue
        met.add(name)
        path = _own_file(name)
        if path is None:
            found[top] = found.get(top) or _installed_version(top)
        else:
            found[name] = file_sha256(path)
            left += _imports(path, name)
    return [f"{name} {found[name]}" for name in sorted(found)]


def _own_file(name: str) -> Path | None:
    """The file of a module that is not an installed package's; the module is not imported."""
    origin = getattr(sys.modules.get(name), "__file__", None)
    if name not in sys.modules:
        parts, folders = name.split("."), None
        for end in range(1, len(parts) + 1):
            spec = PathFinder.find_spec(".".join(parts[:end]), folders)
            if spec is None or (end < len(parts) and spec.submodule_search_locations is None):
                return None
            origin, folders = spec.origin, spec.submodule_search_locations
    if origin is None or not Path(origin).is_file():
        return None
    path = Path(origin).resolve()
    return None if any(path.is_relative_to(folder) for folder in _INSTALLED) else path


def _imports(path: Path, module: str) -> set[str]:
    """Names that a source file imports, at its top or later: of modules, and of what is in them."""
    package = module if path.stem == "__init__" else module.rpartition(".")[0]
    found: set[str] = set()
    with suppress(SyntaxError, ValueError, ImportError):  # an extension, or code that Python would reject
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Import):
                found.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = resolve_name("." * node.level + (node.module or ""), package)
                found.update((base, *(f"{base}.{alias.name}" for alias in node.names)))
    return found


@functools.cache
def _installed_version(top: str) -> str:
    try:
        return version(top)
    except PackageNotFoundError:
        return " ".join(version(name) for name in packages_distributions().get(top, ()))
