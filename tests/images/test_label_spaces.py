"""Classes of one's own: names, keys and indices; whose classes a source's labels are; files of names."""

import io
import json
import re
import tarfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, strategies as st
from PIL import Image

from stackwalls.hub_cards import open_dataset, stack_gen_features, stack_mix_features
from stackwalls.model import (
    InputError,
    LabelChoice,
    LabelSpace,
    class_names,
    imagenet,
    imagenet_classes,
    parse_label_space,
)
from stackwalls.model.images import LabeledImages, open_images
from stackwalls.model.images.label_reader import LabelReader
from stackwalls.model.images.tables import TableStream

OWN = ("zebra finch", "Ärzte", "griffin")

names = st.lists(
    st.one_of(
        st.text(st.characters(codec="utf-8"), min_size=1, max_size=12),
        st.text("aA -_.é", min_size=1, max_size=4),  # twins in case, and of one slug
        st.sampled_from(["../x", "a/b", "x\ny", "y" * 300, "ابجد", "小熊猫", "7", "007", "class", "class-7"]),
    ).filter(str.strip),
    min_size=1,
    max_size=30,
    unique=True,
)


@given(names)
@example(["Red panda", "red-panda", "red_panda", "RED PANDA", "redpanda"])
@example(["7", "class 7", "class-7"])
@example(["a b", "a-b", "a-b-c8687a08aa5d"])
def test_names_keys_and_indices(own: list[str]) -> None:
    space = LabelSpace(tuple(own))
    assert [space.find(name) for name in own] == list(range(len(own)))
    assert [space.find(index) for index in range(len(own))] == list(range(len(own)))
    keys = [space.key(index) for index in range(len(own))]
    assert len(set(keys)) == len(own)
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9-]{0,80}", key) and not key.isdecimal() for key in keys)
    assert [space.of_key(key) for key in keys] == list(range(len(own)))
    assert not {space.find(len(own)), space.find(-1)} - {None}
    turned = LabelSpace(tuple(own[::-1]))
    assert [turned.key(index) for index in range(len(own))] == keys[::-1]
    for features in (stack_mix_features(space), stack_gen_features(space)):
        assert features["label"].names == own
        assert datasets.Features._from_yaml_list(features._to_yaml_list()) == features


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ((), "Expected 1 to 100,000 class names, but got 0"),
        (("a", "b", "a"), "'a' is there twice"),
        (("a", " "), "text that is not empty, but got ' '"),
        (("a", 3), "text that is not empty, but got 3"),
        (("a", "\udce9"), r"text that is not empty, but got '\\udce9'"),
    ],
)
def test_names_that_are_none(wrong: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        LabelSpace(wrong)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("b\na\n", ("b", "a")),
        ("\ufeffb\r\na\r\n\r\n", ("b", "a")),
        ("  red panda \n小熊猫\u2028x", ("red panda", "小熊猫\u2028x")),
        ("goldfish\ntench", ("goldfish", "tench")),
        ("\n".join(class_names()), class_names()),
        ("\n".join(entry.synset for entry in imagenet_classes()), class_names()),
        ("a\n\nb\n", "Line 2 of the class names .* is empty"),
        ("a\nb\na", r"class names .*n\.txt cannot be used: The class name 'a' is there twice"),
        ("\n \n", "is empty: expected one name per line"),
        ("", "is empty: expected one name per line"),
        (b"\xff\xfe", "it is not UTF-8 text"),
        (None, "No such file"),
    ],
)
def test_files_of_names(tmp_path: Path, content: str | bytes | None, expected: str | tuple[str, ...]) -> None:
    file = tmp_path / "n.txt"
    if content is not None:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    if isinstance(expected, tuple):
        found = parse_label_space(str(file))
        assert isinstance(found, LabelSpace)
        assert found.names == expected
        return
    with pytest.raises(InputError, match=expected) as caught:
        parse_label_space(str(file))
    assert "\n" not in str(caught.value)


def image(seed: int = 0) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (40, 48, 3), dtype=np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def folders(place: Path, labels: Sequence[str]) -> Any:
    for number, label in enumerate(labels):
        (place / "set" / label).mkdir(parents=True, exist_ok=True)
        (place / "set" / label / f"{number}.png").write_bytes(image(number))
    return place / "set"


def class_label(place: Path, labels: Sequence[str]) -> Any:
    listed = sorted(set(labels))
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=listed)})
    rows = {"image": [{"bytes": image(n), "path": None} for n, _ in enumerate(labels)], "label": list(labels)}
    return datasets.Dataset.from_dict(rows, features=features)


def class_label_parquet(place: Path, labels: Sequence[str]) -> Any:
    class_label(place, labels).to_parquet(place / "set.parquet")
    return place / "set.parquet"


def texts_in_parts(place: Path, labels: Sequence[str]) -> Any:
    """Two files, of which neither has all names."""
    (place / "parts").mkdir()
    for part, some in enumerate((labels[:2], labels[2:])):
        table = pa.table({"image": [image(n) for n, _ in enumerate(some)], "label": list(some)})
        pq.write_table(table, place / f"parts/{part}.parquet")
    return place / "parts"


def shards(place: Path, labels: Sequence[str]) -> Any:
    with tarfile.open(place / "a.tar", "w") as tar:
        for number, label in enumerate(labels):
            for name, data in ((f"{number}.png", image(number)), (f"{number}.txt", label.encode())):
                entry = tarfile.TarInfo(name)
                entry.size = len(data)
                tar.addfile(entry, io.BytesIO(data))
    return place / "a.tar"


class Torchvisions:
    """As torchvision's `ImageFolder` and `CIFAR10` have them."""

    def __init__(self, labels: Sequence[str]) -> None:
        self.classes = sorted(set(labels))
        self.targets = [self.classes.index(label) for label in labels]

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, number: int) -> tuple[Image.Image, int]:
        return Image.open(io.BytesIO(image(number))), self.targets[number]


SOURCES: dict[str, Callable[[Path, Sequence[str]], Any]] = {
    "class folders": folders,
    "a dataset": class_label,
    "Parquet of a ClassLabel": class_label_parquet,
    "Parquet of texts": texts_in_parts,
    "tar shards": shards,
    "torchvision": lambda _, labels: Torchvisions(labels),
}


def read(what: Any, choice: LabelChoice = None) -> tuple[LabeledImages, list[str]]:
    """The source, and what it warns of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        source = open_images(what, label_space=choice)
        assert source.labels.size
    return source, [str(warning.message) for warning in caught]


@pytest.mark.parametrize("kind", SOURCES)
class TestEverySource:
    def test_own_names(self, tmp_path: Path, kind: str) -> None:
        labels = [OWN[0], OWN[1], OWN[2], OWN[1]]
        what = SOURCES[kind](tmp_path, labels)
        source, said = read(what)
        assert source.classes.names == tuple(sorted(OWN))
        assert sorted(source.classes.names[label] for label in source.labels) == sorted(labels)
        assert said == []
        dataset = open_dataset(what)
        assert dataset.classes == source.classes
        assert np.concatenate([batch.labels for batch in dataset.batches(2)]).tolist() == source.labels.tolist()

    def test_a_given_list_is_the_order(self, tmp_path: Path, kind: str) -> None:
        what = SOURCES[kind](tmp_path, [OWN[0], OWN[1], "other", OWN[1]])
        source, said = read(what, LabelSpace((*OWN, "not there")))
        assert source.classes.names == (*OWN, "not there")
        assert sorted(source.labels.tolist()) == [0, 1, 1]
        assert [text for text in said if re.search(r"\(other\): not one of the 4 classes", text)]
        with pytest.raises(InputError, match="one of the 2 classes"):
            read(what, LabelSpace(("p", "q")))

    def test_some_names_are_imagenets(self, tmp_path: Path, kind: str) -> None:
        what = SOURCES[kind](tmp_path, ["goldfish", "griffin", "great_white_shark", "griffin"])
        source, said = read(what)
        assert source.classes.names == ("goldfish", "great_white_shark", "griffin")
        assert sorted(source.labels.tolist()) == [0, 1, 2, 2]
        (text,) = said
        assert text.startswith("2 of the 3 class names of ")
        assert "(goldfish, great_white_shark) are ImageNet-1k's and the others are not" in text
        assert "--label-space imagenet" in text
        source, said = read(what, "imagenet")
        assert source.classes == imagenet()
        assert sorted(source.labels.tolist()) == [1, 2]
        assert [text for text in said if text.startswith("Left out 1")]
        assert read(what, "own")[1] == []

    def test_imagenets(self, tmp_path: Path, kind: str) -> None:
        for number, labels in enumerate((["goldfish", "tench", "hen"], ["n01443537", "tench", "griffin"])):
            (tmp_path / str(number)).mkdir()
            what = SOURCES[kind](tmp_path / str(number), labels)
            source, _ = read(what)
            assert source.classes is imagenet()
            assert sorted(source.labels.tolist()) == [0, 1, 8][: 3 - number]
            assert read(what, "own")[0].classes.names == tuple(sorted(labels))


def test_numbers_without_names(tmp_path: Path) -> None:
    pq.write_table(pa.table({"image": [image(n) for n in range(3)], "label": [4, 0, 2]}), tmp_path / "a.parquet")
    what = tmp_path / "a.parquet"
    source, said = read(what)
    assert source.classes is imagenet()
    assert [text for text in said if "plain numbers: they are read as ImageNet-1k class indices" in text]
    source, said = read(what, "own")
    assert (source.classes.names, source.labels.tolist(), said) == (("0", "1", "2", "3", "4"), [4, 0, 2], [])
    source, said = read(what, LabelSpace(tuple("abcde")))
    assert (source.labels.tolist(), said) == ([4, 0, 2], [])
    with pytest.raises(InputError, match=r"The label of row 0 of a\.parquet is 4: expected 0 to 2, or a class name"):
        read(what, LabelSpace(tuple("abc")))


@pytest.mark.parametrize(
    ("values", "names", "said"),
    [
        ([3, "cat"], None, "are names and some are numbers without names, such as 3: name the classes"),
        ([-2, 5], None, "are numbers from -2 to 5: expected indices"),
        ([10**9], None, "are numbers from 1000000000 to 1000000000: expected indices"),
        ([0], ["a", "a"], "class names of x cannot be used: The class name 'a' is there twice"),
        ([0], ["a", 3], "Expected the class names of x to be texts, but got 3"),
        ([1.5], None, "are of the type float, such as 1.5"),
        ([2], ["a", "b"], "The label of row 0 of x is 2: expected 0 to 1, or a class name"),
    ],
)
def test_labels_that_cannot_be_used(values: list[Any], names: Any, said: str) -> None:
    reader = LabelReader("x", label_space="own")
    with pytest.raises(InputError, match=said):
        reader.add(values, names)
        reader.kept()


@given(st.lists(st.one_of(st.none(), st.sampled_from(["c", "b", "a", "-1"])), max_size=20), st.integers(1, 5))
def test_parts_against_a_slow_rewrite(values: list[str | None], size: int) -> None:
    reader = LabelReader("x", unlabeled=True)
    for start in range(0, len(values), size):
        reader.add(values[start : start + size])
    there = sorted({value for value in values if value not in (None, "-1")})
    if values:
        _, labels = reader.kept()
        assert labels.tolist() == [-1 if value in (None, "-1") else there.index(value) for value in values]
    assert reader.classes == (LabelSpace(tuple(there)) if there else imagenet())


def test_a_choice_that_is_none() -> None:
    with pytest.raises(InputError, match="to be 'imagenet', 'own' or a LabelSpace, but got 'x'"):
        open_images("drawn", label_space="x")  # type: ignore[arg-type]


def test_drawn_images_in_another_label_space() -> None:
    space = LabelSpace(("goldfish", "griffin"))
    with pytest.warns(UserWarning, match="Left out 397 labels"):
        assert set(open_images("drawn", label_space=space).labels.tolist()) == {0}


def test_a_flat_folder_and_a_list(tmp_path: Path) -> None:
    (tmp_path / "flat").mkdir()
    for number in range(3):
        (tmp_path / f"flat/{number}.png").write_bytes(image(number))
    (tmp_path / "list.csv").write_text("0.png,griffin\n1.png,red panda\n2.png,griffin\nelsewhere.png,yeti\n")
    source = open_images(tmp_path / "flat", labels=tmp_path / "list.csv")
    assert source.classes.names == ("griffin", "red panda", "yeti"), "those of the list, whatever images are here"
    assert source.labels.tolist() == [0, 1, 0]
    given_names = LabelSpace(("yeti", "red_panda"))
    with pytest.raises(InputError, match=r"line 1: Unknown class 'griffin': expected one of the 2 classes"):
        open_images(tmp_path / "flat", labels=tmp_path / "list.csv", label_space=given_names).index()
    (tmp_path / "list.csv").write_text("0.png,1\n1.png,red panda\n2.png,0\n")
    numbered = open_images(tmp_path / "flat", labels=tmp_path / "list.csv", label_space=given_names)
    assert numbered.labels.tolist() == [1, 1, 0]


def test_folders_that_are_no_classes(tmp_path: Path) -> None:
    """Those without images do not count, and a level of splits, or a single folder around the classes, is told."""
    root = folders(tmp_path, ["griffin", "yeti", "sub/griffin", "sub/yeti"])
    (root / "notes").mkdir()
    with pytest.warns(UserWarning, match=r"Left out 1 folder \(notes\): it has no images"):
        assert open_images(root).classes.names == ("griffin", "sub", "yeti")
    for outer in ("train", "test", "only"):
        (tmp_path / outer / outer).mkdir(parents=True)
        (root / "griffin").rename(tmp_path / outer / outer / "griffin")
        with pytest.raises(InputError, match=f"no class folders itself, but {outer} inside it does: name .*/{outer}"):
            open_images(tmp_path / outer).index()
        assert open_images(tmp_path / outer, label_space="own").classes.names == (outer,)
        (tmp_path / outer / outer / "griffin").rename(root / "griffin")


def test_a_class_folder_with_an_archive_is_a_class_folder(tmp_path: Path) -> None:
    root = folders(tmp_path, ["griffin", "yeti"])
    (root / "yeti/old.tar").write_bytes(b"")
    with pytest.warns(UserWarning, match="Left out 1 file"):
        assert open_images(root).classes.names == ("griffin", "yeti")


def stream(values: list[Any], feature: Any, choice: LabelChoice = None) -> TableStream:
    features = datasets.Features({"image": datasets.Image(), "label": feature})
    rows = {"image": [{"bytes": image(n), "path": None} for n, _ in enumerate(values)], "label": values}
    table = datasets.Dataset.from_dict(rows, features=features).to_iterable_dataset()
    return TableStream(table, "x", len(values), "x", label_space=choice)


def test_streams() -> None:
    own = stream([1, 0, 2], datasets.ClassLabel(names=list(OWN)))
    assert own.classes.names == OWN
    assert [row.label for row in own.rows()] == [1, 0, 2]
    text = datasets.Value("string")
    assert [row.label for row in stream(["tench", "goldfish"], text).rows()] == [0, 1]
    with pytest.raises(InputError, match=r"'yeti', which is not an ImageNet-1k class.*--label-space FILE"):
        list(stream(["tench", "yeti"], text).rows())
    with pytest.raises(InputError, match="a stream cannot be looked through for them: name the classes with"):
        stream(["yeti"], text, "own")
    named = stream(["yeti", "griffin"], text, LabelSpace(("griffin", "yeti")))
    assert [row.label for row in named.rows()] == [1, 0]


def test_names_in_the_metadata_of_a_strangers_file(tmp_path: Path) -> None:
    for wrong in (["a", None], ["a", "\ud800"], ["", "a"]):
        table = pa.table({"image": [image()], "label": [0]})
        features = {"label": {"_type": "ClassLabel", "names": wrong}}
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
        pq.write_table(table, tmp_path / "a.parquet")
        with pytest.raises(InputError, match=r"class names? of a\.parquet") as caught:
            open_images(tmp_path / "a.parquet").index()
        str(caught.value).encode()
