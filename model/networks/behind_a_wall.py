"""The wall without training, of the kind that fits the network."""

from torch import nn

from stackwalls.model.errors import InputError
from stackwalls.model.networks.attention.walled_transformer import WalledTransformer
from stackwalls.model.networks.backbones.backbone import Backbone, split_classifier
from stackwalls.model.networks.backbones.names import load_backbone
from stackwalls.model.networks.blind_model import WallKind
from stackwalls.model.networks.curtain import Curtain
from stackwalls.model.networks.geometry.wall_fitting import fitting_wall
from stackwalls.model.networks.layered_model import Layer
from stackwalls.model.networks.walled_model import Walled
from stackwalls.model.networks.walled_network import WalledNetwork
from stackwalls.model.wall import IMAGE_SIZE, Wall, usual_wall


def walled(
    backbone: str | Backbone | nn.Module,
    wall: Wall | str | None = None,
    pretrained: bool = True,
    kind: WallKind = "cut",
    layer: Layer | None = None,
) -> WalledNetwork:
    """Put a pretrained network behind a wall, without training.

    Args:
        backbone: a name (see `load_backbone`: `resnet50`, `timm/resnet50`, `hf/user/name`), a torchvision, timm or
            transformers classifier with its weights (see `split_classifier`), or your own `Backbone`.
        wall: the dead zone, of any form, also as text such as "bottom:64", then of the network's own image size if it
            names none; its edges must be multiples of the network's stride or patch, unless it is a curtain. By default
            the paper's share of the image at the bottom, widened to that.
        pretrained: for a name: whether to load the ImageNet weights; random ones otherwise.
        kind: of the wall; a "sink" is for vision transformers only, a "curtain" for any network (see `WallKind`).
        layer: the map that is explained; the last one by default. Of a CNN, the output of the module of this name. Of
            a vision transformer, what enters a block: its number, negative from the end, or its name.

    Returns:
        `WalledTransformer` for a vision transformer; for others `Walled`, which needs global pooling, or `Curtain`.

    Raises:
        InputError: if the name is unknown, the head depends on positions (VGG, AlexNet), the wall does not fit, or
            there is no such layer.
        RunError: if the weights cannot be loaded.

    Source: after DiFull of Rao, Böhle, Schiele, "Towards Better Understanding Attribution Methods" (CVPR 2022).
    """
    if isinstance(backbone, str):
        backbone = load_backbone(backbone, pretrained, split=kind != "curtain")
    elif isinstance(backbone, nn.Module):
        backbone = split_classifier(backbone)
    size = backbone.transform.size if backbone.transform else IMAGE_SIZE
    if wall is None:
        wall = wall_near(backbone, usual_wall(size), kind)
    elif isinstance(wall, str):
        wall = Wall.parse(wall, None if "@" in wall else size)
    _check_kind(backbone, kind)
    if backbone.is_whole and not backbone.unsplit:
        try:
            return WalledTransformer(backbone, wall, kind, layer).eval()
        except InputError:
            if kind != "curtain" or layer is not None:
                raise
    if kind == "sink":
        raise InputError(
            f"{backbone.name} is a convolutional network: a wall that is a sink is for vision transformers only."
        )
    if kind == "curtain":
        return Curtain(backbone, wall, layer).eval()
    return Walled(backbone, wall, layer).eval()


def wall_near(backbone: Backbone, wall: Wall, kind: WallKind) -> Wall:
    """The smallest wall around one that a backbone can have: itself, if it is a curtain (see `fitting_wall`).

    Raises:
        InputError: if no wall of this kind fits, or the backbone does not run on images of this size.
    """
    _check_kind(backbone, kind)
    return wall if kind == "curtain" else fitting_wall(backbone, wall)


def _check_kind(backbone: Backbone, kind: WallKind) -> None:
    if backbone.unsplit and kind != "curtain":
        raise InputError(backbone.unsplit)
