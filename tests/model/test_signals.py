"""Ctrl-C and SIGTERM, sent to this process, and pressed five times in a command."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from stackwalls.model.runtime import signals
from stackwalls.model.runtime.signals import interrupted_once, interruption

HEED = partial(signal.signal, signal.SIGINT, signal.default_int_handler)
"""As in a terminal; a shell lets what it runs in the background ignore Ctrl-C, and children inherit that."""


@pytest.fixture(autouse=True)
def terminal() -> Iterator[None]:
    before = HEED()
    yield
    signal.signal(signal.SIGINT, before)


def press(times: int = 1, number: int = signal.SIGINT) -> None:
    for _ in range(times):
        os.kill(os.getpid(), number)


def test_ctrl_c_raises_once() -> None:
    with interrupted_once(process_ends=False):
        with pytest.raises(KeyboardInterrupt):
            press()
        press(4)  # while the first one is handled
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_later_ctrl_c_raises_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first may be lost: raised in a destructor, or caught by a method under test."""
    monkeypatch.setattr(signals, "PATIENCE", 0.02)
    with interrupted_once(process_ends=False):
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                press()
            press()
            time.sleep(0.03)


def test_a_process_that_ends_ignores_what_comes_after() -> None:
    with interrupted_once(process_ends=True):
        pass
    press(3)
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_what_runs_in_the_background_stays_there() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with interrupted_once(process_ends=False):
        press()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_step_is_finished_first_and_the_command_around_it_is_not_interrupted_again(number: int) -> None:
    default = signal.getsignal(signal.SIGTERM)
    with interrupted_once(process_ends=False):
        with interruption() as received:
            assert not received
            press(3, number)
            assert len(received) == 1
        assert signal.getsignal(signal.SIGTERM) is default
        press(2)  # of the same five: the command says what the step's end means


def test_a_step_that_does_not_end_is_interrupted_by_a_later_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals, "PATIENCE", 0.0)
    with interruption() as received, pytest.raises(KeyboardInterrupt):
        press()
        assert received
        press()


CALLS = {
    "mix": "mix --source drawn --classes 60 --per-class 40 --out out",
    "generate": "generate --preset mini --classes 20 --out out",
    "train": "train --data drawn --classes 24 --recipe tiny --masked --out out",
    "evaluate": "evaluate set --model mini-masked-vgg16 --out out",
}


@pytest.mark.slow
@pytest.mark.parametrize("command", CALLS)
def test_ctrl_c_five_times_is_one_sentence_and_130(command: str, tmp_path: Path) -> None:
    """While it starts, and in the middle of its work."""
    stackgen = [sys.executable, "-m", "stackwalls.stackgen"]
    if command == "evaluate":
        made = [*stackgen, *["mix", "--source", "drawn", "--classes", "20", "--per-class", "5", "--out", "set"]]
        subprocess.run(made, cwd=tmp_path, check=True, capture_output=True)
    for wait, between in ((0.5, 0.05), (2, 0.1), (4, 0.002), (6, 0.03)):
        call = [*stackgen, *CALLS[command].split()]
        with subprocess.Popen(call, cwd=tmp_path, stderr=subprocess.PIPE, text=True, preexec_fn=HEED) as process:
            time.sleep(wait)
            for _ in range(5):
                process.send_signal(signal.SIGINT)
                time.sleep(between)
            _, said = process.communicate(timeout=60)
        assert process.returncode == 130, said
        assert said.splitlines()[-1].lower().startswith("stackgen: stopped")
        assert "Traceback" not in said
