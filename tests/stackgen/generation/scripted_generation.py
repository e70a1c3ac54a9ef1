"""A text-to-image model and a localizer that cost nothing and follow a script; importable by child processes too."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from stackwalls.hub_cards import Manifest
from stackwalls.model import Launch
from stackwalls.stackgen.diffusion import Call, Flaw, ModelSource
from stackwalls.stackgen.generation.generate_spec import GenerateSpec
from stackwalls.stackgen.generation.generating import generate
from stackwalls.stackgen.localizing.localizer import Detections

WIDTH, HEIGHT = 128, 192
MODEL = ModelSource("scripted", "r1", "ScriptedPipeline")
HARDWARE = "script"


def spec_of(**changes: Any) -> GenerateSpec:
    settings: dict[str, Any] = {
        "model": MODEL,
        "call": Call(1, 0.0, WIDTH, HEIGHT),
        "dtype": "float32",
        "localizer": "scripted",
        "classes": ("goldfish", "hen", "ox"),
        "attempts": 4,
    }
    return GenerateSpec(**settings | changes)


class ScriptedFrames:
    """Noise that carries its seed in the first eight pixels; every eleventh seed a flaw. Remembers what was drawn."""

    def __init__(self) -> None:
        self.drawn: list[tuple[str, int]] = []
        self.batches: list[int] = []

    def draw(self, prompts: Sequence[str], seeds: Sequence[int]) -> list[Image.Image | Flaw]:
        self.drawn += zip(prompts, seeds, strict=True)
        self.batches.append(len(seeds))
        return [frame_of(seed) for seed in seeds]


def frame_of(seed: int) -> Image.Image | Flaw:
    if seed % 11 == 0:
        return Flaw("the frame is black")
    coarse = np.random.default_rng(seed).integers(0, 256, (12, 8, 3), dtype=np.uint8)
    pixels = coarse.repeat(16, axis=0).repeat(16, axis=1)
    pixels[0, :8, 0] = np.frombuffer(seed.to_bytes(8, "big"), dtype=np.uint8)
    return Image.fromarray(pixels)


class ScriptedLocalizer:
    """Finds what the seed in the frame says: two animals on top of each other, one, or two side by side."""

    name = "scripted"
    revision = "1"

    def __init__(self, share: int = 2) -> None:
        self.share = share

    def locate(self, frames: Sequence[Image.Image], nouns: Sequence[Sequence[str]]) -> list[Detections]:
        assert len(frames) == len(nouns)
        return [self._found(int.from_bytes(np.asarray(frame)[0, :8, 0].tobytes(), "big")) for frame in frames]

    def _found(self, seed: int) -> Detections:
        kind = seed // 11 % 4
        if kind < self.share:
            boxes = [[10, 20, 118, 110], [10, 110, 118, 170]]
        elif kind == self.share:
            boxes = [[10, 20, 118, 110]]
        else:
            boxes = [[0, 40, 50, 150], [70, 40, 128, 150]]
        return Detections(np.array(boxes, np.float32), np.full(len(boxes), 0.5, np.float32))


def make(
    out: Path,
    *,
    rank: int = 0,
    world: int = 1,
    redo: bool = False,
    share: int = 2,
    frames: ScriptedFrames | None = None,
    **changes: Any,
) -> Manifest | None:
    """A process's share of a scripted set."""
    return generate(
        spec_of(**changes),
        out,
        frames=lambda: frames or ScriptedFrames(),
        localizer=ScriptedLocalizer(share),
        hardware=HARDWARE,
        launch=Launch(rank, world, rank),
        redo=redo,
    )


def make_in_child(out: Path, options: dict[str, Any], kill_at: int | None) -> None:
    """In a child process: make a share; end as `kill -9` ends it before the `kill_at`-th change of the disk."""
    count = 0

    def counting(real: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal count
            count += 1
            if count == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*args, **kwargs)

        return call

    if kill_at is not None:
        for name in ("mkdir", "replace", "fsync", "unlink", "rmdir", "open"):
            setattr(os, name, counting(getattr(os, name)))
    make(out, **options)
    os._exit(0)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
