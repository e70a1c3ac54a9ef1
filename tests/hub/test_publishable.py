"""Which files of a folder may leave this machine."""

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dataset_maker import make_row, open_writer, resealed
from loopback_hub import WRITE_TOKEN, LoopbackHub
from publications import drawn, published, put

from stackwalls.hub_cards.publishing.publishable import read_publishable, scan
from stackwalls.model import InputError, file_sha256

OLD_TOKEN = "hf_" + "abcDEF123456" * 3


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return drawn(tmp_path_factory.mktemp("sets") / "stack-mix")


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "stack-mix"))


def test_only_what_the_manifest_lists_goes_up(folder: Path, tmp_path: Path, hub: LoopbackHub) -> None:
    expected = published(folder)
    (tmp_path / "secret.txt").write_text("mine")
    (folder / "notes.txt").write_text("mine")
    (folder / "data/test-00001-of-00002.parquet").write_bytes(b"PAR1")
    (folder / "linked.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "linked").symlink_to(tmp_path)
    (folder / ".cache").mkdir()
    (folder / ".cache/anything").write_text("the client's own")
    done = put(folder, "user/stack-mix")
    assert hub.files("user/stack-mix") == expected
    assert done.plan.folder.left_out == ("data/test-00001-of-00002.parquet", "linked", "linked.txt", "notes.txt")
    assert "notes.txt (in the folder, but not part of it as it was made)" in done.plan.to_text()


def test_a_link_out_of_the_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    shutil.move(folder / "rejected.parquet", tmp_path / "elsewhere.parquet")
    (folder / "rejected.parquet").symlink_to(tmp_path / "elsewhere.parquet")
    with pytest.raises(InputError, match=r"rejected.parquet in .* is a link that leads out of the folder"):
        read_publishable(folder)
    (folder / "rejected.parquet").unlink()
    shutil.move(folder / "data", tmp_path / "data")
    (folder / "data").symlink_to(tmp_path / "data")
    shutil.copy(tmp_path / "elsewhere.parquet", folder / "rejected.parquet")
    with pytest.raises(InputError, match=r"data/test-00000-of-00001.parquet in .* is a link"):
        read_publishable(folder)
    (folder / "data").unlink()
    shutil.move(tmp_path / "data", folder / "elsewhere")
    (folder / "data").symlink_to("elsewhere")
    names = [file.name for file in read_publishable(folder).files]
    assert "data/test-00000-of-00001.parquet" in names, "a link inside the folder is no harm"


def test_what_is_not_whole_is_refused(folder: Path, tmp_path: Path) -> None:
    shard = folder / "data/test-00000-of-00001.parquet"
    data = bytearray(shard.read_bytes())
    data[1000] ^= 1
    shard.write_bytes(data)
    with pytest.raises(InputError, match=r"test-00000-of-00001.parquet was changed after"):
        read_publishable(folder)
    shard.unlink()
    with pytest.raises(InputError, match="is missing"):
        read_publishable(folder)
    with open_writer(tmp_path / "begun") as writer:
        writer.write("all", [make_row(0)])
    with pytest.raises(InputError, match="is unfinished"):
        read_publishable(tmp_path / "begun")
    (tmp_path / "photos").mkdir()
    with pytest.raises(InputError, match="neither a dataset folder"):
        read_publishable(tmp_path / "photos")
    with pytest.raises(InputError, match="There is no folder"):
        read_publishable(tmp_path / "nowhere")


def test_a_token_in_any_file_is_refused(folder: Path) -> None:
    for name, secrets in (("README.md", ()), ("README.md", ("my-own-secret",))):
        text = (folder / name).read_bytes()
        (folder / name).write_bytes(text + (secrets[0] if secrets else OLD_TOKEN).encode())
        entry = {"sha256": file_sha256(folder / name), "bytes": (folder / name).stat().st_size}
        files = json.loads((folder / "manifest.json").read_text())["files"]
        resealed(folder, files=files | {name: entry})
        with pytest.raises(InputError, match=r"README\.md holds an access token") as caught:
            read_publishable(folder, secrets)
        assert OLD_TOKEN not in str(caught.value)
        (folder / name).write_bytes(text)


@pytest.mark.parametrize("at", [0, 1, (1 << 20) - 20, (1 << 20) - 3, 1 << 20, (3 << 20) - 60])
def test_a_token_is_found_wherever_it_stands(at: int, tmp_path: Path) -> None:
    data = bytearray(b"." * (3 << 20))
    (tmp_path / "a").write_bytes(data)
    clean = scan(tmp_path / "a")
    assert not clean.has_token
    data[at : at + len(WRITE_TOKEN)] = WRITE_TOKEN.encode()
    (tmp_path / "a").write_bytes(data)
    found = scan(tmp_path / "a")
    assert found.has_token
    assert (found.sha256, found.size) == (file_sha256(tmp_path / "a"), 3 << 20)


def test_a_token_in_a_compressed_column_is_found(tmp_path: Path) -> None:
    texts = ["nothing at all"] * 500 + [f"{OLD_TOKEN[:20]}{OLD_TOKEN[20:]}"]
    for value in (texts, [{"path": text, "bytes": b""} for text in texts], [[text] for text in texts]):
        pq.write_table(pa.table({"column": value}), tmp_path / "a.parquet", compression="zstd")
        assert scan(tmp_path / "a.parquet").has_token
    pq.write_table(pa.table({"column": texts[:-1]}), tmp_path / "a.parquet")
    assert not scan(tmp_path / "a.parquet").has_token
