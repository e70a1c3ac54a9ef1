"""Real pipelines of diffusers with tiny random weights, through the real `from_pretrained`, without a network."""

import warnings
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from stackwalls.model import InputError, RunError
from stackwalls.stackgen.diffusion import Call, Flaw, ModelSource, Placement, TextToImage, complete_call, find_model
from stackwalls.stackgen.diffusion.pipeline import quiet_libraries
from stackwalls.stackgen.diffusion.reading import Reading

pytestmark = pytest.mark.usefixtures("no_network")

KINDS = ("stable-diffusion", "z-image", "klein")
CPU = Placement("cpu", "float32", "cpu test")
SIZE = (64, 96)
CALL = Call(steps=2, width=SIZE[0], height=SIZE[1])
PROMPTS = ["A photo of an ox stacked on top of an ox.", "A hen on a hen", "tench"]
SEEDS = [3, 2**62 + 1, 0]


def load(folder: Path, call: Call = CALL, **options: Any) -> TextToImage:
    source = find_model("auto", str(folder), None, "cpu")
    return TextToImage.load(source, complete_call(call, source), CPU, **options)


def pixels(frames: list[Image.Image | Flaw]) -> list[np.ndarray]:
    assert all(isinstance(frame, Image.Image) for frame in frames), frames
    return [np.asarray(frame) for frame in frames]


@pytest.mark.parametrize("kind", KINDS)
def test_frames_are_those_of_the_pipeline_itself(kind: str, tiny_pipeline: Callable[[str], Path]) -> None:
    import diffusers

    folder = tiny_pipeline(kind)
    with quiet_libraries():
        plain = diffusers.DiffusionPipeline.from_pretrained(str(folder))
    plain.set_progress_bar_config(disable=True)
    generator = torch.Generator().manual_seed(SEEDS[1])
    guidance = {"guidance_scale": 2.0}
    expected = plain(
        prompt=PROMPTS[1], generator=generator, num_inference_steps=2, width=SIZE[0], height=SIZE[1], **guidance
    ).images[0]
    frame = load(folder, replace(CALL, guidance=2.0)).draw(PROMPTS[1:2], SEEDS[1:2])[0]
    assert isinstance(frame, Image.Image)
    assert (frame.mode, frame.size) == ("RGB", SIZE)
    assert np.array_equal(np.asarray(frame), np.asarray(expected))


@pytest.mark.parametrize("kind", KINDS)
def test_a_frame_follows_from_its_prompt_and_seed(kind: str, tiny_pipeline: Callable[[str], Path]) -> None:
    model = load(tiny_pipeline(kind))
    prompts = list(PROMPTS)
    torch.manual_seed(5)
    state = torch.random.get_rng_state()
    one_by_one = [pixels(model.draw([prompt], [seed]))[0] for prompt, seed in zip(prompts, SEEDS, strict=True)]
    backwards = [pixels(model.draw([PROMPTS[at]], [SEEDS[at]]))[0] for at in (2, 1, 0)]
    assert all(map(np.array_equal, one_by_one, reversed(backwards)))
    assert not np.array_equal(one_by_one[0], pixels(model.draw(PROMPTS[:1], [4]))[0]), "another seed"
    assert not np.array_equal(one_by_one[0], pixels(model.draw(PROMPTS[1:2], SEEDS[:1]))[0]), "another prompt"
    assert torch.equal(torch.random.get_rng_state(), state), "nobody else's random numbers are touched"
    together = pixels(model.draw(prompts, SEEDS))
    assert prompts == PROMPTS, "Z-Image writes its template into the list that it is given"
    for frame, alone in zip(together, one_by_one, strict=True):
        assert np.abs(frame.astype(int) - alone).max() <= 1  # measured: 1 in a few of 18,432 values


def test_the_libraries_are_as_loud_as_before(
    tiny_pipeline: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    from diffusers.utils import logging

    logging.set_verbosity_info()
    try:
        load(tiny_pipeline("klein")).draw(PROMPTS[:1], SEEDS[:1])
        assert logging.get_verbosity() == logging.INFO
        assert logging.is_progress_bar_enabled()
    finally:
        logging.set_verbosity_warning()
    assert capsys.readouterr() == ("", "")


def broken(kind: str, tmp_path: Path, tiny_pipeline: Callable[[str], Path], value: float) -> TextToImage:
    """A pipeline whose decoder gives the same value everywhere."""
    model = load(tiny_pipeline(kind))
    decoder = model._pipeline.vae.decoder.conv_out
    with torch.no_grad():
        decoder.weight.zero_()
        decoder.bias.fill_(value)
    return model


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (float("nan"), "the frame holds values that are no numbers (NaN)"),
        (-1.0, "the frame is black"),
        (0.2, "the frame is of one color"),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_frames_that_show_nothing(
    kind: str, value: float, reason: str, tmp_path: Path, tiny_pipeline: Callable[[str], Path]
) -> None:
    assert broken(kind, tmp_path, tiny_pipeline, value).draw(PROMPTS[:2], SEEDS[:2]) == [Flaw(reason), Flaw(reason)]


@pytest.mark.parametrize(
    ("kind", "size", "said"),
    [
        ("z-image", (64, 66), "ZImagePipeline rejects the call .*divisible by 4"),
        ("stable-diffusion", (68, 64), "StableDiffusionPipeline rejects the call .*divisible by 8"),
        ("klein", (63, 64), r"Flux2KleinPipeline returns 62 × 64 instead of 63 × 64: use --size 62x64"),
    ],
)
def test_a_size_that_the_pipeline_cannot_make(
    kind: str, size: tuple[int, int], said: str, tiny_pipeline: Callable[[str], Path]
) -> None:
    model = load(tiny_pipeline(kind), Call(steps=1, width=size[0], height=size[1]))
    with pytest.raises(InputError, match=said):
        model.draw(PROMPTS[:1], SEEDS[:1])


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"),
        RuntimeError("[enforce fail at alloc_cpu.cpp] . DefaultCPUAllocator: can't allocate memory"),
        MemoryError(),
    ],
)
def test_memory_that_is_short(
    error: Exception, tiny_pipeline: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load(tiny_pipeline("stable-diffusion"))

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(model._pipeline.unet, "forward", fail)
    with pytest.raises(RunError, match=r"cpu ran out of memory.*--batch-size 1") as raised:
        model.draw(PROMPTS[:1], SEEDS[:1])
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (RuntimeError("shapes do not fit"), RunError),
        (AttributeError("shapes do not fit"), InputError),
        (TypeError("shapes do not fit"), InputError),
        (IndexError("shapes do not fit"), InputError),
        (NotImplementedError("shapes do not fit"), RunError),
    ],
)
def test_other_errors_are_a_sentence(
    error: Exception, kind: type[Exception], tiny_pipeline: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load(tiny_pipeline("stable-diffusion"))

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(model._pipeline.unet, "forward", fail)
    with pytest.raises(kind, match=r"StableDiffusionPipeline of \S+ fails \(shapes do not fit\)") as raised:
        model.draw(PROMPTS[:1], SEEDS[:1])
    assert raised.value.__cause__ is error


def test_a_scheduler_of_another_kind(tiny_pipeline: Callable[[str], Path]) -> None:
    from diffusers import FlowMatchEulerDiscreteScheduler

    model = load(tiny_pipeline("stable-diffusion"))
    model._pipeline.scheduler = FlowMatchEulerDiscreteScheduler()
    with pytest.raises(InputError, match=r"FlowMatchEulerDiscreteScheduler.*parts may not fit together"):
        model.draw(PROMPTS[:1], SEEDS[:1])


def test_prompts_that_are_the_same_as_far_as_they_are_read(tiny_pipeline: Callable[[str], Path]) -> None:
    """The tiny tokenizer has a token for each letter, and its encoder reads 75 of them."""
    model = load(tiny_pipeline("stable-diffusion"))
    start = "words " * 15  # 75 letters: their spaces are part of them
    with warnings.catch_warnings(action="error"):
        model.draw([start, "a" * 75], [0, 1])
    with pytest.warns(UserWarning, match="text_encoder reads 75 of its 83 tokens and not “goldfish”"):
        model.draw([f"{start}goldfish"], [0])
    with pytest.raises(InputError, match=r"reads 75 of its 78 tokens and not “hen”.*the same as another prompt"):
        model.draw([f"{start}hen"], [0])
    with warnings.catch_warnings(action="error"):  # said once
        model.draw([f"hen {start}"], [0])


def test_what_one_of_several_encoders_reads_is_read() -> None:
    """Two short encoders and a long one, as in Stable Diffusion 3: one animal is behind the short ones' limit."""
    lengths = {"text_encoder": 8, "text_encoder_2": 8, "text_encoder_3": 64}
    pipeline = SimpleNamespace(components={"transformer": torch.nn.Identity()})
    for name in lengths:
        pipeline.components |= {name: torch.nn.Identity(), name.replace("text_encoder", "tokenizer"): Letters()}
    reading = Reading(pipeline, "three")
    prompts = ["longer than 8: hen", "longer than 8: ox"]

    def call(names: Iterable[str], prompt: str) -> None:
        with reading.watched([prompt]):
            for name in names:
                tokens = [*Letters()(prompt)["input_ids"], *[0] * 64][: lengths[name]]
                pipeline.components[name](torch.tensor([tokens]))
            pipeline.components["transformer"](torch.zeros(1))

    with pytest.warns(UserWarning, match="text_encoder reads 8 .*; text_encoder_2 reads 8 of its 18 tokens and not"):
        call(lengths, prompts[0])
    call(lengths, prompts[1])
    call(list(lengths)[:2], prompts[0])
    with pytest.raises(InputError, match="the same as another prompt"):
        call(list(lengths)[:2], prompts[1])


class Letters:
    """A tokenizer with a token for each character."""

    def __call__(self, text: str, **_: object) -> dict[str, list[int]]:
        return {"input_ids": [ord(letter) for letter in text]}

    def decode(self, tokens: list[int]) -> str:
        return "".join(map(chr, tokens))


def test_an_attention_back_end_that_is_not_here(tiny_pipeline: Callable[[str], Path]) -> None:
    folder = tiny_pipeline("klein")
    with pytest.raises(InputError, match="Flux2KleinPipeline cannot use the attention backend 'flsh'"):
        load(folder, attention="flsh")
    one, other = (load(folder, attention=name).draw(PROMPTS[:1], SEEDS[:1]) for name in (None, "native"))
    assert np.array_equal(pixels(one)[0], pixels(other)[0]), "torch's own is the default"


def test_blocks_that_cannot_be_compiled(tiny_pipeline: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    from diffusers import Flux2Transformer2DModel

    compiled = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self, *_, **__: compiled.append(type(self).__name__))
    load(tiny_pipeline("klein"), compiled=True)
    assert len(compiled) == 2, "one block of each of the two sorts"
    monkeypatch.setattr(Flux2Transformer2DModel, "_repeated_blocks", [])
    with pytest.raises(InputError, match=r"no blocks that can be compiled .*leave --compile out"):
        load(tiny_pipeline("klein"), compiled=True)


def test_a_pipeline_that_is_unknown_here(tmp_path: Path) -> None:
    source = ModelSource("mine", "sha256:0", "NextYearsPipeline", None, tmp_path)
    with pytest.raises(InputError, match=r"NextYearsPipeline, which diffusers \S+ does not have"):
        complete_call(CALL, source)
    with pytest.raises(InputError, match="is not text-to-image"):
        complete_call(CALL, replace(source, pipeline="DDPMPipeline"))
