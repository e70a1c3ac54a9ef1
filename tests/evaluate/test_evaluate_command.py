"""`stackgen evaluate` and `stackgen report`: what is printed, what is written, what is refused."""

import argparse
import json
from pathlib import Path

import pytest
import torch
from in_memory_dataset import InMemoryDataset, sparse_vgg
from PIL import Image

from stackwalls.evaluate import METHODS, ShareDone
from stackwalls.model import InputError, NotBlindError, find_device, load_model, save_model
from stackwalls.stackgen.cli import RESUMED, main
from stackwalls.stackgen.commands import demo as demo_command, evaluate as evaluate_command, report as report_command
from stackwalls.stackgen.commands._options import parse_methods


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with pictures and weights."""
    folder = tmp_path_factory.mktemp("place")
    noise = InMemoryDataset([0, 1])
    for synset, pixels in zip(("n01440764", "n01443537"), noise.images, strict=True):
        (folder / "pictures" / synset).mkdir(parents=True)
        Image.fromarray(pixels).save(folder / "pictures" / synset / "one.png")
    save_model(sparse_vgg(), folder / "narrow.safetensors")
    return folder


def run(command: object, *arguments: object) -> int:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)  # type: ignore[attr-defined]
    status: int = command.run(parser.parse_args([str(argument) for argument in arguments]))  # type: ignore[attr-defined]
    return status


def evaluate(place: Path, out: Path, *more: object) -> int:
    model = ("--model", "masked-vgg16", "--weights", place / "narrow.safetensors", "--device", "cpu")
    return run(evaluate_command, place / "pictures", *model, "--out", out, *more)


def test_all_seven_and_the_report_again(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate(place, tmp_path / "out") == 0
    captured = capsys.readouterr()
    table = (tmp_path / "out" / "table.txt").read_text()
    assert captured.out.startswith(table)
    assert all(f"\n{name} " in table for name in METHODS)
    assert "provably cannot see" in captured.out
    assert "14/14" in captured.err
    report = (tmp_path / "out" / "report.html").read_text()
    assert "SHA-256" in report
    assert "narrow.safetensors" in report
    (tmp_path / "out" / "report.html").unlink()
    assert run(report_command, tmp_path / "out", "--pdf") == 0
    assert (tmp_path / "out" / "report.html").read_text() == report
    assert len(list((tmp_path / "out" / "figures").glob("overlays-*.pdf"))) == 1
    assert run(report_command, tmp_path / "out") == 0
    assert len(list((tmp_path / "out" / "figures").glob("overlays-*.pdf"))) == 1, "what was there stays"
    assert capsys.readouterr().out.startswith(table)


def test_figures_as_pdf_of_results_that_are_there(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for more in ((), ("--pdf",)):
        assert evaluate(place, tmp_path / "out", "--method", "EigenCAM", *more) == 0
    assert "from an identical run; --overwrite computes them again" in capsys.readouterr().err
    assert len(list((tmp_path / "out" / "figures").glob("overlays-*.pdf"))) == 1


def test_json_on_stdout(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate(place, tmp_path, "--method", "GradCAM", "--method", "EigenCAM=1", "--json", "--seed", 3) == 0
    found = json.loads(capsys.readouterr().out)
    assert [(row["method"], row["n"]) for row in found["table"]] == [("GradCAM", 2), ("EigenCAM", 1)]
    assert found["table"][1]["mu_std"] is None
    assert found["run"]["spec"]["seed"] == 3
    assert found["certificate"]["passed"] is True


def test_the_demo_replaces_only_its_own_results(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "demo" / "results"
    assert evaluate(place, results, "--method", "EigenCAM") == 0
    before = {path: path.read_bytes() for path in results.rglob("*") if path.is_file()}
    assert main(["demo", "--out", str(tmp_path / "demo")]) == 2
    assert "holds results that the demo did not make" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in results.rglob("*") if path.is_file()} == before
    assert [path.name for path in (tmp_path / "demo").iterdir()] == ["results"]
    run = json.loads((results / "run.json").read_text())
    (results / "run.json").write_text(json.dumps({**run, "provenance": demo_command._MADE_BY}))
    assert demo_command._check_results(results)
    (results / "notes.txt").touch()
    with pytest.raises(InputError, match=r"contains other files \(notes\.txt\)"):
        demo_command._check_results(results)


def test_no_map_at_all_is_a_failed_run(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def explain(*_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr("stackwalls.evaluate.GradCamExplainer.explain", explain)
    assert evaluate(place, tmp_path, "--method", "GradCAM", "--backend", "grad-cam") == 1


def test_options_are_read(place: Path) -> None:
    assert parse_methods(None) == (None, {})
    assert parse_methods(["GradCAM", "ScoreCAM=20"]) == (["GradCAM", "ScoreCAM"], {"ScoreCAM": 20})
    # limits go by the names of the rows
    assert parse_methods(["some.module:f=3", "maps.npz=2", "GradCAMPlusPlus=4"]) == (
        ["some.module:f", "maps.npz", "GradCAMPlusPlus"],
        {"f": 3, "maps": 2, "GradCAM++": 4},
    )
    with pytest.raises(InputError, match="--method GradCAM is given twice"):
        parse_methods(["GradCAM", "GradCAM=3"])
    with pytest.raises(InputError, match="Two methods have the name"):
        parse_methods(["GradCAM++", "GradCAMPlusPlus=3"])
    for wrong in ("ScoreCAM=", "ScoreCAM=0", "ScoreCAM=-1", "ScoreCAM=many", "ScoreCAM=" + "9" * 5000):
        with pytest.raises(InputError, match="expected a method, or METHOD=N"):
            parse_methods([wrong])
    assert find_device("cpu") == torch.device("cpu")
    assert find_device("auto").type in ("cpu", "cuda", "mps")
    for wrong, said in {
        "abacus": "Expected a device such as auto, cpu, cuda, cuda:1 or mps, but got 'abacus'",
        "meta": "but got 'meta'",
        "cuda:99": "no device 'cuda:99' on this machine",
    }.items():
        with pytest.raises(InputError, match=said):
            find_device(wrong)


def test_refusals_leave_nothing(place: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(InputError, match=r"Unknown method 'GradCam'.*Did you mean 'GradCAM'"):
        evaluate(place, out, "--method", "GradCam")
    with pytest.raises(InputError, match=r"name the module, not its file: mine:f"):
        evaluate(place, out, "--method", "mine.py:f")
    with pytest.raises(InputError, match="No dataset was named"):
        run(evaluate_command, "", "--model", "masked-vgg16", "--out", out)
    with pytest.raises(InputError, match="There is no folder"):
        run(evaluate_command, tmp_path / "none", "--model", "masked-vgg16", "--out", out)
    with pytest.raises(InputError, match="Two datasets have the same name"):
        twice, weights = (place / "pictures", place / "pictures"), place / "narrow.safetensors"
        run(evaluate_command, *twice, "--model", "masked-vgg16", "--weights", weights, "--out", out)
    with pytest.raises(InputError, match="`batch_size` to be"):
        evaluate(place, out, "--batch-size", 0)
    with pytest.raises(InputError, match="blind behind bottom:54, not bottom:64"):
        evaluate(place, out, "--wall", "bottom:64")
    assert not out.exists()


def test_a_leaky_network_is_refused(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = load_model("masked-vgg16", place / "narrow.safetensors")
    monkeypatch.setattr(type(model), "head", lambda self, maps: self.classifier(maps[:, :, 1:6].flatten(1)))
    with pytest.raises(NotBlindError, match="not blind behind bottom:54"):
        evaluate(place, tmp_path)


def test_the_report_of_no_results(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no finished results"):
        run(report_command, tmp_path)


def test_each_process_has_its_own_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setattr(torch, "empty", lambda *_, **__: None)
    found = [str(find_device(name, 6)) for name in ("auto", "cuda", "cuda:1", "cpu")]
    assert found == ["cuda:2", "cuda:2", "cuda:1", "cpu"]


def test_the_launchers_processes_share_one_run(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As torchrun starts them: with so few images one has all of them, and the other nothing."""
    method = ("--method", "GradCAM")
    assert evaluate(place, tmp_path / "one", *method) == 0
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    with pytest.raises(ShareDone, match="0 of 1 blocks"):
        evaluate(place, tmp_path / "two", *method)
    for rank in ("0", "1"):
        monkeypatch.setenv("RANK", rank)
        assert evaluate(place, tmp_path / "two", *method, "--memory", "1GB") == 0
    assert "are from an identical run" in capsys.readouterr().err
    for name in ("table.csv", "per_image.parquet"):
        assert (tmp_path / "two" / name).read_bytes() == (tmp_path / "one" / name).read_bytes()
    assert "evaluate" in RESUMED


def test_a_baseline_for_comparison(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_model(sparse_vgg(visible_rows=14), tmp_path / "baseline.safetensors")
    weights = ("--weights", tmp_path / "baseline.safetensors", "--device", "cpu")
    call = (evaluate_command, place / "pictures", "--model", "baseline-vgg16", *weights, "--out", tmp_path / "out")
    with pytest.raises(InputError, match="baseline-vgg16 has no wall"):
        run(*call)
    assert run(*call, "--method", "GradCAM", "--not-blind") == 0
    assert "NOT BLIND: baseline-vgg16 sees behind the wall bottom:54" in capsys.readouterr().out
