"""Uploads by xet under faults, and kills at every request: the branch shows whole sets, and a re-run ends well."""

import itertools
import random
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from loopback_hub import LoopbackHub
from loopback_hub_xet import XetStore
from publications import PUBLISH, Client, begun, drawn, published, put, whole_states

from stackwalls.model import RunError

FAULTS: dict[str, dict[str, Any]] = {
    "line dropped": {"drop": True},
    "answer lost": {"drop_answer": True},
    "500": {"status": 500},
    "429": {"status": 429, "headers": {"Retry-After": "1"}},
}


@pytest.fixture(scope="module")
def old_and_new(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A set of three shards, and its successor of one."""
    folder = tmp_path_factory.mktemp("sets")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("stackwalls.hub_cards.writing.finishing.SHARD_BYTES", 1)
        drawn(folder / "old", rows=210, part=100)
    return folder / "old", drawn(folder / "new", rows=9, seed=1)


@pytest.fixture
def xet_hub(hub: LoopbackHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LoopbackHub:
    """A Hub whose large files go by xet, and this process's client too."""
    hub.state.xet = XetStore(tmp_path / "xet")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", False)
    return hub


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_at_any_one_request_does_not_stop_an_update(
    fault: str, xet_hub: LoopbackHub, old_and_new: tuple[Path, Path]
) -> None:
    old, new = old_and_new
    before = put(old, "user/set").commit
    repository = xet_hub.state.repositories["dataset", "user/set"]
    for number in itertools.count():
        repository.branches["main"] = before
        del repository.states[2:]
        struck = xet_hub.fault(skip=number, **FAULTS[fault])
        put(new, "user/set")
        xet_hub.state.faults.clear()
        assert xet_hub.files("user/set") == published(new)
        whole_states(xet_hub, "user/set", old, new)
        assert len(xet_hub.trees("user/set")) == 3, "an empty repository, the old set, the new: no commit twice"
        if struck.seen <= number:
            break
    assert number > 8
    assert xet_hub.state.uploaded == [], "no object went by plain LFS"


@pytest.mark.parametrize("seed", range(2))
def test_lines_dropped_at_random(seed: int, xet_hub: LoopbackHub, old_and_new: tuple[Path, Path]) -> None:
    """A quarter of all requests breaks, before it is done or after; the same call is repeated until it is through."""
    chance = random.Random(seed)
    for number in range(2000):
        if chance.random() < 1 / 4:
            xet_hub.fault(skip=number, **{chance.choice(("drop", "drop_answer")): True})
    old, new = old_and_new
    for folder in (old, new):
        for _ in range(20):
            with suppress(RunError):
                put(folder, "user/set")
                break
        assert xet_hub.files("user/set") == published(folder)
    whole_states(xet_hub, "user/set", old, new)


@pytest.mark.slow
@pytest.mark.parametrize("xet", [False, True])
def test_killed_at_any_request(
    xet: bool, hub: LoopbackHub, client: Client, tmp_path: Path, old_and_new: tuple[Path, Path]
) -> None:
    """The command is killed in the middle of its first request, of its second, …; then it is run once more."""
    if xet:
        hub.state.xet = XetStore(tmp_path / "xet")
    old, new = old_and_new
    for number in itertools.count(1):
        hub.state.repositories.clear()
        for path in hub.state.objects.iterdir():
            path.unlink()
        put(old, "user/set")
        hub.state.requests.clear()
        hub.fault(times=10_000, delay=0.1)
        words = (str(new), "user/set", "--yes", "--tag", "v1.0")
        with begun(hub, tmp_path, xet, *words) as process:
            while len(hub.state.requests) < number and process.poll() is None:
                time.sleep(0.01)
            process.send_signal(signal.SIGKILL)
        hub.state.faults.clear()
        time.sleep(0.2)  # what the server had begun to answer
        whole_states(hub, "user/set", old, new)
        client(*PUBLISH, *words, xet=xet)
        assert hub.files("user/set") == published(new)
        assert hub.state.repositories["dataset", "user/set"].tags.keys() == {"v1.0"}
        whole_states(hub, "user/set", old, new)
        if process.returncode == 0:
            break
    assert number > 15
