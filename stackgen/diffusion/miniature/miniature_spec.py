"""`MiniatureSpec`: what describes a training of the miniature."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from stackwalls.model import ImageNetClass, InputError, parse_classes
from stackwalls.model.images.drawn import drawn_classes


@dataclass(frozen=True)
class MiniatureSpec:
    """One training: the weights follow from it, up to the rounding of the device.

    Attributes:
        classes: which animals, by index, synset or name; kept as synsets.
        per_class: frames drawn of each, for the denoiser.
        seed: of the first weights, the noise and the order of the frames.
        decoder_steps: optimiser steps of the decoder.
        denoiser_steps: optimiser steps of text encoder and denoiser together.
        batch_size: frames of one step of the denoiser, over all processes.
        learning_rate: the highest of both.

    Raises:
        InputError: if a value is out of its range, or a class cannot be drawn.
    """

    classes: tuple[str | int, ...]
    per_class: int = 320
    seed: int = 0
    decoder_steps: int = 3_000
    denoiser_steps: int = 6_000
    batch_size: int = 64
    learning_rate: float = 1.2e-3

    def __post_init__(self) -> None:
        entries = parse_classes(self.classes)
        if not entries:
            raise InputError("Expected at least one class, but the list of classes is empty.")
        drawn = set(drawn_classes())
        if missing := [entry.name for entry in entries if entry not in drawn]:
            raise InputError(f"The drawn world has animals only, not {missing[0]}: leave it out.")
        object.__setattr__(self, "classes", tuple(entry.synset for entry in entries))
        for name in ("per_class", "decoder_steps", "denoiser_steps", "batch_size"):
            if getattr(self, name) < 1:
                raise InputError(f"Expected `{name}` to be 1 or more, but got {getattr(self, name)}.")
        if not 0 < self.learning_rate < 1:
            raise InputError(f"Expected `learning_rate` to be between 0 and 1, but got {self.learning_rate}.")

    def entries(self) -> tuple[ImageNetClass, ...]:
        """The classes in the order that was given."""
        return parse_classes(self.classes)

    def labels(self) -> list[int]:
        """Their ImageNet-1k indices."""
        return [entry.index for entry in self.entries()]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "classes": list(self.classes)}
