"""The maps inside a CNN behind a wall: which modules give one that is made up of those of the pieces."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn

from stackwalls.model.networks.geometry.wall_fitting import pieces
from stackwalls.model.state import preserved
from stackwalls.model.wall import Wall


@dataclass(frozen=True)
class InnerMap:
    """The map `(N, C, h, w)` that a module gives.

    Attributes:
        wall: the dead zone in its cells.
        channels_last: whether the map of a piece has this layout in memory.
        is_last: whether it is the map that the network ends with.
    """

    wall: Wall
    channels_last: bool
    is_last: bool


def inner_maps(extractor: nn.Module, names: Mapping[str, str], wall: Wall) -> dict[str, InnerMap | str]:
    """What the modules of a feature extractor give on the pieces of an image.

    Args:
        extractor: in evaluation mode.
        names: of its modules → what they are called.
        wall: between the pieces.

    Returns:
        Name → map, or the reason why there is none, in the order in which the modules are done; those that do not run
        are left out.
    """
    outputs: dict[str, list[_Output]] = {}

    def note(name: str, _module: nn.Module, _inputs: Any, output: Any) -> None:
        outputs.setdefault(name, []).append(_Output.of(output))

    boxes = pieces(wall)
    image = torch.zeros(1, 3, wall.image_size, wall.image_size, device=next(extractor.parameters()).device)
    with preserved(extractor), torch.no_grad():
        for path, name in names.items():
            extractor.get_submodule(path).register_forward_hook(partial(note, name))
        lasts = [extractor(image[(..., *box.slices)]) for box in boxes]
    found: dict[str, InnerMap | str] = {}
    for name, maps in outputs.items():
        if len(maps) != len(boxes):
            found[name] = f"it runs {len(maps) / len(boxes):.3g} times on each side of the wall"
        elif (on_map := _wall_in_cells([output.shape for output in maps], wall)) is None:
            found[name] = "its output is not a map (N, C, h, w) with whole cells on each side of the wall"
        else:
            is_last = all(output.is_still(last) for output, last in zip(maps, lasts, strict=True))
            found[name] = InnerMap(on_map, maps[0].channels_last, is_last)
    return found


@dataclass(frozen=True)
class _Output:
    """What is kept of a module's output."""

    shape: tuple[int, ...]
    channels_last: bool
    tensor: Callable[[], object]

    @classmethod
    def of(cls, output: Any) -> _Output:
        if not isinstance(output, torch.Tensor):
            return cls((), False, lambda: None)
        other = output.ndim == 4 and not output.is_contiguous()
        other = other and output.is_contiguous(memory_format=torch.channels_last)
        return cls(tuple(output.shape), other, weakref.ref(output))

    def is_still(self, other: object) -> bool:
        return self.tensor() is other


def _wall_in_cells(shapes: Iterable[tuple[int, ...]], wall: Wall) -> Wall | None:
    """The wall in cells of the map whose pieces have these shapes; None if they are not the pieces of one."""
    strides, channels = set(), set()
    for shape, box in zip(shapes, pieces(wall), strict=True):
        if len(shape) != 4 or 0 in shape:
            return None
        height, width = box.bottom - box.top, box.right - box.left
        if height % shape[2] or width % shape[3]:
            return None
        strides |= {height // shape[2], width // shape[3]}
        channels.add(shape[1])
    if len(strides) != 1 or len(channels) != 1 or wall.image_size % (stride := strides.pop()):
        return None
    return wall.rescaled(wall.image_size // stride)


def stages(found: Mapping[str, InnerMap | str]) -> list[str]:
    """The modules, side by side in the network, that take the map through the most resolutions; whole stages if any.

    The one that gives the network's last map is left out.
    """
    maps = {name: inner for name, inner in found.items() if isinstance(inner, InnerMap)}
    parents = {name.rpartition(".")[0] for name in found}
    sizes: dict[str, set[int]] = {}
    for name, inner in maps.items():
        sizes.setdefault(name.rpartition(".")[0], set()).add(inner.wall.image_size)
    outermost = sorted(sizes, key=lambda parent: (len(parent) > 0, parent.count(".")))
    series = max(outermost, key=lambda parent: len(sizes[parent]), default="")
    own = [name for name in maps if name.rpartition(".")[0] == series]
    whole = [name for name in own if name in parents]
    return [name for name in whole or own if not maps[name].is_last]
