"""What describes a STACK-GEN set: classes, model, wall and attempts; and the images that follow from it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stackwalls.model import (
    IMAGE_SIZE,
    NUM_ANIMALS,
    VGG16_WALL,
    ImageNetClass,
    InputError,
    Wall,
    animals,
    check_seed,
    class_order,
    parse_classes,
)
from stackwalls.stackgen.diffusion import Call, ModelSource
from stackwalls.stackgen.localising.cropping import check_wall
from stackwalls.stackgen.prompts.prompt import check_template

MAX_PER_CLASS = 100_000
"""Most images of a class: their number has five digits in the image's id."""

MAX_ATTEMPTS = 1_000
MAX_BATCH = 256

_SEED_BITS = 63
"""Seeds are positive 64-bit integers, as the column holds them."""

_COUNTS = ("per_class", "attempts")
"""What may grow in an existing folder, besides the classes."""


@dataclass(frozen=True)
class GenerateSpec:
    """One STACK-GEN set.

    Attributes:
        model: the text-to-image model, pinned.
        call: how it is called, complete (see `complete_call`).
        dtype: the number type of its weights.
        localizer: the name of what finds the animals.
        localizer_revision: and its revision.
        classes: how many, sampled by the seed from the 398 animals; or which ones, by index, synset or name (kept as
            synsets), others than animals too.
        per_class: images of each class.
        seed: what the classes and the noise of every frame follow from, 0 or more.
        wall: the dead zone, on 224 × 224.
        template: of the prompts.
        attempts: most frames that are drawn for one image.
        batch_size: frames that are drawn at once; another size may change a frame's last bits.
        compiled: whether the model's blocks are compiled.
        attention: the model's attention back end, or None.

    Raises:
        InputError: if a value is out of its range, a class is unknown or named twice.
    """

    model: ModelSource
    call: Call
    dtype: str
    localizer: str
    localizer_revision: str | None = None
    classes: int | tuple[str | int, ...] = 100
    per_class: int = 1
    seed: int = 0
    wall: Wall = VGG16_WALL
    template: str = "refined"
    attempts: int = 8
    batch_size: int = 1
    compiled: bool = False
    attention: str | None = None

    def __post_init__(self) -> None:
        if isinstance(self.classes, tuple):
            if not self.classes:
                raise InputError("Expected at least one class, but the list of classes is empty.")
            object.__setattr__(self, "classes", tuple(entry.synset for entry in parse_classes(self.classes)))
        elif not 1 <= self.classes <= NUM_ANIMALS:
            raise InputError(
                f"Expected 1 to {NUM_ANIMALS} classes, the animals, but got {self.classes}: name others one by one."
            )
        preset = self.model.preset
        if preset is not None and preset.stacks_only and self.wall.axis == "columns":
            raise InputError(
                f"{self.model.name} draws one animal on top of the other, but the wall {self.wall} divides left from "
                "right: take a wall of rows, or another preset."
            )
        object.__setattr__(self, "classes", _drawable(self.classes, self.seed, self.model))
        for name, value, most in (
            ("images of each class", self.per_class, MAX_PER_CLASS),
            ("attempts", self.attempts, MAX_ATTEMPTS),
            ("frames at once", self.batch_size, MAX_BATCH),
        ):
            if not 1 <= value <= most:
                raise InputError(f"Expected 1 to {most} {name}, but got {value}.")
        check_seed(self.seed)
        if self.wall.image_size != IMAGE_SIZE:
            raise InputError(
                f"Expected a wall on {IMAGE_SIZE} × {IMAGE_SIZE} pixels, but got one on {self.wall.image_size}."
            )
        check_wall(self.wall)
        check_template(self.template, self.wall)

    def entries(self) -> tuple[ImageNetClass, ...]:
        """The classes in the order of the rows."""
        return chosen_classes(self.classes, self.seed)

    def to_dict(self) -> dict[str, Any]:
        """For the manifest: all that the rows follow from, and the device's kind apart."""
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
            "steps": self.call.steps,
            "guidance": self.call.guidance,
            "width": self.call.width,
            "height": self.call.height,
            "batch_size": self.batch_size,
            "compile": self.compiled,
            "attention": self.attention,
            "encoder": "png",
        }


def chosen_classes(classes: int | tuple[str | int, ...], seed: int) -> tuple[ImageNetClass, ...]:
    """The classes that were named, or so many animals in the order that the seed draws them in.

    More classes never change the first. The order is that of `stackgen mix --animals`: with the same seed both sets
    have the same classes.
    """
    if isinstance(classes, tuple):
        return parse_classes(classes)
    return parse_classes(class_order((entry.synset for entry in animals()), seed)[:classes])


def _drawable(classes: int | tuple[str | int, ...], seed: int, model: ModelSource) -> int | tuple[str | int, ...]:
    """The classes, of a model that draws only some: named, and no more than it has.

    Raises:
        InputError: if it is asked for others; or for more, unless it stands in for a model that draws all.
    """
    known = model.synsets
    if known is None:
        return classes
    if isinstance(classes, tuple):
        others = [entry.name for entry in parse_classes(classes) if entry.synset not in known]
        if others:
            raise InputError(
                f"{model.name} draws {len(known)} animals, and {others[0]} is none of them: "
                "`stackgen prompts --preset mini` lists them; --preset klein draws any."
            )
        return classes
    if classes > len(known) and model.instead is None:
        raise InputError(
            f"{model.name} draws {len(known)} animals, but got --classes {classes}: ask for {len(known)} or fewer, or "
            "take --preset klein, which draws any."
        )
    return drawable(model, seed)[:classes]


def drawable(model: ModelSource, seed: int) -> tuple[str, ...]:
    """The animals that a model draws, by synset, in the order that the seed draws them in."""
    known = model.synsets or tuple(entry.synset for entry in animals())
    return tuple(class_order(known, seed))


def grows(there: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether the spec `now` asks for all that `there` asks for, with the same settings."""
    settings = {key: value for key, value in now.items() if key not in ("classes", *_COUNTS)}
    if settings != {key: value for key, value in there.items() if key not in ("classes", *_COUNTS)}:
        return False
    if any(there[key] > now[key] for key in _COUNTS):
        return False
    return set(_classes_of(there)) <= set(_classes_of(now))


def _classes_of(spec: Mapping[str, Any]) -> tuple[ImageNetClass, ...]:
    classes = spec["classes"]
    return chosen_classes(tuple(classes) if isinstance(classes, list) else classes, spec["seed"])


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
    return int.from_bytes(digest[:8], "big") >> (64 - _SEED_BITS)
