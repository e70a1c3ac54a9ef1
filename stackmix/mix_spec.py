"""What describes a STACK-MIX set: the source, the choice of classes and pairs, the wall, the file format."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stackwalls.model import IMAGE_SIZE, VGG16_WALL, InputError, Wall, check_seed, imagenet_classes, parse_classes
from stackwalls.stackmix.composite import check_encoder

MAX_PER_CLASS = 1000
"""Most pairs of a class: its composites (0.1 MB each) are held in memory until all of them are made."""


@dataclass(frozen=True)
class RejectedPair:
    """One pair that a reviewer rejected: its row, the ids of its two images, and the reviewer's words.

    Raises:
        InputError: if one of them is not a text.
    """

    image_id: str
    top_source: str
    bottom_source: str
    comment: str = ""

    def __post_init__(self) -> None:
        texts = (self.image_id, self.top_source, self.bottom_source, self.comment)
        if not all(isinstance(text, str) for text in texts) or not all(texts[:3]):
            raise InputError(f"Expected an image_id, two sources and a comment of a rejected pair, but got {texts}.")

    @classmethod
    def read(cls, entries: Any) -> tuple[RejectedPair, ...]:
        """The pairs of a spec's `redone`.

        Raises:
            InputError: if it is not a list of such pairs.
        """
        try:
            return tuple(cls(**entry) for entry in entries)
        except TypeError as error:
            raise InputError(f"Expected the spec's `redone` to list pairs that were rejected: {error}") from error

    @property
    def synset(self) -> str:
        """The class of the row."""
        return self.image_id.rpartition("_")[0]

    @property
    def item(self) -> str:
        """How rejected.parquet names the pair."""
        return f"{self.image_id} ({self.top_source}, {self.bottom_source})"


@dataclass(frozen=True)
class MixSpec:
    """One STACK-MIX set.

    Attributes:
        source: what `open_images` reads: a folder, Parquet files, a dataset's id on the Hub, or "drawn".
        classes: how many classes, sampled by the seed from those that can be paired; or which ones, by index,
            synset or name (kept as synsets); or None for every class that can be paired.
        per_class: pairs of each class.
        seed: what the sample of classes and the pairs follow from, 0 or more.
        wall: the dead zone, on 224 × 224.
        encoder: "png" or "webp", both lossless.
        labels: the list of labels for a flat folder of images.
        animals: sample among the 398 animals only, as the paper does; not together with named classes.
        redone: the pairs that a reviewer rejected, in the order in which others replaced them.

    Raises:
        InputError: if a value is out of its range, a class is unknown or named twice.
    """

    source: str
    classes: int | tuple[str | int, ...] | None = None
    per_class: int = 1
    seed: int = 0
    wall: Wall = VGG16_WALL
    encoder: str = "png"
    labels: Path | None = None
    animals: bool = False
    redone: tuple[RejectedPair, ...] = ()

    def __post_init__(self) -> None:
        if isinstance(self.classes, tuple):
            if not self.classes:
                raise InputError("Expected at least one class, but the list of classes is empty.")
            if self.animals:
                raise InputError("The choice among the animals applies to a number of classes, not to named ones.")
            object.__setattr__(self, "classes", tuple(entry.synset for entry in parse_classes(self.classes)))
        elif self.classes is not None and not 1 <= self.classes <= len(imagenet_classes()):
            raise InputError(f"Expected 1 to {len(imagenet_classes())} classes, but got {self.classes}.")
        if not 1 <= self.per_class <= MAX_PER_CLASS:
            raise InputError(f"Expected 1 to {MAX_PER_CLASS} pairs of each class, but got {self.per_class}.")
        check_seed(self.seed)
        if self.wall.image_size != IMAGE_SIZE:
            raise InputError(
                f"Expected a wall on {IMAGE_SIZE} × {IMAGE_SIZE} pixels, but got one on {self.wall.image_size}."
            )
        check_encoder(self.encoder)

    def to_dict(self, source_name: str) -> dict[str, Any]:
        """For the manifest: what the set follows from, the source by its name and not by its place here."""
        asked: dict[str, Any] = {
            "source": source_name,
            "classes": list(self.classes) if isinstance(self.classes, tuple) else self.classes,
            "animals": self.animals,
            "per_class": self.per_class,
            "seed": self.seed,
            "wall": str(self.wall),
            "encoder": self.encoder,
        }
        asked |= {"labels": self.labels.name} if self.labels else {}
        return asked | ({"redone": [asdict(pair) for pair in self.redone]} if self.redone else {})
