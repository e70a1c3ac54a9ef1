"""Seconds an image and the most memory, from 10 to 10,000 synthetic images: linear cost and flat memory.

    python benchmarks/scaling.py                          # a sixteenth of MaskedVGG16's width
    python benchmarks/scaling.py --counts 10 100 1000 --methods GradCAM EigenCAM AblationCAM
    python benchmarks/scaling.py --device cuda --width 1 --precision fast --counts 100 1000 --methods all

Each count is one process of its own, whose peak resident memory the system reports; the images are drawn from a seed as
they are read, and the results go to a folder, as users run it. `first_MB` is the peak after 10 images of the same run,
and `extra_MB` what the evaluation took beyond the process with its network (on Linux; elsewhere the network's own
making is in the peak). `gpu_MB` is the most that torch reserved on the GPU.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from devices import available_device
from engine import calibrated_masked_vgg16

from stackwalls.evaluate import METHODS, evaluate
from stackwalls.hub_cards import Batch, StackDataset

FIRST = 10


class Drawn(StackDataset):
    """Blocks of noise, each image from its own seed; notes the peak memory when the first ones are done."""

    def __init__(self, count: int) -> None:
        super().__init__("drawn", lambda start: iter(()), count, contents="seeded noise")
        self.first = float("nan")

    def batches(self, batch_size: int, spans: Sequence[tuple[int, int]] | None = None, *_: object) -> Iterator[Batch]:
        for start, stop in spans or [(0, len(self))]:
            for place in range(start, stop, batch_size):
                rows = range(place, min(place + batch_size, stop))
                images = [np.random.default_rng(row).integers(0, 256, (14, 14, 3), dtype=np.uint8) for row in rows]
                blown_up = np.stack(images).repeat(16, axis=1).repeat(16, axis=2)
                if place >= FIRST and np.isnan(self.first):
                    self.first = peak_megabytes()
                yield Batch([str(row) for row in rows], np.full(len(rows), -1), blown_up)


def peak_megabytes() -> float:
    status = Path("/proc/self/status")
    if status.is_file():
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024 / 1e6
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def forget_the_peak() -> float:
    """Let the peak begin anew, where Linux can; what it is now."""
    reset = Path("/proc/self/clear_refs")
    if reset.is_file():
        reset.write_text("5")
    return peak_megabytes()


def measure(count: int, args: argparse.Namespace) -> None:
    """One count, in this process."""
    model, data = calibrated_masked_vgg16(0, args.width).to(args.device), Drawn(count)
    methods = list(METHODS) if args.methods == ["all"] else args.methods
    options: dict[str, Any] = {"precision": args.precision, "memory": args.memory, "progress": False}
    before = forget_the_peak()
    evaluate(model, Drawn(8), methods, **options)  # warm up
    with tempfile.TemporaryDirectory() as out:
        started = time.perf_counter()
        evaluate(model, data, methods, out=Path(out) / "results", **options)
        seconds = time.perf_counter() - started
    found = {"images": count, "s_per_image": seconds / count, "seconds": seconds, "peak_MB": peak_megabytes()}
    found |= {"first_MB": data.first, "extra_MB": peak_megabytes() - before}
    if args.device != "cpu":
        found["gpu_MB"] = torch.cuda.max_memory_reserved() / 1e6
    print(json.dumps(found), flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", type=int, nargs="+", default=[10, 100, 1000, 10_000])
    parser.add_argument("--methods", nargs="+", default=["GradCAM", "EigenCAM", "HiResCAM"], help="or all")
    parser.add_argument("--width", type=float, default=1 / 16)
    parser.add_argument("--threads", type=int, help="of the CPU (default: 1 for runs on the CPU, all beside a GPU)")
    parser.add_argument("--device", type=available_device, default="cpu")
    parser.add_argument("--precision", default="exact")
    parser.add_argument("--memory", help="as of evaluate, such as 8GB")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.threads or args.device == "cpu":
        torch.set_num_threads(args.threads or 1)
    if args.one is not None:
        measure(args.one, args)
        return 0
    print(json.dumps({"command": " ".join(["python", *sys.argv]), "torch": torch.__version__}), flush=True)
    for count in args.counts:
        subprocess.run([sys.executable, *sys.argv, "--one", str(count)], check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
