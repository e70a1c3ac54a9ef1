"""stackwalls: does a saliency map show what the network cannot see?

- `stackwalls.model`: walls, networks that are blind behind them, their certificate, labeled images, training, theory
- `stackwalls.hub_cards`: the dataset folder, its card, and the Hugging Face Hub
- `stackwalls.stackmix`, `stackwalls.stackgen`: the two test sets; `stackgen` is also the command line
- `stackwalls.evaluate`: saliency maps of any method, and what they measure

The names below are those that most users need. Nothing is imported before it is used (PEP 562).
"""

from importlib import import_module
from pkgutil import extend_path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stackwalls.evaluate import (
        EvaluationSpec as EvaluationSpec,
        Results as Results,
        mu as mu,
        mu_native as mu_native,
    )
    from stackwalls.hub_cards import open_dataset as open_dataset
    from stackwalls.model import (
        InputError as InputError,
        RunError as RunError,
        Wall as Wall,
        certify as certify,
        load_model as load_model,
        walled as walled,
    )

    __version__: str
    """Version of the installed package."""

# in a source checkout this folder holds this file only; the others are found where they are installed
__path__ = extend_path(__path__, __name__)

_PACKAGES = ("evaluate", "hub_cards", "model", "stackgen", "stackmix")
_HOMES = {
    "EvaluationSpec": "evaluate",
    "InputError": "model",
    "Results": "evaluate",
    "RunError": "model",
    "Wall": "model",
    "certify": "model",
    "load_model": "model",
    "mu": "evaluate",
    "mu_native": "evaluate",
    "open_dataset": "hub_cards",
    "walled": "model",
}
"""Public name → the package that it comes from."""

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return import_module("importlib.metadata").version("stackwalls")
    if name in _PACKAGES:
        return import_module(f"stackwalls.{name}")
    if name in _HOMES:
        return getattr(import_module(f"stackwalls.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'stackwalls' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, *_PACKAGES])
