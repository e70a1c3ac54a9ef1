"""The per-image rows: one per dataset, image and method."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa

ROW_SCHEMA = pa.schema(
    [
        pa.field("dataset", pa.string()),
        pa.field("image_id", pa.string()),
        pa.field("label", pa.int32()),  # -1 where unknown
        pa.field("prediction", pa.int32()),
        pa.field("correct", pa.bool_()),  # null where the label is unknown
        pa.field("target", pa.int32()),  # the class that was explained; -1 where there was none
        pa.field("method", pa.string()),
        pa.field("mu", pa.float64()),
        pa.field("mu_native", pa.float64()),
        pa.field("lit", pa.bool_()),
        pa.field("energy", pa.float64()),
        pa.field("pointing", pa.float64()),
        pa.field("seconds", pa.float64()),  # per image, as if the method ran alone (*)
        pa.field("error", pa.string()),  # why there is no map; null if there is one
    ]
)
"""Columns of the per-image rows. The measures are NaN where they are undefined and null where there is no map.

(*) The method's own time, plus for the engine's methods the forward pass that they share: what the method alone would
take. Averaged over the images of a call; differs from run to run.
"""

TIMINGS = "seconds"
"""Kept in a separate file: everything else is the same on every run."""


def as_frame(rows: pa.Table) -> pd.DataFrame:
    """Rows as a pandas data frame: truth values that may be missing as "boolean", errors as text or None."""
    types = {pa.bool_(): pd.BooleanDtype()}
    frame: pd.DataFrame = rows.to_pandas(types_mapper=types.get)
    return frame


def paired_values(rows: pd.DataFrame, column: str = "mu") -> pd.DataFrame:
    """One dataset's values of a measure side by side, as paired statistics need them.

    Args:
        rows: the per-image rows of one dataset; each method's images are the dataset's first ones, in its order.
        column: the measure.

    Returns:
        Float64, one row per image position and one column per method in the order of the run; NaN where the method
        failed, has no value, or was not run on the image.
    """
    position = rows.groupby("method", sort=False).cumcount()
    wide = rows.assign(position=position).pivot(index="position", columns="method", values=column)
    return wide[list(dict.fromkeys(rows["method"]))].astype("float64")
