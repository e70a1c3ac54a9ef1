"""What describes a miniature: the spec of a training, and the miniature that this package contains."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from stackwalls.model import InputError, parse_classes
from stackwalls.model.images.drawn import drawn_classes

PIPELINE = Path(__file__).parent / "pipeline"
"""The folder of the miniature in this package, which diffusers loads."""

DESCRIPTION = "miniature.json"
"""In a pipeline's folder: the classes that it draws, and how it was made."""


@dataclass(frozen=True)
class MiniatureSpec:
    """One training; it determines the weights, up to the rounding of the device.

    Attributes:
        classes: which animals, by index, synset or name; kept as synsets.
        per_class: frames drawn of each animal, for the denoiser.
        seed: of the first weights, the noise and the order of the frames.
        decoder_steps: optimizer steps of the decoder.
        denoiser_steps: optimizer steps of text encoder and denoiser together.
        batch_size: frames per step of the denoiser, over all processes.
        learning_rate: the highest of both trainings.

    Raises:
        InputError: if a value is out of range, or a class cannot be drawn.
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
            raise InputError(f"The drawn world has animals only, not {missing[0]}. Leave it out.")
        object.__setattr__(self, "classes", tuple(entry.synset for entry in entries))
        for name in ("per_class", "decoder_steps", "denoiser_steps", "batch_size"):
            if getattr(self, name) < 1:
                raise InputError(f"Expected `{name}` to be 1 or more, but got {getattr(self, name)}.")
        if not 0 < self.learning_rate < 1:
            raise InputError(f"Expected `learning_rate` to be between 0 and 1, but got {self.learning_rate}.")

    def labels(self) -> list[int]:
        """The ImageNet-1k indices of the classes, in their order."""
        return [entry.index for entry in parse_classes(self.classes)]

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {**asdict(self), "classes": list(self.classes)}


@lru_cache(maxsize=1)
def miniature_synsets() -> tuple[str, ...]:
    """The classes that the miniature in this package draws, by synset.

    Raises:
        InputError: if its files are missing.
    """
    try:
        found = json.loads((PIPELINE / DESCRIPTION).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"The miniature's files are missing in this installation ({error}). Reinstall it.") from error
    return tuple(found["spec"]["classes"])
