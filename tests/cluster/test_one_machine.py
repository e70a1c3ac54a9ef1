"""A Ray cluster of this machine alone, which all tests of this file share."""

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from cluster_cases import RUNS, files
from ray_nodes import Stub, importable

from stackwalls.model import Cluster, Failure, InputError, RunError
from stackwalls.stackgen import cli


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    if "ray" in sys.modules and os.environ.get("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER") != "0":
        pytest.skip("Ray was used on several nodes in this process: run this file by itself")
    found = Cluster()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")  # as this process has, and not as many as a worker has cores
        with importable(), found.connected():
            yield found


@pytest.mark.parametrize(
    "name", [*(pytest.param(name, marks=pytest.mark.slow) for name in ("mix", "generate")), "evaluate"]
)
def test_the_same_files_as_one_process(name: str, cluster: Cluster, tmp_path: Path) -> None:
    RUNS[name](tmp_path / "one")
    own = cluster if name == "mix" else Cluster(cpus=2)  # a single worker: each imports torch and all
    RUNS[name](tmp_path / "workers", own)
    assert files(tmp_path / "one") == files(tmp_path / "workers")
    assert len(files(tmp_path / "one")) > 3


def test_every_task_has_one_result_and_what_cannot_be_done_a_reason(cluster: Cluster) -> None:
    found = dict(cluster.results(Stub(), [*range(40), "dies", "fails", *range(40, 60)]))
    assert found.keys() == {*range(60), "dies", "fails"}
    assert found.pop("fails") == Failure("ValueError: not this one")
    died = found.pop("dies")
    assert isinstance(died, Failure)
    assert "died 3 times" in died.reason
    assert all(answer == task for task, answer in found.items())


def test_what_is_raised_on_purpose_ends_the_run(cluster: Cluster) -> None:
    with pytest.raises(RunError, match=r"^This is a sentence\.$"):
        list(cluster.results(Stub(), [1, "refused", 2]))


def test_it_listens_on_loopback_only(cluster: Cluster) -> None:
    del cluster
    listening = []
    for process in [psutil.Process(), *psutil.Process().children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):  # a worker of an earlier test, which ends now
            found = process.net_connections("inet")
            listening += [each.laddr.ip for each in found if each.status == psutil.CONN_LISTEN]
    assert len(listening) > 3
    assert {ip.removeprefix("::ffff:") for ip in listening} <= {"127.0.0.1", "::1"}


@pytest.mark.parametrize("needs", [{"gpus": 1}, {"cpus": 4096}])
def test_a_worker_that_never_fits(needs: dict[str, float], cluster: Cluster) -> None:
    del cluster
    with pytest.raises(InputError, match=r"^A worker needs .*, but this machine has .*: ask for less\.$"):
        list(Cluster(**needs).results(Stub(), [1]))


def test_no_such_cluster() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))  # not listening
        from stackwalls.model.runtime.cluster import _check_reachable

        with pytest.raises(InputError, match=r"^Nothing answers at 127"):
            _check_reachable(f"127.0.0.1:{free.getsockname()[1]}")


@pytest.mark.parametrize(
    "wrong", [{"cpus": 0}, {"gpus": -1}, {"gpus": 1.5}, {"cpus": float("nan")}], ids=lambda given: str(given)
)
def test_wrong_needs(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match=r"^Expected "):
        Cluster(**wrong)


def test_without_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with (
        pytest.raises(InputError, match=r"^Ray is not installed: pip install 'stackwalls\[ray\]'"),
        Cluster().connected(),
    ):
        pass


def test_the_other_kind_of_cluster_needs_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(is_initialized=lambda: False))
    for alone, address in (("0", "auto"), ("1", None)):
        monkeypatch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", alone)
        with pytest.raises(InputError, match=r"^Ray was imported in this process to run on .*: use a new process"):
            Cluster(address).once(int)


EVALUATE = "evaluate set --model mini-masked-vgg16 --out results"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (f"{EVALUATE} --gpus-per-worker 1", "add --ray"),
        (f"{EVALUATE} --ray --device cpu", "leave out --device"),
        (f"{EVALUATE} --ray --cpus-per-worker 0", "more than 0 CPUs"),
        ("mix --source drawn --ray --workers 2 --out set", "leave it out"),
        ("mix --source drawn --ray --redo-rejected --out set", "leave it out"),
    ],
)
def test_options_that_contradict(
    command: str, said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(command.split()) == 2
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_one_process_directs(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("RANK", "1"), ("WORLD_SIZE", "2"), ("LOCAL_RANK", "1")):
        monkeypatch.setenv(name, value)
    assert cli.main(f"{EVALUATE} --ray".split()) == 2
    assert "start it once" in capsys.readouterr().err


@pytest.mark.parametrize(
    "extra", ["--ray", "--ray auto", "--ray=10.0.0.5:6379", "--ray --gpus-per-worker 1 --cpus-per-worker=2"]
)
def test_the_recorded_command_is_that_of_one_process(extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from stackwalls.stackgen.commands._cluster import command_line

    words = f"evaluate set {extra} --model m --out results".split()
    monkeypatch.setattr(sys, "argv", ["stackgen", *words])
    recorded = command_line(cli.build_parser().parse_args(words))
    assert recorded == "stackgen evaluate set --model m --out results"
