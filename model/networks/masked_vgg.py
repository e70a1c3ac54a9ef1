"""MaskedVGG16: the paper's network, blind to the bottom 54 pixel rows by construction (section 3.1, Figure 4)."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import torch
from torch import nn

from stackwalls.model.errors import InputError
from stackwalls.model.images.labels import imagenet_classes
from stackwalls.model.networks.blind_model import BlindModel
from stackwalls.model.networks.pretrained import WEIGHTS_NAME, Pretrained, PretrainedFiles, check_sha256, check_wall
from stackwalls.model.networks.receptive_field import derive_wall
from stackwalls.model.networks.weights import check_fits, read_safetensors
from stackwalls.model.wall import Wall

MAP_SIZE = 14
"""Rows and columns of the last activation map: VGG16 without its last max-pool, at 224 × 224."""

VISIBLE_ROWS = 5
"""Rows of the map that the paper's head reads; the weights on the other 9 of 14 are zero there."""

_BLOCKS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 256))
"""VGG16's convolutions (configuration D of Simonyan and Zisserman 2015); the last has 256 channels, not 512."""

_DENSE = 4096


def _scaled(channels: int, width: float) -> int:
    return max(1, round(channels * width))


def _convolutions(width: float) -> nn.Sequential:
    """VGG16's features up to the ReLU after the last convolution; indices as in torchvision's `vgg16().features`."""
    layers: list[nn.Module] = []
    channels = 3
    for block in _BLOCKS:
        if layers:
            layers.append(nn.MaxPool2d(2))
        for base in block:
            # not in place: the stored activation and its gradient are those of the ReLU itself
            layers += [nn.Conv2d(channels, _scaled(base, width), 3, padding=1), nn.ReLU()]
            channels = _scaled(base, width)
    return nn.Sequential(*layers)


def _checked_classes(classes: Sequence[int] | None, num_classes: int) -> tuple[int, ...] | None:
    if classes is None:
        return None
    found = tuple(classes)
    known = range(len(imagenet_classes()))
    if len(found) != num_classes or len(set(found)) != num_classes or not all(index in known for index in found):
        raise InputError(
            f"Expected `classes` to be {num_classes} different ImageNet-1k indices, one for each logit, but got "
            f"{len(found)}: {list(found)!s:.60}."
        )
    return found


class MaskedVGG16(BlindModel, Pretrained):
    """VGG16 whose head reads only the upper rows of the last activation map.

    torchvision's VGG16 features without the last max-pool and with 256 channels in the last convolution, so that the
    map is `(N, 256, 14, 14)`; then Linear(256·visible_rows·14 → 4096), ReLU, Dropout, Linear(4096 → 4096), ReLU,
    Dropout, Linear(4096 → classes). The paper sets the first dense layer's weights on the hidden rows to zero; here
    those weights do not exist, so no training step and no checkpoint can leak.

    Args:
        visible_rows: rows of the map that the head reads, from the top, 1 to 14; 5 is the paper's masked network
            (the bottom 54 pixel rows are dead), 14 its baseline, which sees everything (`wall` is None).
        num_classes: number of logits.
        width: multiplier of every layer's channels and of the dense layers; the map stays 14 × 14 and the dead zone
            the same 54 rows.
        classes: the ImageNet-1k index of each logit, if the network knows only some of the classes; by
            default logit i is class i.

    Raises:
        InputError: if `visible_rows`, `num_classes` or `width` is out of range, or `classes` has another length.

    Source: Taimeskhanov, Sicre, Garreau 2024, section 3.1 and Figure 4.
    """

    def __init__(
        self,
        visible_rows: int = VISIBLE_ROWS,
        num_classes: int = 1000,
        width: float = 1.0,
        classes: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        if not 1 <= visible_rows <= MAP_SIZE:
            raise InputError(f"Expected `visible_rows` to be 1 to {MAP_SIZE}, but got {visible_rows}.")
        if num_classes < 1 or not 0 < width <= 4:
            raise InputError(f"Expected `num_classes` ≥ 1 and 0 < `width` ≤ 4, but got {num_classes} and {width}.")
        self.visible_rows, self.num_classes, self.width = visible_rows, num_classes, width
        self.class_indices = _checked_classes(classes, num_classes)
        self.convolutions = _convolutions(width)
        dense = _scaled(_DENSE, width)
        channels = _scaled(_BLOCKS[-1][-1], width)
        self.classifier = nn.Sequential(
            nn.Linear(channels * visible_rows * MAP_SIZE, dense),
            nn.ReLU(),
            nn.Dropout(),
            nn.Linear(dense, dense),
            nn.ReLU(),
            nn.Dropout(),
            nn.Linear(dense, num_classes),
        )
        self._wall = self.derive_wall()
        self.name = "masked-vgg16" if self._wall else "baseline-vgg16"
        self._initialize()

    def _initialize(self) -> None:
        """As torchvision initializes VGG: He (fan out) for convolutions, N(0, 0.01²) for dense layers, biases zero."""
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
            elif isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, 0, 0.01)
                nn.init.zeros_(layer.bias)

    @property
    def wall(self) -> Wall | None:
        """`bottom:54` for the paper's masked network, None for its baseline."""
        return self._wall

    @property
    def target_layer(self) -> nn.Module:
        """The ReLU after the last convolution."""
        return self.convolutions[-1]

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """`(N, 3, 224, 224)` normalized images to the map `(N, 256, 14, 14)`."""
        activations: torch.Tensor = self.convolutions(images)
        return activations

    def head(self, activations: torch.Tensor, rest: torch.Tensor | None = None) -> torch.Tensor:
        """The map `(N, 256, 14, 14)` to logits `(N, classes)`; rows from `visible_rows` on are never read."""
        logits: torch.Tensor = self.classifier(activations[:, :, : self.visible_rows].flatten(1))
        return logits

    def derive_wall(self) -> Wall | None:
        """The pixel rows that the visible map rows do not reach."""
        return derive_wall(self.convolutions, (0, self.visible_rows))

    def derivation(self) -> str:
        """Why the dead zone is dead, in one sentence."""
        wall = self.derive_wall()
        dead = None if wall is None else wall.band
        if dead is None:
            return f"the head reads all {self.visible_rows} map rows, which reach every pixel row: nothing is dead"
        return (
            f"the head reads rows 0 to {self.visible_rows - 1} of the {MAP_SIZE}-row map; by the receptive fields of "
            f"{sum(isinstance(layer, nn.Conv2d) for layer in self.convolutions)} convolutions and "
            f"{sum(isinstance(layer, nn.MaxPool2d) for layer in self.convolutions)} max-pools these reach pixel rows "
            f"0 to {dead.start - 1}, so rows {dead.start} to {dead.stop - 1} ({dead.size} rows) are dead"
        )

    @property
    def config(self) -> dict[str, Any]:
        """The constructor's arguments, for the sidecar of the weights."""
        classes = None if self.class_indices is None else list(self.class_indices)
        return {
            "visible_rows": self.visible_rows,
            "num_classes": self.num_classes,
            "width": self.width,
            "classes": classes,
        }

    def pretrained_config(self) -> dict[str, Any]:
        """The constructor's arguments and the wall that follows from them."""
        return {**self.config, "wall": str(self.wall) if self.wall else None}

    def own_weights(self) -> Mapping[str, torch.Tensor]:
        """All tensors; as 16-bit floats if that is lossless (see `rounded_to_half`)."""
        state = self.state_dict()
        if any(tensor.is_meta for tensor in state.values()):
            return state  # a network without values
        halves = {key: tensor.half() for key, tensor in state.items()}
        lossless = all(torch.equal(halves[key].to(tensor.dtype), tensor) for key, tensor in state.items())
        return halves if lossless else state

    def rounded_to_half(self) -> Self:
        """Round all weights in place to values that 16-bit floats hold, to save them in half the space.

        The network still computes in float32.
        """
        with torch.no_grad():
            for tensor in self.state_dict().values():
                tensor.copy_(tensor.half())
        return self

    @classmethod
    def restored(cls, config: Mapping[str, Any], files: PretrainedFiles) -> Self:
        """The network of a config.json, with its weights.

        Raises:
            InputError: if the weights are not those that config.json names, or belong to another network.
        """
        path = files.fetch(WEIGHTS_NAME)
        state = read_safetensors(path)  # before it is hashed: a file of any size may be there
        check_sha256(path, config, files)
        arguments = {key: config[key] for key in ("visible_rows", "num_classes", "width", "classes")}
        with torch.device("meta"):
            model = cls(**arguments)
        check_wall(model.wall, config, files)
        check_fits(path, state, model.state_dict(), cls.__name__)
        model.load_state_dict({key: tensor.float() for key, tensor in state.items()}, assign=True)
        return model.eval()
