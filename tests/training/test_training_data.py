"""Where training images come from: what is read, in which order, and what is refused."""

import io
import json
import tarfile
from pathlib import Path
from types import SimpleNamespace

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import SYNSETS, picture, write_folder

from stackwalls.model import InputError, RunError, class_order, parse_class
from stackwalls.model.images import decode
from stackwalls.model.images.drawn import draw, drawn_classes
from stackwalls.model.training import Recipe, Running, TrainingSpec, open_data, train
from stackwalls.model.training.batch_order import BatchOrder
from stackwalls.model.training.loading import Loader, evaluation_batches
from stackwalls.model.training.training_data import TrainingData, split_by_seed
from stackwalls.stackgen.generation.generate_spec import chosen_labels
from stackwalls.stackgen.prompts.noun import IMAGENET_NOUNS

CLASSES = (0, 1, 281)
RUNNING = Running(device="cpu")


def png(number: int, position: int) -> bytes:
    buffer = io.BytesIO()
    picture(number, 20 + 85 * position).save(buffer, "PNG")
    return buffer.getvalue()


def write_parquet(path: Path, labels: list[object], **columns: list[object]) -> None:
    images = [{"bytes": png(i, i % 3), "path": f"{i}.png"} for i in range(len(labels))]
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"image": images, "label": labels, **columns}), path)


def write_tar(path: Path, numbers: range, suffix: str = "cls") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for number in numbers:
            label = str(CLASSES[number % 3])
            text = json.dumps({"label": int(label)}) if suffix == "json" else label
            for ending, content in (("png", png(number, number % 3)), (suffix, text.encode())):
                entry = tarfile.TarInfo(f"{number:06d}.{ending}")
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))


class TestFolders:
    def test_train_and_val(self, pictures: Path) -> None:
        data = open_data(str(pictures))
        assert data.classes == CLASSES
        assert (len(data.train.labels), len(data.val.labels)) == (24, 6)  # type: ignore[union-attr]
        assert data.positions()[[0, 1, 281, 2]].tolist() == [0, 1, 2, -1]
        assert data.to_dict()["name"] == "pictures"

    def test_a_split_by_seed_puts_a_share_of_each_class_aside(self, tmp_path: Path) -> None:
        folder = str(write_folder(tmp_path / "all", 10))
        with pytest.raises(InputError, match=r"no validation split .*--val-share"):
            open_data(folder)
        data = open_data(folder, val_share=0.2, seed=4)
        for part, each in ((data.train, 8), (data.val, 2)):
            assert [int((part.labels == index).sum()) for index in CLASSES] == [each] * 3  # type: ignore[union-attr]
        names = {part.where(i) for part in (data.train, data.val) for i in range(len(part.labels))}  # type: ignore[union-attr]
        assert len(names) == 30
        again = split_by_seed(open_data(folder, val_share=0.2, seed=4).train, 0.5, 1)[0]  # type: ignore[arg-type]
        assert len(again.labels) == 12

    def test_some_classes(self, pictures: Path) -> None:
        data = open_data(str(pictures), ["goldfish", 281])
        assert data.classes == (1, 281)
        assert sorted(set(data.train.labels.tolist())) == [1, 281]  # type: ignore[union-attr]
        assert open_data(str(pictures), 2, seed=3).classes == open_data(str(pictures), 2, seed=3).classes
        with pytest.raises(InputError, match="no training images of class 2"):
            open_data(str(pictures), ["great white shark"])
        with pytest.raises(InputError, match="to be 2 to 3"):
            open_data(str(pictures), 4)

    def test_an_empty_class_and_a_missing_one(self, pictures: Path) -> None:
        (pictures / "train/n01491361").mkdir()
        with pytest.warns(UserWarning, match=r"Left out 1 folder \(n01491361\): it has no images"):
            assert open_data(str(pictures)).classes == CLASSES
        picture(0, 1).save(pictures / "train/n01491361/a.png")
        with pytest.raises(InputError, match=r"n01491361 \(tiger shark\) has no validation image"):
            open_data(str(pictures))

    def test_a_folder_that_is_no_class(self, pictures: Path) -> None:
        (pictures / "val/unicorn").mkdir()
        with pytest.warns(UserWarning, match=r"Left out 1 folder \(unicorn\): not an ImageNet-1k class"):
            assert open_data(str(pictures)).classes == CLASSES

    def test_a_missing_split(self, pictures: Path) -> None:
        (pictures / "train").rename(pictures.parent / "away")
        with pytest.raises(InputError, match="no folder train beside val"):
            open_data(str(pictures))


class TestParquet:
    def test_splits_by_name_and_synsets_before_numbers(self, tmp_path: Path) -> None:
        synsets = [SYNSETS[i % 3] for i in range(12)]
        write_parquet(tmp_path / "tiny/train.parquet", [7] * 12, wnid=synsets)
        write_parquet(tmp_path / "tiny/val.parquet", [7] * 3, wnid=synsets[:3])
        data = open_data(str(tmp_path / "tiny"))
        assert data.classes == CLASSES
        assert data.train.read(4, 0) == png(4, 1)  # type: ignore[union-attr]

    def test_a_label_out_of_range_is_refused(self, tmp_path: Path) -> None:
        write_parquet(tmp_path / "train.parquet", [0, 1, 1000])
        with pytest.raises(InputError, match=r"label of row 2 of .* is 1000: expected 0 to 999"):
            open_data(str(tmp_path), val_share=0.5)

    @pytest.mark.parametrize(("label", "said"), [(-1, "without a label"), ("griffin", "griffin"), (None, "without")])
    def test_what_has_no_class_is_left_out_with_a_warning(self, tmp_path: Path, label: object, said: str) -> None:
        others: list[object] = ["tench", "goldfish"] if isinstance(label, str) else [0, 1]
        write_parquet(tmp_path / "train.parquet", [*others, *others, label])
        with pytest.warns(UserWarning, match=f"Left out 1 .*{said}"):
            data = open_data(str(tmp_path), val_share=0.5, label_space="imagenet")
        assert len(data.train.labels) == 2  # type: ignore[union-attr]

    def test_missing_columns_and_splits_and_damage(self, tmp_path: Path) -> None:
        pq.write_table(pa.table({"x": [1]}), tmp_path / "train.parquet")
        with pytest.raises(InputError, match="no image column"):
            open_data(str(tmp_path))
        (tmp_path / "train.parquet").rename(tmp_path / "val.parquet")
        with pytest.raises(InputError, match="no training split"):
            open_data(str(tmp_path))
        (tmp_path / "train.parquet").write_bytes(b"PAR1")
        with pytest.raises(InputError, match="as a Parquet file"):
            open_data(str(tmp_path))


class TestTarShards:
    def test_a_training_on_shards_goes_on_where_it_was(self, tmp_path: Path, recipe: Recipe) -> None:
        folder = tmp_path / "shards"
        for shard in range(4):
            write_tar(folder / f"train-{shard}.tar", range(4 * shard, 4 * shard + 4))
        write_tar(folder / "val-0.tar", range(6))
        data = open_data(str(folder))
        order, rows = BatchOrder(16, 8, 3), 170
        whole = [batch[0] for batch in Loader(data, order, recipe, range(4), rows=rows, workers=1)]
        late = [batch[0] for batch in Loader(data, order, recipe, range(2, 4), rows=rows)]
        assert all(np.array_equal(a, b) for a, b in zip(whole[2:], late, strict=True))
        shares = [BatchOrder(16, 8, 3, rank, 2) for rank in range(2)]
        halves = [next(Loader(data, share, recipe, range(1), rows=rows))[0] for share in shares]
        assert np.array_equal(np.concatenate(halves), whole[0])
        assert train(data, TrainingSpec(recipe.with_values(epochs=1)), tmp_path / "out", RUNNING) is not None

    def test_broken_shards(self, tmp_path: Path) -> None:
        write_tar(tmp_path / "train-0.tar", range(3))
        with tarfile.open(tmp_path / "val-0.tar", "w") as tar:
            entry = tarfile.TarInfo("a.png")
            tar.addfile(entry, io.BytesIO(b""))
        with pytest.raises(InputError, match=r"sample a of val-0\.tar: expected an image and a label"):
            open_data(str(tmp_path))
        (tmp_path / "val-0.tar").write_bytes(b"no tar at all")
        with pytest.raises(RunError, match=r"Cannot read the shard val-0\.tar"):
            open_data(str(tmp_path))


class TestHub:
    @pytest.fixture
    def hub(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A dataset `user/animals` with ClassLabel names, as the Hub would give it."""
        features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=list(SYNSETS[:2]))})

        def made(split: str) -> datasets.Dataset:
            n = 16 if split == "train" else 4
            rows = {
                "image": [{"bytes": png(i, i % 2), "path": None} for i in range(n)],
                "label": [i % 2 for i in range(n)],
            }
            return datasets.Dataset.from_dict(rows, features=features)

        builder = SimpleNamespace(
            config=SimpleNamespace(data_files=None),
            download_and_prepare=lambda: None,
            as_dataset=made,
            as_streaming_dataset=lambda split: made(split).to_iterable_dataset(num_shards=4),
        )
        monkeypatch.setattr(datasets, "get_dataset_split_names", lambda *_args, **_kw: ["train", "validation"])
        monkeypatch.setattr(datasets, "load_dataset_builder", lambda *_args, **_kw: builder)

    @pytest.mark.usefixtures("hub")
    def test_downloaded(self) -> None:
        data = open_data("user/animals@main")
        assert data.classes == (0, 1)
        assert data.train.read(3, 0) == png(3, 1)  # type: ignore[union-attr]

    @pytest.mark.usefixtures("hub")
    def test_streamed(self, recipe: Recipe) -> None:
        data = open_data("user/animals", streaming=True, size=16)
        (pixels, positions), *_ = Loader(data, BatchOrder(16, 16, 0), recipe, range(1))
        assert pixels.shape == (16, 3, 224, 224)
        assert sorted(positions.tolist()) == [0] * 8 + [1] * 8
        # dark pictures are of class 0, bright ones of class 1
        assert ((pixels.float().mean((1, 2, 3)) > 95).long() == positions).all()

    @pytest.mark.usefixtures("hub")
    def test_a_stream_that_does_not_say_its_size(self, recipe: Recipe, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="--epoch-images"):
            train(open_data("user/animals", streaming=True), TrainingSpec(recipe), tmp_path / "out", RUNNING)

    def test_what_is_neither_here_nor_on_the_hub(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_args: object, **_options: object) -> None:
            raise ConnectionError("no route to host")

        monkeypatch.setattr(datasets, "get_dataset_split_names", refuse)
        with pytest.raises(RunError, match=r"the Hub cannot be reached .* no folder 'user/nothing' here either"):
            open_data("user/nothing")

    def test_a_path_is_not_looked_for_on_the_hub(self, tmp_path: Path) -> None:
        for text in ("nowhere", str(tmp_path / "nowhere"), "./a/b"):
            with pytest.raises(InputError, match="no folder or file"):
                open_data(text)


class TestDrawn:
    def test_training_and_validation_pictures_are_apart(self) -> None:
        data = open_data("drawn", 3, seed=1, drawn_per_class=4)
        index = data.classes[1]
        assert np.array_equal(decode(data.train.read(4, 7)), draw(index, 1_000_000))  # type: ignore[union-attr]
        assert np.array_equal(decode(data.train.read(4, 8)), draw(index, 1_000_000))  # type: ignore[union-attr] # from the store
        assert np.array_equal(decode(data.val.read(20, 0)), draw(index, 0))

    @pytest.mark.parametrize("seed", [0, 7])
    def test_sampled_classes_are_those_of_the_test_sets(self, seed: int) -> None:
        """The same number and seed mean the same classes to mix, generate and train."""
        synsets = class_order([entry.synset for entry in drawn_classes()], seed)[:100]
        expected = sorted(parse_class(synset).index for synset in synsets)
        assert list(open_data("drawn", 100, seed=seed, drawn_per_class=1).classes) == expected
        assert sorted(chosen_labels(100, seed, IMAGENET_NOUNS)) == expected

    def test_fresh_pictures_in_each_epoch(self) -> None:
        data = open_data("drawn", 2, drawn_per_class=3, drawn_fresh=True)
        assert np.array_equal(decode(data.train.read(1, 2)), draw(data.classes[0], 1_000_007))  # type: ignore[union-attr]

    def test_background_processes_give_the_same_batches(self, recipe: Recipe) -> None:
        data = open_data("drawn", 2, drawn_per_class=8)
        order = BatchOrder(16, 8, 0)
        here, there = (list(Loader(data, order, recipe, range(3), workers=workers)) for workers in (0, 2))
        assert len(here) == 3
        for (pixels, positions), (other, others) in zip(here, there, strict=True):
            assert np.array_equal(pixels, other)
            assert np.array_equal(positions, others)


def test_validation_shares_hold_every_picture_once(pictures: Path) -> None:
    data = open_data(str(pictures))
    whole = [p for _, positions in evaluation_batches(data, 4) for p in positions.tolist()]
    shares = [[p for _, q in evaluation_batches(data, 4, share=(rank, 4)) for p in q.tolist()] for rank in range(4)]
    assert whole == [0, 0, 1, 1, 2, 2]
    assert sorted(p for share in shares for p in share) == whole


def test_one_class_is_nothing_to_tell_apart(pictures: Path) -> None:
    data = open_data(str(pictures))
    with pytest.raises(InputError, match="at least two"):
        TrainingData("x", (0,), data.train, data.val)
