"""What a results folder shows: figures by name, rendered again, and two folders compared by the command."""

import json
from pathlib import Path

import numpy as np
import pytest
from in_memory_dataset import InMemoryDataset, walled_cnn
from IPython.core.formatters import DisplayFormatter

from stackwalls.evaluate import Results, evaluate, teaser
from stackwalls.evaluate.report.figures import file_name
from stackwalls.model import InputError, Wall
from stackwalls.stackgen.cli import main


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("results")
    data = [InMemoryDataset([0, 1, 2] * 3, "user/set <1>"), InMemoryDataset([2], "b", seed=1)]
    evaluate(walled_cnn(), data, ["EigenCAM", "GradCAM"], out=out, progress=False)
    return out


@pytest.fixture
def names(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "figures").iterdir())


def test_figures_are_named_by_what_they_show(names: list[str]) -> None:
    assert names == ["more-overlays-user-set-1.png", "overlays-b.png", "overlays-user-set-1.png", "teaser-GradCAM.png"]
    assert [file_name(name) for name in ("GradCAM++", "../etc/passwd", "x" * 3, "§")] == [
        "GradCAM++", "etc-passwd", "xxx", "unnamed",
    ]  # fmt: skip


def test_another_method_in_the_teaser(folder: Path, names: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "figures" / "mine.txt").write_text("mine")
    assert main(["report", str(folder), "--method", "EigenCAM", "--pdf"]) == 0
    found = {path.name for path in (folder / "figures").iterdir()}
    assert {"teaser-EigenCAM.png", "teaser-EigenCAM.pdf", "overlays-b.pdf", "mine.txt"} <= found
    assert not found & {"teaser-GradCAM.png"}, "what is no longer asked for is gone; what is not ours stays"
    assert main(["report", str(folder), "--method", "ScoreCAM"]) == 2
    assert "no maps of 'ScoreCAM': expected one of EigenCAM, GradCAM" in capsys.readouterr().err
    (folder / "figures" / "mine.txt").unlink()
    for path in (folder / "figures").glob("*.pdf"):
        path.unlink()
    assert main(["report", str(folder)]) == 0
    assert sorted(path.name for path in (folder / "figures").iterdir()) == names


def test_the_teaser_is_the_median_image_with_its_map_before_upsampling(folder: Path) -> None:
    results = Results.load(folder)
    samples, wall = results.samples.of("user/set <1>"), Wall.parse("bottom:64")
    figure = teaser(samples, wall, "GradCAM")
    assert [axes.get_title() for axes in figure.axes] == ["image", "GradCAM before upsampling", "over the image"]
    mu = samples.mu[:, samples.method.tolist().index("GradCAM")]
    middle = sorted(mu[~np.isnan(mu)])[(int((~np.isnan(mu)).sum()) - 1) // 2]
    said = [text.get_text() for text in figure.axes[2].texts]
    assert said == [f"mu × 100 = {100 * middle:.1f}, chance 53.5"]
    blocks = np.asarray(figure.axes[1].images[0].get_array()).reshape(7, 16, 7, 16, 4)
    assert (blocks == blocks[:, :1, :, :1]).all(), "7 × 7 cells"
    assert len(np.unique(blocks[:, 0, :, 0].reshape(49, 4), axis=0)) > 5
    (band,) = figure.axes[1].patches
    assert band.get_path().get_extents().extents.tolist() == [0, 160, 224, 224]
    assert "SEES what is outlined" in teaser(samples, wall, "GradCAM", blind=False).axes[1].texts[0].get_text()


def test_a_notebook_shows_figures_without_pyplot(folder: Path) -> None:
    results = Results.load(folder)
    for figure in (results.plot(), teaser(results.samples, results.wall, "GradCAM")):
        assert DisplayFormatter().format(figure)[0]["image/png"].startswith(b"\x89PNG")


def test_no_teaser_of_maps_without_mu(folder: Path) -> None:
    results = Results.load(folder)
    results.samples.mu[:] = np.nan
    assert results.plot()
    with pytest.raises(InputError, match="None of the stored maps of GradCAM has mu"):
        teaser(results.samples, results.wall, "GradCAM")


def test_two_folders(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = [InMemoryDataset([0, 1, 2] * 3, "user/set <1>"), InMemoryDataset([2], "b", seed=1)]
    evaluate(walled_cnn("bottom:64"), data, ["GradCAM"], out=tmp_path / "other", seed=1, progress=False)
    assert main(["report", str(folder), str(tmp_path / "other")]) == 0
    printed = capsys.readouterr().out
    assert "| user/set <1> | GradCAM |" in printed
    assert (folder / "comparison.md").read_text() in printed
    assert "Masked − baseline" in (folder / "report.html").read_text()
    assert (folder / "comparison.csv").read_text().count("\n") == 1 + 2
    assert not (tmp_path / "other" / "comparison.md").exists()
    assert main(["report", str(folder), str(tmp_path / "other"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["report"] == str(folder / "report.html")
    assert [row["mu_mean"] for row in found["table"]] == [row.mu.mean for row in Results.load(folder).summary.rows]
    assert [row["method"] for row in found["comparison"]] == ["GradCAM", "GradCAM"]
    Results.load(folder).save(folder, overwrite=True)
    assert not (folder / "comparison.md").exists(), "it belongs to a rendering that is no longer there"
    assert main(["report", str(folder), str(folder)]) == 2
    assert "Cannot compare" in capsys.readouterr().err
    assert main(["report", str(folder), str(tmp_path / "nowhere")]) == 2
    assert "has no finished results" in capsys.readouterr().err
