"""Whatever breaks on the way: the branch never shows half a set, and the same call again ends with the folder."""

import hashlib
import itertools
import random
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from loopback_hub import LoopbackHub
from publications import drawn, published, put, whole_states

from stackwalls.model import RunError
from stackwalls.model.hub.failures import WAITS

FAULTS: dict[str, dict[str, Any]] = {
    "line dropped": {"drop": True},
    "answer lost": {"drop_answer": True},
    "500": {"status": 500},
    "429": {"status": 429, "headers": {"Retry-After": "1"}},
}


@pytest.fixture(scope="module")
def old_and_new(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A set, and its successor with fewer shards."""
    folder = tmp_path_factory.mktemp("sets")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("stackwalls.hub_cards.writing.finishing.SHARD_BYTES", 1)
        drawn(folder / "old", rows=210, part=100)
    return folder / "old", drawn(folder / "new", rows=9, seed=1)


def forget(hub: LoopbackHub, files: dict[str, bytes], kept: dict[str, bytes]) -> None:
    """As if these large files had never been sent."""
    for data in set(files.values()) - set(kept.values()):
        hub.state.object_path(hashlib.sha256(data).hexdigest()).unlink(missing_ok=True)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_at_any_one_request_does_not_stop_an_update(
    fault: str, hub: LoopbackHub, old_and_new: tuple[Path, Path]
) -> None:
    """One run, no second call: each request in turn fails once while a smaller set takes the place of a larger one."""
    old, new = old_and_new
    before = put(old, "user/set").commit
    repository = hub.state.repositories["dataset", "user/set"]
    for number in itertools.count():
        repository.branches["main"], repository.gated = before, False
        repository.tags.clear()
        del repository.states[2:]
        forget(hub, published(new), published(old))
        struck = hub.fault(skip=number, **FAULTS[fault])
        done = put(new, "user/set", tag="v1.0", gated=True)
        hub.state.faults.clear()
        assert hub.files("user/set") == published(new)
        whole_states(hub, "user/set", old, new)
        assert (repository.tags, repository.gated) == ({"v1.0": done.commit}, "manual")
        assert len(hub.trees("user/set")) == 3, "an empty repository, the old set, the new: no commit twice"
        if struck.seen <= number:
            break
    assert number > 20


@pytest.mark.parametrize("every", [2, 3, 5, 7])
def test_a_line_dropped_at_every_kth_request(every: int, hub: LoopbackHub, old_and_new: tuple[Path, Path]) -> None:
    """Every other and every third time the commit never gets through, for the client sends two requests for it."""
    old, new = old_and_new
    for folder in (old, new):
        dropping = hub.fault(every=every, drop=True)
        through = False
        for _ in range(4 if every > 3 else 1):
            with suppress(RunError):
                put(folder, "user/set")
                through = True
                break
        assert dropping.seen > every
        assert through or every in (2, 3)
        hub.state.faults.clear()
        put(folder, "user/set")
        assert hub.files("user/set") == published(folder)
    whole_states(hub, "user/set", old, new)


@pytest.mark.parametrize("seed", range(3))
def test_lines_dropped_at_random(seed: int, hub: LoopbackHub, old_and_new: tuple[Path, Path]) -> None:
    """A third of all requests breaks, before it is done or after; the same call is repeated until it is through."""
    chance = random.Random(seed)
    for number in range(2000):
        if chance.random() < 1 / 3:
            lost = "drop" if chance.random() < 0.5 else "drop_answer"
            hub.fault(skip=number, **{lost: True})
    old, new = old_and_new
    for folder in (old, new):
        for _ in range(20):
            with suppress(RunError):
                put(folder, "user/set")
                break
        assert hub.files("user/set") == published(folder)
    whole_states(hub, "user/set", old, new)


def test_a_fault_that_stays_ends_with_one_sentence(hub: LoopbackHub, old_and_new: tuple[Path, Path]) -> None:
    old, new = old_and_new
    put(old, "user/set")
    for fault, said in (
        ({"status": 503}, "the Hub answered 503"),
        ({"status": 429}, "the Hub answered 429"),
        ({"drop": True}, "the Hub cannot be reached"),
    ):
        for path in ("/commit/", "/preupload/", "__lfs__", "whoami", "/refs", "validate-yaml"):
            forget(hub, published(new), published(old))
            hub.fault(path, times=1000, **fault)
            with pytest.raises(RunError, match=f"Cannot publish to user/set: {said}") as caught:
                put(new, "user/set")
            assert "\n" not in str(caught.value)
            assert "again" in str(caught.value)
            hub.state.faults.clear()
            assert hub.files("user/set") == published(old)
    put(new, "user/set")
    assert hub.files("user/set") == published(new)


def test_one_waits_as_long_as_the_hub_asks(
    hub: LoopbackHub, old_and_new: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And longer from time to time if it does not say."""
    waited: list[float] = []
    monkeypatch.setattr("stackwalls.model.hub.failures.time.sleep", waited.append)
    hub.fault("/commit/", status=429, headers={"Retry-After": "55"})
    hub.fault("whoami", status=503, times=3)
    put(old_and_new[1], "user/set")
    assert waited == [1, 2, 4, 55]


def test_a_fault_that_stays_is_retried_in_one_round(
    hub: LoopbackHub, old_and_new: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commit is retried by us, and the listing before it by the client: the waits must not multiply."""
    old, new = old_and_new
    put(old, "user/set")
    waited: list[float] = []
    monkeypatch.setattr("stackwalls.model.hub.failures.time.sleep", waited.append)
    for path, skip, waits in (("/tree/", 1, ()), ("/commit/", 0, WAITS)):  # the plan reads the tree once
        hub.fault(path, skip=skip, times=1000, drop=True)
        with pytest.raises(RunError, match="the Hub cannot be reached"):
            put(new, "user/set")
        assert tuple(waited) == waits
        waited.clear()
        hub.state.faults.clear()


def test_somebody_elses_commit_is_seen_and_kept(hub: LoopbackHub, old_and_new: tuple[Path, Path]) -> None:
    """A commit that comes between the look and ours: ours is made anew, onto theirs."""
    from loopback_hub_state import Entry

    old, new = old_and_new
    put(old, "user/set")
    repository = hub.state.repositories["dataset", "user/set"]
    original, meddled = hub.state.fault_for, []

    def meddle(method: str, path: str) -> Any:
        if "/commit/" in path and not meddled:
            meddled.append(
                repository.commit(
                    "main", repository.branches["main"], {**repository.tree(), "x": Entry(b"x")}, "theirs"
                )
            )
        return original(method, path)

    hub.state.fault_for = meddle  # type: ignore[method-assign]
    put(new, "user/set")
    assert hub.files("user/set") == {**published(new), "x": b"x"}
    commits = [commit.title for commit in repository.commits.values()]
    assert commits.count("theirs") == 1


def test_a_repository_that_came_between_is_not_taken_over(hub: LoopbackHub, old_and_new: tuple[Path, Path]) -> None:
    """Made by another run after our look: creating it again is no error, and its files are compared."""
    old, new = old_and_new
    from stackwalls.hub_cards.publishing.plan import PublishSpec, plan_publication
    from stackwalls.hub_cards.publishing.upload import publish

    plan = plan_publication(PublishSpec(str(new), "user/set"))
    put(old, "user/set")
    publish(plan)
    assert hub.files("user/set") == published(new)
    whole_states(hub, "user/set", old, new)
