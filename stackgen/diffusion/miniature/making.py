"""`make_miniature`: from drawn frames to a pipeline folder that diffusers loads."""

import json
import shutil
from collections.abc import Callable
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from stackwalls.model import InputError
from stackwalls.model.files import put_in_place, temporary_path, write_whole
from stackwalls.model.training.history import HISTORY_NAME
from stackwalls.stackgen.diffusion.miniature.examples import HEIGHT, WIDTH, frames, sentences_of, word_tokenizer
from stackwalls.stackgen.diffusion.miniature.networks import (
    CHANNELS,
    PATCH,
    Projection,
    assemble,
    new_autoencoder,
    new_denoiser,
    new_scheduler,
    new_text_encoder,
)
from stackwalls.stackgen.diffusion.miniature.spec import DESCRIPTION, MiniatureSpec
from stackwalls.stackgen.diffusion.miniature.tasks import DecoderTask, DenoiserTask, TaskLoop
from stackwalls.stackgen.diffusion.pipeline import quiet_libraries

STAGES = ("frames", "decoder", "denoiser", "pipeline")  # decoder and denoiser may run side by side
_FRAMES = "frames.json"  # written when all frames are there: which ones
_FITTED = 256  # frames that the projection is fitted to
_BLOCK = 64  # frames that are encoded at once

Report = Callable[[str], None]


def make_miniature(
    spec: MiniatureSpec, out: Path, stages: tuple[str, ...] = STAGES, report: Report = lambda _: None
) -> None:
    """Run the stages of a training. Each starts from what the earlier ones left in `out`, and resumes where it stopped.

    Under `accelerate launch`, decoder and denoiser run on all processes.

    Args:
        spec: what to make.
        out: gets `latents.npy`, `projection.pt` and `frames.json`, which describes them; a folder for each training;
            and finally `pipeline/`.
        stages: some of `STAGES`.
        report: called with each line about progress.

    Raises:
        InputError: if `out` holds a training with other settings, or the result of an earlier stage is missing.
        RunError: if a loss is not finite, or after Ctrl-C.
    """
    out.mkdir(parents=True, exist_ok=True)
    processes = _processes()
    if "frames" in stages:
        with processes.main_process_first():  # the others find them
            _draw(spec, out, report)
    if "decoder" in stages:
        _train_decoder(spec, out, lambda line: report(f"decoder: {line}"))
    if "denoiser" in stages:
        _train_denoiser(spec, out, lambda line: report(f"denoiser: {line}"))
    if "pipeline" in stages:
        _write_pipeline(spec, out)


def _processes() -> Any:
    """The processes that accelerate's launcher started; one without it."""
    from accelerate import PartialState

    return PartialState(cpu=not torch.cuda.is_available())


def _draw(spec: MiniatureSpec, out: Path, report: Report) -> None:
    """Fit the projection, and write the latents of all frames."""
    if (out / _FRAMES).exists():
        _check_frames(spec, out)
        return
    labels, count = spec.labels(), len(spec.classes) * spec.per_class
    per_class = -(-_FITTED // len(labels))
    projection = Projection.fit(list(frames(labels, per_class)))
    torch.save(vars(projection), out / "projection.pt")
    temporary = temporary_path(out / "latents.npy")
    shape = (count, CHANNELS, HEIGHT // PATCH, WIDTH // PATCH)
    latents = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.float16, shape=shape)
    drawn = frames(labels, spec.per_class)
    for done in range(0, count, _BLOCK):
        block = np.stack(list(islice(drawn, _BLOCK)))
        images = torch.from_numpy(block).permute(0, 3, 1, 2).float() / 255.0
        latents[done : done + len(block)] = projection(images).numpy().astype(np.float16)
        if done and done % (32 * _BLOCK) == 0:
            report(f"drew {done} of {count} frames")
    latents.flush()
    put_in_place(temporary, out / "latents.npy")
    write_whole(out / _FRAMES, (json.dumps(_described_frames(spec), indent=1) + "\n").encode())


def _described_frames(spec: MiniatureSpec) -> dict[str, Any]:
    return {"classes": list(spec.classes), "per_class": spec.per_class}


def _check_frames(spec: MiniatureSpec, out: Path) -> None:
    path = out / _FRAMES
    if not path.exists():
        raise InputError(f"{out} has no drawn frames yet. Run the stage `frames` first.")
    if json.loads(path.read_text(encoding="utf-8")) != _described_frames(spec):
        raise InputError(f"The frames in {out} are of other classes, or another number. Choose another --out.")


def _train_decoder(spec: MiniatureSpec, out: Path, report: Report) -> Any:
    """The autoencoder, its decoder trained."""
    torch.manual_seed(spec.seed)
    _check_frames(spec, out)
    projection = Projection(**torch.load(out / "projection.pt", weights_only=True))
    autoencoder = new_autoencoder(projection)
    task = DecoderTask(autoencoder, projection, spec.labels())
    described = {"classes": list(spec.classes), "seed": spec.seed}
    loop = TaskLoop(task, out / "decoder", described, spec.decoder_steps, spec, report)
    loop.run()
    autoencoder.decoder = loop.average.decoder
    return autoencoder


def _train_denoiser(spec: MiniatureSpec, out: Path, report: Report) -> tuple[Any, Any, Any]:
    """Tokenizer, text encoder and denoiser, trained."""
    torch.manual_seed(spec.seed)
    _check_frames(spec, out)
    labels = spec.labels()
    tokenizer = word_tokenizer(text for label in labels for kind in sentences_of(label) for text in kind)
    latents = np.load(out / "latents.npy", mmap_mode="r")
    text_encoder, denoiser = new_text_encoder(tokenizer), new_denoiser()
    batch = max(1, spec.batch_size // _processes().num_processes)
    task = DenoiserTask(tokenizer, text_encoder, denoiser, new_scheduler(), latents, labels, batch)
    described = {**_described_frames(spec), "seed": spec.seed}
    loop = TaskLoop(task, out / "denoiser", described, spec.denoiser_steps, spec, report)
    loop.run()
    return tokenizer, loop.average.text_encoder, loop.average.denoiser


def _write_pipeline(spec: MiniatureSpec, out: Path) -> None:
    """Write the parts in float16, with a description of how they were made."""
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
        shutil.copyfile(out / task / HISTORY_NAME, folder / f"{task}.{HISTORY_NAME}")
