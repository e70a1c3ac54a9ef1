"""What a training starts from: random weights, or those of a library, a checkpoint or a folder."""

from typing import Any

from stackwalls.model.errors import InputError
from stackwalls.model.networks.attention.walled_transformer import WalledTransformer
from stackwalls.model.networks.backbones.names import load_backbone
from stackwalls.model.networks.backbones.own_networks import reclassified_weights
from stackwalls.model.networks.files.weights import state_sha256
from stackwalls.model.networks.masked_vgg import MaskedVGG16
from stackwalls.model.networks.registry import load_model
from stackwalls.model.networks.vgg_convolutions import STRIDE, visible_rows_at
from stackwalls.model.networks.walled_network import WalledNetwork
from stackwalls.model.training.first_weights import initialize_as_authors
from stackwalls.model.training.spec import VIT_MINI, TrainingSpec
from stackwalls.model.training.training_data import TrainingData
from stackwalls.model.wall import IMAGE_SIZE, usual_wall


def starting_network(spec: TrainingSpec, data: TrainingData) -> tuple[MaskedVGG16 | WalledNetwork, dict[str, Any]]:
    """The network before its first step, with a logit for each class of the data; and the record of it (JSON values).

    Random weights are drawn from torch's global generator.

    Raises:
        InputError: if there is no such network, it cannot be trained here, or the size does not fit it.
        RunError: if pretrained weights cannot be loaded.
    """
    if spec.is_new_vgg16:
        return _new_vgg16(spec, data)
    model, random = _untrained(spec), not spec.pretrained or spec.network == VIT_MINI
    if spec.size not in (None, model.image_size):
        raise InputError(
            f"{spec.network} is for images of {model.image_size} pixels, not {spec.size}: leave out the size."
        )
    record: dict[str, Any] = {"network": model.name, "wall": str(model.wall) if model.wall else None, "start": "random"}
    if not random:
        weights = model.library_weights if isinstance(model, WalledNetwork) else None
        state = {key: tensor for key, tensor in model.state_dict().items() if "other_sides." not in key}
        record["start"] = {"weights": weights or "own", "sha256": state_sha256(state)}
    return _for_classes(model, data), record | _size(model.image_size)


def _untrained(spec: TrainingSpec) -> MaskedVGG16 | WalledNetwork:
    """The network that the spec names, with the classes that it has."""
    if spec.network == VIT_MINI:
        return WalledTransformer(load_backbone(VIT_MINI, pretrained=False), None)
    usual = None if spec.size is None else usual_wall(spec.size)
    model = load_model(spec.network, spec.weights, spec.wall, usual, pretrained=spec.pretrained)
    if not isinstance(model, MaskedVGG16 | WalledNetwork):
        raise InputError(f"{spec.network} cannot be trained: expected a VGG16 or a network behind a wall.")
    return model


def _new_vgg16(spec: TrainingSpec, data: TrainingData) -> tuple[MaskedVGG16, dict[str, Any]]:
    size, masked = spec.size or IMAGE_SIZE, spec.network == "masked-vgg16"
    rows = visible_rows_at(size) if masked else size // STRIDE
    shape = (rows, len(data.classes), spec.recipe.width)
    model = MaskedVGG16(*shape, image_size=size, **_classes(data))
    if spec.recipe.initialization == "authors":
        initialize_as_authors(model)
    return model, {"masked": masked} | _size(size)


def _size(size: int) -> dict[str, int]:
    return {} if size == IMAGE_SIZE else {"size": size}


def _classes(data: TrainingData) -> dict[str, Any]:
    """The classes as a VGG16 takes them."""
    return {"classes": data.classes} if data.space.is_imagenet else {"class_names": data.class_names}


def _for_classes(model: MaskedVGG16 | WalledNetwork, data: TrainingData) -> MaskedVGG16 | WalledNetwork:
    """The network with its own classifier if it has these classes, or else with a new one."""
    if isinstance(model, WalledNetwork):
        trained = model if model.class_names == data.class_names else model.with_classes(data.class_names)
        trained.library_weights = None
        trained.pretrained_config()  # refuses what could not be saved in the end
        return trained
    others = {"num_classes": len(data.classes), "classes": None, "class_names": None}
    made = MaskedVGG16(**{**model.config, **others, **_classes(data)})
    made.load_state_dict(reclassified_weights(made, model))
    return made
