import io
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from PIL import Image

from stackwalls.model import imagenet_classes
from stackwalls.model.images import open_images
from stackwalls.model.images.drawn import draw, drawn_classes
from stackwalls.stackmix import MixSpec, mix


def test_fifty_pictures_of_each_class() -> None:
    index = open_images("drawn").index()
    assert list(index) == sorted(entry.index for entry in drawn_classes())
    assert len(index) >= 10
    for label, ids in index.items():
        assert len(ids) == 50
        assert ids == sorted(ids)
        assert ids[1] == f"drawn/{imagenet_classes()[label].synset}/000001"


def test_a_picture_is_the_drawing_and_the_same_every_time() -> None:
    source = open_images("drawn")
    label, ids = next(iter(source.index().items()))
    data = source.read(ids[7])
    assert data == source.read(ids[7])
    assert data != source.read(ids[8])
    with Image.open(io.BytesIO(data)) as image:
        np.testing.assert_array_equal(np.asarray(image), draw(label, seed=7))


def test_a_set_from_nothing(tmp_path: Path) -> None:
    mix(MixSpec("drawn", classes=3, per_class=2), tmp_path / "out")
    table = pq.read_table(tmp_path / "out/data")
    assert table.num_rows == 6
    assert len(set(table.column("label").to_pylist())) == 3
    assert all(source.startswith("drawn/n") for source in table.column("top_source").to_pylist())
