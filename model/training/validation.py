"""Loss, top-1 and top-5 on the validation pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F

from stackwalls.model.training.data.loading import Batch

TOP = 5


@dataclass(frozen=True)
class Validation:
    """What was measured.

    Attributes:
        images: how many.
        loss: mean cross-entropy, in nats, without label smoothing.
        top1: share whose class has the highest logit.
        top5: share whose class is among the five highest.
    """

    images: int
    loss: float
    top1: float
    top5: float

    def to_dict(self) -> dict[str, float]:
        """For JSON."""
        return asdict(self)


def counts(forward: Callable[[torch.Tensor], torch.Tensor], batches: Iterable[Batch]) -> torch.Tensor:
    """Sums over this process's batches: images, losses, top-1 hits, top-5 hits.

    Args:
        forward: pictures `(N, 3, H, 224)` uint8 to logits `(N, classes)`.
        batches: pictures and logit positions.

    Returns:
        `(4,)` float64, on the CPU unless there were batches elsewhere.
    """
    total = torch.zeros(4, dtype=torch.float64)
    with torch.inference_mode():
        for pictures, positions in batches:
            logits = forward(pictures).float()
            losses = F.cross_entropy(logits, positions, reduction="none")
            best = logits.topk(min(TOP, logits.shape[1]), dim=1).indices == positions[:, None]
            found = torch.stack([torch.ones_like(losses), losses, best[:, 0], best.any(1)]).double().sum(1)
            total = total.to(found.device) + found
    return total


def validation_of(total: torch.Tensor) -> Validation:
    """Sums of all processes to means."""
    images, loss, top1, top5 = total.tolist()
    return Validation(int(images), loss / images, top1 / images, top5 / images)
