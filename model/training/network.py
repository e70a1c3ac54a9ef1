"""The network during training: of a masked VGG16 or a CNN behind a wall, only what reaches the logits is computed."""

import os
import shutil
from importlib.util import find_spec
from typing import Self

import numpy as np
import torch
from torch import nn

from stackwalls.model.networks.attention.walled_transformer import WalledTransformer
from stackwalls.model.networks.geometry.seen_rows import seen_map, seen_pixel_rows
from stackwalls.model.networks.masked_vgg import MaskedVGG16
from stackwalls.model.networks.walled_model import Walled, joined
from stackwalls.model.networks.walled_network import WalledNetwork


class SeededDropout(nn.Module):
    """Dropout whose mask follows from a seed and an image's place in the global batch.

    So resumed runs, several processes and accumulated parts drop the same units as one uninterrupted process. The mask
    of the whole batch is drawn; the rows that are here are taken.

    Args:
        share: of the units that are dropped, 0 to 1; the others are scaled by 1 / (1 - share).
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share
        self.place(0, 0, 0)

    def place(self, seed: int, first: int, total: int) -> None:
        """Set what the next call's rows are: rows `first` and up of a batch of `total`, masked by `seed`."""
        self.seed, self.first, self.total = seed, first, total

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`(N, D)` to `(N, D)`; unchanged in evaluation mode."""
        if not self.training or self.share == 0:
            return x
        generator = torch.Generator(x.device).manual_seed(self.seed)
        draws = torch.rand((self.total, x.shape[1]), generator=generator, device=x.device)
        kept = draws[self.first : self.first + len(x)] >= self.share
        return x * kept / (1 - self.share)


class TrainingNetwork(nn.Module):
    """uint8 images to logits, for training and validation, of what the network can see alone.

    The wall of a CNN holds by construction twice: the head reads nothing of the dead zone, and the dead pixels are cut
    off before the first layer. A masked VGG16 runs on the rows that reach its head, a walled CNN on the seen pieces. A
    transformer runs as a whole, on all its tokens; behind a sink, the keys there follow the weights in every step.
    Layers with running statistics (batch norm) use and keep those that they have: then a logit follows from its image
    alone, whatever else is in the batch, so that it is divided among parts and processes as one likes.

    Args:
        model: what is trained, in place.
        dropout: share of the units of a VGG16's dense layers that is dropped.
        compiled: whether all before the head runs through `torch.compile` in training mode.

    Attributes:
        size: height and width of the images, in pixels.
        rows: pixel rows from the top that are read; the images may have more.
    """

    def __init__(self, model: MaskedVGG16 | WalledNetwork, dropout: float, compiled: bool = False) -> None:
        super().__init__()
        self.model = model.to(memory_format=torch.channels_last)
        self.size = self.rows = model.image_size
        if isinstance(model, MaskedVGG16):
            self.rows = seen_pixel_rows(model)
            layers = [SeededDropout(dropout) if isinstance(layer, nn.Dropout) else layer for layer in model.classifier]
            self.dense: nn.Module = nn.Sequential(nn.Flatten(), *layers)  # shares the model's layers
        elif isinstance(model, Walled):
            self.rows = max(box.bottom for box in model.wall.seen)
            self.dense = model.pooled_head
        else:
            self.dense = nn.Identity()
        self._map = torch.compile(_seen_map) if compiled else _seen_map
        self.mean = nn.Buffer(255 * torch.tensor(model.mean).view(1, 3, 1, 1), persistent=False)
        self.std = nn.Buffer(255 * torch.tensor(model.std).view(1, 3, 1, 1), persistent=False)

    def train(self, mode: bool = True) -> Self:
        """Drop units, or not. Nothing else differs between training and evaluation."""
        super().train(mode)
        self.model.eval()
        return self

    def place(self, seed: int, step: int, first: int, total: int) -> None:
        """Set which images of which step the next call gets; the dropout masks follow from it."""
        dropouts = [layer for layer in self.dense.children() if isinstance(layer, SeededDropout)]
        states = np.random.SeedSequence([seed, step]).generate_state(len(dropouts))
        for state, layer in zip(states, dropouts, strict=True):
            layer.place(int(state), first, total)

    def normalized(self, images: torch.Tensor) -> torch.Tensor:
        """`(N, 3, H, size)` uint8 to network input, channels last, only the rows that can matter."""
        seen = images[:, :, : self.rows].to(torch.float32)
        return ((seen - self.mean) / self.std).contiguous(memory_format=torch.channels_last)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """`(N, 3, H, size)` uint8 RGB, H at least the seen rows, to logits `(N, classes)`."""
        # validation batches have other shapes, each of which would be compiled again
        run = self._map if self.training else _seen_map
        logits: torch.Tensor = self.dense(run(self.model, self.normalized(images)))
        return logits


def _seen_map(model: MaskedVGG16 | WalledNetwork, images: torch.Tensor) -> torch.Tensor:
    """What `dense` gets, from the rows of `(N, 3, rows, size)` normalized images that can matter.

    It is what the head reads of the map, or all that a transformer gives.
    """
    if isinstance(model, MaskedVGG16):
        return seen_map(model, images)
    if isinstance(model, Walled):
        return joined([model.extractor(images[(..., *box.slices)]) for box in model.wall.seen])
    if isinstance(model, WalledTransformer) and model.wall_kind == "sink":
        return model.forward(images, model.sink_keys())
    logits: torch.Tensor = model(images)
    return logits


def compiles(device: torch.device) -> bool:
    """Whether `torch.compile` pays off on a device: on a GPU that Triton supports, with a C compiler.

    On two CPU cores it took five minutes and gained nothing.
    """
    if device.type != "cuda" or find_spec("triton") is None or torch.cuda.get_device_capability(device) < (7, 0):
        return False
    return any(shutil.which(name) for name in (os.environ.get("CC"), "cc", "gcc", "clang") if name)
