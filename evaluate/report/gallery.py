"""The report's gallery: every image with its mu, and those with stored maps as thumbnails.

An image and its maps are one sprite: a WebP sheet with the photo on the left and the maps in two rows on its right.
The page contains all sprites, or, if they exceed its budget, some at equal distances; the others are files, loaded when
shown.
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import quote

import cv2
import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.colors import to_hex
from numpy.typing import NDArray
from PIL import Image

from stackwalls.evaluate.classes import IMAGENET_NAMES, ClassNames
from stackwalls.evaluate.report.figures import COLORS
from stackwalls.evaluate.report.table import paired_values
from stackwalls.evaluate.run.samples import Samples
from stackwalls.model import InputError, Wall, write_whole

BUDGET = 6_500_000
"""Characters of the sprites in a page that contains all: 300 photographs with 7 maps; otherwise a sixth of it."""

THUMBNAILS = "report-images"
"""The folder of the other sprites, next to the page."""

CELL = 128
"""Pixels of a map in a sprite with its rim, and half of the photo's: 112 and 224 without it."""

_QUALITY = 80
"""Of the sprites, as WebP; the figures are lossless."""

SEEN = (
    "zero everywhere",
    *(
        f"brightest at the {row} {column}, {side} the dead zone"
        for row, column, side in product(("top", "middle", "bottom"), ("left", "center", "right"), ("outside", "in"))
    ),
)
"""What there is to see of a map, for readers who cannot."""


@dataclass(frozen=True)
class GalleryMap:
    """One method's map of an image, with mu × 100, None if it has none."""

    method: str
    mu: str | None
    seen: int | None  # place in SEEN; None if there is no map

    @property
    def below(self) -> str:
        """The caption."""
        if self.seen is None:
            return "no map"
        return "no mu" if self.mu is None else f"mu {self.mu}"

    @property
    def said(self) -> str:
        """What it shows, in words."""
        seen = "no map" if self.seen is None else SEEN[self.seen]
        return f"{self.method}: {seen}" + ("" if self.mu is None else f"; mu × 100 is {self.mu}")


@dataclass(frozen=True)
class GalleryImage:
    """One image with its maps; `key` names it within the page, `label` is "" if the class is unknown."""

    key: str
    anchor: str
    label: str
    caption: str
    image_id: str
    sprite: bytes  # WebP
    maps: tuple[GalleryMap, ...]
    inline: bool = True  # whether the page contains the sprite

    @property
    def source(self) -> str:
        """The URL of the sprite."""
        if not self.inline:
            return f"{THUMBNAILS}/{self.key}.webp"
        return "data:image/webp;base64," + base64.b64encode(self.sprite).decode()


@dataclass(frozen=True)
class Gallery:
    """One dataset: its images with stored maps, and a list of all its images for the page's script."""

    dataset: str
    images: tuple[GalleryImage, ...]
    listing: Mapping[str, Any]

    @property
    def count(self) -> int:
        """Of all images, with stored maps or without."""
        return len(self.listing["ids"])

    @property
    def inline(self) -> list[GalleryImage]:
        """The images that the page contains."""
        return [image for image in self.images if image.inline]


def galleries(
    per_image: pd.DataFrame,
    samples: Samples,
    wall: Wall,
    names: Mapping[str, ClassNames] | None = None,
    budget: int = BUDGET,
) -> list[Gallery]:
    """A gallery per dataset. Beyond `budget` characters of all sprites, the page contains a sixth of it.

    `names` are those of each dataset's classes (`Measurements.names`), ImageNet's by default.

    Raises:
        InputError: if the rows lack an image of the samples.
    """
    found: list[Gallery] = []
    for number, (name, rows) in enumerate(per_image.groupby("dataset", sort=False)):
        own = (names or {}).get(str(name), IMAGENET_NAMES)
        most = rows[rows["method"] == rows["method"].value_counts().idxmax()]  # ids may repeat
        images = tuple(_images(samples.of(str(name)), most["image_id"].tolist(), number, wall, own))
        found.append(Gallery(str(name), images, _listing(str(name), rows, most, own)))
    size = sum(len(image.sprite) * 4 / 3 for gallery in found for image in gallery.images)
    return [_within(1.0 if size <= budget else budget / 6 / size, gallery) for gallery in found]


def gallery_values(found: Sequence[Gallery], samples: Samples) -> dict[str, Any]:
    """What the section's template draws from: the figures in the page, the list of all images, and a blank figure."""
    maps = tuple(GalleryMap(name, None, 0) for name in samples.method.tolist())
    listing = {"seen": SEEN, "folder": THUMBNAILS, "datasets": [gallery.listing for gallery in found]}
    blank = GalleryImage("", "", "", "", "", b"", maps, inline=False)
    return {"galleries": found, "listing": listing, "blank": blank, "folder": THUMBNAILS}


def write_thumbnails(found: Sequence[Gallery], folder: Path) -> None:
    """Write the sprites that the page does not contain, in place of older ones."""
    files = {f"{image.key}.webp": image.sprite for gallery in found for image in gallery.images if not image.inline}
    if files:
        folder.mkdir(exist_ok=True)
    for name, content in files.items():
        write_whole(folder / name, content)
    for path in folder.glob("*.webp"):
        if re.fullmatch(r"\d+-\d+\.webp", path.name) and path.name not in files:
            path.unlink(missing_ok=True)  # several processes may render the same results


def anchor(dataset: str, image_id: str) -> str:
    """The fragment of the page's address that leads to an image: `dataset/image_id`, as encodeURIComponent does it."""
    return "/".join(quote(part, safe="!'()*") for part in (dataset, image_id))


def typical(gallery: Gallery) -> tuple[GalleryImage, GalleryMap] | None:
    """The image with the median mu (the lower one of two) and its map by GradCAM, or the first method that has mu."""
    found: dict[str, list[tuple[float, GalleryImage, GalleryMap]]] = {}
    for image in gallery.inline:
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


def tile_styles(methods: int) -> list[str]:
    """The CSS that shows one part of a sprite: the photo, then each map."""
    width, height = _sheet(methods)
    found = []
    for left, top, side in _cells(methods):
        x, y, s = left + side // 16, top + side // 16, side * 7 // 8
        found.append(
            f"background-size:{100 * width / s:.3f}% {100 * height / s:.3f}%;"
            f"background-position:{100 * x / (width - s):.3f}% {100 * y / (height - s):.3f}%"
        )
    return found


def _within(share: float, gallery: Gallery) -> Gallery:
    """The same gallery; a share of its sprites, at least one, stays in the page, evenly spaced."""
    count = max(1, int(share * len(gallery.images))) if gallery.images else 0
    inside = {index * len(gallery.images) // count for index in range(count)}
    images = tuple(replace(image, inline=index in inside) for index, image in enumerate(gallery.images))
    stored = {image.key.partition("-")[2]: _letters(image) for image in images}
    return Gallery(gallery.dataset, images, {**gallery.listing, "stored": stored})


def _images(samples: Samples, ids: list[str], number: int, wall: Wall, names: ClassNames) -> Iterator[GalleryImage]:
    place = -1
    dead, methods = wall.mask(), samples.method.tolist()
    for index, image_id in enumerate(samples.image_id.tolist()):
        try:
            place = ids.index(image_id, place + 1)
        except ValueError:
            raise InputError(f"The samples have the image {image_id}, but the per-image rows do not.") from None
        label, prediction = int(samples.label[index]), int(samples.prediction[index])
        maps = []
        for column, method in enumerate(methods):
            mu, made = float(samples.mu[index, column]), bool(samples.made[index, column])
            seen = _brightest(samples.maps[index, column], dead) if made else None
            maps.append(GalleryMap(method, None if np.isnan(mu) else f"{100 * mu:.1f}", seen))
        yield GalleryImage(
            key=f"{number}-{place}",
            anchor=anchor(str(samples.dataset[index]), image_id),
            label=names.label(label),
            caption=names.caption(label, prediction).replace("\n", " "),
            image_id=image_id,
            sprite=_sprite(samples.images[index], samples.maps[index]),
            maps=tuple(maps),
        )


def _listing(name: str, rows: pd.DataFrame, most: pd.DataFrame, names: ClassNames) -> dict[str, Any]:
    """Every image of a dataset in columns: few characters an image."""
    labels = [names.label(label) for label in most["label"]]
    pairs = zip(most["label"], most["prediction"], strict=True)
    captions = [names.caption(*pair).replace("\n", " ") for pair in pairs]
    classes, shown = list(dict.fromkeys(labels)), list(dict.fromkeys(captions))
    at_class, at_caption = ({text: at for at, text in enumerate(texts)} for texts in (classes, shown))
    mu = (100 * paired_values(rows)).round(1)
    return {
        "dataset": name,
        "ids": most["image_id"].tolist(),
        "classes": classes,
        "class": [at_class[label] for label in labels],
        "captions": shown,
        "caption": [at_caption[caption] for caption in captions],
        "mu": {str(method): [None if np.isnan(each) else each for each in mu[method]] for method in mu},
    }


def _letters(image: GalleryImage) -> str:
    """A letter for each map: which of SEEN, or - for no map."""
    return "".join("-" if each.seen is None else chr(ord("a") + each.seen) for each in image.maps)


def _brightest(values: NDArray[np.uint8], dead: NDArray[np.bool_]) -> int:
    """Where a map `(h, w)` is brightest: its place in SEEN."""
    if not values.any():
        return 0
    row, column = (
        (place + 0.5) / size
        for place, size in zip(np.unravel_index(values.argmax(), values.shape), values.shape, strict=True)
    )
    inside = dead[int(row * dead.shape[0]), int(column * dead.shape[1])]
    return 1 + 6 * int(3 * row) + 2 * int(3 * column) + int(inside)


def _sheet(methods: int) -> tuple[int, int]:
    """Width and height of a sprite."""
    return CELL * (2 + -(-methods // 2)), 2 * CELL


def _cells(methods: int) -> Iterator[tuple[int, int, int]]:
    """Left, top and side of the photo and of each map, each with a rim of a sixteenth."""
    yield 0, 0, 2 * CELL
    for index in range(methods):
        yield CELL * (2 + index // 2), CELL * (index % 2), CELL


def _sprite(photo: NDArray[np.uint8], maps: NDArray[np.uint8]) -> bytes:
    """A photo `(H, W, 3)` and its maps `(M, h, w)` as one WebP file."""
    width, height = _sheet(len(maps))
    sheet = np.zeros((height, width, 3), np.uint8)
    colored = mpl.colormaps[COLORS](maps, bytes=True)[..., :3]
    for part, (left, top, side) in zip((photo, *colored), _cells(len(maps)), strict=True):
        inner = (side * 7 // 8,) * 2
        fitted = part if part.shape[:2] == inner else cv2.resize(part, inner, interpolation=cv2.INTER_AREA)
        # a rim that repeats the edge: scaled by the browser, no pixel of a neighbor bleeds into a map
        sheet[top : top + side, left : left + side] = np.pad(fitted, ((side // 16,) * 2,) * 2 + ((0, 0),), mode="edge")
    file = io.BytesIO()
    Image.fromarray(sheet).save(file, "WEBP", quality=_QUALITY)
    return file.getvalue()
