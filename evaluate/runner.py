"""dataset × network × methods → saliency maps → mu and its company, one row an image and method."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import datasets
import torch
from torch import nn
from tqdm import tqdm

from stackwalls.evaluate.adapters import PrecomputedExplainer, as_explainer, named_methods, registered
from stackwalls.evaluate.engine import Precision
from stackwalls.evaluate.engine_maps import EngineExplainer, engine_methods
from stackwalls.evaluate.evaluation_spec import Backend, EvaluationSpec, Target
from stackwalls.evaluate.maps import Explainer
from stackwalls.evaluate.measuring import Outcome, PreparedBatch, explain_batch
from stackwalls.evaluate.provenance import describe_run
from stackwalls.evaluate.results import Results, claim_folder
from stackwalls.evaluate.rows import RowSpool
from stackwalls.evaluate.samples import SAMPLES_PER_DATASET, Sample, gather
from stackwalls.evaluate.subject import Subject
from stackwalls.hub_cards import Batch, StackDataset, open_dataset
from stackwalls.model import Certificate, InputError, NotBlindError, Wall, require_certificate

Source: TypeAlias = str | Path | datasets.Dataset | StackDataset
"""Anything that `open_dataset` takes, or what it gives."""

_SLOWEST = "ScoreCAM"

_SECONDS_BETWEEN = 0.5
"""Between two updates of the bar while a single call runs."""


def evaluate(
    model: nn.Module,
    dataset: Source | Sequence[Source],
    methods: Any = None,
    *,
    wall: Wall | None = None,
    target_layer: nn.Module | None = None,
    target: Target = "predicted",
    batch_size: int = 8,
    limit: int | None = None,
    limits: Mapping[str, int] | None = None,
    seed: int = 0,
    backend: Backend = "auto",
    precision: Precision = "exact",
    certificate: Certificate | None = None,
    out: str | Path | None = None,
    overwrite: bool = False,
    pdf: bool = False,
    progress: bool = True,
    provenance: Mapping[str, Any] | None = None,
) -> Results:
    """Measure how much of each method's saliency maps lies where the network provably sees nothing.

    The blindness certificate comes first; a network that is not blind behind the wall is refused. A method that fails
    on an image is a row with its reason. The model comes back as it was.

    Args:
        model: a `BlindModel`, or any module if `wall` and `target_layer` are given.
        dataset: one or several: a dataset folder, an image folder, a Hub id, a `datasets.Dataset`, a `StackDataset`.
        methods: name → method in any of `adapters.FORMS` (a grad-cam class, a captum or torch-cam one, a function
            `f(model, inputs, targets)`, maps that were made elsewhere), or names of `METHODS`; the seven by default.
        wall: the dead zone by which maps are judged; the model's own by default.
        target_layer: the module whose output is the map `(N, C, h, w)`; the model's own by default.
        target: the class that is explained: the predicted one, or the image's label.
        batch_size: images a forward pass.
        limit: the most images of each dataset, its first ones.
        limits: method → the most images for that method (ScoreCAM and AblationCAM take long).
        seed: of the certificate's noise and of methods that draw numbers.
        backend: "auto" makes the maps by the engine where it can, which is faster and equal to 1e-4; "grad-cam" makes
            all of them by the grad-cam package.
        precision: "fast" lets the engine run ScoreCAM's masked passes, and nothing else, in 16 bits where the device
            multiplies them fast; the report says which were.
        certificate: of this model and wall, where there is one already.
        out: a new or empty folder for the results; nothing is written by default.
        overwrite: whether results that are in `out` already may be replaced.
        pdf: whether to write the figures to `out` as PDF too.
        progress: whether to show a progress bar on stderr.
        provenance: what else the report should say of the run, such as the command line.

    Raises:
        InputError: if an argument is out of range, or `out` holds something else.
        NotBlindError: if the model is not blind behind the wall.
    """
    named = named_methods(methods)
    names = tuple(named)
    spec = EvaluationSpec(names, target, batch_size, limit, dict(limits or {}), seed, backend, precision)
    subject = Subject.of(model, wall, target_layer)
    sources = _opened(dataset)
    explainers = _explainers(subject, spec, named, sources)
    folder = claim_folder(Path(out), overwrite) if out is not None else None
    with closing(RowSpool()) as spool, _progress_bar(spec, sources, progress) as bar, _exact_arithmetic():
        bar.set_description("blindness certificate")
        certificate = _certified(subject, certificate, seed)
        torch.manual_seed(seed)
        run = _Run(subject, spec, explainers, spool, bar)
        for source in sources:
            run.over(source)
        about = describe_run(subject, spec, sources, provenance, _notes(explainers))
        samples = gather(run.samples, names, subject.wall.image_size)
        results = Results(about, certificate.to_dict(), spool.finish(), samples)
    if folder is not None:
        results.save(folder, overwrite=overwrite, pdf=pdf)
    return results


@dataclass(eq=False)
class _Run:
    """What stays the same over datasets and batches."""

    subject: Subject
    spec: EvaluationSpec
    explainers: Sequence[Explainer]
    spool: RowSpool
    bar: tqdm[Any]
    samples: list[Sample] = field(default_factory=list)
    _shown: float = -math.inf

    def over(self, source: StackDataset) -> None:
        """Every row of a dataset into the spool, and its first images among the samples."""
        counts = {method: self.spec.images_for(method, len(source)) for method in self.spec.methods}
        done, needed = 0, max(counts.values())
        for batch in source.batches(self.spec.batch_size):
            prepared = PreparedBatch.of(self.subject, _first(batch, needed - done), source.name, done)
            left = {method: min(max(count - done, 0), len(prepared)) for method, count in counts.items()}
            outcomes = self._outcomes(prepared, left)
            self._keep_rows(source.name, prepared, outcomes)
            self._keep_samples(source.name, prepared, outcomes, SAMPLES_PER_DATASET - done)
            done += len(prepared)
            if done >= needed:
                break

    def _outcomes(self, prepared: PreparedBatch, left: Mapping[str, int]) -> dict[tuple[int, str], Outcome]:
        outcomes = {}
        for explainer in self.explainers:
            first, *others = explainer.methods
            self.bar.set_description(f"{first} and {len(others)} more" if others else first)
            for index, method, outcome in explain_batch(
                self.subject, explainer, prepared, left, self.spec.target, self._on_pass
            ):
                outcomes[index, method] = outcome
                self.bar.update()
            self.bar.set_postfix_str("", refresh=False)
        return outcomes

    def _on_pass(self, done: int, total: int) -> None:
        if done == total or time.monotonic() - self._shown > _SECONDS_BETWEEN:
            self._shown = time.monotonic()
            self.bar.set_postfix_str(f"pass {done} of {total}")

    def _keep_rows(self, dataset: str, prepared: PreparedBatch, outcomes: Mapping[tuple[int, str], Outcome]) -> None:
        """Image by image, so that the order does not depend on the batch size."""
        for index in range(len(prepared)):
            common = {"dataset": dataset, **prepared.columns(index)}
            found = [(method, outcomes[index, method]) for method in self.spec.methods if (index, method) in outcomes]
            self.spool.append([{**common, "method": method, **outcome.columns} for method, outcome in found])

    def _keep_samples(
        self, dataset: str, prepared: PreparedBatch, outcomes: Mapping[tuple[int, str], Outcome], room: int
    ) -> None:
        for index in range(min(room, len(prepared))):
            own = {method: found for (i, method), found in outcomes.items() if i == index}
            maps = {method: found.map for method, found in own.items() if found.map is not None}
            mu = {method: outcomes[index, method].columns["mu"] for method in maps}
            about = prepared.columns(index)
            image = prepared.batch.images[index]
            self.samples.append(
                Sample(dataset, about["image_id"], about["label"], about["prediction"], image, maps, mu)
            )


def _explainers(
    subject: Subject, spec: EvaluationSpec, named: Mapping[str, object], sources: Sequence[StackDataset]
) -> list[Explainer]:
    """The engine for what it computes, an adapter for the rest; ScoreCAM apart, as it takes longer than all others."""
    fast = engine_methods(subject, registered(named)) if spec.backend == "auto" else ()
    groups = ([name for name in fast if name != _SLOWEST], [name for name in fast if name == _SLOWEST])
    explainers: list[Explainer] = [EngineExplainer(subject, group, spec.precision) for group in groups if group]
    rest = [name for name in spec.methods if name not in fast]
    explainers += [as_explainer(name, named[name], subject, spec.seed) for name in rest]
    for explainer in explainers:
        if isinstance(explainer, PrecomputedExplainer):
            explainer.check_datasets({source.name: len(source) for source in sources})
    return explainers


def _notes(explainers: Sequence[Explainer]) -> dict[str, str]:
    """What the adapters did to what the methods gave."""
    noted = {method: getattr(explainer, "note", None) for explainer in explainers for method in explainer.methods}
    return {method: note.rstrip(".") for method, note in noted.items() if note}


def _first(batch: Batch, count: int) -> Batch:
    if len(batch) <= count:
        return batch
    return Batch(batch.image_ids[:count], batch.labels[:count], batch.images[:count])


def _opened(dataset: Source | Sequence[Source]) -> list[StackDataset]:
    given = dataset if isinstance(dataset, list | tuple) else [dataset]
    sources = [source if isinstance(source, StackDataset) else open_dataset(source) for source in given]
    names = [source.name for source in sources]
    if not sources:
        raise InputError("No dataset was named.")
    if len(set(names)) < len(names):
        raise InputError(f"Two datasets have the same name ({', '.join(names)}): give them different folder names.")
    if empty := [source.name for source in sources if not len(source)]:
        raise InputError(f"There is no image in {', '.join(empty)}.")
    return sources


def _certified(subject: Subject, certificate: Certificate | None, seed: int) -> Certificate:
    if certificate is None:
        return require_certificate(subject.model, subject.wall, seed)
    if certificate.model != subject.name or certificate.wall != str(subject.wall):
        raise InputError(
            f"The certificate is for {certificate.model} behind {certificate.wall}, not for {subject.name} behind "
            f"{subject.wall}: leave it out, and it is made anew."
        )
    if not certificate.passed:
        raise NotBlindError(f"{subject.name} is not blind behind {subject.wall}: {'; '.join(certificate.failures)}.")
    return certificate


@contextmanager
def _progress_bar(spec: EvaluationSpec, sources: Sequence[StackDataset], show: bool) -> Iterator[tqdm[Any]]:
    """Counts maps, over all datasets and methods."""
    total = sum(spec.images_for(method, len(source)) for source in sources for method in spec.methods)
    with tqdm(total=total, unit="map", disable=not show, smoothing=0.05) as bar:
        yield bar


@contextmanager
def _exact_arithmetic() -> Iterator[None]:
    """No TF32 in convolutions, which is on by default on NVIDIA's GPUs: maps are compared to 1e-4."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before
