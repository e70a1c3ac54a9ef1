"""The entry point: from a method in any form to an `Explainer`. Other libraries are imported when one is asked for."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from stackwalls.evaluate.adapters.adapter import (
    MOST_IMAGES,
    Adapter,
    Configured,
    OwnExplainer,
    class_of,
    parameters_of,
)
from stackwalls.evaluate.adapters.captum_attribution import CaptumExplainer
from stackwalls.evaluate.adapters.plain_function import FunctionExplainer
from stackwalls.evaluate.adapters.precomputed import PrecomputedExplainer
from stackwalls.evaluate.adapters.torch_cam_extractor import TorchCamExplainer
from stackwalls.evaluate.adapters.zennit_attributor import ZennitExplainer, is_attributor, is_composite
from stackwalls.evaluate.engine.attention import ATTENTION_METHODS, AttentionExplainer
from stackwalls.evaluate.engine.engine import ENGINE_METHODS, EngineExplainer
from stackwalls.evaluate.maps import Explainer
from stackwalls.evaluate.methods import ALIASES, METHODS, MethodSpec
from stackwalls.evaluate.subject import Subject
from stackwalls.model import InputError, did_you_mean, import_object, is_import_spec

FORMS = (
    "a name (GradCAM, a class of grad-cam such as LayerCAM, or of a transformer's attention such as Rollout)",
    "package.module:name of one of the following",
    "a grad-cam class",
    "a captum attribution, class or object",
    "a torch-cam extractor, class or object",
    "a zennit attributor or composite, class or object",
    "a function f(model, inputs, targets)",
    "maps that were made elsewhere (a mapping image id → map, an array, a .npz, a .npy, a folder of .npy files)",
)
"""What a method may be."""

_FILES = (".npz", ".npy")


def as_explainer(name: str, method: object, subject: Subject, seed: int = 0, most: int = MOST_IMAGES) -> Explainer:
    """A method in any of `FORMS`, `Configured` or not, as an explainer of one network.

    The form is recognized by its interface, in this order:

    - an `Explainer` is used as it is, and called as third-party code
    - a string is a name of the registry, a class of grad-cam, `package.module:name` (imported, then recognized), or a
      path
    - a path, a mapping or an array is maps that were made elsewhere
    - a class with `attribute` is captum's; one whose constructor takes `target_layers` grad-cam's; one that takes
      `target_layer` torch-cam's (`functools.partial` of a class passes more arguments to its constructor)
    - an object with `attribute` is captum's; one with `target_names` torch-cam's
    - a class or object with `context` and `inactive` is a composite of zennit; one with `attr_output` its attributor
    - any other callable is a function

    Args:
        name: of its rows in the tables.
        method: the method.
        subject: the network under test.
        seed: of the random numbers that the method draws.
        most: images in one pass of the network, as for `Adapter`.

    Raises:
        InputError: if it is none of these, or the method does not fit the network.
    """
    given = _configured(method)
    found = given.method
    if isinstance(found, MethodSpec) and given.options:
        import pytorch_grad_cam

        found = getattr(pytorch_grad_cam, found.cam_class)  # which takes them
        given = replace(given, method=found)
    if isinstance(found, str):
        given.refuse(f"{found} of the registry", "options", "reduce", "max_batch", "arrays")
        return AttentionExplainer(subject, {name: found})
    if isinstance(found, MethodSpec):
        from stackwalls.evaluate.adapters.grad_cam import GradCamExplainer

        given.refuse(f"{found.name} of the registry", "reduce", "arrays")
        return GradCamExplainer(subject, replace(found, name=name, max_batch=given.max_batch or found.max_batch))
    if isinstance(found, Path | Mapping | np.ndarray | torch.Tensor):
        return PrecomputedExplainer(name, subject, given)
    if not isinstance(found, type) and hasattr(found, "explain") and hasattr(found, "methods"):
        given.refuse("an Explainer", "options", "reduce", "max_batch", "arrays")
        if name not in found.methods:
            raise InputError(f"The explainer given as {name} makes {', '.join(found.methods)}: use one of these names.")
        from stackwalls.evaluate.adapters.grad_cam import GradCamExplainer

        if isinstance(found, EngineExplainer | AttentionExplainer | PrecomputedExplainer | GradCamExplainer | Adapter):
            return found
        return OwnExplainer(name, subject, replace(given, max_batch=found.max_batch), seed)
    return _adapter(name, found)(name, subject, given, seed, most)


def named_methods(methods: Any = None) -> dict[str, object]:
    """Methods with names for their rows: name → method.

    Args:
        methods: a mapping name → method, or one method or several. Their names are the registry's, a class's or
            function's own, the last part of `package.module:name` (all of it if that is taken), or a file's. None: the
            registry's methods.

    Raises:
        InputError: if there is none, a name is taken, or a name is not text.
    """
    if methods is None:
        return dict(zip(METHODS, METHODS, strict=True))
    if isinstance(methods, Mapping):
        named = dict(methods)
    else:
        single = not isinstance(methods, Iterable) or isinstance(methods, str | type | np.ndarray | torch.Tensor)
        named = {}
        for method in [methods] if single else methods:
            name = _name_of(method, named)
            same = method is (other := named.get(name, method)) or (isinstance(method, str | Path) and method == other)
            if not same:
                raise InputError(f"Two methods have the name {name!r}: name them, methods={{'{name}': …, 'other': …}}.")
            named[name] = method
    if not named:
        raise InputError(f"No method was named: expected one or more of {', '.join(METHODS)}, or methods of your own.")
    if wrong := [name for name in named if not isinstance(name, str) or not name.strip() or not name.isprintable()]:
        raise InputError(f"Expected the name of a method to be text on one line, but got {wrong[0]!r}.")
    return {name: ALIASES.get(m, m) if isinstance(m, str) else m for name, m in named.items()}


def registered(named: Mapping[str, object]) -> tuple[str, ...]:
    """The names in `named_methods` that stand for themselves: this package may make their maps."""
    known = {*METHODS, *ENGINE_METHODS, *ATTENTION_METHODS}
    return tuple(name for name, method in named.items() if isinstance(method, str) and method == name in known)


def _name_of(method: object, taken: Mapping[str, object]) -> str:
    method = Configured.of(method).method
    if isinstance(method, str) and is_import_spec(method):
        last = method.rpartition(":")[2].rpartition(".")[2]
        return method if last in taken or last in METHODS or last in ALIASES else last
    if isinstance(method, str) and Path(method).suffix not in _FILES:
        return ALIASES.get(method, method)
    if isinstance(method, str | Path):
        return Path(method).stem
    named: object = class_of(method) or getattr(method, "func", method)
    return str(getattr(named, "__name__", type(named).__name__))


def _configured(method: object) -> Configured:
    """A method and its options, with what a string names, which may have options of its own."""
    given = Configured.of(method)
    found = _resolved(given.method)
    if isinstance(found, Configured) and not isinstance(method, Configured):
        return _configured(found)
    return replace(given, method=found)


def _resolved(method: object) -> object:
    """The method that a string names."""
    if not isinstance(method, str):
        return _registered(method)
    if spec := METHODS.get(ALIASES.get(method, method)):
        return spec
    if method in ATTENTION_METHODS:
        return method
    import pytorch_grad_cam

    classes = {name: kind for name, kind in vars(pytorch_grad_cam).items() if isinstance(kind, type)}
    classes = {name: kind for name, kind in classes.items() if _is_grad_cam(kind)}
    if method in classes:
        return classes[method]
    if is_import_spec(method):
        return _registered(import_object(method))
    if Path(method).suffix in _FILES or Path(method).is_dir():
        return Path(method)
    raise InputError(
        f"Unknown method {method!r}: expected {', '.join([*METHODS, *ATTENTION_METHODS])}, another class of grad-cam, "
        "package.module:name, or a file or folder of maps."
        + did_you_mean(method, [*METHODS, *ALIASES, *ATTENTION_METHODS, *classes])
    )


def _registered(method: object) -> object:
    """The registry's entry for a class of grad-cam, or the method itself."""
    if not str(getattr(method, "__module__", "")).startswith("pytorch_grad_cam."):
        return method
    import pytorch_grad_cam

    own = (spec for spec in METHODS.values() if method is getattr(pytorch_grad_cam, spec.cam_class))
    return next(own, method)


def _is_grad_cam(kind: type) -> bool:
    return hasattr(kind, "get_cam_image") or ("target_layers" in parameters_of(kind) and hasattr(kind, "forward"))


def _adapter(name: str, method: object) -> Callable[[str, Subject, Configured, int, int], Explainer]:
    """The adapter for a class, object or function."""
    kind = class_of(method)
    if hasattr(kind or method, "attribute"):
        return CaptumExplainer
    if is_composite(method) or is_attributor(method):
        return ZennitExplainer
    if kind is not None and _is_grad_cam(kind):
        from stackwalls.evaluate.adapters.grad_cam import GradCamClassExplainer

        return GradCamClassExplainer
    if kind is not None and (hasattr(kind, "compute_cams") or "target_layer" in parameters_of(kind)):
        return TorchCamExplainer
    if kind is None and hasattr(method, "target_names") and callable(method):
        return TorchCamExplainer
    if kind is None and any(
        hasattr(method, sign) for sign in ("activations_and_grads", "base_cam", "base_cam_per_layer")
    ):
        raise InputError(
            f"The method {name} is an object of grad-cam, which collects the activations of every pass of the network: "
            f"pass the class, {type(method).__name__}, or functools.partial of it."
        )
    if kind is not None or not callable(method):
        found = type(method).__name__ if kind is None else f"the class {kind.__name__}"
        raise InputError(f"The method {name} is {found}: expected one of {'; '.join(FORMS)}.")
    return FunctionExplainer
