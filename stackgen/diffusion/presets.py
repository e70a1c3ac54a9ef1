"""The text-to-image models with a name of their own, as data."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from stackwalls.model import InputError

AUTO = "auto"
"""Chooses `DEFAULT` if it can run, else `MINIATURE`."""

DEFAULT = "klein"

MINIATURE = "mini"
"""Its weights are included in this package (see `miniature/`)."""


@dataclass(frozen=True)
class Preset:
    """One text-to-image model and its authors' recommended settings (November 2026)."""

    name: str
    repository: str  # on the Hugging Face Hub; empty for the one in this package
    dtype: str  # of its weights on a GPU: "float16", "bfloat16" or "float32"
    steps: int  # of sampling
    guidance: float  # its scale
    width: int  # of the frame in pixels; a portrait frame suits a stack
    height: int
    multiple: int  # both sides must be divisible by this
    licence: str  # of the weights, as the Hub's identifier
    memory: str  # gigabytes of GPU memory
    guidance_argument: str = "guidance_scale"  # the pipeline's name for `guidance`
    negative_prompt: str | None = None  # needed by some pipelines to use guidance at all
    variant: str | None = None  # of the weight files that are already in `dtype`
    localizer: str = "owlv2"  # finds the animals in its frames by default
    stacks_only: bool = False  # whether it draws animals only on top of each other, not side by side


# fmt: off
_ALL = (
    Preset("klein", "black-forest-labs/FLUX.2-klein-4B", "bfloat16", 4, 1.0, 832, 1216, 16, "apache-2.0", "8 to 16"),
    Preset("zimage-turbo", "Tongyi-MAI/Z-Image-Turbo", "bfloat16", 8, 0.0, 832, 1216, 16, "apache-2.0", "16 to 24"),
    Preset("zimage", "Tongyi-MAI/Z-Image", "bfloat16", 50, 5.0, 832, 1216, 16, "apache-2.0", "24 and more"),
    Preset("qwen", "Qwen/Qwen-Image-2512", "bfloat16", 50, 4.0, 928, 1312, 16, "apache-2.0", "48 and more",
           guidance_argument="true_cfg_scale", negative_prompt=" "),
    Preset("sdxl", "stabilityai/stable-diffusion-xl-base-1.0", "float16", 30, 6.0, 832, 1216, 8, "openrail++", "8",
           variant="fp16"),
    Preset("sd15", "stable-diffusion-v1-5/stable-diffusion-v1-5", "float16", 30, 7.5, 512, 768, 8,
           "creativeml-openrail-m", "4", variant="fp16"),
    Preset(MINIATURE, "", "float32", 16, 2.5, 192, 288, 32, "apache-2.0", "none",
           localizer="foreground", stacks_only=True),
)
# fmt: on

PRESETS: dict[str, Preset] = {preset.name: preset for preset in _ALL}
"""The choices of `--preset`, besides `auto`."""


def find_preset(name: str) -> Preset:
    """Find a preset by name.

    Raises:
        InputError: if it is unknown; the message lists the valid names.
    """
    if name in PRESETS:
        return PRESETS[name]
    near = difflib.get_close_matches(name, [AUTO, *PRESETS], n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise InputError(
        f"Unknown preset {name!r}: expected {AUTO}, {', '.join(PRESETS)}, or --model with an id on the Hugging Face "
        f"Hub or a folder.{hint}"
    )
