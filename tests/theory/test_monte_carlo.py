import math

import numpy as np
import pytest
import torch

from stackwalls.model import InputError
from stackwalls.model.theory import Estimate, Networks, OneConvolution, estimate_gradcam, gradcam_map, simulation

SPEC = OneConvolution(height=9, width=9, filters=4, hidden=(3,))
IMAGE = torch.rand(1, 9, 9, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def maps(monkeypatch: pytest.MonkeyPatch) -> list[torch.Tensor]:
    """Every map that is computed, in blocks."""
    kept: list[torch.Tensor] = []

    def recorded(networks: Networks, maps: torch.Tensor) -> torch.Tensor:
        kept.append(gradcam_map(networks, maps))
        return kept[-1]

    monkeypatch.setattr(simulation, "gradcam_map", recorded)
    return kept


@pytest.mark.parametrize("draws", [2, 17, 64])
def test_mean_and_standard_error_are_those_of_all_maps_at_once(draws: int, maps: list[torch.Tensor]) -> None:
    estimate = estimate_gradcam(SPEC, IMAGE, draws, seed=5)
    all_maps = torch.cat(maps).double().numpy()[:draws]
    assert all_maps.shape == (draws, 8, 8)
    np.testing.assert_allclose(estimate.mean, all_maps.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(estimate.standard_error, all_maps.std(axis=0, ddof=1) / math.sqrt(draws), rtol=1e-9)


def test_a_longer_simulation_begins_with_a_shorter_one(maps: list[torch.Tensor]) -> None:
    estimate_gradcam(SPEC, IMAGE, 17, seed=1)
    short = torch.cat(maps)
    maps.clear()
    estimate_gradcam(SPEC, IMAGE, 50, seed=1)
    assert torch.equal(torch.cat(maps)[: len(short)], short)
    lit = torch.cat([block[block.amax(dim=(1, 2)) > 0] for block in maps])
    assert len(torch.unique(lit, dim=0)) == len(lit) > 20  # every network is another


def test_the_same_seed_gives_the_same_bits_on_any_number_of_threads() -> None:
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = estimate_gradcam(SPEC, IMAGE, 200, seed=1)
        torch.set_num_threads(2)
        two = estimate_gradcam(SPEC, IMAGE, 200, seed=1)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(one.mean, two.mean)
    assert torch.equal(one.standard_error, two.standard_error)
    assert not torch.equal(one.mean, estimate_gradcam(SPEC, IMAGE, 200, seed=2).mean)


def test_threads_are_put_back_after_an_error() -> None:
    threads = torch.get_num_threads()
    with pytest.raises(InputError, match="Expected `image`"):
        estimate_gradcam(SPEC, IMAGE[:, :5], 10)
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize(("draws", "seed"), [(1, 0), (0, 0), (10, -1)])
def test_arguments_out_of_range_are_refused(draws: int, seed: int) -> None:
    with pytest.raises(InputError, match="Expected `draws` ≥ 2 and `seed` ≥ 0"):
        estimate_gradcam(SPEC, IMAGE, draws, seed)


def test_deviation_counts_standard_errors() -> None:
    estimate = Estimate(torch.tensor([[3.0, 0.0, 0.0]]), torch.tensor([[0.5, 0.0, 0.0]]), 10)
    assert estimate.deviation(torch.tensor([[2.0, 0.0, 1.0]])).tolist() == [[2.0, 0.0, -math.inf]]
