"""The report's gallery: images with their maps as small pictures inside the page, within a size that one can send."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stackwalls.evaluate.report.figures import COLOURS, caption
from stackwalls.evaluate.run.samples import Samples
from stackwalls.model import class_names

BUDGET = 6_500_000
"""Characters of all pictures together, so that a report stays under 8 MB; what does not fit is left out evenly."""

_IMAGE_QUALITY, _MAP_QUALITY = 82, 70
"""Of the WebP pictures; the figures beside the report are lossless. A map is smooth and takes less than a kilobyte."""


@dataclass(frozen=True)
class GalleryMap:
    """One method's map of an image.

    Attributes:
        method: name.
        picture: the coloured map as a data URI, to be laid over the image in grey; None where there is no map.
        mu: × 100 with one digit; None where there is none.
    """

    method: str
    picture: str | None
    mu: str | None

    @property
    def below(self) -> str:
        """What stands under the picture."""
        if self.picture is None:
            return "no map"
        return "no mu" if self.mu is None else f"mu {self.mu}"


@dataclass(frozen=True)
class GalleryImage:
    """One image.

    Attributes:
        key: names the image within the page.
        picture: data URI.
        label: the class's name; "" where it is unknown.
        caption: the class, and what the network takes the image for where that is another.
        image_id: within its dataset.
        maps: one a method.
    """

    key: str
    picture: str
    label: str
    caption: str
    image_id: str
    maps: tuple[GalleryMap, ...]

    @property
    def size(self) -> int:
        """Characters of its pictures."""
        return len(self.picture) + sum(len(each.picture or "") for each in self.maps)


@dataclass(frozen=True)
class Gallery:
    """One dataset's images.

    Attributes:
        dataset: name.
        images: those that are shown.
        kept: how many were kept by the run, of which these are some at equal distances.
    """

    dataset: str
    images: tuple[GalleryImage, ...]
    kept: int

    @property
    def classes(self) -> list[str]:
        """Names of the classes shown, in the order of the dataset."""
        return list(dict.fromkeys(image.label for image in self.images if image.label))


def galleries(samples: Samples, datasets: Sequence[str], budget: int = BUDGET) -> list[Gallery]:
    """The datasets' galleries, which share the budget in proportion to what they hold.

    Args:
        samples: of all datasets.
        datasets: names, in the order of the report.
        budget: characters of all pictures together.
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
    return [
        GalleryImage(
            key=f"i{number}-{index}",
            picture=_data_uri(samples.images[index], _IMAGE_QUALITY),
            label=_class_name(int(samples.label[index])),
            caption=caption(int(samples.label[index]), int(samples.prediction[index])).replace("\n", " "),
            image_id=str(samples.image_id[index]),
            maps=tuple(_map(samples, index, column) for column in range(len(samples.method))),
        )
        for index in range(len(samples))
    ]


def _map(samples: Samples, index: int, column: int) -> GalleryMap:
    mu = float(samples.mu[index, column])
    picture = None
    if samples.made[index, column]:
        coloured = mpl.colormaps[COLOURS](samples.maps[index, column], bytes=True)[..., :3]
        picture = _data_uri(coloured, _MAP_QUALITY)
    return GalleryMap(str(samples.method[column]), picture, None if np.isnan(mu) else f"{100 * mu:.1f}")


def _class_name(label: int) -> str:
    names = class_names()
    if label < 0:
        return ""
    return names[label] if label < len(names) else f"class {label}"


def _data_uri(pixels: NDArray[np.uint8], quality: int) -> str:
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, "WEBP", quality=quality)
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode()
