"""Families of CNNs of timm and transformers, one small network of each, behind a bottom, a left and a box wall."""

import warnings
from collections.abc import Callable

import pytest
import timm
import torch
import transformers as tf
from torch import nn

from stackwalls.model import InputError, certify, load_backbone, split_classifier, walled

WALLS = ("bottom:32@128", "left:32@128", "box:32:32:96:64@128")
COARSE = {"MobileViTV2": ("bottom:64@256", "left:64@256", "box:64:64:192:128@256")}
"""Walls of a family whose last layers read squares of 2 × 2 cells."""

SMALL = {"embedding_size": 8, "hidden_sizes": [8, 8, 16, 16], "depths": [1, 1, 1, 1]}
STAGES = {"hidden_sizes": [8, 8, 16, 16], "depths": [1, 1, 1, 1]}
HEADS = {"hidden_sizes": [8, 16, 24, 32], "num_attention_heads": [1] * 4, "depths": [1] * 4}
WINDOWS = {"embed_dim": 16, "depths": [1] * 4, "num_heads": [1] * 4}
CVT = {"embed_dim": [8, 16, 32], "num_heads": [1] * 3, "depth": [1, 2, 3]}
BLOCKS = {
    "stem_channels": [3, 8, 16],
    "stage_in_channels": [16, 16, 32, 64],
    "stage_mid_channels": [8, 8, 16, 16],
    "stage_out_channels": [16, 32, 64, 128],
    "stage_num_blocks": [1] * 4,
    "stage_numb_of_layers": [2] * 4,
}

TRANSFORMERS: dict[str, Callable[[], tf.PretrainedConfig]] = {
    "BiT": lambda: tf.BitConfig(embedding_size=8, hidden_sizes=[32, 32, 64, 64], depths=[1] * 4, num_groups=4),
    "ConvNeXt": lambda: tf.ConvNextConfig(**STAGES),
    "ConvNeXtV2": lambda: tf.ConvNextV2Config(**STAGES),
    "EfficientNet": lambda: tf.EfficientNetConfig(width_coefficient=0.25, depth_coefficient=0.3, hidden_dim=320),
    "FocalNet": lambda: tf.FocalNetConfig(embed_dim=8, depths=[1] * 4, hidden_sizes=[8, 16, 32, 64]),
    "HGNetV2": lambda: tf.HGNetV2Config(embedding_size=8, hidden_sizes=[16, 32, 64, 128], **BLOCKS),
    "MobileNetV1": lambda: tf.MobileNetV1Config(depth_multiplier=0.25),
    "MobileNetV2": lambda: tf.MobileNetV2Config(depth_multiplier=0.25),
    "MobileViT": lambda: tf.MobileViTConfig(
        hidden_sizes=[16, 24, 32], neck_hidden_sizes=[8, 8, 16, 16, 24, 24, 64], num_attention_heads=2
    ),
    "MobileViTV2": lambda: tf.MobileViTV2Config(width_multiplier=0.25),
    "PoolFormer": lambda: tf.PoolFormerConfig(**STAGES),
    "PP-LCNet": lambda: tf.PPLCNetConfig(scale=0.25, class_expand=64),
    "PVTv2": lambda: tf.PvtV2Config(**HEADS),
    "RegNet": lambda: tf.RegNetConfig(**SMALL, groups_width=8),
    "ResNet": lambda: tf.ResNetConfig(**SMALL),
    "SegFormer": lambda: tf.SegformerConfig(**HEADS),
    "SwiftFormer": lambda: tf.SwiftFormerConfig(depths=[1] * 4, embed_dims=[8, 16, 16, 32]),
    "SwinV2": lambda: tf.Swinv2Config(**WINDOWS),
    "TextNet": lambda: tf.TextNetConfig(
        conv_layer_kernel_sizes=[[[3, 3]]] * 4,
        conv_layer_strides=[[2]] * 4,
        hidden_sizes=[8, 8, 16, 16, 32],
        stem_out_channels=8,
    ),
    "timm's wrapper": lambda: tf.TimmWrapperConfig(architecture="test_resnet"),
}
"""Family → a tiny configuration."""

REFUSED: dict[str, tuple[Callable[[], tf.PretrainedConfig], str]] = {
    "CvT": (
        lambda: tf.CvtConfig(**CVT),
        "what follows its blocks does not run on the seen tokens alone",
    ),
    "LeViT": (lambda: tf.LevitConfig(architectures=["LevitForImageClassification"]), "its head does not read a map"),
    "PVT": (lambda: tf.PvtConfig(**HEADS, image_size=128), "its head does not read a map"),
    "Swin": (lambda: tf.SwinConfig(**WINDOWS), "keeps the windows of the smallest part"),
    "Hiera": (lambda: tf.HieraConfig(embed_dim=16, depths=[1] * 4, num_heads=[1] * 4), "its head does not read a map"),
}
"""Family → a tiny configuration, and why it cannot stand behind a wall."""

TIMM = (
    "cpubone_nano",
    "cs3darknet_focus_s",
    "cspnext_tiny",
    "davit_tiny",
    "densenet121",
    "dla46x_c",
    "dpn48b",
    "edgenext_xx_small",
    "efficientvit_b0",
    "ese_vovnet19b_slim_dw",
    "fasternet_t0",
    "fastvit_t8",
    "focalnet_tiny_srf",
    "ghostnet_050",
    "hardcorenas_b",
    "hgnetv2_b0",
    "hrnet_w18_small",
    "iformer_t",
    "inception_next_atto",
    "lcnetv2_small",
    "legacy_seresnet18",
    "legacy_xception",
    "lowformer_b0",
    "mobilenetv3_small_050",
    "mobilevit_xxs",
    "nextvit_small",
    "poolformerv2_s12",
    "pvt_v2_b0",
    "rdnet_tiny",
    "regnetx_002",
    "repghostnet_050",
    "repvit_m1",
    "res2next50",
    "resnest14d",
    "resnetv2_18",
    "rexnet_100",
    "skresnet18",
    "starnet_s050",
    "swiftformer_xs",
    "swin_tiny_patch4_window7_224",
    "swinv2_cr_tiny_224",
    "swinv2_tiny_window8_256",
    "test_byobnet",
    "test_convnext",
    "test_efficientnet",
    "test_mambaout",
    "test_nfnet",
    "test_resnet",
    "tiny_vit_5m_224",
    "tresnet_m",
    "xception41p",
)
"""One small network of each family (a module of timm)."""

TORCHVISION = (
    "convnext_tiny",
    "densenet121",
    "efficientnet_b0",
    "efficientnet_v2_s",
    "googlenet",
    "mnasnet0_5",
    "mobilenet_v2",
    "mobilenet_v3_small",
    "regnet_y_400mf",
    "resnet18",
    "resnext50_32x4d",
    "shufflenet_v2_x1_0",
    "swin_t",
    "swin_v2_t",
)

TIMM_REFUSED = {
    "coatnet_pico_rw_224": "does not run on a part of the image",  # positions by number
    "convmixer_768_32": "multiples of",
    "efficientformer_l1": "does not read a map",
    "efficientformerv2_s0": "does not run on a part of the image",
    "gcvit_xxtiny": "does not run on a part of the image",
    "hiera_tiny_224": "its head does not read a map",
    "inception_v3": "do not divide",
    "levit_128s": "what follows its blocks does not run on the seen tokens alone",
    "maxvit_pico_rw_256": "does not run on a part of the image",  # it must be divisible by its windows
    "mvitv2_tiny": "its head does not read a map",
    "nest_tiny": "does not run on a part of the image",  # positions by number
    "pit_ti_224": "an attention of 730 queries and 730 keys is not a plain one of all 50 tokens",
    "twins_svt_small": "an attention of 3136 queries and 49 keys is not a plain one of all 49 tokens",
    "visformer_tiny": "does not run on a part of the image",
    "xcit_nano_12_p16_224": "is not a plain one of all 196 tokens",
}
"""Network → why it cannot stand behind `bottom:32@224`, or not there."""


def of_transformers(config: tf.PretrainedConfig) -> nn.Module:
    """With random weights at a scale at which the logits depend on the image, which transformers' own do not all."""
    config.num_labels = 7
    torch.manual_seed(0)
    network: nn.Module = tf.AutoModelForImageClassification.from_config(config)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    return network.eval()


def of_timm(name: str) -> nn.Module:
    torch.manual_seed(0)
    network: nn.Module = timm.create_model(name, num_classes=7).eval()
    return network


def check(network: nn.Module, walls: tuple[str, ...] = WALLS) -> None:
    backbone = split_classifier(network)
    for wall in walls:
        certificate = certify(walled(backbone, wall))
        assert certificate.passed, (wall, certificate.failures)


@pytest.mark.parametrize("family", ["ConvNeXtV2", "MobileNetV2", "SwiftFormer"])
def test_families_of_transformers(family: str) -> None:
    check(of_transformers(TRANSFORMERS[family]()))


@pytest.mark.parametrize("name", ["test_byobnet", "test_mambaout", "test_nfnet"])
def test_families_of_timm(name: str) -> None:
    check(of_timm(name))


@pytest.mark.slow
@pytest.mark.parametrize("family", TRANSFORMERS)
def test_every_family_of_transformers(family: str) -> None:
    check(of_transformers(TRANSFORMERS[family]()), COARSE.get(family, WALLS))


@pytest.mark.slow
@pytest.mark.parametrize("name", TIMM)
def test_every_family_of_timm(name: str) -> None:
    with warnings.catch_warnings(action="ignore"):
        check(of_timm(name))


@pytest.mark.slow
@pytest.mark.parametrize("name", TORCHVISION)
def test_every_family_of_torchvision(name: str) -> None:
    torch.manual_seed(0)
    backbone = load_backbone(f"torchvision/{name}", pretrained=False)
    for wall in WALLS:
        assert certify(walled(backbone, wall)).passed


def test_the_families_are_different() -> None:
    families = {type(timm.create_model(name)).__module__ for name in ("test_resnet", "test_nfnet")}
    assert len(families) == 2
    modules = [timm.models._registry._model_to_module[name] for name in TIMM]
    assert len(modules) == len(set(modules)) >= 40
    assert len(TRANSFORMERS) >= 12


@pytest.mark.slow
@pytest.mark.parametrize("family", REFUSED)
def test_families_of_transformers_that_are_refused(family: str) -> None:
    make, reason = REFUSED[family]
    with pytest.raises(InputError, match=reason):
        walled(of_transformers(make()), "bottom:32")


@pytest.mark.slow
@pytest.mark.parametrize("name", TIMM_REFUSED)
def test_families_of_timm_that_are_refused(name: str) -> None:
    with pytest.raises(InputError, match=f"{TIMM_REFUSED[name]}.*(take bottom:35|curtain:NAME)"):
        walled(of_timm(name), "bottom:32")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["swin_tiny_patch4_window7_224", "swinv2_tiny_window8_256"])
def test_a_swin_on_a_part_is_timms_own(name: str) -> None:
    """What timm's code makes of the seen part, if it is told that images may have any size."""
    narrow = {"num_classes": 7, "embed_dim": 16, "depths": (2, 2, 2, 2), "num_heads": (1, 1, 2, 2)}
    torch.manual_seed(0)
    network = timm.create_model(name, **narrow).eval()
    free = timm.create_model(name, **narrow, strict_img_size=False).eval()
    free.load_state_dict(network.state_dict())
    model = walled(network, "bottom:64")
    size = model.wall.image_size
    images = torch.randn(2, 3, size, size)
    with torch.no_grad():
        assert torch.equal(model(images), free(images[:, :, :-64]))
        assert torch.equal(network(images), free(images))  # the whole image: nothing has changed


@pytest.mark.slow
def test_a_swin_v2_on_a_part_is_transformers_own() -> None:
    network = of_transformers(tf.Swinv2Config(**WINDOWS))
    images = torch.randn(2, 3, 224, 224)
    with torch.no_grad():
        whole = network(images).logits
        model = walled(network, "bottom:64")
        torch.testing.assert_close(model(images), network(images[:, :, :160]).logits, rtol=1e-5, atol=1e-6)
        assert torch.equal(network(images).logits, whole)
