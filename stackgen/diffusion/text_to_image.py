"""From prompts and seeds to frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from stackwalls.model import InputError
from stackwalls.stackgen.diffusion.call import Call, call_arguments
from stackwalls.stackgen.diffusion.device import Placement
from stackwalls.stackgen.diffusion.loading import load_pipeline, prepare, quiet_libraries
from stackwalls.stackgen.diffusion.memory import memory_errors
from stackwalls.stackgen.diffusion.model_source import ModelSource

FLAT = 8
"""A frame whose values (0 to 255) all lie within so many steps shows nothing."""


@dataclass(frozen=True)
class Flaw:
    """Why a frame is none: `reason`, such as "the frame is black"."""

    reason: str


class FrameMaker(Protocol):
    """Draws frames: a text-to-image model, or what stands for one in a test."""

    def draw(self, prompts: Sequence[str], seeds: Sequence[int]) -> list[Image.Image | Flaw]:
        """A frame (RGB) for each prompt, or what is wrong with it.

        Args:
            prompts: one a frame.
            seeds: of each frame's noise, 0 to 2**63 - 1.
        """
        ...


class TextToImage:
    """A pipeline of diffusers on its device.

    The noise of a frame comes from a fresh generator on the CPU, seeded by the frame's own seed: it is the same on
    every device. The same frames follow from the same weights, number type, kind of device, library versions, options
    and batch size; another batch size or device may change a frame's last bits.

    Attributes:
        described: the model, the device, the number type and the offload in words.
    """

    def __init__(self, pipeline: Any, call: Call, source: ModelSource, device: str) -> None:
        self._pipeline = pipeline
        self._call = call
        self._source = source
        self._device = device
        self._arguments = call_arguments(call, source)
        self._negative = self._arguments.pop("negative_prompt", None)
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
            source: which weights.
            call: how the pipeline is called, as `complete_call` gives it.
            placement: where it runs, and in which number type.
            offload: what stays in main memory; by default what the free memory asks for.
            compiled: compile the repeated blocks (worth it for 50 images and more).
            attention: an attention back end of diffusers.

        Raises:
            InputError: if the model cannot be loaded, or has no such options.
            RunError: if the Hub refuses it, or memory is short.
        """
        pipeline, chosen = load_pipeline(source, placement, offload)
        prepare(pipeline, compiled=compiled, attention=attention)
        model = cls(pipeline, call, source, placement.device)
        turns = "" if chosen == "none" else f", its weights taking turns on the GPU (offload {chosen})"
        model.described = f"{source.name} on {placement.hardware} in {placement.dtype}{turns}"
        return model

    def draw(self, prompts: Sequence[str], seeds: Sequence[int]) -> list[Image.Image | Flaw]:
        """See `FrameMaker`.

        Raises:
            InputError: if the pipeline refuses the size or the numbers that it is called with.
            RunError: if memory is short.
        """
        generators = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]
        negative = {} if self._negative is None else {"negative_prompt": [self._negative] * len(prompts)}
        # some pipelines write their chat template into the list that they are given: each call has its own
        with quiet_libraries(), memory_errors(self._device), torch.no_grad():
            try:
                made = self._pipeline(prompt=list(prompts), generator=generators, **negative, **self._arguments).images
            except ValueError as error:
                said = " ".join(str(error).split())[:300]
                raise InputError(
                    f"{self._source.pipeline} refuses to draw ({said}): change --size, --steps or --guidance."
                ) from error
            frames = [_as_frame(image) for image in made]
        for frame in frames:
            self._check_size(frame)
        return frames

    def _check_size(self, frame: Image.Image | Flaw) -> None:
        asked = (self._call.width, self._call.height)
        if isinstance(frame, Image.Image) and asked[0] is not None and frame.size != asked:
            raise InputError(
                f"{self._source.pipeline} makes {frame.width} × {frame.height} of the {asked[0]} × {asked[1]} asked "
                f"for: take --size {frame.width}x{frame.height}."
            )


def _as_frame(image: Any) -> Image.Image | Flaw:
    """A frame from `(3, H, W)` in [0, 1] (or what the pipeline gave instead), if there is something to see in it."""
    pixels: NDArray[np.uint8] | None
    if isinstance(image, torch.Tensor):
        values = image.detach().float()
        if not bool(torch.isfinite(values).all()):
            return Flaw("the frame holds values that are no numbers (NaN)")
        pixels = (values * 255).round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).cpu().numpy()
    else:
        pixels = _from_other(image)
        if pixels is None:
            return Flaw("the frame holds values that are no numbers (NaN)")
    darkest, brightest = int(pixels.min()), int(pixels.max())
    if brightest < FLAT:
        return Flaw("the frame is black")
    if brightest - darkest < FLAT:
        return Flaw("the frame is of one colour")
    return Image.fromarray(pixels, "RGB")


def _from_other(image: Any) -> NDArray[np.uint8] | None:
    """`(H, W, 3)` of a picture or an array in [0, 1]; None where it is not finite."""
    if isinstance(image, Image.Image):
        return np.asarray(image.convert("RGB"))
    values = np.asarray(image, dtype=np.float32)
    return (values.clip(0, 1) * 255).round().astype(np.uint8) if np.isfinite(values).all() else None
