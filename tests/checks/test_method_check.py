"""Verdicts on methods that are sound and unsound in known ways, and the pytest plug-in that gives them."""

import json
import sys

import numpy as np
import pytest
import pytorch_grad_cam  # noqa: F401 - loads once a process, and pytester's runs forget what they import first
import timm  # noqa: F401 - the same
import torch
from torch import nn

from stackwalls.evaluate.checks import ASPECTS, NETWORKS, check_method
from stackwalls.evaluate.checks.method_check import inner_zone, tiny_images, tiny_masked_vgg
from stackwalls.evaluate.subject import Subject
from stackwalls.model import Wall

pytest_plugins = ["pytester"]


def sound(model: nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    inputs = inputs.clone().requires_grad_(True)
    model(inputs).gather(1, targets[:, None]).sum().backward()
    assert inputs.grad is not None
    return inputs.grad.abs().amax(1)


def upside(model: nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    maps = inputs.new_zeros(len(inputs), *inputs.shape[2:])
    maps[:, :32] = 1
    return maps


def of_the_batch(model: nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return sound(model, inputs, targets) / len(inputs) + 0 * inputs.amax()


def restless(model: nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    restless.calls = getattr(restless, "calls", 0) + 1  # type: ignore[attr-defined]
    return sound(model, inputs, targets) * restless.calls  # type: ignore[attr-defined]


def vandal(model: nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    maps = sound(model, inputs, targets)
    with torch.no_grad():
        next(model.parameters()).add_(1e-3)
    return maps


def infinite(model: nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return torch.full_like(inputs[:, 0], torch.nan)


def dark(model: nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return torch.zeros_like(inputs[:, 0])


def of_one_size(model: nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return torch.ones(len(inputs), 224, 224)


def failed(method: object, wall: str) -> set[str]:
    return {verdict.aspect for verdict in check_method(method, wall) if verdict.passed is False}


@pytest.mark.parametrize("wall", [*NETWORKS][:3])
@pytest.mark.parametrize(
    ("method", "aspects"),
    [
        (sound, set()),
        ("HiResCAM", set()),
        ("GradCAM", {"blind", "twins"}),
        ("EigenCAM", {"blind", "twins"}),
        (of_the_batch, {"alone"}),
        (restless, {"repeated"}),
        (vandal, {"weights"}),
        (infinite, {"valid"}),
    ],
    ids=lambda value: getattr(value, "__name__", value) if not isinstance(value, set) else "",
)
def test_each_fault_is_found(method: object, aspects: set[str], wall: str) -> None:
    found = failed(method, wall)
    if method in (restless, vandal):
        assert aspects <= found  # what changes from call to call fails the comparisons too
    else:
        assert found == aspects


@pytest.mark.parametrize(
    ("method", "behind_a_cut", "behind_a_sink"),
    [
        (sound, set(), set()),
        ("HiResCAM", set(), set()),
        ("GradCAM", {"blind", "twins"}, {"blind", "twins"}),
        ("EigenCAM", {"blind", "twins"}, {"blind", "twins"}),
        ("Rollout", set(), {"blind", "twins"}),
        ("GradientAttention", set(), set()),
        ("LeGrad", {"blind", "twins"}, {"blind", "twins"}),
    ],
)
def test_transformers_behind_both_kinds(method: object, behind_a_cut: set[str], behind_a_sink: set[str]) -> None:
    *_, cut, sink = NETWORKS
    assert (failed(method, cut), failed(method, sink)) == (behind_a_cut, behind_a_sink)


def test_looking_up_only_passes_at_the_bottom_and_fails_at_the_top() -> None:
    assert "blind" not in failed(upside, "bottom:54")
    assert "blind" in failed(upside, "top:64")


def test_a_corner_of_another_size() -> None:
    """The wall is on the left too, which a method that lights the top left corner shows; and it is of 160 pixels."""
    wall = "bottom:64+left:64@160"
    assert failed(upside, wall) == {"blind"}
    assert failed(of_one_size, wall) == {"valid"}


def test_a_method_that_says_nothing_is_not_called_blind() -> None:
    [verdict] = [verdict for verdict in check_method(dark, "bottom:54") if verdict.aspect == "blind"]
    assert verdict.passed is None


def test_the_smear_is_one_cell() -> None:
    assert (inner_zone(Subject.of(tiny_masked_vgg())) == Wall.parse("bottom:38").mask()).all()
    assert (inner_zone(Subject.of(NETWORKS["top:64"]())) == Wall.parse("top:32").mask()).all()
    corner = inner_zone(Subject.of(NETWORKS["bottom:64+left:64@160"]()))
    assert (corner == Wall.parse("bottom:32+left:32@160").mask()).all()


def test_the_networks_are_the_same_every_time() -> None:
    one, other = tiny_masked_vgg(), tiny_masked_vgg()
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


METHODS = """
    def corner(model, inputs, targets):
        maps = inputs.new_zeros(len(inputs), *inputs.shape[2:])
        maps[:, :10, -10:] = 1
        return maps
"""


def test_the_plug_in(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(mylib=METHODS)
    pytester.syspathinsert()
    result = pytester.runpytest_inprocess("--stackwalls", "mylib:corner", "--stackwalls-json", "found.json")
    result.assert_outcomes(passed=len(NETWORKS) * len(ASPECTS) - 1, failed=1)
    result.stdout.fnmatch_lines(["mylib:corner behind top:64: 4 of 4 maps are lit there*"])
    found = json.loads((pytester.path / "found.json").read_text())
    assert not found["passed"]
    verdicts = found["methods"]["mylib:corner"]
    assert [verdict["aspect"] for verdict in verdicts] == [*ASPECTS] * len(NETWORKS)
    assert [v["wall"] for v in verdicts if v["passed"] is False] == ["top:64"]


def test_the_plug_in_skips_networks_that_a_method_is_not_for(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_inprocess("--stackwalls", "GradientAttention", "-rs")
    result.assert_outcomes(passed=2 * len(ASPECTS), skipped=3 * len(ASPECTS))
    result.stdout.fnmatch_lines(["*GradientAttention explains a vision transformer by its attention*"])


def test_the_plug_in_without_its_option_adds_nothing(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_mine="def test_mine(): pass")
    pytester.runpytest_inprocess().assert_outcomes(passed=1)


def test_the_plug_in_names_what_it_cannot_import(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_inprocess("--stackwalls", "nowhere.at_all:method")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--stackwalls nowhere.at_all:method: *"])


def test_the_plug_in_imports_nothing_heavy(pytester: pytest.Pytester) -> None:
    heavy = "[name for name in ('torch', 'numpy') if name in sys.modules]"
    result = pytester.run(sys.executable, "-c", f"import sys, stackwalls.evaluate.checks.pytest_plugin; print({heavy})")
    result.stdout.fnmatch_lines(["[[][]]"])


def test_pictures_are_drawn_animals() -> None:
    pictures = tiny_images(Wall.parse("bottom:54"))
    assert pictures.shape == (4, 224, 224, 3)
    assert pictures.dtype == np.uint8
    assert pictures.std() > 20
