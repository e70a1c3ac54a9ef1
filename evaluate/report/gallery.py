"""The report's gallery: images with their maps inside the page, within a size that can be sent by mail."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stackwalls.evaluate.report.figures import COLORS, caption, class_name
from stackwalls.evaluate.run.samples import Samples

BUDGET = 6_500_000
"""Characters of all images together, which keeps a report under 8 MB; beyond that, images are left out evenly."""

_IMAGE_QUALITY, _MAP_QUALITY = 82, 70
"""WebP qualities; the figures next to the report are lossless. A map is smooth and takes less than a kilobyte."""


@dataclass(frozen=True)
class GalleryMap:
    """One method's map of an image.

    Attributes:
        method: name.
        uri: the colored map as a data URI, to be laid over the image in gray; None if there is no map.
        mu: × 100 with one digit; None if there is none.
    """

    method: str
    uri: str | None
    mu: str | None

    @property
    def below(self) -> str:
        """The caption."""
        if self.uri is None:
            return "no map"
        return "no mu" if self.mu is None else f"mu {self.mu}"


@dataclass(frozen=True)
class GalleryImage:
    """One image.

    Attributes:
        key: names the image within the page.
        uri: the image as a data URI.
        label: the class's name; "" if it is unknown.
        caption: the class, and the predicted one if it is another.
        image_id: within its dataset.
        maps: one per method.
    """

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


def galleries(samples: Samples, datasets: Sequence[str], budget: int = BUDGET) -> list[Gallery]:
    """The datasets' galleries, which share the budget in proportion to their sizes.

    Args:
        samples: of all datasets.
        datasets: names, in the order of the report.
        budget: characters of all images together.
    """
    found = [(name, _images(samples.of(name), number)) for number, name in enumerate(datasets)]
    total = sum(image.size for _, images in found for image in images)
    share = min(1.0, budget / total) if total else 1.0
    return [Gallery(name, tuple(_evenly(images, share)), len(images)) for name, images in found]


def _evenly(images: Sequence[GalleryImage], share: float) -> list[GalleryImage]:
    """A share of the images at equal distances."""
    count = max(1, int(share * len(images))) if images else 0
    return [images[index * len(images) // count] for index in range(count)]


def _images(samples: Samples, number: int) -> list[GalleryImage]:
    found = []
    for index in range(len(samples)):
        label, prediction = int(samples.label[index]), int(samples.prediction[index])
        found.append(
            GalleryImage(
                key=f"i{number}-{index}",
                uri=_data_uri(samples.images[index], _IMAGE_QUALITY),
                label=class_name(label) if label >= 0 else "",
                caption=caption(label, prediction).replace("\n", " "),
                image_id=str(samples.image_id[index]),
                maps=tuple(_map(samples, index, column) for column in range(len(samples.method))),
            )
        )
    return found


def _map(samples: Samples, index: int, column: int) -> GalleryMap:
    mu, uri = float(samples.mu[index, column]), None
    if samples.made[index, column]:
        colored = mpl.colormaps[COLORS](samples.maps[index, column], bytes=True)[..., :3]
        uri = _data_uri(colored, _MAP_QUALITY)
    return GalleryMap(str(samples.method[column]), uri, None if np.isnan(mu) else f"{100 * mu:.1f}")


def _data_uri(pixels: NDArray[np.uint8], quality: int) -> str:
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, "WEBP", quality=quality)
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode()
