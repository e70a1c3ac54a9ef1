"""What describes a miniature: the spec of a training, and the miniature that this package contains."""

import json
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from stackwalls.model import InputError, parse_classes
from stackwalls.model.training.spec import check_values, value

PIPELINE = Path(__file__).parent / "pipeline"  # the miniature in this package, which diffusers loads
DESCRIPTION = "miniature.json"  # in a pipeline's folder: the classes that it draws, and how it was made


@dataclass(frozen=True)
class MiniatureSpec:
    """One training; it determines the weights, up to the rounding of the device.

    Raises:
        InputError: if a value is out of range, or a class cannot be drawn.
    """

    classes: tuple[str | int, ...]  # animals by index, synset or name; kept as synsets
    per_class: int = value(320, "frames drawn of each animal, for the denoiser", 1)
    seed: int = value(0, "seed of the first weights, the noise and the order of the frames")
    decoder_steps: int = value(3_000, "optimizer steps of the decoder, of 16 crops per process", 1)
    denoiser_steps: int = value(6_000, "optimizer steps of text encoder and denoiser, of --batch-size frames", 1)
    batch_size: int = value(64, "frames per step of the denoiser, over all processes", 1)
    learning_rate: float = value(1.2e-3, "highest learning rate of both trainings", 1e-12, 1)

    def __post_init__(self) -> None:
        from stackwalls.model.images.drawn import drawn_classes

        check_values(self)
        entries = parse_classes(self.classes)
        if not entries:
            raise InputError("Expected at least one class, but the list of classes is empty.")
        drawn = set(drawn_classes())
        if missing := [entry.name for entry in entries if entry not in drawn]:
            raise InputError(f"The drawn world has animals only, not {missing[0]}. Leave it out.")
        object.__setattr__(self, "classes", tuple(entry.synset for entry in entries))

    def labels(self) -> list[int]:
        """The ImageNet-1k indices of the classes."""
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
