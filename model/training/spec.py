"""What describes a training: the recipe, the spec (recipe, wall, seed), and how this machine runs it."""

from __future__ import annotations

import difflib
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, get_type_hints

from stackwalls.model.errors import InputError
from stackwalls.model.sampling import check_seed

Range = tuple[float, float]


def _value(default: Any, about: str, *limits: float | str) -> Any:
    """A field of a recipe: its help text, and its smallest and largest value or its choices."""
    return field(default=default, metadata={"help": about, "limits": limits})


@dataclass(frozen=True)
class Recipe:
    """How a network is trained: everything except the data, the wall and the seed.

    Each field carries its help text and its limits; `stackgen train` has a flag for each. Docs: docs/training.md.

    Raises:
        InputError: if a value is out of range.
    """

    width: float = _value(1.0, "multiplier of the network's channels and dense layers", 1 / 64, 4)
    epochs: int = _value(90, "passes over the training images; each drops the last incomplete batch", 1, 1e6)
    batch_size: int = _value(256, "images per optimizer step, over all processes and --accumulate parts", 1, 1e6)
    optimizer: str = _value("sgd", "sgd (with momentum) or adamw", "sgd", "adamw")
    learning_rate: float = _value(0.03, "highest learning rate of the schedule", 1e-12, 1e3)
    momentum: float = _value(0.9, "momentum of SGD, or the first beta of AdamW", 0, 0.9999)
    weight_decay: float = _value(1e-4, "weight decay of all parameters; decoupled in AdamW", 0, 1e3)
    schedule: str = _value(
        "step", "step, or one-cycle: a half cosine from --learning-rate down to 0", "step", "one-cycle"
    )
    warm_up: float = _value(0.0, "share of all steps in which the learning rate first rises linearly", 0, 0.9)
    step_epochs: int = _value(30, "epochs between two drops of --schedule step", 1, 1e6)
    step_factor: float = _value(0.1, "factor of each drop of --schedule step", 1e-6, 1)
    clip_norm: float = _value(0.0, "largest norm of the gradient of all parameters; 0 for no limit", 0, 1e6)
    label_smoothing: float = _value(0.0, "label smoothing of the cross-entropy", 0, 0.99)
    dropout: float = _value(0.5, "share of the dense layers' units that is dropped", 0, 0.99)
    # calibrated: without it a narrow VGG hardly starts to learn (see `network.calibrate`)
    initialisation: str = _value(
        "torchvision", "torchvision, or calibrated on training images", "torchvision", "calibrated"
    )
    precision: str = _value(
        "auto", "fp32, fp16, bf16, or auto: the fastest that the device supports", "auto", "fp32", "fp16", "bf16"
    )
    crop_area: tuple[float, float] = _value(
        (0.1, 1.0), "range of a random crop's area, as a share of the image's; above 1, edge pixels are repeated", 0, 4
    )
    crop_ratio: tuple[float, float] = _value((0.8, 1.25), "range of a crop's width over its height", 0, 100)
    flip: bool = _value(True, "mirror every other crop")
    softening: tuple[float, float] = _value(
        (1.0, 1.0), "range of the factor by which a crop is shrunk before it is enlarged", 0, 1
    )
    colour: float = _value(0.0, "largest relative change of each color channel, and of all together", 0, 0.9)

    def __post_init__(self) -> None:
        for entry in fields(self):
            name, value, limits = entry.name, getattr(self, entry.name), entry.metadata["limits"]
            if isinstance(entry.default, str):
                if value not in limits:
                    raise InputError(f"Expected `{name}` to be {' or '.join(limits)}, but got {value!r}.")
            elif isinstance(entry.default, tuple):
                if not limits[0] < value[0] <= value[1] <= limits[1]:
                    given = f"{value[0]} {value[1]}"
                    raise InputError(f"Expected `{name}` to be two rising numbers, 0 to {limits[1]}, but got {given}.")
            elif limits and not limits[0] <= value <= limits[1]:  # rejects NaN too
                raise InputError(f"Expected `{name}` to be {limits[0]:g} to {limits[1]:g}, but got {value}.")

    def with_values(self, **values: Any) -> Recipe:
        """A copy with other values.

        Raises:
            InputError: if a name is not a field of a recipe, or a value is out of range.
        """
        for name in values:
            if name not in recipe_fields():
                near = difflib.get_close_matches(name, recipe_fields(), n=1)
                hint = f" Did you mean {near[0]!r}?" if near else ""
                raise InputError(f"A recipe has no value {name!r}: expected {', '.join(recipe_fields())}.{hint}")
        return replace(self, **values)

    def to_dict(self) -> dict[str, Any]:
        """As JSON values: ranges as lists."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


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
    # for the networks of the package, which also see animals of other sizes and lighting, and enlarged small images
    "mini": replace(_TINY, epochs=6, dropout=0.1, crop_area=(0.5, 1.8), softening=(0.4, 1.0), colour=0.15),
}


def recipe_fields() -> dict[str, Any]:
    """The fields of a recipe and their types, in order."""
    return get_type_hints(Recipe)


def find_recipe(name: str) -> Recipe:
    """A recipe by name.

    Raises:
        InputError: if the name is unknown.
    """
    if name not in RECIPES:
        raise InputError(f"Unknown recipe {name!r}: expected {', '.join(RECIPES)}.")
    return RECIPES[name]


@dataclass(frozen=True)
class TrainingSpec:
    """Everything that determines the weights, except the data.

    Attributes:
        recipe: how the network is trained.
        masked: whether the network is behind the wall; the baseline sees all rows.
        seed: of the weights, the order, the crops and the dropout.

    Raises:
        InputError: if the seed is out of range.
    """

    recipe: Recipe
    masked: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        check_seed(self.seed)

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {"masked": self.masked, "seed": self.seed, "recipe": self.recipe.to_dict()}


@dataclass(frozen=True)
class Running:
    """How this machine runs a training; affects the weights only by the order in which sums are rounded.

    Attributes:
        device: "cuda" or "cpu"; by default the GPU if there is one.
        workers: background processes that prepare images; by default 0 on a CPU, else one per core, up to 8.
        gpu_decode: whether the GPU decodes JPEGs where it can (nvJPEG).
        accumulation: number of parts in which a batch goes through the network, to save memory.
        compiled: whether the convolutions run through `torch.compile` during training; by default on a GPU with
            Triton and a C compiler, where bias, ReLU and max-pool then become one pass over memory.
        checkpoint_minutes: minutes between two checkpoints.
        checkpoint_steps: steps between two checkpoints; 0 to go by time alone.
        log_steps: steps between two lines of the history.
        tracker: "tensorboard", "wandb" or another of accelerate's trackers, or None.
        half: whether the finished weights are rounded to 16 bits, which halves the file; accuracy is measured with
            the rounded weights.

    Raises:
        InputError: if a value is out of range.
    """

    device: str | None = None
    workers: int | None = None
    gpu_decode: bool = True
    accumulation: int = 1
    compiled: bool | None = None
    checkpoint_minutes: float = 5.0
    checkpoint_steps: int = 0
    log_steps: int = 20
    tracker: str | None = None
    half: bool = False

    def __post_init__(self) -> None:
        if self.device not in (None, "cpu", "cuda"):
            raise InputError(f"Expected the device to be cpu or cuda, but got {self.device!r}.")
        limits = {"accumulation": 1, "log_steps": 1, "checkpoint_steps": 0, "checkpoint_minutes": 0, "workers": 0}
        for name, low in limits.items():
            value = getattr(self, name)
            if value is not None and not value >= low:  # rejects NaN too
                raise InputError(f"Expected `{name}` to be {low} or more, but got {value}.")
