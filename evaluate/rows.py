"""The per-image rows: one for each dataset, image and method."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

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
        pa.field("seconds", pa.float64()),  # of the call, shared by its images and methods; differs from run to run
        pa.field("error", pa.string()),  # why there is no map; null where there is one
    ]
)
"""Columns of the per-image rows. The measures are NaN where they are undefined and null where there is no map."""

TIMINGS = "seconds"
"""Kept in a file of its own, so that everything else is the same on every run."""

_ROWS_PER_GROUP = 4096


class RowSpool:
    """Takes rows as they come and holds them on disk, so that memory does not grow with their number."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(suffix=".parquet")  # noqa: SIM115 - closed by `close`
        self._writer = pq.ParquetWriter(self._file, ROW_SCHEMA)
        self._held: list[Mapping[str, Any]] = []

    def append(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add rows; columns that a row does not have are null."""
        self._held.extend(rows)
        if len(self._held) >= _ROWS_PER_GROUP:
            self._flush()

    def _flush(self) -> None:
        if self._held:
            self._writer.write_table(pa.Table.from_pylist(self._held, schema=ROW_SCHEMA))
            self._held = []

    def finish(self) -> pa.Table:
        """All rows, in the order in which they came; nothing can be added afterwards."""
        self._flush()
        self._writer.close()
        self._file.seek(0)
        return pq.read_table(self._file)

    def close(self) -> None:
        """Remove the file."""
        self._writer.close()
        self._file.close()


def as_frame(rows: pa.Table) -> pd.DataFrame:
    """Rows as a pandas data frame: truth values that may be missing as "boolean", errors as text or None."""
    types = {pa.bool_(): pd.BooleanDtype()}
    frame: pd.DataFrame = rows.to_pandas(types_mapper=types.get)
    return frame
