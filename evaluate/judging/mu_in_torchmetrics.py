"""Mu as a metric of torchmetrics, for training loops and several processes. Imports torchmetrics (extra `judge`)."""

from typing import Any

import torch
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from stackwalls.evaluate.adapters.conversion import to_maps
from stackwalls.evaluate.metrics import mu
from stackwalls.model import Wall


class TorchMu(Metric):
    """Mean mu over batches of maps, gathered over the processes; lower is better.

    `compute` returns float64 scalars: `mu` (the mean), `mu_std` (unbiased), and the numbers of maps that have mu (`n`)
    and that are zero everywhere (`nan`), which are left out. They equal those of `MuMetric`.

    Args:
        wall: the dead zone, of the maps' size.
        reduce: how attributions become maps, of `adapters.conversion.REDUCTIONS`; None: they are maps ≥ 0.
        **options: of `torchmetrics.Metric`, such as `sync_on_compute=False`.

    Example:
        metric = TorchMu(wall)
        for maps in batches:
            metric.update(maps)
        metric.compute()["mu"]
    """

    is_differentiable = False
    higher_is_better = False
    full_state_update = False
    values: list[torch.Tensor]

    def __init__(self, wall: Wall, reduce: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.wall, self.reduce = wall, reduce
        self.add_state("values", [], dist_reduce_fx="cat")

    def update(self, maps: Any) -> None:
        """Add `(N, H, W)` maps, or attributions `(N, C, H, W)`; errors as for `metrics.mu`."""
        if self.reduce is not None:
            maps = torch.from_numpy(to_maps(maps, self.wall.image_size, self.reduce).maps)
        self.values.append(torch.as_tensor(mu(maps, self.wall), device=self.device))

    def compute(self) -> dict[str, torch.Tensor]:
        """The mean and what belongs to it, over all processes."""
        known = dim_zero_cat(self.values) if len(self.values) else torch.zeros(0, dtype=torch.float64)
        own = known[~known.isnan()]
        counts = {"n": len(own), "nan": len(known) - len(own)}
        std = own.std() if len(own) > 1 else torch.full_like(known.sum(), torch.nan)
        return {"mu": own.mean(), "mu_std": std, **{name: torch.tensor(count) for name, count in counts.items()}}
