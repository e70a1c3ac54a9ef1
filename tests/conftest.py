"""Shared fixtures: networks that are small enough to test with, and the real photos where they are at hand."""

import os
from pathlib import Path

import pytest
import torch

from stackwalls.model import MaskedVGG16

torch.set_num_threads(1)


@pytest.fixture
def narrow_vgg() -> MaskedVGG16:
    """A masked VGG16 with the full geometry and a sixteenth of the channels, random weights, 10 classes."""
    torch.manual_seed(0)
    return MaskedVGG16(num_classes=10, width=1 / 16).eval()


@pytest.fixture(scope="session")
def real_images() -> Path:
    """An image folder of labelled ImageNet photos: STACKWALLS_IMAGES, or shared/data beside the repository."""
    default = Path(__file__).resolve().parents[2] / "shared/data/imagenet-sample/val"
    folder = Path(os.environ.get("STACKWALLS_IMAGES", default))
    if not folder.is_dir():
        pytest.skip(f"no labelled photos: {folder} is no folder (set STACKWALLS_IMAGES)")
    return folder
