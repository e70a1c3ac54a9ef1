"""The results folder: whole, loadable, the same on every run, and never over something else."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from in_memory_dataset import InMemoryDataset, walled_cnn

from stackwalls.evaluate import ROW_SCHEMA, Results, Samples, evaluate
from stackwalls.model import InputError, RunError

FILES = {
    "per_image.parquet", "timings.parquet", "samples.npz", "certificate.json", "run.json", "table.txt", "table.md",
    "table.csv", "table.tex", "report.html", "figures",
}  # fmt: skip


def results(**options: Any) -> Results:
    data = [InMemoryDataset([0, -1, 2], "a"), InMemoryDataset([3], "b", seed=1)]
    return evaluate(walled_cnn(), data, ["GradCAM", "HiResCAM"], progress=False, **options)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results") / "new" / "folder"
    results(out=folder, provenance={"command": "stackgen evaluate <b>"}, limits={"HiResCAM": 1})
    return folder


def test_what_is_in_the_folder(saved: Path) -> None:
    assert {path.name for path in saved.iterdir()} == FILES
    assert sorted(path.name for path in (saved / "figures").iterdir()) == [
        "overlays-a.png", "overlays-b.png", "teaser-GradCAM.png",
    ]  # fmt: skip
    assert json.loads((saved / "certificate.json").read_text())["passed"] is True
    run = json.loads((saved / "run.json").read_text())
    assert run["model"] == "walled:small"
    assert run["wall"]["wall"] == "bottom:64"
    assert {"stackwalls", "torch", "grad-cam", "opencv", "python"} <= set(run["versions"])
    assert run["provenance"]["command"] == "stackgen evaluate <b>"
    assert sorted(run["provenance"]) == ["command", "contents of a", "contents of b"]
    assert pq.read_schema(saved / "per_image.parquet").names == [n for n in ROW_SCHEMA.names if n != "seconds"]


def test_what_is_loaded_is_what_was_saved(saved: Path) -> None:
    loaded, fresh = Results.load(saved), results(limits={"HiResCAM": 1})
    pd.testing.assert_frame_equal(loaded.per_image.drop(columns="seconds"), fresh.per_image.drop(columns="seconds"))
    assert (loaded.per_image["seconds"] > 0).all()
    assert loaded.certificate == json.loads(json.dumps(fresh.certificate))
    assert loaded.table() == fresh.table() == (saved / "table.txt").read_text()
    assert loaded.table("markdown") == (saved / "table.md").read_text()
    assert loaded.table("csv") == (saved / "table.csv").read_text()
    np.testing.assert_array_equal(loaded.samples.maps, fresh.samples.maps)
    np.testing.assert_array_equal(loaded.samples.images, fresh.samples.images)
    assert loaded.table("latex") == (saved / "table.tex").read_text()
    with pytest.raises(InputError, match="one of text, markdown, csv, latex, but got 'html'"):
        loaded.table("html")  # type: ignore[arg-type]


def test_all_but_the_timings_is_the_same_on_every_run(saved: Path, tmp_path: Path) -> None:
    results(out=tmp_path, provenance={"command": "stackgen evaluate <b>"}, limits={"HiResCAM": 1})
    for path in sorted(saved.rglob("*")):
        if path.is_file() and path.name != "timings.parquet":
            assert (tmp_path / path.relative_to(saved)).read_bytes() == path.read_bytes(), path.name


def test_rendering_again_changes_nothing_and_makes_pdf(saved: Path, tmp_path: Path) -> None:
    loaded = Results.load(saved)
    loaded.save(tmp_path, pdf=True)
    assert (tmp_path / "figures" / "overlays-b.pdf").read_bytes().startswith(b"%PDF")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    Results.load(tmp_path).render(tmp_path, pdf=True)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_samples_are_the_maps_of_the_first_images(saved: Path) -> None:
    samples = Results.load(saved).samples
    assert samples.image_id.tolist() == ["a-0", "a-1", "a-2", "b-0"]
    assert samples.method.tolist() == ["GradCAM", "HiResCAM"]
    np.testing.assert_array_equal(samples.images[3], InMemoryDataset([3], "b", seed=1).images[0])
    rows = Results.load(saved).per_image
    assert samples.mu[:, 0].tolist() == pytest.approx(rows[rows["method"] == "GradCAM"]["mu"].tolist(), nan_ok=True)
    assert samples.made[:, 1].tolist() == [True, False, False, True], "HiResCAM had one image only"
    assert samples.map_at(1, 1) is None
    assert samples.of("b").image_id.tolist() == ["b-0"]
    shown = samples.map_at(0, 0)
    assert shown is not None
    assert (shown.shape, shown.min() >= 0, shown.max() <= 1) == ((224, 224), True, True)


def test_a_folder_with_something_else_is_not_touched(saved: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("ten years")
    with pytest.raises(InputError, match=r"contains other files \(thesis.tex\)"):
        results(out=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a file"):
        results(out=tmp_path / "file")
    with pytest.raises(InputError, match="already contains finished results"):
        results(out=saved)


def test_it_is_refused_before_anything_is_computed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "notes").write_text("")
    monkeypatch.setattr("stackwalls.evaluate.run.runner.require_certificate", lambda *_: pytest.fail("computed"))
    with pytest.raises(InputError):
        results(out=tmp_path)


def test_overwriting_is_asked_for(tmp_path: Path) -> None:
    results(out=tmp_path)
    first = (tmp_path / "table.txt").read_text()
    results(out=tmp_path, overwrite=True, limit=1)
    assert (tmp_path / "table.txt").read_text() != first
    assert len(Results.load(tmp_path).per_image) == 4


def test_a_folder_without_its_last_file_is_unfinished(saved: Path, tmp_path: Path) -> None:
    shutil.copytree(saved, tmp_path, dirs_exist_ok=True)
    (tmp_path / "run.json").unlink()
    with pytest.raises(InputError, match=r"has no finished results \(no run.json\)"):
        Results.load(tmp_path)
    Results.load(saved).save(tmp_path)
    Results.load(tmp_path)


@pytest.mark.parametrize(
    "name", ["per_image.parquet", "timings.parquet", "samples.npz", "certificate.json", "run.json"]
)
def test_a_damaged_file_is_one_sentence(name: str, saved: Path, tmp_path: Path) -> None:
    shutil.copytree(saved, tmp_path, dirs_exist_ok=True)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=r"damaged|Cannot read"):
        Results.load(tmp_path)


def test_results_that_could_not_be_replaced_are_no_results(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(saved, tmp_path, dirs_exist_ok=True)
    loaded = Results.load(tmp_path)

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Results, "render", full)
    with pytest.raises(RunError, match="The disk is full"):
        loaded.save(tmp_path, overwrite=True)
    with pytest.raises(InputError, match="no finished results"):
        Results.load(tmp_path)


def test_a_full_disk_leaves_nothing_half_written(saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Samples, file: Any) -> None:
        file.write(b"half of it")
        raise OSError(28, "No space left on device", str(tmp_path / "samples.npz"))

    monkeypatch.setattr(Samples, "write", full)
    with pytest.raises(RunError, match="The disk is full"):
        Results.load(saved).save(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"per_image.parquet", "timings.parquet"}


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("run.json", "[]", "run.json: expected the content to be object, but found"),
        ("run.json", '{"format": 2}', "run.json: expected the content to have model, wall, device, datasets"),
        ("certificate.json", "[]", "certificate.json: expected the content to be object, but found"),
        ("certificate.json", "{}", "certificate.json: expected the content to have model, wall, passed"),
    ],
)
def test_json_of_another_shape_is_one_sentence(name: str, content: str, said: str, saved: Path, tmp_path: Path) -> None:
    shutil.copytree(saved, tmp_path / "copy")
    (tmp_path / "copy" / name).write_text(content)
    with pytest.raises(InputError, match=said):
        Results.load(tmp_path / "copy")


def test_a_notebook_shows_the_table_and_not_the_data(saved: Path) -> None:
    loaded = Results.load(saved)
    assert repr(loaded) == "<Results: walled:small behind bottom:64, 2 methods on a (3 images), b (1 image)>"
    shown = loaded._repr_html_()
    assert "<b>walled:small behind bottom:64</b>" in shown
    assert [shown.count(f'<th scope="row">{name}</th>') for name in ("GradCAM", "HiResCAM", "uniform map")] == [2, 2, 2]
    assert loaded.summary.cells("a", "GradCAM")[0] in shown
    assert len(shown) < 10_000


def test_names_are_text_in_a_notebook() -> None:
    data = InMemoryDataset([0], "<script>d</script>")
    found = evaluate(walled_cnn(), data, {"<img src=x>": "GradCAM"}, progress=False)
    assert not re.search("<script|<img", found._repr_html_())


def test_errors_are_a_property_and_a_call_as_before(saved: Path) -> None:
    loaded = Results.load(saved)
    assert list(loaded.errors.columns) == ["dataset", "method", "error", "images"]
    assert loaded.errors().equals(loaded.errors)
