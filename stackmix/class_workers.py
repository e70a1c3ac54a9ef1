"""Classes made on a cluster: the encoded images travel with each class, its rows come back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from stackwalls.model import Cluster, Failure
from stackwalls.model.images.decoding import BrokenImageError
from stackwalls.stackmix.class_rows import ClassRows, make_class_rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from stackwalls.model.images import LabeledImages
    from stackwalls.stackmix.mix_plan import MixPlan


class _NotSent(Exception):  # noqa: N818 - not an error: more images are asked for
    """An image is needed that did not travel with its class."""


@dataclass(frozen=True)
class _Class:
    """One class: all its ids, and the first files in drawing order, or why they cannot be read."""

    index: int
    image_ids: Sequence[str]
    files: Mapping[str, bytes | Exception]

    def read(self, image_id: str) -> bytes:
        """As `LabeledImages.read`."""
        if image_id not in self.files:
            raise _NotSent
        found = self.files[image_id]
        if isinstance(found, Exception):
            raise found
        return found


@dataclass(frozen=True)
class _MakeClasses:
    """What each worker gets once: the plan, without the ids of all classes."""

    plan: MixPlan

    def __call__(self) -> Callable[[_Class], ClassRows | None]:
        return self._rows

    def _rows(self, task: _Class) -> ClassRows | None:
        """The rows of a class; None if that takes more images than were sent."""
        try:
            return make_class_rows(task, replace(self.plan, index={task.index: task.image_ids}), task.index)
        except _NotSent:
            return None


def rows_from(
    cluster: Cluster, plan: MixPlan, source: LabeledImages, classes: Iterable[int]
) -> Iterator[tuple[int, ClassRows]]:
    """The rows of each class, in the order in which they come; every file is read by this process.

    With a class travel as many images as it takes if none is broken; otherwise it is made again with more.
    """
    reach = {index: 2 * (plan.spec.per_class + len(plan.redone(index))) for index in classes}
    while reach:
        tasks = (_task(plan, source, index, count) for index, count in list(reach.items()))
        for task, found in cluster.results(_MakeClasses(replace(plan, index={})), tasks):
            if found is None:
                reach[task.index] *= 4
                continue
            del reach[task.index]
            yield task.index, found if isinstance(found, ClassRows) else _unmade(plan, task.index, found)


def _task(plan: MixPlan, source: LabeledImages, index: int, count: int) -> _Class:
    files: dict[str, bytes | Exception] = {}
    for image_id in plan.images(index)[:count]:
        try:
            files[image_id] = source.read(image_id)
        except (BrokenImageError, OSError) as error:
            files[image_id] = error
    return _Class(index, plan.index[index], files)


def _unmade(plan: MixPlan, index: int, failure: Failure) -> ClassRows:
    """A class that no worker could make is one that cannot be used; another one replaces it, unless it was named."""
    return ClassRows([], [{"item": plan.classes.shown(index), "reason": failure.reason}], usable=False)
