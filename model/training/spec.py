"""What describes a training: the recipe, the spec (recipe, wall, seed), and how this machine runs it."""

from __future__ import annotations

import difflib
import math
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from stackwalls.model.errors import InputError
from stackwalls.model.preprocessing import RESIZE
from stackwalls.model.sampling import check_seed
from stackwalls.model.wall import IMAGE_SIZE, Wall


def value(default: Any, about: str, *limits: float | str) -> Any:
    """A field of a dataclass of settings: its help text, and its choices, or its smallest and largest value.

    Commands make their flags of such fields.
    """
    return field(default=default, metadata={"help": about, "limits": limits})


def check_values(settings: Any) -> None:
    """Check that every field of a dataclass made of `value`s is within its limits; None is always allowed.

    Raises:
        InputError: naming the first field that is not.
    """
    for entry in fields(settings):
        name, given, limits = entry.name, getattr(settings, entry.name), entry.metadata.get("limits")
        if not limits or given is None:
            continue
        low, *rest = limits
        if isinstance(low, str):
            if given not in limits:
                raise InputError(f"Expected `{name}` to be {' or '.join(limits)}, but got {given!r}.")
        elif isinstance(given, tuple):
            if not low < given[0] <= given[1] <= rest[0]:
                range_ = f"{low:g} to {rest[0]:g}, but got {given[0]} {given[1]}"
                raise InputError(f"Expected `{name}` to be two rising numbers, {range_}.")
        elif not low <= given <= (rest or [math.inf])[0]:  # rejects NaN too
            allowed = f"{low:g} to {rest[0]:g}" if rest else f"{low:g} or more"
            raise InputError(f"Expected `{name}` to be {allowed}, but got {given}.")


@dataclass(frozen=True)
class Recipe:
    """How a network is trained: everything except the data, the wall and the seed.

    docs/training.md says how the values were chosen.

    Raises:
        InputError: if a value is out of range.
    """

    width: float = value(1.0, "multiplier of the channels and dense layers of a VGG16 with random weights", 1 / 64, 4)
    epochs: int = value(90, "passes over the training images; each drops the last incomplete batch", 1, 1e6)
    batch_size: int = value(256, "images per optimizer step, over all processes and --accumulate parts", 1, 1e6)
    optimizer: str = value("sgd", "sgd (with momentum) or adamw", "sgd", "adamw")
    learning_rate: float = value(0.03, "highest learning rate of the schedule", 1e-12, 1e3)
    momentum: float = value(0.9, "momentum of SGD, or the first beta of AdamW", 0, 0.9999)
    weight_decay: float = value(1e-4, "weight decay of all parameters; decoupled in AdamW", 0, 1e3)
    schedule: str = value("step", "step, or one-cycle: half a cosine from --learning-rate to 0", "step", "one-cycle")
    warm_up: float = value(0.0, "share of all steps in which the learning rate first rises linearly", 0, 0.9)
    step_epochs: int = value(30, "epochs between two drops of --schedule step", 1, 1e6)
    step_factor: float = value(0.1, "factor of each drop of --schedule step", 1e-6, 1)
    clip_norm: float = value(0.0, "largest norm of the gradient of all parameters; 0 for no limit", 0, 1e6)
    label_smoothing: float = value(0.0, "label smoothing of the cross-entropy", 0, 0.99)
    dropout: float = value(0.5, "share of the units of a VGG16's dense layers that is dropped", 0, 0.99)
    # calibrated: without it a narrow VGG hardly starts to learn (see `first_weights.calibrate`)
    initialization: str = value(
        "torchvision",
        "random weights of a VGG16: torchvision; authors, PyTorch's default in the two layers that the paper's authors "
        "replaced in torchvision's VGG16; or calibrated on training images",
        "torchvision",
        "authors",
        "calibrated",
    )
    validation_resize: int | None = value(
        RESIZE,
        "shorter side of validation images before the center crop of 224, in pixels, and in proportion for other sizes",
        IMAGE_SIZE,
        2 * IMAGE_SIZE,
    )
    precision: str = value(
        "auto", "fp32, fp16, bf16, or auto: the fastest that the device supports", "auto", "fp32", "fp16", "bf16"
    )
    crop_area: tuple[float, float] = value(
        (0.1, 1.0), "range of a random crop's area, as a share of the image's; above 1, edge pixels are repeated", 0, 4
    )
    crop_ratio: tuple[float, float] = value((0.8, 1.25), "range of a crop's width over its height", 0, 100)
    flip: bool = value(True, "mirror every other crop")
    softening: tuple[float, float] = value(
        (1.0, 1.0), "range of the factor by which a crop is shrunk before it is enlarged", 0, 1
    )
    color: float = value(0.0, "largest relative change of each color channel, and of all together", 0, 0.9)

    def __post_init__(self) -> None:
        check_values(self)

    def with_values(self, **values: Any) -> Recipe:
        """A copy with other values.

        Raises:
            InputError: if a name is not a field of a recipe, or a value is out of range.
        """
        known = [entry.name for entry in fields(self)]
        for name in values.keys() - known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise InputError(f"A recipe has no value {name!r}: expected {', '.join(known)}.{hint}")
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
    initialization="calibrated",
    crop_area=(0.6, 1.0),
    crop_ratio=(0.9, 1.1),
)

VGG16S = ("masked-vgg16", "baseline-vgg16")
VIT_MINI = "vit-mini"
"""The networks that are made here, without a wall around them: the VGG16s if there are no weights to start from."""

RECIPES: dict[str, Recipe] = {
    # section 3.1 of Taimeskhanov, Sicre, Garreau 2024 has no numbers: they are those of the authors' training script
    "paper": Recipe(),
    # as the script does it, to compare with the paper's accuracy
    "authors": Recipe(initialization="authors", validation_resize=IMAGE_SIZE),
    "tiny": _TINY,
    # for the networks of the package, which also see animals of other sizes and lighting, and enlarged small images
    "mini": replace(_TINY, epochs=6, dropout=0.1, crop_area=(0.5, 1.8), softening=(0.4, 1.0), color=0.15),
    # for networks that are trained already, or small enough to learn some classes in minutes on a CPU
    "fine-tune": replace(
        _TINY,
        width=1.0,
        epochs=6,
        batch_size=32,
        learning_rate=5e-4,
        dropout=0.5,
        validation_resize=None,
        crop_area=(0.5, 1.0),
        crop_ratio=(0.8, 1.25),
        color=0.1,
    ),
}
"""Recipes of `stackgen train` by name."""


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
        network: what is trained, as `load_model` takes it: `masked-vgg16` or `baseline-vgg16` (with random weights
            unless `weights` are given), `walled:NAME`, `sink:NAME`, a model folder, or `user/name` on the Hub; or
            `vit-mini`, a small vision transformer without a wall, with random weights.
        seed: of random weights, the order, the crops and the dropout.
        weights: a checkpoint to start from; see `load_model`.
        wall: of a walled network; by default the paper's share of the image, widened to fit.
        size: height and width of the images, in pixels; by default what the network takes.
        pretrained: whether a walled network starts from its library's weights, or from random ones.

    Raises:
        InputError: if the seed is out of range, or a value is for another network.
    """

    recipe: Recipe
    network: str = "masked-vgg16"
    seed: int = 0
    weights: Path | None = None
    wall: Wall | str | None = None
    size: int | None = None
    pretrained: bool = True

    def __post_init__(self) -> None:
        check_seed(self.seed)
        if not self.pretrained and not (self.is_walled and self.weights is None):
            raise InputError(
                "Starting from scratch is for walled:NAME without weights of one's own: a VGG16 without weights and "
                f"{VIT_MINI} do so anyway."
            )
        if self.network == VIT_MINI and (self.weights, self.wall) != (None, None):
            raise InputError(
                f"{VIT_MINI} has no wall and starts from random weights: take walled:{VIT_MINI} for another start."
            )
        if self.wall is not None and not self.is_walled:
            raise InputError(
                f"The wall of {self.network} follows from its layers: leave out the wall, or take walled:NAME."
            )

    @property
    def is_walled(self) -> bool:
        """Whether the network is made walled here."""
        return self.network.startswith(("walled:", "sink:", "curtain:"))

    @property
    def is_new_vgg16(self) -> bool:
        """Whether it is a VGG16 with random weights."""
        return self.network in VGG16S and self.weights is None


@dataclass(frozen=True)
class Running:
    """How this machine runs a training; affects the weights only by the order in which sums are rounded.

    Raises:
        InputError: if a value is out of range.
    """

    device: str | None = value(None, "cuda or cpu (default: the GPU if there is one)", "cpu", "cuda")
    workers: int | None = value(
        None, "background processes that prepare images (default: 0 on a CPU, else one per core, up to 8)", 0
    )
    decode: str = value("auto", "auto decodes JPEGs on the GPU if it can (nvJPEG)", "auto", "cpu")
    accumulate: int = value(1, "number of parts in which a batch goes through the network, to save memory", 1)
    # on a GPU, bias, ReLU and max-pool become one pass over memory
    compile: bool | None = value(
        None, "run the convolutions through torch.compile (default: on a GPU with Triton and a C compiler)"
    )
    checkpoint_minutes: float = value(5.0, "minutes between checkpoints", 0)
    checkpoint_steps: int = value(0, "also write a checkpoint after every so many steps; 0 for never", 0)
    log_steps: int = value(20, "steps between two lines of the history", 1)
    tracker: str | None = value(None, "also log to tensorboard, wandb or another of accelerate's trackers")
    half: bool = value(False, "round the finished weights to 16 bits, before they are measured: half the file")

    def __post_init__(self) -> None:
        check_values(self)
