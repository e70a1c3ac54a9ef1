"""Small labeled pictures for the tests of training."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stackwalls.model.training import Recipe, find_recipe

SYNSETS = ("n01440764", "n01443537", "n02123045")  # tench (0), goldfish (1), tabby (281)


def picture(number: int, shade: int, size: tuple[int, int] = (48, 40)) -> Image.Image:
    """Noise around a shade that tells the class."""
    noise = np.random.default_rng(number).integers(0, 60, (*size[::-1], 3))
    return Image.fromarray((noise + shade).astype(np.uint8))


def write_folder(root: Path, per_class: int, first: int = 0, synsets: tuple[str, ...] = SYNSETS) -> Path:
    """Class folders of PNG pictures, a shade each."""
    for position, synset in enumerate(synsets):
        folder = root / synset
        folder.mkdir(parents=True)
        for number in range(per_class):
            picture(first + 1000 * position + number, 20 + 85 * position).save(folder / f"{number}.png")
    return root


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """torchvision says at every picture that its decoders will move to TorchCodec."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore:The image decoding and encoding"))


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder with train/ (3 classes of 8) and val/ (3 of 2)."""
    write_folder(tmp_path / "pictures/train", 8)
    write_folder(tmp_path / "pictures/val", 2, first=500)
    return tmp_path / "pictures"


@pytest.fixture
def recipe() -> Recipe:
    """The tiny recipe, even narrower, in full precision: two epochs of three steps on `pictures`."""
    return find_recipe("tiny").with_values(width=1 / 64, epochs=2, batch_size=8, precision="fp32", dropout=0.5)
