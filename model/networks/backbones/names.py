"""From a name on the command line, or a configuration, to a backbone of torchvision, timm, transformers or our own."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from stackwalls.model.documents import read_json
from stackwalls.model.errors import InputError
from stackwalls.model.networks.backbones.backbone import (
    HUB_PREFIX,
    OWN_LIBRARY,
    Backbone,
    library_of,
    load_library_backbone,
    split_classifier,
)
from stackwalls.model.networks.backbones.own_networks import library_network, load_weights
from stackwalls.model.networks.backbones.transformers_models import load_transformers, network_of
from stackwalls.model.networks.backbones.zero_shot import ClassTexts, zero_shot_of
from stackwalls.model.networks.files.pretrained import (
    CONFIG_NAME,
    CONFIG_SCHEMAS,
    WEIGHTS_NAME,
    PretrainedFiles,
    check_sha256,
    find_pretrained,
)
from stackwalls.model.networks.files.weights import read_safetensors
from stackwalls.model.preprocessing import Transform


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
        name: `resnet50` (torchvision's if both libraries have one), or with its library, `timm/resnet50`;
            `hf/user/name[@revision]` or `hf/./folder`, of this package (whatever wall it was trained behind), of
            transformers or timm (see `load_transformers`); or `vit-mini`, whose weights are random.
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
            raise _own_classes(name)
        library, bare = library_of(name, weights)
        if library != OWN_LIBRARY:
            return load_library_backbone(name, pretrained, weights, split)
        if pretrained:
            raise InputError(
                f"{name} has no weights yet: train it, with --from-scratch behind a wall, or take the trained mini-vit."
            )
        return library_network(library, bare, 1000)
    if not pretrained:
        raise InputError(f"{name} includes its weights: leave out pretrained=False.")
    files = find_pretrained(source.removeprefix(HUB_PREFIX))
    architecture = read_json(files.fetch(CONFIG_NAME)).get("architecture")
    if architecture == "MaskedVGG16":
        raise InputError(
            f"{Path(files.name).name} is a VGG16, whose wall follows from its layers: leave out what is in front of "
            "its name."
        )
    if architecture not in CONFIG_SCHEMAS:
        return load_transformers(files, texts)
    if texts is not None:
        raise _own_classes(files.name)
    return configured_backbone(files.config(), files)


def _own_classes(name: str) -> InputError:
    return InputError(f"{name} has classes of its own: leave out --classes-as, or use a CLIP or SigLIP (hf/…).")


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


def configured_backbone(config: Mapping[str, Any], files: PretrainedFiles) -> Backbone:
    """The backbone in a folder of a walled network: with the weights that its config.json names, or those beside it.

    Raises:
        InputError: if the weights beside it are not those that it describes, or belong to another network.
        RunError: if weights elsewhere cannot be loaded.
    """
    if config["weights"] is not None:
        return load_backbone(config["backbone"], weights=config["weights"], split=False)
    path = files.fetch(WEIGHTS_NAME)
    state = read_safetensors(path)  # before it is hashed: a file of any size may be there
    check_sha256(path, config, files)
    backbone = from_blueprint(config)
    load_weights(backbone, path, state)
    names = config.get("class_names")
    return replace(
        backbone,
        class_names=None if names is None else tuple(names),
        transform=Transform(**config["transform"]),
        mean=tuple(config["mean"]),
        std=tuple(config["std"]),
    )
