"""A wall without training for vision transformers: attention that does not cross it, and a head that reads one side.

Nothing of the network's code is known but that it calls torch's scaled dot-product attention, and that its blocks pass
`(N, tokens, C)` on: prefix tokens, then a row of patches after the other. Whatever is assumed wrongly leaks, and fails
the certificate.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
import threading
from typing import Any

import torch
from torch import nn

from stackwalls.model.errors import InputError, reason_of
from stackwalls.model.networks.attention_wall import AttentionRecord, AttentionWall, WallKind
from stackwalls.model.state import preserved
from stackwalls.model.wall import Wall


@dataclass(frozen=True)
class Tokens:
    """How a transformer stands on its image.

    Attributes:
        blocks: the blocks in order; each passes `(N, prefix + grid · grid, C)` on.
        prefix: class, register and distillation tokens before those of the patches.
        grid: patches in a row and in a column.
    """

    blocks: tuple[nn.Module, ...]
    prefix: int
    grid: int


def tokens_of(model: nn.Module, size: int) -> Tokens:
    """Find the blocks of a vision transformer and how its tokens stand on an image of `size` pixels.

    Raises:
        InputError: if it has no sequence of blocks that pass all tokens on.
    """
    shapes: dict[nn.Module, torch.Size] = {}
    patches: list[int] = []

    def note(module: nn.Module, _inputs: Any, output: Any) -> None:
        found = output[0] if isinstance(output, tuple) else output
        if isinstance(found, torch.Tensor):
            shapes.setdefault(module, found.shape)
            if isinstance(module, nn.Conv2d) and not patches and found.shape[-2] == found.shape[-1]:
                patches.append(found.shape[-1])

    with preserved(model), torch.no_grad():
        for module in model.modules():
            module.register_forward_hook(note)
        model(torch.zeros(1, 3, size, size))
    if patches:
        for series in model.modules():
            blocks = tuple(series.children()) if isinstance(series, nn.ModuleList | nn.Sequential) else ()
            passed = {shapes.get(block) for block in blocks}
            shape = passed.pop() if len(passed) == 1 else None
            if len(blocks) > 1 and shape is not None and len(shape) == 3 and shape[1] >= patches[0] ** 2:
                return Tokens(blocks, shape[1] - patches[0] ** 2, patches[0])
    raise InputError(
        "no blocks were found that pass on one token for each patch of the image, as those of ViT, DeiT, DINOv2, "
        "EVA-02 and BEiT do"
    )


class WalledTransformer(nn.Module):
    """A vision transformer behind a wall.

    Args:
        name: of the network, for tables.
        model: the classifier, in evaluation mode; hooks stay on its blocks.
        wall: the dead zone; its edges must be multiples of the patch size.
        kind: see `WallKind`.
        layer: the map that is explained is what enters this block: a number, from the end if it is negative.

    Raises:
        InputError: if the network is not such a transformer, or the wall or the layer does not fit.
    """

    def __init__(self, name: str, model: nn.Module, wall: Wall, kind: WallKind = "cut", layer: int = -1) -> None:
        super().__init__()
        self.name, self.model, self.kind, self._wall = f"walled:{name}", model.eval(), kind, wall
        self.stitched = nn.Dropout(0.0)
        self._tokens = _tokens_of(name, model, wall.image_size)
        self.map_wall = _on_patches(name, wall, self._tokens.grid)
        dead = torch.from_numpy(self.map_wall.mask()).flatten()
        self.dead = nn.Buffer(torch.cat([dead.new_zeros(self._tokens.prefix), dead]), persistent=False)
        self.constants = nn.Buffer(self._behind_the_sink() if kind == "sink" else torch.empty(0), persistent=False)
        self._running = threading.local()
        blocks = self._tokens.blocks
        blocks[layer].register_forward_pre_hook(self._show_map, with_kwargs=True)
        blocks[-1].register_forward_hook(self._leave_out)

    @property
    def wall(self) -> Wall:
        """The dead zone in pixels."""
        return self._wall

    @property
    def target_layer(self) -> nn.Module:
        """The patch tokens as a map."""
        return self.stitched

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """`(N, 3, H, W)` normalized images to logits `(N, classes)`."""
        attention = AttentionWall(self.dead, self.kind, self.constants if self.kind == "sink" else None)
        self._running.attention = attention
        try:
            with attention:
                output = self.model(images)
        finally:
            self._running.attention = None
        if attention.active:
            raise InputError(f"{self.name} ran without its blocks.")
        logits: torch.Tensor = getattr(output, "logits", output)
        return logits

    def _show_map(self, _block: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Pass the patch tokens through the target layer, as a map, on their way into its block."""
        if getattr(self._running, "attention", None) is None:
            return None
        (name, tokens), *_ = [*enumerate(args[:1]), *kwargs.items()]
        prefix, grid = self._tokens.prefix, self._tokens.grid
        shown = self.stitched(tokens[:, prefix:].transpose(1, 2).unflatten(2, (grid, grid)))
        tokens = torch.cat([tokens[:, :prefix], shown.flatten(2).transpose(1, 2)], 1)
        return ((tokens, *args[1:]), kwargs) if args else (args, kwargs | {name: tokens})

    def _leave_out(self, _block: nn.Module, _args: Any, output: Any) -> Any:
        """Behind the last block there are the seen tokens only: norms, pools and heads read no others."""
        attention = getattr(self._running, "attention", None)
        if attention is None:
            return None
        attention.active = False
        tokens, *rest = output if isinstance(output, tuple) else (output,)
        return (tokens[:, ~self.dead], *rest) if isinstance(output, tuple) else tokens[:, ~self.dead]

    def _behind_the_sink(self) -> torch.Tensor:
        """Keys and values of the dead tokens on an image of the mean color, for each attention."""
        size = self.wall.image_size
        with preserved(self.model), torch.no_grad(), AttentionRecord(self.dead) as record:
            def stop(_block: nn.Module, _args: Any, _output: Any) -> None:
                record.active = False
            self._tokens.blocks[-1].register_forward_hook(stop)
            self.model(next(self.model.parameters()).new_zeros(1, 3, size, size))
        return torch.stack(record.found)

    def derive_wall(self) -> Wall:
        """The pixels of the dead patches."""
        return Wall(tuple(box.scaled(self.wall.image_size // self.map_wall.image_size) for box in self.map_wall.boxes), self.wall.image_size)
    def derivation(self) -> str:
        return "x"


def _tokens_of(name, model, size):
    try:
        return tokens_of(model, size)
    except Exception as error:
        raise InputError(f"{name} cannot be put behind a wall: {reason_of(error)}.") from error


def _on_patches(name: str, wall: Wall, grid: int) -> Wall:
    if wall.image_size % grid:
        raise InputError("grid")
    found = wall.rescaled(grid)
    if found is None:
        patch = wall.image_size // grid
        raise InputError(f"{name} has patches of {patch} pixels, so its wall must be on multiples of {patch}, but got {wall}: take {wall.widened(patch)}.")
    return found
