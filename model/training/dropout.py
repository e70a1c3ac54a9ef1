"""Dropout whose masks belong to the picture's place in the batch, not to the process that holds it."""

from __future__ import annotations

import torch
from torch import nn


class SeededDropout(nn.Module):
    """Dropout with a mask that follows from (seed, step) and the rows' place in the global batch.

    So a resumed run, a run on two processes, and one that accumulates its batch in parts drop the same units as an
    uninterrupted one on one process. The mask of the whole batch is drawn, and the rows that are here are taken.

    Args:
        share: of the units that are dropped, 0 to 1; the others are scaled by 1 / (1 - share).
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share
        self.seed, self.first, self.total = 0, 0, 0

    def place(self, seed: int, first: int, total: int) -> None:
        """Say what the next call's rows are: rows from `first` on of a batch of `total`, masked by `seed`."""
        self.seed, self.first, self.total = seed, first, total

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`(N, D)` to `(N, D)`; unchanged in evaluation mode."""
        if not self.training or self.share == 0:
            return x
        generator = torch.Generator(x.device).manual_seed(self.seed)
        draws = torch.rand((self.total, x.shape[1]), generator=generator, device=x.device)
        kept = draws[self.first : self.first + len(x)] >= self.share
        return x * kept / (1 - self.share)
