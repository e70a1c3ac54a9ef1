"""Pinned models: folders by their files, repositories by their commit, and what stands in the way."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from huggingface_hub import errors

from stackwalls.model import InputError, RunError
from stackwalls.stackgen.diffusion import PRESETS, find_model

TinyPipeline = Callable[[str], Path]
COMMIT = "a" * 40


@pytest.mark.usefixtures("no_network")
def test_a_folder_is_pinned_by_its_files(tiny_pipeline: TinyPipeline, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(tiny_pipeline("klein"), folder)
    first = find_model("auto", str(folder), None, "cpu")
    assert (first.name, first.pipeline, first.preset, first.folder) == ("mine", "Flux2KleinPipeline", None, folder)
    (folder / "notes.md").write_text("no weights")
    assert find_model("auto", str(folder), None, "cpu").revision == first.revision
    scheduler = folder / "scheduler/scheduler_config.json"
    scheduler.write_text(scheduler.read_text() + " ")
    assert find_model("auto", str(folder), None, "cpu").revision != first.revision


@pytest.mark.usefixtures("no_network")
def test_folders_that_are_no_pipelines(tiny_pipeline: TinyPipeline, tmp_path: Path) -> None:
    def refused(folder: Path) -> str:
        with pytest.raises(InputError) as error:
            find_model("auto", str(folder), None, "cpu")
        return str(error.value)

    assert "is not a pipeline (there is no model_index.json)" in refused(tmp_path)
    (tmp_path / "model_index.json").write_text("{}")
    assert "has no .safetensors weights. Pickled weights are not loaded" in refused(tmp_path)
    (tmp_path / "unet.safetensors").write_bytes(b"")
    assert "has no readable pipeline" in refused(tmp_path)
    (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": ["pipeline.py", "Mine"]}))
    assert "requires its own code" in refused(tmp_path)


def test_code_that_comes_with_a_part_never_runs(tmp_path: Path) -> None:
    from stackwalls.stackgen.diffusion.miniature.spec import PIPELINE
    from stackwalls.stackgen.diffusion.pipeline import load_pipeline, place

    folder, ran = shutil.copytree(PIPELINE, tmp_path / "own"), tmp_path / "ran"
    index = json.loads((folder / "model_index.json").read_text()) | {"unet": ["own", "Own"]}
    (folder / "model_index.json").write_text(json.dumps(index))
    (folder / "unet/own.py").write_text(f"import pathlib\npathlib.Path({str(ran)!r}).touch()\nclass Own: pass\n")
    with pytest.raises(InputError, match="requires its own code, which is never run"):
        load_pipeline(find_model("auto", str(folder), None, "cpu"), place("cpu"))
    assert not ran.exists()


def cached(home: Path, repository: str, pipeline: str) -> None:
    """A model's index in the Hub's cache, as a download leaves it."""
    place = home / f"models--{repository.replace('/', '--')}"
    (place / "refs").mkdir(parents=True)
    (place / "refs/main").write_text(COMMIT)
    (place / "snapshots" / COMMIT).mkdir(parents=True)
    (place / "snapshots" / COMMIT / "model_index.json").write_text(json.dumps({"_class_name": pipeline}))


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and a Hub that nobody can reach."""
    import socket

    def unreachable(*_: object, **__: object) -> None:
        raise socket.gaierror("Name or service not known")

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(socket, "getaddrinfo", unreachable)
    return tmp_path


def test_a_cached_model_needs_no_hub(offline: Path) -> None:
    cached(offline, PRESETS["klein"].repository, "Flux2KleinPipeline")
    for preset in ("auto", "klein"):
        source = find_model(preset, None, None, "cuda:0")
        assert (source.revision, source.pipeline, source.preset) == (COMMIT, "Flux2KleinPipeline", PRESETS["klein"])


@pytest.mark.parametrize("status", [500, 503, 429, 403])
def test_a_cached_model_needs_no_working_hub(status: int, offline: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """But a refusal is one."""
    cached(offline, PRESETS["klein"].repository, "Flux2KleinPipeline")
    response: Any = SimpleNamespace(status_code=status, headers={}, request=None)

    def fail(*_: object, **__: object) -> None:
        raise errors.HfHubHTTPError("no", response=response)

    monkeypatch.setattr("huggingface_hub.HfApi.model_info", fail)
    if status == 403:
        with pytest.raises(RunError, match="the Hub forbids it"):
            find_model("klein", None, None, "cuda:0")
    else:
        assert find_model("klein", None, None, "cuda:0").revision == COMMIT


def test_a_model_that_cannot_be_had(offline: Path) -> None:
    with pytest.raises(RunError, match=r"the Hub cannot be reached .*give its folder with --model"):
        find_model("zimage", None, None, "cuda:0")
    with pytest.raises(RunError, match="the Hub cannot be reached"):
        find_model("auto", None, "v1", "cuda:0")


def test_auto_falls_back_on_the_miniature_and_says_why(offline: Path) -> None:
    without_gpu, without_hub = (find_model("auto", None, None, device) for device in ("cpu", "cuda:0"))
    assert without_gpu == without_hub == find_model("mini", None, None, "cpu")
    assert without_gpu.instead == "torch sees no accelerator (CUDA or MPS) here"
    assert without_hub.instead is not None
    assert "the Hub cannot be reached" in without_hub.instead


def test_what_the_hub_refuses_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """`model/hub/failures.py` translates; here it is asked to, and told what a missing file means."""
    response: Any = SimpleNamespace(status_code=404, headers={}, request=None)
    for error, kind, said in (
        (errors.GatedRepoError("no", response=response), RunError, "a/b@v9: it is gated"),
        (errors.RemoteEntryNotFoundError("no", response=response), InputError, "it is not a diffusers pipeline"),
    ):

        def refuse(*_: object, found: Exception = error, **__: object) -> None:
            raise found

        monkeypatch.setattr("huggingface_hub.HfApi.model_info", refuse)
        with pytest.raises(kind, match=said):
            find_model("auto", "a/b", "v9", "cuda:0")
    with pytest.raises(InputError, match=r"expected owner/name"):
        find_model("auto", "a/b@c", None, "cuda:0")
