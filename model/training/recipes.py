"""How a network is trained, as data: the paper's recipe, a tiny one that ends within minutes, and the miniature's."""

from __future__ import annotations

import difflib
from dataclasses import asdict, dataclass, replace
from typing import Any, get_type_hints

from stackwalls.model.errors import InputError

Range = tuple[float, float]

OPTIMIZERS = ("sgd", "adamw")
SCHEDULES = ("step", "one-cycle")
INITIALISATIONS = ("torchvision", "calibrated")
PRECISIONS = ("auto", "fp32", "fp16", "bf16")


@dataclass(frozen=True)
class Recipe:
    """Everything of a training but the data, the wall and the seed.

    Attributes:
        width: multiplier of MaskedVGG16's channels and dense layers.
        epochs: passes over the training pictures; each leaves out what does not fill a batch.
        batch_size: pictures of one optimiser step, over all processes and accumulated parts together.
        optimizer: "sgd" (with momentum) or "adamw".
        learning_rate: the highest of the schedule.
        momentum: of SGD; the first beta of AdamW.
        weight_decay: of all parameters; added to the gradient by SGD, decoupled in AdamW.
        schedule: "step" multiplies by `step_factor` every `step_epochs` epochs; "one-cycle" falls from
            `learning_rate` to 0 by a half cosine.
        warm_up: share of all steps in which the learning rate first rises linearly from 0.
        step_epochs: epochs between two steps of "step".
        step_factor: of a step of "step".
        clip_norm: largest norm of the gradient of all parameters; 0 for no limit.
        label_smoothing: of the cross-entropy, 0 to 1.
        dropout: share of the dense layers' units that is dropped.
        initialisation: "torchvision" as its VGG16 is initialised; "calibrated" scales every convolution so that its
            outputs on training pictures have mean 0 and variance 1 (Mishkin and Matas, "All you need is a good
            init", ICLR 2016), without which a narrow VGG hardly begins to learn.
        precision: of the passes: "fp32", "fp16", "bf16", or "auto" for the best that the device is fast in.
        crop_area: range of the share of a picture's area that a random crop takes; above 1, the picture becomes
            smaller and its edge pixels go on around it.
        crop_ratio: range of a crop's width over its height.
        flip: whether every other crop is mirrored.
        softening: range of the factor by which a crop is shrunk before it is enlarged to the network's input, as are
            parts of small pictures; 1 for not at all.
        colour: largest change of each colour channel, and of all of them together, in parts of 1; 0 for none.

    Raises:
        InputError: if a value is out of its range.
    """

    width: float = 1.0
    epochs: int = 90
    batch_size: int = 256
    optimizer: str = "sgd"
    learning_rate: float = 0.03
    momentum: float = 0.9
    weight_decay: float = 1e-4
    schedule: str = "step"
    warm_up: float = 0.0
    step_epochs: int = 30
    step_factor: float = 0.1
    clip_norm: float = 0.0
    label_smoothing: float = 0.0
    dropout: float = 0.5
    initialisation: str = "torchvision"
    precision: str = "auto"
    crop_area: Range = (0.1, 1.0)
    crop_ratio: Range = (0.8, 1.25)
    flip: bool = True
    softening: Range = (1.0, 1.0)
    colour: float = 0.0

    def __post_init__(self) -> None:
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                raise InputError(f"Expected `{name}` to be {' or '.join(allowed)}, but got {getattr(self, name)!r}.")
        for name, (low, high) in _LIMITS.items():
            value = getattr(self, name)
            if not low <= value <= high:  # NaN is refused too
                raise InputError(f"Expected `{name}` to be {low:g} to {high:g}, but got {value}.")
        for name, largest in _LARGEST.items():
            low, high = getattr(self, name)
            if not 0 < low <= high <= largest:
                raise InputError(f"Expected `{name}` to be two rising numbers, 0 to {largest:g}, but got {low} {high}.")

    def with_values(self, **values: Any) -> Recipe:
        """The same with other values.

        Raises:
            InputError: if a name is no value of a recipe, or a value is out of its range.
        """
        for name in values:
            if name not in recipe_fields():
                near = difflib.get_close_matches(name, recipe_fields(), n=1)
                hint = f" Did you mean {near[0]!r}?" if near else ""
                raise InputError(f"A recipe has no value {name!r}: expected {', '.join(recipe_fields())}.{hint}")
        return replace(self, **values)

    def to_dict(self) -> dict[str, Any]:
        """For JSON: ranges as lists."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


_CHOICES = {
    "optimizer": OPTIMIZERS,
    "schedule": SCHEDULES,
    "initialisation": INITIALISATIONS,
    "precision": PRECISIONS,
}
_LIMITS: dict[str, Range] = {
    "width": (1 / 64, 4),
    "epochs": (1, 1e6),
    "batch_size": (1, 1e6),
    "learning_rate": (1e-12, 1e3),
    "momentum": (0, 0.9999),
    "weight_decay": (0, 1e3),
    "warm_up": (0, 0.9),
    "step_epochs": (1, 1e6),
    "step_factor": (1e-6, 1),
    "clip_norm": (0, 1e6),
    "label_smoothing": (0, 0.99),
    "dropout": (0, 0.99),
    "colour": (0, 0.9),
}
_LARGEST = {"crop_area": 4.0, "crop_ratio": 100.0, "softening": 1.0}

# chosen by short trials on the drawn world; docs/training.md says what was tried
_TINY = Recipe(
    width=1 / 16,
    epochs=8,
    batch_size=64,
    optimizer="adamw",
    learning_rate=2e-3,
    weight_decay=0.05,
    schedule="one-cycle",
    warm_up=0.15,
    clip_norm=1.0,
    dropout=0.2,
    initialisation="calibrated",
    crop_area=(0.6, 1.0),
    crop_ratio=(0.9, 1.1),
)

RECIPES: dict[str, Recipe] = {
    # Taimeskhanov, Sicre, Garreau 2024, section 4.2 and the authors' training script
    "paper": Recipe(),
    "tiny": _TINY,
    # the networks of the package: animals of other sizes and light, and enlarged from small pictures, too
    "mini": replace(_TINY, epochs=6, dropout=0.1, crop_area=(0.5, 1.8), softening=(0.4, 1.0), colour=0.15),
}


def recipe_fields() -> dict[str, Any]:
    """The values of a recipe and their types, in the order of the dataclass."""
    return get_type_hints(Recipe)


def find_recipe(name: str) -> Recipe:
    """A recipe by name.

    Raises:
        InputError: if there is none of that name.
    """
    if name not in RECIPES:
        raise InputError(f"Unknown recipe {name!r}: expected {', '.join(RECIPES)}.")
    return RECIPES[name]
