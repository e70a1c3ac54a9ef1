"""What goes wrong in a training is one sentence, and what was good before it is kept."""

import errno
from pathlib import Path

import pytest
import torch
from torch import nn

from stackwalls.model import InputError, NotBlindError, RunError
from stackwalls.model.files import take_lock
from stackwalls.model.training import Recipe, Running, TrainingData, TrainingSpec, open_data, train
from stackwalls.model.training.checkpoint import Checkpoint
from stackwalls.model.training.history import Progress

RUNNING = Running(device="cpu", log_steps=1, checkpoint_steps=1)


@pytest.fixture
def data(pictures: Path) -> TrainingData:
    return open_data(str(pictures))


@pytest.fixture
def spec(recipe: Recipe) -> TrainingSpec:
    return TrainingSpec(recipe)


def test_a_loss_that_is_not_finite_stops_and_keeps_the_good_checkpoint(
    data: TrainingData, spec: TrainingSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    entropy = nn.functional.cross_entropy

    def broken(*args: torch.Tensor, **options: float) -> torch.Tensor:
        calls.append(1)
        loss = entropy(*args, **options)
        return loss * float("nan") if len(calls) == 3 else loss

    monkeypatch.setattr("stackwalls.model.training.trainer.F.cross_entropy", broken)
    with pytest.raises(RunError, match=r"The loss is nan at step 3; the checkpoint of step 2 is intact\. .*--warm-up"):
        train(data, spec, tmp_path, RUNNING)
    kept = Checkpoint.read(tmp_path / "checkpoints/last.pt")
    assert kept.step == 2
    assert all(bool(tensor.isfinite().all()) for tensor in kept.model.values())


def test_the_step_is_named_even_when_losses_are_read_later() -> None:
    progress = Progress(step=10)
    with pytest.raises(RunError, match="inf at step 8; there is no checkpoint"):
        progress.take([1.0, 2.0, float("inf"), float("nan"), 1.0], "there is no checkpoint yet")


def test_a_learning_rate_that_explodes_is_noticed(data: TrainingData, recipe: Recipe, tmp_path: Path) -> None:
    wild = recipe.with_values(optimizer="sgd", learning_rate=1000.0, clip_norm=0.0, epochs=6, warm_up=0.0)
    with pytest.raises(RunError, match=r"not finite|The loss is"):
        train(data, TrainingSpec(wild), tmp_path, RUNNING)


def test_running_out_of_memory_says_what_to_change(
    data: TrainingData, spec: TrainingSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: object, **_options: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("stackwalls.model.training.trainer.F.cross_entropy", refuse)
    with pytest.raises(RunError, match=r"Out of memory with 4 images at once.*--accumulate 4"):
        train(data, spec, tmp_path, Running(device="cpu", accumulate=2))


def test_a_broken_picture_is_named(pictures: Path, spec: TrainingSpec, tmp_path: Path) -> None:
    (pictures / "train/n01443537/3.png").write_bytes(b"no picture")
    with pytest.raises(RunError, match=r"pictures/n01443537/3\.png cannot be decoded .*--resume"):
        train(open_data(str(pictures)), spec, tmp_path / "out", RUNNING)
    (pictures / "train/n01443537/3.png").write_bytes(b"")
    with pytest.raises(RunError, match=r"3\.png cannot be decoded \(the file is empty"):
        train(open_data(str(pictures)), spec, tmp_path / "out2", Running(device="cpu", workers=1))


def test_a_full_disk_leaves_the_checkpoint_before(
    data: TrainingData, spec: TrainingSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []
    save = torch.save

    def full(content: object, file: object) -> None:
        written.append(1)
        save(content, file)
        if len(written) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(RunError, match="Cannot write the checkpoint"):
        train(data, spec, tmp_path, RUNNING)
    assert Checkpoint.read(tmp_path / "checkpoints/last.pt").step == 2
    assert not list((tmp_path / "checkpoints").glob(".*"))


def test_a_network_that_leaks_is_not_written(
    data: TrainingData, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def leak(self: object, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.features(images)) + images[:, :1, -1, -1]  # type: ignore[attr-defined]

    monkeypatch.setattr("stackwalls.model.networks.blind_model.BlindModel.forward", leak)
    with pytest.raises(NotBlindError):
        train(data, TrainingSpec(recipe.with_values(epochs=1)), tmp_path, RUNNING)


@pytest.mark.parametrize(
    ("running", "message"),
    [
        ({"tracker": "nothing"}, "The tracker 'nothing' is not known"),
        ({"device": "tpu"}, "Expected `device` to be cpu or cuda"),
    ],
)
def test_what_is_not_there_is_said(
    data: TrainingData, spec: TrainingSpec, tmp_path: Path, running: dict[str, str], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        train(data, spec, tmp_path, Running(**running))  # type: ignore[arg-type]
    assert not list(tmp_path.glob("history*"))


@pytest.mark.parametrize(
    "values", [{"workers": -1}, {"accumulate": 0}, {"log_steps": 0}, {"checkpoint_minutes": float("nan")}]
)
def test_a_machine_that_cannot_be_is_refused(values: dict[str, float]) -> None:
    with pytest.raises(InputError):
        Running(**values)  # type: ignore[arg-type]


def test_two_at_once_are_refused(pictures: Path, recipe: Recipe, tmp_path: Path) -> None:
    """The second one says so and changes nothing; the lock goes with its holder."""
    (tmp_path / "run").mkdir()
    held = take_lock(tmp_path / "run/.lock", "busy")
    data, spec, running = open_data(str(pictures)), TrainingSpec(recipe), Running(device="cpu")
    with pytest.raises(RunError, match="Another process trains in"):
        train(data, spec, tmp_path / "run", running)
    assert [path.name for path in (tmp_path / "run").iterdir()] == [".lock"]
    held.release()


def test_an_empty_tracker_is_one_sentence(pictures: Path, recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"The tracker '' is not known: expected .*tensorboard"):
        train(open_data(str(pictures)), TrainingSpec(recipe), tmp_path / "run", Running(device="cpu", tracker=""))
    assert not (tmp_path / "run").exists()
