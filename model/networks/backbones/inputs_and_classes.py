"""What a library says about its classifier: the size and transform of its images, their normalization, its classes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from stackwalls.model.errors import InputError
from stackwalls.model.images.labels import class_names, classes_of_names
from stackwalls.model.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Transform

Channels = tuple[float, float, float]

_SQUASHED_FROM = 384
"""ConvNeXt's image processor resizes to this size and above without a crop, whatever the image's proportions."""


@dataclass(frozen=True)
class InputsAndClasses:
    """What a network takes and gives.

    Attributes:
        transform: from an image to its input; None: the usual one of any size.
        mean: of the RGB channels in [0, 1], subtracted from the input.
        std: of the RGB channels in [0, 1], by which the input is divided.
        class_names: the name of each logit; None where they are not known.
    """

    transform: Transform | None = None
    mean: Channels = IMAGENET_MEAN
    std: Channels = IMAGENET_STD
    class_names: tuple[str, ...] | None = None

    @classmethod
    def of_torchvision(cls, weights: Any) -> InputsAndClasses:
        """Of an entry of one of torchvision's enumerations of weights; None for random ones."""
        if weights is None:
            return cls()
        said = weights.transforms()
        (size,), (resize,) = said.crop_size, said.resize_size
        transform = Transform(size, resize, said.interpolation.value)
        return cls(transform, tuple(said.mean), tuple(said.std), logit_names(weights.meta["categories"]))

    @classmethod
    def of_timm(cls, name: str, config: Mapping[str, Any], pretrained: bool) -> InputsAndClasses:
        """Of timm's `pretrained_cfg`; with the names of the classes if the network is pretrained.

        They are WordNet's synsets for the larger ImageNets.

        Raises:
            InputError: if its images are not square.
        """
        _, height, width = config.get("input_size") or (3, 224, 224)
        _check_square(name, height, width)
        resize = int(height / (config.get("crop_pct") or 0.875))
        squash = config.get("crop_mode") == "squash"
        transform = Transform(height, max(height, resize), config.get("interpolation") or "bicubic", squash)
        mean, std = config.get("mean") or IMAGENET_MEAN, config.get("std") or IMAGENET_STD
        return cls(transform, tuple(mean), tuple(std), _timm_names(config) if pretrained else None)

    @classmethod
    def of_transformers(cls, name: str, config: Any, processor: Mapping[str, Any] | None) -> InputsAndClasses:
        """Of transformers' configuration and image processor (as its `to_dict` gives it; None if there is none).

        Raises:
            InputError: if its images are not square, or are prepared in a way that `Transform` does not know.
        """
        labels = config.id2label or {}  # PVT's may be None
        known = logit_names([labels[index] for index in sorted(labels)])
        if processor is None:
            size = getattr(getattr(config, "vision_config", config), "image_size", None)
            return cls(Transform.of_size(size) if isinstance(size, int) else None, class_names=known)
        return cls(_processor_transform(name, processor), *_normalization(name, processor), known)

    def with_names(self, names: Sequence[str] | None) -> InputsAndClasses:
        """The same with other names of the logits."""
        return replace(self, class_names=None if names is None else logit_names(names))


def logit_names(names: Sequence[str]) -> tuple[str, ...] | None:
    """Names of logits, all different: ImageNet-1k's in our spelling; None if they only number the logits (LABEL_0)."""
    found = tuple(map(str, names))
    if len(found) == len(class_names()) and classes_of_names(found) == tuple(range(len(found))):
        return class_names()
    if all(re.fullmatch(r"LABEL_\d+", name) for name in found):
        return None
    times = Counter(found)
    return tuple(name if times[name] == 1 else f"{name} ({index})" for index, name in enumerate(found))


def _check_square(name: str, height: int, width: int) -> None:
    if height != width:
        raise InputError(
            f"{name} takes images of {height} × {width} pixels (height × width): expected square ones. Use a network "
            "for square images."
        )


def _timm_names(config: Mapping[str, Any]) -> tuple[str, ...] | None:
    import timm

    data: Any = timm.data

    if names := config.get("label_names"):
        return logit_names(names)
    subset = data.infer_imagenet_subset(dict(config))
    return logit_names(data.ImageNetInfo(subset).label_names()) if subset else None


def _sides(name: str, key: str, size: Any) -> tuple[int, bool]:
    """A size of an image processor in pixels, and whether it is of the shorter side only."""
    if isinstance(size, int):
        return size, True
    found = {side: length for side, length in dict(size or {}).items() if length is not None}
    if set(found) == {"height", "width"}:
        _check_square(name, found["height"], found["width"])
        return int(found["height"]), False
    if set(found) == {"shortest_edge"}:
        return int(found["shortest_edge"]), True
    raise InputError(
        f"The image processor of {name} has the {key} {found}: expected a height and width, or a shortest_edge."
    )


def _processor_transform(name: str, processor: Mapping[str, Any]) -> Transform:
    from PIL.Image import Resampling

    size, shorter = _sides(name, "size", processor.get("size"))
    share = processor.get("crop_pct")
    resize, crop = size, size
    if processor.get("do_center_crop"):
        crop, _ = _sides(name, "crop_size", processor.get("crop_size"))
        resize = int(size / share) if share else size
    elif share and size < _SQUASHED_FROM:
        resize = int(size / share)
    elif share:
        shorter = False
    if "Levit" in str(processor.get("image_processor_type")) and shorter:
        resize = int(size * 256 / 224)
    if not processor.get("do_resize", True):
        raise InputError(f"The image processor of {name} does not resize images: expected one that does.")
    if resize < crop:
        raise InputError(
            f"The image processor of {name} crops {crop} pixels of images of {resize}: expected no more than there are."
        )
    interpolation = Resampling(int(processor.get("resample", Resampling.BILINEAR))).name.lower()
    return Transform(crop, resize, interpolation, squash=not shorter)


def _normalization(name: str, processor: Mapping[str, Any]) -> tuple[Channels, Channels]:
    """Mean and std of channels in [0, 1], whatever the processor scales its images to first."""
    if processor.get("do_flip_channel_order"):
        raise InputError(f"{name} takes images with the channels in the order BGR: expected a network for RGB images.")
    offset = 1.0 if processor.get("rescale_offset") else 0.0
    scale = 255 * float(processor.get("rescale_factor", 1 / 255)) if processor.get("do_rescale", True) else 255.0
    normalize = processor.get("do_normalize", False)
    mean = _channels(processor["image_mean"]) if normalize else (0.0, 0.0, 0.0)
    std = _channels(processor["image_std"]) if normalize else (1.0, 1.0, 1.0)
    if processor.get("include_top"):  # EfficientNet's divides by std once more
        std = _channels([value * value for value in std])
    return _channels([(value + offset) / scale for value in mean]), _channels([value / scale for value in std])


def _channels(values: Any) -> Channels:
    red, green, blue = (float(value) for value in ([values] * 3 if isinstance(values, int | float) else values))
    return red, green, blue
