"""Mu in the form of captum's metrics: of an explanation function and its inputs."""

from collections.abc import Callable
from typing import Any

import torch

from stackwalls.evaluate.adapters.conversion import REDUCTIONS, to_maps
from stackwalls.evaluate.metrics import mu
from stackwalls.model import InputError, Wall


def attribution_mu(
    explanation_func: Callable[..., Any], inputs: Any, wall: Wall, reduce: str = "sum", **kwargs: Any
) -> torch.Tensor:
    """Mu of what an explanation function returns, called as `captum.metrics.sensitivity_max` calls it.

    Args:
        explanation_func: such as `Saliency(model).attribute`; returns attributions `(N, C, H, W)` of the inputs' size
            or lower, as a tensor or a tuple of one.
        inputs: a tensor `(N, 3, H, W)`, or a tuple of one.
        wall: the dead zone, of the inputs' size.
        reduce: how attributions become maps, of `adapters.conversion.REDUCTIONS`.
        **kwargs: of the explanation function, such as `target=1`.

    Returns:
        `(N,)` float64; NaN where the map is zero everywhere.

    Raises:
        InputError: if `reduce` is unknown, or the attributions are not of the wall's size.
    """
    if reduce not in REDUCTIONS:
        raise InputError(f"Expected `reduce` to be one of {', '.join(REDUCTIONS)}, but got {reduce!r}.")
    found = to_maps(explanation_func(inputs, **kwargs), wall.image_size, reduce)
    return torch.from_numpy(mu(found.maps, wall))
