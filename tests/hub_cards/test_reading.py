import io
import random
import shutil
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
from dataset_maker import make_row, open_writer, pixels, png, write_folder
from PIL import Image

from stackwalls.hub_cards import Manifest, StackDataset, open_dataset
from stackwalls.model import USUAL_TRANSFORM, InputError, RunError, class_names, imagenet_classes
from stackwalls.model.images import decode


def everything(dataset: StackDataset, batch_size: int = 4) -> tuple[list[str], list[int], np.ndarray]:
    batches = list(dataset.batches(batch_size))
    assert all(len(batch) == batch_size for batch in batches[:-1])
    assert all(batch.labels.dtype == np.int64 and batch.images.dtype == np.uint8 for batch in batches)
    ids = [image_id for batch in batches for image_id in batch.image_ids]
    assert len(dataset) == len(ids)
    return ids, [int(n) for batch in batches for n in batch.labels], np.concatenate([b.images for b in batches])


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished") / "stack-mix"
    write_folder(folder, rows=11)
    return folder


def photo(seed: int, size: tuple[int, int] = (300, 250), mode: str = "RGB") -> Image.Image:
    noise = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(noise).convert(mode)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """An image folder with a class by synset, one by name, one by index, and a picture of no class."""
    for number, name in enumerate(
        ["n01440764/b.png", "n01440764/deep/a.PNG", "great white shark/c.png", "7/d.png", "e.png"]
    ):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        photo(number).save(path)
    (tmp_path / "photos/7/notes.txt").write_text("no picture")
    (tmp_path / "photos/7/.hidden.png").write_text("no picture")
    (tmp_path / "photos/empty").mkdir()
    return tmp_path / "photos"


@pytest.mark.parametrize("batch_size", [1, 4, 11, 100])
def test_a_dataset_folder(batch_size: int, finished: Path) -> None:
    dataset = open_dataset(finished)
    assert dataset.name == "stack-mix"
    assert str(dataset.wall) == "bottom:54"
    assert dataset.manifest == Manifest.read(finished)
    ids, labels, images = everything(dataset, batch_size)
    assert ids == [f"row{n:04d}" for n in range(11)]
    assert labels == list(range(11))
    assert np.array_equal(images, np.stack([pixels(n) for n in range(11)]))
    assert everything(open_dataset(str(finished)), batch_size)[0] == ids, "a second reading starts anew"


def test_several_shards_are_read_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stackwalls.hub_cards.writing.finishing.SHARD_BYTES", 1)
    write_folder(tmp_path / "a", rows=210, part=100)
    assert everything(open_dataset(tmp_path / "a"), 64)[1] == list(range(210))


def test_a_batch_size_below_one_is_refused(finished: Path) -> None:
    with pytest.raises(InputError, match="at least 1"):
        open_dataset(finished).batches(0)


def test_an_incomplete_folder_is_refused_before_it_is_read(finished: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(finished, tmp_path / "a"))
    shard = folder / "data/test-00000-of-00001.parquet"
    data = shard.read_bytes()
    shard.write_bytes(data[:-5])
    with pytest.raises(InputError, match=f"has {len(data) - 5} bytes instead of {len(data)}"):
        open_dataset(folder)
    shard.unlink()
    with pytest.raises(InputError, match=r"data/test-00000-of-00001.parquet is missing .*stackgen verify"):
        open_dataset(folder)
    shard.write_bytes(data)
    (folder / "manifest.json").unlink()
    with pytest.raises(InputError, match=r"no manifest\.json"):
        open_dataset(folder)
    with open_writer(tmp_path / "begun") as writer:
        writer.write("all", [make_row(0)])
    with pytest.raises(InputError, match="unfinished"):
        open_dataset(tmp_path / "begun")


def test_a_picture_in_a_shard_that_cannot_be_decoded_is_named(tmp_path: Path) -> None:
    with open_writer(tmp_path) as writer:
        broken = {"bytes": png(3)[:-200], "path": "a.png"}
        writer.write("all", [make_row(number) | ({"image": broken} if number == 3 else {}) for number in range(5)])
        writer.finish(requested=5, inputs={})
    batches = open_dataset(tmp_path).batches(3)
    assert len(next(batches)) == 3
    with pytest.raises(RunError, match=r"image row0003 in .* cannot be read"):
        next(batches)


def test_a_finished_set_is_used_as_it_is(tmp_path: Path) -> None:
    large = io.BytesIO()
    photo(1, (300, 300)).save(large, "PNG")
    with open_writer(tmp_path) as writer:
        writer.write("all", [make_row(0), make_row(1) | {"image": {"bytes": large.getvalue(), "path": "a.png"}}])
        writer.finish(inputs={}, requested=2)
    batches = open_dataset(tmp_path).batches(1, resizing="resize-crop")
    assert np.array_equal(next(batches).images[0], pixels(0))
    with pytest.raises(RunError, match=r"row0001 in .* is 300 × 300 pixels: expected 224 × 224 in a finished set"):
        next(batches)


def test_an_image_folder(photos: Path) -> None:
    dataset = open_dataset(photos)
    assert (dataset.name, dataset.wall, dataset.manifest) == ("photos", None, None)
    ids, labels, images = everything(dataset, 2)
    assert ids == ["7/d.png", "e.png", "great white shark/c.png", "n01440764/b.png", "n01440764/deep/a.PNG"]
    assert labels == [7, -1, 2, 0, 0]
    expected = [USUAL_TRANSFORM(Image.open(photos / image_id)) for image_id in ids]
    assert np.array_equal(images, np.stack(expected))


def test_pictures_of_the_right_size_are_taken_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for number, mode in enumerate(["RGB", "L", "P", "RGBA", "CMYK"]):
        photo(number, (224, 224), mode).save(tmp_path / f"a/{number}.tif")
    _, labels, images = everything(open_dataset(tmp_path / "a"))
    assert labels == [-1] * 5
    for number in range(5):
        assert np.array_equal(images[number], np.asarray(Image.open(tmp_path / f"a/{number}.tif").convert("RGB")))


@pytest.mark.parametrize("content", [b"", b"no picture", png(0)[:300]])
def test_a_broken_picture_is_named(content: bytes, photos: Path) -> None:
    (photos / "n01440764/b.png").write_bytes(content)
    batches = open_dataset(photos).batches(3)
    assert next(batches).image_ids[0] == "7/d.png"
    with pytest.raises(RunError, match=r"image n01440764/b\.png in photos cannot be read"):
        next(batches)


def test_sixteen_bits_are_not_clipped_to_white(tmp_path: Path) -> None:
    Image.fromarray(np.full((224, 224), 30_000, dtype=np.uint16)).save(tmp_path / "a.png")
    assert (everything(open_dataset(tmp_path))[2] == 30_000 >> 8).all()


def test_image_folders_that_are_none_are_refused(photos: Path, tmp_path: Path) -> None:
    photos.rename(tmp_path / "renamed")
    (tmp_path / "renamed/7").rename(tmp_path / "renamed/not a class")
    with pytest.warns(UserWarning, match=r"Left out 2 folders \(empty, not a class\): not an ImageNet-1k class"):
        assert len(open_dataset(tmp_path / "renamed")) == 4
    with pytest.raises(InputError, match=r"no class folders itself, but renamed inside it does"):
        open_dataset(tmp_path)
    (tmp_path / "none/not a class").mkdir(parents=True)
    with pytest.raises(InputError, match=r"The class folders in .* have no images"):
        open_dataset(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="has no images"):
        open_dataset(tmp_path / "empty")


def test_links_to_folders_are_followed_once(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked/tench").symlink_to(photos / "n01440764")
    (photos / "n01440764/loop").symlink_to(tmp_path / "linked")
    assert everything(open_dataset(tmp_path / "linked"))[0] == ["tench/b.png", "tench/deep/a.PNG"]


def table_of(labels: list[Any], feature: Any = None, **columns: Any) -> datasets.Dataset:
    features = datasets.Features({"image": datasets.Image()} | ({"label": feature} if feature else {}))
    data = {"image": [{"bytes": png(n), "path": None} for n in range(len(labels))]}
    table = datasets.Dataset.from_dict(data | ({"label": labels} if feature else {}), features=features)
    for name, values in columns.items():
        table = table.add_column(name, values)
    return table


def test_a_datasets_dataset(finished: Path, tmp_path: Path) -> None:
    table = datasets.load_dataset(str(finished), split="test", cache_dir=str(tmp_path))
    dataset = open_dataset(table)
    from_folder, from_table = everything(open_dataset(finished)), everything(dataset)
    assert from_table[:2] == from_folder[:2]
    assert np.array_equal(from_table[2], from_folder[2])
    assert everything(open_dataset(table.with_format("numpy").select([4, 2])))[0] == ["row0004", "row0002"]


def test_labels_of_a_datasets_dataset() -> None:
    own_names = datasets.ClassLabel(names=["goldfish", "n01440764", "tench, Tinca tinca"])
    for labels, feature, expected in (
        ([0, 1, 2, None, -1], own_names, [1, 0, 0, -1, -1]),
        ([5, 999, None], datasets.Value("int64"), [5, 999, -1]),
        (["tench", "n01443537", None], datasets.Value("string"), [0, 1, -1]),
        ([0, 0], None, [-1, -1]),
    ):
        assert everything(open_dataset(table_of(labels, feature)))[1] == expected
    usual = datasets.ClassLabel(names=[f"{name}, something else" for name in class_names()])
    assert everything(open_dataset(table_of([134, 517, 3], usual)))[1] == [134, 517, 3]
    names = [entry.synset for entry in imagenet_classes()]
    random.Random(0).shuffle(names)
    shuffled = open_dataset(table_of([5, 6], datasets.ClassLabel(names=names)))
    assert [imagenet_classes()[n].synset for n in everything(shuffled)[1]] == names[5:7]


def test_rows_without_an_id_go_by_their_number() -> None:
    assert everything(open_dataset(table_of([1, 2], datasets.Value("int64"))))[0] == ["0", "1"]
    named = table_of([1, 2], datasets.Value("int64"), image_id=["x", "y"])
    assert everything(open_dataset(named))[0] == ["x", "y"]


def test_tables_that_are_none_are_refused() -> None:
    with pytest.raises(InputError, match=r"ImageNet-1k class as its label \(unicorn\)"):
        open_dataset(table_of([1], datasets.ClassLabel(names=["n01440764", "unicorn"])))
    with pytest.raises(InputError, match="1000"):
        everything(open_dataset(table_of([1000], datasets.Value("int64"))))
    with pytest.raises(InputError, match="has no image column"):
        open_dataset(datasets.Dataset.from_dict({"x": [1]}))
    with pytest.raises(InputError, match="one split"):
        open_dataset(datasets.DatasetDict({"test": table_of([0])}))  # type: ignore[arg-type]
    missing = datasets.Dataset.from_dict({"image": [None]}, features=datasets.Features({"image": datasets.Image()}))
    with pytest.raises(RunError, match="image 0 in dataset"):
        everything(open_dataset(missing))


def test_what_is_no_dataset_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for text in ("stack-mix", "./user/other", "/user/other", "user/other/more", "user/other@"):
        with pytest.raises(InputError, match="There is no folder"):
            open_dataset(text)
    with pytest.raises(InputError, match="There is no folder"):
        open_dataset(Path("user/stack-mix"))
    with pytest.raises(InputError, match="owner/name"):
        open_dataset("hf://datasets/stack-mix")
    (tmp_path / "file.parquet").write_text("")
    with pytest.raises(InputError, match=r"Cannot read file\.parquet as a Parquet file"):
        open_dataset("file.parquet")
    with pytest.raises(InputError, match="int"):
        open_dataset(5)  # type: ignore[arg-type]


def test_rows_after_a_jump_are_the_rows_that_stand_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Spans begin inside a row group, at its edge and behind a whole shard; what is passed over is not decoded."""
    monkeypatch.setattr("stackwalls.hub_cards.writing.finishing.SHARD_BYTES", 1)
    write_folder(tmp_path / "a", rows=430, part=100)
    spans = [(3, 5), (110, 112), (300, 301), (429, 430)]
    decoded: list[bytes] = []
    monkeypatch.setattr(
        "stackwalls.hub_cards.stack_dataset.decode", lambda data: [decoded.append(data), decode(data)][1]
    )
    batches = list(open_dataset(tmp_path / "a").batches(8, spans))
    assert [int(label) for batch in batches for label in batch.labels] == [3, 4, 110, 111, 300, 429]
    assert len(decoded) == 6


def test_pictures_behind_paths(tmp_path: Path) -> None:
    photo(0).save(tmp_path / "a.png")
    table = datasets.Dataset.from_dict({"image": [str(tmp_path / "a.png")]}).cast_column("image", datasets.Image())
    expected = USUAL_TRANSFORM(photo(0))
    assert np.array_equal(everything(open_dataset(table))[2][0], expected)
    file = io.BytesIO()
    photo(0).save(file, "PNG")
    (tmp_path / "a.png").unlink()
    with pytest.raises(RunError, match="image 0"):
        everything(open_dataset(table))
