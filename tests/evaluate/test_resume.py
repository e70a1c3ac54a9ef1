"""Killed at any moment, shared by any number of processes: the same results to the byte."""

import random
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from evaluation_worker import METHODS, contents, noise_method, run, share, started
from hypothesis import given, strategies as st
from in_memory_dataset import InMemoryDataset, walled_cnn

from stackwalls.evaluate import Results, ShareDone, evaluate
from stackwalls.evaluate.run.block_run import explain_batch
from stackwalls.evaluate.run.blocks import BLOCK_IMAGES, SLOW_BLOCK_IMAGES, SharedRun, blocks_of, share_of
from stackwalls.model import InputError, Launch, RunError

WORK = ".unfinished"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of one process that nothing interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    run(folder)
    return folder


@given(
    st.lists(st.tuples(st.integers(1, 99), st.integers(0, 99)).map(sorted), min_size=1, max_size=4), st.integers(1, 9)
)
def test_every_image_is_in_one_block_of_one_process(counts: list[list[int]], world: int) -> None:
    slow, images = zip(*counts, strict=True)
    blocks = blocks_of(images, slow)
    covered = [(block.dataset, image) for block in blocks for image in range(block.start, block.stop)]
    assert covered == [(dataset, image) for dataset, count in enumerate(images) for image in range(count)]
    assert all(0 < len(block) <= BLOCK_IMAGES for block in blocks)
    assert all(len(block) <= SLOW_BLOCK_IMAGES for block in blocks if block.start < slow[block.dataset])
    shares = [share_of(blocks, Launch(rank, world)) for rank in range(world)]
    assert sorted(block.number for own in shares for block in own) == list(range(len(blocks)))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def killed(out: Path, times: int, seed: int, whole: dict[str, bytes], figures: bool = False) -> None:
    """Kill a run that many times, at moments spread over its length; then let it end, and compare."""
    generator = random.Random(seed)
    for name in ("first", "second"):  # the first one waits for the imports
        started_at = time.monotonic()
        process = started(out / name, figures=figures)
        process.join()
        length = time.monotonic() - started_at
        assert contents(out / name) == whole
    kills, unfinished, runs = 0, 0, 0
    while kills < times or (out / str(runs) / WORK).exists():
        folder = out / str(runs)
        process = started(folder, figures=figures)
        process.join(timeout=generator.uniform(0, length) if kills < times else None)
        if process.exitcode is None:
            process.kill()
            process.join()
            kills += 1
            unfinished += (folder / WORK).exists()
        else:
            assert process.exitcode == 0
            assert contents(folder) == whole, f"after {kills} kills"
            runs += 1
    assert unfinished, "at least one kill left something half done"


def test_killed_and_gone_on_with(whole: Path, tmp_path: Path) -> None:
    killed(tmp_path, 3, seed=1, whole=contents(whole))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_killed_twenty_times(tmp_path: Path) -> None:
    run(tmp_path / "whole", figures=True)
    killed(tmp_path, 20, seed=2, whole=contents(tmp_path / "whole"), figures=True)


def test_blocks_that_are_done_are_not_computed_again(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    original, written = SharedRun.write, []

    def stops(shared: SharedRun, block: Any, *rest: Any) -> None:
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(block.number)
        original(shared, block, *rest)

    monkeypatch.setattr(SharedRun, "write", stops)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path)
    assert written == [0, 1]
    assert {path.name for path in tmp_path.iterdir()} == {WORK}
    with pytest.raises(InputError, match="has no finished results"):
        Results.load(tmp_path)

    def writes(shared: SharedRun, block: Any, *rest: Any) -> None:
        written.append(block.number)
        original(shared, block, *rest)

    monkeypatch.setattr(SharedRun, "write", writes)
    run(tmp_path)
    assert written == [0, 1, 2, 3]
    assert "Resuming: 2 of 4 blocks of images are done." in capsys.readouterr().err
    assert contents(tmp_path) == contents(whole)


@pytest.mark.parametrize("world", [2, 3, 7])
def test_shares_make_the_table_of_one_process(world: int, whole: Path, tmp_path: Path) -> None:
    order = list(range(world))
    random.Random(world).shuffle(order)
    done = [share(tmp_path, rank, world) for rank in order]
    # the blocks are 4, so that with 7 processes some have none
    last_with_a_block = max(place for place, rank in enumerate(order) if rank < 4)
    assert done == [place >= last_with_a_block for place in range(world)]
    assert contents(tmp_path) == contents(whole)
    assert share(tmp_path, 0, world), "a process that is started again finds the results"


@pytest.mark.parametrize(
    ("methods", "limits", "lengths"),
    [
        (["GradCAM", "AblationCAM"], {}, [32, 32, 6]),
        (["GradCAM", "ScoreCAM"], {"ScoreCAM": 3}, [8, 32, 30]),
        (["GradCAM", "ScoreCAM"], {}, [8] * 8 + [6]),
        ({"GradCAM": "GradCAM", "noise": noise_method}, {"noise": 9}, [8, 8, 32, 22]),
    ],
    ids=["quick", "slow at first", "slow", "unknown"],
)
def test_blocks_are_short_where_a_method_takes_long(
    methods: Any, limits: dict[str, int], lengths: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, written = SharedRun.write, []

    def writes(shared: SharedRun, block: Any, *rest: Any) -> None:
        written.append(len(block))
        original(shared, block, *rest)

    monkeypatch.setattr(SharedRun, "write", writes)
    data, given = InMemoryDataset([*range(10)] * 7), {"limits": limits, "progress": False}
    table = evaluate(walled_cnn(), data, methods, **given).table()
    assert written == lengths
    with pytest.raises(ShareDone):
        evaluate(walled_cnn(), data, methods, out=tmp_path, launch=Launch(1, 2), **given)
    shared = evaluate(walled_cnn(), data, methods, out=tmp_path, **given)
    assert shared.table() == table
    assert written[len(lengths) :] == lengths[1::2] + lengths[::2]


def test_processes_side_by_side(whole: Path, tmp_path: Path) -> None:
    processes = [started(tmp_path, rank, 2) for rank in range(2)]
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    assert contents(tmp_path) == contents(whole)


def test_what_one_process_left_another_split_does(whole: Path, tmp_path: Path) -> None:
    assert not share(tmp_path, 1, 3)
    run(tmp_path)
    assert contents(tmp_path) == contents(whole)


def test_a_share_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(
        ShareDone, match=r"share \(2 of 4 blocks\) is done.*the last process writes the results"
    ) as caught:
        run(tmp_path, 0, 2)
    assert caught.value.exit_status == 0


def test_the_same_run_again_is_done_already(
    whole: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(whole)
    monkeypatch.setattr(SharedRun, "write", lambda *_: pytest.fail("computed again"))
    found = run(whole)
    assert "are from an identical run" in capsys.readouterr().err
    assert found.table() == (whole / "table.txt").read_text()
    assert contents(whole) == before
    with pytest.raises(InputError, match="already contains finished results"):
        run(whole, seed=1)


def test_overwriting_begins_anew(whole: Path, tmp_path: Path) -> None:
    run(tmp_path, limit=2)
    run(tmp_path, overwrite=True)
    assert contents(tmp_path) == contents(whole)
    with pytest.raises(InputError, match="cannot agree on who replaces"):
        run(tmp_path, 0, 2, overwrite=True)
    with pytest.raises(InputError, match="share a run through a folder"):
        run(None, 0, 2)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seed": 5}, "spec: seed"),
        ({"target": "label"}, "spec: target"),
        ({"limits": {"ScoreCAM": 3}}, "spec: limits"),
        ({"batch_size": 2}, None),
        ({"memory": "1MB"}, None),
    ],
)
def test_an_unfinished_run_of_something_else_is_refused(
    change: dict[str, Any], said: str | None, tmp_path: Path
) -> None:
    assert not share(tmp_path, 0, 2)
    if said is None:
        run(tmp_path, **change)  # what changes the numbers by rounding alone may differ
        return
    with pytest.raises(InputError, match=rf"unfinished run of something else \({said}\).*or delete"):
        run(tmp_path, **change)


def test_other_weights_data_or_methods_are_another_run(tmp_path: Path) -> None:
    model, data, out = walled_cnn(), InMemoryDataset(range(9)), {"out": tmp_path, "progress": False}
    with pytest.raises(ShareDone):
        evaluate(model, data, {"m": noise_method}, launch=Launch(0, 2), **out)
    with pytest.raises(InputError, match=r"something else \(datasets: noise\)"):
        evaluate(model, InMemoryDataset(range(10)), {"m": noise_method}, **out)
    with pytest.raises(InputError, match=r"something else \(methods: m\)"):
        evaluate(model, data, {"m": lambda model, inputs, targets: inputs[:, 0].abs()}, **out)
    next(model.parameters()).data.view(-1)[0] += 1
    with pytest.raises(InputError, match=r"something else \(weights\)"):
        evaluate(model, data, {"m": noise_method}, **out)


def test_two_processes_cannot_do_the_same_share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = SharedRun.write

    def meanwhile(shared: SharedRun, *rest: Any) -> None:
        for rank, world in ((0, 2), (0, 1)):
            with pytest.raises(RunError, match=r"Another process is writing .* 0 of 2"):
                run(tmp_path, rank, world)
        original(shared, *rest)

    monkeypatch.setattr(SharedRun, "write", meanwhile)
    assert not share(tmp_path, 0, 2)


def test_a_damaged_block_is_made_anew(whole: Path, tmp_path: Path) -> None:
    assert not share(tmp_path, 0, 2)
    block = tmp_path / WORK / "items/block-000000.item"
    content = bytearray(block.read_bytes())
    content[-100] ^= 1
    block.write_bytes(content)
    with pytest.raises(RunError, match=r"block-000000.item of the unfinished run is damaged .* removed"):
        run(tmp_path)
    assert not block.exists()
    run(tmp_path)
    assert contents(tmp_path) == contents(whole)


def test_random_methods_do_not_depend_on_batches() -> None:
    found = [run(None, batch_size=size).per_image for size in (8, 3, 1)]
    for other in found[1:]:
        pd.testing.assert_series_equal(
            found[0].query("method == 'noise'")["mu"], other.query("method == 'noise'")["mu"]
        )
        assert other["mu"].to_numpy() == pytest.approx(found[0]["mu"].to_numpy(), abs=1e-6, nan_ok=True)
    noise = found[0].query("method == 'noise'")["mu"]
    assert noise.nunique() == len(noise), "each picture draws its own"
    another = run(None, seed=1).per_image.query("method == 'noise'")["mu"]
    assert (another.to_numpy() != noise.to_numpy()).all()


def test_all_methods_are_there(whole: Path) -> None:
    counts = Results.load(whole).per_image.groupby(["dataset", "method"]).size().to_dict()
    assert counts == {(name, method): 18 if method == "ScoreCAM" and name == "a" else images
                      for name, images in (("a", 20), ("b", 7)) for method in METHODS}  # fmt: skip


def asked_of(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The methods of every call that makes maps, as they are made."""
    called: list[str] = []

    def noted(explainer: Any, prepared: Any, counts: Any, progress: Any = None) -> Any:
        called.extend(name for name in explainer.methods if counts[name])
        return explain_batch(explainer, prepared, counts, progress)

    monkeypatch.setattr("stackwalls.evaluate.run.block_run.explain_batch", noted)
    return called


@pytest.mark.parametrize("earlier", [["GradCAM", "EigenCAM"], ["noise", "ScoreCAM", "EigenCAM"]])
def test_a_method_added_to_finished_results_is_the_only_one_that_is_run(
    earlier: list[str], whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed while the results are replaced, it resumes: those of one run with all methods, to the byte."""
    limits = {"ScoreCAM": 18} if "ScoreCAM" in earlier else {}
    run(tmp_path, methods={name: METHODS[name] for name in earlier}, limits=limits)
    called = asked_of(monkeypatch)
    with monkeypatch.context() as killed:
        killed.setattr("stackwalls.evaluate.results.write_whole", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run(tmp_path)
    assert not (tmp_path / "run.json").exists()
    run(tmp_path)
    assert set(called) == set(METHODS) - set(earlier)
    assert contents(tmp_path) == contents(whole)


@pytest.mark.parametrize("change", [{"seed": 1}, {"limit": 5}, {"limits": {"GradCAM": 2, "ScoreCAM": 18}}])
def test_methods_are_not_added_to_results_of_another_run(change: dict[str, Any], whole: Path, tmp_path: Path) -> None:
    run(tmp_path, methods={"GradCAM": "GradCAM"}, limits={})
    before = contents(tmp_path)
    with pytest.raises(InputError, match=r"already contains finished results .* To add a method, name those"):
        run(tmp_path, **change)
    assert contents(tmp_path) == before
