"""The report's gallery: images with their maps, as data URIs and in words."""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.colors import to_hex
from numpy.typing import NDArray
from PIL import Image

from stackwalls.evaluate.classes import IMAGENET_NAMES, ClassNames
from stackwalls.evaluate.report.figures import COLORS
from stackwalls.evaluate.run.samples import Samples
from stackwalls.model import Wall

BUDGET = 6_500_000
"""Characters of all images of the galleries, which keeps a report under 8 MB; beyond it, images are left out evenly."""

_IMAGE_QUALITY, _MAP_QUALITY = 82, 70
"""WebP qualities in the galleries; the figures are lossless. A map is smooth and takes less than a kilobyte."""


@dataclass(frozen=True)
class GalleryMap:
    """One method's map of an image: a data URI, to be laid over the image in gray, and mu × 100; None if missing."""

    method: str
    uri: str | None
    mu: str | None
    seen: str  # what there is to see, for readers who cannot

    @property
    def below(self) -> str:
        """The caption."""
        if self.uri is None:
            return "no map"
        return "no mu" if self.mu is None else f"mu {self.mu}"


@dataclass(frozen=True)
class GalleryImage:
    """One image as a data URI; `key` names it within the page, `label` is "" if the class is unknown."""

    key: str
    uri: str
    label: str
    caption: str
    image_id: str
    maps: tuple[GalleryMap, ...]

    @property
    def size(self) -> int:
        """Characters of its data URIs."""
        return len(self.uri) + sum(len(each.uri or "") for each in self.maps)


@dataclass(frozen=True)
class Gallery:
    """One dataset's images: those shown, and how many the run kept."""

    dataset: str
    images: tuple[GalleryImage, ...]
    kept: int


def galleries(
    samples: Samples,
    datasets: Sequence[str],
    wall: Wall,
    names: Mapping[str, ClassNames] | None = None,
    budget: int = BUDGET,
) -> list[Gallery]:
    """The galleries of `datasets`, which share the budget (characters of all images) in proportion to their sizes.

    `names` are those of each dataset's classes (`Measurements.names`), ImageNet's by default.
    """
    own = [(names or {}).get(name, IMAGENET_NAMES) for name in datasets]
    found = [_gallery_images(samples.of(name), at, wall, own[at]) for at, name in enumerate(datasets)]
    share = min(1.0, budget / max(1, sum(image.size for images in found for image in images)))
    result = []
    for name, images in zip(datasets, found, strict=True):
        count = max(1, int(share * len(images))) if images else 0
        shown = tuple(images[index * len(images) // count] for index in range(count))
        result.append(Gallery(name, shown, len(images)))
    return result


def typical(gallery: Gallery) -> tuple[GalleryImage, GalleryMap] | None:
    """The image with the median mu (the lower one of two) and its map by GradCAM, or the first method that has mu."""
    found: dict[str, list[tuple[float, GalleryImage, GalleryMap]]] = {}
    for image in gallery.images:
        for each in image.maps:
            if each.mu is not None:
                found.setdefault(each.method, []).append((float(each.mu), image, each))
    if not found:
        return None
    measured = sorted(found.get("GradCAM") or next(iter(found.values())), key=lambda entry: entry[0])
    return measured[(len(measured) - 1) // 2][1:]


def color_scale(steps: int = 9) -> str:
    """The colors of the maps from 0 to their maximum, as a list for CSS."""
    return ", ".join(to_hex(color) for color in mpl.colormaps[COLORS](np.linspace(0, 1, steps)))


def _gallery_images(samples: Samples, number: int, wall: Wall, names: ClassNames) -> list[GalleryImage]:
    found = []
    for index, (image_id, pixels) in enumerate(zip(samples.image_id, samples.images, strict=True)):
        label, prediction = int(samples.label[index]), int(samples.prediction[index])
        maps = tuple(_gallery_map(samples, index, column, wall) for column in range(len(samples.method)))
        named, below = names.label(label), names.caption(label, prediction).replace("\n", " ")
        uri = _data_uri(pixels, _IMAGE_QUALITY)
        found.append(GalleryImage(f"i{number}-{index}", uri, named, below, str(image_id), maps))
    return found


def _gallery_map(samples: Samples, index: int, column: int, wall: Wall) -> GalleryMap:
    mu, uri, method = float(samples.mu[index, column]), None, str(samples.method[column])
    shown, seen = None if np.isnan(mu) else f"{100 * mu:.1f}", f"{method}: no map"
    if samples.made[index, column]:
        values = samples.maps[index, column]
        uri = _data_uri(mpl.colormaps[COLORS](values, bytes=True)[..., :3], _MAP_QUALITY)
        seen = f"{method}: {_brightest(values, wall)}" + ("" if shown is None else f"; mu × 100 is {shown}")
    return GalleryMap(method, uri, shown, seen)


def _brightest(values: NDArray[np.uint8], wall: Wall) -> str:
    """Where a map `(h, w)` of the image is brightest, in words."""
    if not values.any():
        return "zero everywhere"
    row, column = (
        (place + 0.5) / size
        for place, size in zip(np.unravel_index(values.argmax(), values.shape), values.shape, strict=True)
    )
    place = f"{('top', 'middle', 'bottom')[int(3 * row)]} {('left', 'center', 'right')[int(3 * column)]}"
    dead = wall.mask()[int(row * wall.image_size), int(column * wall.image_size)]
    return f"brightest at the {place}, {'in' if dead else 'outside'} the dead zone"


def _data_uri(pixels: NDArray[np.uint8], quality: int) -> str:
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, "WEBP", quality=quality)
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode()
