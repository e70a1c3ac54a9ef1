"""Mu as a metric of Quantus, for `quantus.evaluate` and by itself. Imports Quantus (extra `judge`)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from quantus.helpers.enums import DataType, EvaluationCategory, ModelType, ScoreDirection
from quantus.metrics.base import Metric

from stackwalls.evaluate.adapters.conversion import to_maps
from stackwalls.evaluate.metrics import mu
from stackwalls.model import InputError, Wall


class QuantusMu(Metric[list[float]]):
    """Mu of each attribution: the norm of its map in the dead zone over that of the whole map; lower is better.

    Called as every metric of Quantus is: `metric(model, x_batch, y_batch, a_batch, s_batch, …)`. Attributions with
    channels or signs become maps by `reduce`. Returns one number per image, NaN for a map that is zero everywhere.

    Args:
        wall: the dead zone, of the images' size.
        reduce: of `adapters.conversion.REDUCTIONS`: "sum" (over the channels, negative values as 0), "sum-abs",
            "abs-sum" or "abs-max".
        **options: of `quantus.metrics.base.Metric`, such as `return_aggregate=True`.

    Raises:
        InputError: when called, if `s_batch` is given and is not the wall's masks (`wall_masks`). `quantus.evaluate`
            prints what a metric raises, and goes on.
    """

    name = "Mu"
    data_applicability = {DataType.IMAGE}  # noqa: RUF012 - as in every metric of Quantus
    model_applicability = {ModelType.TORCH, ModelType.TF}  # noqa: RUF012
    score_direction = ScoreDirection.LOWER
    evaluation_category = EvaluationCategory.LOCALISATION

    def __init__(self, wall: Wall, reduce: str = "sum", **options: Any) -> None:
        usual: dict[str, Any] = dict.fromkeys(("abs", "normalise", "return_aggregate", "display_progressbar"), False)
        usual |= dict.fromkeys(("normalise_func", "normalise_func_kwargs", "aggregate_func", "default_plot_func"))
        super().__init__(**{**usual, "disable_warnings": True, **options})
        self.wall, self.reduce = wall, reduce

    def __call__(
        self, model: Any, x_batch: Any, y_batch: Any, a_batch: Any = None, s_batch: Any = None, **call: Any
    ) -> Any:
        """Scores of a batch; the arguments are those of every metric of Quantus."""
        usual = ("channel_first", "explain_func", "explain_func_kwargs", "model_predict_kwargs", "softmax")
        given = {**dict.fromkeys(usual), **call}
        return super().__call__(model, x_batch, y_batch, a_batch, s_batch, **given)

    def evaluate_batch(self, a_batch: NDArray[Any], s_batch: Any = None, **_: Any) -> list[float]:
        """Mu of `(N, C, H, W)` attributions."""
        if s_batch is not None and not np.array_equal(s_batch, wall_masks(self.wall, len(a_batch))):
            raise InputError(
                f"Expected `s_batch` to be None or the wall's masks, `wall_masks(wall, {len(a_batch)})` of {self.wall}."
            )
        found = to_maps(a_batch, self.wall.image_size, self.reduce)
        scores: list[float] = mu(found.maps, self.wall).tolist()
        return scores


def wall_masks(wall: Wall, count: int) -> NDArray[np.int64]:
    """The dead zone as Quantus's `s_batch`: `(count, 1, H, W)`, 1 where the network sees nothing."""
    return np.repeat(wall.mask()[None, None].astype(np.int64), count, axis=0)
