from pathlib import Path

import pytest
import torch
from torch import nn
from torchvision.models import vgg16

from stackwalls.model import InputError, MaskedVGG16, Wall, certify, load_model, to_input
from stackwalls.model.networks.geometry.receptive_field import derive_wall
from stackwalls.model.networks.vgg_convolutions import visible_rows_at


def test_layers_are_torchvisions_vgg16() -> None:
    with torch.device("meta"):
        ours, theirs = MaskedVGG16(), vgg16()
    shapes = {key: tuple(tensor.shape) for key, tensor in ours.convolutions.state_dict().items()}
    reference = {key: tuple(tensor.shape) for key, tensor in theirs.features.state_dict().items()}
    reference |= {"28.weight": (256, 512, 3, 3), "28.bias": (256,)}
    assert shapes == reference
    assert [tuple(layer.weight.shape) for layer in ours.classifier if isinstance(layer, nn.Linear)] == [
        (4096, 256 * 5 * 14),
        (4096, 4096),
        (1000, 4096),
    ]
    assert not any(layer.inplace for layer in ours.modules() if isinstance(layer, nn.ReLU))
    assert ours.target_layer is ours.convolutions[29]


def test_map_and_logits_have_the_papers_shapes(narrow_vgg: MaskedVGG16) -> None:
    images = torch.randn(2, 3, 224, 224)
    assert narrow_vgg.features(images).shape == (2, 16, 14, 14)
    assert narrow_vgg(images).shape == (2, 10)
    assert torch.equal(narrow_vgg(images), narrow_vgg.head(narrow_vgg.features(images)))


def test_equals_a_full_head_with_zeros_on_the_hidden_rows(narrow_vgg: MaskedVGG16) -> None:
    """The paper's formulation: all 14 rows are read, by weights that are zero on the last 9."""
    dense = narrow_vgg.classifier[0]
    full = nn.Linear(16 * 14 * 14, dense.out_features)
    weight = torch.zeros(dense.out_features, 16, 14, 14)
    weight[:, :, :5] = dense.weight.view(-1, 16, 5, 14)
    full.weight.data, full.bias.data = weight.flatten(1), dense.bias.data
    images = torch.randn(3, 3, 224, 224)
    activations = narrow_vgg.features(images)
    expected = narrow_vgg.classifier[1:](full(activations.flatten(1)))
    torch.testing.assert_close(narrow_vgg(images), expected, rtol=1e-5, atol=1e-7)


def test_walls_follow_from_the_visible_rows() -> None:
    with torch.device("meta"):
        assert MaskedVGG16(width=1 / 16).wall == Wall.parse("bottom:54")
        assert MaskedVGG16(width=1 / 16, visible_rows=4).wall == Wall.parse("bottom:70")
        baseline = MaskedVGG16(width=1 / 16, visible_rows=14)
    assert baseline.wall is None
    assert baseline.name == "baseline-vgg16"


@pytest.mark.parametrize("arguments", [{"visible_rows": 0}, {"visible_rows": 15}, {"num_classes": 0}, {"width": 0}])
def test_arguments_out_of_range_are_refused(arguments: dict[str, int]) -> None:
    with pytest.raises(InputError, match="Expected"):
        MaskedVGG16(**arguments)


def test_normalization_is_imagenets(narrow_vgg: MaskedVGG16) -> None:
    grey = torch.full((1, 2, 2, 3), 124, dtype=torch.uint8)
    assert to_input(grey, narrow_vgg.mean, narrow_vgg.std)[0, 0].abs().max() < 0.02


def test_other_sizes_leave_at_least_the_papers_share_dead(tmp_path: Path) -> None:
    assert visible_rows_at(224) == 5
    shares = {size: derive_wall(MaskedVGG16(1, 2, 1 / 64).convolutions, (0, visible_rows_at(size)), size).share  # type: ignore[union-attr]
              for size in range(144, 513, 16)}  # fmt: skip
    assert 54 / 224 <= min(shares.values()) <= max(shares.values()) < 0.34
    model = MaskedVGG16(visible_rows_at(144), 2, 1 / 64, image_size=144, class_names=["Mug", "Red kettle"]).eval()
    assert certify(model).passed
    assert str(model.wall) == "bottom:38@144"
    model.save_pretrained(tmp_path)
    again = load_model(str(tmp_path))
    assert (again.config, again.class_names) == (model.config, ("Mug", "Red kettle"))  # type: ignore[union-attr]


@pytest.mark.parametrize(("size", "message"), [(128, "Take 144 pixels or more"), (100, "take 96"), (16, "take 32")])
def test_sizes_that_do_not_fit_are_refused(size: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        visible_rows_at(size)
