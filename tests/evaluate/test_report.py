"""The report: the table's numbers, nothing from outside, nothing unescaped; and the figures' wall at its true row."""

import csv
import io
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from any_walls import walls
from hypothesis import given, settings
from in_memory_dataset import InMemoryDataset, sparse_vgg, walled_cnn
from matplotlib.path import Path as MatplotlibPath
from PIL import Image

from stackwalls.evaluate import Results, evaluate, overlay, overlays, render_report, write_figure
from stackwalls.evaluate.classes import IMAGENET_NAMES, ClassNames
from stackwalls.evaluate.report.figures import outline
from stackwalls.evaluate.report.gallery import anchor
from stackwalls.evaluate.report.page import TITLES
from stackwalls.evaluate.run.provenance import images_are, notes
from stackwalls.model import VGG16_WALL, InputError, Wall

EVIL = '<script>alert("x")</script>'


@pytest.fixture(scope="module")
def results() -> Results:
    data = [InMemoryDataset([0, 1], EVIL, Wall.parse("bottom:54")), InMemoryDataset([2], "b", seed=1)]
    methods = ["GradCAM", "EigenCAM", "HiResCAM"]
    return evaluate(
        walled_cnn(), data, methods, limits={"EigenCAM": 1}, progress=False, provenance={"command": f"run {EVIL}"}
    )


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "input"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("style", "script"):
            self.text.append(data)


def test_nothing_comes_from_outside(results: Results) -> None:
    text = render_report(results)
    page = Tags(text)
    assert not page.open
    kinds = {tag for tag, _ in page.tags}
    assert not kinds & {"link", "iframe", "object", "embed", "base", "form", "video", "audio"}
    scripts = [attributes for tag, attributes in page.tags if tag == "script"]
    assert scripts == [{"type": "application/json", "id": "gallery-data"}, {}], "data and code, inside the page"
    assert not [attributes["src"] for _, attributes in page.tags if "src" in attributes]
    assert len(re.findall(r"--sprite:url\(data:image/webp;base64,", text)) == 1 + 3, "one on top, and three images"
    assert "img-src data:;" in text
    links = [attributes["href"] for _, attributes in page.tags if "href" in attributes]
    sections = [name for name in TITLES if name not in ("baseline", "texts")]
    images = [f"#{anchor(EVIL, f'{EVIL}-{index}')}" for index in (0, 1)]
    assert links == [
        *("#result", *(f"#{name}" for name in sections), "#certificate", "#table", "#maps", "#meaning"),
        *(*images, "#b/b-0", "#"),
        "https://arxiv.org/abs/2404.01964",
    ]
    assert not re.search(r"@import|srcset|fetch\(|XMLHttpRequest|import\(|innerHTML", text)
    assert "default-src 'none'" in text
    anchors = {attributes.get("id") for _, attributes in page.tags}
    assert anchors >= set(sections)


def test_nothing_is_unescaped(results: Results) -> None:
    text = render_report(results)
    assert EVIL not in text
    assert text.count("&lt;script&gt;alert") >= 3
    handlers = [name for _, attributes in Tags(text).tags for name in attributes if name.startswith("on")]
    assert not handlers


class Cells(HTMLParser):
    """Data set → the lines of its table, each a list of cells."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.into: list[list[str]] | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "table":
            self.into = self.tables.setdefault(str(given["data-dataset"]), []) if "data-dataset" in given else None
        elif self.into is not None and tag == "tr":
            self.into.append([])
        elif self.into is not None and tag in ("td", "th"):
            self.into[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        if tag == "table":
            self.into = None

    def handle_data(self, data: str) -> None:
        if self.into and self.into[-1]:
            self.into[-1][-1] += data


def test_the_reports_numbers_are_the_tables(results: Results) -> None:
    """Every number of the report's tables is that of table.csv, rounded as it is shown."""
    text = render_report(results)
    tables = Cells(text).tables
    lines = list(csv.DictReader(io.StringIO(results.table("csv"))))
    assert {name: len(rows) for name, rows in tables.items()} == {EVIL: 1 + 3 + 1, "b": 1 + 3 + 1}
    for line in lines:
        head, *body = ([cell.strip() for cell in row] for row in tables[line["dataset"]])
        shown = next(dict(zip(head, row, strict=True)) for row in body if row[0] == line["method"])
        digits = {
            name: "–" if value == "nan" else f"{100 * float(value):.1f}"
            for name, value in line.items()
            if "_" in name and name != "wall_kind"
        }
        assert shown["mu × 100"] == f"{digits['mu_mean']} ± {digits['mu_std']:>4}"
        assert shown["native mu"] == f"{digits['native_mu_mean']} ± {digits['native_mu_std']:>4}"
        interval = f"{digits['mu_low']}–{digits['mu_high']}"
        few = "n < 10" if int(line["n"]) else "–"
        assert shown["95 % interval"] == (few if interval == "–––" else interval)
        assert shown["mu/chance"] == f"{float(line['mu_over_chance']):.2f}"
        assert (shown["n"], shown["NaN"]) == (line["n"], line["nan"])
        assert shown["lit"] == f"{100 * float(line['lit']):.0f} %"
        assert shown["energy"] == f"{digits['energy_mean']} %"
        assert shown["pointing"] == f"{100 * float(line['pointing_mean']):.0f} %"
    assert all(rows[-1][:2] == ["uniform map", "53.5"] for rows in tables.values())
    assert results.table("csv").strip() in "".join(Tags(text).text)


def test_the_dot_plots_marks_lie_where_the_numbers_are(results: Results) -> None:
    text = render_report(results)
    plot = text[text.index('id="dot-plot"') : text.index("How mu is distributed")]
    means = [float(found) for found in re.findall(r'class="mean" cx="([\d.]+)%"', plot)]
    lows = [float(found) for found in re.findall(r'class="reach" x1="([\d.]+)%"', plot)]
    table = results.summary
    rows = [row for method in table.methods for name in table.datasets if (row := table.find(name, method))]
    assert means == [pytest.approx(100 * row.mu.mean, abs=0.006) for row in rows]
    known = [100 * (row.mu.mean if np.isnan(row.interval.low) else row.interval.low) for row in rows]
    assert lows == [pytest.approx(low, abs=0.006) for low in known]


def test_a_network_that_sees_behind_the_wall_is_shouted_about(results: Results) -> None:
    seeing = Results(
        {**results.run, "blind": False}, {**results.certificate, "passed": False}, results.rows, results.samples
    )
    text = " ".join(" ".join(Tags(render_report(seeing)).text).split())
    assert "NOT BLIND: walled:small sees behind the wall bottom:64" in text
    assert "of a network that SEES behind the wall" in text
    assert "is NOT BLIND: it sees behind the wall, so saliency there is not an error" in text
    assert "Not certified" in text
    for claim in ("provably cannot see", "Any saliency there is therefore an error", "the network sees nothing of"):
        assert claim not in text
    assert "NOT BLIND" in seeing.report_text()
    assert "NOT BLIND" not in results.report_text()
    assert "NOT BLIND" not in render_report(results)


def test_the_report_says_what_a_reader_must_know(results: Results) -> None:
    text = " ".join(" ".join(Tags(render_report(results)).text).split())
    for said in (
        "pixel rows 160 to 223 (64 of 224), 28.6 % of the image",
        "was made for bottom:54, but walled:small is behind bottom:64. Mu is measured behind that wall: it hides the "
        "second image and part of the first (4.5 % of the image).",
        "EigenCAM: on the first image of ",
        "mu = 0 is necessary, not sufficient.",
        "get 0 by construction",
        "(here: HiResCAM)",
        "logits bit-identical",
        "grad-cam 1.",
        "seed",
    ):
        assert said in text, said


def test_a_report_on_failures_and_undefined_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    results = evaluate(walled_cnn(), InMemoryDataset([-1]), ["GradCAM"], target="label", progress=False)
    text = " ".join(" ".join(Tags(render_report(results)).text).split())
    assert "No map could be measured" in text
    assert "no label to explain" in text
    assert "The class explained is the image's label" in text
    assert "no labels" in text
    assert "no map" in text
    assert write_figure(results.plot()).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "text", ["top:32", "left:96", "box:64:96:160:192", "bottom:64+left:32", "rows:32:64@96", "box:96:0:160:64@384"]
)
def test_any_wall(text: str, tmp_path: Path) -> None:
    """Of any form and size: the words, the outline in the page and in the figures, the samples, all read back."""
    wall = Wall.parse(text)
    data = InMemoryDataset([0], size=wall.image_size)
    results = evaluate(walled_cnn(text), data, ["GradCAM", "EigenCAM"], out=tmp_path, progress=False)
    page = (tmp_path / "report.html").read_text()
    assert wall.description() in page
    assert f'viewBox="0 0 {wall.image_size} {wall.image_size}" aria-hidden="true"><path d="M' in page
    assert write_figure(results.plot()).startswith(b"\x89PNG")
    assert Results.load(tmp_path).samples.images.shape == (1, wall.image_size, wall.image_size, 3)


@settings(max_examples=60, deadline=None)
@given(walls(30))
def test_the_outline_is_that_of_the_dead_zone(wall: Wall) -> None:
    """Even–odd over all of its polygons: what is inside is dead."""
    centers = np.stack(np.meshgrid(*[np.arange(30) + 0.5] * 2), -1).reshape(-1, 2)
    inside = [MatplotlibPath([*polygon, polygon[0]], closed=True).contains_points(centers) for polygon in outline(wall)]
    assert (np.logical_xor.reduce(inside).reshape(30, 30) == wall.mask()).all()
    corners = [corner for polygon in outline(wall) for corner in polygon]
    assert len(corners) % 2 == 0


def rows_with_red(pixels: np.ndarray) -> np.ndarray:
    red, green, blue = (pixels[..., i].astype(int) for i in range(3))
    return (((red - green > 90) & (red - blue > 90)).sum(1) > 0).nonzero()[0]


def test_the_wall_is_drawn_at_its_true_row() -> None:
    """On a gray picture all that is red is the wall: it begins at row 170 of 224 and ends at the bottom."""
    data = InMemoryDataset([0])
    data.images[:] = 128
    results = evaluate(sparse_vgg(), data, ["HiResCAM"], progress=False)
    figure = overlays(results.samples, VGG16_WALL, across=True)
    (band,) = figure.axes[0].patches
    assert band.get_path().get_extents().extents.tolist() == [0, 170, 224, 224]
    pixels = np.asarray(Image.open(io.BytesIO(write_figure(figure))).convert("RGB"))
    axes = figure.axes[0].get_window_extent()
    scale = 160 / figure.dpi
    top, height = pixels.shape[0] - axes.y1 * scale, axes.height * scale
    red = rows_with_red(pixels[:, int(axes.x0 * scale) : int(axes.x1 * scale)])
    assert (red[0] - top) / height * 224 == pytest.approx(170, abs=1.5)
    assert (red[-1] + 1 - top) / height * 224 == pytest.approx(224, abs=1.5)


def test_an_overlay_mixes_gray_and_color() -> None:
    image = np.zeros((2, 2, 3), dtype=np.uint8)
    image[0] = 255
    found = overlay(image, np.array([[0.0, 1.0], [0.0, 1.0]]))
    assert found.shape == (2, 2, 3)
    assert found.min() >= 0
    assert found.max() <= 1
    viridis = np.array([[0.267004, 0.004874, 0.329415], [0.993248, 0.906157, 0.143936]])
    assert found[1] == pytest.approx(0.6 * viridis, abs=1e-4)
    assert found[0] == pytest.approx(0.4 + 0.6 * viridis, abs=1e-4)


def test_figures_are_the_same_bytes_each_time_and_of_two_kinds(results: Results) -> None:
    for kind in ("png", "pdf"):
        assert write_figure(results.plot("b"), kind) == write_figure(results.plot("b"), kind)
    with pytest.raises(InputError, match=r"no results on 'c': expected one of .*, b"):
        results.plot("c")
    with pytest.raises(InputError, match="'png' or 'pdf', but got 'gif'"):
        write_figure(results.plot("b"), "gif")


@pytest.mark.parametrize(
    ("label", "prediction", "said"),
    [
        (0, 0, "tench"),
        (0, 1, "tench,\nseen as goldfish"),
        (-1, 1, "seen as goldfish"),
        (5000, 1, "class 5000,\nseen as goldfish"),
        (0, -1, "tench,\nseen as no class"),
    ],
)
def test_captions(label: int, prediction: int, said: str) -> None:
    assert IMAGENET_NAMES.caption(label, prediction) == said


def test_captions_of_own_classes() -> None:
    names = ClassNames(["Sphynx_cat", "a dog of a breed with a name"], ["pug", "sphynx cat"])
    assert names.caption(0, 1) == "Sphynx_cat"
    assert names.caption(0, 0) == "Sphynx_cat,\nseen as pug"
    assert names.caption(1, 0) == "a dog of a breed with a…,\nseen as pug"
    assert ClassNames(["pug"], None).caption(0, 0) == "pug,\nseen as class 0"


def test_what_was_left_out_is_said_once() -> None:
    data = [InMemoryDataset([0, 1, 2], "a"), InMemoryDataset([0, 1, 2], "b", seed=1)]
    options = {"limit": 2, "limits": {"HiResCAM": 1}, "target": "label"}
    results = evaluate(walled_cnn(), data, ["GradCAM", "HiResCAM"], progress=False, **options)
    assert notes(results.run) == [
        "The wall is a cut: the two sides do not meet inside the network. Do not compare with other kinds of walls.",
        "Only the first 2 images of a and b.",
        "HiResCAM: on the first image of a and b only.",
        "The class explained is the image's label, not the class that the network predicts.",
    ]
    described = results.run["datasets"][0]
    mixed = {**described, "kind": "stack-mix", "spec": {"source": "drawn"}, "wall": "top:32"}
    drawn = {**results.run, "datasets": [mixed]}
    assert notes(drawn)[1].startswith("The images of a are drawn by this software, not photographed")
    assert "a was made for top:32, but walled:small is behind bottom:64" in notes(drawn)[4]
    assert notes(drawn)[4].endswith("the network sees part of the second image.")
    assert results.report_text().count("Only the first 2 images") == 1


@pytest.mark.parametrize(
    ("kind", "spec", "said"),
    [
        ("stack-mix", {"source": "drawn"}, "drawings"),
        ("stack-mix", {"source": "/data/imagenet/val"}, "photographs"),
        ("stack-gen", {"model": {"name": "stackwalls-mini"}}, "drawings"),
        ("stack-gen", {"model": {"name": "black-forest-labs/FLUX.2-klein-4B"}}, "generated"),
        ("stack-gen", {"model": "of another version"}, "generated"),
        (None, None, ""),
    ],
)
def test_drawings_are_known_for_what_they_are(kind: str | None, spec: dict[str, Any] | None, said: str) -> None:
    assert images_are(kind, spec) == said
