import dataclasses
import math

import pytest
import torch
from torch_layers import as_module

from stackwalls.model import InputError, Wall
from stackwalls.model.theory import OneConvolution

SMALL = OneConvolution(height=13, width=10, channels=2, filters=3, kernel=3, pool=2, hidden=(5, 4), classes=6)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_default_is_the_authors_mnist_network() -> None:
    spec = OneConvolution()
    assert spec.map_size == (28, 28)
    assert spec.pooled_size == (14, 14)
    assert (spec.seen_rows, spec.seen_cells, spec.dead_start, spec.depth) == (7, 98, 15, 1)
    assert [weights.shape for weights in spec.draw(1, generator()).dense] == [(1, 1, 256, 7, 14)]
    assert Wall.of_band("rows", spec.dead_start, 29, 29) == Wall.parse("bottom:14", 29)


@pytest.mark.parametrize("hidden", [(), (5,), (5, 4)])
def test_equals_torchs_layers_with_zeros_on_the_lower_half(hidden: tuple[int, ...]) -> None:
    spec = dataclasses.replace(SMALL, hidden=hidden)
    networks = spec.draw(3, generator())
    image = torch.randn(2, 13, 10, dtype=torch.float64, generator=generator(1))
    maps = networks.features(image)
    assert maps.shape == (3, 3, 11, 8)
    for index in range(3):
        module = as_module(networks, index)
        torch.testing.assert_close(module[:2](image[None])[0], maps[index], rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(module(image[None])[0], networks.head(maps)[index], rtol=1e-12, atol=1e-12)


def test_the_dead_zone_is_dead_and_starts_where_it_says() -> None:
    """Noise below changes no bit of the logits; the row above the wall counts, in the logits and in the maps."""
    networks = SMALL.draw(20, generator())
    image = torch.randn(2, 13, 10, dtype=torch.float64, generator=generator(1))
    assert SMALL.dead_start == 2 * 2 + 3 - 1
    below, above = image.clone(), image.clone()
    below[:, SMALL.dead_start :] = torch.randn(2, 13 - SMALL.dead_start, 10, dtype=torch.float64)
    above[:, : SMALL.dead_start] = 0
    logits = networks.head(networks.features(image))
    assert torch.equal(networks.head(networks.features(below)), logits)
    above_only = image.clone()
    above_only[:, SMALL.dead_start - 1] += 1
    assert not torch.equal(networks.head(networks.features(above_only)), logits)
    unseen = networks.features(image)[:, :, SMALL.dead_start :]
    assert torch.equal(networks.features(above)[:, :, SMALL.dead_start :], unseen)
    assert not torch.equal(
        networks.features(above)[:, :, SMALL.dead_start - 1], networks.features(image)[:, :, SMALL.dead_start - 1]
    )


def test_weights_have_the_deviation_of_their_layer() -> None:
    spec = dataclasses.replace(SMALL, tau=(0.5, 2.0, 1.0, 3.0))
    networks = spec.draw(2000, generator())
    for tau, weights in zip(spec.taus, (networks.filters, *networks.dense), strict=True):
        count = weights.numel()
        assert abs(weights.mean()) < 5 * tau / math.sqrt(count)
        assert abs(weights.var() / tau**2 - 1) < 5 * math.sqrt(2 / count)
    first, second = networks.filters[::2].flatten(), networks.filters[1::2].flatten()
    assert abs((first * second).mean()) < 5 * 0.5**2 / math.sqrt(len(first))


def test_filters_can_be_held_fixed() -> None:
    filters = torch.randn(3, 2, 3, 3, generator=generator())
    networks = SMALL.draw(4, generator(), filters=filters)
    assert all(torch.equal(networks.filters[index], filters.double()) for index in range(4))
    assert not torch.equal(networks.dense[0][0], networks.dense[0][1])
    with pytest.raises(InputError, match=r"Expected `filters` to be \(3, 2, 3, 3\)"):
        SMALL.draw(4, generator(), filters=filters[:2])


@pytest.mark.parametrize(
    "changes",
    [
        {"filters": 0},
        {"hidden": (3, 0)},
        {"kernel": 14},
        {"kernel": 12},  # a map of 2 rows: a pooled map of one
        {"pool": 9},
        {"tau": 0.0},
        {"tau": -1.0},
        {"tau": float("nan")},
        {"tau": (1.0, 1.0)},
    ],
)
def test_shapes_that_make_no_network_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(InputError, match="Expected"):
        dataclasses.replace(SMALL, **changes)  # type: ignore[arg-type]


def test_images_of_another_shape_are_refused() -> None:
    networks = SMALL.draw(1, generator())
    with pytest.raises(InputError, match=r"Expected `image` to be \(2, 13, 10\), but got \(1, 13, 10\)"):
        networks.features(torch.zeros(1, 13, 10))
    with pytest.raises(InputError, match="Expected `draws`"):
        SMALL.draw(0, generator())
