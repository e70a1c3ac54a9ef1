"""`evaluate`: dataset × network × methods → saliency maps → mu and related metrics, one row per image and method."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

import datasets
import torch
from PIL import Image
from torch import nn
from tqdm import tqdm

from stackwalls.evaluate.adapters import named_methods
from stackwalls.evaluate.classes import Matching
from stackwalls.evaluate.engine.engine import EngineExplainer
from stackwalls.evaluate.maps import Explainer
from stackwalls.evaluate.results import RUN_NAME, Results, check_folder, fingerprint_in, run_in
from stackwalls.evaluate.run.block_run import SLOWEST, BlockRun
from stackwalls.evaluate.run.block_workers import BlockWorkers
from stackwalls.evaluate.run.blocks import Block, ShareDone, SharedRun, blocks_of, share_of
from stackwalls.evaluate.run.evaluation_spec import EvaluationSpec
from stackwalls.evaluate.run.identity import weights_hash, what_is_asked
from stackwalls.evaluate.run.measuring import NO_ROOM
from stackwalls.evaluate.run.provenance import describe_run, method_notes, read_from, with_findings
from stackwalls.evaluate.subject import Subject, network_and_wall
from stackwalls.evaluate.target_layer import split_at
from stackwalls.hub_cards import StackDataset, open_dataset
from stackwalls.model import (
    Certificate,
    Cluster,
    InputError,
    Launch,
    Layer,
    Network,
    NotBlindError,
    Wall,
    certify,
    class_texts,
    exact_arithmetic,
    memory_errors,
    placed,
    require_certificate,
    shown_name,
)
from stackwalls.model.images import MapStyle

Source: TypeAlias = str | Path | datasets.Dataset | MapStyle | StackDataset
"""Anything that `open_dataset` takes or returns."""


def evaluate(
    model: Network,
    dataset: Source | Sequence[Source],
    methods: Any = None,
    *,
    spec: EvaluationSpec | None = None,
    wall: Wall | str | None = None,
    target_layer: nn.Module | None = None,
    layer: Layer | None = None,
    weights: str | Path | None = None,
    class_names: Sequence[str] | str | Path | None = None,
    classes_as: str | None = None,
    device: torch.device | str | None = None,
    certificate: Certificate | None = None,
    require_blind: bool = True,
    out: str | Path | None = None,
    overwrite: bool = False,
    launch: Launch | None = None,
    cluster: Cluster | None = None,
    pdf: bool = False,
    progress: bool = True,
    provenance: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Results:
    """Measure how much of each method's saliency maps lies where the network provably sees nothing.

    The blindness certificate comes first; a network that is not blind behind the wall is refused. A method that fails
    on an image is a row with the reason. The model is left as it was.

    With `out`, a run that was killed resumes when called again with the same arguments, and writes the same files. With
    more methods than finished results in `out` have, and all else the same, only the others are run.

    Args:
        model: a `BlindModel`, or any module if `wall` and `target_layer` are given; or its name, such as
            "walled:resnet50", or what makes it (see `find_network`). A named network gets the dataset's wall.
        dataset: one or several: a dataset folder, an image folder, a Hub id, a `datasets.Dataset`, a map-style dataset
            of (PIL image, label) such as torchvision's, a list of PIL images, a `StackDataset`.
        methods: name → method in any of `adapters.FORMS` (a grad-cam class, a captum or torch-cam one, a function
            `f(model, inputs, targets)`, precomputed maps), or names of `METHODS`; by default those of `spec`, or the
            paper's seven.
        spec: target, how classes are matched, batch size, limits, seed, backend, precision and memory budget.
        wall: the dead zone by which maps are judged, also as text such as "bottom:54"; the model's own by default.
        target_layer: the module whose output is the map `(N, C, h, w)`; the model's own by default.
        layer: instead of `target_layer`: a block's number or a module's name (see `LayeredModel.explain_at`).
        weights: of a network named `masked-vgg16` or `baseline-vgg16`.
        class_names: of the logits, or a file with one a line; by default the model's own, or ImageNet-1k's.
        classes_as: see `load_model`; of the names of the first dataset's classes by default.
        device: such as "cuda"; by default a named network goes to a GPU if there is one, and a module stays.
        certificate: of this model and wall, if there is one already.
        require_blind: False accepts a network that is not blind (give `wall` if it has none); the results say so.
        out: a folder for the results: new, empty, or with a run of the same arguments, which is resumed, or returned as
            it is if it has finished. Nothing is kept on disk by default.
        overwrite: whether existing results in `out` may be replaced; for a single process.
        launch: this process among several that share the run through `out`, such as `Launch.of()`; by default alone.
        cluster: compute the maps there; this process reads the data and writes `out`. The device is the workers'.
        pdf: whether to write the figures to `out` as PDF too.
        progress: whether to show a progress bar on stderr.
        provenance: what else the report should say about the run, such as the command line.
        **settings: attributes of `EvaluationSpec`, such as `limit=20`, instead of `spec`.

    Raises:
        InputError: if an argument is out of range, or `out` contains something else.
        NotBlindError: if the model is not blind behind the wall.
        ShareDone: not an error: this process's share is done, others' are not; the last process returns the results.
    """
    spec = EvaluationSpec.of(spec, settings)
    named = named_methods(methods if methods is not None else spec.methods or None)
    if spec.methods and tuple(named) != tuple(spec.methods):
        raise InputError(f"`methods` are {', '.join(named)}, but those of `spec` {', '.join(spec.methods)}: name one.")
    spec = replace(spec, methods=tuple(named))
    launch = launch or Launch()
    _check_sharing(launch, out, overwrite)
    sources = _opened(dataset)
    if out is not None:
        check_folder(Path(out), overwrite=True)
    walls = {source.wall for source in sources if source.wall is not None}
    names = class_texts(class_names, classes_as, sources[0].classes.names)
    network, wall = network_and_wall(model, weights, wall, walls, require_blind, names)
    place = device if device is not None or isinstance(model, nn.Module) else "auto"
    if cluster is not None:
        place = "cpu"
    with placed(network, place, launch.local_rank), exact_arithmetic(), split_at(network, layer):
        subject = Subject.of(network, wall, target_layer if layer is None else layer, names)
        for source in sources:
            subject.check_fits(source)
        block_run = BlockRun.of(subject, spec, named, sources, progress=progress and not launch.rank)
        explainers = block_run.explainers
        workers = None if cluster is None else BlockWorkers(cluster, block_run, named)
        certificate = _certified(subject, certificate, spec.seed, require_blind)
        with memory_errors(NO_ROOM):
            logits = subject.check_gradient()
        classes = subject.classes.checked(subject.name, logits)
        matchings = [Matching.of(spec.match, source, logits, classes, subject.name) for source in sources]
        data = {} if out is None else {source.name: source.identity for source in sources}
        provenance = {**(provenance or {}), **read_from(network, weights, data)}
        sha256 = weights_hash(network)
        subject = replace(subject, classes=classes)
        about = describe_run(subject, sha256, spec, sources, provenance, method_notes(explainers), certificate.passed)
        asked = what_is_asked(subject, sha256, spec, data, matchings, named)
        block_run = replace(block_run, subject=subject, matchings=matchings)
        if workers is not None:
            workers = replace(workers, run=block_run)
            about, asked = about | workers.described(), asked | {"device": workers.cluster.device}
        job = _Job(workers or block_run, _blocks(spec, sources, explainers), certificate.to_dict(), about)
        return job.in_passing() if out is None else job.into(Path(out), asked, launch, overwrite, pdf)


@dataclass(frozen=True, eq=False)
class _Job:
    """A run that is ready to begin."""

    maker: BlockRun | BlockWorkers
    blocks: Sequence[Block]
    certificate: dict[str, Any]
    about: dict[str, Any]

    def in_passing(self) -> Results:
        """By this process alone, with nothing left on disk."""
        with TemporaryDirectory(prefix="stackwalls-") as place:
            run = SharedRun(Path(place), {}, Launch(), RUN_NAME, lambda _: False)
            with run.begun():
                for done in self.maker.over(self.blocks):
                    run.write(*done)
                return self._results(run)

    def into(self, folder: Path, asked: Mapping[str, Any], launch: Launch, overwrite: bool, pdf: bool) -> Results:
        """This process's share into a folder, and the results if it is the last one."""
        run = SharedRun(folder, asked, launch, RUN_NAME, lambda fingerprint: fingerprint_in(folder) == fingerprint)
        if not overwrite and (earlier := run_in(folder)) and not run.done:
            run.add_to(earlier, self.about)
        if fingerprint_in(folder) != run.fingerprint and not run.done:
            check_folder(folder, overwrite)
        with run.begun(again=overwrite) as to_do:
            if not to_do:
                _say(f"The results in {folder} are from an identical run; --overwrite computes them again.")
                results = Results.load(folder)
                if pdf:
                    results.render(folder, pdf)
                return results
            own = share_of(self.blocks, launch)
            missing = [block for block in own if not run.has(block)]
            if len(missing) < len(own):
                _say(f"Resuming: {len(own) - len(missing)} of {len(own)} blocks of images are done.")
            if run.done:
                _say(f"Keeping the results of {', '.join(run.done)} in {folder}: only the other methods are run.")
                run.keep_earlier(lambda: Results.load(folder))
            for done in self.maker.without(run.done).over(missing):
                run.write(*done)
            finished: list[Results] = []

            def finish() -> None:
                finished.append(self._results(run, fingerprint=run.fingerprint))
                finished[0].save(folder, overwrite=True, pdf=pdf)

            if not run.finish(self.blocks, finish):
                raise ShareDone(
                    f"This process's share ({len(own)} of {len(self.blocks)} blocks) is done, others' are not: the "
                    f"last process writes the results to {folder}. If one fails, run its command again."
                )
        return finished[0] if finished else Results.load(folder)

    def _results(self, run: SharedRun, **about: Any) -> Results:
        rows, samples = run.joined(self.blocks)
        found, rows = with_findings(self.about, rows)
        return Results({**found, **about}, self.certificate, rows, samples)


def _say(text: str) -> None:
    tqdm.write(text, file=sys.stderr)


def _check_sharing(launch: Launch, out: str | Path | None, overwrite: bool) -> None:
    if launch.world > 1 and out is None:
        raise InputError("Several processes share a run through a folder: name one (`out=`, --out).")
    if launch.world > 1 and overwrite:
        raise InputError(f"Several processes cannot agree on who replaces {out}: delete it, and leave out --overwrite.")


def _blocks(spec: EvaluationSpec, sources: Sequence[StackDataset], explainers: Sequence[Explainer]) -> list[Block]:
    """All blocks of the run: short ones if a method is slow, or may be, as all but the engine's quick ones are."""
    quick = [one for one in explainers if isinstance(one, EngineExplainer) and SLOWEST not in one.methods]
    slow = [name for explainer in explainers if explainer not in quick for name in explainer.methods]

    def most(names: Iterable[str]) -> list[int]:
        return [max((spec.images_for(name, len(source)) for name in names), default=0) for source in sources]

    return blocks_of(most(spec.methods), most(slow))


def _opened(dataset: Source | Sequence[Source]) -> list[StackDataset]:
    images = isinstance(dataset, list | tuple) and any(isinstance(one, Image.Image | tuple) for one in dataset)
    given = [dataset] if images or not isinstance(dataset, list | tuple) else dataset
    sources = [source if isinstance(source, StackDataset) else open_dataset(source) for source in given]
    names = [source.name for source in sources]
    if not sources:
        raise InputError("No dataset was named.")
    if len(set(names)) < len(names):
        raise InputError(f"Two datasets have the same name ({', '.join(names)}): give them different folder names.")
    if empty := [source.name for source in sources if not len(source)]:
        raise InputError(f"There are no images in {', '.join(empty)}.")
    return sources


def _certified(subject: Subject, certificate: Certificate | None, seed: int, require_blind: bool) -> Certificate:
    if certificate is None:
        make = require_certificate if require_blind else certify
        return make(subject.model, subject.wall, seed=seed)
    if certificate.model not in (subject.name, shown_name(subject.model)) or certificate.wall != str(subject.wall):
        raise InputError(
            f"The certificate is for {certificate.model} behind {certificate.wall}, not for {subject.name} behind "
            f"{subject.wall}: leave it out, and a new one is made."
        )
    if require_blind and not certificate.passed:
        raise NotBlindError(f"{subject.name} is not blind behind {subject.wall}: {'; '.join(certificate.failures)}.")
    return certificate
