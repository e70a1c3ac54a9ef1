"""Every method on every picture and its twin: how much the seen part moves, and at which step the leak appears."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from stackwalls.evaluate.adapters import named_methods
from stackwalls.evaluate.checks.eigen_signs import SIGNS, eigen_maps
from stackwalls.evaluate.checks.findings import Findings
from stackwalls.evaluate.checks.leak_origin import STAGES, mu_by_stage
from stackwalls.evaluate.checks.map_maker import MapMaker
from stackwalls.evaluate.checks.twin_drift import seen_change, twins_of
from stackwalls.evaluate.maps import Maps, normalized_maps
from stackwalls.evaluate.metrics import mu
from stackwalls.evaluate.subject import Subject
from stackwalls.hub_cards import Batch, StackDataset, open_dataset
from stackwalls.model import InputError, Wall, local_arithmetic, preserved, require_certificate, to_input

_EIGEN = "EigenCAM"


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
    """Measure twin drift, the leak's origin and EigenCAM's signs of methods on a network that is blind behind a wall.

    The twin of a picture has the dead zone of the next one in the dataset (the last one that of the first). Both are
    explained for the class that the network predicts, which is the same.

    Args:
        model: a `BlindModel`, or any module if `wall` and `target_layer` are given.
        dataset: a dataset folder, an image folder, a Hub id, a `datasets.Dataset` or a `StackDataset`.
        methods: as `evaluate` takes them; the seven by default.
        wall: the dead zone; the model's own by default.
        target_layer: the module whose output is the map; the model's own by default.
        batch_size: images a forward pass.
        limit: the most images, the first ones.
        seed: of the certificate's noise and of methods that draw numbers.
        progress: whether to show a progress bar on stderr.

    Raises:
        InputError: if there are fewer than two pictures, or an argument is out of range.
        NotBlindError: if the model is not blind behind the wall.
    """
    subject = Subject.of(model, wall, target_layer)
    source = dataset if isinstance(dataset, StackDataset) else open_dataset(dataset)
    count = len(source) if limit is None else min(limit, len(source))
    if count < 2:
        raise InputError(f"A twin takes its dead zone from another picture, but there is only {count}: name more.")
    maker = MapMaker(subject, named_methods(methods), seed)
    certificate = require_certificate(subject.model, subject.wall, seed)
    rows: list[dict[str, Any]] = []
    with tqdm(total=count, unit="image", disable=not progress) as bar:
        for batch, donors in _with_donors(source.batches(batch_size), count):
            rows += _rows(subject, maker, batch, donors)
            bar.update(len(batch))
    about = {"model": subject.name, "dataset": source.name, "images": count, "wall": str(subject.wall), "seed": seed}
    return Findings(pd.DataFrame(rows), about, certificate.to_dict(), subject.wall)


def _with_donors(batches: Iterator[Batch], count: int) -> Iterator[tuple[Batch, NDArray[np.uint8]]]:
    """Batches up to `count` images, each with the images that follow its own; the last image's is the first."""
    first: NDArray[np.uint8] | None = None
    held: Batch | None = None
    seen = 0
    for batch in batches:
        kept = min(len(batch), count - seen)
        batch = Batch(batch.image_ids[:kept], batch.labels[:kept], batch.images[:kept])
        if held is not None:
            yield held, np.concatenate([held.images[1:], batch.images[:1]])
        first, held, seen = batch.images[:1] if first is None else first, batch, seen + kept
        if seen == count:
            break
    if held is not None and first is not None:
        yield held, np.concatenate([held.images[1:], first])


def _rows(subject: Subject, maker: MapMaker, batch: Batch, donors: NDArray[np.uint8]) -> list[dict[str, Any]]:
    pictures = (batch.images, twins_of(batch.images, donors, subject.wall))
    inputs = [to_input(images, subject.mean, subject.std, device=subject.device) for images in pictures]
    logits = [_logits(subject, images) for images in inputs]
    targets: list[int] = logits[0].argmax(1).tolist()
    same = (logits[0] == logits[1]).all(1).tolist()
    found = [_with_signs(maker, images, maker.maps(images, targets)) for images in inputs]
    common = [
        {"image_id": image_id, "target": target, "same_logits": equal}
        for image_id, target, equal in zip(batch.image_ids, targets, same, strict=True)
    ]
    return [
        {**about, "method": method, **columns}
        for method in found[0]
        for about, columns in zip(common, _measured(found[0][method], found[1][method], subject.wall), strict=False)
    ]


def _logits(subject: Subject, inputs: torch.Tensor) -> torch.Tensor:
    with preserved(subject.model), torch.inference_mode(), local_arithmetic():
        logits: torch.Tensor = subject.model(inputs)
    return logits


def _with_signs(maker: MapMaker, images: torch.Tensor, found: dict[str, Maps | str]) -> dict[str, Maps | str]:
    """EigenCAM's other signs beside it, as methods of their own."""
    maps = found.get(_EIGEN)
    if not isinstance(maps, Maps) or maps.raw is None:
        return found
    signed = eigen_maps(np.asarray(maps.raw), maker.activations(images))
    others = {f"{_EIGEN}, {sign}": signed[sign] for sign in SIGNS[1:]}
    shown = {
        name: Maps(normalized_maps(torch.from_numpy(raw), images.shape[-1]).numpy(), raw)
        for name, raw in others.items()
    }
    place = list(found).index(_EIGEN) + 1
    return dict([*list(found.items())[:place], *shown.items(), *list(found.items())[place:]])


def _measured(first: Maps | str, second: Maps | str, wall: Wall) -> Sequence[dict[str, Any]]:
    """One dict of columns an image."""
    if isinstance(first, str) or isinstance(second, str):
        return [{"error": first if isinstance(first, str) else f"on the twin: {second}"}]
    maps = np.asarray(first.maps)
    columns = {"map_drift": seen_change(maps, np.asarray(second.maps), wall), f"mu_{STAGES[-1]}": mu(maps, wall)}
    if first.raw is not None and second.raw is not None:
        raw = np.asarray(first.raw)
        columns["raw_drift"] = seen_change(raw, np.asarray(second.raw), wall)
        columns |= {f"mu_{stage}": values for stage, values in mu_by_stage(raw, wall).items()}
    count = len(columns["map_drift"])
    return [{name: float(values[index]) for name, values in columns.items()} for index in range(count)]
