"""A wall without training: any pretrained CNN with global pooling, made blind to part of its input.

The backbone runs on the seen part and on the dead part of the image separately, and the two maps are stitched. The
classifier pools the seen rows only. Nothing crosses the wall, so the dead part provably cannot influence the logits,
and every CAM library can hook the stitched map, whose dead rows show the other animal as clearly as the seen rows.

An inner layer is explained in the same way: each piece runs up to it, the pieces' maps are stitched, pass the layer
that is hooked, are cut again, and each piece continues from there.
"""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cached_property, partial
from typing import Any

import torch
from torch import nn
from torch.utils.hooks import RemovableHandle

from stackwalls.model.boxes import Box
from stackwalls.model.networks.backbones.backbone import Backbone
from stackwalls.model.networks.geometry.inner_maps import InnerMap, inner_maps, stages
from stackwalls.model.networks.geometry.wall_fitting import check_head_pools, map_shape, pieces, wall_on_map
from stackwalls.model.networks.layered_model import LAST, Layer, unknown_layer
from stackwalls.model.networks.walled_network import WalledNetwork, file_names
from stackwalls.model.state import preserved
from stackwalls.model.wall import Wall

Reached = Callable[[int, torch.Tensor], torch.Tensor]
"""The number of a side and its map of the layer to the map that it continues with."""

_REACHED: ContextVar[tuple[nn.Module, Reached] | None] = ContextVar("the pass that runs in this thread", default=None)


class _Stopped(Exception):  # noqa: N818 - not an error
    """A side has come to the layer, and need not go on."""

    def __init__(self, found: torch.Tensor) -> None:
        super().__init__()
        self.found = found


class Walled(WalledNetwork):
    """A pretrained CNN behind a wall (see `walled`).

    Args:
        backbone: feature extractor, head after global pooling, and normalization.
        wall: the dead zone; its edges must be multiples of the backbone's stride (32 pixels, mostly).
        layer: the module whose map is explained, by its name in the backbone (see `explain_at`); its last map by
            default.

    Raises:
        InputError: if the head depends on positions, the map is not `(N, C, h, w)`, the wall's edges fall inside a map
            row, or there is no such layer.
    """

    settings: Mapping[str, Any] = {"layer": None}
    _wall: Wall
    map_wall: Wall

    def __init__(self, backbone: Backbone, wall: Wall, layer: Layer | None = None) -> None:
        super().__init__(backbone, wall)
        self.extractor, self.pooled_head = backbone.features, backbone.head
        self.other_sides = nn.ModuleList(sharing_copy(backbone.features) for _ in pieces(wall)[1:])
        self.eval()
        with preserved(self), torch.no_grad():
            shape = map_shape(backbone, wall.image_size)
            check_head_pools(backbone.name, self.pooled_head, shape)
            self.map_wall = wall_on_map(backbone, wall, shape)
        self._file_names = file_names(self, backbone.network)
        named = (backbone.network or backbone.features).named_modules()
        names = {module: name for name, module in named if name}
        self._all_names = frozenset(names.values())
        # in the extractor → in the backbone
        self._names = {path: names[each] for path, each in self.extractor.named_modules() if each in names}
        self._hooks = list[RemovableHandle]()
        self.explain_at(layer)

    @property
    def wall(self) -> Wall:
        """The dead zone in pixels."""
        return self._wall

    @property
    def sides(self) -> list[nn.Module]:
        """The extractor of each piece of the image, seen or dead, in order of their corners."""
        return [self.extractor, *self.other_sides]

    def explain_at(self, layer: Layer | None) -> None:
        """See `LayeredModel`; a module fits if it runs once and gives a map, which no wall cuts inside a cell."""
        inner = None if layer in (None, LAST) else self._fitting(str(layer))
        for hook in self._hooks:
            hook.remove()
        self._hooks.clear()
        self.layer, self.settings = None, {}
        self.layer_wall, self._channels_last, self._goes_around = self.map_wall, False, False
        if inner is None:
            return
        self.layer = str(layer)
        self.settings = {"layer": self.layer}
        self.layer_wall, self._channels_last = inner.wall, inner.channels_last
        path = next(path for path, name in self._names.items() if name == self.layer)
        for number, side in enumerate(self.sides):
            module = side.get_submodule(path)
            self._hooks.append(module.register_forward_hook(partial(self._at_layer, number)))
        self._goes_around = self._has_a_way_around()

    @cached_property
    def _inner_maps(self) -> dict[str, InnerMap | str]:
        return inner_maps(self.extractor, self._names, self.wall)

    def _fitting(self, name: str) -> InnerMap:
        """What a module gives.

        Raises:
            InputError: if there is no such module, or its map cannot be explained.
        """
        none = "it does not run before the head" if name in self._all_names else "the network has no such module"
        found = self._inner_maps.get(name, none)
        if isinstance(found, str):
            fitting = [each for each, inner in self._inner_maps.items() if isinstance(inner, InnerMap)]
            raise unknown_layer(self.name, name, found, stages(self._inner_maps) or fitting or [LAST], fitting)
        return found

    def _has_a_way_around(self) -> bool:
        """Whether the logits depend on the images beside the layer's map, as inside a residual block."""
        size = self.wall.image_size
        with preserved(self), torch.enable_grad():
            images = torch.zeros(1, 3, size, size, device=next(self.parameters()).device, requires_grad=True)
            maps = self.parts(images.detach().expand(2, -1, -1, -1))[0].detach()
            try:
                logits = self._continued(maps, images)
            except Exception:  # a network that counts its images cannot go on with more of them
                return True
            (gradient,) = torch.autograd.grad(logits.sum(), images, allow_unused=True)
        return gradient is not None

    def layers(self) -> tuple[Layer, ...]:
        """The stages of the network, and its last map."""
        return (*stages(self._inner_maps), LAST)

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """`(N, 3, H, W)` normalized images to the stitched map `(N, C, h, w)` of the layer, each part by itself."""
        return self.parts(images)[0]

    def head(self, activations: torch.Tensor) -> torch.Tensor:
        """The map `(N, C, h, w)` to logits `(N, classes)`, reading its seen part only (see `from_parts`)."""
        return self.from_parts(activations, None)

    def parts(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        """The stitched map `(N, C, h, w)` of the layer; the images too if something leads around it."""
        with self._reaching(_stop):
            maps = [_stopped(side, images[(..., *box.slices)]) for side, box in self._pieces()]
        stitched: torch.Tensor = self.stitched(_stitch(maps, self.layer_wall))
        return stitched, images if self._goes_around else None

    def from_parts(self, activations: torch.Tensor, rest: torch.Tensor | None) -> torch.Tensor:
        """The layer's map `(N, C, h, w)`, and the images if something leads around it, to logits `(N, classes)`."""
        if self.layer is None:
            return self._pooled(activations)
        if rest is None:  # what comes before the layer does not matter then, and runs on one image only
            rest = activations.new_zeros(1, 3, self.wall.image_size, self.wall.image_size)
        return self._continued(activations, rest)

    def _continued(self, activations: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
        with self._reaching(lambda number, _: self._cut(activations, number)):
            maps = [side(images[(..., *box.slices)]) for side, box in self._pieces() if box in self.wall.seen]
        logits: torch.Tensor = self.pooled_head(joined(maps))
        return logits

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """`(N, 3, H, W)` normalized images to logits `(N, classes)`; no module runs twice on a side."""
        if self.layer is None:
            return super().forward(images)
        sides, maps, last = list(self._pieces()), list[torch.Tensor](), list[torch.Tensor]()

        def run() -> None:
            side, box = sides[len(maps)]
            last.append(side(images[(..., *box.slices)]))

        def reached(number: int, found: torch.Tensor) -> torch.Tensor:
            maps.append(found)
            if len(maps) < len(sides):
                run()  # up to the end, while this side waits at the layer
            else:
                maps[:] = [self.stitched(_stitch(maps, self.layer_wall))]
            return self._cut(maps[0], number)

        with self._reaching(reached):
            run()
        return self._pooled(_stitch(last[::-1], self.map_wall))

    def _pieces(self) -> Iterator[tuple[nn.Module, Box]]:
        yield from zip(self.sides, pieces(self.wall), strict=True)

    def _pooled(self, last: torch.Tensor) -> torch.Tensor:
        """The network's last map `(N, C, h, w)` to logits, pooling its seen part only."""
        logits: torch.Tensor = self.pooled_head(joined([last[(..., *box.slices)] for box in self.map_wall.seen]))
        return logits

    def _cut(self, activations: torch.Tensor, number: int) -> torch.Tensor:
        """A piece of the layer's map, in memory of its own: what follows may write into it."""
        layout = torch.channels_last if self._channels_last else torch.contiguous_format
        return activations[(..., *pieces(self.layer_wall)[number].slices)].clone(memory_format=layout)

    @contextmanager
    def _reaching(self, reached: Reached) -> Iterator[None]:
        token = _REACHED.set((self, reached))
        try:
            yield
        finally:
            _REACHED.reset(token)

    def _at_layer(self, number: int, _module: nn.Module, _inputs: Any, output: torch.Tensor) -> torch.Tensor:
        """A hook of the layer on side `number`."""
        of, reached = _REACHED.get() or (None, None)
        return reached(number, output) if reached is not None and of is self else output

    def dead_cells(self) -> torch.Tensor:
        """See `LayeredModel`."""
        return torch.from_numpy(self.layer_wall.mask())

    def layer_derivation(self) -> str:
        """See `LayeredModel`."""
        where, size = self.layer_wall.where, self.layer_wall.image_size
        return (
            f"the pieces of the image never meet before the head, which pools nothing of {where} of {size}; the "
            "others see no pixel of the dead zone"
        )

    def derivation(self) -> str:
        """Why the dead zone is dead, in one sentence."""
        boxes = "; ".join(map(self.wall.named, pieces(self.wall)))
        seen, cells = sum(box.area for box in self.map_wall.seen), self.map_wall.image_size**2
        return (
            f"the backbone runs separately on the pieces of the image ({boxes}), and the head pools only {seen} of "
            f"{cells} map cells, those that stand for seen pixels"
        )


def _stop(_number: int, found: torch.Tensor) -> torch.Tensor:
    raise _Stopped(found)


def _stopped(side: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """The map of a side at the layer, if it stops there; otherwise its last one."""
    try:
        last: torch.Tensor = side(images)
    except _Stopped as stopped:
        return stopped.found
    return last


def sharing_copy(extractor: nn.Module) -> nn.Module:
    """Another module with the same parameters and buffers.

    Methods such as DeepLift and LRP keep each layer's last input in the layer, so no layer may run on two sides.
    """
    shared = {id(tensor): tensor for tensor in (*extractor.parameters(), *extractor.buffers())}
    return copy.deepcopy(extractor, dict(shared))


def joined(parts: Sequence[torch.Tensor]) -> torch.Tensor:
    """Maps `(N, C, h, w)` of several pieces as one, for a head that pools: a single map, or all cells as one column."""
    return parts[0] if len(parts) == 1 else torch.cat([part.flatten(2) for part in parts], 2)[..., None]


def _stitch(maps: Sequence[torch.Tensor], wall: Wall) -> torch.Tensor:
    """The maps `(N, C, h, w)` of the pieces as the map `(N, C, size, size)` of the image; the wall in its cells."""
    if wall.band:
        return torch.cat(list(maps), 2 if wall.band.axis == "rows" else 3)
    cells = torch.arange(wall.image_size**2).view(wall.image_size, -1)
    order = torch.cat([cells[box.slices].flatten() for box in pieces(wall)]).argsort().to(maps[0].device)
    return torch.cat([part.flatten(2) for part in maps], 2)[..., order].view(*maps[0].shape[:2], *cells.shape)
