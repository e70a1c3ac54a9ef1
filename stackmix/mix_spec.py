"""What describes a STACK-MIX set: the source, the choice of classes and pairs, the wall, the file format."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from stackwalls.model import VGG16_WALL, InputError, LabelSpace, Transform, Wall, check_seed
from stackwalls.model.files import as_text
from stackwalls.model.images.decoding import MIN_SIDE
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
    def key(self) -> str:
        """The key of the row's class (`LabelSpace.key`)."""
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
        classes: how many classes, sampled by the seed from those that can be paired; or which ones, by index, name or
            (of ImageNet-1k) synset; or None for every class that can be paired.
        per_class: pairs of each class.
        seed: what the sample of classes and the pairs follow from, 0 or more.
        wall: the dead zone, on images of any size.
        encoder: "png" or "webp", both lossless.
        labels: the list of labels for a flat folder of images.
        animals: sample among the 398 animals of ImageNet-1k only, as the paper does; not together with named classes.
        redone: the pairs that a reviewer rejected, in the order in which others replaced them.
        label_space: whose classes the labels are: "imagenet", "own", or a file of names (see `parse_label_space`); by
            default what their names say.
        transform: what each image goes through; the usual one of the wall's size by default.

    Raises:
        InputError: if a value is out of its range, or the transform makes images of another size than the wall's.
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
    label_space: str | None = None
    transform: Transform | None = None

    def __post_init__(self) -> None:
        if isinstance(self.classes, tuple):
            if not self.classes:
                raise InputError("Expected at least one class, but the list of classes is empty.")
            if self.animals:
                raise InputError("The choice among the animals applies to a number of classes, not to named ones.")
        elif self.classes is not None and self.classes < 1:
            raise InputError(f"Expected at least one class, but got {self.classes}.")
        if not 1 <= self.per_class <= MAX_PER_CLASS:
            raise InputError(f"Expected 1 to {MAX_PER_CLASS} pairs of each class, but got {self.per_class}.")
        check_seed(self.seed)
        size = self.wall.image_size
        if size < MIN_SIDE:
            raise InputError(f"Expected images of {MIN_SIDE} pixels or more, but got a wall on {size} × {size}.")
        if self.transform is not None and self.transform.size != size:
            raise InputError(
                f"The wall is on images of {size} × {size} pixels, but the transform makes {self.transform.size} × "
                f"{self.transform.size}: expected one size."
            )
        check_encoder(self.encoder)

    @property
    def crop(self) -> Transform:
        """The transform, or the usual one."""
        return self.transform or Transform.of_size(self.wall.image_size)

    def of(self, classes: LabelSpace) -> MixSpec:
        """The same set, with named classes by their keys.

        Raises:
            InputError: if a class is unknown or named twice, or the classes have no animals.
        """
        if self.animals and not classes.is_imagenet:
            raise InputError(
                f"--animals samples among ImageNet-1k's animals, but {as_text(Path(self.source).name)} has classes of "
                "its own: leave it out."
            )
        if not isinstance(self.classes, tuple):
            return self
        return replace(self, classes=tuple(map(classes.key, classes.parse_all(self.classes))))

    def to_dict(self, source_name: str, classes: LabelSpace) -> dict[str, Any]:
        """For the manifest: what the set follows from, the source by its name and not by its place here.

        Args:
            source_name: its name in reports.
            classes: the source's.
        """
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
        asked |= {"label_space": as_text(Path(self.label_space).name)} if self.label_space else {}
        asked |= {} if classes.is_imagenet else {"class_names": list(classes.names)}
        asked |= {} if self.crop.is_usual else {"transform": self.crop.to_dict()}
        return asked | ({"redone": [asdict(pair) for pair in self.redone]} if self.redone else {})
