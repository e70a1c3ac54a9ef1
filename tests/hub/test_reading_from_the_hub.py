"""`open_dataset` on a Hub: streamed, pinned, from any row on, and one sentence for whatever is in the way."""

import shutil
from itertools import islice
from pathlib import Path
from typing import Any

import datasets
import huggingface_hub
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dataset_maker import pixels
from loopback_hub import BAD_TOKEN, OTHER_TOKEN, LoopbackHub
from PIL import Image
from publications import drawn, put

from stackwalls.hub_cards import (
    Manifest,
    StackDataset,
    dataset_classes,
    open_dataset,
    parse_license,
    recipe_folder,
)
from stackwalls.model import HubId, InputError, RunError, imagenet_classes
from stackwalls.model.images.hub import download_hub, open_hub, stream_hub


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three shards of 100, 100 and 30 rows."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("stackwalls.hub_cards.writing.finishing.SHARD_BYTES", 1)
        return drawn(tmp_path_factory.mktemp("sets") / "stack-mix", rows=230, part=100)


@pytest.fixture
def there(hub: LoopbackHub, folder: Path) -> LoopbackHub:
    put(folder, "user/stack-mix", tag="v1.0")
    hub.state.requests.clear()
    return hub


def numbers(dataset: StackDataset, *spans: tuple[int, int]) -> list[int]:
    """The labels, which are the rows' numbers, after a look at the pixels."""
    found = []
    for batch in dataset.batches(32, spans or None):
        for number, image in zip(batch.labels.tolist(), batch.images, strict=True):
            assert np.array_equal(image, pixels(number))
            found.append(number)
    return found


@pytest.mark.parametrize("name", ["user/stack-mix", "hf://datasets/user/stack-mix", "user/stack-mix@v1.0"])
def test_a_published_set_is_streamed(name: str, there: LoopbackHub, folder: Path) -> None:
    dataset = open_dataset(name)
    assert (dataset.name, len(dataset), str(dataset.wall)) == (name.removeprefix("hf://datasets/"), 230, "bottom:54")
    assert dataset.manifest == Manifest.read(folder)
    assert numbers(dataset) == list(range(230))
    assert numbers(dataset) == list(range(230)), "a second reading starts anew"
    assert dataset.identity == open_dataset(folder).identity
    left = {path.name for path in Path(datasets.config.HF_DATASETS_CACHE).parent.rglob("*") if path.is_file()}
    assert not [name for name in left if name.endswith((".parquet", ".arrow"))], "no row lies on the disk"


def test_nothing_before_the_first_row_that_is_wanted_travels(there: LoopbackHub) -> None:
    dataset = open_dataset("user/stack-mix")
    there.state.requests.clear()
    assert numbers(dataset, (205, 207), (229, 230)) == [205, 206, 229]
    asked = {path.split("/")[-1] for method, path in there.state.requests if method == "GET" and "/data/" in path}
    assert asked == {"test-00002-of-00003.parquet"}


def test_the_commit_is_pinned_while_the_branch_goes_on(there: LoopbackHub, tmp_path: Path) -> None:
    before = open_dataset("user/stack-mix")
    put(drawn(tmp_path / "next", rows=3, seed=1), "user/stack-mix")
    assert len(open_dataset("user/stack-mix")) == 3
    assert numbers(before) == list(range(230))
    assert len(open_dataset("user/stack-mix@v1.0")) == 230


@pytest.mark.parametrize(
    "fault", [{"drop": True}, {"drop_download_after": 5000}, {"status": 503}, {"status": 429}, {"status": 500}]
)
def test_a_broken_line_while_streaming(fault: dict[str, Any], there: LoopbackHub) -> None:
    there.fault("/data/", method="GET", every=3, **fault)
    assert numbers(open_dataset("user/stack-mix")) == list(range(230))


def test_a_line_that_stays_broken_is_one_sentence(there: LoopbackHub) -> None:
    dataset = open_dataset("user/stack-mix")
    there.fault("/data/", times=10_000, drop=True)
    with pytest.raises(RunError, match=r"Cannot read user/stack-mix: the Hub cannot be reached") as caught:
        numbers(dataset)
    assert "\n" not in str(caught.value)


def test_what_the_hub_does_not_show(there: LoopbackHub, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = r"open the dataset user/other: the Hub shows no such dataset.* There is no folder 'user/other' here"
    with pytest.raises(InputError, match=missing):
        open_dataset("user/other")
    with pytest.raises(InputError, match="no such revision"):
        open_dataset("user/stack-mix@v9")
    repository = there.state.repositories["dataset", "user/stack-mix"]
    repository.private = True
    monkeypatch.setenv("HF_TOKEN", OTHER_TOKEN)
    with pytest.raises(InputError, match="if the dataset is private, log in"):
        open_dataset("user/stack-mix")
    repository.private, repository.gated = False, "manual"
    with pytest.raises(RunError, match=r"it is gated. Request access at http.*/datasets/user/stack-mix, then log in"):
        open_dataset("user/stack-mix")
    repository.allowed.add("other")
    assert len(open_dataset("user/stack-mix")) == 230


def test_a_bad_token(there: LoopbackHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", BAD_TOKEN)
    said = "does not accept the access token .Invalid credentials in Authorization header.; log in with `hf auth login`"
    with pytest.raises(RunError, match=said) as caught:
        open_dataset("user/stack-mix")
    assert BAD_TOKEN not in str(caught.value)


def test_a_hub_that_is_away(there: LoopbackHub) -> None:
    there.fault(times=10_000, drop=True)
    with pytest.raises(RunError, match="the Hub cannot be reached"):
        open_dataset("user/stack-mix")


def test_a_dataset_of_somebody_elses_making(hub: LoopbackHub) -> None:
    """No manifest, other columns, labels by name: streamed by `datasets`, its length from its card."""
    columns = {"picture": datasets.Image(), "label": datasets.ClassLabel(names=["goldfish", "tench"])}
    table = datasets.Dataset.from_dict(
        {"picture": [pixels(number) for number in range(7)], "label": [0, 1] * 3 + [0]},
        features=datasets.Features(columns),
    )
    table.push_to_hub("user/pictures", split="test")
    dataset = open_dataset("user/pictures")
    assert (len(dataset), dataset.manifest, dataset.wall) == (7, None, None)
    batches = list(dataset.batches(4))
    assert [int(label) for batch in batches for label in batch.labels] == [1, 0, 1, 0, 1, 0, 1]
    assert np.array_equal(np.concatenate([batch.images for batch in batches]), np.stack([pixels(n) for n in range(7)]))
    with pytest.raises(InputError, match=r"user/training.* split.*test"):
        table.push_to_hub("user/training", split="train")
        open_dataset("user/training")


def test_offline_a_downloaded_copy_is_read(there: LoopbackHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import huggingface_hub

    huggingface_hub.snapshot_download("user/stack-mix", repo_type="dataset")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.HfApi, "repo_info", _offline)
    there.state.requests.clear()
    assert numbers(open_dataset("user/stack-mix"), (228, 230)) == [228, 229]
    assert there.state.requests == []
    shutil.rmtree(tmp_path / "cache")
    with pytest.raises(RunError, match="HF_HUB_OFFLINE is set and no whole copy is in the cache"):
        open_dataset("user/stack-mix")


def _offline(*_: Any, **__: Any) -> None:
    from huggingface_hub.errors import OfflineModeIsEnabled

    raise OfflineModeIsEnabled("offline")


def test_a_folder_here_that_hides_a_dataset_there_is_said(there: LoopbackHub, tmp_path: Path) -> None:
    open_dataset("user/stack-mix")
    drawn(tmp_path / "user/stack-mix", rows=2)
    with pytest.warns(UserWarning, match="write hf://datasets/user/stack-mix for that one"):
        assert len(open_dataset("user/stack-mix")) == 2
    assert len(open_dataset("hf://datasets/user/stack-mix")) == 230


def test_the_classes_of_a_set_of_the_hub(there: LoopbackHub, folder: Path, tmp_path: Path) -> None:
    """`--classes user/name`: labels travel, pictures do not; a recipe has classes too."""
    from stackwalls.stackgen.commands._options import parse_classes_option

    assert dataset_classes("user/stack-mix@v1.0") == dataset_classes(folder) == tuple(range(230))
    put(recipe_folder(drawn(tmp_path / "few", rows=4), tmp_path / "recipe", parse_license("mit")), "user/recipe")
    few = tuple(entry.synset for entry in imagenet_classes()[:4])
    assert parse_classes_option(["user/recipe"]) == parse_classes_option([str(tmp_path / "few")]) == few
    for source, said in (
        ("user/none", "the Hub shows no such dataset"),
        ("user/stack-mix@v9", "no such revision"),
        (tmp_path / "no/such/folder", "it is not a Hub id either"),
        (str(tmp_path), "There is no finished dataset folder"),
    ):
        with pytest.raises(InputError, match=said) as caught:
            dataset_classes(source)
        assert "\n" not in str(caught.value)
    datasets.Dataset.from_dict({"label": [0]}).push_to_hub("user/theirs", split="test")
    with pytest.raises(InputError, match=r"no manifest\.json, so it is not a set of this package"):
        dataset_classes("user/theirs")


def test_a_set_whose_files_are_not_those_of_its_manifest(hub: LoopbackHub, folder: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(folder, tmp_path / "other"))
    shard = other / "data/test-00001-of-00003.parquet"
    content = bytearray(shard.read_bytes())
    content[1000] ^= 1
    shard.write_bytes(content)
    huggingface_hub.HfApi().create_repo("user/stack-mix", repo_type="dataset")
    huggingface_hub.HfApi().upload_folder(repo_id="user/stack-mix", repo_type="dataset", folder_path=other)
    with pytest.raises(InputError, match=r"data/test-00001-of-00003\.parquet of user/stack-mix is not the file that"):
        open_dataset("user/stack-mix")


@pytest.mark.parametrize("form", ["streamed", "downloaded", "images", "training"])
def test_a_row_that_names_a_file_of_the_user_is_not_read(form: str, hub: LoopbackHub, tmp_path: Path) -> None:
    """Only what the repository holds: neither the named file nor a link to it."""
    mine = tmp_path / "mine.png"
    Image.fromarray(pixels(5)).save(mine)
    cells = [{"bytes": None, "path": str(mine)}, {"bytes": None, "path": "mine.png"}]
    form_of_image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    theirs = pa.table({"image": pa.array(cells, form_of_image), "label": [0, 1]})
    sink = pa.BufferOutputStream()
    pq.write_table(theirs, sink)
    hub.api().create_repo("user/theirs", repo_type="dataset")
    card = b"---\nconfigs: [{config_name: default, data_files: [{split: test, path: data/*}]}]\n---\n"
    for name, data in (("data/test.parquet", sink.getvalue().to_pybytes()), ("README.md", card)):
        hub.api().upload_file(path_or_fileobj=data, path_in_repo=name, repo_id="user/theirs", repo_type="dataset")
    source = HubId("user/theirs")
    if form == "streamed":
        read = [row.read() for row in stream_hub(source, "test").rows()]
    elif form == "training":
        read = [data for data, _ in islice(stream_hub(source, "test").shuffled(0), 4)]
    elif form == "downloaded":
        images = download_hub(source, "test")
        read = [row.read() for row in images.rows()]
    else:
        read = [row.read() for row in open_hub(source, "test").rows()]
    assert read == [b""] * len(read)
    assert read


def test_a_card_that_names_a_file_of_the_user_is_refused(hub: LoopbackHub, tmp_path: Path) -> None:
    mine = tmp_path / "mine/test.parquet"
    mine.parent.mkdir()
    pq.write_table(pa.table({"image": [b"mine"], "label": [0]}), mine)
    hub.api().create_repo("user/theirs", repo_type="dataset")
    for path in (str(mine), f"file://{mine}", f"{tmp_path}/m*/*.parquet"):
        card = f"---\nconfigs: [{{config_name: default, data_files: [{{split: test, path: '{path}'}}]}}]\n---\n"
        hub.api().upload_file(
            path_or_fileobj=card.encode(), path_in_repo="README.md", repo_id="user/theirs", repo_type="dataset"
        )
        for read in (open_hub, download_hub, stream_hub):
            with pytest.raises(InputError, match=r"outside of its repository|Cannot open the dataset"):
                read(HubId("user/theirs"), "test")
