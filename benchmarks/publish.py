"""A large set, made, published to a Hub on this machine and streamed back: seconds, sizes, and memory at its highest.

python benchmarks/publish.py                    # 50,000 rows of 20 kB: 1 GB, and three times that on the disk
python benchmarks/publish.py --rows 2000

Each step runs in a process of its own, the server in another, so that what is measured is the step's alone. The line is
this machine's: the figures say what the program adds, not how long an upload takes.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

TESTS = Path(__file__).resolve().parents[1] / "tests/hub"
PART = 500
POOL = 400
"""Different pictures; they come again under other names."""


def pictures(kilobytes: int) -> list[bytes]:
    """PNG of 224 × 224 that take about so many kB: noise in as many rows as that needs."""
    made = []
    for seed in range(POOL):
        pixels = np.zeros((224, 224, 3), dtype=np.uint8)
        rows = min(224, max(1, round(kilobytes * 1000 / (224 * 3))))
        pixels[:rows] = np.random.default_rng(seed).integers(0, 256, (rows, 224, 3), dtype=np.uint8)
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "PNG", compress_level=1)
        made.append(file.getvalue())
    return made


def row(number: int, picture: bytes) -> dict[str, Any]:
    name = f"row{number:06d}"
    drawn = f"drawn/n01440764/{number:06d}"
    provenance = {"top_source": drawn, "bottom_source": drawn, "top_sha256": "0" * 64}
    image = {"bytes": picture, "path": f"{name}.png"}
    return {"image": image, "label": number % 1000, "image_id": name, **provenance, "bottom_sha256": "1" * 64}


def make(folder: Path, rows: int, kilobytes: int) -> dict[str, Any]:
    from stackwalls.hub_cards import FolderWriter

    pool = pictures(kilobytes)
    spec = {"source": "drawn", "per_class": rows // 1000 or 1, "seed": 0, "wall": "bottom:54", "encoder": "png"}
    with FolderWriter.open(folder, kind="stack-mix", spec=spec) as writer:
        for start in range(0, rows, PART):
            part = [row(number, pool[number % POOL]) for number in range(start, min(rows, start + PART))]
            writer.write(f"part-{start:08d}", part)
        manifest = writer.finish(requested=rows, inputs={})
    sizes = [manifest.files[name]["bytes"] for name in manifest.shards()]
    return {"shards": len(sizes), "largest_mb": round(max(sizes) / 1e6, 1), "total_mb": round(sum(sizes) / 1e6, 1)}


def publish(folder: Path) -> dict[str, Any]:
    from stackwalls.hub_cards.publishing.plan import PublishSpec, plan_publication
    from stackwalls.hub_cards.publishing.upload import publish as upload

    started = time.perf_counter()
    plan = plan_publication(PublishSpec(str(folder), "user/stack-mix"))
    planned = time.perf_counter() - started
    upload(plan)
    return {"plan_s": round(planned, 2), "sent_files": len(plan.changes.sent)}


def stream(rows: int) -> dict[str, Any]:
    """Every picture decoded, as `evaluate` reads them; and the last ones alone."""
    from stackwalls.hub_cards import open_dataset

    started = time.perf_counter()
    dataset = open_dataset("user/stack-mix")
    batches = dataset.batches(32)
    next(batches)
    first = time.perf_counter() - started
    before = memory_mb()
    count = 32 + sum(len(batch) for batch in batches)
    assert count == rows
    middle = time.perf_counter()
    tail = list(dataset.batches(32, [(rows - 10, rows)]))
    assert sum(map(len, tail)) == 10
    told = {"first_batch_s": round(first, 2), "last_ten_rows_s": round(time.perf_counter() - middle, 2)}
    return told | {"mb_after_first_batch": before, "rows_per_s": round(count / (middle - started))}


def memory_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def step(name: str, folder: Path, arguments: argparse.Namespace) -> None:
    started = time.perf_counter()
    if name == "make":
        told = make(folder, arguments.rows, arguments.kilobytes)
    else:
        told = publish(folder) if name == "publish" else stream(arguments.rows)
    seconds = round(time.perf_counter() - started, 1)
    print(json.dumps({"step": name, "seconds": seconds, "highest_memory_mb": memory_mb(), **told}))


def run_steps(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    sys.path.insert(0, str(TESTS))
    from loopback_hub import LoopbackHub

    with tempfile.TemporaryDirectory(dir=arguments.scratch) as scratch, LoopbackHub(Path(scratch) / "hub") as hub:
        for name in ("make", "publish", "publish", "stream"):
            options = ["--rows", str(arguments.rows), "--kilobytes", str(arguments.kilobytes)]
            words = [sys.executable, __file__, "--step", name, "--scratch", scratch, *options]
            done = subprocess.run(
                words, env=hub.environment(Path(scratch) / "home"), check=True, stdout=subprocess.PIPE, text=True
            )
            yield json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--kilobytes", type=int, default=20, help="of a picture")
    parser.add_argument("--scratch", default=None, help="where the folders lie for a while")
    parser.add_argument("--step", choices=("make", "publish", "stream"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.step:
        step(arguments.step, Path(arguments.scratch) / "stack-mix", arguments)
        return
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    for told in run_steps(arguments):
        print(", ".join(f"{key} {value}" for key, value in told.items()), flush=True)


if __name__ == "__main__":
    main()
