"""`TextToImage`: from prompts and seeds to frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from PIL import Image

from stackwalls.model import InputError, RunError, StackwallsError, is_out_of_memory, memory_errors
from stackwalls.stackgen.diffusion.call import Call, call_arguments
from stackwalls.stackgen.diffusion.model_source import ModelSource
from stackwalls.stackgen.diffusion.pipeline import (
    Placement,
    load_pipeline,
    memory_advice,
    one_line,
    prepare,
    quiet_libraries,
)
from stackwalls.stackgen.diffusion.reading import Reading

FLAT = 8  # a frame with a smaller range of values (of 0 to 255) is blank


@dataclass(frozen=True)
class Flaw:
    """Why a frame is unusable, such as "the frame is black"."""

    reason: str


class FrameMaker(Protocol):
    """Draws frames: a text-to-image model, or its stand-in in a test."""

    def draw(self, prompts: Sequence[str], seeds: Sequence[int]) -> list[Image.Image | Flaw]:
        """Draw an RGB frame for each prompt and seed of its noise (0 to 2**63 - 1), or say what is wrong with it."""
        ...


class TextToImage:
    """A diffusers pipeline on its device.

    The noise of each frame comes from a generator on the CPU with the frame's own seed, so it is the same everywhere.
    Frames are reproducible with the same weights, number type, kind of device, versions, options and batch size;
    another batch size or device may change a frame's last bits.

    Attributes:
        described: model, device, number type and offloading, in words.
    """

    def __init__(self, pipeline: Any, call: Call, source: ModelSource, device: str) -> None:
        self._pipeline, self._call, self._source, self._device = pipeline, call, source, device
        self._arguments = call_arguments(call, source)
        self._negative = self._arguments.pop("negative_prompt", None)
        self._reading = Reading(pipeline, source.name)
        self.described = source.name

    @classmethod
    def load(
        cls,
        source: ModelSource,
        call: Call,
        placement: Placement,
        *,
        offload: str | None = None,
        compiled: bool = False,
        attention: str | None = None,
    ) -> TextToImage:
        """Load the weights.

        Args:
            source: as `find_model` gives it.
            call: as `complete_call` gives it.
            placement: as `place` gives it.
            offload: one of `OFFLOADS`; by default chosen by the free memory.
            compiled: compile the repeated blocks (pays off from about 50 images).
            attention: an attention backend of diffusers.

        Raises:
            InputError: if the model cannot be loaded, or does not support an option.
            RunError: if the Hub refuses access, or memory runs out.
        """
        pipeline, chosen = load_pipeline(source, placement, offload)
        prepare(pipeline, compiled=compiled, attention=attention)
        model = cls(pipeline, call, source, placement.device)
        offloaded = "" if chosen == "none" else f" with {chosen} offloading"
        model.described = f"{source.name} on {placement.hardware} in {placement.dtype}{offloaded}"
        return model

    def draw(self, prompts: Sequence[str], seeds: Sequence[int]) -> list[Image.Image | Flaw]:
        """See `FrameMaker`.

        Raises:
            InputError: if the pipeline rejects the size or the other arguments, or its text encoders read too little
                of two prompts to tell them apart.
            RunError: if memory runs out.
        """
        generators = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]
        negative = {} if self._negative is None else {"negative_prompt": [self._negative] * len(prompts)}
        # each call gets its own list: some pipelines write their chat template into it
        quiet, memory = quiet_libraries(), memory_errors(memory_advice(self._device))
        with quiet, memory, self._reading.watched(prompts), torch.no_grad():
            try:
                made = self._pipeline(prompt=list(prompts), generator=generators, **negative, **self._arguments).images
            except (ValueError, AttributeError, TypeError, LookupError, RuntimeError) as error:
                raise self._failure(error) from error
            frames = [_as_frame(image) for image in made]
        width, height = self._call.width, self._call.height
        for frame in frames:
            if isinstance(frame, Image.Image) and width is not None and frame.size != (width, height):
                raise InputError(
                    f"{self._source.pipeline} returns {frame.width} × {frame.height} instead of {width} × {height}: "
                    f"use --size {frame.width}x{frame.height}."
                )
        return frames

    def _failure(self, error: Exception) -> Exception:
        """What to raise for an error of the pipeline's call."""
        if isinstance(error, StackwallsError) or is_out_of_memory(error):
            return error
        if isinstance(error, ValueError):
            wrong = f"{self._source.pipeline} rejects the call ({one_line(error)})"
            return InputError(f"{wrong}: change --size, --steps or --guidance.")
        kind = RunError if isinstance(error, RuntimeError) else InputError
        return kind(
            f"The {self._source.pipeline} of {self._source.name} fails ({one_line(error)}): its parts may not fit "
            "together, such as a scheduler of another kind of model. Use its original files, or another model."
        )


def _as_frame(image: Any) -> Image.Image | Flaw:
    """Convert a pipeline's output, `(3, H, W)` in [0, 1] or an image or `(H, W, 3)`, unless it is blank."""
    if isinstance(image, Image.Image):
        pixels = np.asarray(image.convert("RGB"))
    else:
        values = image.detach().permute(1, 2, 0) if isinstance(image, torch.Tensor) else torch.as_tensor(image)
        if not bool(torch.isfinite(values).all()):
            return Flaw("the frame holds values that are no numbers (NaN)")
        pixels = (values.float() * 255).round().clamp(0, 255).to(torch.uint8).cpu().numpy()
    darkest, brightest = int(pixels.min()), int(pixels.max())
    if brightest < FLAT:
        return Flaw("the frame is black")
    if brightest - darkest < FLAT:
        return Flaw("the frame is of one color")
    return Image.fromarray(pixels, "RGB")
