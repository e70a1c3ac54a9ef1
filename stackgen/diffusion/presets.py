"""The text-to-image models that have a name here, as data."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from stackwalls.model import InputError

AUTO = "auto"
"""The preset that chooses: `DEFAULT` where it can run."""

DEFAULT = "klein"

MINIATURE = "mini"
"""The preset whose weights come with this package (see `miniature`); what `AUTO` falls back on."""


@dataclass(frozen=True)
class Preset:
    """One text-to-image model and how it is called (its authors' recommendations, November 2026).

    Attributes:
        name: of the preset.
        repository: on the Hugging Face Hub; empty for the one in this package.
        dtype: of its weights on a GPU: "float16", "bfloat16" or "float32".
        steps: of the sampler.
        guidance: how strongly the prompt guides.
        width: of the frame in pixels; a portrait frame suits a stack.
        height: of the frame in pixels.
        multiple: pixels that divide both.
        licence: of the weights, by the Hub's identifier.
        memory: gigabytes of GPU memory that it is for.
        guidance_argument: the pipeline's name of `guidance`.
        negative_prompt: what the pipeline needs for its guidance to act, or None.
        variant: of the weight files that holds them in `dtype` already.
        localizer: what finds the animals in its frames by default.
        stacks_only: whether it draws one animal on top of the other, but none side by side.
    """

    name: str
    repository: str
    dtype: str
    steps: int
    guidance: float
    width: int
    height: int
    multiple: int
    licence: str
    memory: str
    guidance_argument: str = "guidance_scale"
    negative_prompt: str | None = None
    variant: str | None = None
    localizer: str = "owlv2"
    stacks_only: bool = False


_ALL = (
    Preset("klein", "black-forest-labs/FLUX.2-klein-4B", "bfloat16", 4, 1.0, 832, 1216, 16, "apache-2.0", "8 to 16"),
    Preset("zimage-turbo", "Tongyi-MAI/Z-Image-Turbo", "bfloat16", 8, 0.0, 832, 1216, 16, "apache-2.0", "16 to 24"),
    Preset("zimage", "Tongyi-MAI/Z-Image", "bfloat16", 50, 5.0, 832, 1216, 16, "apache-2.0", "24 and more"),
    Preset(
        "qwen",
        "Qwen/Qwen-Image-2512",
        "bfloat16",
        50,
        4.0,
        928,
        1312,
        16,
        "apache-2.0",
        "48 and more",
        guidance_argument="true_cfg_scale",
        negative_prompt=" ",
    ),
    Preset(
        "sdxl",
        "stabilityai/stable-diffusion-xl-base-1.0",
        "float16",
        30,
        6.0,
        832,
        1216,
        8,
        "openrail++",
        "8",
        variant="fp16",
    ),
    Preset(
        "sd15",
        "stable-diffusion-v1-5/stable-diffusion-v1-5",
        "float16",
        30,
        7.5,
        512,
        768,
        8,
        "creativeml-openrail-m",
        "4",
        variant="fp16",
    ),
    Preset(
        MINIATURE,
        "",
        "float32",
        16,
        2.5,
        192,
        288,
        32,
        "apache-2.0",
        "none",
        localizer="foreground",
        stacks_only=True,
    ),
)

PRESETS: dict[str, Preset] = {preset.name: preset for preset in _ALL}
"""The choices of `--preset`, beside `auto`."""


def find_preset(name: str) -> Preset:
    """The preset of that name.

    Raises:
        InputError: if there is none; the message lists them and names the nearest.
    """
    if name in PRESETS:
        return PRESETS[name]
    near = difflib.get_close_matches(name, [AUTO, *PRESETS], n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise InputError(
        f"Unknown preset {name!r}: expected {AUTO}, {', '.join(PRESETS)}, or --model with an id on the Hugging Face "
        f"Hub or a folder.{hint}"
    )
