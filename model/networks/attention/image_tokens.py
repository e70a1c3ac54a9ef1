"""How the tokens of a vision transformer stand on its image, found by one forward pass."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from stackwalls.model.errors import InputError
from stackwalls.model.state import preserved
from stackwalls.model.wall import Wall


@dataclass(frozen=True)
class Tokens:
    """How a transformer stands on its image.

    Attributes:
        blocks: the blocks in order; each passes `(N, prefix + grid · grid, C)` on.
        prefix: class, register and distillation tokens before those of the patches.
        grid: patches in a row and in a column.
        in_tuples: whether a block gives its tokens as the first of a tuple.
        size: of the image, in pixels.
    """

    blocks: tuple[nn.Module, ...]
    prefix: int
    grid: int
    in_tuples: bool
    size: int

    def as_map(self, tokens: torch.Tensor) -> torch.Tensor:
        """The patches of `(N, prefix + grid · grid, C)` tokens as a map `(N, C, grid, grid)`."""
        patches = tokens[:, self.prefix :].transpose(1, 2)
        return patches.reshape(*patches.shape[:2], self.grid, self.grid)


def as_tokens(activations: torch.Tensor) -> torch.Tensor:
    """A map `(N, C, h, w)` as `(N, h · w, C)`."""
    return activations.flatten(2).transpose(1, 2)


def tokens_of(model: nn.Module, size: int) -> Tokens:
    """Find the blocks of a vision transformer, and how its tokens stand on an image of `size` pixels.

    Raises:
        InputError: if it has no sequence of blocks that pass on a token for each patch.
    """
    shapes: dict[nn.Module, torch.Size] = {}
    grids, tuples = list[int](), set[nn.Module]()

    def note(module: nn.Module, _inputs: Any, output: Any) -> None:
        # others may be attention weights; sizes, as MViT v2 passes them on, are needed by the next block
        if isinstance(output, tuple) and not any(isinstance(each, tuple | list) for each in output[1:]):
            tuples.add(module)
            output = output[0] if output else None
        if isinstance(output, torch.Tensor):
            shapes.setdefault(module, output.shape)
            if isinstance(module, nn.Conv2d) and output.shape[-2] == output.shape[-1]:
                grids.append(output.shape[-1])

    with preserved(model), torch.no_grad():
        for module in model.modules():
            module.register_forward_hook(note)
        model(torch.zeros(1, 3, size, size))
    found: Tokens | None = None
    for series in model.modules():
        blocks = tuple(series.children()) if isinstance(series, nn.ModuleList | nn.Sequential) else ()
        passed = {shapes.get(block) for block in blocks}
        shape = passed.pop() if len(passed) == 1 else None
        grid = max((each for each in grids if shape is not None and each**2 <= shape[1]), default=0)
        if len(blocks) > 1 and shape is not None and len(shape) == 3 and grid and (not found or grid < found.grid):
            # of a hierarchical one, the last stage
            found = Tokens(blocks, shape[1] - grid**2, grid, blocks[0] in tuples, size)
    if found is None:
        raise InputError(
            "it has no blocks that pass on one token for each patch, as ViT, DeiT, DINOv2, EVA-02 and BEiT do"
        )
    return found


def wall_on_patches(name: str, wall: Wall, grid: int) -> Wall:
    """A wall in patches, of a network that has `grid` in a row.

    Raises:
        InputError: if its edges fall between them; the message names the nearest wall that fits.
    """
    if (found := wall.rescaled(grid)) is not None:
        return found
    if wall.image_size % grid:
        raise InputError(
            f"{name} has {grid} patches for {wall.image_size} pixels, which do not divide them evenly: take images of "
            f"{wall.image_size // grid * grid} pixels."
        )
    patch = wall.image_size // grid
    raise InputError(
        f"{name} has patches of {patch} pixels, so its wall must be on multiples of {patch}, but got {wall}: take "
        f"{wall.widened(patch)}."
    )
