"""CLIP and SigLIP as zero-shot classifiers: transformers' own logits, and blind behind every kind of wall."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers as tf
from PIL import Image
from tokenizers import Tokenizer, models, pre_tokenizers

from stackwalls.evaluate import evaluate
from stackwalls.model import WALL_KINDS, ClassTexts, InputError, WalledTransformer, certify, load_model
from stackwalls.stackgen.cli import main

NAMES = ("cat", "red panda", "jay")
PROMPT = "a photo of a {}"
VISION = {"image_size": 32, "patch_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
TEXT = {"hidden_size": 16, "intermediate_size": 16, "num_attention_heads": 2, "num_hidden_layers": 1}


def tokenizer(special: tuple[str, ...], limit: int, **options: Any) -> Any:
    """A token for each byte."""
    vocabulary = {word: index for index, word in enumerate([*special, *sorted(pre_tokenizers.ByteLevel.alphabet())])}
    core = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return tf.PreTrainedTokenizerFast(tokenizer_object=core, model_max_length=limit, **options)


def clip(folder: Path) -> tuple[Any, Any]:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = [*alphabet, *(f"{letter}</w>" for letter in alphabet), "<|startoftext|>", "<|endoftext|>"]
    tokens = tf.CLIPTokenizer(vocab={word: index for index, word in enumerate(words)}, merges=[], model_max_length=77)
    ids = {f"{kind}_token_id": getattr(tokens, f"{kind}_token_id") for kind in ("bos", "eos", "pad")}
    text = {**TEXT, "vocab_size": len(tokens), **ids}
    config = tf.CLIPConfig(text_config=text, vision_config={**VISION, "hidden_size": 24}, projection_dim=20)
    size = {"height": 32, "width": 32}
    tf.CLIPProcessor(tf.CLIPImageProcessor(size={"shortest_edge": 36}, crop_size=size), tokens).save_pretrained(folder)
    return tf.CLIPModel(config), tokens


def siglip(folder: Path) -> tuple[Any, Any]:
    tokens = tokenizer(("<pad>", "</s>"), 64, pad_token="<pad>", model_input_names=["input_ids"])
    text = {**TEXT, "vocab_size": len(tokens), "max_position_embeddings": 64, "hidden_size": 24}
    config = tf.SiglipConfig(text_config=text, vision_config={**VISION, "hidden_size": 24})
    tokens.save_pretrained(folder)
    tf.SiglipImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    return tf.SiglipModel(config), tokens


MODELS: dict[str, Callable[[Path], tuple[Any, Any]]] = {"CLIP": clip, "SigLIP": siglip}


@pytest.fixture(scope="module", params=MODELS)
def saved(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any, Any]:
    """A folder, the model and the tokenizer in it."""
    folder = tmp_path_factory.mktemp("model")
    torch.manual_seed(0)
    model, tokens = MODELS[request.param](folder)
    with torch.no_grad():  # transformers' own weights are so small that a leak would be lost
        for tensor in model.parameters():
            tensor.add_(0.1 * torch.randn_like(tensor))
        model.logit_scale.fill_(1.5)
    model.eval().save_pretrained(folder)
    return folder, model, tokens


def noise() -> torch.Tensor:
    return torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def test_without_a_wall_the_logits_are_transformers_own(saved: tuple[Path, Any, Any]) -> None:
    folder, model, tokens = saved
    network: Any = load_model(f"walled:{folder}", class_names=NAMES, classes_as=PROMPT)
    assert isinstance(network, WalledTransformer)
    assert network.class_names == NAMES
    assert network.transform.size == 32
    padding = "max_length" if model.config.model_type == "siglip" else "longest"
    given = tokens([f"a photo of a {name}" for name in NAMES], padding=padding, return_tensors="pt")
    with torch.no_grad():
        expected = model(pixel_values=noise(), **given).logits_per_image
        network.dead.zero_()  # an empty wall
        torch.testing.assert_close(network(noise()), expected, rtol=0, atol=1e-5)
    assert expected.std(0).min() > 1e-3  # they depend on the image


@pytest.mark.parametrize("kind", WALL_KINDS)
def test_it_is_blind_saved_and_loaded(saved: tuple[Path, Any, Any], kind: str, tmp_path: Path) -> None:
    prefix = WALL_KINDS[kind]  # type: ignore[index]
    network: Any = load_model(f"{prefix}{saved[0]}", wall="bottom:8+left:8@32", class_names=NAMES, classes_as=PROMPT)
    assert certify(network).passed, certify(network).failures
    network.save_pretrained(tmp_path)
    again: Any = load_model(str(tmp_path))  # without the text tower and the tokenizer
    assert (again.class_names, again.wall_kind, again.wall) == (NAMES, kind, network.wall)
    assert again.pretrained_config()["classes_as"] == PROMPT
    with torch.no_grad():
        assert torch.equal(again(noise()), network(noise()))
    if kind != "sink":  # whose keys are those of the weights with which it is made
        with torch.no_grad():
            torch.testing.assert_close(again.with_classes(["jay", "cat"])(noise()), network(noise())[:, [2, 0]])


def test_the_classes_of_the_images_are_the_names(saved: tuple[Path, Any, Any], tmp_path: Path) -> None:
    for name in ("cat", "pig"):
        (tmp_path / "images" / name).mkdir(parents=True)
        pixels = np.random.default_rng(len(name)).integers(0, 256, (40, 40, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "images" / name / "0.png")
    results = evaluate(f"sink:{saved[0]}", tmp_path / "images", ["HiResCAM"], classes_as=PROMPT, wall="bottom:8")
    assert results.run["network_classes"] == ["cat", "pig"]
    assert results.per_image["error"].isna().all()
    assert results.per_image["correct"].notna().all()


def test_wrong_calls_are_answered_in_a_sentence(
    saved: tuple[Path, Any, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = f"walled:{saved[0]}"
    assert main(["certify", folder]) == 2
    said = capsys.readouterr().err
    assert "because they are texts: say how" in said
    assert '--classes-as "a photo of a {}"' in said
    names = tmp_path / "names.txt"
    names.write_text("cat\njay\n")
    assert main(["certify", folder, "--class-names", str(names), "--classes-as", "a photo"]) == 2
    assert "to have {} in the place of the class name" in capsys.readouterr().err
    assert main(["certify", folder, "--classes-as", PROMPT]) == 2
    assert "give the names too" in capsys.readouterr().err
    assert main(["certify", folder, "--class-names", str(names), "--classes-as", PROMPT]) == 0
    with pytest.raises(InputError, match=r"reads texts of at most \d+ tokens, but 'a photo of a catcat.* shorten"):
        load_model(folder, class_names=["cat" * 30, "jay"], classes_as=PROMPT)
    with pytest.raises(InputError, match=r"cat.* is there twice"):
        load_model(folder, class_names=["cat", "cat"], classes_as=PROMPT)
    with pytest.raises(InputError, match="test_resnet has classes of its own: leave out --classes-as"):
        load_model("walled:timm/test_resnet", class_names=NAMES, classes_as=PROMPT)
    with pytest.raises(InputError, match="is for CLIP and SigLIP behind a wall"):
        evaluate(lambda: None, [Image.new("RGB", (32, 32))], classes_as=PROMPT)  # type: ignore[arg-type, return-value]


def test_a_folder_without_its_tokenizer(saved: tuple[Path, Any, Any], tmp_path: Path) -> None:
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((saved[0] / name).read_bytes())
    with pytest.warns(UserWarning, match="no preprocessor_config"), pytest.raises(InputError, match="The tokenizer of"):
        load_model(f"walled:{tmp_path}", class_names=NAMES, classes_as=PROMPT)


def test_a_text_for_each_name() -> None:
    assert ClassTexts(["a {b}", "c"], "{}: {x}").texts == ["a {b}: {x}", "c: {x}"]
