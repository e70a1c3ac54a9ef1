"""What describes a STACK-GEN set: classes, model, wall and attempts; and the images that follow from it."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from stackwalls.model import (
    NUM_ANIMALS,
    VGG16_WALL,
    Band,
    InputError,
    Wall,
    animals,
    check_seed,
    class_order,
    imagenet,
)
from stackwalls.model.training.spec import check_values, value
from stackwalls.stackgen.diffusion import Call, ModelSource
from stackwalls.stackgen.localizing.cropping import check_band
from stackwalls.stackgen.prompts.noun import IMAGENET_NOUNS, Nouns, noun_of
from stackwalls.stackgen.prompts.prompt import band_of, check_template

_SMALLEST, _LARGEST = 64, 2048  # images in pixels: in smaller ones, two animals are not recognizable
_COUNTS = ("per_class", "attempts")  # what may grow in an existing folder, besides the classes …
_CLASSES = {"classes", "nouns", "class_names"}


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
    # how many, sampled by the seed from the 398 animals or one's own; or which, by index, key or name (kept as keys)
    classes: int | tuple[str | int, ...] = 100
    per_class: int = value(1, "images per class; their number has five digits in the id", 1, 100_000)
    seed: int = 0  # of the classes and the noise of every frame
    wall: Wall = VGG16_WALL  # a band; its image's size is that of the images
    template: str = "refined"  # of the prompts
    attempts: int = value(8, "maximum number of frames per image", 1, 1000)
    batch_size: int = value(1, "frames per call; another size may change a frame's last bits", 1, 256)
    compiled: bool = False
    attention: str | None = None  # a backend of diffusers
    nouns: Nouns = IMAGENET_NOUNS  # what the classes are called; they determine the label space

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", _checked_classes(self.classes, self.seed, self.model, self.nouns))
        check_values(self)
        check_seed(self.seed)
        preset = self.model.preset
        if preset is not None and preset.stacks_only and self.band.axis == "columns":
            raise InputError(
                f"{self.model.name} draws one animal on top of the other, but the wall {self.wall} divides left from "
                "right: take a wall of rows, or another preset."
            )
        if not _SMALLEST <= self.wall.image_size <= _LARGEST:
            asked = f"{_SMALLEST} to {_LARGEST} pixels a side"
            raise InputError(f"Expected images of {asked}, but got {self.wall.image_size}.")
        check_band(self.band)
        check_template(self.template, self.wall)

    @property
    def band(self) -> Band:
        """The dead zone."""
        return band_of(self.wall)

    def labels(self) -> tuple[int, ...]:
        """The classes in the order of the rows, by index."""
        return chosen_labels(self.classes, self.seed, self.nouns)

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
            **self.nouns.to_dict(),
        }


def chosen_labels(classes: int | tuple[str | int, ...], seed: int, nouns: Nouns) -> tuple[int, ...]:
    """The classes that were named, or a number of them sampled by the seed: of the animals, or of one's own.

    Animals are sampled as `stackgen mix --animals` does. Raises InputError if a class is unknown or named twice.
    """
    if isinstance(classes, tuple):
        return nouns.labels(classes)
    labels = {nouns.classes.key(label): label for label in range(len(nouns.own) or NUM_ANIMALS)}
    return tuple(labels[key] for key in class_order(labels, seed)[:classes])


def _checked_classes(
    asked: int | tuple[str | int, ...], seed: int, model: ModelSource, nouns: Nouns
) -> int | tuple[str | int, ...]:
    """The classes: named, if they were or if the model draws only some; as many as it has if it stands in for another.

    Raises:
        InputError: if it cannot draw one, or not so many.
    """
    known = model.synsets
    if isinstance(asked, int):
        most = len(nouns.own) or NUM_ANIMALS
        if not 1 <= asked <= most:
            what, others = ("the nouns", "") if nouns.own else ("the animals", ": name others one by one")
            raise InputError(f"Expected 1 to {most} classes, {what}, but got {asked}{others}.")
        if known is not None and not nouns.own:
            if asked > len(known) and model.instead is None:
                raise InputError(
                    f"{model.name} draws {len(known)} animals, but got --classes {asked}: ask for {len(known)} or "
                    "fewer, or take --preset klein, which draws any."
                )
            return drawable(model, seed)[:asked]
    elif not asked:
        raise InputError("Expected at least one class, but the list of classes is empty.")
    labels = chosen_labels(asked, seed, nouns)
    drawn = {noun_of(imagenet().parse(synset)).text.casefold() for synset in known or ()}
    unknown = [label for label in labels if nouns.of(label).text.casefold() not in drawn]
    if known is not None and unknown:
        name = nouns.own[unknown[0]][0] if nouns.own else nouns.classes.names[unknown[0]]
        why = f" ({model.instead}, so it would replace the default model)" if model.instead else ""
        raise InputError(
            f"{model.name} draws {len(drawn)} animals, and {name} is none of them{why}: `stackgen prompts --preset "
            "mini` lists them; --preset klein draws any."
        )
    return asked if isinstance(asked, int) else tuple(map(nouns.classes.key, labels))


def drawable(model: ModelSource, seed: int) -> tuple[str, ...]:
    """The animals that a model draws, by synset, in the order that the seed draws them in."""
    known = model.synsets or tuple(entry.synset for entry in animals())
    return tuple(class_order(known, seed))


def grows(there: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether the spec `now` asks for all that `there` asks for, with the same settings."""

    def classes(spec: Mapping[str, Any], nouns: Nouns) -> set[int]:
        asked = spec["classes"]
        return set(chosen_labels(tuple(asked) if isinstance(asked, list) else asked, spec["seed"], nouns))

    settings = now.keys() - {*_CLASSES, *_COUNTS}
    same = there.keys() == now.keys() and all(there[key] == now[key] for key in settings)
    if not same or any(there[key] > now[key] for key in _COUNTS):
        return False
    before, after = Nouns.of_spec(there), Nouns.of_spec(now)
    return after.extends(before) and classes(there, before) <= classes(now, after)


@dataclass(frozen=True)
class WorkItem:
    """One image of the set: number `number` of a class."""

    label: int  # index of the class
    key: str  # of the class: its synset, or its name in plain letters
    number: int

    @property
    def image_id(self) -> str:
        """`n01443537_00000`."""
        return f"{self.key}_{self.number:05d}"


def work_items(spec: GenerateSpec) -> list[WorkItem]:
    """All images in the order of their rows: class by class."""
    key = spec.nouns.classes.key
    return [WorkItem(label, key(label), number) for label in spec.labels() for number in range(spec.per_class)]


def frame_seed(seed: int, item: WorkItem, attempt: int) -> int:
    """The seed of one frame's noise, 0 to 2**63 - 1: a hash of (the run's seed, class, image, attempt)."""
    parts = ("stack-gen", "frame", seed, item.key, item.number, attempt)
    digest = hashlib.sha256("\0".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1  # the column holds signed 64-bit integers
