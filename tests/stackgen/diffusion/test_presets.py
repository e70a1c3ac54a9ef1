"""Presets as data, devices, and how a pipeline is called."""

import inspect

import diffusers
import pytest

from stackwalls.model import InputError
from stackwalls.stackgen.diffusion import (
    PRESETS,
    Call,
    ModelSource,
    Preset,
    complete_call,
    find_preset,
    parse_size,
    place,
)
from stackwalls.stackgen.diffusion.call import call_arguments
from stackwalls.stackgen.diffusion.pipeline import choose_offload

PIPELINES = {
    "klein": "Flux2KleinPipeline",
    "zimage-turbo": "ZImagePipeline",
    "zimage": "ZImagePipeline",
    "qwen": "QwenImagePipeline",
    "sdxl": "StableDiffusionXLPipeline",
    "sd15": "StableDiffusionPipeline",
    "mini": "StableDiffusionPipeline",
}


def source_of(name: str) -> ModelSource:
    return ModelSource(PRESETS[name].repository, "abc", PIPELINES[name], PRESETS[name])


@pytest.mark.parametrize("preset", PRESETS.values(), ids=str)
def test_a_preset_is_called_as_it_says(preset: Preset) -> None:
    assert preset.width % preset.multiple == preset.height % preset.multiple == 0
    assert preset.height > preset.width, "a portrait frame suits a stack"
    source = source_of(preset.name)
    arguments = call_arguments(complete_call(Call(), source), source)
    parameters = inspect.signature(getattr(diffusers, source.pipeline).__call__).parameters
    assert arguments.keys() <= parameters.keys(), "diffusers passes over unknown ones without a word"
    assert arguments["num_inference_steps"] == preset.steps
    assert arguments[preset.guidance_argument] == preset.guidance
    assert (arguments["width"], arguments["height"]) == (preset.width, preset.height)
    assert ("negative_prompt" in arguments) == (preset.name == "qwen"), "without one Qwen takes no guidance"


def test_what_is_asked_for_comes_first() -> None:
    source = source_of("zimage")
    assert complete_call(Call(9, 2.5, 512, 640), source) == Call(9, 2.5, 512, 640)
    assert complete_call(Call(guidance=0.0), source) == Call(50, 0.0, 832, 1216), "0 is a number too"
    assert complete_call(Call(), source, landscape=True) == Call(50, 5.0, 1216, 832)
    own = ModelSource("mine", "abc", "StableDiffusionPipeline")
    assert complete_call(Call(), own) == Call(50, 7.5, None, None), "the pipeline's own defaults"
    assert "width" not in call_arguments(Call(50, 7.5), own)


def test_sizes() -> None:
    assert parse_size("832x1216") == parse_size("832 × 1216") == (832, 1216)
    for text in ("832", "832x", "-8x8", "8x8x8", "832.0x8"):
        with pytest.raises(InputError, match="Cannot read the size"):
            parse_size(text)
    with pytest.raises(InputError, match=r"divisible by 16, but got 840 × 1224: the nearest is 832x1216\."):
        complete_call(Call(width=840, height=1224), source_of("zimage-turbo"))


def test_the_nearest_preset_is_named() -> None:
    assert find_preset("sdxl") is PRESETS["sdxl"]
    with pytest.raises(InputError, match="Did you mean 'zimage-turbo'"):
        find_preset("z-image-turbo")


@pytest.mark.parametrize(
    ("device", "wanted", "has_bfloat16", "expected"),
    [
        ("cuda:0", "bfloat16", True, "bfloat16"),
        ("cuda:0", "bfloat16", False, "float32"),
        ("cuda:0", "float16", False, "float16"),
        ("cuda:0", None, True, "bfloat16"),
        ("cpu", "bfloat16", True, "float32"),
        ("cpu", "float16", True, "float32"),
        ("mps", "float16", True, "float16"),
        ("mps", "bfloat16", False, "float32"),
    ],
)
def test_number_types(
    device: str, wanted: str | None, has_bfloat16: bool, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never float16 in place of bfloat16: Z-Image leaves its range."""
    monkeypatch.setattr("stackwalls.stackgen.diffusion.pipeline._has_bfloat16", lambda _: has_bfloat16)
    monkeypatch.setattr("torch.cuda.get_device_name", lambda _: "a GPU")
    assert place(device, wanted).dtype == expected
    assert place(device, wanted, "float16").dtype == "float16"
    with pytest.raises(InputError, match="Unknown number type"):
        place(device, wanted, "int8")


def test_offload_follows_from_what_is_free() -> None:
    weights, largest = int(16e9), int(8e9)
    assert choose_offload(weights, largest, int(24e9)) == "none"
    assert choose_offload(weights, largest, int(16e9)) == "model"
    assert choose_offload(weights, largest, int(8e9)) == "sequential"
