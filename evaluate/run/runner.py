"""dataset × network × methods → saliency maps → mu and its company, one row an image and method."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

import datasets
import pyarrow as pa
import torch
from torch import nn
from tqdm import tqdm

from stackwalls.evaluate.adapters import PrecomputedExplainer, as_explainer, named_methods, registered
from stackwalls.evaluate.engine.batch_sizes import BatchSizes
from stackwalls.evaluate.engine.engine import EngineExplainer, Precision, engine_methods
from stackwalls.evaluate.maps import Explainer
from stackwalls.evaluate.results import Results, check_folder, claim_folder, fingerprint_in
from stackwalls.evaluate.run.block_run import BlockRun, seconds_between_updates
from stackwalls.evaluate.run.block_store import BlockStore, joined_samples
from stackwalls.evaluate.run.blocks import Block, blocks_of, share_of
from stackwalls.evaluate.run.code_identity import weights_hash
from stackwalls.evaluate.run.evaluation_spec import Backend, EvaluationSpec, Target
from stackwalls.evaluate.run.identity import what_is_asked
from stackwalls.evaluate.run.memory import batch_sizes, parse_bytes
from stackwalls.evaluate.run.provenance import describe_run
from stackwalls.evaluate.run.samples import Samples, gather
from stackwalls.evaluate.run.unfinished import ShareDone, UnfinishedRun
from stackwalls.evaluate.subject import Subject
from stackwalls.hub_cards import StackDataset, open_dataset
from stackwalls.model import Certificate, InputError, Launch, NotBlindError, Wall, certify, require_certificate

Source: TypeAlias = str | Path | datasets.Dataset | StackDataset
"""Anything that `open_dataset` takes, or what it gives."""

_SLOWEST = "ScoreCAM"


def evaluate(
    model: nn.Module,
    dataset: Source | Sequence[Source],
    methods: Any = None,
    *,
    wall: Wall | None = None,
    target_layer: nn.Module | None = None,
    target: Target = "predicted",
    batch_size: int | None = None,
    limit: int | None = None,
    limits: Mapping[str, int] | None = None,
    seed: int = 0,
    backend: Backend = "auto",
    precision: Precision = "exact",
    memory: int | str | None = None,
    certificate: Certificate | None = None,
    require_blind: bool = True,
    out: str | Path | None = None,
    overwrite: bool = False,
    launch: Launch | None = None,
    pdf: bool = False,
    progress: bool = True,
    provenance: Mapping[str, Any] | None = None,
) -> Results:
    """Measure how much of each method's saliency maps lies where the network provably sees nothing.

    The blindness certificate comes first; a network that is not blind behind the wall is refused. A method that fails
    on an image is a row with its reason. The model comes back as it was.

    With `out`, a run that was killed goes on when it is called again with the same arguments, and gives the same files.

    Args:
        model: a `BlindModel`, or any module if `wall` and `target_layer` are given.
        dataset: one or several: a dataset folder, an image folder, a Hub id, a `datasets.Dataset`, a `StackDataset`.
        methods: name → method in any of `adapters.FORMS` (a grad-cam class, a captum or torch-cam one, a function
            `f(model, inputs, targets)`, maps that were made elsewhere), or names of `METHODS`; the seven by default.
        wall: the dead zone by which maps are judged; the model's own by default.
        target_layer: the module whose output is the map `(N, C, h, w)`; the model's own by default.
        target: the class that is explained: the predicted one, or the image's label.
        batch_size: the most images a forward pass, at most 32, which is the default.
        limit: the most images of each dataset, its first ones.
        limits: method → the most images for that method (ScoreCAM and AblationCAM take long).
        seed: of the certificate's noise and of methods that draw numbers.
        backend: "auto" makes the maps by the engine where it can, which is faster and equal to 1e-4; "grad-cam" makes
            all of them by the grad-cam package.
        precision: "tf32x3" lets the engine make ScoreCAM's masked passes, and nothing else, of TF32 products, three for
            one of float32; "fast" runs them in 16 bits. Where the device has no such arithmetic it is "exact"; the
            report says which it was.
        memory: bytes, or text such as "4GB", that images may take on their way through the network; what is free, less
            a margin, by default. Where it does not suffice, fewer images are taken at once.
        certificate: of this model and wall, where there is one already.
        require_blind: False lets a network pass that is not blind, for comparison (`wall` must be given where it has
            none of its own); the results say so everywhere.
        out: a folder for the results: new, empty, or with an unfinished run of the same arguments; results that the
            same run has finished are returned as they are. Nothing is kept on disk by default.
        overwrite: whether results that are in `out` already may be replaced; for a single process.
        launch: this process among several that share the run by way of `out`, such as `Launch.of()`; a single process
            by default. The results do not depend on their number.
        pdf: whether to write the figures to `out` as PDF too.
        progress: whether to show a progress bar on stderr.
        provenance: what else the report should say of the run, such as the command line.

    Raises:
        InputError: if an argument is out of range, or `out` holds something else.
        NotBlindError: if the model is not blind behind the wall.
        ShareDone: no error: if this process's share is done and others' is not; the last one returns the results.
    """
    named = named_methods(methods)
    room = parse_bytes(memory) if isinstance(memory, str) else memory
    spec = EvaluationSpec(tuple(named), target, batch_size, limit, dict(limits or {}), seed, backend, precision, room)
    launch = launch or Launch()
    _check_sharing(launch, out, overwrite)
    subject = Subject.of(model, wall, target_layer)
    sources = _opened(dataset)
    if out is not None:
        check_folder(Path(out), overwrite=True)
    sizes = batch_sizes(subject, room, batch_size, launch.local_world, _say)
    explainers = _explainers(subject, spec, named, sources, sizes)
    blocks = blocks_of(_most_images(spec, sources, named), _most_images(spec, sources, _slow(explainers)))
    with _exact_arithmetic():
        certificate = _certified(subject, certificate, seed, require_blind)
        weights = weights_hash(subject.model)
        about = describe_run(subject, weights, spec, sources, provenance, _notes(explainers), certificate.passed)
        job = _Job(subject, spec, sources, explainers, sizes, blocks, certificate, about, progress and not launch.rank)
        if out is None:
            return job.in_passing()
        asked = what_is_asked(subject, weights, spec, sources, named)
        return job.into(Path(out), asked, launch, overwrite, pdf)


@dataclass(frozen=True, eq=False)
class _Job:
    """A run that is ready to begin."""

    subject: Subject
    spec: EvaluationSpec
    sources: Sequence[StackDataset]
    explainers: Sequence[Explainer]
    sizes: BatchSizes
    blocks: Sequence[Block]
    certificate: Certificate
    about: dict[str, Any]
    progress: bool

    def in_passing(self) -> Results:
        """By this process alone, with nothing left on disk."""
        with TemporaryDirectory(prefix="stackwalls-") as place:
            store = BlockStore(Path(place))
            self._compute(self.blocks, store)
            return self._results(*store.joined(self.blocks), self.about)

    def into(self, folder: Path, asked: Mapping[str, Any], launch: Launch, overwrite: bool, pdf: bool) -> Results:
        """This process's share into a folder, and the results if it is the last one."""
        claim_folder(folder, overwrite=True)
        run = UnfinishedRun(folder, asked, launch, lambda fingerprint: fingerprint_in(folder) == fingerprint)
        if fingerprint_in(folder) != run.fingerprint:
            check_folder(folder, overwrite)
        about = {**self.about, "fingerprint": run.fingerprint}
        with run.begun(anew=overwrite) as to_do:
            if not to_do:
                _say(f"The results in {folder} are those of this run already; --overwrite makes them anew.")
                results = Results.load(folder)
                if pdf:
                    results.render(folder, pdf)
                return results
            own = share_of(self.blocks, launch)
            missing = [block for block in own if not run.store.has(block)]
            if len(missing) < len(own):
                _say(f"Going on: {len(own) - len(missing)} of {len(own)} blocks of images were done already.")
            self._compute(missing, run.store)
            finished: list[Results] = []

            def finish(rows: pa.Table, samples: list[Samples]) -> None:
                finished.append(self._results(rows, samples, about))
                finished[0].save(folder, overwrite=True, pdf=pdf)

            if not run.merge(self.blocks, finish):
                raise ShareDone(
                    f"This process's share ({len(own)} of {len(self.blocks)} blocks) is done, and others' is not: the "
                    f"last one writes the results to {folder}. Should one fail, the same command does what is missing."
                )
        return finished[0] if finished else Results.load(folder)

    def _compute(self, blocks: Sequence[Block], store: BlockStore) -> None:
        with self._bar(blocks) as bar:
            run = BlockRun(self.subject, self.spec, self.sources, self.explainers, self.sizes, bar)
            for block, rows, samples in run.over(blocks):
                store.write(block, rows, samples)

    def _results(self, rows: pa.Table, samples: Sequence[Samples], about: Mapping[str, Any]) -> Results:
        empty = gather([], self.spec.methods, self.subject.wall.image_size)
        return Results(about, self.certificate.to_dict(), rows, joined_samples(samples or [empty]))

    @contextmanager
    def _bar(self, blocks: Sequence[Block]) -> Iterator[tqdm[Any]]:
        """Counts maps, over all datasets and methods."""
        counts = [{m: self.spec.images_for(m, len(source)) for m in self.spec.methods} for source in self.sources]
        total = sum(
            min(max(count - block.start, 0), len(block)) for block in blocks for count in counts[block.dataset].values()
        )
        often = seconds_between_updates()
        with tqdm(total=total, unit="map", disable=not self.progress, smoothing=0.05, mininterval=often) as bar:
            yield bar


def _say(text: str) -> None:
    tqdm.write(text, file=sys.stderr)


def _check_sharing(launch: Launch, out: str | Path | None, overwrite: bool) -> None:
    if launch.world == 1:
        return
    if out is None:
        raise InputError("Several processes can share a run only by way of a folder: name one (`out=`, --out).")
    if overwrite:
        raise InputError(
            f"Several processes cannot agree on who replaces the results in {out}: delete them, or choose another "
            "folder, and leave out --overwrite."
        )


def _explainers(
    subject: Subject,
    spec: EvaluationSpec,
    named: Mapping[str, object],
    sources: Sequence[StackDataset],
    sizes: BatchSizes,
) -> list[Explainer]:
    """The engine for what it computes, an adapter for the rest; ScoreCAM apart, as it takes longer than all others."""
    fast = engine_methods(subject, registered(named)) if spec.backend == "auto" else ()
    groups = ([name for name in fast if name != _SLOWEST], [name for name in fast if name == _SLOWEST])
    explainers: list[Explainer] = [EngineExplainer(subject, group, spec.precision, sizes) for group in groups if group]
    rest = [name for name in spec.methods if name not in fast]
    explainers += [as_explainer(name, named[name], subject, spec.seed) for name in rest]
    for explainer in explainers:
        if isinstance(explainer, PrecomputedExplainer):
            explainer.check_datasets({source.name: len(source) for source in sources})
    return explainers


def _slow(explainers: Sequence[Explainer]) -> list[str]:
    """The methods that take long, or may: all but the engine's quick ones."""
    return [
        method
        for explainer in explainers
        for method in explainer.methods
        if method == _SLOWEST or not isinstance(explainer, EngineExplainer)
    ]


def _most_images(spec: EvaluationSpec, sources: Sequence[StackDataset], methods: Iterable[str]) -> list[int]:
    """How many images of each dataset the method among these gets that gets the most."""
    return [max((spec.images_for(method, len(source)) for method in methods), default=0) for source in sources]


def _notes(explainers: Sequence[Explainer]) -> dict[str, str]:
    """What the adapters did to what the methods gave."""
    noted = {method: getattr(explainer, "note", None) for explainer in explainers for method in explainer.methods}
    return {method: note.rstrip(".") for method, note in noted.items() if note}


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


def _certified(subject: Subject, certificate: Certificate | None, seed: int, require_blind: bool) -> Certificate:
    if certificate is None:
        make = require_certificate if require_blind else certify
        return make(subject.model, subject.wall, seed=seed)
    if certificate.model != subject.name or certificate.wall != str(subject.wall):
        raise InputError(
            f"The certificate is for {certificate.model} behind {certificate.wall}, not for {subject.name} behind "
            f"{subject.wall}: leave it out, and it is made anew."
        )
    if require_blind and not certificate.passed:
        raise NotBlindError(f"{subject.name} is not blind behind {subject.wall}: {'; '.join(certificate.failures)}.")
    return certificate


@contextmanager
def _exact_arithmetic() -> Iterator[None]:
    """No TF32 in convolutions, which is on by default on NVIDIA's GPUs: maps are compared to 1e-4."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before
