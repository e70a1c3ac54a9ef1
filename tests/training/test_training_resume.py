"""A training that is stopped anywhere and resumed equals one that was not stopped, to the last bit."""

import copy
import itertools
import json
import os
import random
import signal
from pathlib import Path

import numpy as np
import pytest
import torch

from stackwalls.model import InputError
from stackwalls.model.images import LabeledImages
from stackwalls.model.training import History, Recipe, Running, Stopped, TrainingData, TrainingSpec, open_data, train
from stackwalls.model.training.checkpoint import Checkpoint, SaveTimes, random_states, set_random_states

TIMED = ("images_per_s", "waiting")
RUNNING = Running(device="cpu", log_steps=2)


def interrupted(data: TrainingData, reads: int, signal_number: int = signal.SIGINT) -> TrainingData:
    """The data; this process is sent a signal when a training image is read for that many times."""
    images = copy.copy(data.train)
    assert isinstance(images, LabeledImages)
    left, whole = itertools.count(reads - 1, -1), images.read

    def read(image: str | int, epoch: int = 0) -> bytes:
        if next(left) == 0:
            os.kill(os.getpid(), signal_number)
        return whole(image, epoch)

    images.read = read  # type: ignore[method-assign]
    return TrainingData(data.name, data.classes, images, data.val, data.details)


def history(folder: Path) -> list[dict[str, float]]:
    rows = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    return [{key: value for key, value in row.items() if key not in TIMED} for row in rows]


def final(folder: Path) -> Checkpoint:
    return Checkpoint.read(folder / "checkpoints/last.pt")


def equal(a: object, b: object) -> bool:
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and torch.equal(a, b)
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return isinstance(b, list | tuple) and len(a) == len(b) and all(map(equal, a, b))
    return a == b


@pytest.mark.parametrize(
    ("changes", "accumulation"),
    [({}, 1), ({"optimizer": "sgd", "learning_rate": 0.01, "precision": "bf16"}, 2)],
    ids=["adamw", "sgd-bf16-accumulated"],
)
def test_resumed_equals_uninterrupted(
    pictures: Path, recipe: Recipe, tmp_path: Path, changes: dict[str, object], accumulation: int
) -> None:
    spec = TrainingSpec(recipe.with_values(**changes), seed=3)
    running = Running(device="cpu", log_steps=2, accumulate=accumulation)
    data = open_data(str(pictures))
    whole = train(data, spec, tmp_path / "whole", running)
    # the picture is one of a step in the middle; calibration has read the first eight before
    reads = random.SystemRandom().randint(8 + 1, 8 + 5 * recipe.batch_size)
    with pytest.raises(Stopped, match="--resume"):
        train(interrupted(data, reads), spec, tmp_path / "parts", running)
    assert final(tmp_path / "parts").step < 6, reads
    again = train(data, spec, tmp_path / "parts", running, resume=True)
    assert whole is not None
    assert again is not None
    assert history(tmp_path / "parts") == history(tmp_path / "whole"), reads
    assert equal(vars(final(tmp_path / "parts")), vars(final(tmp_path / "whole"))), reads
    assert equal(again.model.state_dict(), whole.model.state_dict()), reads
    assert again.training == whole.training


def test_a_run_that_was_killed_goes_on_from_its_last_checkpoint(pictures: Path, recipe: Recipe, tmp_path: Path) -> None:
    class KilledError(Exception):
        pass

    def kill(line: str) -> None:
        if "step 5" in line:
            raise KilledError

    spec, data = TrainingSpec(recipe), open_data(str(pictures))
    running = Running(device="cpu", log_steps=1, checkpoint_steps=2)
    train(data, spec, tmp_path / "whole", running)
    with pytest.raises(KilledError):
        train(data, spec, tmp_path / "parts", running, report=kill)
    assert final(tmp_path / "parts").step == 4
    assert history(tmp_path / "parts")[-1]["step"] == 5
    train(data, spec, tmp_path / "parts", running, resume=True)
    assert history(tmp_path / "parts") == history(tmp_path / "whole")
    assert equal(final(tmp_path / "parts").model, final(tmp_path / "whole").model)


def test_a_finished_training_is_finished(pictures: Path, recipe: Recipe, tmp_path: Path) -> None:
    spec, data = TrainingSpec(recipe.with_values(epochs=1)), open_data(str(pictures))
    first = train(data, spec, tmp_path, RUNNING)
    lines = history(tmp_path)
    again = train(data, spec, tmp_path, RUNNING, resume=True)
    assert history(tmp_path) == lines
    assert first is not None
    assert again is not None
    assert again.training == first.training


def test_checkpoints_that_take_long_are_fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    times = SaveTimes()
    assert times.due(5, epoch=True), "the first"
    assert not times.due(5, epoch=False)

    def save(seconds: float) -> None:
        nonlocal now
        with times.measured():
            now += seconds

    save(0.9)
    assert times.due(5, epoch=True), "quick ones after every epoch"
    save(2)
    now += 39
    assert not times.due(5, epoch=True)
    now += 1
    assert times.due(5, epoch=True)
    assert not times.due(5, epoch=False)
    save(30)
    now += 301
    assert times.due(5, epoch=False), "after the minutes that were asked for"


def test_the_last_step_is_saved_however_long_that_takes(
    pictures: Path, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SaveTimes, "due", lambda *_, **__: False)
    train(open_data(str(pictures)), TrainingSpec(recipe.with_values(epochs=3)), tmp_path, RUNNING)
    assert final(tmp_path).step == history(tmp_path)[-1]["step"]


def test_sigterm_is_a_stop_too_and_handlers_come_back(pictures: Path, recipe: Recipe, tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    data = interrupted(open_data(str(pictures)), 20, signal.SIGTERM)
    with pytest.raises(Stopped):
        train(data, TrainingSpec(recipe), tmp_path, RUNNING)
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


def test_random_states_are_as_before(pictures: Path, recipe: Recipe, tmp_path: Path) -> None:
    before = random_states()
    train(open_data(str(pictures)), TrainingSpec(recipe.with_values(epochs=1)), tmp_path, RUNNING)
    assert equal(before, random_states())


def test_random_states_go_through_a_checkpoint(tmp_path: Path) -> None:
    states = random_states()
    try:
        random.seed(1)
        np.random.seed(2)  # noqa: NPY002
        torch.manual_seed(3)
        Checkpoint({}, 0, {}, {}, None, [random_states()]).write(tmp_path / "c.pt")
        drawn = random.random(), np.random.rand(), torch.rand(1).item()  # noqa: NPY002
        set_random_states(Checkpoint.read(tmp_path / "c.pt").random[0])
        assert (random.random(), np.random.rand(), torch.rand(1).item()) == drawn  # noqa: NPY002
    finally:
        set_random_states(states)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"learning_rate": 0.001}, "recipe.learning_rate was 0.002, now 0.001"),
        ({"width": 1 / 32}, "recipe.width was 0.015625, now 0.03125"),
        ({"network": "baseline-vgg16"}, "masked was True, now False"),
        ({"seed": 1}, "seed was 0, now 1"),
    ],
)
def test_a_checkpoint_of_another_training_is_refused(
    pictures: Path, recipe: Recipe, tmp_path: Path, change: dict[str, object], named: str
) -> None:
    recipe, data = recipe.with_values(epochs=1), open_data(str(pictures))
    train(data, TrainingSpec(recipe), tmp_path, RUNNING)
    kept = (tmp_path / "checkpoints/last.pt").read_bytes()
    own = {key: change.pop(key) for key in ("network", "seed") if key in change}
    other = TrainingSpec(recipe.with_values(**change), **own)
    with pytest.raises(InputError, match="of another training") as error:
        train(data, other, tmp_path, RUNNING, resume=True)
    assert named in str(error.value)
    assert (tmp_path / "checkpoints/last.pt").read_bytes() == kept


def test_a_folder_with_a_training_is_not_overwritten(pictures: Path, recipe: Recipe, tmp_path: Path) -> None:
    spec, data = TrainingSpec(recipe.with_values(epochs=1)), open_data(str(pictures))
    train(data, spec, tmp_path, RUNNING, resume=True)  # nothing there: begins
    with pytest.raises(InputError, match=r"already holds a training\. Add --resume"):
        train(data, spec, tmp_path, RUNNING)


def test_what_is_no_checkpoint_is_refused(pictures: Path, recipe: Recipe, tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    for content in (b"", b"no checkpoint", b"PK\x03\x04 cut off"):
        (tmp_path / "checkpoints/last.pt").write_bytes(content)
        with pytest.raises(InputError, match=r"last\.pt is not a checkpoint"):
            train(open_data(str(pictures)), TrainingSpec(recipe), tmp_path, RUNNING, resume=True)


def test_a_history_goes_on_after_the_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    path.write_text('{"step": 1}\n{"step": 2}\n{"step": 3}\n{"st')
    History(path, 2).add({"step": 3, "epoch": 1.5})
    assert [json.loads(line)["step"] for line in path.read_text().splitlines()] == [1, 2, 3]
