"""`stackgen review` as a user calls it."""

import http.client
import json
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from stackwalls.stackgen.cli import main


def test_it_prints_the_address_and_ctrl_c_says_what_was_decided(mix_folder: Path) -> None:
    command = [sys.executable, "-m", "stackwalls.stackgen", "review", str(mix_folder), "--no-browser"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    # a shell lets what it runs in the background ignore Ctrl-C, and children inherit that
    heed = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(command, text=True, preexec_fn=heed, **pipes) as process:
        assert process.stdout is not None
        address = urlsplit(process.stdout.readline().strip())
        connection = http.client.HTTPConnection("127.0.0.1", address.port or 0, timeout=10)
        body = json.dumps({"row": 0, "verdict": "rejected", "comment": ""})
        connection.request("POST", address.path + "decide", body, {"Content-Type": "application/json"})
        assert connection.getresponse().status == 200
        connection.close()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 0
    assert out == ""
    assert "0 kept, 1 rejected, 5 undecided" in err
    assert f"stackgen mix … --out {mix_folder} --redo-rejected" in err
    assert f"stackgen review {mix_folder}" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["--port", "70000"], "Expected a port from 1 to 65535"), ([], "no manifest.json in it")],
)
def test_a_wrong_call(tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    assert main(["review", str(tmp_path), "--no-browser", *arguments]) == 2
    assert message in capsys.readouterr().err
