"""The miniature in the package: its size, the animals that it draws, and what `--preset auto` does without a GPU."""

import json
from pathlib import Path

import pytest

from stackwalls.model import InputError
from stackwalls.stackgen import cli
from stackwalls.stackgen.diffusion import find_model
from stackwalls.stackgen.diffusion.miniature.spec import PIPELINE, miniature_synsets

pytestmark = pytest.mark.usefixtures("no_network")


def test_it_is_small_and_says_how_it_was_made() -> None:
    assert sum(path.stat().st_size for path in PIPELINE.rglob("*") if path.is_file()) <= 12_000_000
    described = json.loads((PIPELINE / "miniature.json").read_text(encoding="utf-8"))
    assert len(set(miniature_synsets())) == len(miniature_synsets()) >= 12
    assert described["spec"]["denoiser_steps"] > 1_000
    for task in ("decoder", "denoiser"):
        lines = [json.loads(line) for line in (PIPELINE / f"{task}.history.jsonl").read_text().splitlines()]
        assert lines[-1]["loss"] < lines[0]["loss"]


def test_it_is_pinned_as_any_model() -> None:
    source = find_model("mini", None, None, "cpu")
    assert (source.name, source.pipeline, source.folder) == ("stackwalls-mini", "StableDiffusionPipeline", PIPELINE)
    assert source.revision.startswith("sha256:")
    assert source.instead is None
    with pytest.raises(InputError, match="has no revisions"):
        find_model("mini", None, "v2", "cpu")


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: False)


@pytest.mark.usefixtures("no_gpu")
def test_generate_offline_without_a_gpu(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The first command of a newcomer: drawings, loudly, most of them accepted, the same in a second run."""
    command = ["generate", "--classes", "6", "--seed", "1", "--json"]
    assert cli.main([*command, "--out", str(tmp_path / "a")]) == 0
    captured = capsys.readouterr()
    assert "NO PHOTOGRAPHS" in captured.err
    assert "--preset sd15" in captured.err
    found = json.loads(captured.out)
    assert found["counts"]["requested"] == 6
    assert found["counts"]["kept"] >= 4
    assert cli.main([*command, "--out", str(tmp_path / "b")]) == 0
    data = "data/test-00000-of-00001.parquet"
    assert (tmp_path / "a" / data).read_bytes() == (tmp_path / "b" / data).read_bytes()


@pytest.mark.usefixtures("no_gpu")
def test_more_than_it_draws(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    known = set(miniature_synsets())
    assert cli.main(["generate", "--preset", "mini", "--classes", "398", "--out", str(tmp_path / "set")]) == 2
    assert f"draws {len(known)} animals" in capsys.readouterr().err
    other = next(entry for entry in _animals() if entry.synset not in known)
    assert cli.main(["generate", "--classes", other.synset, "--out", str(tmp_path / "set")]) == 2
    assert f"{other.name} is none of them" in capsys.readouterr().err
    assert cli.main(["generate", "--preset", "mini", "--wall", "left:54", "--out", str(tmp_path / "set")]) == 2
    assert "on top of the other" in capsys.readouterr().err
    assert not (tmp_path / "set").exists()
    assert cli.main(["prompts", "--preset", "mini"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(known)


def _animals() -> tuple:  # type: ignore[type-arg]
    from stackwalls.model import animals

    return animals()
