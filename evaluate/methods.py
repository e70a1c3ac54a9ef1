"""The registry of saliency methods by name: the seven of the paper, which grad-cam defines.

To add a method to the default table, add its `MethodSpec` here; it then runs through grad-cam's class. To make it fast,
add its formula to `engine.single_pass.SINGLE_PASS`. Any other method needs neither: see `adapters`.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from stackwalls.model import InputError, did_you_mean


@dataclass(frozen=True)
class MethodSpec:
    """A saliency method of the grad-cam package.

    Attributes:
        name: as in the tables.
        cam_class: its class in `pytorch_grad_cam`.
        source: the paper that defines it.
        gradients: whether it needs a backward pass.
        max_batch: the most images per call, if memory sets a limit; None: the caller's choice.
        zero_by_construction: whether it multiplies each activation by its own gradient, position by position. Behind a
            wall that product is exactly 0 wherever the head does not read, however good the method is otherwise.
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
    # grad-cam holds every masked copy of every image at once: 266 MB per image with 256 channels, 1.3 GB with 1,280
    MethodSpec("ScoreCAM", "ScoreCAM", "Wang et al. 2020", gradients=False, max_batch=1),
    MethodSpec("AblationCAM", "AblationCAM", "Desai and Ramaswamy 2020", gradients=False),
    MethodSpec("EigenCAM", "EigenCAM", "Muhammad and Yeasin 2020", gradients=False),
    MethodSpec("HiResCAM", "HiResCAM", "Draelos and Carin 2020", zero_by_construction=True),
)

METHODS: dict[str, MethodSpec] = {spec.name: spec for spec in _SPECS}
"""The seven methods of the paper's Table 1, in its order."""

ALIASES = {"GradCAMPlusPlus": "GradCAM++"}
"""Other names of a method."""


def find_method(name: str) -> MethodSpec:
    """The method of this name or alias.

    Raises:
        InputError: if there is none; the message lists the valid names and the nearest one.
    """
    if spec := METHODS.get(ALIASES.get(name, name)):
        return spec
    hint = did_you_mean(name, [*METHODS, *ALIASES])
    raise InputError(f"Unknown method {name!r}: expected one of {', '.join(METHODS)}.{hint}")


def find_methods(names: Iterable[str] | None = None) -> tuple[MethodSpec, ...]:
    """The methods of these names, each once, in the given order; all by default.

    Raises:
        InputError: if a name is unknown, or there is none.
    """
    names = METHODS if names is None else [names] if isinstance(names, str) else names
    found = tuple(dict.fromkeys(find_method(name) for name in names))
    if not found:
        raise InputError(f"No method was named: expected one or more of {', '.join(METHODS)}.")
    return found
