"""Maps that were made elsewhere: a mapping, an array, a `.npz`, a `.npy`, or a folder of `.npy` files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from stackwalls.evaluate.adapters.configured import Configured
from stackwalls.evaluate.adapters.conversion import describe, to_maps
from stackwalls.evaluate.adapters.map_store import ImageRef, open_store
from stackwalls.evaluate.maps import Maps, Progress
from stackwalls.evaluate.subject import Subject
from stackwalls.model import InputError


class PrecomputedExplainer:
    """Maps that were made elsewhere, as an `Explainer`; it must be told which images it is asked for (`for_images`).

    Args:
        name: of its rows in the tables.
        subject: the network under test, for the size of its images.
        given: where the maps are. By image: a mapping image id → map, a `.npz` with the ids as names, or a folder of
            `<image id>.npy`; an id may have its dataset before it, `dataset/id`. By order: an array `(N, H, W)` or a
            `.npy`, one map for each row of the one dataset; or a folder with a `<dataset>.npy` for each. Maps may have
            channels and a lower resolution, as all may. The reduction is "none" by default: maps are final.

    Raises:
        InputError: if there is no such file, it is damaged, or it holds something else.
    """

    def __init__(self, name: str, subject: Subject, given: Configured) -> None:
        given.refuse("maps that were made elsewhere", "options", "arrays")
        self.name, self.methods, self.max_batch = name, (name,), given.max_batch
        self.reduce = given.reduction(None)
        self._size = subject.wall.image_size
        self._store = open_store(name, given.method)

    @property
    def note(self) -> str | None:
        """What a reader of the numbers must know of how the maps were made."""
        return (
            f"{self.name}: maps that were made elsewhere, for a class that is not known here; their values "
            f"{describe(self.reduce)}."
        )

    def check_datasets(self, lengths: Mapping[str, int]) -> None:
        """Refuse maps in order that are not one for each row.

        Args:
            lengths: dataset → number of its images.

        Raises:
            InputError: if the number differs, or there are several datasets for one order.
        """
        count = self._store.count
        if count is None:
            return
        if len(lengths) > 1:
            raise InputError(
                f"{self.name} is one array of maps in order, and there are {len(lengths)} datasets: name the maps by "
                "image id, or put <dataset>.npy files in a folder."
            )
        for dataset, length in lengths.items():
            if length != count:
                raise InputError(f"{self.name} holds {count} maps, and {dataset} {length} images: one each is needed.")

    def for_images(self, refs: Sequence[ImageRef]) -> PrecomputedImages:
        """The explainer for these images, in this order."""
        return PrecomputedImages(self, tuple(refs))

    def explain(
        self,
        images: torch.Tensor,
        targets: Sequence[int],
        methods: Sequence[str] | None = None,
        progress: Progress | None = None,
    ) -> dict[str, Maps]:
        """Not possible without knowing the images.

        Raises:
            InputError: always; call `for_images` first.
        """
        raise InputError(f"{self.name} must know which images it is asked for: call for_images first.")

    def maps(self, refs: Sequence[ImageRef]) -> Maps:
        """The maps of these images.

        Raises:
            InputError: if there is none for an image, or their shapes differ.
        """
        with self._store.opened() as store:
            found = []
            for ref in refs:
                values = store.find(ref)
                if values is None:
                    raise InputError(f"there is no map for {ref.image_id} in {self._store.where}")
                found.append(values.detach().cpu().numpy() if isinstance(values, torch.Tensor) else np.asarray(values))
        if len(shapes := {values.shape for values in found}) > 1:
            raise InputError(f"the maps have different shapes: {sorted(shapes)}")
        return to_maps(np.stack(found), self._size, self.reduce)


@dataclass(frozen=True, eq=False)
class PrecomputedImages:
    """A `PrecomputedExplainer` that knows which images it is asked for."""

    whole: PrecomputedExplainer
    refs: tuple[ImageRef, ...]

    @property
    def methods(self) -> tuple[str, ...]:
        """See `Explainer`."""
        return self.whole.methods

    @property
    def max_batch(self) -> int | None:
        """See `Explainer`."""
        return self.whole.max_batch

    def explain(
        self,
        images: torch.Tensor,
        targets: Sequence[int],
        methods: Sequence[str] | None = None,
        progress: Progress | None = None,
    ) -> dict[str, Maps]:
        """See `Explainer`. The images and targets are not looked at."""
        return {self.whole.name: self.whole.maps(self.refs)}
