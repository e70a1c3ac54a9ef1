import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch import nn

from stackwalls.model import InputError, MaskedVGG16, Wall, derive_wall, map_size, pixels_reached


def probed(layers: nn.Module, read: tuple[int, int], size: int, axis: str) -> tuple[int, int]:
    """The slow rewrite: the pixels at which the gradient of the rows read is not zero, with positive weights."""
    layers = layers.double().eval()
    for parameter in layers.parameters():
        nn.init.ones_(parameter)
    shape = (1, 1, size, 20) if axis == "rows" else (1, 1, 20, size)
    images = torch.ones(shape, dtype=torch.float64, requires_grad=True)
    output = layers(images)
    (output[:, :, read[0] : read[1]] if axis == "rows" else output[:, :, :, read[0] : read[1]]).sum().backward()
    reached = images.grad[0, 0].abs().sum(1 if axis == "rows" else 0).nonzero()  # type: ignore[index]
    return int(reached.min()), int(reached.max()) + 1


@st.composite
def stacks(draw: st.DrawFn) -> nn.Sequential:
    layers: list[nn.Module] = []
    for _ in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(["conv", "pool", "relu", "norm"]))
        if kind == "conv":
            kernel = draw(st.integers(1, 4))
            dilation = draw(st.integers(1, 2))
            layers.append(
                nn.Conv2d(1, 1, kernel, draw(st.integers(1, min(3, kernel))), draw(st.integers(0, 2)), dilation)
            )
        elif kind == "pool":
            kernel = draw(st.integers(1, 3))
            padding = draw(st.integers(0, kernel // 2))
            layers.append(nn.AvgPool2d(kernel, draw(st.integers(1, kernel)), padding, ceil_mode=draw(st.booleans())))
        else:
            layers.append(nn.ReLU() if kind == "relu" else nn.BatchNorm2d(1))
    return nn.Sequential(*layers)


@settings(max_examples=150, deadline=None)
@given(stacks(), st.integers(12, 40), st.sampled_from(["rows", "columns"]), st.data())
def test_equals_the_gradients_support(layers: nn.Sequential, size: int, axis: str, data: st.DataObject) -> None:
    try:
        shape = layers.eval()(torch.ones(1, 1, size, 20) if axis == "rows" else torch.ones(1, 1, 20, size)).shape
    except RuntimeError:
        return  # a stack that leaves no map
    height = shape[2 if axis == "rows" else 3]
    assert map_size(layers, size, axis) == height  # type: ignore[arg-type]
    first = data.draw(st.integers(0, height - 1))
    read = (first, data.draw(st.integers(first + 1, height)))
    # strides no larger than kernels leave no gaps, so the support of ones is the whole interval wherever a window
    # touches the input at all
    found = pixels_reached(layers, read, size, axis)  # type: ignore[arg-type]
    if found[0] < found[1]:
        low, high = probed(layers, read, size, axis)
        assert found[0] <= low
        assert high <= found[1]
        if not any(isinstance(layer, nn.Conv2d) and layer.dilation[0] > 1 for layer in layers):
            assert (low, high) == found


def test_vgg16_comes_out_at_54_dead_rows() -> None:
    with torch.device("meta"):
        convolutions = MaskedVGG16().convolutions
    assert map_size(convolutions) == 14
    assert pixels_reached(convolutions, (0, 5)) == (0, 170)
    assert derive_wall(convolutions, (0, 5)) == Wall.parse("bottom:54")
    assert derive_wall(convolutions, (9, 14)) == Wall.parse("top:54")
    assert derive_wall(convolutions, (9, 14), axis="columns") == Wall.parse("left:54")
    assert derive_wall(convolutions, (0, 14)) is None


def test_dead_zones_on_both_sides_are_no_wall() -> None:
    with pytest.raises(InputError, match="both sides"):
        derive_wall(nn.Sequential(nn.Conv2d(3, 1, 3, padding=1)), (50, 60))


def test_a_layer_that_mixes_positions_is_refused_by_name() -> None:
    with pytest.raises(InputError, match=r"'1'.*AdaptiveAvgPool2d"):
        pixels_reached(nn.Sequential(nn.ReLU(), nn.AdaptiveAvgPool2d(7)), (0, 1))


def test_rows_outside_the_map_are_refused() -> None:
    with pytest.raises(InputError, match="0 to 224"):
        pixels_reached(nn.Sequential(nn.ReLU()), (200, 225))


def test_rows_that_read_nothing_but_padding_reach_nothing() -> None:
    layers = nn.Sequential(nn.Conv2d(1, 1, 2), nn.Conv2d(1, 1, 1, padding=1), nn.Conv2d(1, 1, 1))
    assert pixels_reached(layers, (0, 1), 12) == (0, 0)
    assert pixels_reached(layers, (0, 2), 12) == (0, 2)
