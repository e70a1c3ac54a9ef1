"""Vision transformers behind both kinds of walls: blind to the bit, and the same network where there is no wall."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
import transformers
from torch import nn

from stackwalls.model import (
    WALL_KINDS,
    InputError,
    NotBlindError,
    WalledTransformer,
    WallKind,
    certify,
    load_model,
    require_certificate,
    walled,
)
from stackwalls.model.networks.attention.attention_wall import AttentionWall

CORNER = "bottom:16+left:16@64"
_TINY: dict[str, Any] = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 64}
_TEXT = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4, "intermediate_size": 32}


def _of_transformers(kind: str, **options: Any) -> Callable[[], nn.Module]:
    """A tiny classifier of 64 × 64 images with patches of 16."""

    def make() -> nn.Module:
        settings = {"image_size": 64, "patch_size": 16, **_TINY, **options}
        config = getattr(transformers, f"{kind}Config")
        given = {"vision_config": settings, "text_config": _TEXT} if kind in ("CLIP", "Siglip") else settings
        network: nn.Module = getattr(transformers, f"{kind}ForImageClassification")(config(num_labels=7, **given))
        return network

    return make


def _of_timm(name: str, size: int = 64, **options: Any) -> Callable[[], nn.Module]:
    def make() -> nn.Module:
        network: nn.Module = timm.create_model(name, num_classes=7, img_size=size, **options)
        return network

    return make


NARROW = {"embed_dim": 48, "depth": 3, "num_heads": 3}
NETWORKS: dict[str, Callable[[], nn.Module]] = {
    **{f"transformers {kind}": _of_transformers(kind) for kind in ("ViT", "DeiT", "Dinov2", "CLIP", "Siglip")},
    "transformers Dinov2WithRegisters": _of_transformers("Dinov2WithRegisters"),
    "transformers Beit": _of_transformers("Beit", use_relative_position_bias=True),
    "transformers Beit, class token": _of_transformers("Beit", use_mean_pooling=False),
    "transformers Data2VecVision": _of_transformers("Data2VecVision"),
    "transformers ViTMSN": _of_transformers("ViTMSN"),
    "transformers IJepa": _of_transformers("IJepa"),
    "timm ViT": _of_timm("vit_tiny_patch16_224", **NARROW),
    "timm ViT, mean of patches": _of_timm("vit_base_patch16_224", global_pool="avg", class_token=False, **NARROW),
    "timm DeiT, distilled": _of_timm("deit_tiny_distilled_patch16_224", **NARROW),
    "timm DeiT III": _of_timm("deit3_small_patch16_224", **NARROW),
    "timm CLIP": _of_timm("vit_base_patch16_clip_224", **NARROW),
    "timm SigLIP": _of_timm("vit_base_patch16_siglip_224", **NARROW),
    "timm DINOv2": _of_timm("vit_small_patch14_dinov2", size=56, **NARROW),
    "timm DINOv2 with registers": _of_timm("vit_small_patch14_reg4_dinov2", size=56, **NARROW),
    "timm DINOv3": _of_timm("vit_small_patch16_dinov3", **NARROW),
    "timm EVA-02": _of_timm("eva02_tiny_patch14_224", size=56, **NARROW),
    "timm BEiT": _of_timm("beit_base_patch16_224", **NARROW),
    "timm BEiT v2": _of_timm("beitv2_base_patch16_224", **NARROW),
    "timm FlexiViT": _of_timm("flexivit_small", **NARROW),
    "timm ViT, relative positions": _of_timm("vit_relpos_small_patch16_224", **NARROW),
    "timm ViT, parallel": _of_timm("vit_small_patch16_18x2_224", **NARROW),
    "timm ViT, layer scale": _of_timm("vit_little_patch16_reg4_gap_256", **NARROW),
}
QUICK = ("transformers ViT", "transformers Beit", "timm SigLIP", "timm DINOv3")


def made(name: str) -> nn.Module:
    """The network with random weights, none of them so small that a leak would be lost."""
    network = NETWORKS[name]().eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for tensor in network.parameters():
            tensor.add_(0.05 * torch.randn(tensor.shape, generator=generator))
    return network


def wall_of(name: str) -> str:
    return "bottom:14+left:14@56" if any(each in name for each in ("DINOv2", "EVA")) else CORNER


@pytest.mark.parametrize("kind", WALL_KINDS)
@pytest.mark.parametrize(
    "name", [each if each in QUICK else pytest.param(each, marks=pytest.mark.slow) for each in NETWORKS]
)
def test_it_is_blind_and_splits_and_is_itself_without_a_wall(name: str, kind: WallKind) -> None:
    network = made(name)
    plain = copy.deepcopy(network)
    model = walled(network, wall_of(name), kind=kind)
    assert isinstance(model, WalledTransformer)
    assert certify(model).passed
    size = model.wall.image_size
    images = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        logits = model(images)
        torch.testing.assert_close(model.from_parts(*model.parts(images)), logits, rtol=0, atol=1e-6)
        assert torch.equal(model.attended(images).logits, logits)
        with torch.enable_grad():
            assert torch.equal(model.attended(images).logits, logits)
        if kind == "curtain":
            expected = plain(images * ~torch.from_numpy(model.wall.mask()))
        else:
            model.dead.zero_()  # an empty wall
            model.keys = model.keys[..., :0, :]
            expected = plain(images)
        torch.testing.assert_close(model(images), getattr(expected, "logits", expected), rtol=0, atol=1e-5)


class _Leaky(nn.Module):
    """A block that adds the mean over all tokens."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block = block

    def forward(self, tokens: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        return self.block(tokens + 0.1 * tokens.mean(1, keepdim=True), *args, **kwargs)


def test_planted_leaks_are_found() -> None:
    network: Any = made("timm ViT")
    network.blocks[1] = _Leaky(network.blocks[1])
    with pytest.raises(NotBlindError, match="not blind behind"):
        require_certificate(walled(network, CORNER))
    model: Any = walled(made("timm ViT"), CORNER)
    model.dead[-1] = False  # one token too many
    assert not certify(model).passed

    class Unmasked(AttentionWall):
        def attend(self, *given: Any) -> torch.Tensor:
            self.seen, self.dead = (self.seen, self.dead) if self.calls else (torch.arange(self.tokens), self.dead[:0])
            return super().attend(*given)

    model = walled(made("timm ViT"), CORNER)
    model._pass = lambda **settings: type(_pass := type(model)._pass(model, **settings))(
        model, Unmasked(model.dead, "cut"), _pass.first, _pass.tokens, _pass.stop
    )
    assert not certify(model).passed


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: timm.create_model("mixer_b16_224", num_classes=7), "do not call torch's scaled dot-product attention"),
        (lambda: timm.create_model("cait_xxs24_224", num_classes=7), "do not call torch's scaled dot-product"),
    ],
)
@pytest.mark.slow
def test_others_are_refused_with_the_reason(make: Callable[[], nn.Module], said: str) -> None:
    with pytest.raises(InputError, match=said):
        walled(make(), "bottom:64")


def test_walls_layers_and_kinds_that_do_not_fit() -> None:
    network = made("transformers ViT")
    with pytest.raises(InputError, match=r"multiples of 16, but got bottom:20@64: take bottom:32@64"):
        walled(network, "bottom:20@64")
    with pytest.raises(InputError, match="0 to 2 or negative, but got 3"):
        walled(network, CORNER, layer=3)
    with pytest.raises(InputError, match="cut or sink or curtain, but got 'fence'"):
        walled(network, CORNER, kind="fence")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="convolutional network: a wall that is a sink"):
        load_model("sink:timm/test_resnet", pretrained=False)


@pytest.mark.parametrize("kind", WALL_KINDS)
def test_it_is_saved_and_loaded_with_its_kind_and_layer(kind: WallKind, tmp_path: Path) -> None:
    model = walled(made("transformers ViT"), CORNER, kind=kind, layer=1)
    model.save_pretrained(tmp_path)
    again = load_model(str(tmp_path))
    images = torch.randn(1, 3, 64, 64)
    assert isinstance(again, WalledTransformer)
    assert (again.wall_kind, again.layer, str(again.wall)) == (kind, 1, CORNER)
    with torch.no_grad():
        assert torch.equal(again(images), model(images))
