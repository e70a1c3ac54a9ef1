"""The network during training: a plain MaskedVGG16, of which only the rows that reach the head are computed."""

import os
import shutil
from importlib.util import find_spec

import numpy as np
import torch
from torch import nn

from stackwalls.model.networks.masked_vgg import MAP_SIZE, MaskedVGG16
from stackwalls.model.networks.seen_rows import rows_needed, seen_map, seen_pixel_rows
from stackwalls.model.preprocessing import IMAGENET_MEAN, IMAGENET_STD

_LAST = 0.1
"""Factor of the last layer's first weights below He's, so that all classes start about equally likely."""


def initialize_as_authors(model: MaskedVGG16) -> None:
    """PyTorch's default weights in the last convolution and the first dense layer, in place.

    These two the authors replaced in torchvision's VGG16. Their dense layer has weights for the hidden rows too, which
    count for its range: uniform within 1 / sqrt(256 · 14 · 14).

    Source: vgg16_experiment/vgg16_training.py of MagamedT/cam-can-see-through-walls.
    """
    convolution = next(layer for layer in reversed(model.convolutions) if isinstance(layer, nn.Conv2d))
    convolution.reset_parameters()
    bound = (convolution.out_channels * MAP_SIZE**2) ** -0.5
    for parameter in model.classifier[0].parameters():
        nn.init.uniform_(parameter, -bound, bound)


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
    """uint8 images to logits, for training and validation.

    The wall holds by construction twice: the head has no weights for hidden rows, and the dead pixel rows are cut off
    before the first convolution.

    Args:
        model: what is trained, in place.
        dropout: share of the dense layers' units that is dropped.
        compiled: whether the convolutions run through `torch.compile` in training mode.
    """

    def __init__(self, model: MaskedVGG16, dropout: float, compiled: bool = False) -> None:
        super().__init__()
        self.model = model.to(memory_format=torch.channels_last)
        self.rows = seen_pixel_rows(model)
        layers = [SeededDropout(dropout) if isinstance(layer, nn.Dropout) else layer for layer in model.classifier]
        self.dense = nn.Sequential(*layers)  # shares the model's layers, with other dropouts between them
        self._map = torch.compile(seen_map) if compiled else seen_map
        self.mean = nn.Buffer(255 * torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1), persistent=False)
        self.std = nn.Buffer(255 * torch.tensor(IMAGENET_STD).view(1, 3, 1, 1), persistent=False)

    def place(self, seed: int, step: int, first: int, total: int) -> None:
        """Set which images of which step the next call gets; the dropout masks follow from it."""
        dropouts = [layer for layer in self.dense if isinstance(layer, SeededDropout)]
        states = np.random.SeedSequence([seed, step]).generate_state(len(dropouts))
        for state, layer in zip(states, dropouts, strict=True):
            layer.place(int(state), first, total)

    def normalized(self, images: torch.Tensor) -> torch.Tensor:
        """`(N, 3, H, 224)` uint8 to network input, channels last, only the rows that can matter."""
        seen = images[:, :, : self.rows].to(torch.float32)
        return ((seen - self.mean) / self.std).contiguous(memory_format=torch.channels_last)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """`(N, 3, H, 224)` uint8 RGB, H at least the seen rows, to logits `(N, classes)`."""
        # validation batches have other shapes, each of which would be compiled again
        run = self._map if self.training else seen_map
        logits: torch.Tensor = self.dense(run(self.model, self.normalized(images)).flatten(1))
        return logits


def calibrate(network: TrainingNetwork, images: torch.Tensor) -> None:
    """Scale every convolution so that its outputs on `images` have mean 0 and variance 1 in every channel.

    Without this, a narrow VGG, which has 13 convolutions and no normalization, loses the signal on the way. Dense
    layers are initialized as in He et al. (2015), the last one smaller. Draws from torch's global random state.

    Args:
        network: changed in place.
        images: `(N, 3, H, 224)` uint8, some tens of training images.

    Source: Mishkin and Matas, "All you need is a good init", ICLR 2016 (here per channel).
    """
    model = network.model
    with torch.no_grad():
        x = network.normalized(images)
        for layer, rows in zip(model.convolutions, rows_needed(model.convolutions, model.visible_rows), strict=False):
            x = x[:, :, :rows]
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                variance, mean = torch.var_mean(layer(x), dim=(0, 2, 3))
                scale = variance.sqrt() + 1e-4
                layer.weight.div_(scale.view(-1, 1, 1, 1))
                layer.bias = nn.Parameter(-mean / scale)
            x = layer(x)
        dense = [layer for layer in model.classifier if isinstance(layer, nn.Linear)]
        for layer in dense:
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        dense[-1].weight.mul_(_LAST)


def compiles(device: torch.device) -> bool:
    """Whether `torch.compile` pays off on a device: on a GPU that Triton supports, with a C compiler.

    On two CPU cores it took five minutes and gained nothing.
    """
    if device.type != "cuda" or find_spec("triton") is None or torch.cuda.get_device_capability(device) < (7, 0):
        return False
    return any(shutil.which(name) for name in (os.environ.get("CC"), "cc", "gcc", "clang") if name)
