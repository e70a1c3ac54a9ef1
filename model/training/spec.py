"""One training: what it learns from, how, and with or without the wall."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stackwalls.model.errors import InputError
from stackwalls.model.sampling import check_seed
from stackwalls.model.training.recipes import Recipe


@dataclass(frozen=True)
class TrainingSpec:
    """Everything that the weights follow from, but the data.

    Attributes:
        recipe: how.
        masked: whether the network stands behind the wall; its baseline sees all rows.
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
        """For JSON."""
        return {"masked": self.masked, "seed": self.seed, "recipe": self.recipe.to_dict()}


@dataclass(frozen=True)
class Running:
    """How the work is done on this machine; the weights do not follow from it, but for the order of sums.

    Attributes:
        device: "cuda", "cpu", …; by default the GPU if there is one.
        workers: background processes that prepare pictures; by default 0 on a CPU, else one a core, up to 8.
        gpu_decode: whether JPEGs are decoded by the GPU where it can (nvJPEG).
        accumulation: parts in which a batch goes through the network, for less memory.
        compiled: whether the convolutions run through `torch.compile` while they are trained; by default on a GPU with
            Triton and a C compiler, where bias, ReLU and max-pool are then one pass over memory.
        checkpoint_minutes: minutes between two checkpoints.
        checkpoint_steps: steps between two checkpoints; 0 for by time alone.
        log_steps: steps between two lines of the history.
        tracker: "tensorboard", "wandb" or another of accelerate's, or None.
        half: whether the finished weights are rounded to 16 bits, for files of half the size; they are measured so.

    Raises:
        InputError: if a value is out of its range.
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
        limits = {"accumulation": 1, "log_steps": 1, "checkpoint_steps": 0, "checkpoint_minutes": 0}
        for name, low in limits.items():
            if not getattr(self, name) >= low:
                raise InputError(f"Expected `{name}` to be {low} or more, but got {getattr(self, name)}.")
        if self.workers is not None and self.workers < 0:
            raise InputError(f"Expected `workers` to be 0 or more, but got {self.workers}.")
