"""Checks beyond mu on a dataset: twins, the step at which the leak appears, EigenCAM's signs, and reference maps."""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import nn
from tqdm import tqdm

from stackwalls.evaluate.adapters import named_methods
from stackwalls.evaluate.checks.leak_diagnostics import SIGNS, STAGES, eigen_maps, mu_by_stage, seen_change, twins_of
from stackwalls.evaluate.checks.map_maker import MapMaker, activations_of
from stackwalls.evaluate.maps import Maps, normalized_maps
from stackwalls.evaluate.metrics import mu
from stackwalls.evaluate.report.formatting import aligned, csv_text, markdown_table, markdown_text, percent, times_100
from stackwalls.evaluate.run.provenance import DRAWINGS, images_are
from stackwalls.evaluate.subject import Subject
from stackwalls.hub_cards import Batch, StackDataset, open_dataset
from stackwalls.model import (
    InputError,
    Wall,
    check_output_folder,
    disk_errors,
    local_arithmetic,
    preserved,
    require_certificate,
    to_input,
    write_whole,
)

FINDINGS_NAME = "findings.json"
"""Written last."""

_NAMES = {"findings.md", "findings.csv", FINDINGS_NAME}


@dataclass(frozen=True, eq=False)
class Findings:
    """What `beyond_mu` found.

    `per_image` has one row per image and method: `raw_drift` and `map_drift` (see `seen_change`), `mu_…` after each of
    `STAGES`, `same_logits` (whether the twin has exactly the same), `error` if there is no map.
    """

    per_image: pd.DataFrame
    about: Mapping[str, Any]  # network, dataset, images, wall, seed
    certificate: Mapping[str, Any]  # as Certificate.to_dict gives it
    wall: Wall

    def __post_init__(self) -> None:
        columns = ["image_id", "target", "same_logits", "method", "raw_drift", "map_drift"]
        columns += [*(f"mu_{stage}" for stage in STAGES), "error"]
        object.__setattr__(self, "per_image", self.per_image.reindex(columns=columns))

    def records(self) -> list[dict[str, Any]]:
        """One dict per method: means of mu by stage, medians of the drifts, the share of exact zeros, failures."""
        return [_record(str(method), rows) for method, rows in self.per_image.groupby("method", sort=False)]

    def lines(self) -> list[list[str]]:
        """The table's cells, mu and drift × 100; the first line is the heading."""
        lines = [["method", *STAGES, "raw drift", "= 0", "map drift", "n"]]
        for record in self.records():
            stages = [times_100(record[f"mu_{stage}"]) for stage in STAGES]
            drifts = [times_100(record["raw_drift"]), percent(record["unmoved"]), times_100(record["map_drift"])]
            lines.append([record["method"], *stages, *drifts, str(record["n"])])
        return lines

    def text(self) -> str:
        """For a terminal."""
        return "\n".join([*aligned(self.lines(), left=1), "", *self.legend()]) + "\n"

    def markdown(self) -> str:
        """As a GitHub table."""
        return (
            f"{markdown_table(self.lines())}\n\n"
            + "\n".join(f"- {markdown_text(line)}" for line in self.legend())
            + "\n"
        )

    def legend(self) -> list[str]:
        """What the columns mean, and what failed."""
        first = self.per_image.drop_duplicates("image_id")
        same = int(first["same_logits"].sum())
        lines = [
            f"{self.about['model']} behind {self.wall} on {self.about['images']} images of {self.about['dataset']}, "
            f"seed {self.about['seed']}; {same} of {len(first)} twins have bit-identical logits.",
            f"{', '.join(STAGES)}: mean mu × 100 after each step from the raw map to the one that is shown; a uniform "
            f"map has {times_100(self.wall.chance)}.",
            "raw drift, map drift: median change × 100 of the map's visible part when another image is placed behind "
            "the wall, before and after normalization and upsampling. = 0: share of raw maps whose visible part did "
            "not change at all.",
        ]
        if self.about.get("images_are") == "drawings":
            lines.append(DRAWINGS.format(self.about["dataset"]))
        failed = self.per_image[self.per_image["error"].notna()]
        return lines + [f"{row.method} failed: {row.error}" for row in failed.drop_duplicates("method").itertuples()]

    def save(self, folder: str | Path) -> None:
        """Write findings.md, findings.csv (the rows) and findings.json (table, certificate, setting), each whole.

        Raises:
            InputError: if the folder contains other files.
            RunError: if writing to the disk fails.
        """
        folder = check_findings_folder(folder)
        content = {"about": dict(self.about), "methods": self.records(), "certificate": dict(self.certificate)}
        finite = json.loads(json.dumps(content), parse_constant=lambda _: None)  # JSON has no NaN
        with disk_errors(folder, resumes=False):
            folder.mkdir(parents=True, exist_ok=True)
            write_whole(folder / "findings.csv", csv_text(self.per_image, missing="").encode())
            write_whole(folder / "findings.md", self.markdown().encode())
            write_whole(folder / FINDINGS_NAME, (json.dumps(finite, indent=2) + "\n").encode())


def check_findings_folder(folder: str | Path) -> Path:
    """The folder, if findings may be written to it: new, empty, or with older findings; otherwise an `InputError`."""
    folder = Path(folder)
    check_output_folder(folder, _NAMES, "the findings")
    return folder


def beyond_mu(
    model: torch.nn.Module,
    dataset: Any,
    methods: Any = None,
    *,
    wall: Wall | None = None,
    target_layer: torch.nn.Module | None = None,
    batch_size: int = 8,
    limit: int | None = None,
    seed: int = 0,
    progress: bool = True,
) -> Findings:
    """Measure twin drift, the leak's origin and EigenCAM's signs on a network that is blind behind a wall.

    The twin of an image has the dead zone of the next image in the dataset (the last one that of the first). Both are
    explained for the class that the network predicts, which is the same.

    Args:
        model: a `BlindModel`, or any module if `wall` and `target_layer` are given.
        dataset: as `evaluate` takes one.
        methods: as `evaluate` takes them; the seven by default.
        wall: the dead zone; the model's own by default.
        target_layer: the module whose output is the map; the model's own by default.
        batch_size: images per forward pass.
        limit: only the first `limit` images.
        seed: of the certificate's noise and of methods that draw random numbers.
        progress: whether to show a progress bar on stderr.

    Raises:
        InputError: if there are fewer than two images, or an argument is out of range.
        NotBlindError: if the model is not blind behind the wall.
    """
    subject = Subject.of(model, wall, target_layer)
    source = dataset if isinstance(dataset, StackDataset) else open_dataset(dataset)
    count = len(source) if limit is None else min(limit, len(source))
    if count < 2:
        raise InputError(f"A twin takes its dead zone from another image, but there is only {count}: name more.")
    maker = MapMaker(subject, named_methods(methods), seed)
    certificate = require_certificate(subject.model, subject.wall, seed)
    rows: list[dict[str, Any]] = []
    with tqdm(total=count, unit="image", disable=not progress) as bar:
        for batch, donors in _with_donors(source.batches(batch_size), count):
            rows += _rows(subject, maker, batch, donors)
            bar.update(len(batch))
    about = {"model": subject.name, "dataset": source.name, "images": count, "wall": str(subject.wall), "seed": seed}
    if manifest := source.manifest:
        about["images_are"] = images_are(manifest.kind, manifest.spec)
    return Findings(pd.DataFrame(rows), about, certificate.to_dict(), subject.wall)


def _with_donors(batches: Iterator[Batch], count: int) -> Iterator[tuple[Batch, NDArray[np.uint8]]]:
    """Batches up to `count` images, each with the images that follow its own; the first one follows the last."""

    def kept() -> Iterator[Batch]:
        left = count
        for batch in batches:
            yield Batch(batch.image_ids[:left], batch.labels[:left], batch.images[:left])
            left -= len(batch)
            if left <= 0:
                return

    chosen = kept()
    held = first = next(chosen)
    for following in chain(chosen, [first]):
        yield held, np.concatenate([held.images[1:], following.images[:1]])
        held = following


def _rows(subject: Subject, maker: MapMaker, batch: Batch, donors: NDArray[np.uint8]) -> list[dict[str, Any]]:
    pair = (batch.images, twins_of(batch.images, donors, subject.wall))
    inputs = [to_input(images, subject.mean, subject.std, device=subject.device) for images in pair]
    with preserved(subject.model), torch.inference_mode(), local_arithmetic():
        logits = [subject.model(images) for images in inputs]
    targets: list[int] = logits[0].argmax(1).tolist()
    same = (logits[0] == logits[1]).all(1).tolist()
    found = [_with_signs(subject, images, maker.maps(images, targets)) for images in inputs]
    rows: list[dict[str, Any]] = []
    for method in found[0]:
        measured = _measured(found[0][method], found[1][method], subject.wall)
        for image_id, target, equal, columns in zip(batch.image_ids, targets, same, measured, strict=False):
            rows.append({"image_id": image_id, "target": target, "same_logits": equal, "method": method, **columns})
    return rows


def _with_signs(subject: Subject, images: torch.Tensor, found: dict[str, Maps | str]) -> dict[str, Maps | str]:
    """`found` with EigenCAM's other signs after it, as methods of their own."""
    shown: dict[str, Maps | str] = {}
    for name, maps in found.items():
        shown[name] = maps
        if name == "EigenCAM" and isinstance(maps, Maps) and maps.raw is not None:
            signed = eigen_maps(np.asarray(maps.raw), activations_of(subject, images))
            for sign in SIGNS[1:]:
                upsampled = normalized_maps(torch.from_numpy(signed[sign]), images.shape[-1])
                shown[f"{name}, {sign}"] = Maps(upsampled.numpy(), signed[sign])
    return shown


def _measured(first: Maps | str, second: Maps | str, wall: Wall) -> Sequence[dict[str, Any]]:
    """One dict of columns per image."""
    if isinstance(first, str) or isinstance(second, str):
        return [{"error": first if isinstance(first, str) else f"on the twin: {second}"}]
    maps = np.asarray(first.maps)
    columns = {"map_drift": seen_change(maps, np.asarray(second.maps), wall), f"mu_{STAGES[-1]}": mu(maps, wall)}
    if first.raw is not None and second.raw is not None:
        raw = np.asarray(first.raw)
        columns["raw_drift"] = seen_change(raw, np.asarray(second.raw), wall)
        columns |= {f"mu_{stage}": values for stage, values in mu_by_stage(raw, wall).items()}
    return [{name: float(values[index]) for name, values in columns.items()} for index in range(len(maps))]


def _record(method: str, rows: pd.DataFrame) -> dict[str, Any]:
    measured = rows[rows["error"].isna()]
    raw = measured["raw_drift"].dropna()
    return {
        "method": method,
        "n": len(measured),
        "failed": len(rows) - len(measured),
        **{f"mu_{stage}": float(measured[f"mu_{stage}"].mean()) for stage in STAGES},
        "raw_drift": float(raw.median()),
        "unmoved": float((raw == 0).mean()) if len(raw) else math.nan,
        "map_drift": float(measured["map_drift"].median()),
    }


# Reference maps, which know nothing of the network: what a method must beat before its mu means anything


def uniform(model: nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The same everywhere: `(N, H, W)` of ones, whose mu is the chance level."""
    del model, targets
    return inputs.new_ones(inputs.shape[0], *inputs.shape[2:])


def centre(model: nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """A Gaussian in the middle of the image, `(N, H, W)` in (0, 1]: photographers center their subjects.

    Its standard deviation is a quarter of the image's side.
    """
    del model, targets
    rows, columns = (
        torch.exp(-0.5 * ((torch.arange(n, device=inputs.device) + 0.5) / n - 0.5).square() / 0.25**2)
        for n in inputs.shape[2:]
    )
    return torch.outer(rows, columns).expand(inputs.shape[0], -1, -1).clone()


def edges(model: nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The strength of the image's edges: `(N, H, W)`, the magnitude of Sobel's gradient of its luma.

    An edge detector is the reference of Adebayo et al., "Sanity Checks for Saliency Maps" (NeurIPS 2018): it looks like
    an explanation, and depends on no network.
    """
    del model, targets
    luma = (inputs * inputs.new_tensor((0.299, 0.587, 0.114)).view(1, 3, 1, 1)).sum(
        1, keepdim=True
    )  # luma of ITU-R BT.601
    across = inputs.new_tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]])
    kernels = torch.stack([across, across.T])[:, None]
    slopes = F.conv2d(F.pad(luma, (1, 1, 1, 1), mode="replicate"), kernels)
    return slopes.square().sum(1).sqrt()


REFERENCES: dict[str, str | Callable[[nn.Module, torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "uniform": uniform,
    "centre": centre,
    "edges": edges,
    "RandomCAM": "RandomCAM",  # grad-cam's: a random weight between -1 and 1 per channel and image
}
"""Reference maps by name, in the forms that `evaluate` takes."""
