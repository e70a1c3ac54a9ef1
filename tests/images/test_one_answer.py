"""mix, train and evaluate give one answer: the same images, classes, pixels, and reasons for what is rejected."""

import io
import json
import re
import tarfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from stackwalls.hub_cards import StackDataset, open_dataset
from stackwalls.model import USUAL_TRANSFORM, InputError, RunError
from stackwalls.model.images import BrokenImageError, decode, decode_and_crop, open_images
from stackwalls.model.images.decoding import decode_tensor
from stackwalls.model.training import open_data

Answer = dict[str, tuple[int, np.ndarray | str]]
"""Of each image, by its id: the class, and the pixels or the reason why there are none."""

pytestmark = pytest.mark.filterwarnings("ignore:Left out", "ignore:The labels of", "ignore:Palette images")


def pixels_or_reason(data: bytes) -> np.ndarray | str:
    try:
        return decode_and_crop(data)
    except BrokenImageError as error:
        return str(error)


def mix_sees(what: str) -> Answer:
    source = open_images(what)
    found = {image_id: label for label, ids in source.index().items() for image_id in ids}
    source.fetch(list(found))
    return {image_id: (label, pixels_or_reason(source.read(image_id))) for image_id, label in found.items()}


def train_sees(what: str) -> Answer:
    data = open_data(what, val_share=0.5)
    found: Answer = {}
    for part in (data.train, data.val):
        for number, label in enumerate(part.labels.tolist()):  # type: ignore[union-attr]
            encoded = part.read(number)  # type: ignore[union-attr]
            view = pixels_or_reason(encoded)
            if isinstance(view, str):
                with pytest.raises(BrokenImageError, match=f"^{re.escape(view)}$"):
                    decode_tensor(encoded)
            else:
                tensor = decode_tensor(encoded).permute(1, 2, 0).numpy()
                assert np.abs(tensor.astype(int) - decode(encoded)).mean() < 1, "the fast path, up to rounding"
            found[part.ids[number]] = label, view  # type: ignore[union-attr]
    return found


def evaluate_sees(what: str) -> Answer:
    dataset = open_dataset(what)
    return {image_id: (label, view) for image_id, label, view in map(dataset_row, [dataset] * len(dataset), range(999))}


def dataset_row(dataset: StackDataset, number: int) -> tuple[str, int, np.ndarray | str]:
    (row,) = [row for row, _ in zip(dataset._rows(number), range(1), strict=False)]
    try:
        (batch,) = dataset.batches(1, [(number, number + 1)])
        return batch.image_ids[0], int(batch.labels[0]), batch.images[0]
    except RunError as error:
        reason = str(error).split(" cannot be read (", 1)[1].rpartition("): replace it")[0]
        return row.image_id, row.label, reason


COMMANDS: dict[str, Callable[[str], Answer]] = {"mix": mix_sees, "train": train_sees, "evaluate": evaluate_sees}


def photo(seed: int, mode: str = "RGB") -> Image.Image:
    noise = np.random.default_rng(seed).integers(0, 256, (7, 9, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((300, 260), Image.Resampling.BICUBIC).convert(mode)


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def exif(orientation: int) -> Image.Exif:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


def flipped(data: bytes) -> bytes:
    damaged = bytearray(data)
    damaged[len(damaged) // 2] ^= 0xFF
    return bytes(damaged)


gray = np.asarray(photo(3, "L"))
animation = {"save_all": True, "append_images": [photo(8)]}
FILES: dict[str, tuple[int, bytes, np.ndarray | str]] = {
    # id: the class, the file, what is expected: pixels before the crop, or the beginning of a reason
    "n01440764/PLAIN.JPEG": (0, encoded(photo(0), "JPEG"), decode(encoded(photo(0), "JPEG"))),
    "n01440764/progressive.jpg": (
        0,
        encoded(photo(1), "JPEG", progressive=True),
        decode(encoded(photo(1), "JPEG", progressive=True)),
    ),
    "n01440764/deep/plain.Png": (0, encoded(photo(2), "PNG"), np.asarray(photo(2))),
    "n01440764/gray16.png": (
        0,
        encoded(Image.fromarray(gray.astype(np.uint16) * 257), "PNG"),
        np.stack([gray] * 3, axis=2),
    ),
    "goldfish/cmyk.jpg": (
        1,
        encoded(photo(4, "CMYK"), "JPEG"),
        np.asarray(Image.open(io.BytesIO(encoded(photo(4, "CMYK"), "JPEG"))).convert("RGB")),
    ),
    "goldfish/rotated.jpg": (1, encoded(photo(5), "JPEG", exif=exif(6)), decode(encoded(photo(5), "JPEG"))),
    "goldfish/palette.png": (
        1,
        encoded(photo(6).quantize(16), "PNG", transparency=bytes(range(16))),
        np.asarray(photo(6).quantize(16).convert("RGB")),
    ),
    "goldfish/animated.gif": (
        1,
        encoded(photo(7).quantize(16), "GIF", **animation),
        np.asarray(photo(7).quantize(16).convert("RGB")),
    ),
    "002/animated.webp": (2, encoded(photo(9), "WEBP", lossless=True, **animation), np.asarray(photo(9))),
    "002/alpha.png": (2, encoded(photo(10, "RGBA"), "PNG"), np.asarray(photo(10))),
    "002/truncated.jpg": (2, encoded(photo(11), "JPEG")[:2000], "damaged: "),
    "002/flipped.png": (2, flipped(encoded(photo(12), "PNG")), "damaged: "),
    "maillot, tank suit/empty.png": (639, b"", "the file is empty (0 bytes)"),
    "maillot, tank suit/page.jpg": (639, b"<html>404</html>", "not an image, or its header is damaged"),
    "maillot, tank suit/small.png": (639, encoded(Image.new("RGB", (20, 20)), "PNG"), "too small: 20 × 20 pixels"),
    "maillot, tank suit/32bit.tif": (639, encoded(Image.new("F", (50, 50)), "TIFF"), "32-bit values (mode F)"),
}


def check(answer: Answer, name: Callable[[str], str] = str) -> None:
    assert sorted(answer) == sorted(map(name, FILES))
    for path, (label, _, expected) in FILES.items():
        found, view = answer[name(path)]
        assert found == label, path
        if isinstance(expected, str):
            assert isinstance(view, str), path
            assert view.startswith(expected)
        else:
            assert np.array_equal(view, USUAL_TRANSFORM(Image.fromarray(expected))), path


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """Class folders by synset, name and index; what is hidden, no class or no image; links to a file and a folder."""
    root, away = tmp_path / "odd", tmp_path / "away"
    for path, (_, data, _) in FILES.items():
        place = (away if path.startswith("002/") else root) / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    (root / "002").symlink_to(away / "002")
    (root / "goldfish/rotated.jpg").rename(away / "file.jpg")
    (root / "goldfish/rotated.jpg").symlink_to(away / "file.jpg")
    for hidden in ("goldfish/.ipynb_checkpoints/palette-checkpoint.png", "goldfish/._palette.png", ".cache/x.png"):
        (root / hidden).parent.mkdir(exist_ok=True)
        photo(99).save(root / hidden)
    (root / "goldfish/notes.txt").write_text("no image")
    (root / "unicorn").mkdir()
    photo(99).save(root / "unicorn/0.png")
    return root


@pytest.mark.parametrize("command", COMMANDS)
def test_class_folders(odd: Path, command: str) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        check(COMMANDS[command](str(odd)))
    said = {str(warning.message) for warning in caught}
    assert "Left out 1 folder (unicorn): not an ImageNet-1k class by synset, name or index." in said
    assert any(text.startswith("Left out 1 file (goldfish/notes.txt): not an image by its name") for text in said)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("place", ["all.parquet", "data/train-0.parquet", "set/part.PARQUET"])
def test_parquet(tmp_path: Path, command: str, place: str) -> None:
    path = tmp_path / place
    path.parent.mkdir(exist_ok=True)
    cells = [{"bytes": data, "path": None} for _, data, _ in FILES.values()]
    pq.write_table(pa.table({"image": cells, "label": [label for label, _, _ in FILES.values()]}), path)
    rows = {name: number for number, name in enumerate(FILES)}
    what = {"all.parquet": path, "data/train-0.parquet": tmp_path, "set/part.PARQUET": path.parent}[place]
    prefix = place if what == tmp_path else path.name
    check(COMMANDS[command](str(what)), lambda name: f"{prefix}#{rows[name]}")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("suffix", ["cls", "txt", "json"])
def test_tar_shards(tmp_path: Path, command: str, suffix: str) -> None:
    (tmp_path / "shards").mkdir()
    for number, (name, (label, data, _)) in enumerate(FILES.items()):
        text = json.dumps({"label": label}) if suffix == "json" else str(label)
        write_tar(
            tmp_path / f"shards/{number % 2}.tar",
            {f"{number:03d}.{name.rpartition('.')[2]}": data, f"{number:03d}.{suffix}": text.encode()},
        )
    keys = {name: f"{number % 2}.tar#{number:03d}" for number, name in enumerate(FILES)}
    check(COMMANDS[command](str(tmp_path / "shards")), lambda name: keys[name])


def write_tar(path: Path, files: dict[str, bytes]) -> None:
    with tarfile.open(path, "a") as tar:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))


def test_a_datasets_dataset() -> None:
    features = datasets.Features({"image": datasets.Image(), "label": datasets.Value("int64")})
    rows = {
        "image": [{"bytes": data, "path": None} for _, data, _ in FILES.values()],
        "label": [label for label, _, _ in FILES.values()],
    }
    table = datasets.Dataset.from_dict(rows, features=features).add_column("image_id", list(FILES))
    check(mix_sees(table))  # type: ignore[arg-type]
    check(evaluate_sees(table))  # type: ignore[arg-type]


def write_table(path: Path, labels: Any, features: dict[str, Any] | None = None, **columns: Any) -> str:
    data = encoded(photo(0), "JPEG")
    columns = {"image": [{"bytes": data, "path": None}] * len(labels), "label": labels} | columns
    table = pa.table(columns)
    if features:
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    pq.write_table(table, path)
    return str(path)


@pytest.mark.parametrize("command", COMMANDS)
class TestLabels:
    """What the values of a label column mean."""

    def test_the_label_column_goes_before_another_of_class_labels(self, tmp_path: Path, command: str) -> None:
        group = {"group": {"_type": "ClassLabel", "names": ["hen", "tench"]}}
        what = write_table(tmp_path / "a.parquet", [5, 5, 6, 6], group, group=[0, 1, 0, 1])
        assert sorted(label for label, _ in COMMANDS[command](what).values()) == [5, 5, 6, 6]

    @pytest.mark.parametrize("labels", [[[0], [0, 5]] * 2, [{"id": 1}] * 4, [0.5] * 4], ids=["list", "struct", "float"])
    def test_labels_of_another_type_are_one_sentence(self, tmp_path: Path, command: str, labels: list[Any]) -> None:
        said = f"are of the type {type(labels[0]).__name__}, such as .*: expected one index, synset or class name"
        with pytest.raises(InputError, match=said):
            COMMANDS[command](write_table(tmp_path / "a.parquet", labels))

    @pytest.mark.parametrize("text", ["3", "{'label': 1}", '{"label": {"id": 3}}', '{"x": 3}', "[3]"])
    def test_json_without_a_label_is_one_sentence(self, tmp_path: Path, command: str, text: str) -> None:
        for number in range(4):
            files = {f"{number}.jpg": encoded(photo(number), "JPEG"), f"{number}.json": text.encode()}
            write_tar(tmp_path / "0.tar", files)
        with pytest.raises(InputError, match=r"In sample 0 of 0\.tar: expected a JSON object with the label"):
            COMMANDS[command](str(tmp_path))

    def test_a_number_out_of_range_is_refused(self, tmp_path: Path, command: str) -> None:
        with pytest.raises(InputError, match=r"The label of row 3 of .* is 1000: expected 0 to 999"):
            COMMANDS[command](write_table(tmp_path / "a.parquet", [1, 0, 1, 1000]))

    def test_the_name_of_another_class_is_left_out_with_a_warning(self, tmp_path: Path, command: str) -> None:
        what = write_table(tmp_path / "a.parquet", ["n01440764", "unicorn", "goldfish", "tench", "goldfish"])
        with pytest.warns(UserWarning, match=r"Left out 1 label \(unicorn\): not an ImageNet-1k class; 1 rows"):
            assert sorted(label for label, _ in COMMANDS[command](what).values()) == [0, 0, 1, 1]

    @pytest.mark.parametrize("names", [None, ["crane", "tench"]])
    def test_an_ambiguous_name_is_refused(self, tmp_path: Path, command: str, names: list[str] | None) -> None:
        features = {"label": {"_type": "ClassLabel", "names": names}} if names else None
        labels: list[Any] = [1, 1, 0, 0] if names else ["tench", "tench", "crane", "crane"]
        with pytest.raises(InputError, match=r"'crane' is ambiguous: it may be n02012849 .* or n03126707"):
            COMMANDS[command](write_table(tmp_path / "a.parquet", labels, features))
        (tmp_path / "folders/crane").mkdir(parents=True)
        with pytest.raises(InputError, match="'crane' is ambiguous"):
            COMMANDS[command](str(tmp_path / "folders"))


@pytest.mark.parametrize("command", COMMANDS)
def test_parquet_that_has_paths_only(tmp_path: Path, command: str) -> None:
    for number in range(4):
        photo(number).save(tmp_path / f"{number}.png")
    cells = pa.array(
        [{"bytes": None, "path": f"{number}.png"} for number in range(4)],
        pa.struct([("bytes", pa.binary()), ("path", pa.string())]),
    )
    pq.write_table(pa.table({"image": cells, "label": [0, 0, 1, 1]}), tmp_path / "a.parquet")
    answer = COMMANDS[command](str(tmp_path / "a.parquet"))
    for number in range(4):
        assert np.array_equal(answer[f"a.parquet#{number}"][1], USUAL_TRANSFORM(photo(number)))


@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_nothing_is_one_sentence(tmp_path: Path, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.zip").write_bytes(b"")
    for what, said in (
        ("empty", "empty has no images: expected class folders"),
        ("a.zip", "a.zip is a file of an unknown form: expected"),
        ("nowhere", "There is no folder or file 'nowhere' here, and it is not a Hub id either: expected"),
        ("empty/val", "There is no folder or file 'empty/val' here"),
        ("none.parquet", "There is no file none.parquet"),
        ("hf://datasets/a/b/c", "Cannot read the dataset id"),
    ):
        with pytest.raises(InputError, match=said) as caught:
            COMMANDS[command](what)
        assert "\n" not in str(caught.value)
