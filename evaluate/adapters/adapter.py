"""What all adapters share: one method of somebody else's, called on a batch, its values turned into maps."""

from __future__ import annotations

import zlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from stackwalls.evaluate.adapters.configured import Configured
from stackwalls.evaluate.adapters.conversion import describe, to_maps
from stackwalls.evaluate.adapters.isolation import undisturbed
from stackwalls.evaluate.maps import Maps, Progress
from stackwalls.evaluate.subject import Subject


class Adapter(ABC):
    """One method as an `Explainer`.

    Args:
        name: of its rows in the tables.
        subject: the network under test.
        given: the method and its options.
        usual: how its values become a map where `given` does not say (see `Configured.reduce`).
        seed: of the random numbers that the method draws.

    Attributes:
        methods: its name alone.
        max_batch: the most images in one call; None: any number.
        reduce: how its values become a map, of `REDUCTIONS`; None: they are final maps.
    """

    def __init__(self, name: str, subject: Subject, given: Configured, usual: str | None, seed: int = 0) -> None:
        self.name, self.subject, self.given, self.seed = name, subject, given, seed
        self.methods = (name,)
        self.max_batch = given.max_batch
        self.reduce = given.reduction(usual)

    @property
    def note(self) -> str | None:
        """What a reader of the numbers must know of how the maps were made."""
        options = "".join(f", {key}={_said(value)}" for key, value in self.given.options.items())
        return f"{self.name}: {self._form()}{options}; its values {describe(self.reduce)}."

    @abstractmethod
    def _form(self) -> str:
        """What the method is, in words."""

    @abstractmethod
    def _values(self, inputs: torch.Tensor, targets: torch.Tensor) -> Any:
        """What the method returns: attributions or maps of any accepted shape, or `Maps`.

        Args:
            inputs: `(N, 3, H, W)`, a copy that the method may change.
            targets: `(N,)` int64 on the same device.
        """

    def explain(
        self,
        images: torch.Tensor,
        targets: Sequence[int],
        methods: Sequence[str] | None = None,
        progress: Progress | None = None,
    ) -> dict[str, Maps]:
        """See `Explainer`. Raises whatever the method raises, with the model as it was.

        A method that draws random numbers is called image by image, since what it draws for a batch depends on who
        else is in it.
        """
        del methods, progress  # there is only one, and it tells nothing
        with undisturbed(
            self.subject.model, self.subject.kept, images, zlib.crc32(self.name.encode(), self.seed)
        ) as draws:
            chosen = torch.as_tensor(list(targets), dtype=torch.int64, device=images.device)
            values = self._values(images.detach().clone(), chosen)
            maps = values if isinstance(values, Maps) else to_maps(values, images.shape[-1], self.reduce)
        if not draws.any or len(images) == 1:
            return {self.name: maps}
        self.max_batch = 1
        parts = [self.explain(images[i : i + 1], targets[i : i + 1])[self.name] for i in range(len(images))]
        return {self.name: _joined(parts)}


def _joined(parts: Sequence[Maps]) -> Maps:
    """Maps of single images as those of a batch."""
    raw = [part.raw for part in parts if part.raw is not None]
    return Maps(
        np.concatenate([np.asarray(part.maps) for part in parts]),
        np.concatenate(raw) if len(raw) == len(parts) else None,
        parts[0].final,
    )


def _said(value: object) -> str:
    """An option in words that are the same on every run: no addresses, no long arrays."""
    if isinstance(value, tuple | list):
        return f"({', '.join(map(_said, value))})"
    if isinstance(value, int | float | str | None):
        return repr(value)
    return str(getattr(value, "__name__", type(value).__name__))
