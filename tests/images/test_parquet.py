import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import ClassLabel, Dataset, Features, Image, Value

from stackwalls.model import InputError, RunError, class_names, imagenet_classes
from stackwalls.model.images import open_images
from stackwalls.model.images.labels import class_of, classes_of_names
from stackwalls.model.images.parquet import ParquetImages

DATA = [f"picture {number}".encode() for number in range(7)]
LABELS = ["tench", "goldfish", "tench", "great white shark", "goldfish", "tench", "tench"]
INDICES = [0, 1, 0, 2, 1, 0, 0]
EXPECTED = {0: [0, 2, 5, 6], 1: [1, 4], 2: [3]}


def ids(name: str) -> dict[int, list[str]]:
    return {index: [f"{name}#{row}" for row in rows] for index, rows in EXPECTED.items()}


def structs(data: Sequence[bytes | None] = DATA) -> pa.Array:
    return pa.array([{"bytes": item, "path": f"{row}.png"} for row, item in enumerate(data)])


def write(path: Path, columns: dict[str, Any], features: dict[str, Any] | None = None, **options: Any) -> Path:
    table = pa.table(columns)
    if features:
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    pq.write_table(table, path, **options)
    return path


KINDS: dict[str, dict[str, Any]] = {
    "names, a struct": {"image": structs(), "label": LABELS},
    "names, plain bytes": {"jpg": pa.array(DATA), "class": LABELS},
    "synsets before numbers": {
        "image": structs(),
        "label": [9, 8, 9, 7, 8, 9, 9],
        "wnid": [imagenet_classes()[index].synset for index in INDICES],
    },
    "the usual one of two": {"thumbnail": pa.array(DATA[::-1]), "image": structs(), "label": LABELS},
    "large binary": {"img": pa.array(DATA, pa.large_binary()), "label": pa.array(LABELS, pa.large_string())},
    "dictionary": {"img": structs(), "label": pa.array(LABELS).dictionary_encode()},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("group", [2, 3, 100])
def test_rows_by_class_and_their_bytes(tmp_path: Path, kind: str, group: int) -> None:
    path = write(tmp_path / "a.parquet", KINDS[kind], row_group_size=group)
    source = open_images(str(path))
    assert source.index() == ids("a.parquet")
    source.fetch(["a.parquet#5", "a.parquet#1"])
    assert [source.read(f"a.parquet#{row}") for row in range(7)] == DATA


def test_plain_numbers_are_imagenets_and_said_to_be(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", {"image": structs(), "label": INDICES})
    with pytest.warns(UserWarning, match="plain numbers: they are read as ImageNet-1k class indices"):
        assert open_images(str(path)).index() == ids("a.parquet")


def test_class_labels_of_a_few_classes(tmp_path: Path) -> None:
    names = ["great white shark, white shark", "goldfish, Carassius auratus", "unicorn", "tench, Tinca tinca"]
    features = {"label": {"_type": "ClassLabel", "names": names}}
    columns = {"image": structs(), "label": [3, 1, 3, 0, 1, 3, 2]}
    path = write(tmp_path / "a.parquet", columns, features)
    source = open_images(str(path), label_space="imagenet")
    with pytest.warns(UserWarning, match=r"Left out 1 label \(unicorn\): not an ImageNet-1k class; 1 rows"):
        assert source.index() == {**ids("a.parquet"), 0: ["a.parquet#0", "a.parquet#2", "a.parquet#5"]}


def test_as_datasets_writes_it(tmp_path: Path) -> None:
    features = Features({"label": ClassLabel(names=list(class_names())), "image": Image(), "id": Value("string")})
    rows = [
        {"label": index, "image": {"bytes": data, "path": None}, "id": str(row)}
        for row, (index, data) in enumerate(zip(INDICES, DATA, strict=True))
    ]
    Dataset.from_list(rows, features=features).to_parquet(tmp_path / "a.parquet")
    source = open_images(str(tmp_path / "a.parquet"))
    assert source.index() == ids("a.parquet")
    assert source.read("a.parquet#3") == DATA[3]


def test_a_folder_of_files_is_one_source(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    for part in range(2):
        write(folder / f"val-{part}.parquet", {"image": structs(), "label": LABELS}, row_group_size=3)
    (folder / "README.md").write_text("")
    source = open_images(str(folder))
    assert source.name == "data"
    both = {
        index: sorted(f"val-{part}.parquet#{row}" for part in (0, 1) for row in rows)
        for index, rows in EXPECTED.items()
    }
    assert source.index() == both
    wanted = ["val-1.parquet#6", "val-0.parquet#2"]
    source.fetch(wanted)
    assert [source.read(image_id) for image_id in wanted] == [DATA[6], DATA[2]]
    pattern = open_images(f"{folder}/val-*.parquet")
    assert pattern.index() == both


def test_a_file_whose_name_is_a_pattern_is_that_file(tmp_path: Path) -> None:
    for name in ("val[1].parquet", "val1.parquet"):
        write(tmp_path / name, {"image": structs(), "label": LABELS})
    assert open_images(f"{tmp_path}/val[1].parquet").index() == ids("val[1].parquet")
    (tmp_path / "val[1].parquet").unlink()
    assert open_images(f"{tmp_path}/val[1].parquet").index() == ids("val1.parquet")


def test_files_of_several_splits_are_told_not_mixed(tmp_path: Path) -> None:
    for split in ("train", "val"):
        write(tmp_path / f"{split}.parquet", {"image": structs(), "label": LABELS})
    with pytest.raises(InputError, match=r"several splits \(train.parquet, val.parquet\)"):
        open_images(str(tmp_path))
    assert open_images(f"{tmp_path}/val*.parquet").name == "val.parquet"


def test_missing_bytes_and_hidden_labels(tmp_path: Path) -> None:
    columns = {"image": structs([None, b"a", b"b"]), "label": [0, 0, -1]}
    source = open_images(str(write(tmp_path / "a.parquet", columns)))
    with pytest.warns(UserWarning, match="label") as warned:
        assert source.index() == {0: ["a.parquet#0", "a.parquet#1"]}
    assert any("Left out 1 rows of a.parquet without a label" in str(warning.message) for warning in warned)
    with pytest.raises(FileNotFoundError):  # 0.png, which is named in the place of bytes
        source.read("a.parquet#0")


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no picture": ({"label": LABELS, "text": LABELS}, r"no image column.*label \(string\), text \(string\)"),
    "two pictures": ({"a": structs(), "b": structs(), "label": LABELS}, "no image column"),
    "no label": ({"image": structs(), "caption": LABELS}, "no label column"),
    "no class": ({"image": structs(), "label": ["n00000000"] * 7}, r"No row of a.parquet has .*\(n00000000\)"),
    "no rows": ({"image": structs([]).cast(structs().type), "label": pa.array([], pa.string())}, "there are no rows"),
}


@pytest.mark.parametrize("kind", BAD)
def test_files_without_labeled_pictures_are_refused(tmp_path: Path, kind: str) -> None:
    columns, message = BAD[kind]
    with pytest.raises(InputError, match=message):
        open_images(str(write(tmp_path / "a.parquet", columns))).index()


def test_damaged_files(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.parquet", {"image": structs(), "label": LABELS}, compression="none", use_dictionary=False
    )
    data = path.read_bytes()
    for name, damaged in {"cut.parquet": data[:-20], "empty.parquet": b"", "text.parquet": b"hello" * 9}.items():
        (tmp_path / name).write_bytes(damaged)
        with pytest.raises((InputError, RunError), match=f"Cannot read {name}"):
            open_images(str(tmp_path / name)).index()
    source = open_images(str(path))
    source.index()
    path.unlink()
    with pytest.raises(RunError, match=r"Cannot read a.parquet as a Parquet file .*Run the command again"):
        source.read("a.parquet#0")
    with pytest.raises(InputError, match="There is no file"):
        open_images(str(path))


class CountingFile:
    """A binary file that notes which bytes are read."""

    def __init__(self, path: Path, reads: list[tuple[int, int]]) -> None:
        self._file = path.open("rb")
        self._reads = reads
        self.closed = False

    def read(self, size: int = -1) -> bytes:
        self._reads.append((self._file.tell(), size))
        return self._file.read(size)

    def seek(self, *args: int) -> int:
        return self._file.seek(*args)

    def tell(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        self._file.close()
        self.closed = True


def test_labels_are_read_without_the_pictures_and_pictures_by_row_group(tmp_path: Path) -> None:
    big = [bytes([number]) * 100_000 for number in range(7)]
    path = write(
        tmp_path / "a.parquet",
        {"image": structs(big), "label": LABELS},
        row_group_size=2,
        compression="none",
        use_dictionary=False,
    )
    reads: list[tuple[int, int]] = []
    opened: list[CountingFile] = []

    def opener() -> CountingFile:
        opened.append(CountingFile(path, reads))
        return opened[-1]

    source = ParquetImages("a", {"a.parquet": opener})
    source.index()
    assert sum(size for _, size in reads) < 100_000
    reads.clear()
    source.fetch(["a.parquet#4"])
    assert sum(size for _, size in reads) < 300_000  # its row group of two
    reads.clear()
    source.fetch(["a.parquet#4"])
    assert source.read("a.parquet#4") == big[4]
    assert reads == []
    assert all(file.closed for file in opened)


def test_a_full_temporary_folder_is_a_run_error(tmp_path: Path) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full here")
    source = ParquetImages("a", {"a.parquet": write(tmp_path / "a.parquet", KINDS["names, a struct"])})
    source._spool._file.close()
    with full.open("wb", buffering=0) as file:
        source._spool._file = file  # type: ignore[assignment]
        with pytest.raises(RunError, match=r"temporary folder .*No space left"):
            source.fetch(["a.parquet#0"])


def test_a_thousand_names_in_imagenets_order_go_by_position() -> None:
    names = list(class_names())
    with pytest.raises(InputError, match=r"n02012849 \(crane bird, index 134\) or n03126707 \(crane, index 517\)"):
        class_of("crane")
    names[134] = "crane"  # the bird, in other lists of the same classes
    names[517] = "crane, machine"
    names[0] = "a fish"
    assert classes_of_names(tuple(names)) == tuple(range(1000))
    assert classes_of_names(tuple(names[::-1]))[:2] == (999, 998)
    assert classes_of_names(("unicorn", "tench", "goldfish, gold fish")) == (None, 0, 1)


@pytest.mark.parametrize("value", [-1, "-1", "1000", "1,000 birds", "", "unicorn", 1.0])
def test_what_is_no_class(value: Any) -> None:
    assert class_of(value) is None
