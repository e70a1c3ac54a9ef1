"""The miniature's parts: words, sentences, frames, and the linear encoder."""

import re

import numpy as np
import pytest
import torch

from stackwalls.model import InputError, animals
from stackwalls.model.images.drawn import draw_scene
from stackwalls.stackgen.diffusion.miniature.examples import (
    FIRST_SEED,
    MAX_TOKENS,
    UNKNOWN,
    draw_frame,
    frames,
    is_stacked,
    sentences_of,
    word_tokenizer,
)
from stackwalls.stackgen.diffusion.miniature.networks import new_autoencoder
from stackwalls.stackgen.diffusion.miniature.projection import CHANNELS, PATCH, SCALING, WIDTH, Projection
from stackwalls.stackgen.diffusion.miniature.spec import MiniatureSpec
from stackwalls.stackgen.prompts.prompt import prompt_for

LABELS = (0, 7, 207)


@pytest.fixture(scope="module")
def projection() -> Projection:
    return Projection.fit(list(frames(LABELS, 4)))


def test_every_word_of_every_animal_is_one_token() -> None:
    texts = [text for entry in animals() for kind in sentences_of(entry.index) for text in kind]
    tokenizer = word_tokenizer(texts)
    for text in texts:
        tokens = tokenizer(text).input_ids
        pieces = re.findall(r"\w+|[^\w\s]+", text)
        assert len(tokens) == len(pieces) + 2 <= MAX_TOKENS, text
        assert tokenizer.unk_token_id not in tokens
        assert tokenizer.convert_ids_to_tokens(tokens)[1:-1] == [piece.lower() for piece in pieces]
    assert tokenizer.convert_ids_to_tokens(tokenizer("A photo of a zeppelin").input_ids)[-2] == UNKNOWN


def test_the_sentences_are_those_that_stackgen_asks_for() -> None:
    single, stacked = sentences_of(7)
    assert set(stacked) == {
        *(prompt_for(7, attempt).text for attempt in range(20)),
        "A photo of cock stacked on top of cock.",
    }
    assert single == ["A photo of a rooster.", "A photo of cock."]


def test_frames_are_scenes_of_the_drawn_world() -> None:
    for number in range(6):
        frame = draw_frame(7, number)
        expected = draw_scene(
            7,
            FIRST_SEED + number,
            size=192,
            height=288,
            animals=1 if number in (0, 5) else 2,
            mirror=False,
            tilt=3.0,
        )
        assert np.array_equal(frame, expected.image)
        assert is_stacked(number) == (number not in (0, 5))
    for position, frame in enumerate(frames(LABELS, 2)):
        assert np.array_equal(frame, draw_frame(LABELS[position % 3], position // 3))


def test_the_projection_is_that_of_patches(projection: Projection) -> None:
    """Against patches cut out and multiplied one by one."""
    image = draw_frame(7, 9)
    found = projection(torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255)[0]
    assert found.shape == (CHANNELS, 288 // PATCH, 192 // PATCH)
    for y, x in ((0, 0), (5, 7), (17, 11)):
        patch = image[16 * y : 16 * y + 16, 16 * x : 16 * x + 16].astype(np.float64) / 255
        expected = projection.offset.double().numpy().copy()
        for part, (down, right) in enumerate(((0, 0), (0, 8), (8, 0), (8, 8))):
            cell = patch[down : down + 8, right : right + 8].transpose(2, 0, 1)
            fine = (projection.fine.double().numpy() * cell).sum((1, 2, 3))
            expected += projection.coarse.double().numpy()[:, :, part // 2, part % 2] @ fine
        np.testing.assert_allclose(found[:, y, x].numpy(), expected, atol=1e-4)


def test_its_components_are_uncorrelated_and_scaled(projection: Projection) -> None:
    images = np.stack(list(frames(LABELS, 4)))
    latents = projection(torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255)
    values = latents.permute(1, 0, 2, 3).flatten(1).double()
    assert values.mean(1).abs().max() < 1e-4
    covariance = torch.cov(values)
    off = covariance - covariance.diag().diag()
    assert off.abs().max() < 1e-3 * covariance.diag().max()
    assert (covariance.diag().diff() <= 1e-6).all(), "the largest first"
    assert float(values.square().mean().sqrt()) == pytest.approx(1 / SCALING, rel=1e-3)


def test_the_autoencoders_encoder_is_the_projection(projection: Projection) -> None:
    autoencoder = new_autoencoder(projection)
    images = torch.rand(2, 3, 64, 96)
    with torch.no_grad():
        found = autoencoder.encode(2 * images - 1).latents
        assert autoencoder.decode(found).sample.shape == images.shape
    assert (found - projection(images)).abs().max() < 1e-4
    assert autoencoder.config.encoder_block_out_channels[0] == WIDTH


def test_a_spec_is_checked_where_it_is_made() -> None:
    assert MiniatureSpec(classes=("goldfish", 7)).classes == ("n01443537", "n01514668")
    for values, message in (
        ({"classes": ()}, "at least one class"),
        ({"classes": (999,)}, "animals only"),
        ({"classes": (7,), "per_class": 0}, "`per_class` to be 1 or more"),
        ({"classes": (7,), "learning_rate": float("nan")}, "`learning_rate`"),
    ):
        with pytest.raises(InputError, match=message):
            MiniatureSpec(**values)  # type: ignore[arg-type]
