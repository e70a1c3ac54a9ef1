"""STACK-MIX composites a second, against the plain PIL + PNG loop of the same pairs, alternating in one run.

python benchmarks/mix.py                                  # drawn pictures, saved as JPEG of 500 × 375
python benchmarks/mix.py --source path/to/imagenet/val    # photographs
"""

from __future__ import annotations

import argparse
import io
import json
import platform
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from stackwalls.model import USUAL_TRANSFORM, VGG16_WALL
from stackwalls.model.images import decode_and_crop, open_images
from stackwalls.model.images.drawn import draw_scene, drawn_classes
from stackwalls.stackmix import compose, encode

Pair = tuple[bytes, bytes]


def drawn_folder(root: Path, classes: int) -> Path:
    """Two JPEG pictures of each class, of ImageNet's median size."""
    for entry in drawn_classes()[:classes]:
        (root / entry.synset).mkdir(parents=True)
        for seed in (0, 1):
            scene = draw_scene(entry.index, seed, size=500, height=375)
            Image.fromarray(scene.image).save(root / entry.synset / f"{seed}.JPEG", quality=90)
    return root


def pairs_of(source: str, classes: int) -> list[Pair]:
    opened = open_images(source)
    ids = [images for images in opened.index().values() if len(images) > 1][:classes]
    return [(opened.read(first), opened.read(second)) for first, second, *_ in ids]


def plain(pair: Pair) -> bytes:
    """What one writes without thinking of speed: PIL's transform, one array over the other, PNG as PIL saves it."""
    first, second = (USUAL_TRANSFORM(Image.open(io.BytesIO(data))) for data in pair)
    buffer = io.BytesIO()
    Image.fromarray(np.concatenate([first[:170], second[170:]])).save(buffer, "PNG")
    return buffer.getvalue()


def ours(pair: Pair, encoder: str) -> bytes:
    first, second = (decode_and_crop(data) for data in pair)
    return encode(compose(first, second, VGG16_WALL), encoder)


def rate(function: object, pairs: list[Pair], workers: int) -> float:
    started = time.perf_counter()
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(function, pairs))  # type: ignore[arg-type]
    return len(pairs) / (time.perf_counter() - started)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source")
    parser.add_argument("--classes", type=int, default=60)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        pairs = pairs_of(args.source or str(drawn_folder(Path(folder) / "drawn", args.classes)), args.classes)
    for pair in pairs[:5]:
        same = [
            np.asarray(Image.open(io.BytesIO(data))) for data in (plain(pair), ours(pair, "png"), ours(pair, "webp"))
        ]
        assert all(np.array_equal(same[0], other) for other in same)
    print(json.dumps({"command": " ".join(["python", *sys.argv]), "pairs": len(pairs), "machine": platform.machine()}))
    runs: dict[str, tuple[object, int]] = {
        f"{encoder}, {workers} workers": (lambda pair, encoder=encoder: ours(pair, encoder), workers)
        for encoder in ("png", "webp")
        for workers in (1, 2)
    }
    rates: dict[str, list[float]] = {"plain": [], **{name: [] for name in runs}}
    for _ in range(args.repeats):
        rates["plain"].append(rate(plain, pairs, 1))
        for name, (function, workers) in runs.items():
            rates[name].append(rate(function, pairs, workers))
    for name, found in rates.items():
        ratios = [a / b for a, b in zip(found, rates["plain"], strict=True)]
        row = {"run": name, "composites_per_s": round(statistics.median(found), 1)}
        row |= {
            "ratio": round(statistics.median(ratios), 2),
            "ratio_min": round(min(ratios), 2),
            "ratio_max": round(max(ratios), 2),
        }
        print(json.dumps(row))
    return 0


if __name__ == "__main__":
    sys.exit(main())
