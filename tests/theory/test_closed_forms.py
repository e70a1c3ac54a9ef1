"""The closed forms against automatic differentiation, a slow rewrite and grad-cam."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from pytorch_grad_cam import GradCAM, HiResCAM, XGradCAM
from torch.nn import functional as F
from torch_layers import as_module

from stackwalls.model import InputError
from stackwalls.model.theory import (
    XGRADCAM_EPSILON,
    Networks,
    OneConvolution,
    gradcam_coefficients,
    gradcam_map,
    hirescam_map,
    pooled_gradient,
    xgradcam_coefficients,
    xgradcam_map,
)

DRAWS = 3


@dataclass
class Case:
    networks: Networks
    maps: torch.Tensor
    target: torch.Tensor


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Random networks, with maps of an image, or of few integers: many ties and zeros in the windows."""
    kernel, pool = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    size = kernel - 1 + 2 * pool
    depth = draw(st.integers(1, 4))
    spec = OneConvolution(
        height=size + draw(st.integers(0, 9)),
        width=size + draw(st.integers(0, 9)),
        channels=draw(st.integers(1, 3)),
        filters=draw(st.integers(1, 30)),
        kernel=kernel,
        pool=pool,
        hidden=tuple(draw(st.lists(st.integers(1, 8), min_size=depth - 1, max_size=depth - 1))),
        classes=draw(st.integers(1, 5)),
        tau=tuple(draw(st.lists(st.floats(0.1, 2), min_size=depth + 1, max_size=depth + 1))),
    )
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    networks = spec.draw(DRAWS, generator)
    if draw(st.booleans()):
        image = torch.randn(spec.channels, spec.height, spec.width, generator=generator, dtype=torch.float64)
        maps = networks.features(image)
    else:
        maps = torch.randint(-2, 4, (DRAWS, spec.filters, *spec.map_size), generator=generator).double().relu()
    return Case(networks, maps, torch.randint(spec.classes, (DRAWS,), generator=generator))


def differentiated(case: Case) -> torch.Tensor:
    """Dy/dB by automatic differentiation of torch's own layers, network by network."""
    gradients = []
    for index in range(DRAWS):
        maps = case.maps[index : index + 1].clone().requires_grad_()
        logits = as_module(case.networks, index)[2:](maps)
        gradients.append(torch.autograd.grad(logits[0, case.target[index]], maps)[0][0])
    return torch.stack(gradients)


def close(ours: torch.Tensor, reference: torch.Tensor) -> None:
    assert ours.shape == reference.shape
    assert (ours - reference).abs().max() <= 1e-10 * max(1.0, float(reference.abs().max()))


@settings(max_examples=60, deadline=None)
@given(cases())
def test_equal_to_automatic_differentiation(case: Case) -> None:
    networks, maps, target = case.networks, case.maps, case.target
    gradient = differentiated(case)
    alpha = gradient.mean(dim=(2, 3))
    share = (gradient * maps).sum(dim=(2, 3)) / (maps.sum(dim=(2, 3)) + XGRADCAM_EPSILON)
    close(gradcam_coefficients(networks, maps, target), alpha)
    close(gradcam_map(networks, maps, target), (alpha[..., None, None] * maps).sum(dim=1).relu())
    close(xgradcam_coefficients(networks, maps, target), share)
    close(xgradcam_map(networks, maps, target), (share[..., None, None] * maps).sum(dim=1).relu())
    close(hirescam_map(networks, maps, target), (gradient * maps).sum(dim=1).relu())


def slow_gradient(case: Case, index: int) -> np.ndarray:
    """Equation (1) and the max-pool's rule with loops: windows, cells, layers."""
    spec, maps = case.networks.spec, case.maps[index].numpy()
    rows, columns = spec.pooled_size
    rows //= 2
    pooled = np.zeros((spec.filters, rows, columns))
    largest = {}
    for v in range(spec.filters):
        for p in range(rows):
            for q in range(columns):
                cells = [(p * spec.pool + a, q * spec.pool + b) for a in range(spec.pool) for b in range(spec.pool)]
                largest[v, p, q] = max(cells, key=lambda cell: maps[v][cell])  # the first among equals
                pooled[v, p, q] = maps[v][largest[v, p, q]]
    signal, weights = pooled.ravel(), [w[index].flatten(1).numpy() for w in case.networks.dense]
    passed = weights[0]
    for following in weights[1:]:
        before = passed @ signal
        passed = following @ np.diag((before > 0).astype(float)) @ passed
    gradient = np.zeros_like(maps)
    for number, (v, p, q) in enumerate(np.ndindex(pooled.shape)):
        gradient[v][largest[v, p, q]] += passed[int(case.target[index]), number]
    return gradient


@settings(max_examples=20, deadline=None)
@given(cases())
def test_equal_to_a_slow_rewrite(case: Case) -> None:
    for index in range(DRAWS):
        maps, gradient = case.maps[index].numpy(), slow_gradient(case, index)
        alpha = gradcam_coefficients(case.networks, case.maps, case.target)[index]
        close(alpha, torch.from_numpy(gradient.mean(axis=(1, 2))))
        hires = hirescam_map(case.networks, case.maps, case.target)[index]
        close(hires, torch.from_numpy(np.maximum((gradient * maps).sum(axis=0), 0)))


@pytest.mark.parametrize("hidden", [(), (6, 4)])
@pytest.mark.parametrize(
    ("method", "ours"), [(GradCAM, gradcam_map), (XGradCAM, xgradcam_map), (HiResCAM, hirescam_map)]
)
def test_equal_to_grad_cam(hidden: tuple[int, ...], method: type, ours: object) -> None:
    spec = OneConvolution(height=15, width=14, channels=3, filters=8, kernel=3, hidden=hidden, classes=4)
    generator = torch.Generator().manual_seed(0)
    networks = spec.draw(2, generator)
    image = torch.randn(3, 15, 14, generator=generator, dtype=torch.float64)
    maps = networks.features(image)
    for index in range(2):
        module = as_module(networks, index)
        with method(model=module, target_layers=[module[1]]) as cam:
            logits = cam.activations_and_grads(image[None].requires_grad_())
            logits[0, 2].backward()
            activations, gradients = (
                getattr(cam.activations_and_grads, name)[0].detach().numpy() for name in ("activations", "gradients")
            )
            theirs = cam.get_cam_image(image[None], module[1], None, activations, gradients, False)
        close(ours(networks, maps, 2)[index], torch.from_numpy(np.maximum(theirs[0], 0)))  # type: ignore[operator]


@settings(max_examples=30, deadline=None)
@given(cases())
def test_xgradcam_and_hirescam_add_up_to_the_score(case: Case) -> None:
    networks, maps, target = case.networks, case.maps, case.target
    scores = networks.head(maps).gather(1, target[:, None])[:, 0]
    alive = maps.sum(dim=(2, 3)) > 0.1  # where the epsilon in the denominator does not matter
    coefficients = xgradcam_coefficients(networks, maps, target)
    if bool(alive.all()):
        sums = (coefficients[..., None, None] * maps).sum(dim=(1, 2, 3))
        assert (sums - scores).abs().max() <= 1e-5 * float((coefficients.abs() * maps.sum(dim=(2, 3))).sum() + 1)
    cells = networks.pool(maps)[0] * pooled_gradient(networks, maps, target)
    close(cells.sum(dim=(1, 2, 3)), scores)


def test_hirescam_leaves_unread_rows_dark_and_the_others_do_not() -> None:
    spec = OneConvolution(filters=20)
    networks = spec.draw(10, torch.Generator().manual_seed(0))
    maps = networks.features(torch.rand(1, 29, 29, generator=torch.Generator().manual_seed(1)))
    assert hirescam_map(networks, maps)[:, 14:].abs().max() == 0
    assert hirescam_map(networks, maps)[:, :14].max() > 0
    for lit in (gradcam_map(networks, maps), xgradcam_map(networks, maps)):
        assert (lit[:, spec.dead_start :].amax(dim=(1, 2)) > 0).sum() >= 5


def test_with_one_dense_layer_gradcams_coefficients_are_plain_means_of_weights() -> None:
    """Neither the image nor the filters matter; and a network that sees only black still lights the rest."""
    spec = OneConvolution(filters=20)
    networks = spec.draw(10, torch.Generator().manual_seed(0))
    image = torch.zeros(1, 29, 29, dtype=torch.float64)
    image[:, spec.dead_start :] = 1
    maps = networks.features(image)
    assert torch.equal(networks.head(maps), torch.zeros(10, 1, dtype=torch.float64))
    means = networks.dense[0][:, 0].sum(dim=(2, 3)) / 28**2
    close(gradcam_coefficients(networks, maps), means)
    assert gradcam_map(networks, maps)[:, spec.dead_start :].max() > 0
    assert xgradcam_map(networks, maps).max() == 0


def test_targets_that_are_no_class_are_refused() -> None:
    networks = OneConvolution(filters=2, classes=3).draw(2, torch.Generator().manual_seed(0))
    maps = F.relu(torch.randn(2, 2, 28, 28, dtype=torch.float64))
    one = gradcam_map(networks, maps, torch.tensor([2, 0]))
    assert torch.equal(one[0], gradcam_map(networks, maps, 2)[0])
    assert torch.equal(one[1], gradcam_map(networks, maps, 0)[1])
    for target in (3, -1, torch.tensor([0, 3])):
        with pytest.raises(InputError, match="Expected `target` to be a class from 0 to 2"):
            gradcam_map(networks, maps, target)
