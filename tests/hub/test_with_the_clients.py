"""The clients as they are, in processes of their own: what is published is what others load."""

import hashlib
import json
import signal
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from dataset_maker import pixels
from loopback_hub import BAD_TOKEN, OTHER_TOKEN, WRITE_TOKEN, LoopbackHub
from loopback_hub_xet import XetStore
from publications import PUBLISH, Client, begun, drawn, generated, published, put

LOAD = """
import datasets, hashlib, json
datasets.config.USE_PARQUET_EXPORT = False
from stackwalls.hub_cards import {features}
for name, options in (
    ("./here", {{}}),
    ("user/there", {{"revision": "v1.0"}}),
    ("user/there", {{"streaming": True}}),
):
    table = datasets.load_dataset(name, split="test", **options)
    assert table.features == {features}()
    rows = [row | {{"image": hashlib.sha256(row["image"].tobytes()).hexdigest()}} for row in table]
    print(json.dumps(rows))
"""


@pytest.mark.parametrize("kind", ["stack_mix", "stack_gen"])
def test_folder_to_hub_to_load_dataset_gives_equal_rows(
    kind: str, hub: LoopbackHub, client: Client, tmp_path: Path
) -> None:
    """Pixel for pixel, from the folder, from the Hub and streamed; both sets with their own cards."""
    make = {"stack_mix": partial(drawn, rows=9, card=None), "stack_gen": partial(generated, rows=9)}[kind]
    put(make(tmp_path / "here"), "user/there", tag="v1.0")
    done = client(LOAD.format(features=f"{kind}_features"))
    here, there, streamed = map(json.loads, done.stdout.splitlines())
    assert here == there == streamed
    assert [row["image"] for row in here] == [hashlib.sha256(pixels(n).tobytes()).hexdigest() for n in range(9)]


def test_the_clients_own_advice(hub: LoopbackHub, client: Client, tmp_path: Path) -> None:
    put(drawn(tmp_path / "a", source="val"), "user/stack-mix", gated=True)
    code = f"""
import datasets
for token in {[OTHER_TOKEN, BAD_TOKEN]}:
    try:
        datasets.load_dataset("user/stack-mix", split="test", token=token)
    except Exception as error:
        print(type(error).__name__, str(error).replace(chr(10), " "))
"""
    gated, bad = client(code, token="").stdout.splitlines()
    assert gated.startswith("DatasetNotFoundError Dataset 'user/stack-mix' is a gated dataset on the Hub")
    assert bad.startswith("HfHubHTTPError")
    assert "Invalid credentials in Authorization header" in bad


@pytest.fixture(scope="module")
def many_shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("stackwalls.hub_cards.writing.finishing.SHARD_BYTES", 1)
        return drawn(tmp_path_factory.mktemp("sets") / "stack-mix", rows=1000, part=100)


def test_killed_in_the_middle_of_an_upload(hub: LoopbackHub, client: Client, tmp_path: Path, many_shards: Path) -> None:
    """The branch stays as it was, and the second run sends what is missing."""
    put(drawn(tmp_path / "old"), "user/stack-mix")
    hub.state.uploaded.clear()
    hub.fault("__lfs__", skip=3, times=1000, drop=True)
    words = (str(many_shards), "user/stack-mix", "--yes")
    with begun(hub, tmp_path, False, *words) as process:
        while len(hub.state.uploaded) < 3:
            time.sleep(0.01)
            assert process.poll() is None
        if sys.platform == "linux":
            assert WRITE_TOKEN.encode() not in Path(f"/proc/{process.pid}/cmdline").read_bytes()
        process.send_signal(signal.SIGKILL)
    time.sleep(0.5)  # what the server had begun to read
    hub.state.faults.clear()
    assert hub.files("user/stack-mix") == published(tmp_path / "old")
    assert len(hub.state.uploaded) == 3
    client(*PUBLISH, *words)
    assert hub.files("user/stack-mix") == published(many_shards)
    assert len(hub.state.uploaded) == len(set(hub.state.uploaded)), "nothing was sent twice"
    assert len(hub.trees("user/stack-mix")) == 3


def test_by_xet(hub: LoopbackHub, client: Client, tmp_path: Path, many_shards: Path) -> None:
    """The client's own way for large files, which is one commit too; killed and repeated."""
    hub.state.xet = XetStore(tmp_path / "xet")
    hub.fault("/commit/", method="POST", delay=30)
    words = (str(many_shards), "user/stack-mix", "--yes")
    with begun(hub, tmp_path, True, *words) as process:
        while not any("/commit/" in path for _, path in hub.state.requests):
            time.sleep(0.02)
            assert process.poll() is None
        process.send_signal(signal.SIGKILL)
    hub.state.faults.clear()
    assert hub.files("user/stack-mix") == {}
    client(*PUBLISH, *words, xet=True)
    assert hub.state.uploaded == [], "no object went by plain LFS"
    assert hub.files("user/stack-mix") == published(many_shards)
    hub.state.requests.clear()
    client(*PUBLISH, *words, xet=True)
    assert not [path for method, path in hub.state.requests if "/commit/" in path or "xet-write" in path]


def test_evaluating_a_set_of_the_hub_begins_at_once(hub: LoopbackHub, client: Client, many_shards: Path) -> None:
    """Two batches of a streamed set: one shard of ten travels, and none lies on the disk afterwards."""
    put(many_shards, "user/stack-mix")
    hub.state.requests.clear()
    code = """
import json
from stackwalls.hub_cards import open_dataset
dataset = open_dataset("user/stack-mix")
batches = dataset.batches(8)
print(json.dumps([len(dataset), next(batches).images.tolist()[3][0][:4]]))
batches.close()
"""
    length, corner = json.loads(client(code).stdout)
    assert length == 1000
    assert np.array_equal(corner, pixels(3)[0, :4])
    shards = {path.split("/")[-1] for method, path in hub.state.requests if "/data/" in path and method == "GET"}
    assert len(shards) <= 3
