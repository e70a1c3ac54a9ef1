"""float32 convolutions as three TF32 products, on a CPU that is made to multiply as TF32 units do."""

from typing import Any

import pytest
import torch
from in_memory_dataset import sparse_vgg
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from stackwalls.evaluate.engine.engine import Engine
from stackwalls.evaluate.engine.kernels import SplitProducts, multiplies_tf32
from stackwalls.model import Backbone, Wall, Walled

CONV2D = torch.ops.aten.conv2d.default


class TF32Units(TorchDispatchMode):
    """Convolutions of float32 numbers that lose the 13 bits TF32 has not, and count their input channels."""

    def __init__(self) -> None:
        super().__init__()
        self.channels: list[int] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is CONV2D:
            self.channels.append(args[0].shape[1])
            kept = [(x.view(torch.int32) & ~0x1FFF).view(torch.float32) for x in args[:2]]
            return func(*kept, *args[2:], **(kwargs or {}))
        return func(*args, **(kwargs or {}))


def convolutions() -> nn.Sequential:
    torch.manual_seed(0)
    layers = [
        nn.Conv2d(3, 32, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(32, 32, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(32, 8, 1),
    ]
    return nn.Sequential(*layers).eval()


def error(found: torch.Tensor, right: torch.Tensor) -> float:
    return float(((found.double() - right).norm() / right.norm()).detach())


def test_three_products_are_as_good_as_float32() -> None:
    network, images = convolutions(), torch.randn(2, 3, 40, 40)
    with torch.inference_mode():
        right = convolutions().double()(images.double())
        with TF32Units() as units:
            coarse = network(images)
            split = SplitProducts()
            for _ in range(2):
                with split:
                    found = network(images)
    assert error(coarse, right) > 1e-4, "the units leave bits out"
    assert error(found, right) < 2e-6
    assert error(network(images), right) < 2e-6
    assert units.channels == [3, 32, 32] + 2 * [9, 96, 96]
    assert len(split._weights) == 3, "split once, not at each call"


def test_the_device_may_use_tf32_inside_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    seen = []

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(
            self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
        ) -> Any:
            if func is CONV2D:
                seen.append(torch.backends.cudnn.allow_tf32)
            return func(*args, **(kwargs or {}))

    with torch.inference_mode(), Watch(), SplitProducts():
        convolutions()(torch.randn(1, 3, 8, 8))
    assert seen == [True, True, True]
    assert not torch.backends.cudnn.allow_tf32


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(4, 8, 3, groups=2),
        nn.Conv2d(4, 8, 3).double(),
        nn.ConvTranspose2d(4, 8, 3),
        nn.Conv2d(4, 8, 3).bfloat16(),
    ],
)
def test_what_is_no_such_convolution_runs_as_it_is(layer: nn.Module) -> None:
    images = torch.randn(1, 4, 9, 9).to(next(layer.parameters()).dtype)
    for mode in (torch.inference_mode, torch.no_grad):
        with mode():
            expected = layer(images)
            with SplitProducts():
                assert torch.equal(layer(images), expected)


def test_outside_inference_mode_too() -> None:
    network, images = convolutions(), torch.randn(1, 3, 16, 16)
    right = convolutions().double()(images.double())
    with torch.no_grad(), SplitProducts() as split:
        found = network(images)
    assert error(found, right) < 2e-6
    assert len(split._weights) == 3


def test_a_cpu_has_no_such_units_and_the_engine_says_so() -> None:
    assert not multiplies_tf32(torch.device("cpu"))
    assert Engine(sparse_vgg(1 / 16), precision="tf32x3").precision == "exact"


def test_scorecam_by_three_products(monkeypatch: pytest.MonkeyPatch) -> None:
    network = convolutions()
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5))
    features = nn.Sequential(*network, nn.ReLU(), nn.AvgPool2d(8))
    model = Walled(Backbone("small", features, head), Wall.parse("bottom:32")).eval()
    images = torch.randn(1, 3, 224, 224)
    exact, _ = Engine(model).raw_maps(images, ["GradCAM", "ScoreCAM"])
    monkeypatch.setattr("stackwalls.evaluate.engine.engine.multiplies_tf32", lambda _: True)
    engine = Engine(model, precision="tf32x3")
    with TF32Units() as units:
        found, _ = engine.raw_maps(images, ["GradCAM", "ScoreCAM"])
    assert engine.precision == "tf32x3"
    assert 9 in units.channels, "the masked passes are split"
    torch.testing.assert_close(found["ScoreCAM"], exact["ScoreCAM"], rtol=1e-4, atol=1e-6)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_three_products_on_a_gpu() -> None:
    device = torch.device("cuda")
    if not multiplies_tf32(device):
        pytest.skip("this GPU has no TF32")
    network, images = convolutions().to(device), torch.randn(2, 3, 40, 40, device=device)
    right = convolutions().double().to(device)(images.double())
    with torch.inference_mode(), SplitProducts():
        assert error(network(images), right) < 1e-5
