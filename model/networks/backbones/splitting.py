"""Classifiers of torchvision, timm and transformers, split at their last map into features and head."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import fx, nn

from stackwalls.model.errors import InputError
from stackwalls.model.networks.blind_model import OR_A_CURTAIN
from stackwalls.model.state import preserved

_POOLS = {"adaptive_avg_pool2d", "mean"}

_ADVICE = (
    "(N, C, h, w). Use a network with global average pooling, such as resnet50, or your own `Backbone`, "
    f"{OR_A_CURTAIN}."
)

Part = Callable[[Any, torch.Tensor], Any]
"""A step of a model, which it is given: images to the map, or the map to logits."""


class Split(NamedTuple):
    """The two parts of a classifier, whose modules stay the model's own: `head(features(images))` is what it gives."""

    features: nn.Module
    head: nn.Module


def split(name: str, model: nn.Module, size: int) -> Split:
    """Split a torchvision, timm or transformers classifier at its last map.

    Args:
        name: for messages.
        model: in eval mode.
        size: of the images, in pixels, on which the two parts are compared with the whole.

    Raises:
        InputError: if no split was found whose head and features make up the model, bit for bit.
    """
    model = getattr(model, "timm_model", model)  # of transformers' wrapper
    if hasattr(model, "forward_features") and hasattr(model, "forward_head"):
        steps: tuple[Part, Part] = _timm_features, _timm_head
    elif hasattr(model, "base_model") and (kind := getattr(getattr(model, "config", None), "model_type", None)):
        steps = _TRANSFORMERS.get(kind, (_base_map, _pooled))
    else:
        return split_at_pool(name, model)
    parts = Split(_Features(model, steps[0]), _Head(model, steps[1]))
    _check_bits(name, model, parts, size)
    return parts


def accept_parts(model: nn.Module) -> None:
    """Let timm's networks of windows take parts of an image, as if they were made with `strict_img_size=False`.

    Windows and their relative positions stay as they are, and the masks of shifted windows follow the part's size.
    """
    for module in model.modules():
        for setting, value in (("strict_img_size", False), ("dynamic_mask", True)):
            if isinstance(getattr(module, setting, None), bool):
                setattr(module, setting, value)


def logits_of(output: Any) -> Any:
    """The logits in what a model gives: transformers wraps them, under another name for PP-LCNet."""
    for key in ("logits", "last_hidden_state"):
        if (found := getattr(output, key, None)) is not None:
            return found
    return output


def _check_bits(name: str, model: nn.Module, parts: Split, size: int) -> None:
    images = torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(0))
    try:
        with torch.no_grad():
            activations = parts.features(images)
            expected, found = logits_of(model(images)), parts.head(activations)
    except InputError:
        raise
    except Exception as error:  # heads of other architectures fail in many ways
        raise InputError(f"{name} cannot be put behind a wall: its head does not read a map {_ADVICE}") from error
    if not isinstance(activations, torch.Tensor) or activations.ndim != 4:
        raise InputError(f"{name} cannot be put behind a wall: its head does not read a map {_ADVICE}")
    if not torch.equal(expected, found):
        raise InputError(f"{name} cannot be put behind a wall: its head reads more than a map {_ADVICE}")


class _Features(nn.Module):
    def __init__(self, model: nn.Module, part: Part) -> None:
        super().__init__()
        self.model, self.part = model, part

    def forward(self, images: torch.Tensor) -> Any:
        return self.part(self.model, images)


class _Head(nn.Module):
    """Holds the model outside the module tree: its parameters are registered once, under the features."""

    def __init__(self, model: nn.Module, part: Part) -> None:
        super().__init__()
        self._model, self.part = (model,), part

    def forward(self, activations: torch.Tensor) -> Any:
        return self.part(self._model[0], activations)


def _is_channels_last(model: Any) -> bool:
    """Whether timm's features are `(N, h, w, C)`, as Swin's and MambaOut's are."""
    return str(getattr(model, "output_fmt", "NCHW")) == "NHWC"


def _timm_features(model: Any, images: torch.Tensor) -> Any:
    activations = model.forward_features(images)
    return activations.permute(0, 3, 1, 2) if _is_channels_last(model) else activations


def _timm_head(model: Any, activations: torch.Tensor) -> Any:
    return model.forward_head(activations.permute(0, 2, 3, 1) if _is_channels_last(model) else activations)


def _base_map(model: Any, images: torch.Tensor) -> Any:
    return model.base_model(images).last_hidden_state


def _encoded_map(model: Any, images: torch.Tensor) -> Any:
    embedded = model.embedder(images) if hasattr(model, "embedder") else images
    return model.encoder(embedded).last_hidden_state


def _grid_of_tokens(model: Any, images: torch.Tensor) -> Any:
    """Tokens `(N, h · w, C)` as a map; h and w are in the proportion of the images' sides."""
    tokens = model.base_model(images).last_hidden_state.transpose(1, 2)
    rows = round((tokens.shape[2] * images.shape[2] / images.shape[3]) ** 0.5)
    return tokens.unflatten(2, (rows, -1))


def _pooled(model: Any, activations: torch.Tensor) -> Any:
    """The pool is the base model's; without one, ConvNeXt's mean and norm."""
    base = model.base_model
    pooled = base.pooler(activations) if hasattr(base, "pooler") else base.layernorm(activations.mean((-2, -1)))
    return model.classifier(pooled.flatten(1))


def _mean(model: Any, activations: torch.Tensor) -> Any:
    return model.classifier(activations.mean((-2, -1)))


def _mean_of_cells(model: Any, activations: torch.Tensor) -> Any:
    cells = activations.permute(0, 2, 3, 1)  # (N, h, w, C)
    return model.classifier(cells.reshape(len(cells), -1, cells.shape[3]).mean(1))


def _mean_of_tokens(model: Any, activations: torch.Tensor) -> Any:
    return model.classifier(model.base_model.pooler(activations.flatten(2)).flatten(1))


def _normed_mean(model: Any, activations: torch.Tensor) -> Any:
    return model.classifier(model.norm(activations).mean([-2, -1]))


def _distilled(model: Any, activations: torch.Tensor) -> Any:
    mean = model.norm(activations).flatten(2).mean(-1)
    return (model.head(mean) + model.dist_head(mean)) / 2


def _flat_pool(model: Any, activations: torch.Tensor) -> Any:
    return model.fc(model.flatten(model.avg_pool(activations)))


def _pool_and_convolution(model: Any, activations: torch.Tensor) -> Any:
    expanded = model.act_fn(model.last_convolution(model.avg_pool(activations)))
    return model.head(model.flatten(expanded * (1 - model.hidden_dropout_prob)))


_TRANSFORMERS: dict[str, tuple[Part, Part]] = {
    "focalnet": (_grid_of_tokens, _mean_of_tokens),
    "hgnet_v2": (_encoded_map, _flat_pool),
    "mobilevit": (_base_map, _mean),
    "mobilevitv2": (_base_map, _mean),
    "poolformer": (_base_map, _normed_mean),
    "pp_lcnet": (_encoded_map, _pool_and_convolution),
    "pvt_v2": (_base_map, _mean_of_cells),
    "segformer": (_base_map, _mean_of_cells),
    "swiftformer": (_base_map, _distilled),
    "swin": (_grid_of_tokens, _mean_of_tokens),
    "swinv2": (_grid_of_tokens, _mean_of_tokens),
    "textnet": (_base_map, _flat_pool),
}
"""`model_type` of transformers whose head is not `classifier(pooler(map))` → map and head."""


def _is_global_pool(node: fx.Node, modules: dict[str, nn.Module]) -> bool:
    if node.op == "call_module":
        layer = modules[str(node.target)]
        return isinstance(layer, nn.AdaptiveAvgPool2d) and layer.output_size in (1, (1, 1))
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
    if node.op not in ("call_function", "call_method") or name not in _POOLS:
        return False
    argument = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim", node.kwargs.get("output_size"))
    return name == "mean" or argument in (1, (1, 1), [1, 1])


class _OfChildren(fx.Tracer):
    """A trace of what a model's own forward pass calls, not of what is in that."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return True


def split_at_pool(name: str, model: nn.Module) -> Split:
    """Split a model before its last global average pool, by a symbolic trace.

    Raises:
        InputError: if it cannot be traced, has no such pool, or its head reads something else too.
    """
    refusal = InputError(
        f"{name} cannot be put behind a wall without training: no global average pool was found before its "
        "classifier. Use a network that has one, such as resnet50; for VGG16, train or load masked-vgg16; "
        f"{OR_A_CURTAIN}."
    )
    # whole children first, whose own modules then run under their own names; a child may have the pool in it
    for tracer in (_OfChildren(), fx.Tracer()):
        try:
            traced = fx.GraphModule(model, tracer.trace(model))
        except Exception as error:  # models with data-dependent control flow fail in many ways
            raise refusal from error
        nodes = list(traced.graph.nodes)
        modules = dict(traced.named_modules())
        if pools := [node for node in nodes if _is_global_pool(node, modules)]:
            break
    else:
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
    parts = fx.GraphModule(traced, features), fx.GraphModule(traced, head)
    for part in parts:
        part.graph.eliminate_dead_code()
        part.recompile()
    return Split(*parts)


_NO_MAPS = (nn.Dropout, nn.Softmax, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)
"""Layers whose output is not a map of the image: attention weights may have its form, and pools a size of their own."""


def last_map(model: nn.Module, size: int) -> nn.Module | None:
    """The module of a classifier that runs once, to give the last square map `(N, C, h, w)` its logits depend on.

    None if there is no map of at least 2 × 2 cells on images of `size` pixels.
    """
    maps: list[tuple[nn.Module, torch.Tensor]] = []

    def note(module: nn.Module, _inputs: Any, output: Any) -> None:
        is_map = isinstance(output, torch.Tensor) and output.ndim == 4 and output.shape[2] == output.shape[3] > 1
        if is_map and len(output) == 2 and not isinstance(module, _NO_MAPS):
            maps.append((module, output))

    with preserved(model), torch.enable_grad():
        for module in model.modules():
            module.register_forward_hook(note)
        logits = logits_of(model(torch.zeros(2, 3, size, size, requires_grad=True)))
        runs = Counter(module for module, _ in maps)
        for module, output in reversed([(module, output) for module, output in maps if runs[module] == 1]):
            if torch.autograd.grad(logits.sum(), output, retain_graph=True, allow_unused=True)[0] is not None:
                return module
    return None
