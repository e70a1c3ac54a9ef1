"""Memory does not grow with the number of images."""

import io
import multiprocessing
import os
import resource
import sys
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scripted_generation import make

from stackwalls.stackgen.generation import attempts

MEGABYTES = 1024 if sys.platform != "darwin" else 1024**2
ALLOWED = 40
"""Megabytes that 9,800 more images may take: their ids, reasons and sums of files; their pictures are 700."""


def noise() -> bytes:
    """A PNG of 75 kB."""
    pixels = np.zeros((224, 224, 3), np.uint8)
    pixels[:112] = np.random.default_rng(0).integers(0, 256, (112, 224, 3))
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def peak_of(out: Path, images: int, answers: Connection) -> None:
    """In a child process: peak megabytes after a small set, and after a large one, with pictures that are there."""
    inspect, picture = attempts.inspect_frame, noise()

    def with_that_picture(*arguments: Any) -> Any:
        found = inspect(*arguments)
        return found | {"image": b"".join((picture, os.urandom(8)))} if isinstance(found, dict) else found

    attempts.inspect_frame = with_that_picture
    os.fsync = lambda _: None
    make(out / "small", classes=20, attempts=3, per_class=10)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MEGABYTES
    make(out / "large", classes=100, attempts=3, per_class=images // 100)
    answers.send((before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MEGABYTES))


@pytest.mark.parametrize("images", [400, pytest.param(10_000, marks=[pytest.mark.slow, pytest.mark.timeout(1500)])])
def test_the_peak_stays(images: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)
    receiver, sender = multiprocessing.Pipe(duplex=False)
    child = multiprocessing.get_context("spawn").Process(target=peak_of, args=(tmp_path, images, sender))
    child.start()
    child.join()
    assert child.exitcode == 0
    before, after = receiver.recv()
    assert after - before < ALLOWED, f"{before:.0f} MB after 200 images, {after:.0f} MB after {images}"
    print(f"{before:.0f} MB after 200 images, {after:.0f} MB after {images}")  # noqa: T201 - shown by pytest -s
