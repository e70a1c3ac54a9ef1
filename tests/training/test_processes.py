"""Two processes learn what one learns from the same batches."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from stackwalls.model.training import Recipe, Running, TrainingSpec, find_recipe, open_data, train

TIMED = {"images_per_s", "waiting"}


def history(folder: Path) -> list[dict[str, float]]:
    rows = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    return [{key: value for key, value in row.items() if key not in TIMED} for row in rows]


def launched(out: Path, pictures: Path, recipe: Recipe, *network: str) -> str:
    """What `stackgen train` under torchrun printed."""
    plain = {name: value for name, value in recipe.to_dict().items() if not isinstance(value, list | bool)}
    values = {name: value for name, value in plain.items() if value is not None}
    flags = [text for name, value in values.items() for text in (f"--{name.replace('_', '-')}", str(value))]
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    command = ["train", "--data", str(pictures), *network, "--out", str(out), "--device", "cpu"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    result = subprocess.run(
        [*launcher, "-m", "stackwalls.stackgen", *command, "--log-steps", "1", *flags],
        capture_output=True,
        text=True,
        env=environment,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def equal_histories(folder: Path) -> list[dict[str, float]]:
    """The history of two processes, which is that of one."""
    alone, both = history(folder / "one"), history(folder / "two")
    assert len(alone) == len(both) == 6 + 2
    for one, two in zip(alone, both, strict=True):
        assert one.keys() == two.keys()
        for key in one:
            assert two[key] == pytest.approx(one[key], abs=1e-5), (one["step"], key)
    first, last = (row["val_loss"] for row in alone if "val_loss" in row)
    assert last < first - 0.005, "it did learn"
    return both


@pytest.mark.slow
@pytest.mark.parametrize(("network", "rate"), [("walled:test_resnet", 0.005), ("sink:test_vit", 0.02)])
def test_two_processes_have_the_losses_of_one_for_a_walled_network(
    network: str, rate: float, pictures: Path, tmp_path: Path
) -> None:
    """Batch norm's statistics are the network's own, not those of a process's share of the batch."""
    values = {"epochs": 2, "batch_size": 8, "precision": "fp32", "optimizer": "sgd", "learning_rate": rate}
    recipe = find_recipe("fine-tune").with_values(**values)
    spec = TrainingSpec(recipe, network, size=64, pretrained=False)
    train(open_data(str(pictures)), spec, tmp_path / "one", Running(device="cpu", log_steps=1))
    flags = ("--recipe", "fine-tune", "--network", network, "--size", "64", "--from-scratch")
    launched(tmp_path / "two", pictures, recipe, *flags)
    equal_histories(tmp_path)


def test_two_processes_have_the_losses_of_one(pictures: Path, recipe: Recipe, tmp_path: Path) -> None:
    # small steps: where two numbers of a max-pool nearly tie, rounding decides, and large ones find such places sooner
    # AdamW divides a gradient by its own size, and so makes large what is the rounding error of a sum that cancels
    recipe = recipe.with_values(width=1 / 32, optimizer="sgd", learning_rate=0.005)
    spec, data = TrainingSpec(recipe), open_data(str(pictures))
    train(data, spec, tmp_path / "one", Running(device="cpu", log_steps=1))
    printed = launched(tmp_path / "two", pictures, recipe, "--recipe", "tiny", "--masked")
    both = equal_histories(tmp_path)
    assert printed.count("masked-vgg16") == 1, "one process writes and speaks"
    # one process may resume what two started
    train(data, spec, tmp_path / "two", Running(device="cpu", log_steps=1, accumulate=2), resume=True)
    assert history(tmp_path / "two") == both
