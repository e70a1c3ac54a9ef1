"""No reader waits for a pipe, reads a device, or takes more than the decoder's limits; names need not be text."""

import io
import json
import os
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from odd_trees import ODDITIES, odd_shard, plain_image
from PIL import Image

from stackwalls.evaluate.adapters import precomputed
from stackwalls.hub_cards import open_dataset
from stackwalls.model import InputError, RunError
from stackwalls.model.images import BrokenImageError, decode, decode_and_crop, open_images
from stackwalls.model.images.decoding import decode_tensor
from stackwalls.model.images.parquet import BATCH, batch_rows
from stackwalls.model.training import open_data
from stackwalls.stackgen.commands._options import say
from stackwalls.stackmix.rebuilding import RecipePictures

pytestmark = pytest.mark.filterwarnings("ignore:Left out", "ignore:The labels of", "ignore:The image decoding")

NO_FILE = {"FIFO": "it is a FIFO", "socket": "it is a socket", "device": "it is a device"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes of two usable images each."""
    for number, name in enumerate(("tench", "goldfish")):
        (tmp_path / "odd" / name).mkdir(parents=True)
        for image in range(2):
            (tmp_path / "odd" / name / f"{image}.png").write_bytes(plain_image(number, image))
    return tmp_path / "odd"


def paths_only(place: Path, paths: list[str | None]) -> Path:
    cells = pa.array(
        [{"bytes": None, "path": path} for path in paths], pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    )
    pq.write_table(pa.table({"image": cells, "label": [0] * len(paths)}), place)
    return place


@pytest.mark.parametrize("oddity", ["FIFO", "socket", "device", "sparse", "link to itself", "link to nothing"])
def test_what_is_no_file_or_too_large_is_one_rejected_image(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, oddity: str
) -> None:
    """In a folder, and named by a cell of a table."""
    for module in ("image_folder", "tables"):
        monkeypatch.setattr(f"stackwalls.model.images.{module}.MAX_BYTES", 1 << 20)
    ODDITIES[oddity](folder / "tench")
    (odd,) = {path.name for path in (folder / "tench").iterdir()} - {"0.png", "1.png"}
    table = paths_only(tmp_path / "a.parquet", ["odd/tench/0.png", f"odd/tench/{odd}"])
    why = NO_FILE.get(oddity, "more than 1 MiB|symbolic links|No such file")
    for source, image in ((open_images(folder), f"tench/{odd}"), (open_images(table), "a.parquet#1")):
        source.fetch(source.ids)
        assert len(source.labels) == (5 if source.name == "odd" else 2)
        assert decode_and_crop(source.read(source.ids[-2])).shape == (224, 224, 3)
        with pytest.raises(OSError, match=why):
            source.read(image)
        *_, last = open_dataset(tmp_path / "a.parquet")._rows(0)
        with pytest.raises(OSError, match=why):
            last.read()


@pytest.mark.parametrize("path", [None, "", "\0", "../" * 3000, "gone.png"])
def test_a_cell_that_names_no_file_is_one_rejected_image(tmp_path: Path, path: str | None) -> None:
    source = open_images(paths_only(tmp_path / "a.parquet", [path]))
    with pytest.raises((OSError, BrokenImageError), match=r"empty|too long|No such file"):
        decode(source.read(0))


@pytest.mark.parametrize("name", ["a.parquet", "a.tar"])
def test_a_pipe_in_the_place_of_a_table_is_one_sentence(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    for open_it in (open_images, open_data, open_dataset):
        with pytest.raises((InputError, RunError), match=rf"Cannot read .*{name}.* it is a FIFO, not a file"):
            len(open_it(str(tmp_path)).labels)  # type: ignore[union-attr]


def test_a_pipe_in_the_place_of_a_list_of_labels_is_one_sentence(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "labels.csv")
    (tmp_path / "0.png").write_bytes(plain_image(0))
    with pytest.raises(InputError, match=r"Cannot read the labels file .* \(it is a FIFO, not a file\)"):
        open_images(tmp_path, labels=tmp_path / "labels.csv").index()


def test_a_sample_of_a_shard_is_read_up_to_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    odd_shard(tmp_path / "a.tar", 9)
    source = open_images(tmp_path / "a.tar")
    for module in ("tar_shards", "decoding"):
        monkeypatch.setattr(f"stackwalls.model.images.{module}.MAX_BYTES", 10)
    assert len(source.read(0)) == 11
    with pytest.raises(BrokenImageError, match="too large: 11 bytes, more than 10"):
        decode(source.read(0))


def test_a_jpeg_of_many_scans_is_rejected_before_they_are_decoded() -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(buffer, "JPEG", progressive=True)
    data = buffer.getvalue()
    last = data[data.rindex(b"\xff\xda") : -2]
    assert decode(data).shape == decode(data[:-2] + last * 80 + data[-2:]).shape == (64, 64, 3)
    for function in (decode, decode_tensor):
        with pytest.raises(BrokenImageError, match="110 scans, more than 100"):
            function(data[:-2] + last * 100 + data[-2:])


@pytest.mark.parametrize(
    ("width", "height", "why"), [(50_000, 50_000, "pixels"), (30_000, 1, "small"), (9000, 40, "long")]
)
def test_a_header_alone_rejects_an_image(width: int, height: int, why: str) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64)).save(buffer, "JPEG")
    jpeg = buffer.getvalue()
    start = jpeg.index(b"\xff\xc0") + 5
    jpeg = jpeg[:start] + height.to_bytes(2) + width.to_bytes(2) + jpeg[start + 4 :]
    bmp = bytearray(b"BM" + bytes(52))
    bmp[10], bmp[14], bmp[26], bmp[28] = 54, 40, 1, 24
    bmp[18:26] = width.to_bytes(4, "little") + height.to_bytes(4, "little")
    for data in (jpeg, bytes(bmp)):
        for function in (decode, decode_tensor):
            with pytest.raises(BrokenImageError, match=why):
                function(data)


def test_rows_of_a_table_are_decoded_few_at_a_time_where_they_may_be_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dictionary has one entry of 200 kB for 30 rows: any row may be as large as all of them in the file."""
    pq.write_table(pa.table({"image": [{"bytes": b"\0" * 200_000}] * 30, "label": [0] * 30}), tmp_path / "a.parquet")
    group = pq.read_metadata(tmp_path / "a.parquet").row_group(0)
    assert batch_rows(group, "image") == batch_rows(group, "label") == BATCH
    monkeypatch.setattr("stackwalls.model.images.parquet.MEMORY", 1_000_000)
    assert batch_rows(group, "image") == 4
    assert batch_rows(group, "label") == BATCH
    assert [len(row.read()) for row in open_images(tmp_path / "a.parquet").rows()] == [200_000] * 30


@pytest.mark.parametrize("form", ["npz", "npy"])
def test_a_map_that_is_too_large_is_said_before_it_is_read(tmp_path: Path, form: str) -> None:
    """7.5 GB of zeros: in 8 MB, or in a file with holes."""
    header = io.BytesIO()
    shape = {"descr": "<f4", "fortran_order": False, "shape": (1, 43_000, 43_000)}
    np.lib.format.write_array_header_1_0(header, shape)  # type: ignore[arg-type]
    path, size = tmp_path / f"maps.{form}", 4 * 43_000**2
    if form == "npz":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bomb:
            bomb.writestr("a.npy", header.getvalue())
        data = path.read_bytes()  # the size is where it is declared
        path.write_bytes(data.replace(len(header.getvalue()).to_bytes(4, "little"), (300 << 20).to_bytes(4, "little")))
        with pytest.raises(InputError, match=r"the map a.npy in maps.npz takes 314,572,800 bytes: expected at most"):
            precomputed._in_npz(path, [])
        return
    with path.open("wb") as file:
        file.write(header.getvalue())
        file.truncate(len(header.getvalue()) + size)
    store = precomputed._open_store("mine", path)
    ref = precomputed.ImageRef("set", 0, "a")
    explainer = object.__new__(precomputed.PrecomputedExplainer)
    explainer.name, explainer._store, explainer._refs = "mine", store, (ref,)
    with pytest.raises(InputError, match=r"the map a takes 7,396,000,000 bytes: expected at most 268,435,456"):
        explainer.explain(np.zeros(1), [0])  # type: ignore[arg-type]


def test_names_that_are_no_text(folder: Path, tmp_path: Path) -> None:
    """Of the folder, of its images, of tables and of samples: what is written of them is text."""
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    folder.rename(odd)
    ODDITIES["no text"](odd / "tench")
    pq.write_table(pa.table({"image": [plain_image(0)], "label": [0]}), tmp_path / "a.parquet")
    (odd / "tables").mkdir()
    (tmp_path / "a.parquet").rename(odd / os.fsdecode(b"tables/\xff.parquet"))
    odd_shard(tmp_path / "b.tar", 39)
    for source, names in (
        (open_images(odd / "tench", unlabeled=True), 2),
        (open_images(odd / "tables"), 1),
        (open_images(tmp_path / "b.tar"), 5),
    ):
        source.fetch(source.ids)
        assert len([source.read(image) for image in source.ids]) == names
        json.dumps([source.name, *source.ids]).encode()
        pa.array([source.name, *source.ids])
    (odd / "tables").rename(tmp_path / "tables")
    assert open_dataset(odd).name == "caf\\udce9"
    assert open_data(str(odd), val_share=0.5).name == "caf\\udce9"


def test_links_in_circles_are_followed_once(folder: Path) -> None:
    for place in (folder, folder / "tench"):
        ODDITIES["links in a circle"](place)
        ODDITIES["link to itself"](place)
    assert open_images(folder, label_space="imagenet").index()[1] == ["goldfish/0.png", "goldfish/1.png"]
    with pytest.raises(BrokenImageError, match="missing from the source"):
        RecipePictures(str(folder)).read("tench/other.png", "0" * 64)


@pytest.mark.parametrize("label", ["9" * 5000, "--5", "²", "[" * 99999, '{"label": ' + "1" * 5000 + "}"])
def test_labels_that_are_no_labels(tmp_path: Path, label: str) -> None:
    ending = "json" if label[0] in "{[" else "cls"
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for number, text in enumerate((label, "0")):
            own = ending if text == label else "cls"
            for name, data in ((f"{number}.png", plain_image(number)), (f"{number}.{own}", text.encode())):
                entry = tarfile.TarInfo(name)
                entry.size = len(data)
                tar.addfile(entry, io.BytesIO(data))
    if ending == "json":
        with pytest.raises(InputError, match=r"In sample 0 of a\.tar: expected a JSON object") as caught:
            open_images(tmp_path / "a.tar").index()
        assert len(str(caught.value)) < 400
    else:
        with pytest.warns(UserWarning, match="Left out 1 label") as warned:
            assert open_images(tmp_path / "a.tar").index() == {0: ["a.tar#1"]}
        assert all(len(str(warning.message)) < 400 for warning in warned)


def test_control_characters_of_names_reach_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    say("The image a\nb\x1b[31m.png cannot be read.")
    assert capsys.readouterr().err == "stackgen: The image a\\nb\\x1b[31m.png cannot be read.\n"
