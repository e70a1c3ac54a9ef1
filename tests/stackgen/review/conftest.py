"""Small finished sets of both kinds, and a review of one that is being served."""

import io
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from stackwalls.hub_cards import FolderWriter
from stackwalls.model import imagenet_classes
from stackwalls.stackgen.review.review_server import ReviewServer
from stackwalls.stackgen.review.review_session import ReviewSession

REJECTED = [{"item": f"picture {number}", "reason": f"<b>reason</b> & {number}"} for number in range(130)]


def picture(number: int, format: str = "PNG") -> bytes:
    """The file of a picture whose color tells its number."""
    pixels = np.full((224, 224, 3), (number, 255 - number, 128), dtype=np.uint8)
    pixels[number, :] = 0
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format, **({"lossless": True} if format == "WEBP" else {}))
    return buffer.getvalue()


def make_mix(folder: Path, rows: int = 6, wall: str = "bottom:54", encoder: str = "png") -> Path:
    """Two pictures of each class, 130 samples rejected."""
    spec = {"source": "val", "classes": None, "per_class": 2, "seed": 0, "wall": wall, "encoder": encoder}
    made = [
        {
            "image": {"bytes": picture(number % 224, encoder.upper()), "path": f"{number}.{encoder}"},
            "label": number // 2,
            "image_id": f"{imagenet_classes()[number // 2].synset}_{number % 2:04d}",
            "top_source": f"{number}a.JPEG",
            "bottom_source": f"{number}b<i>.JPEG",
            "top_sha256": "1" * 64,
            "bottom_sha256": "2" * 64,
        }
        for number in range(rows)
    ]
    with FolderWriter.open(folder, kind="stack-mix", spec=spec) as writer:
        writer.write("all", made, REJECTED)
        writer.finish(requested=rows + len(REJECTED), inputs={})
    return folder


GEN_ROW = {
    "label": 1,
    "prompt": "A photo of goldfish stacked on top of goldfish.",
    "seed": 2**62,
    "attempt": 3,
    "model": "owner/name",
    "revision": "a" * 40,
    "seen_box": [100.0, 150.0, 450.0, 500.0],
    "hidden_box": [50.0, 640.0, 860.0, 900.0],
    "crop": [100, 150, 800, 850],
    "seen_score": 0.8125,
    "hidden_score": 0.5,
    "seen_share": 0.97,
    "hidden_share": 0.7,
    "background": 0.25,
}


def make_gen(folder: Path, rows: int = 3, **more: Any) -> Path:
    """A STACK-GEN set with a wall at the top."""
    spec = {"wall": "top:64", "per_class": rows, "seed": 0, **more}
    made = [
        GEN_ROW | {"image": {"bytes": picture(number), "path": f"{number}.png"}, "image_id": f"n01443537_{number:05d}"}
        for number in range(rows)
    ]
    with FolderWriter.open(folder, kind="stack-gen", spec=spec) as writer:
        writer.write("all", made)
        writer.finish(requested=rows, inputs={}, card=lambda _manifest, _row: "a card")
    return folder


@contextmanager
def serving(folder: Path) -> Iterator[ReviewServer]:
    """A review of `folder`, served by a thread."""
    with ReviewSession.open(folder) as session, ReviewServer(session) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One set of each kind, to be copied."""
    root = tmp_path_factory.mktemp("made")
    make_mix(root / "stack-mix")
    make_gen(root / "stack-gen")
    return root


@pytest.fixture
def mix_folder(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made / "stack-mix", tmp_path / "stack-mix"))


@pytest.fixture
def gen_folder(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made / "stack-gen", tmp_path / "stack-gen"))


@pytest.fixture
def own_folder(tmp_path: Path) -> Path:
    return make_gen(tmp_path / "own", class_names=["jay", "violin & bow"])


@pytest.fixture
def serve() -> Callable[[Path], AbstractContextManager[ReviewServer]]:
    return serving


@pytest.fixture
def mix_maker() -> Callable[..., Path]:
    return make_mix
