"""Mu as a metric of Quantus, of torchmetrics and in captum's form: called by those packages, equal to ours."""

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from captum.attr import Saliency
from torchmetrics import MetricCollection

from stackwalls.evaluate import MuMetric, energy_share, mu, pointing_game
from stackwalls.evaluate.checks.method_check import tiny_walled
from stackwalls.evaluate.judging import QuantusMu, TorchMu, attribution_mu, wall_masks
from stackwalls.model import InputError, Wall

quantus = pytest.importorskip("quantus")

WALLS = [Wall.parse(text) for text in ("bottom:16@64", "left:32@64", "box:16:16:48:48@64")]


def some_maps(count: int = 6, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((count, 64, 64)) ** 4


def quantus_scores(metrics: dict[str, Any], maps: np.ndarray, wall: Wall) -> dict[str, Any]:
    """By Quantus's own `evaluate`, with masks from the wall, and finished attributions."""
    images = np.zeros((len(maps), 3, 64, 64), np.float32)
    found = quantus.evaluate(
        metrics,
        {"method": maps[:, None]},
        tiny_walled("bottom:32@64"),
        images,
        np.zeros(len(maps), int),
        s_batch=wall_masks(wall, len(maps)),
    )
    return found["method"]


@pytest.mark.parametrize("wall", WALLS, ids=str)
def test_quantus_evaluate_gives_our_mu_and_its_localization_metrics_our_others(wall: Wall) -> None:
    maps = some_maps()
    maps[1] *= ~wall.mask()  # correct
    maps[2, wall.mask()] = 0.5 * maps[2].max()
    maps[3, wall.mask()] = 2 * maps[3].max()  # the maximum is dead
    quiet = {"return_aggregate": False, "disable_warnings": True}
    metrics = {
        "mu": QuantusMu(wall),
        "mass": quantus.RelevanceMassAccuracy(**quiet),
        "pointing": quantus.PointingGame(**quiet),
    }
    found = quantus_scores(metrics, maps, wall)
    assert found["mu"] == mu(maps, wall).tolist()
    np.testing.assert_allclose(found["mass"], energy_share(maps, wall), rtol=1e-12)
    # ours counts the dead share of the pixels that have the maximum: where one pixel has it, 0 or 1
    ours = pointing_game(maps, wall)
    assert np.array_equal(np.array(found["pointing"], dtype=float), ours > 0)
    assert ours[[0, 1, 2]].max() <= 1
    assert ours[3] == 1


def test_pointing_games_differ_where_both_sides_have_the_maximum() -> None:
    """Ours counts the share of the dead ones among the pixels that have it, Quantus's any."""
    wall, maps = WALLS[0], some_maps(1)
    maps[0, [10, 60], 5] = 2
    [hit] = quantus_scores({"p": quantus.PointingGame(return_aggregate=False, disable_warnings=True)}, maps, wall)["p"]
    assert (bool(hit), pointing_game(maps, wall).tolist()) == (True, [0.5])


def test_quantus_mu_of_attributions_with_channels_and_signs() -> None:
    wall, generator = WALLS[1], np.random.default_rng(2)
    attributions = generator.normal(size=(4, 3, 64, 64))
    call = [None, np.zeros((4, 3, 64, 64), np.float32), np.zeros(4, int), attributions]
    for reduce, maps in (("sum", attributions.sum(1).clip(0)), ("abs-sum", np.abs(attributions).sum(1))):
        assert QuantusMu(wall, reduce)(*call) == mu(maps, wall).tolist()
    assert QuantusMu(wall, "abs-sum", return_aggregate=True, aggregate_func=np.mean)(*call) == [mu(maps, wall).mean()]
    attributions[1] = 0
    assert np.isnan(QuantusMu(wall)(*call)).tolist() == [False, True, False, False]
    with pytest.raises(InputError, match="wall_masks"):
        QuantusMu(wall)(*call, s_batch=wall_masks(WALLS[0], 4))


def test_torchmetrics_mu_is_ours_over_batches() -> None:
    wall, maps = WALLS[2], some_maps()
    maps[4] = 0
    ours, theirs = MuMetric(wall), TorchMu(wall)
    for part in (maps[:1], maps[1:]):
        ours.update(part)
        theirs.update(torch.from_numpy(part))
    expected, found = ours.compute(), theirs.compute()
    assert (found["n"], found["nan"]) == (expected.n, expected.nan) == (5, 1)
    assert found["mu"].dtype == torch.float64
    assert f"{found['mu']:.12f} {found['mu_std']:.12f}" == f"{expected.mean:.12f} {expected.std:.12f}"
    theirs.reset()
    theirs.update(maps[:2])
    assert float(theirs.compute()["mu"]) == pytest.approx(mu(maps[:2], wall).mean(), abs=1e-15)
    assert float(theirs(maps[:1])["mu"]) == mu(maps[:1], wall)[0], "called, it is that of the batch"
    together = MetricCollection({"walls": TorchMu(wall, reduce="sum")})
    together.update(torch.from_numpy(maps)[:, None])
    assert float(together.compute()["mu"]) == pytest.approx(expected.mean, abs=1e-12)
    with pytest.raises(InputError, match="resolution of the wall"):
        TorchMu(wall).update(torch.zeros(1, 8, 8))


def test_torchmetrics_mu_without_maps_is_undefined() -> None:
    with pytest.warns(UserWarning, match="before the ``update``"):
        found = TorchMu(WALLS[0]).compute()
    assert found["mu"].isnan()
    assert found["n"] == 0


def test_torchmetrics_mu_gathers_the_other_processes() -> None:
    """What it would get of another process is put in place of the gathering."""
    wall, maps = WALLS[0], some_maps()
    metric = TorchMu(
        wall,
        dist_sync_fn=lambda values, group=None: [values, torch.from_numpy(mu(maps[4:], wall))],
        distributed_available_fn=lambda: True,
    )
    metric.update(maps[:4])
    assert float(metric.compute()["mu"]) == pytest.approx(mu(maps, wall).mean(), abs=1e-15)
    assert float(metric.compute()["n"]) == 6
    metric.update(maps[:1])
    assert float(metric.compute()["n"]) == 7, "afterwards it has its own again"


PROCESS = """
import sys, numpy as np, torch
from stackwalls.evaluate.judging import TorchMu
from stackwalls.model import Wall
rank = int(sys.argv[1])
torch.distributed.init_process_group("gloo", init_method=f"file://{sys.argv[2]}", rank=rank, world_size=2)
maps = np.random.default_rng(0).random((6, 64, 64)) ** 4
metric = TorchMu(Wall.parse("bottom:16@64"))
metric.update(maps[:1] if rank else maps[1:])
print(repr(float(metric.compute()["mu"])))
"""


@pytest.mark.slow
def test_torchmetrics_mu_in_two_processes(tmp_path: Any) -> None:
    """Unequal parts, over gloo: both processes have the mean of all maps."""
    running = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS, str(rank), str(tmp_path / "meet")], stdout=subprocess.PIPE, text=True
        )
        for rank in (0, 1)
    ]
    printed = [float(process.communicate(timeout=250)[0]) for process in running]
    assert printed == pytest.approx([mu(some_maps(), WALLS[0]).mean()] * 2, abs=1e-15)


def test_captums_form_calls_the_explanation_function() -> None:
    model = tiny_walled("bottom:32@64")
    images = torch.randn(3, 3, 64, 64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    saliency = Saliency(model).attribute
    found = attribution_mu(saliency, images, model.wall, "abs-sum", target=torch.tensor([0, 1, 2]))
    assert torch.equal(found, torch.zeros(3, dtype=torch.float64)), "a gradient is 0 behind the wall"
    wall = WALLS[2]  # another one, for which it is not
    maps = saliency(images, target=torch.tensor([0, 1, 2])).abs().sum(1).detach()
    found = attribution_mu(saliency, images, wall, "abs-sum", target=torch.tensor([0, 1, 2]))
    assert torch.equal(found, mu(maps, wall))
    assert (found > 0).all()
    as_tuple = attribution_mu(
        lambda given, target: saliency(given, target=target), (images,), wall, "abs-sum", target=1
    )
    assert as_tuple.shape == (3,)
    with pytest.raises(InputError, match="`reduce` to be one of sum"):
        attribution_mu(saliency, images, wall, "mean", target=1)
