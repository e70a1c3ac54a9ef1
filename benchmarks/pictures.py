"""Make the pictures of the README and of docs/ from a demo's folder, or those of docs/transformers.md.

    stackgen demo --out demo && python benchmarks/pictures.py demo
    python benchmarks/pictures.py results-cut results-sink

docs/finding.png       three pictures of STACK-GEN with the maps of all methods on the masked miniature VGG16
docs/drawn-world.png   one animal of each of 96 classes, as far apart in the list as they can be
docs/stack-mix.png     the demo's composites, the wall drawn in
docs/stack-gen.png     what the miniature text-to-image model drew, cropped, the wall drawn in
docs/two-walls.png     two composites with the maps of all methods on a transformer behind one wall and another
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
from datasets import load_dataset
from numpy.typing import NDArray
from PIL import Image

from stackwalls.evaluate import Results, overlays, write_figure
from stackwalls.evaluate.run.samples import Samples
from stackwalls.model import VGG16_WALL
from stackwalls.model.images.drawn import contact_sheet, drawn_classes

DOCS = Path(__file__).resolve().parents[1] / "docs"
WORLD = 96
COLUMNS = 12
SHOWN = 112
"""Pixels of a picture's side in a sheet."""


def main(demo: Path) -> None:
    results = Results.load(demo / "results")
    drawn = results.samples.of("stack-gen")
    _save(_overlays(results, drawn.at([index * len(drawn) // 3 for index in range(3)])), "finding.png")
    labels = [entry.index for entry in drawn_classes()]
    world = contact_sheet([labels[i * len(labels) // WORLD] for i in range(WORLD)], columns=COLUMNS, cell=SHOWN)
    _save(world, "drawn-world.png")
    for name in ("stack-mix", "stack-gen"):
        _save(_sheet(demo / name), f"{name}.png")


def both_walls(*folders: Path) -> None:
    """The same two images and methods, one network above the other.

    They are those in the middle by the first method's mu on the last network: neither the worst nor the best.
    """
    results = [Results.load(folder) for folder in folders]
    order = np.argsort(results[-1].samples.mu[:, 0], kind="stable")
    middle = order[len(order) // 2 - 1 : len(order) // 2 + 1]
    _save(np.vstack([_overlays(each, each.samples.at(middle)) for each in results]), "two-walls.png")


def _overlays(results: Results, samples: Samples) -> NDArray[np.uint8]:
    png = write_figure(overlays(samples, results.wall, across=True), "png")
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def _sheet(folder: Path) -> NDArray[np.uint8]:
    """All pictures of a set, with the wall."""
    pictures = [np.asarray(row["image"].resize((SHOWN, SHOWN))) for row in load_dataset(str(folder), split="test")]
    line = round(SHOWN * VGG16_WALL.boxes[0].top / VGG16_WALL.image_size)
    cells = [picture.copy() for picture in pictures]
    for cell in cells:
        cell[line - 1 : line + 1] = (220, 20, 30)
    cells += [np.full((SHOWN, SHOWN, 3), 255, np.uint8)] * (-len(cells) % COLUMNS)
    return np.vstack([np.hstack(cells[first : first + COLUMNS]) for first in range(0, len(cells), COLUMNS)])


def _save(pixels: NDArray[np.uint8], name: str) -> None:
    """As a PNG of 256 colors: a third of the bytes, and nothing to be seen."""
    Image.fromarray(pixels).quantize(256).save(DOCS / name, optimize=True)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    (main if len(sys.argv) == 2 else both_walls)(*map(Path, sys.argv[1:]))
