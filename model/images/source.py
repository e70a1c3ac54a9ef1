"""What every source of labelled pictures can do."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterable
from typing import Protocol

NAMED = 5
"""How many of the things left out a warning names."""


class Source(Protocol):
    """Labelled pictures: ids by class, and bytes by id.

    An id is relative to the source (`n01443537/a.JPEG`, `val.parquet#17`), so that it means the same on another
    machine and gives nothing away about this one. `read` may be called from several threads.

    Attributes:
        name: what the manifest calls the source: a folder's own name, a dataset's id and revision; no path.
    """

    name: str

    def index(self) -> dict[int, list[str]]:
        """Class index (0 to 999) to the sorted ids of its pictures; classes without any do not appear.

        Raises:
            InputError: if the source holds no picture of an ImageNet-1k class.
        """

    def fetch(self, image_ids: Collection[str]) -> None:
        """Told which pictures will be read; a source that reads best in bulk gets them now."""

    def read(self, image_id: str) -> bytes:
        """The undecoded file of one picture.

        Raises:
            OSError: if it cannot be read.
        """


def warn_left_out(thing: str, names: Iterable[str], why: str) -> None:
    """Warn that `names`, if there are any, are left out: how many things, the first few of them and why."""
    listed = sorted(name if name.isprintable() else ascii(name) for name in names)
    if listed:
        shown = ", ".join(listed[:NAMED]) + (", …" if len(listed) > NAMED else "")
        plural = "s" if len(listed) > 1 else ""
        warnings.warn(f"Left out {len(listed)} {thing}{plural} ({shown}): {why}.", stacklevel=3)
