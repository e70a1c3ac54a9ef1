"""What describes a STACK-GEN set: classes, model, wall and attempts; and the images that follow from it."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from stackwalls.model import (
    IMAGE_SIZE,
    NUM_ANIMALS,
    VGG16_WALL,
    Band,
    ImageNetClass,
    InputError,
    Wall,
    animals,
    check_seed,
    class_order,
    parse_classes,
)
from stackwalls.model.training.spec import check_values, value
from stackwalls.stackgen.diffusion import Call, ModelSource
from stackwalls.stackgen.localising.cropping import check_band
from stackwalls.stackgen.prompts.prompt import band_of, check_template

_COUNTS = ("per_class", "attempts")  # what may grow in an existing folder, besides the classes


@dataclass(frozen=True)
class GenerateSpec:
    """One STACK-GEN set.

    Raises:
        InputError: if a value is out of range, a class is unknown or named twice, or the model cannot draw it.
    """

    model: ModelSource
    call: Call  # complete (see `complete_call`)
    dtype: str  # of the model's weights
    localizer: str  # by name
    localizer_revision: str | None = None
    # how many, sampled by the seed from the 398 animals; or which ones, by index, synset or name (kept as synsets)
    classes: int | tuple[str | int, ...] = 100
    per_class: int = value(1, "images per class; their number has five digits in the id", 1, 100_000)
    seed: int = 0  # of the classes and the noise of every frame
    wall: Wall = VGG16_WALL  # a band
    template: str = "refined"  # of the prompts
    attempts: int = value(8, "maximum number of frames per image", 1, 1000)
    batch_size: int = value(1, "frames per call; another size may change a frame's last bits", 1, 256)
    compiled: bool = False
    attention: str | None = None  # a backend of diffusers

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", _checked_classes(self.classes, self.seed, self.model))
        check_values(self)
        check_seed(self.seed)
        preset = self.model.preset
        if preset is not None and preset.stacks_only and self.band.axis == "columns":
            raise InputError(
                f"{self.model.name} draws one animal on top of the other, but the wall {self.wall} divides left from "
                "right: take a wall of rows, or another preset."
            )
        if self.wall.image_size != IMAGE_SIZE:
            asked = f"{IMAGE_SIZE} × {IMAGE_SIZE} pixels"
            raise InputError(f"Expected a wall on {asked}, but got one on {self.wall.image_size}.")
        check_band(self.band)
        check_template(self.template, self.wall)

    @property
    def band(self) -> Band:
        """The dead zone."""
        return band_of(self.wall)

    def entries(self) -> tuple[ImageNetClass, ...]:
        """The classes in the order of the rows."""
        return chosen_classes(self.classes, self.seed)

    def to_dict(self) -> dict[str, Any]:
        """For the manifest: everything that determines the rows, except the device's kind."""
        preset = self.model.preset
        return {
            "classes": list(self.classes) if isinstance(self.classes, tuple) else self.classes,
            "per_class": self.per_class,
            "attempts": self.attempts,
            "seed": self.seed,
            "wall": str(self.wall),
            "template": self.template,
            "localizer": {"name": self.localizer, "revision": self.localizer_revision},
            "model": {
                "preset": preset.name if preset else None,
                "name": self.model.name,
                "revision": self.model.revision,
                "pipeline": self.model.pipeline,
                "licence": preset.licence if preset else None,
            },
            "dtype": self.dtype,
            **asdict(self.call),  # steps, guidance, width, height
            "batch_size": self.batch_size,
            "compile": self.compiled,
            "attention": self.attention,
            "encoder": "png",
        }


def chosen_classes(classes: int | tuple[str | int, ...], seed: int) -> tuple[ImageNetClass, ...]:
    """The classes that were named, or a number of animals sampled by the seed as `stackgen mix --animals` does."""
    if isinstance(classes, tuple):
        return parse_classes(classes)
    return parse_classes(class_order((entry.synset for entry in animals()), seed)[:classes])


def _checked_classes(asked: int | tuple[str | int, ...], seed: int, model: ModelSource) -> int | tuple[str | int, ...]:
    """The classes: named, if they were or if the model draws only some; as many as it has if it stands in for another.

    Raises:
        InputError: if it cannot draw one, or not so many.
    """
    known = model.synsets
    if isinstance(asked, tuple):
        if not asked:
            raise InputError("Expected at least one class, but the list of classes is empty.")
        entries = parse_classes(asked)
        if others := [entry.name for entry in entries if known is not None and entry.synset not in known]:
            raise InputError(
                f"{model.name} draws {len(known or ())} animals, and {others[0]} is none of them: "
                "`stackgen prompts --preset mini` lists them; --preset klein draws any."
            )
        return tuple(entry.synset for entry in entries)
    if not 1 <= asked <= NUM_ANIMALS:
        raise InputError(f"Expected 1 to {NUM_ANIMALS} classes, the animals, but got {asked}: name others one by one.")
    if known is None:
        return asked
    if asked > len(known) and model.instead is None:
        raise InputError(
            f"{model.name} draws {len(known)} animals, but got --classes {asked}: ask for {len(known)} or fewer, or "
            "take --preset klein, which draws any."
        )
    return drawable(model, seed)[:asked]


def drawable(model: ModelSource, seed: int) -> tuple[str, ...]:
    """The animals that a model draws, by synset, in the order that the seed draws them in."""
    known = model.synsets or tuple(entry.synset for entry in animals())
    return tuple(class_order(known, seed))


def grows(there: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether the spec `now` asks for all that `there` asks for, with the same settings."""

    def classes(spec: Mapping[str, Any]) -> set[ImageNetClass]:
        asked = spec["classes"]
        return set(chosen_classes(tuple(asked) if isinstance(asked, list) else asked, spec["seed"]))

    settings = now.keys() - {"classes", *_COUNTS}
    same = there.keys() == now.keys() and all(there[key] == now[key] for key in settings)
    return same and all(there[key] <= now[key] for key in _COUNTS) and classes(there) <= classes(now)


@dataclass(frozen=True)
class WorkItem:
    """One image of the set: number `number` of a class."""

    entry: ImageNetClass
    number: int

    @property
    def image_id(self) -> str:
        """`n01443537_00000`."""
        return f"{self.entry.synset}_{self.number:05d}"


def work_items(spec: GenerateSpec) -> list[WorkItem]:
    """All images in the order of their rows: class by class."""
    return [WorkItem(entry, number) for entry in spec.entries() for number in range(spec.per_class)]


def frame_seed(seed: int, item: WorkItem, attempt: int) -> int:
    """The seed of one frame's noise, 0 to 2**63 - 1: a hash of (the run's seed, class, image, attempt)."""
    parts = ("stack-gen", "frame", seed, item.entry.synset, item.number, attempt)
    digest = hashlib.sha256("\0".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1  # the column holds signed 64-bit integers
