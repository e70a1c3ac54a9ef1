"""The miniature's training: it resumes as if it had not been stopped, and ends in a pipeline that draws."""

import json
import os
import signal
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import nn

from stackwalls.model import InputError, RunError
from stackwalls.model.training import Stopped
from stackwalls.stackgen import cli
from stackwalls.stackgen.diffusion.miniature.spec import MiniatureSpec
from stackwalls.stackgen.diffusion.miniature.tasks import TaskLoop, rate_at


class Line(nn.Module):
    """Learns y = 3 x from noisy points."""

    def __init__(self, breaks_at: int | None = None, stops_at: int | None = None) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.slope = nn.Linear(1, 1)
        self.calls, self.breaks_at, self.stops_at = 0, breaks_at, stops_at

    def forward(self, generator: torch.Generator) -> torch.Tensor:
        self.calls += 1
        if self.calls == self.stops_at:
            os.kill(os.getpid(), signal.SIGTERM)
        x = torch.randn(8, 1, generator=generator)
        loss = (self.slope(x) - 3 * x).square().mean()
        return loss * float("nan") if self.calls == self.breaks_at else loss


def trained(folder: Path, steps: int, module: nn.Module | None = None, **described: object) -> nn.Module:
    """The module with averaged weights."""
    spec = MiniatureSpec(("hen",), seed=3, learning_rate=0.05)
    loop = TaskLoop(module or Line(), folder, described, steps, spec, lambda _: None)
    loop.run()
    return loop.average


def losses(folder: Path) -> list[tuple[int, float]]:
    lines = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    return [(line["step"], line["loss"]) for line in lines]


def test_interrupted_equals_uninterrupted(tmp_path: Path) -> None:
    """A signal in a step: the step is finished, a checkpoint is written, and the next run resumes from it."""
    whole = trained(tmp_path / "whole", 130)
    with pytest.raises(Stopped, match="Stopped after step 57 of 130"):
        trained(tmp_path / "parts", 130, Line(stops_at=57))
    again = trained(tmp_path / "parts", 130)
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), again.parameters(), strict=True))
    assert losses(tmp_path / "parts") == losses(tmp_path / "whole")
    assert not torch.equal(next(iter(whole.parameters())), next(iter(Line().parameters()))), "it did learn"


def test_it_learns_and_logs(tmp_path: Path) -> None:
    line = trained(tmp_path / "a", 600)
    assert float(line.slope.weight) == pytest.approx(3, abs=0.1)  # type: ignore[arg-type, union-attr]
    lines = losses(tmp_path / "a")
    assert [step for step, _ in lines] == [100, 200, 300, 400, 500, 600]
    assert lines[-1][1] < lines[0][1]


def test_the_rate_rises_stays_and_falls() -> None:
    rates = [rate_at(step, 2000) for step in range(2000)]
    assert rates[0] == pytest.approx(1 / 200)
    assert rates[199:1300] == [1.0] * 1101
    assert all(a >= b for a, b in pairwise(rates[1300:]))
    assert rates[-1] == 0.02


def test_another_training_is_not_continued(tmp_path: Path) -> None:
    trained(tmp_path, 1, classes=["a"])
    with pytest.raises(InputError, match="of another training"):
        trained(tmp_path, 2, classes=["b"])


def test_a_loss_that_is_not_finite_stops_it(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="The loss is nan at step 5; there is no checkpoint yet"):
        trained(tmp_path, 100, Line(breaks_at=5))


@pytest.mark.usefixtures("no_network")
def test_from_drawn_frames_to_a_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All stages, one step each: what comes out is loaded by `stackgen generate` as any pipeline."""
    arguments = ["--classes", "goldfish", "hen", "--per-class", "3", "--batch-size", "4", "--out", str(tmp_path / "m")]
    steps = ["--decoder-steps", "1", "--denoiser-steps", "1"]
    assert cli.main(["miniature", "--stage", "decoder", *arguments]) == 2
    assert "Run the stage `frames` first" in capsys.readouterr().err
    assert cli.main(["miniature", "--stage", "frame", *arguments]) == 2
    assert "Unknown stage 'frame'" in capsys.readouterr().err
    assert cli.main(["miniature", *arguments, *steps]) == 0
    assert "draws 2 animals" in capsys.readouterr().out
    for stage in ("frames", "decoder", "denoiser"):
        assert cli.main(["miniature", "--stage", stage, *arguments, "--classes", "goldfish", "ostrich"]) == 2
        assert "of other classes, or another number. Choose another --out" in capsys.readouterr().err
    described = json.loads((tmp_path / "m/pipeline/miniature.json").read_text())
    assert described["spec"]["classes"] == ["n01443537", "n01514859"]
    assert described["spec"]["denoiser_steps"] == 1
    generate = ["generate", "--model", str(tmp_path / "m/pipeline"), "--localizer", "foreground", "--classes", "hen"]
    options = ["--steps", "1", "--attempts", "1", "--size", "192x288", "--out", str(tmp_path / "set"), "--json"]
    assert cli.main([*generate, *options]) == 1, "after one step it draws noise, which is not an animal"
    said = capsys.readouterr().err
    assert "pipeline on cpu" in said
    assert "Of 1 requested images none was kept" in said
