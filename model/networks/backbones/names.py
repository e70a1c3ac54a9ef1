"""From a name on the command line, or a configuration, to a backbone of torchvision, timm or transformers."""

from collections.abc import Mapping
from typing import Any

from stackwalls.model.errors import InputError
from stackwalls.model.networks.backbones.backbone import HUB_PREFIX, Backbone, load_library_backbone, split_classifier
from stackwalls.model.networks.backbones.own_networks import library_network
from stackwalls.model.networks.backbones.transformers_models import load_transformers, network_of
from stackwalls.model.networks.backbones.zero_shot import ClassTexts, zero_shot_of


def load_backbone(
    name: str,
    pretrained: bool = True,
    weights: str | None = None,
    *,
    split: bool = True,
    texts: ClassTexts | None = None,
) -> Backbone:
    """A classifier of torchvision, timm or transformers, split at its last map where that is possible.

    Args:
        name: `resnet50` (torchvision's if both libraries have one), or with its library, `timm/resnet50`; or
            `hf/user/name[@revision]` or `hf/./folder` (see `load_transformers`).
        pretrained: whether to load its ImageNet weights.
        weights: which of them, as a `Backbone` says it (`timm/in1k`, `torchvision/IMAGENET1K_V2`,
            `hf/user/name@commit`); by default the library's usual ones.
        split: whether only a network that can be split is of use: another one is refused before its weights are
            downloaded, if it shows.
        texts: the classes of a CLIP or SigLIP (see `load_transformers`).

    Raises:
        InputError: if no such model is known (the nearest names are given), or is refused.
        RunError: if its weights cannot be loaded.
    """
    if not (source := weights or name).startswith(HUB_PREFIX):
        if texts is not None:
            raise InputError(f"{name} has classes of its own: leave out --classes-as, or use a CLIP or SigLIP (hf/…).")
        return load_library_backbone(name, pretrained, weights, split)
    if not pretrained:
        raise InputError(f"{name} includes its weights: leave out pretrained=False.")
    return load_transformers(source.removeprefix(HUB_PREFIX), texts)


def from_blueprint(blueprint: Mapping[str, Any]) -> Backbone:
    """The network that a `Backbone.blueprint` describes, with random weights.

    Raises:
        InputError: if the library has no such network, or it cannot be split.
    """
    library, _, name = str(blueprint["backbone"]).partition("/")
    if library == "zero-shot":
        return zero_shot_of(blueprint)
    if library == "transformers":
        return split_classifier(network_of(blueprint.get("config", {})))
    return library_network(library, name, blueprint.get("num_classes", 0))
