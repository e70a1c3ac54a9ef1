"""Per-image values side by side: an image a row, a method a column, as paired statistics need them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray


def paired_values(rows: pd.DataFrame, column: str = "mu") -> pd.DataFrame:
    """One dataset's values of a measure, NaN where a method failed, has no value or did not come to the image.

    Args:
        rows: the per-image rows of one dataset; each method's images are the dataset's first ones, in its order.
        column: the measure.

    Returns:
        Float64, indexed by the image's position, a column a method in the order of the run.
    """
    position = rows.groupby("method", sort=False).cumcount()
    wide = rows.assign(position=position).pivot(index="position", columns="method", values=column)
    return wide[list(dict.fromkeys(rows["method"]))].astype("float64")


def on_all_methods(rows: pd.DataFrame, column: str = "mu") -> NDArray[np.float64]:
    """`paired_values` of the images to which every method came, `(images, methods)`; a ranking is fair on them only."""
    fewest = int(rows["method"].value_counts().min())
    values: NDArray[Any] = paired_values(rows, column).to_numpy()[:fewest]
    return values
