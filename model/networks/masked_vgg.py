"""MaskedVGG16: the paper's network, blind to the bottom 54 pixel rows by construction (section 3.1, Figure 4)."""

from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Any, Self

import torch
from torch import nn

from stackwalls.model.errors import InputError
from stackwalls.model.images.label_space import LabelSpace
from stackwalls.model.images.labels import class_names, imagenet_classes
from stackwalls.model.networks.blind_model import BlindModel
from stackwalls.model.networks.files.pretrained import (
    WEIGHTS_NAME,
    Pretrained,
    PretrainedFiles,
    check_sha256,
    check_wall,
)
from stackwalls.model.networks.files.weights import VGG16_SCHEMA, check_fits, halved, read_safetensors
from stackwalls.model.networks.geometry.receptive_field import derive_wall
from stackwalls.model.preprocessing import Transform
from stackwalls.model.wall import IMAGE_SIZE, VGG16_WALL, Wall

STRIDE = 16
"""Pixels for each cell of the last activation map: VGG16 without its last max-pool."""

MAP_SIZE = IMAGE_SIZE // STRIDE
"""Rows and columns of the last activation map at 224 × 224."""

VISIBLE_ROWS = 5
"""Rows of the map that the paper's head reads; the weights on the other 9 of 14 are zero there."""

_LARGEST = 2048
"""Pixels of the largest images."""

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


def visible_rows_at(image_size: int) -> int:
    """The most map rows that the head may read for at least the paper's share of the image to be dead: 5 at 224.

    Raises:
        InputError: if `image_size` does not fit the stride, or even one row reaches too much of the image.
    """
    _check_image_size(image_size)
    if rows := _most_rows(image_size):
        return rows
    fits = next(size for size in range(image_size, _LARGEST, STRIDE) if _most_rows(size))
    raise InputError(
        f"The masked VGG16 does not fit images of {image_size} pixels: one row of its map already reaches more of them "
        f"than the {1 - VGG16_WALL.share:.1%} that it may see. Take {fits} pixels or more, or a walled network."
    )


def _most_rows(image_size: int) -> int:
    """As `visible_rows_at`; 0 if there is no such row."""
    with torch.device("meta"):
        layers = _convolutions(1)
    walls = (derive_wall(layers, (0, rows), image_size) for rows in range(1, image_size // STRIDE + 1))
    return sum(1 for _ in takewhile(lambda wall: wall is not None and wall.share >= VGG16_WALL.share, walls))


def _check_image_size(size: int) -> None:
    if size % STRIDE or not 2 * STRIDE <= size <= _LARGEST:
        near = min(max(round(size / STRIDE), 2), _LARGEST // STRIDE) * STRIDE
        raise InputError(
            f"Expected the image size of a VGG16 to be a multiple of {STRIDE} pixels, {2 * STRIDE} to {_LARGEST}, but "
            f"got {size}: take {near}."
        )


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


def _checked_names(
    names: Sequence[str] | None, classes: Sequence[int] | None, num_classes: int
) -> tuple[str, ...] | None:
    """The name of each logit: those given, or ImageNet-1k's; None where they are not known."""
    if names is None:
        every = range(num_classes) if classes is None and num_classes == len(imagenet_classes()) else classes
        return None if every is None else tuple(imagenet_classes()[index].name for index in every)
    if classes is not None or len(names) != num_classes:
        raise InputError(
            f"Expected `classes` or `class_names`, with one for each of {num_classes} logits, but got "
            f"{'both' if classes is not None else f'{len(names)} names'}."
        )
    return LabelSpace(tuple(names)).names


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
        image_size: height and width of the images, in pixels, a multiple of 16; the map has a cell for 16 × 16.
        class_names: the name of each logit, for classes of one's own.

    Raises:
        InputError: if `visible_rows`, `num_classes`, `width` or `image_size` is out of range, or `classes` or
            `class_names` has another length.

    Source: Taimeskhanov, Sicre, Garreau 2024, section 3.1 and Figure 4.
    """

    def __init__(
        self,
        visible_rows: int = VISIBLE_ROWS,
        num_classes: int = 1000,
        width: float = 1.0,
        classes: Sequence[int] | None = None,
        image_size: int = IMAGE_SIZE,
        class_names: Sequence[str] | None = None,
    ) -> None:
        super().__init__()
        _check_image_size(image_size)
        map_size = image_size // STRIDE
        if not 1 <= visible_rows <= map_size:
            raise InputError(f"Expected `visible_rows` to be 1 to {map_size}, but got {visible_rows}.")
        if num_classes < 1 or not 0 < width <= 4:
            raise InputError(f"Expected `num_classes` ≥ 1 and 0 < `width` ≤ 4, but got {num_classes} and {width}.")
        self.visible_rows, self.num_classes, self.width = visible_rows, num_classes, width
        self.image_size, self.map_size = image_size, map_size
        self.class_indices = _checked_classes(classes, num_classes)
        self.class_names = _checked_names(class_names, classes, num_classes)
        self.transform = Transform.of_size(image_size)
        self.convolutions = _convolutions(width)
        dense = _scaled(_DENSE, width)
        channels = _scaled(_BLOCKS[-1][-1], width)
        self.classifier = nn.Sequential(
            nn.Linear(channels * visible_rows * map_size, dense),
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

    def head(self, activations: torch.Tensor) -> torch.Tensor:
        """The map `(N, 256, 14, 14)` to logits `(N, classes)`; rows from `visible_rows` on are never read."""
        logits: torch.Tensor = self.classifier(activations[:, :, : self.visible_rows].flatten(1))
        return logits

    def derive_wall(self) -> Wall | None:
        """The pixel rows that the visible map rows do not reach."""
        return derive_wall(self.convolutions, (0, self.visible_rows), self.image_size)

    def derivation(self) -> str:
        """Why the dead zone is dead, in one sentence."""
        wall = self.derive_wall()
        dead = None if wall is None else wall.band
        if dead is None:
            return f"the head reads all {self.visible_rows} map rows, which reach every pixel row: nothing is dead"
        return (
            f"the head reads rows 0 to {self.visible_rows - 1} of the {self.map_size}-row map; by the receptive fields "
            f"of {sum(isinstance(layer, nn.Conv2d) for layer in self.convolutions)} convolutions and "
            f"{sum(isinstance(layer, nn.MaxPool2d) for layer in self.convolutions)} max-pools these reach pixel rows "
            f"0 to {dead.start - 1}, so rows {dead.start} to {dead.stop - 1} ({dead.size} rows) are dead"
        )

    @property
    def config(self) -> dict[str, Any]:
        """The constructor's arguments, for the sidecar of the weights; the last two only where they say something."""
        classes = None if self.class_indices is None else list(self.class_indices)
        config: dict[str, Any] = {
            "visible_rows": self.visible_rows,
            "num_classes": self.num_classes,
            "width": self.width,
            "classes": classes,
        }
        if self.image_size != IMAGE_SIZE:
            config["image_size"] = self.image_size
        if self.class_names is not None and classes is None and self.class_names != class_names():
            config["class_names"] = list(self.class_names)
        return config

    def pretrained_config(self) -> dict[str, Any]:
        """The constructor's arguments and the wall that follows from them."""
        return {**self.config, "wall": str(self.wall) if self.wall else None}

    def own_weights(self) -> Mapping[str, torch.Tensor]:
        """All tensors; as 16-bit floats if that is lossless (see `halved`)."""
        return halved(self.state_dict())

    @classmethod
    def restored(cls, config: Mapping[str, Any], files: PretrainedFiles) -> Self:
        """The network of a config.json, with its weights.

        Raises:
            InputError: if the weights are not those that config.json names, or belong to another network.
        """
        path = files.fetch(WEIGHTS_NAME)
        state = read_safetensors(path)  # before it is hashed: a file of any size may be there
        check_sha256(path, config, files)
        arguments = {key: config[key] for key in VGG16_SCHEMA["properties"] if key in config}
        with torch.device("meta"):
            model = cls(**arguments)
        check_wall(model.wall, config, files)
        check_fits(path, state, model.state_dict(), cls.__name__)
        model.load_state_dict({key: tensor.float() for key, tensor in state.items()}, assign=True)
        return model.eval()
