"""A method with what else there is to say of it: options of its call, how its values become a map, batch size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from stackwalls.evaluate.adapters.conversion import REDUCTIONS
from stackwalls.model import InputError


@dataclass(frozen=True, eq=False)
class Configured:
    """A method of any form, with options.

    `Configured(captum.attr.Occlusion, {"sliding_window_shapes": (3, 32, 32)}, reduce="abs-sum", max_batch=2)`

    Attributes:
        method: whatever `as_explainer` takes.
        options: keyword arguments of every call: of `attribute` (captum), of the function, of the extractor
            (torch-cam), of the CAM object (grad-cam). Those of a class's constructor go into
            `functools.partial(cls, …)`.
        reduce: how attributions become one map, of `REDUCTIONS`; "none": the values are final maps, so a negative one
            is a fault; None: what is usual for the form.
        max_batch: the most images in one call; None: as many as the run's batches have.
        arrays: whether a function gets numpy arrays, as Quantus gives them, or tensors; None: as its signature says.

    Raises:
        InputError: if a value is out of range.
    """

    method: Any
    options: Mapping[str, Any] = field(default_factory=dict)
    reduce: str | None = None
    max_batch: int | None = None
    arrays: bool | None = None

    def __post_init__(self) -> None:
        if self.reduce is not None and self.reduce not in (*REDUCTIONS, "none"):
            known = ", ".join([*map(repr, REDUCTIONS), "'none'"])
            raise InputError(f"Expected `reduce` to be one of {known}, but got {self.reduce!r}.")
        if self.max_batch is not None and (not isinstance(self.max_batch, int) or self.max_batch < 1):
            raise InputError(f"Expected `max_batch` to be a whole number of at least 1, but got {self.max_batch!r}.")
        if isinstance(self.method, Configured):
            raise InputError("Expected one Configured, but got one within another: put all options into one.")

    @classmethod
    def of(cls, method: object) -> Configured:
        """The method itself where it is configured, without options otherwise."""
        return method if isinstance(method, Configured) else cls(method)

    def reduction(self, usual: str | None) -> str | None:
        """A key of `REDUCTIONS`, or None for final maps; `usual` where nothing was said."""
        if self.reduce is None:
            return usual
        return None if self.reduce == "none" else self.reduce

    def refuse(self, form: str, *names: str) -> None:
        """Complain of what has no meaning for a form.

        Raises:
            InputError: if one of the attributes `names` was given.
        """
        if given := [name for name in names if getattr(self, name) not in (None, {})]:
            raise InputError(f"{', '.join(f'`{name}`' for name in given)} has no meaning for {form}: leave it out.")
