"""What is trained is the plain network: same logits, same gradients, nothing from behind the wall."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import nn

from stackwalls.model import MaskedVGG16, pixels_reached, to_input
from stackwalls.model.networks.geometry.seen_rows import rows_needed, seen_pixel_rows
from stackwalls.model.training import TrainingNetwork
from stackwalls.model.training.first_weights import calibrate, initialize_as_authors
from stackwalls.model.training.network import SeededDropout, compiles


@pytest.fixture(params=[5, 14], ids=["masked", "baseline"])
def model(request: pytest.FixtureRequest) -> MaskedVGG16:
    torch.manual_seed(0)
    made = MaskedVGG16(request.param, num_classes=7, width=1 / 16)
    calibrate(TrainingNetwork(made, 0.0), torch.randint(0, 256, (4, 3, 224, 224), dtype=torch.uint8))
    return made


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randint(0, 256, (3, 3, 224, 224), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def test_logits_and_gradients_are_the_plain_networks(model: MaskedVGG16, images: torch.Tensor) -> None:
    """In float64 on both sides: in float32, two numbers of a max-pool that nearly tie may change places."""
    plain = copy.deepcopy(model).double().eval()
    network = TrainingNetwork(model, dropout=0.0).double().train()
    logits = network(images)
    expected = plain((images.double() - network.mean) / network.std)
    torch.testing.assert_close(logits, expected, rtol=1e-10, atol=1e-10)
    weights = torch.randn(logits.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    (logits * weights).sum().backward()
    (expected * weights).sum().backward()
    for (name, found), wanted in zip(model.named_parameters(), plain.parameters(), strict=True):
        assert found.grad is not None
        assert wanted.grad is not None
        scale = float(wanted.grad.abs().max())
        assert float((found.grad - wanted.grad).abs().max()) <= 1e-10 * scale, name


def test_the_normalization_is_the_one_of_the_evaluation(model: MaskedVGG16, images: torch.Tensor) -> None:
    network = TrainingNetwork(model, dropout=0.0)
    expected = to_input(images.permute(0, 2, 3, 1))[:, :, : network.rows]
    torch.testing.assert_close(network.normalized(images), expected, rtol=1e-5, atol=1e-6)


def test_what_lies_under_the_wall_is_not_even_read(images: torch.Tensor) -> None:
    network = TrainingNetwork(MaskedVGG16(width=1 / 16), dropout=0.0)
    assert network.rows == 170
    assert network.normalized(images).shape == (3, 3, 170, 224)
    cut = images[:, :, :170]
    assert torch.equal(network(images), network(cut))


def test_only_the_training_runs_compiled(images: torch.Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def compiled(function: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
        return lambda *args: calls.append(1) or function(*args)

    monkeypatch.setattr("torch.compile", compiled)
    network = TrainingNetwork(MaskedVGG16(num_classes=5, width=1 / 64), 0.0, compiled=True)
    trained = network.train()(images)
    assert calls == [1]
    assert torch.equal(network.eval()(images), trained)
    assert calls == [1], "a validation's batches have other shapes: each would be compiled again"


@pytest.mark.parametrize(
    ("device", "triton", "capability", "compiler", "expected"),
    [
        ("cuda", True, (7, 0), "/usr/bin/gcc", True),
        ("cuda", False, (7, 0), "/usr/bin/gcc", False),
        ("cuda", True, (6, 1), "/usr/bin/gcc", False),
        ("cuda", True, (9, 0), None, False),
        ("cpu", True, (9, 0), "/usr/bin/gcc", False),
    ],
)
def test_what_is_compiled_by_default(
    device: str,
    triton: bool,
    capability: tuple[int, int],
    compiler: str | None,
    expected: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("stackwalls.model.training.network.find_spec", lambda _: object() if triton else None)
    monkeypatch.setattr("torch.cuda.get_device_capability", lambda _: capability)
    monkeypatch.setattr("shutil.which", lambda _: compiler)
    assert compiles(torch.device(device)) is expected


def test_rows_needed_are_those_of_the_receptive_field() -> None:
    model = MaskedVGG16(width=1 / 64)
    needed = rows_needed(model.convolutions, 5)
    assert needed[0] == model.wall.band.start == 170  # type: ignore[union-attr]
    assert needed[-1] == 5
    assert seen_pixel_rows(MaskedVGG16(14, width=1 / 64)) == 224
    layers = model.convolutions
    for visible in (1, 5, 8, 14):
        needed = rows_needed(layers, visible)
        for index in range(len(layers)):
            height = 224 // 2 ** sum(isinstance(layer, nn.MaxPool2d) for layer in layers[:index])
            assert pixels_reached(layers[index:], (0, visible), height) == (0, needed[index])


def test_the_authors_weights_in_the_two_layers_that_they_replaced() -> None:
    """PyTorch's default for a convolution, and for a dense layer over all 14 rows, of which this network has 5."""
    torch.manual_seed(0)
    model, plain = (MaskedVGG16(num_classes=10, width=1 / 8) for _ in range(2))
    plain.load_state_dict(model.state_dict())
    initialize_as_authors(model)
    changed = {key for key, value in plain.state_dict().items() if not torch.equal(value, model.state_dict()[key])}
    last = f"convolutions.{len(model.convolutions) - 2}"
    assert changed == {f"{last}.weight", f"{last}.bias", "classifier.0.weight", "classifier.0.bias"}
    whole = nn.Linear(32 * 14 * 14, 512)
    for found, expected in zip(model.classifier[0].state_dict().values(), whole.state_dict().values(), strict=True):
        assert float(found.abs().max()) == pytest.approx(float(expected.abs().max()), rel=0.02)
        assert float(found.std()) == pytest.approx(float(expected.std()), rel=0.1)
    assert float(model.state_dict()[f"{last}.weight"].abs().max()) == pytest.approx((64 * 9) ** -0.5, rel=0.01)


def test_calibrated_outputs_have_mean_zero_and_variance_one(images: torch.Tensor) -> None:
    torch.manual_seed(0)
    model = MaskedVGG16(14, num_classes=5, width=1 / 16)
    calibrate(TrainingNetwork(model, 0.0), images)
    x = to_input(images.permute(0, 2, 3, 1))
    model.requires_grad_(False)
    for layer in model.convolutions:
        x = layer(x)
        if isinstance(layer, torch.nn.Conv2d):
            assert float(x.mean((0, 2, 3)).abs().max()) < 1e-2
            assert float((x.var((0, 2, 3)) - 1).abs().max()) < 2e-2


class TestSeededDropout:
    def test_pieces_of_a_batch_are_dropped_as_the_whole_batch_is(self) -> None:
        dropout, x = SeededDropout(0.3), torch.rand(12, 50)
        dropout.place(5, 0, 12)
        whole = dropout(x)
        pieces = []
        for first in (0, 4, 8):
            dropout.place(5, first, 12)
            pieces.append(dropout(x[first : first + 4]))
        assert torch.equal(torch.cat(pieces), whole)
        dropout.place(6, 0, 12)
        assert not torch.equal(dropout(x), whole)

    def test_it_drops_its_share_and_scales_the_rest(self) -> None:
        dropout, x = SeededDropout(0.3), torch.ones(400, 500)
        dropout.place(0, 0, 400)
        dropped = dropout(x)
        # 200,000 draws: a standard error of 0.001
        assert float((dropped == 0).float().mean()) == pytest.approx(0.3, abs=0.005)
        assert dropped.unique().tolist() == [0.0, pytest.approx(1 / 0.7)]

    def test_it_does_nothing_in_evaluation_and_leaves_the_random_state(self) -> None:
        dropout, x = SeededDropout(0.5), torch.rand(4, 4)
        before = torch.get_rng_state()
        dropout.place(1, 0, 4)
        dropout(x)
        assert torch.equal(torch.get_rng_state(), before)
        assert torch.equal(dropout.eval()(x), x)
