"""The wall without training, of the kind that fits the network."""

from torch import nn

from stackwalls.model.errors import InputError
from stackwalls.model.networks.attention.walled_transformer import WalledTransformer
from stackwalls.model.networks.backbones.backbone import Backbone, split_classifier
from stackwalls.model.networks.backbones.names import load_backbone
from stackwalls.model.networks.blind_model import WallKind
from stackwalls.model.networks.curtain import Curtain
from stackwalls.model.networks.geometry.wall_fitting import fitting_wall
from stackwalls.model.networks.walled_model import Walled
from stackwalls.model.networks.walled_network import WalledNetwork
from stackwalls.model.wall import IMAGE_SIZE, Wall, usual_wall


def walled(
    backbone: str | Backbone | nn.Module,
    wall: Wall | str | None = None,
    pretrained: bool = True,
    kind: WallKind = "cut",
    layer: int = -1,
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
        layer: of a vision transformer: the map that is explained is what enters this block.

    Returns:
        `WalledTransformer` for a vision transformer; for others `Walled`, which needs global pooling, or `Curtain`.

    Raises:
        InputError: if the name is unknown, the head depends on positions (VGG, AlexNet), or the wall does not fit.
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
            if kind != "curtain" or layer != -1:
                raise
    if kind == "sink" or layer != -1:
        raise InputError(
            f"{backbone.name} is a convolutional network: a wall that is a sink, and another layer, are for vision "
            "transformers only."
        )
    return (Curtain if kind == "curtain" else Walled)(backbone, wall).eval()


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
