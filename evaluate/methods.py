"""The registry of saliency methods: name → what runs it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from stackwalls.model import InputError


@dataclass(frozen=True)
class MethodSpec:
    """A saliency method of the grad-cam package.

    Attributes:
        name: as in the tables.
        cam_class: its class in `pytorch_grad_cam`.
        source: the paper that defines it.
        gradients: whether it needs a backward pass.
        max_batch: the most images in one call, where memory sets a limit; None: the caller's choice.
        zero_by_construction: whether it multiplies each activation by its own gradient, position by position: behind a
            wall that product is exactly 0 wherever the head does not read, whatever the method is worth otherwise.
    """

    name: str
    cam_class: str
    source: str
    gradients: bool = True
    max_batch: int | None = None
    zero_by_construction: bool = False


_SPECS = (
    MethodSpec("GradCAM", "GradCAM", "Selvaraju et al. 2017"),
    MethodSpec("GradCAM++", "GradCAMPlusPlus", "Chattopadhay et al. 2018"),
    MethodSpec("XGradCAM", "XGradCAM", "Fu et al. 2020"),
    # grad-cam holds every masked copy of every image at once: 266 MB an image with 256 channels, 1.3 GB with 1,280
    MethodSpec("ScoreCAM", "ScoreCAM", "Wang et al. 2020", gradients=False, max_batch=1),
    MethodSpec("AblationCAM", "AblationCAM", "Desai and Ramaswamy 2020", gradients=False),
    MethodSpec("EigenCAM", "EigenCAM", "Muhammad and Yeasin 2020", gradients=False),
    MethodSpec("HiResCAM", "HiResCAM", "Draelos and Carin 2020", zero_by_construction=True),
)

METHODS: dict[str, MethodSpec] = {spec.name: spec for spec in _SPECS}
"""The seven methods of the paper's Table 1, in its order."""

ALIASES = {"GradCAMPlusPlus": "GradCAM++"}
"""Other names under which a method is known."""


def find_method(name: str) -> MethodSpec:
    """The method of this name or alias.

    Raises:
        InputError: if there is none; the message lists the valid names and the nearest.
    """
    spec = METHODS.get(ALIASES.get(name, name))
    if spec is not None:
        return spec
    folded = {known.casefold(): known for known in (*METHODS, *ALIASES)}
    near = difflib.get_close_matches(name.casefold().replace("-", ""), folded, n=1)
    hint = f" Did you mean {folded[near[0]]!r}?" if near else ""
    raise InputError(f"Unknown method {name!r}: expected one of {', '.join(METHODS)}.{hint}")


def find_methods(names: Iterable[str] | None = None) -> tuple[MethodSpec, ...]:
    """The methods of these names, each once, in the order given; all by default.

    Raises:
        InputError: if a name is unknown, or there is none.
    """
    if names is None:
        return _SPECS
    if isinstance(names, str):
        names = [names]
    found = tuple(dict.fromkeys(find_method(name) for name in names))
    if not found:
        raise InputError(f"No method was named: expected one or more of {', '.join(METHODS)}.")
    return found
