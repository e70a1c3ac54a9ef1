import argparse
import io
import json
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from dataset_maker import contents, make_row, open_writer, png, resealed, write_folder
from PIL import Image

from stackwalls.hub_cards import Manifest, stack_mix_features, verify
from stackwalls.hub_cards.record import REJECTED_SCHEMA, encode_rows
from stackwalls.hub_cards.writing.finishing import write_parquet
from stackwalls.model import InputError, file_sha256
from stackwalls.stackgen.commands import verify as command

SHARD = "data/test-00000-of-00001.parquet"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished") / "stack-mix"
    write_folder(folder, rows=3)
    return folder


@pytest.fixture
def folder(finished: Path, tmp_path: Path) -> Path:
    """A finished folder of three rows that may be spoilt."""
    return Path(shutil.copytree(finished, tmp_path / "stack-mix"))


def rewrite(folder: Path, name: str, table: pa.Table, entry_rows: int | None = None, **changes: Any) -> None:
    """Replace a Parquet file and seal the folder again, so that only the content can betray it."""
    with (folder / name).open("wb") as file:
        write_parquet(file, table)
    manifest = Manifest.read(folder)
    rows = table.num_rows if entry_rows is None else entry_rows
    entry = {"sha256": file_sha256(folder / name), "bytes": (folder / name).stat().st_size, "rows": rows}
    resealed(folder, files=manifest.files | {name: entry}, **changes)


def spoil_row(folder: Path, **change: Any) -> list[str]:
    """The problems of a folder whose middle row has other values."""
    schema = stack_mix_features().arrow_schema
    rows = [make_row(0), make_row(1) | change, make_row(2)]
    rewrite(folder, SHARD, pa.Table.from_pylist(rows, schema=schema))
    return verify(folder)


def encoded(picture: Image.Image, form: str = "PNG", **options: Any) -> dict[str, Any]:
    file = io.BytesIO()
    picture.save(file, form, **options)
    return {"bytes": file.getvalue(), "path": "a.png"}


def test_a_finished_folder_has_no_problems(folder: Path) -> None:
    assert verify(folder) == []
    assert verify(str(folder)) == []


def test_a_flipped_bit_anywhere_is_found(folder: Path) -> None:
    chance = random.Random(0)
    for name, data in contents(folder).items():
        ends = {0, 1, len(data) // 2, len(data) - 1}
        for position in ends | {chance.randrange(len(data)) for _ in range(6)}:
            changed = bytearray(data)
            changed[position] ^= 1 << chance.randrange(8)
            (folder / name).write_bytes(changed)
            problems = verify(folder)
            assert any(name in problem for problem in problems), (name, position)
        (folder / name).write_bytes(data)
    assert verify(folder) == []


@pytest.mark.parametrize("name", ["README.md", SHARD, "rejected.parquet", "manifest.json"])
def test_missing_and_shortened_files_are_found(name: str, folder: Path) -> None:
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(data[:-1])
    assert any(name in problem for problem in verify(folder))
    (folder / name).write_bytes(b"")
    assert any(name in problem for problem in verify(folder))
    (folder / name).unlink()
    assert [problem for problem in verify(folder) if f"{name} is missing" in problem]


@pytest.mark.parametrize("name", ["data/test-00001-of-00002.parquet", "notes.txt", "data/.hidden", "more/a.png"])
def test_unknown_files_are_found(name: str, folder: Path) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes((folder / SHARD).read_bytes())
    assert verify(folder) == [f"{name} is not in the manifest."]


def test_files_of_git_and_of_the_hub_client_are_passed_over(folder: Path) -> None:
    for name in (".gitattributes", ".git/config", ".cache/huggingface/a", "data/.DS_Store"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("")
    assert verify(folder) == []


def test_a_shard_that_the_manifest_forgot_is_found(folder: Path) -> None:
    manifest = Manifest.read(folder)
    entry = manifest.files[SHARD]
    (folder / "data/test-00000-of-00002.parquet").write_bytes((folder / SHARD).read_bytes())
    (folder / SHARD).unlink()
    files = {name: value for name, value in manifest.files.items() if name != SHARD}
    resealed(folder, files=files | {"data/test-00000-of-00002.parquet": entry})
    assert [problem for problem in verify(folder) if "not a complete series" in problem]
    (folder / "data/test-00000-of-00002.parquet").unlink()
    resealed(folder, files=files)
    problems = verify(folder)
    assert "The manifest's shards are not a complete series: there are none." in problems
    assert "The shards have 0 rows, but by the manifest 3 were kept." in problems


def test_counts_that_disagree_are_found(folder: Path) -> None:
    table = encode_rows([make_row(0), make_row(1)], stack_mix_features())
    rewrite(folder, SHARD, table, entry_rows=3)
    assert verify(folder) == [
        f"{SHARD} has 2 rows, but the manifest says 3.",
        "The shards have 2 rows, but by the manifest 3 were kept.",
    ]
    rewrite(folder, SHARD, table, counts={"requested": 4, "kept": 2, "rejected": 2})
    assert verify(folder) == ["README.md states the rows {'test': 3} instead of {'test': 2}."]
    rewrite(folder, SHARD, encode_rows([make_row(n) for n in range(3)], stack_mix_features()))
    resealed(folder, counts={"requested": 6, "kept": 3, "rejected": 3})
    assert verify(folder) == ["rejected.parquet has 2 rows, but the manifest says 3."]


def test_a_manifest_whose_counts_do_not_add_up_is_found(folder: Path) -> None:
    text = (folder / "manifest.json").read_text()
    (folder / "manifest.json").write_text(text.replace('"requested": 5', '"requested": 6'))
    assert [problem for problem in verify(folder) if "6 were requested, but 3 kept + 2 rejected" in problem]


def test_columns_that_disagree_are_found(folder: Path) -> None:
    table = encode_rows([make_row(n) for n in range(3)], stack_mix_features())
    for other in (
        table.drop_columns(["top_source"]),
        table.append_column("more", pa.array([1, 2, 3])),
        table.set_column(1, "label", table["label"].cast(pa.int32())),
    ):
        rewrite(folder, SHARD, other)
        assert [problem for problem in verify(folder) if problem.startswith(f"{SHARD} has the columns")]
    for metadata in (None, {"huggingface": "{}"}, {"huggingface": "[]"}):
        rewrite(folder, SHARD, table.replace_schema_metadata(metadata))
        assert [problem for problem in verify(folder) if "other features" in problem]
    rewrite(folder, SHARD, table)
    assert verify(folder) == []
    rejected = pa.table({"item": ["a", "b"]})
    rewrite(folder, "rejected.parquet", rejected)
    assert [problem for problem in verify(folder) if "rejected.parquet has the columns" in problem]
    rewrite(folder, "rejected.parquet", pa.table({"item": ["a", "b"], "reason": ["", ""]}, schema=REJECTED_SCHEMA))
    assert verify(folder) == []


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (encoded(Image.new("RGB", (224, 223))), "is PNG RGB 224 x 223 instead of PNG RGB 224 x 224"),
        (encoded(Image.new("L", (224, 224))), "is PNG L 224 x 224"),
        (encoded(Image.new("RGB", (224, 224)), "JPEG"), "is JPEG RGB 224 x 224 instead of PNG"),
        ({"bytes": png(1)[:-100], "path": "a.png"}, "cannot be decoded"),
        ({"bytes": b"no picture", "path": "a.png"}, "cannot be decoded"),
        ({"bytes": b"", "path": "a.png"}, "cannot be decoded"),
        ({"bytes": None, "path": "/etc/hostname"}, "cannot be decoded"),
        (None, "cannot be decoded"),
    ],
)
def test_pictures_that_are_wrong_are_found(image: Any, message: str, folder: Path) -> None:
    problems = spoil_row(folder, image=image)
    assert len(problems) == 1
    assert problems[0].startswith(f"{SHARD}, row 1 (row0001): its image ")
    assert message in problems[0]
    assert "0x" not in problems[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": 1000}, "label 1000"),
        ({"label": -1}, "label -1"),
        ({"label": None}, "label None"),
        ({"image_id": "row0000"}, "'row0000', which another row has too"),
        ({"image_id": None}, "the image_id None: expected text"),
    ],
)
def test_rows_that_are_wrong_are_found(change: dict[str, Any], message: str, folder: Path) -> None:
    problems = spoil_row(folder, **change)
    assert len(problems) == 1
    assert message in problems[0]


def test_many_wrong_rows_are_counted(folder: Path) -> None:
    rows = [make_row(n) | {"image_id": "same"} for n in range(30)]
    rewrite(folder, SHARD, encode_rows(rows, stack_mix_features()))
    problems = [problem for problem in verify(folder) if problem.startswith(SHARD)]
    assert len(problems) == 11
    assert problems[-1] == f"{SHARD}: 19 more rows are wrong."


def test_webp_pictures_are_right_where_the_spec_says_so(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8)
    image = encoded(Image.fromarray(noise), "WEBP", lossless=True)
    with open_writer(tmp_path, encoder="webp") as writer:
        writer.write("all", [make_row(0) | {"image": image}])
        writer.finish(requested=1, inputs={})
    assert verify(tmp_path) == []


def test_unfinished_and_foreign_folders(tmp_path: Path) -> None:
    with open_writer(tmp_path / "begun") as writer:
        writer.write("all", [make_row(0)])
    assert "unfinished" in verify(tmp_path / "begun")[0]
    (tmp_path / "other").mkdir()
    assert "manifest.json is missing" in verify(tmp_path / "other")[0]
    (tmp_path / "other/manifest.json").write_text("[]")
    assert "Cannot read" in verify(tmp_path / "other")[0]
    with pytest.raises(InputError, match="There is no folder"):
        verify(tmp_path / "none")


def run(*words: str) -> int:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args(words))


def test_the_command(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(str(folder)) == 0
    assert "4 files" not in capsys.readouterr().out
    assert run(str(folder), "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"folder": str(folder), "ok": True, "problems": []}
    (folder / "rejected.parquet").unlink()
    (folder / "notes.txt").write_text("")
    assert run(str(folder)) == 1
    assert capsys.readouterr().out == "rejected.parquet is missing.\nnotes.txt is not in the manifest.\n"
    assert run(str(folder), "--json") == 1
    assert json.loads(capsys.readouterr().out)["problems"] == verify(folder)
