"""Small pictures and folders of them."""

import io
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def picture_bytes(seed: int, width: int = 48, height: int = 40, format: str = "PNG") -> bytes:
    """The file of a noise picture, a different one for each seed."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format)
    return buffer.getvalue()


FolderMaker = Callable[[Mapping[str, int]], Path]


@pytest.fixture
def make_picture() -> Callable[..., bytes]:
    return picture_bytes


@pytest.fixture
def image_folder(tmp_path: Path) -> FolderMaker:
    """Makes `tmp_path/pictures` with a number of pictures `0.png`, `1.png`, … for each folder name."""

    def make(pictures: Mapping[str, int]) -> Path:
        root = tmp_path / "pictures"
        root.mkdir()
        for place, (name, number) in enumerate(pictures.items()):
            (root / name).mkdir(parents=True)
            for picture in range(number):
                (root / name / f"{picture}.png").write_bytes(picture_bytes(1000 * place + picture))
        return root

    return make
