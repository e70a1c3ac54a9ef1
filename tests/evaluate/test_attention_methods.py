"""Methods that explain a transformer by its attention: equal to slow rewrites, and zero where they must be."""

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from torchvision.models import VisionTransformer

from stackwalls.evaluate import Results, Subject, evaluate, mu_native
from stackwalls.evaluate.engine.attention import ATTENTION_METHODS, AttentionExplainer, by_attention
from stackwalls.evaluate.engine.engine import explain_head
from stackwalls.evaluate.report.model_index import model_index
from stackwalls.model import InputError, certify, load_model, walled
from stackwalls.model.images.drawn import draw

WALL = "bottom:16@64"
TARGETS = [2, 5]


def network() -> Any:
    """A tiny ViT with weights large enough that its maps are not rounding."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        options = {"img_size": 64, "num_classes": 7, "embed_dim": 48, "depth": 3, "num_heads": 3}
        found = timm.create_model("vit_tiny_patch16_224", **options).eval()
        with torch.no_grad():
            for tensor in found.parameters():
                tensor.add_(0.2 * torch.randn_like(tensor))
    return found


def images() -> torch.Tensor:
    return torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))


def raw_maps(kind: str, methods: Any = ATTENTION_METHODS) -> dict[str, Any]:
    model = walled(network(), WALL, kind=kind)  # type: ignore[arg-type]
    explainer = AttentionExplainer(Subject.of(model), {name: name for name in methods})
    return {name: maps.raw for name, maps in explainer.explain(images(), TARGETS, list(methods)).items()}


def slow_pass(model: Any, dead: torch.Tensor) -> tuple[list[torch.Tensor], list[torch.Tensor], torch.Tensor]:
    """Attention weights by hand, with a mask that cuts; tokens of each block; logits from the seen tokens."""
    across = dead[:, None] != dead[None, :]
    weights, outputs = [], []
    tokens = model.norm_pre(model._pos_embed(model.patch_embed(images())))
    for block in model.blocks:
        attention = block.attn
        number, length, width = tokens.shape
        parts = attention.qkv(block.norm1(tokens)).reshape(number, length, 3, attention.num_heads, -1)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        scores = (query * attention.scale) @ key.transpose(-2, -1)
        weights.append(scores.masked_fill(across, -torch.inf).softmax(-1))
        mixed = (weights[-1] @ value).transpose(1, 2).reshape(number, length, width)
        tokens = tokens + attention.proj(mixed)
        tokens = tokens + block.mlp(block.norm2(tokens))
        outputs.append(tokens)
    return weights, outputs, model.head(model.norm(tokens)[:, 0])


def test_against_slow_rewrites_behind_a_cut() -> None:
    model = network()
    dead = torch.arange(17) >= 13  # the class token, then 4 × 4 patches, the last row of them dead
    weights, outputs, logits = slow_pass(model, dead)
    found = raw_maps("cut")
    rollout = torch.eye(17).expand(2, 17, 17)
    for each in weights:
        rollout = (0.5 * each.mean(1) + 0.5 * torch.eye(17)) @ rollout
    expected = {"Rollout": rollout[:, 0, 1:], "LastAttention": weights[-1].mean(1)[:, 0, 1:]}
    score = logits[0, TARGETS[0]] + logits[1, TARGETS[1]]
    relevance = torch.eye(17).expand(2, 17, 17)
    for each, gradient in zip(weights, torch.autograd.grad(score, weights, retain_graph=True), strict=True):
        relevance = relevance + (gradient * each).relu().mean(1) @ relevance
    expected["GradientAttention"] = relevance[:, 0, 1:]
    le_grad = torch.zeros(2, 17)
    for each, tokens in zip(weights, outputs, strict=True):
        scores = model.head(model.norm(tokens.mean(1)))
        (gradient,) = torch.autograd.grad(scores[0, 2] + scores[1, 5], each, retain_graph=True)
        le_grad = le_grad + gradient.relu().mean((1, 2))
    expected["LeGrad"] = le_grad[:, 1:]
    for name, values in expected.items():
        np.testing.assert_allclose(found[name].reshape(2, 16), values.detach().numpy(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", ["cut", "sink"])
def test_what_must_be_zero_is_exactly_zero(kind: str) -> None:
    found = raw_maps(kind)
    assert not found["GradientAttention"][:, 3].any()
    lit = {name for name in ("Rollout", "LastAttention") if found[name][:, 3].any()}
    assert lit == ({"Rollout", "LastAttention"} if kind == "sink" else set())
    assert found["LeGrad"][:, 3].any() or kind == "sink"


def test_in_an_evaluation_beside_cams(tmp_path: Path) -> None:
    pictures = [Image.fromarray(draw(index, 0, 64)) for index in (3, 9, 20)]
    model = walled(network(), WALL, kind="sink")
    results = evaluate(model, pictures, ["Rollout", "GradientAttention", "GradCAM", "HiResCAM"], out=tmp_path / "out")
    assert results.per_image["error"].isna().all()
    assert results.run["model"] == "sink:VisionTransformer"
    for form in ("text", "markdown", "latex"):
        assert "The wall is a sink: " in results.table(form)  # type: ignore[arg-type]
    assert results.table("csv").splitlines()[1].endswith(",sink")
    assert {entry["metric_args"].get("wall_kind") for entry in model_index(results)["results"]} == {"sink"}
    assert "The wall is a sink: " in (tmp_path / "out/report.html").read_text()
    assert results.certificate["wall_kind"] == results.run["wall_kind"] == "sink"
    about = json.loads((tmp_path / "out/run.json").read_text())
    del about["wall_kind"]  # as earlier versions wrote it
    (tmp_path / "out/run.json").write_text(json.dumps(about))
    assert Results.load(tmp_path / "out").wall_kind == "sink"
    native = results.per_image.groupby("method")["mu_native"].max()
    assert native["GradientAttention"] == native["HiResCAM"] == 0
    assert native["Rollout"] > 0


def test_they_need_a_transformer() -> None:
    with pytest.raises(InputError, match="Rollout explains a vision transformer by its attention"):
        evaluate(load_model("mini-masked-vgg16"), [Image.new("RGB", (224, 224))], ["Rollout"])


def test_the_engine_explains_patch_tokens_as_grad_cam_does() -> None:
    model = walled(network(), WALL, layer=1)
    pictures = [Image.fromarray(draw(index, 1, 64)) for index in (3, 9)]
    methods = ["GradCAM", "XGradCAM", "HiResCAM", "ScoreCAM"]
    ours, theirs = (
        evaluate(copy.deepcopy(model), pictures, methods, backend=backend).per_image for backend in ("auto", "grad-cam")
    )
    np.testing.assert_allclose(ours["mu"].astype(float), theirs["mu"].astype(float), atol=1e-4)


def test_hi_res_cam_before_the_last_block_is_zero() -> None:
    """Behind a class token, a patch counts by its layer norm alone, which does not change with the token's length.

    So the gradient is orthogonal to the token (Euler's theorem), and the sum of their products is rounding.
    """
    model = walled(network(), WALL)
    activations, prefix = model.parts(images())
    explained = explain_head(model, activations, None, prefix)
    products = explained.gradients * explained.activations
    assert products.sum(1).abs().max() < 1e-5 * products.abs().sum(1).max()


def test_mu_of_a_square_map_is_that_of_its_patches() -> None:
    raw = raw_maps("sink", ["Rollout"])["Rollout"]
    positive = raw - raw.min((1, 2), keepdims=True)
    expected = np.sqrt((positive[:, 3] ** 2).sum(1) / (positive**2).sum((1, 2)))
    np.testing.assert_allclose(mu_native(raw, walled(network(), WALL).wall), expected, rtol=1e-5)


TO_TORCHVISION = {
    "cls_token": "class_token",
    "pos_embed": "encoder.pos_embedding",
    "patch_embed.proj": "conv_proj",
    "blocks.": "encoder.layers.encoder_layer_",
    "attn.qkv.": "self_attention.in_proj_",
    "attn.proj": "self_attention.out_proj",
    "norm1": "ln_1",
    "norm2": "ln_2",
    "mlp.fc1": "mlp.0",
    "mlp.fc2": "mlp.3",
    "head.": "heads.head.",
}
"""timm's names of a ViT's tensors → torchvision's."""


def test_le_grad_is_torch_cams_on_the_same_network() -> None:
    """torch-cam explains torchvision's ViT, ours timm's: the same one without a wall, with the same weights."""
    torch_cam = pytest.importorskip(
        "torchcam.methods", reason="torch-cam is not installed: pip install 'stackwalls[methods]'"
    )
    theirs = VisionTransformer(64, 16, num_layers=3, num_heads=3, hidden_dim=48, mlp_dim=192, num_classes=7).eval()
    state = {}
    for name, tensor in network().state_dict().items():
        for ours, other in TO_TORCHVISION.items():
            name = name.replace(ours, other)
        state["encoder.ln" + name[4:] if name.startswith("norm.") else name] = tensor
    theirs.load_state_dict(state)
    model = walled(network(), WALL)
    model.dead.zero_()
    torch.testing.assert_close(theirs(images()), model(images()), rtol=1e-4, atol=1e-4)
    found = AttentionExplainer(Subject.of(model), {"LeGrad": "LeGrad"}).explain(images(), TARGETS, ["LeGrad"])
    with torch_cam.LeGrad(theirs, list(theirs.encoder.layers)) as extractor:
        scores = theirs(images())
        [expected] = extractor(TARGETS, scores, normalized=False)
    np.testing.assert_allclose(found["LeGrad"].raw / 3, expected.numpy(), rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("kind", ["cut", "sink"])
def test_one_forward_pass_for_all_methods(kind: str) -> None:
    pictures = [Image.fromarray(draw(index, 0, 64)) for index in (3, 9, 20)]
    model: Any = walled(network(), WALL, kind=kind, layer=1)  # type: ignore[arg-type]
    certificate, passes = certify(model), list[int]()
    model.network.patch_embed.register_forward_pre_hook(lambda _module, given: passes.append(len(given[0])))
    methods = [*ATTENTION_METHODS, "GradCAM", "EigenCAM", "HiResCAM", "LayerCAM"]

    def mu_of(*names: str) -> Any:
        rows = evaluate(model, pictures, list(names), certificate=certificate, progress=False).per_image
        assert rows["error"].isna().all()
        return rows.set_index(["method", "image_id"])["mu"].astype(float)

    together = mu_of(*methods)
    assert passes.count(3) == 1, "the others are of one image, whose content does not matter"
    for name in methods:
        np.testing.assert_allclose(mu_of(name)[name], together[name], atol=1e-6)


def test_nothing_is_kept_that_a_method_does_not_need() -> None:
    model: Any = walled(network(), WALL)
    subject, tokens = Subject.of(model), 17
    last, mean = (by_attention(subject, [name])[0] for name in ("LastAttention", "Rollout"))
    assert len(last.forward(images(), ["LastAttention"]).attended.weights) == 1
    attended = mean.forward(images(), ["Rollout"]).attended
    assert [weights.shape for weights in attended.weights] == [(2, 1, tokens, tokens)] * 3
    assert not attended.outputs
    assert not attended.logits.requires_grad
    assert (last.image_bytes(), mean.image_bytes()) == (4 * tokens**2, 3 * 4 * tokens**2)
    kept = by_attention(subject, ["GradientAttention"])[0].image_bytes()
    values = 3 * (3 * 48 + 4 * 48) * tokens * 4  # what queries, keys, values and the GELU's inputs take
    assert values + 2 * 3 * 3 * 4 * tokens**2 < kept < 3 * values


def test_they_need_one_attention_in_each_block() -> None:
    options = {"img_size": 64, "num_classes": 7, "embed_dim": 48, "depth": 2, "num_heads": 3}
    parallel = walled(timm.create_model("vit_small_patch16_18x2_224", **options), WALL)
    with pytest.raises(InputError, match="has 2: leave it out"):
        AttentionExplainer(Subject.of(parallel), {"LeGrad": "LeGrad"})
