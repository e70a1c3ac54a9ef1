"""The Hub on this machine, for every test of this folder."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from loopback_hub import WRITE_TOKEN, LoopbackHub

sys.path.insert(0, str(Path(__file__).parents[1] / "hub_cards"))  # `dataset_maker`

if TYPE_CHECKING:
    from publications import Client


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackHub]:
    """A new and empty Hub. This process's clients know only it, upload by plain LFS, and wait a moment, not seconds.

    They read their settings when they are imported, so these are changed in place; a child process (`client`) has them
    from its environment.
    """
    import datasets
    import huggingface_hub.utils._http as http
    from huggingface_hub import constants

    with LoopbackHub(tmp_path / "hub") as running:
        for module, name, value in (
            (constants, "ENDPOINT", running.url),
            (constants, "HUGGINGFACE_CO_URL_TEMPLATE", running.url + "/{repo_id}/resolve/{revision}/{filename}"),
            (constants, "HF_HUB_CACHE", str(tmp_path / "cache/hub")),
            (constants, "HF_TOKEN_PATH", str(tmp_path / "no-token")),
            (constants, "HF_HUB_DISABLE_XET", True),
            (constants, "HF_HUB_DISABLE_TELEMETRY", True),
            (constants, "HF_HUB_DOWNLOAD_TIMEOUT", 5),
            (http, "time", SimpleNamespace(sleep=lambda _: None)),
            (datasets.config, "HF_ENDPOINT", running.url),
            (datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache/datasets"),
            (datasets.config, "HF_MODULES_CACHE", str(tmp_path / "cache/modules")),
            (datasets.config, "HF_UPDATE_DOWNLOAD_COUNTS", False),
            (datasets.config, "USE_PARQUET_EXPORT", False),
            (datasets.config, "STREAMING_READ_RETRY_INTERVAL", 0),
        ):
            monkeypatch.setattr(module, name, value)
        monkeypatch.setattr("stackwalls.model.hub.failures.time", SimpleNamespace(sleep=lambda _: None))
        monkeypatch.setenv("HF_TOKEN", WRITE_TOKEN)
        monkeypatch.chdir(tmp_path)
        yield running
        assert running.state.problems == []


@pytest.fixture
def client(hub: LoopbackHub, tmp_path: Path) -> Client:
    """Run Python code, or `-m module …`, in a process of its own, with the clients as they are."""

    def run(
        *command: str, token: str = WRITE_TOKEN, home: str = "home", xet: bool = False, status: int | None = 0
    ) -> CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, *(command if len(command) > 1 else ("-c", *command))],
            capture_output=True,
            text=True,
            env=hub.environment(tmp_path / home, token, xet),
            cwd=tmp_path,
            timeout=120,
        )
        assert status is None or done.returncode == status, done.stdout + done.stderr
        return done

    return run
