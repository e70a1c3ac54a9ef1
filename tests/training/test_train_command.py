"""`stackgen train` as a user calls it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from PIL import Image

from stackwalls.model import USUAL_TRANSFORM, certify, load_model, to_input
from stackwalls.stackgen.cli import main

QUICK = ["--recipe", "tiny", "--width", "0.015625", "--batch-size", "8", "--epochs", "2", "--device", "cpu"]


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


@pytest.fixture
def trained(pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[Path, dict[str, object]]:
    out = tmp_path / "masked"
    assert main(["train", "--data", str(pictures), "--masked", *QUICK, "--out", str(out), "--json"]) == 0
    return out, json.loads(capsys.readouterr().out)


def test_it_writes_a_certified_model_folder_and_curves(
    trained: tuple[Path, dict[str, object]], pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, printed = trained
    assert printed["certified"] is True
    assert str(tmp_path) not in json.dumps({key: value for key, value in printed.items() if key != "model"})
    model = load_model(str(out / "model"))
    assert model.class_indices == (0, 1, 281)
    assert certify(model).passed
    training = json.loads((out / "model/training.json").read_text())
    assert training["data"] == "pictures"
    assert training["recipe"]["width"] == 0.015625
    accuracy = training["accuracy"]
    assert (accuracy["images"], accuracy["dataset"]) == (6, "pictures")
    # what the sidecar says is what the network does
    right = 0
    for position, folder in enumerate(sorted((pictures / "val").iterdir())):
        for file in sorted(folder.iterdir()):
            with Image.open(file) as opened:
                image = torch.from_numpy(USUAL_TRANSFORM(opened).copy())[None]
            right += int(model(to_input(image)).argmax()) == position
    assert right / 6 == pytest.approx(accuracy["top1"])
    assert size_of(out / "curves.png")[0] > 500

    baseline = tmp_path / "baseline"
    assert main(["train", "--data", str(pictures), "--baseline", *QUICK, "--out", str(baseline)]) == 0
    assert "sees the whole image" in capsys.readouterr().out
    assert not (baseline / "model/certificate.json").exists()
    figure = tmp_path / "both.png"
    assert main(["train", "--curves", str(out), str(baseline), "--out", str(figure)]) == 0
    assert size_of(figure)[1] > 300


def test_the_same_command_gives_the_same_weights(
    trained: tuple[Path, dict[str, object]], pictures: Path, tmp_path: Path
) -> None:
    again = tmp_path / "again"
    assert main(["train", "--data", str(pictures), "--masked", *QUICK, "--out", str(again)]) == 0
    name = "model/model.safetensors"
    assert (again / name).read_bytes() == (trained[0] / name).read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--masked"], "Name the data (--data)"),
        (["--data", "drawn"], "--masked or --baseline"),
        (["--data", "drawn", "--masked", "--classes", "1"], "to be 2 to"),
        (["--data", "drawn", "--masked", "--classes", "car"], "Unknown class 'car'"),
        (["--data", "drawn", "--masked", "--learning-rate", "-1"], "learning_rate"),
        (["--curves", "nowhere"], "no history.jsonl"),
    ],
)
def test_wrong_calls(arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", *arguments, "--out", str(tmp_path / "out.png")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out.png").exists()


def test_a_second_training_in_one_folder_is_refused(
    trained: tuple[Path, dict[str, object]], pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = ["train", "--data", str(pictures), "--masked", *QUICK, "--out", str(trained[0])]
    assert main(call) == 2
    assert "--resume" in capsys.readouterr().err
    assert main([*call, "--resume"]) == 0
    assert main([*call, "--resume", "--learning-rate", "0.5"]) == 2
    assert "recipe.learning_rate was 0.002, now 0.5" in capsys.readouterr().err


@pytest.mark.parametrize("number", [pytest.param(signal.SIGINT, marks=pytest.mark.slow), signal.SIGTERM])
def test_a_signal_to_all_processes_stops_after_a_step(number: signal.Signals, pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "masked"
    command = [sys.executable, "-m", "stackwalls.stackgen", "train", "--data", str(pictures), "--masked", *QUICK]
    command += ["--epochs", "100000", "--log-steps", "1", "--workers", "2", "--out", str(out)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as training:
        deadline = time.monotonic() + 120
        begun = out / "history.jsonl"
        while not (begun.exists() and begun.read_text()) and time.monotonic() < deadline:
            time.sleep(0.1)
        os.killpg(training.pid, number)
        _, said = training.communicate(timeout=60)
    assert training.returncode == 130, said
    assert "with --resume to continue" in said
    assert "Traceback" not in said
    assert (out / "checkpoints/last.pt").exists()
