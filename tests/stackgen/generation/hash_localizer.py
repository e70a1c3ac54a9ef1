"""What finds animals in the frames of a tiny pipeline, and the whole command with it, for child processes."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Sequence

import numpy as np
from PIL import Image

from stackwalls.stackgen import cli, localizing
from stackwalls.stackgen.localizing.localizer import Detections


class HashLocalizer:
    """Two animals on top of each other, or one, by the frame's bytes."""

    name, revision = "foreground", "1"

    def locate(self, frames: Sequence[Image.Image], nouns: Sequence[Sequence[str]]) -> list[Detections]:
        return [self._found(hashlib.sha256(frame.tobytes()).digest()[0]) for frame in frames]

    def _found(self, byte: int) -> Detections:
        boxes = [[4, 8, 60, 55], [4, 55, 60, 90]][: 1 + (byte % 3 > 0)]
        return Detections(np.array(boxes, np.float32), np.full(len(boxes), 0.5, np.float32))


def generate_in_child(arguments: Sequence[str], rank: int, world: int) -> None:
    """In a child process: `stackgen generate …` as one of several processes, without a network."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the network was touched")

    socket.socket.connect = refuse  # type: ignore[method-assign, assignment]
    localizing.load_localizer = lambda *_: HashLocalizer()  # type: ignore[assignment]
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(world)}
    os._exit(cli.main(["generate", *arguments]))
