import json

import pytest
import torch
from torch import nn

from stackwalls.model import Check, InputError, MaskedVGG16, NotBlindError, Wall, certify, require_certificate


class LeakyHead(MaskedVGG16):
    """Claims five visible rows and reads a sixth."""

    def head(self, activations: torch.Tensor) -> torch.Tensor:
        leak = 1e-6 * activations[:, :, 5].mean(dim=(1, 2))
        return super().head(activations) + leak[:, None]


def by_name(checks: tuple[Check, ...]) -> dict[str, bool]:
    return {check.name: check.passed for check in checks}


def test_masked_vgg16_is_certified_behind_54_rows(narrow_vgg: MaskedVGG16) -> None:
    certificate = certify(narrow_vgg)
    assert certificate.passed, certificate.failures
    assert certificate.wall == "bottom:54"
    assert "BLIND: masked-vgg16 behind bottom:54" in certificate.text()
    assert json.loads(certificate.to_json())["passed"] is True


def test_53_and_55_rows_fail(narrow_vgg: MaskedVGG16) -> None:
    smaller = by_name(certify(narrow_vgg, Wall.parse("bottom:53")).checks)
    assert smaller == {"structure": False, "intervention": True, "gradient": True, "contrast": True}
    larger = by_name(certify(narrow_vgg, Wall.parse("bottom:55")).checks)
    assert larger == {"structure": False, "intervention": False, "gradient": False, "contrast": True}


def test_the_first_seen_row_lies_right_at_the_wall(narrow_vgg: MaskedVGG16) -> None:
    found = {check.name: check.found for check in certify(narrow_vgg).checks}
    assert "are right at the wall" in found["contrast"]
    away = {check.name: check.found for check in certify(narrow_vgg, Wall.parse("bottom:53")).checks}
    assert "1 pixels away" in away["contrast"]


def test_a_head_that_reads_row_5_is_refused() -> None:
    torch.manual_seed(0)
    leaky = LeakyHead(num_classes=10, width=1 / 16)
    checks = by_name(certify(leaky).checks)
    assert checks["structure"], "the claim itself is consistent; the other checks must find the leak"
    assert not checks["intervention"]
    assert not checks["gradient"]
    with pytest.raises(NotBlindError, match="logits move by up to"):
        require_certificate(leaky)


def test_the_baseline_has_no_dead_zone() -> None:
    baseline = MaskedVGG16(visible_rows=14, num_classes=10, width=1 / 16)
    with pytest.raises(InputError, match="no wall"):
        certify(baseline)
    assert not certify(baseline, Wall.parse("bottom:54")).passed


class UpperHalf(nn.Module):
    """Anybody's own network: sees the upper half, declares nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = nn.Linear(3 * 112 * 224, 4)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.dense(images[:, :, :112].flatten(1))


def test_a_plain_module_rests_on_the_interventions() -> None:
    certificate = certify(UpperHalf(), Wall.parse("bottom:112"))
    assert certificate.passed
    assert "declared" in certificate.checks[0].found
    assert not certify(UpperHalf(), Wall.parse("bottom:113")).passed
    with pytest.raises(InputError, match="no wall"):
        certify(UpperHalf())


def test_a_network_that_ignores_everything_is_not_certified() -> None:
    network = UpperHalf()
    nn.init.zeros_(network.dense.weight)
    assert by_name(certify(network, Wall.parse("bottom:112")).checks)["contrast"] is False


def test_logits_that_are_not_finite_are_not_certified() -> None:
    network = UpperHalf()
    nn.init.constant_(network.dense.bias, float("nan"))
    assert by_name(certify(network, Wall.parse("bottom:112")).checks)["intervention"] is False


def test_the_model_comes_back_as_it_was(narrow_vgg: MaskedVGG16) -> None:
    narrow_vgg.train()
    narrow_vgg.convolutions[0].eval()
    narrow_vgg.classifier[0].weight.requires_grad_(False)
    calls: list[int] = []
    handle = narrow_vgg.register_forward_hook(lambda *_: calls.append(1))
    random_state = torch.get_rng_state()
    certify(narrow_vgg)
    assert narrow_vgg.training
    assert not narrow_vgg.convolutions[0].training
    assert not narrow_vgg.classifier[0].weight.requires_grad
    assert all(parameter.grad is None for parameter in narrow_vgg.parameters())
    assert calls
    assert len(narrow_vgg._forward_hooks) == 1
    assert torch.equal(torch.get_rng_state(), random_state)
    handle.remove()


def test_images_of_ones_own_are_checked(narrow_vgg: MaskedVGG16) -> None:
    assert certify(narrow_vgg, images=torch.rand(2, 3, 224, 224)).passed
    with pytest.raises(InputError, match="N ≥ 2"):
        certify(narrow_vgg, images=torch.rand(1, 3, 224, 224))


def test_a_gradient_that_is_not_finite_is_no_proof(narrow_vgg: MaskedVGG16) -> None:
    with torch.no_grad():
        narrow_vgg.convolutions[0].weight.fill_(float("nan"))
    checks = by_name(certify(narrow_vgg).checks)
    assert not checks["contrast"]
