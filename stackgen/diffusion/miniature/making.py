"""`make_miniature`: from drawn frames to a pipeline folder that diffusers loads."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from stackwalls.model import InputError, write_whole
from stackwalls.stackgen.diffusion.miniature.decoder_training import DecoderTask
from stackwalls.stackgen.diffusion.miniature.denoiser_training import DenoiserTask
from stackwalls.stackgen.diffusion.miniature.miniature_spec import MiniatureSpec
from stackwalls.stackgen.diffusion.miniature.networks import (
    assemble,
    new_autoencoder,
    new_denoiser,
    new_scheduler,
    new_text_encoder,
)
from stackwalls.stackgen.diffusion.miniature.pictures import HEIGHT, WIDTH, frames
from stackwalls.stackgen.diffusion.miniature.projection import CHANNELS, PATCH, Projection
from stackwalls.stackgen.diffusion.miniature.sentences import sentences_of
from stackwalls.stackgen.diffusion.miniature.shipped import DESCRIPTION
from stackwalls.stackgen.diffusion.miniature.step_loop import HISTORY, StepLoop
from stackwalls.stackgen.diffusion.miniature.words import word_tokenizer
from stackwalls.stackgen.diffusion.pipeline import quiet_libraries

STAGES = ("frames", "decoder", "denoiser", "pipeline")
"""In this order; decoder and denoiser may run side by side."""

_FRAMES = "frames.json"
"""Written when all frames are there: which ones."""

_FITTED = 256
"""Frames that the projection is fitted to."""

_BLOCK = 64
"""Frames that are encoded at once."""

Report = Callable[[str], None]


def make_miniature(
    spec: MiniatureSpec, out: Path, stages: tuple[str, ...] = STAGES, report: Report = lambda _: None
) -> None:
    """Run the stages of a training; each begins with what the ones before left in `out`, and goes on where it was.

    Under `accelerate launch`, decoder and denoiser run on all processes.

    Args:
        spec: what to make.
        out: `latents.npy`, `projection.pt` and `frames.json`, which says of what, a folder for each training, and at
            last `pipeline/`.
        stages: some of `STAGES`.
        report: told about progress, a line at a time.

    Raises:
        InputError: if `out` holds a training with other settings, or what a stage begins with is missing.
        RunError: if a loss is not finite, or after Ctrl-C.
    """
    out.mkdir(parents=True, exist_ok=True)
    processes = _processes()
    report = report if processes.is_main_process else lambda _: None
    if "frames" in stages:
        with processes.main_process_first():  # the others find them
            _draw(spec, out, report)
    if "decoder" in stages:
        _train_decoder(spec, out, report)
    if "denoiser" in stages:
        _train_denoiser(spec, out, report)
    if "pipeline" in stages:
        _write_pipeline(spec, out)


def _processes() -> Any:
    """Those of accelerate's launcher; one without."""
    from accelerate import PartialState

    return PartialState(cpu=not torch.cuda.is_available())


def _draw(spec: MiniatureSpec, out: Path, report: Report) -> None:
    """Fit the projection, and write the latents of all frames."""
    if (out / _FRAMES).exists():
        _check_frames(spec, out)
        return
    labels, count = spec.labels(), len(spec.classes) * spec.per_class
    per_class = -(-_FITTED // len(labels))
    projection = Projection.fit([frame.image for frame in frames(labels, per_class)])
    torch.save(vars(projection), out / "projection.pt")
    temporary = out / ".latents.tmp"
    shape = (count, CHANNELS, HEIGHT // PATCH, WIDTH // PATCH)
    latents = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.float16, shape=shape)
    block: list[Any] = []
    for number, frame in enumerate(frames(labels, spec.per_class), start=1):
        block.append(frame.image)
        if len(block) == _BLOCK or number == count:
            images = torch.from_numpy(np.stack(block)).permute(0, 3, 1, 2).float() / 255.0
            latents[number - len(block) : number] = projection(images).numpy().astype(np.float16)
            block.clear()
        if number % 2_000 == 0:
            report(f"drew {number} of {count} frames")
    latents.flush()
    temporary.rename(out / "latents.npy")
    write_whole(out / _FRAMES, (json.dumps(_described_frames(spec), indent=1) + "\n").encode())


def _described_frames(spec: MiniatureSpec) -> dict[str, Any]:
    """What the frames follow from."""
    return {"classes": list(spec.classes), "per_class": spec.per_class}


def _check_frames(spec: MiniatureSpec, out: Path) -> None:
    path = out / _FRAMES
    if not path.exists():
        raise InputError(f"{out} has no drawn frames yet: run the stage `frames` first.")
    if json.loads(path.read_text(encoding="utf-8")) != _described_frames(spec):
        raise InputError(f"The frames in {out} are of other classes, or another number: choose another --out.")


def _projection(spec: MiniatureSpec, out: Path) -> Projection:
    _check_frames(spec, out)
    return Projection(**torch.load(out / "projection.pt", weights_only=True))


def _train_decoder(spec: MiniatureSpec, out: Path, report: Report) -> Any:
    torch.manual_seed(spec.seed)
    projection = _projection(spec, out)
    autoencoder = new_autoencoder(projection)
    task = DecoderTask(autoencoder, projection, spec.labels())
    loop = StepLoop(
        task,
        out / "decoder",
        {"classes": list(spec.classes), "seed": spec.seed},
        learning_rate=spec.learning_rate,
        seed=spec.seed,
        report=lambda line: report(f"decoder: {line}"),
    )
    trained: Any = loop.run(spec.decoder_steps)
    autoencoder.decoder = trained.decoder
    return autoencoder


def _train_denoiser(spec: MiniatureSpec, out: Path, report: Report) -> tuple[Any, Any, Any]:
    torch.manual_seed(spec.seed)
    _check_frames(spec, out)
    labels = spec.labels()
    tokenizer = _tokenizer(labels)
    latents = np.load(out / "latents.npy", mmap_mode="r")
    text_encoder, denoiser = new_text_encoder(tokenizer), new_denoiser()
    batch = max(1, spec.batch_size // _processes().num_processes)
    task = DenoiserTask(tokenizer, text_encoder, denoiser, new_scheduler(), latents, labels, batch)
    described = {**_described_frames(spec), "seed": spec.seed}
    loop = StepLoop(
        task,
        out / "denoiser",
        described,
        learning_rate=spec.learning_rate,
        seed=spec.seed,
        report=lambda line: report(f"denoiser: {line}"),
    )
    trained: Any = loop.run(spec.denoiser_steps)
    return tokenizer, trained.text_encoder, trained.denoiser


def _tokenizer(labels: list[int]) -> Any:
    texts = (text for label in labels for each in (sentences_of(label),) for text in (*each.single, *each.stacked))
    return word_tokenizer(texts)


def _write_pipeline(spec: MiniatureSpec, out: Path) -> None:
    """The parts in float16, and beside them how they were made."""
    autoencoder = _train_decoder(spec, out, lambda _: None)
    tokenizer, text_encoder, denoiser = _train_denoiser(spec, out, lambda _: None)
    if not _processes().is_main_process:
        return
    folder = out / "pipeline"
    with quiet_libraries():
        pipeline = assemble(tokenizer, text_encoder, denoiser, autoencoder).to(torch.float16)
        for part in (pipeline.unet, pipeline.vae):
            part.to(memory_format=torch.contiguous_format)
        pipeline.save_pretrained(folder)
    described = {"spec": spec.to_dict(), "versions": {name: version(name) for name in ("diffusers", "torch")}}
    (folder / DESCRIPTION).write_text(json.dumps(described, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    for task in ("decoder", "denoiser"):
        shutil.copyfile(out / task / HISTORY, folder / f"{task}.{HISTORY}")
