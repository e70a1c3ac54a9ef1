"""Shared fixtures: networks that are small enough to test with, small images, and the real photos if there are any."""

import io
import os
from collections.abc import Callable, Mapping
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as in the command line, for processes that tests start

import numpy as np
import pytest
import torch
from PIL import Image

from stackwalls.model import MaskedVGG16

torch.set_num_threads(1)


@pytest.fixture
def narrow_vgg() -> MaskedVGG16:
    """A masked VGG16 with the full geometry and a sixteenth of the channels, random weights, 10 classes."""
    torch.manual_seed(0)
    return MaskedVGG16(num_classes=10, width=1 / 16).eval()


@pytest.fixture(scope="session")
def real_images() -> Path:
    """An image folder of labeled ImageNet photos: STACKWALLS_IMAGES, or shared/data beside the repository."""
    default = Path(__file__).resolve().parents[2] / "shared/data/imagenet-sample/val"
    folder = Path(os.environ.get("STACKWALLS_IMAGES", default))
    if not folder.is_dir():
        pytest.skip(f"no labeled photos: {folder} is no folder (set STACKWALLS_IMAGES)")
    return folder


def image_bytes(seed: int, width: int = 48, height: int = 40, format: str = "PNG") -> bytes:
    """The file of a noise image, a different one for each seed."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format)
    return buffer.getvalue()


FolderMaker = Callable[[Mapping[str, int]], Path]


@pytest.fixture
def make_picture() -> Callable[..., bytes]:
    return image_bytes


@pytest.fixture
def image_folder(tmp_path: Path) -> FolderMaker:
    """Makes `tmp_path/pictures` with a number of images `0.png`, `1.png`, … for each folder name."""

    def make(pictures: Mapping[str, int]) -> Path:
        root = tmp_path / "pictures"
        root.mkdir()
        for place, (name, number) in enumerate(pictures.items()):
            (root / name).mkdir(parents=True)
            for picture in range(number):
                (root / name / f"{picture}.png").write_bytes(image_bytes(1000 * place + picture))
        return root

    return make
