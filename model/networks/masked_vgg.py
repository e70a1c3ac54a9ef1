"""MaskedVGG16: the paper's network, blind to the bottom 54 pixel rows by construction (section 3.1, Figure 4)."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import torch
from torch import nn

from stackwalls.model.errors import InputError
from stackwalls.model.images.label_space import LabelSpace
from stackwalls.model.images.labels import class_names, imagenet_classes
from stackwalls.model.networks.files.pretrained import (
    WEIGHTS_NAME,
    Pretrained,
    PretrainedFiles,
    check_sha256,
    check_wall,
)
from stackwalls.model.networks.files.weights import VGG16_SCHEMA, check_fits, halved, read_safetensors
from stackwalls.model.networks.geometry.receptive_field import derive_wall, map_size, pixels_reached
from stackwalls.model.networks.layered_model import LAST, Layer, LayeredModel, unknown_layer
from stackwalls.model.networks.vgg_convolutions import BLOCKS, PREFIX, STRIDE, check_image_size, convolutions, scaled
from stackwalls.model.preprocessing import Transform
from stackwalls.model.wall import IMAGE_SIZE, Wall

MAP_SIZE = IMAGE_SIZE // STRIDE
"""Rows and columns of the last activation map at 224 × 224."""

VISIBLE_ROWS = 5
"""Rows of the map that the paper's head reads; the weights on the other 9 of 14 are zero there."""

_DENSE = 4096


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


class MaskedVGG16(LayeredModel, Pretrained):
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
        layer: the map that is explained, by its name in torchvision's VGG16, such as "features.22"; the last one,
            "features.29", by default.

    Raises:
        InputError: if `visible_rows`, `num_classes`, `width` or `image_size` is out of range, `classes` or
            `class_names` has another length, or there is no such layer.

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
        layer: Layer | None = None,
    ) -> None:
        super().__init__()
        check_image_size(image_size)
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
        self.convolutions = convolutions(width)
        dense = scaled(_DENSE, width)
        channels = scaled(BLOCKS[-1][-1], width)
        self.classifier = nn.Sequential(
            nn.Linear(channels * visible_rows * map_size, dense),
            nn.ReLU(),
            nn.Dropout(),
            nn.Linear(dense, dense),
            nn.ReLU(),
            nn.Dropout(),
            nn.Linear(dense, num_classes),
        )
        self.name = "masked-vgg16" if self.visible_rows < self.map_size else "baseline-vgg16"
        self.explain_at(layer)
        self._wall = self.derive_wall()
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
        """The ReLU after the last convolution, or the layer that was chosen."""
        return self.convolutions[self._split - 1]

    def explain_at(self, layer: Layer | None) -> None:
        """See `LayeredModel`; a layer is named as in torchvision's VGG16: `features.22`."""
        names = [f"{PREFIX}{number}" for number in range(len(self.convolutions))]
        chosen = names[-1] if layer in (None, LAST) else layer
        if chosen not in names:
            some = [*self.layers()[:-1], names[-1]]
            raise unknown_layer(self.name, layer, "the network has no such layer", some, names)
        self._split = names.index(str(chosen)) + 1
        self.layer = None if chosen == names[-1] else chosen

    def layers(self) -> tuple[Layer, ...]:
        """The last ReLU of each of the five blocks."""
        pools = (number for number, each in enumerate(self.convolutions) if isinstance(each, nn.MaxPool2d))
        return (*(f"{PREFIX}{number - 1}" for number in pools), LAST)

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """`(N, 3, 224, 224)` normalized images to the map `(N, 256, 14, 14)`, or that of the layer that was chosen."""
        layers = self.convolutions if self.layer is None else self.convolutions[: self._split]
        activations: torch.Tensor = layers(images)
        return activations

    def head(self, activations: torch.Tensor) -> torch.Tensor:
        """The map `(N, 256, 14, 14)` to logits `(N, classes)`; rows from `visible_rows` on are never read."""
        last = self.convolutions[self._split :](activations)
        logits: torch.Tensor = self.classifier(last[:, :, : self.visible_rows].flatten(1))
        return logits

    def _rows(self) -> tuple[int, int]:
        """The rows of the explained map, and how many of them, from the top, reach the logits."""
        rows = map_size(self.convolutions[: self._split], self.image_size)
        return rows, pixels_reached(self.convolutions[self._split :], (0, self.visible_rows), rows)[1]

    def dead_cells(self) -> torch.Tensor:
        """See `LayeredModel`: by the receptive fields of what follows."""
        rows, seen = self._rows()
        return (torch.arange(rows) >= seen)[:, None].expand(rows, rows)

    def layer_derivation(self) -> str:
        """See `LayeredModel`."""
        rows, seen = self._rows()
        pixels = pixels_reached(self.convolutions[: self._split], (0, seen), self.image_size)[1]
        dead = f"rows {seen} to {rows - 1} reach no logit" if seen < rows else "all rows reach the logits"
        return (
            f"by the receptive fields of what follows, {dead}; by those of what comes before, the others see pixel "
            f"rows 0 to {pixels - 1}"
        )

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
        """The constructor's arguments, for the sidecar of the weights; the last three only where they say something."""
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
        if self.layer is not None:
            config["layer"] = self.layer
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
