"""What a run says of its data is what it read: bytes are hashed, labels and ids are checked."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dataset_maker import make_row, open_writer, png, resealed
from PIL import Image

from stackwalls.hub_cards import Manifest, StackDataset, open_dataset
from stackwalls.hub_cards.layout import file_entry
from stackwalls.model import InputError, RunError, StackwallsError
from stackwalls.model.images import ImageRow, open_images

SHARD = "data/test-00000-of-00001.parquet"


def finished(folder: Path, rows: int = 3) -> Path:
    with open_writer(folder) as writer:
        writer.write("all", [make_row(number) for number in range(rows)])
        writer.finish(inputs={}, requested=rows)
    return folder


def flipped(path: Path, at: int = 4) -> None:
    """Change one byte in place: no other size, and the old modification time."""
    before = path.stat()
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1]))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_a_changed_byte_in_a_finished_set(tmp_path: Path) -> None:
    dataset = open_dataset(finished(tmp_path))
    before = dataset.identity
    flipped(tmp_path / SHARD)
    for read in (lambda: list(dataset.batches(1)), lambda: dataset.identity, lambda: open_dataset(tmp_path)):
        with pytest.raises(InputError, match=rf"{SHARD} in the dataset folder .* was changed: its SHA-256 is not"):
            read()
    flipped(tmp_path / SHARD)
    assert dataset.identity == before


def a_folder(place: Path, image: Path) -> Any:
    return place


def a_table_of_paths(place: Path, image: Path) -> Any:
    return datasets.Dataset.from_dict({"image": [str(image)], "label": [1]}).cast_column("image", datasets.Image())


def a_parquet_file_of_paths(place: Path, image: Path) -> Any:
    table = pa.table({"image": pa.array([{"bytes": None, "path": image.name}], PATHS), "label": [1]})
    pq.write_table(table, place / "test.parquet")
    return place / "test.parquet"


PATHS = pa.struct({"bytes": pa.binary(), "path": pa.string()})


@pytest.mark.parametrize("source", [a_folder, a_table_of_paths, a_parquet_file_of_paths])
def test_a_changed_byte_in_an_image(source: Callable[[Path, Path], Any], tmp_path: Path) -> None:
    image = tmp_path / "a.bmp"
    Image.new("RGB", (224, 224)).save(image)
    dataset = open_dataset(source(tmp_path, image))
    before = dataset.identity
    assert len(next(dataset.batches(1))) == 1
    flipped(image, -1 + image.stat().st_size)
    with pytest.raises(RunError, match=r"The image .* was changed while the run was going on: run the command again"):
        next(dataset.batches(1))
    assert dataset.identity != before
    assert next(dataset.batches(1)).images[0].max() == 1


def test_a_changed_byte_in_a_saved_dataset(tmp_path: Path) -> None:
    rows = {"image": [{"bytes": png(0), "path": None}], "label": [1]}
    features = datasets.Features({"image": datasets.Image(), "label": datasets.Value("int64")})
    datasets.Dataset.from_dict(rows, features=features).save_to_disk(tmp_path)
    (stored,) = tmp_path.glob("*.arrow")
    before = open_dataset(datasets.load_from_disk(tmp_path)).identity
    flipped(stored, stored.read_bytes().index(png(0)) + len(png(0)) - 1)
    assert open_dataset(datasets.load_from_disk(tmp_path)).identity != before


IN_A_SET = {
    "too large": "expected labels 0 to 999, but found 0 to 1000",
    "negative": "expected labels 0 to 999, but found -5 to 0",
    "floats": "expected its column label to be int64, but it is double",
    "no label": "expected a value in every row of its column label, but some are null",
    "text": "expected its column label to be int64, but it is string",
    "truth values": "expected its column label to be int64, but it is bool",
    "lists": "expected its column label to be int64, but it is list",
    "no id": "expected a value in every row of its column image_id, but some are null",
    "numbers as ids": "expected its column image_id to be string, but it is int64",
}
"""What is said of a finished set, whose shards are checked against the columns of its kind."""

FAULTS: dict[str, tuple[dict[str, list[Any]], str]] = {
    "too large": ({"label": [0, 1000]}, "Row 1 of .* has the label 1000: expected a class index, 0 to 999, or -1"),
    "negative": ({"label": [0, -5]}, "Row 1 of .* has the label -5"),
    "floats": ({"label": [0.0, 1.5]}, r"Row 0 of .* has the label 0\.0"),
    "no label": ({"label": [3, None]}, "Row 1 of .* has the label None"),
    "text": ({"label": ["3", "4"]}, "Row 0 of .* has the label '3'"),
    "truth values": ({"label": [True, False]}, "Row 0 of .* has the label True"),
    "lists": ({"label": [[1], [2]]}, r"Row 0 of .* has the label \[1\]"),
    "one id twice": ({"image_id": ["a", "a"]}, "Row 1 of .* has the image_id 'a', which another row has too"),
    "no id": ({"image_id": ["a", None]}, "Row 1 of .* has the image_id None: expected text"),
    "blank id": ({"image_id": [" ", "a"]}, "Row 0 of .* has the image_id ' ': expected text that is not empty"),
    "numbers as ids": ({"image_id": [0, 1]}, "Row 0 of .* has the image_id 0: expected text"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_labels_and_ids_of_a_set_are_checked_when_it_is_opened(fault: str, tmp_path: Path) -> None:
    columns, said = FAULTS[fault]
    shard = finished(tmp_path, rows=2) / SHARD
    table = pq.read_table(shard)
    for name, values in columns.items():
        table = table.set_column(table.schema.get_field_index(name), name, pa.array(values))
    pq.write_table(table, shard)
    files = Manifest.read(tmp_path).files
    resealed(tmp_path, files=files | {SHARD: file_entry(shard) | {"rows": 2}})
    with pytest.raises(StackwallsError, match=IN_A_SET.get(fault, said)):
        open_dataset(tmp_path)


@pytest.mark.parametrize(("columns", "said"), FAULTS.values(), ids=FAULTS)
def test_labels_and_ids_of_any_rows_are_checked_as_they_are_read(columns: dict[str, list[Any]], said: str) -> None:
    whole = {"image_id": ["a", "b"], "label": [0, 1]} | columns
    rows = [ImageRow(*row, partial(png, 0)) for row in zip(whole["image_id"], whole["label"], strict=True)]
    dataset = StackDataset("rows", lambda start: iter(rows[start:]), 2)
    with pytest.raises(InputError, match=said):
        list(dataset.batches(1))


def test_ids_of_a_table_are_checked(tmp_path: Path) -> None:
    table = datasets.Dataset.from_dict({"image": [png(0)] * 3, "label": np.arange(3), "image_id": ["a", "b", "a"]})
    with pytest.raises(InputError, match="Row 2 of dataset has the image_id 'a', which another row has too"):
        open_dataset(table)
    images = open_images(table)
    with pytest.raises(InputError, match="Rows 0 and 2 of dataset have the same image_id 'a'"):
        images.read("b")
