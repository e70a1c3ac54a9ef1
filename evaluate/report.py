"""The report: one HTML file that holds everything it shows and asks for nothing from outside."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from numpy.typing import NDArray
from PIL import Image

from stackwalls.evaluate.figures import caption, overlay
from stackwalls.evaluate.headline import headline
from stackwalls.evaluate.methods import METHODS
from stackwalls.evaluate.provenance import notes
from stackwalls.evaluate.samples import Samples
from stackwalls.evaluate.table import TableRow
from stackwalls.model import Wall

if TYPE_CHECKING:
    from stackwalls.evaluate.results import Results

_TEMPLATES = Path(__file__).parent / "templates"

_QUALITY = 88
"""Of the WebP pictures in the report; the figures beside it are lossless."""


def render_report(results: Results) -> str:
    """The report as HTML text; the same text for the same results.

    Args:
        results: of one evaluation.
    """
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    table = results.summary
    return environment.get_template("report.html.jinja").render(
        headline=headline(table, results.run["model"]),
        run=results.run,
        wall=results.wall,
        where=wall_in_words(results.wall),
        notes=notes(results.run),
        table=table,
        bars={(row.dataset, row.method): _bar(row) for row in table.rows},
        table_csv=results.table("csv"),
        certificate=results.certificate,
        galleries=[(name, _gallery(results.samples.of(name), results.wall)) for name in table.datasets],
        errors=results.errors().to_dict("records"),
        by_construction=[name for name in table.methods if name in METHODS and METHODS[name].zero_by_construction],
        band=_band(results.wall),
        facts=_facts(results),
    )


def wall_in_words(wall: Wall) -> str:
    """`pixel rows 170 to 223, 54 of 224 (24.1 %)`."""
    count = f"{wall.size} of {wall.image_size} ({100 * wall.share:.1f} %)"
    return f"pixel {wall.axis} {wall.start} to {wall.stop - 1}, {count}"


def _band(wall: Wall) -> str:
    """The wall over a picture, as CSS."""
    start, size = 100 * wall.start / wall.image_size, 100 * wall.share
    first, last = wall.start > 0, wall.stop < wall.image_size
    if wall.axis == "rows":
        return f"left:0;right:0;top:{start:.3f}%;height:{size:.3f}%;border-width:{2 * first}px 0 {2 * last}px"
    return f"top:0;bottom:0;left:{start:.3f}%;width:{size:.3f}%;border-width:0 {2 * last}px 0 {2 * first}px"


def _bar(row: TableRow) -> dict[str, float] | None:
    """Where a mean and its spread lie on a scale of 0 to 100; None where there is no mean."""
    if not row.mu.n:
        return None
    spread = 0.0 if np.isnan(row.mu.std) else row.mu.std
    low, high = max(row.mu.mean - spread, 0), min(row.mu.mean + spread, 1)
    return {"mean": 100 * row.mu.mean, "low": 100 * low, "spread": 100 * (high - low)}


def _gallery(samples: Samples, wall: Wall) -> list[dict[str, Any]]:
    lines = []
    for i in range(len(samples)):
        tiles: list[dict[str, str | None]] = [{"title": "image", "below": "", "picture": _data_uri(samples.images[i])}]
        for j, method in enumerate(samples.method):
            values, mu = samples.maps[i, j], samples.mu[i, j]
            below = "no mu" if np.isnan(mu) else f"mu {100 * mu:.1f}"
            tile: dict[str, str | None] = {"title": str(method), "below": below, "picture": None}
            if not np.isnan(values).any():
                tile["picture"] = _data_uri(np.rint(255 * overlay(samples.images[i], values)).astype(np.uint8))
            elif np.isnan(mu):
                tile["below"] = "no map"
            tiles.append(tile)
        text = caption(int(samples.label[i]), int(samples.prediction[i]))
        lines.append({"caption": text, "image_id": str(samples.image_id[i]), "tiles": tiles})
    return lines


def _data_uri(pixels: NDArray[np.uint8]) -> str:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "WEBP", quality=_QUALITY)
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode()


def _facts(results: Results) -> list[tuple[str, str]]:
    """What the run was, as pairs of a heading and a value."""
    run, spec = results.run, results.run["spec"]
    facts = [
        ("network", run["model"]),
        ("wall", f"{run['wall']['wall']}: {wall_in_words(results.wall)}"),
        ("explained class", "the predicted one" if spec["target"] == "predicted" else "the image's label"),
        ("seed", str(spec["seed"])),
        ("batch size", str(spec["batch_size"])),
        ("device", run["device"]),
        ("versions", ", ".join(f"{name} {version}" for name, version in run["versions"].items())),
    ]
    for dataset in run["datasets"]:
        spec = [f"{key} {_as_text(value)}" for key, value in sorted((dataset["spec"] or {}).items())]
        facts.append((f"dataset {dataset['name']}", ", ".join([f"{dataset['length']} images", *spec])))
    return facts + [(str(name), _as_text(value)) for name, value in run["provenance"].items()]


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
