"""Networks with weights of one's own: a library's architecture, and a checkpoint's tensors and classes."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from stackwalls.model.errors import InputError, reason_of
from stackwalls.model.images.label_space import LabelSpace
from stackwalls.model.networks.backbones.backbone import (
    OWN_LIBRARY,
    OWN_NETWORKS,
    Backbone,
    library_of,
    made,
    torchvision_options,
)
from stackwalls.model.networks.backbones.inputs_and_classes import InputsAndClasses, logit_names
from stackwalls.model.networks.blind_model import BlindModel
from stackwalls.model.networks.files.state_dicts import read_state_dict
from stackwalls.model.networks.files.weights import check_fits


def load_checkpoint(name: str, path: str | Path, class_names: Sequence[str] | None = None) -> Backbone:
    """A torchvision or timm classifier with weights of one's own.

    Args:
        name: as `load_backbone` takes it. As many classes as the classifier in the file has.
        path: of the weights (see `read_state_dict`).
        class_names: the name of each logit.

    Raises:
        InputError: if the network is unknown, the file holds no weights or those of another network, or as many names
            as it has classes are not given.
    """
    library, bare = library_of(name)
    path = Path(path)
    few, more = (_empty(library, bare, classes) for classes in (7, 11))
    heads = [key for key, tensor in few.items() if tensor.shape != more[key].shape]
    state = read_state_dict(path, few)
    if lost := [key for key in heads if key not in state]:
        if len(lost) < len(few.keys() - state.keys()):
            check_fits(path, state, few, name)
        raise InputError(f"{path} holds no classifier for {name}, only its features: {', '.join(lost)} are missing.")
    classes = len(state[heads[0]])
    backbone = library_network(library, bare, classes)
    load_weights(backbone, path, state)
    if class_names is not None and len(class_names) != classes:
        raise InputError(
            f"The classifier in {path} has {classes} logits, but {len(class_names)} class names are given: expected a "
            "name for each."
        )
    if class_names is None and classes != 1000:
        warnings.warn(
            f"The classifier in {path} has {classes} classes without names: give them (`class_names=`, --class-names).",
            stacklevel=3,
        )
    return replace(backbone, class_names=None if class_names is None else logit_names(class_names))


def _empty(library: str, name: str, classes: int) -> dict[str, torch.Tensor]:
    """The state dict of a network without values."""
    with torch.device("meta"), warnings.catch_warnings(action="ignore"):
        return _network(library, name, classes).state_dict()


def _network(library: str, name: str, classes: int) -> nn.Module:
    import timm
    import torchvision

    try:
        if library == OWN_LIBRARY:
            network: nn.Module = timm.models.VisionTransformer(num_classes=classes, **OWN_NETWORKS[name])
        elif library == "timm":
            network = timm.create_model(name.partition(".")[0], num_classes=classes)
        else:
            options = torchvision_options(name)
            network = torchvision.models.get_model(name, weights=None, num_classes=classes, **options)
    except Exception as error:  # each architecture has its own reasons
        raise InputError(f"{library}'s {name} cannot be made with {classes} classes: {reason_of(error)}.") from error
    return network


def library_network(library: str, name: str, classes: int) -> Backbone:
    """A network of torchvision, timm or this package with a number of classes and random weights.

    Raises:
        InputError: if the library has no such network, or it cannot be split.
    """
    library_of(f"{library}/{name}")
    network: Any = _network(library, name, classes)
    if library == "torchvision":  # random weights say nothing about images, the usual ones do
        import torchvision

        usual = torchvision.models.get_model_weights(name).DEFAULT
        known = InputsAndClasses.of_torchvision(usual).with_names(None)
    elif library == OWN_LIBRARY:
        known = InputsAndClasses()
    else:
        known = InputsAndClasses.of_timm(name, network.pretrained_cfg, pretrained=False)
    return made(name, network, known, None, {"backbone": f"{library}/{name}", "num_classes": classes})


def load_weights(backbone: Backbone, path: Path, state: Mapping[str, torch.Tensor]) -> None:
    """Put the tensors of a file into a network.

    Counters of batches, which only training reads, may be missing or cast to floats.

    Raises:
        InputError: if they are those of another network.
    """
    network = backbone.network or nn.ModuleList([backbone.features, backbone.head])
    own = network.state_dict()
    counters = {key: tensor for key, tensor in own.items() if key.endswith("num_batches_tracked")}
    kept = {key: tensor for key, tensor in state.items() if key not in counters or not tensor.is_floating_point()}
    whole = counters | kept
    check_fits(path, whole, own, backbone.name)
    network.load_state_dict(whole)


def reclassified(blueprint: Mapping[str, Any], class_names: Sequence[str]) -> dict[str, Any]:
    """The blueprint of the same network for other classes."""
    if "num_classes" in blueprint:
        return {**blueprint, "num_classes": len(class_names)}
    names = {"id2label": dict(enumerate(class_names)), "label2id": {name: i for i, name in enumerate(class_names)}}
    return {**blueprint, "config": {**blueprint["config"], **names}}


def reclassified_weights(new: BlindModel, old: BlindModel) -> dict[str, torch.Tensor]:
    """The weights of a network for a new one with other classes: all but the classifier's, whose shape differs.

    If all of the new classes are among the old ones, the classifier has their rows. Otherwise it is zero, so that all
    classes are equally likely.
    """
    names = None if old.class_names is None else LabelSpace(old.class_names)
    rows = [None if names is None else names.find(name) for name in new.class_names or ()]
    known = [row for row in rows if row is not None]
    state, theirs = new.state_dict(), old.state_dict()
    for key, tensor in state.items():
        old_tensor = theirs[key]
        if old_tensor.shape != tensor.shape:
            old_tensor = old_tensor[known] if len(known) == len(tensor) else torch.zeros_like(tensor)
        state[key] = old_tensor
    return state
