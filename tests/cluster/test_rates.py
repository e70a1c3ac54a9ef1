"""What one directing process stores, what a slow worker costs, memory over many tasks; `-s` shows the figures."""

import io
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from ray_nodes import Stub, nodes

from stackwalls.model import Cluster, Failure, Launch
from stackwalls.model.runtime.worker_pool import Worker

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


class Clock:
    """Seconds on the clock, and of this process's CPU time: the machine may be busy with other things."""

    def __init__(self) -> None:
        self._began = time.perf_counter(), time.process_time()

    def rates(self, count: int) -> tuple[float, float]:
        clock, cpu = time.perf_counter() - self._began[0], time.process_time() - self._began[1]
        return count / clock, count / cpu


def noise_png(size: int = 224) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    pixels = (
        np.random.default_rng(0).integers(0, 256, (size // 2, size // 2, 3), dtype=np.uint8).repeat(2, 0).repeat(2, 1)
    )
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)
    return file.getvalue()


@dataclass(frozen=True)
class StubClasses:
    """Rows of a class, made already; the two images that come with it are not looked at."""

    png: bytes

    def __call__(self) -> Callable[[Any], Any]:
        from stackwalls.stackmix.class_rows import ClassRows

        def work(task: tuple[int, tuple[bytes, bytes]]) -> ClassRows:
            name = f"n01443537_{task[0]:07d}"
            row = {"image": {"bytes": self.png, "path": f"{name}.png"}, "label": 1, "image_id": name}
            row |= {f"{place}_source": f"n01443537/{place}.JPEG" for place in ("top", "bottom")}
            return ClassRows([row | {f"{place}_sha256": "0" * 64 for place in ("top", "bottom")}], [])

        return work


def test_mix_items_a_second(tmp_path: Path) -> None:
    from stackwalls.hub_cards import FolderWriter
    from stackwalls.model import imagenet
    from stackwalls.stackmix import MixSpec

    png, count = noise_png(), 2000
    spec = MixSpec(source="drawn", classes=("goldfish",)).of(imagenet()).to_dict("drawn", imagenet())
    tasks = ((number, (png, png)) for number in range(count))  # what travels: two images of 100 kB
    with (
        nodes(1, cpus=2),
        FolderWriter.open(tmp_path / "set", kind="stack-mix", spec=spec) as writer,
    ):
        results = Cluster().results(StubClasses(png), tasks)
        next(results)  # the workers have started
        clock = Clock()
        for (number, _), made in results:
            writer.write(f"item-{number:07d}", made.rows, made.rejected, {"usable": True, "redone": []})
        rate, of_cpu = clock.rates(count - 1)
    print(f"mix: {rate:.0f} items/s on the clock, {of_cpu:.0f} by CPU time, {len(png) / 1e3:.0f} kB an image")  # noqa: T201
    assert max(rate, of_cpu) >= 200


@dataclass(frozen=True)
class StubBlocks:
    """Rows of a block of 32 images and 7 methods with one image kept for figures, made already."""

    def __call__(self) -> Callable[[Any], Any]:
        from stackwalls.evaluate.run.samples import Samples

        methods = np.array([f"method{number}" for number in range(7)])
        generator = np.random.default_rng(0)
        maps = generator.integers(0, 256, (1, 7, 112, 112), dtype=np.uint8)
        image = generator.integers(0, 256, (1, 14, 14, 3), dtype=np.uint8).repeat(16, 1).repeat(16, 2)
        about = (np.array(["a"]), np.array(["0"]), np.zeros(1, np.int32), np.zeros(1, np.int32), methods)
        samples = Samples(*about, image, maps, np.ones((1, 7), bool), np.zeros((1, 7)), maps)
        none = samples.at([])
        row = {"dataset": "a", "label": 1, "transform": "as-is", "prediction": 1, "correct": True, "target": 1}
        row |= {"mu": 0.1, "mu_native": 0.2, "lit": True, "energy": 0.1, "pointing": 0.0, "seconds": 0.1}

        def work(task: Any) -> Any:
            block, _ = task
            rows = [
                {**row, "image_id": f"{i:07d}", "method": m} for i in range(block.start, block.stop) for m in methods
            ]
            return rows, samples if block.number % 4 == 0 else none

        return work


def test_evaluation_blocks_a_second(tmp_path: Path) -> None:
    from stackwalls.evaluate.run.blocks import SharedRun, blocks_of

    blocks, png = blocks_of([400 * 32], [0]), noise_png()
    tasks = ((block, [png] * 32) for block in blocks)  # what travels: 32 images of 100 kB
    run = SharedRun(tmp_path / "results", {}, Launch(), "run.json", lambda _: False)
    with nodes(1, cpus=2), run.begun():
        results = Cluster().results(StubBlocks(), tasks)
        next(results)
        clock = Clock()
        for (block, _), made in results:
            run.write(block, *made)
        rate, of_cpu = clock.rates(len(blocks) - 1)
    print(f"evaluate: {rate:.0f} blocks/s on the clock, {of_cpu:.0f} by CPU time, 32 images × 7 methods a block")  # noqa: T201
    assert max(rate, of_cpu) >= 50


@dataclass(frozen=True)
class OneIsSlow:
    """The first worker takes ten times as long for an item; a task is a list of items."""

    flag: str
    seconds: float

    def __call__(self) -> Callable[[Any], Any]:
        try:
            os.close(os.open(self.flag, os.O_CREAT | os.O_EXCL))
            seconds = 10 * self.seconds
        except FileExistsError:
            seconds = self.seconds

        def work(items: list[int]) -> tuple[list[int], int]:
            time.sleep(seconds * len(items))
            return items, os.getpid()

        return work


def seconds_elastic(cluster: Cluster, make: OneIsSlow, items: list[int]) -> float:
    """From when both workers have started until all items are done."""
    workers: set[int] = set()
    began = [0.0]

    def tasks() -> Iterator[list[int]]:
        while len(workers) < 2:
            time.sleep(0.05)
            yield []
        began[0] = time.perf_counter()
        yield from ([item] for item in items)

    found: list[int] = []
    for _, answer in cluster.results(make, tasks()):
        assert not isinstance(answer, Failure)
        found += answer[0]
        workers.add(answer[1])
        if len(found) == len(items):
            break
    assert sorted(found) == items
    return time.perf_counter() - began[0]


def seconds_fixed(make: OneIsSlow, items: list[int]) -> float:
    """The same with every second item for each worker, as processes of a launcher share them."""
    import ray

    workers = [ray.remote(num_cpus=1)(Worker).remote() for _ in range(2)]
    ray.get([worker.start.remote(make) for worker in workers])
    began = time.perf_counter()
    ray.get([worker.run.remote(items[rank::2]) for rank, worker in enumerate(workers)])
    return time.perf_counter() - began


def test_a_worker_ten_times_slower_costs_one_item_at_most(tmp_path: Path) -> None:
    """Sleeping takes no CPU, so what else the machine does matters little."""
    items, each = list(range(40)), 0.5
    with nodes(2) as machines:
        elastic = seconds_elastic(Cluster(machines.address), OneIsSlow(str(tmp_path / "elastic"), each), items)
        fixed = seconds_fixed(OneIsSlow(str(tmp_path / "fixed"), each), items)
    ideal = len(items) * each / 1.1  # eleven items in the time of ten
    told = f"fixed shares {fixed:.1f} s, elastic {elastic:.1f} s, ideal {ideal:.1f} s, a slow item {10 * each:.1f} s"
    print(told)  # noqa: T201 - docs/scale-out.md has it
    assert elastic < ideal + 10 * each
    assert fixed > 2 * elastic


def test_memory_is_flat_over_100000_tasks() -> None:
    process, seen = psutil.Process(), {}
    with nodes(1, cpus=2):
        for number, _ in enumerate(Cluster().results(Stub(), range(100_000)), start=1):
            if number in (10_000, 55_000, 100_000):
                seen[number] = process.memory_info().rss / 1e6
    print("driver, MB: " + ", ".join(f"{memory:.0f} after {number}" for number, memory in seen.items()))  # noqa: T201
    assert seen[100_000] < seen[10_000] + 20
