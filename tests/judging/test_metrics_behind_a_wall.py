"""The theory page's statements on metrics, each on networks that are certified blind, by the packages' own metrics."""

import itertools
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from stackwalls.evaluate.checks.method_check import tiny_images, tiny_masked_vgg, tiny_walled
from stackwalls.evaluate.judging import METRICS, Case, without_dead, without_seen
from stackwalls.evaluate.judging.package_metrics import (
    average_drop,
    confidence_change,
    deletion_and_insertion,
    quantus_metric,
)
from stackwalls.model import BlindModel, Wall, require_certificate, to_input

pytest.importorskip("quantus")

Scorer = Callable[[Case], object]


@pytest.fixture(scope="module", params=["bottom:54", "top:64"])
def network(request: pytest.FixtureRequest) -> BlindModel:
    model = tiny_masked_vgg() if request.param == "bottom:54" else tiny_walled(request.param)
    assert model.wall is not None
    require_certificate(model, model.wall, 0)
    return model


def wall_of(model: BlindModel) -> Wall:
    assert model.wall is not None
    return model.wall


def smooth_maps(count: int, size: int, seed: int = 0) -> np.ndarray:
    """Random maps that light everything, with maximum 1 and no two equal values that matter."""
    cells = torch.rand(count, 1, 7, 7, generator=torch.Generator().manual_seed(seed))
    maps = nn.functional.interpolate(cells, (size, size), mode="bilinear")[:, 0].numpy()
    return maps / maps.max((1, 2), keepdims=True)


def case(model: BlindModel, maps: np.ndarray) -> Case:
    images = to_input(tiny_images(wall_of(model)), model.mean, model.std)[: len(maps)]
    with torch.no_grad():
        targets = model(images).argmax(1).tolist()
    return Case(model, images, targets, maps.astype(np.float32), lambda *_: maps)


def with_peak(maps: np.ndarray, wall: Wall, dead: bool) -> np.ndarray:
    """The maps with their maximum, twice as high as all else, in the middle of one side of the wall."""
    rows = np.flatnonzero(wall.mask()[:, 0] == dead)
    raised = maps / 2
    raised[:, rows[len(rows) // 2], 100] = 1
    return raised


@pytest.mark.parametrize("scorer", [average_drop, confidence_change])
def test_masking_is_blind_if_the_maximum_is_seen(scorer: Scorer, network: BlindModel) -> None:
    """(J1): m and m′ are the same on the seen part, so the masked images give the same logits, to the last bit."""
    wall = wall_of(network)
    seen, dead = (with_peak(smooth_maps(2, 224), wall, side) for side in (False, True))
    scores = {}
    for name, maps in (("seen", seen), ("dead", dead)):
        scores[name] = [scorer(case(network, each)) for each in (maps, without_dead(maps, wall))]
    for key in scores["seen"][0]:
        assert np.array_equal(scores["seen"][0][key], scores["seen"][1][key])
    # with the maximum behind the wall, m′ is brighter: the metric sees that, and nothing else
    assert any(not np.array_equal(scores["dead"][0][key], scores["dead"][1][key]) for key in scores["dead"][0])


class Rising(nn.Module):
    """A network whose probability of class 0 rises with every pixel that it sees, and with no other."""

    def __init__(self, wall: Wall, size: int = 32) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(1)
        weight = torch.rand(3, size, size, generator=generator) * torch.from_numpy(~wall.mask())
        self.weight = nn.Parameter(weight / weight.sum())

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        score = (images * self.weight).sum((1, 2, 3))
        return torch.stack([4 * score, torch.zeros_like(score)], 1)


def rising_case(maps: np.ndarray, wall: Wall) -> Case:
    images = torch.rand(len(maps), 3, 32, 32, generator=torch.Generator().manual_seed(2))
    return Case(Rising(wall).eval(), images, [0] * len(maps), maps.astype(np.float32), lambda *_: maps)


@pytest.mark.parametrize("text", ["bottom:8@32", "top:12@32", "box:8:8:24:24@32"])
def test_orders_prefer_m_prime_if_the_score_rises_with_every_seen_pixel(text: str) -> None:
    """(J2): deletion, insertion and pixel flipping rank; m′ removes no fewer seen pixels at any step."""
    wall = Wall.parse(text)
    maps = smooth_maps(6, 32)
    right = without_dead(maps, wall)
    before, after = (deletion_and_insertion(rising_case(each, wall)) for each in (maps, right))
    assert (np.array(after["Deletion"]) < np.array(before["Deletion"])).all()
    assert (np.array(after["Insertion"]) > np.array(before["Insertion"])).all()
    flipping = quantus_metric("PixelFlipping", "F", features_in_step=64, return_auc_per_sample=True)
    assert (np.array(flipping(rising_case(right, wall))["F"]) < flipping(rising_case(maps, wall))["F"]).all()


def test_m_prime_moves_dead_pixels_back_and_keeps_the_order_of_the_seen_ones() -> None:
    """The lemma of (J2), with torch-cam's stable order, on maps with many equal values."""
    wall = Wall.parse("columns:5:9@16")
    dead = wall.mask().ravel()
    for seed in range(20):
        maps = np.random.default_rng(seed).integers(0, 5, (1, 16, 16)).astype(np.float32)
        orders = [np.argsort(-each.ravel(), kind="stable") for each in (maps / maps.max(), without_dead(maps, wall))]
        seen = [order[~dead[order]] for order in orders]
        assert np.array_equal(*seen)
        counts = [np.cumsum(~dead[order]) for order in orders]
        assert (counts[1] >= counts[0]).all()


def test_deletion_may_prefer_m_if_the_score_rises_without_a_seen_pixel() -> None:
    """(J2) needs its condition: where removing seen pixels raises the score, m′ removes them sooner."""
    wall = Wall.parse("bottom:8@32")
    maps = smooth_maps(3, 32)
    falling = [rising_case(each, wall) for each in (maps, without_dead(maps, wall))]
    for each in falling:
        each.model.weight.data.neg_()
    before, after = (np.array(deletion_and_insertion(each)["Deletion"]) for each in falling)
    assert (after > before).all()


@pytest.mark.parametrize("sign", [1, -1])
def test_noise_behind_the_wall_weakens_the_correlation_and_no_more(sign: int) -> None:
    """(J3): over all subsets of 6 patches, corr(m) = corr(m′) · σ(m′ sums) / σ(m sums): higher only if negative."""
    model = tiny_walled("bottom:96")
    image = to_input(tiny_images(wall_of(model)), model.mean, model.std)[:1]
    halves = slice(0, 128), slice(128, 224)
    patches = [(rows, slice(c, c + 64)) for rows in halves for c in (0, 64, 128)]  # 3 seen, 3 dead
    subsets = list(itertools.product((False, True), repeat=6))
    removed = image.repeat(len(subsets), 1, 1, 1)
    for number, subset in enumerate(subsets):
        for (rows, columns), gone in zip(patches, subset, strict=True):
            if gone:
                removed[number, :, rows, columns] = 0
    with torch.no_grad():
        logits = model(torch.cat([image, removed])).double()
        target = int(logits[0].argmax() if sign > 0 else logits[0].argmin())
        drops = (logits[0, target] - logits[1:, target]).numpy()
    members = np.array(subsets, dtype=float)
    relevance = np.random.default_rng(0).random(6)
    # most on the seen patch whose absence lowers the score most, or raises it most: the correlation gets that sign
    worth = [sign * (drops[members[:, patch] == 1].mean() - drops.mean()) for patch in range(3)]
    relevance[int(np.argmax(worth))] = 5
    with_dead, without = members @ relevance, members[:, :3] @ relevance[:3]
    weak, strong = (stats.pearsonr(sums, drops).statistic for sums in (with_dead, without))
    assert np.sign(strong) == sign
    assert weak == pytest.approx(strong * without.std() / with_dead.std(), abs=1e-9)
    assert (strong > weak) == (sign > 0)


def test_infidelity_prefers_m_prime_if_no_square_crosses_the_wall(monkeypatch: pytest.MonkeyPatch) -> None:
    """(J4): captum's, with its scale fitted; and exactly as much worse as the squares behind the wall say."""
    model = tiny_walled("bottom:64")
    wall = wall_of(model)
    corners = np.array([[r, c] for r in (0, 64, 100, 160, 192) for c in (0, 96)])  # rows 0–159 are seen
    drawn = itertools.cycle(corners)
    monkeypatch.setattr(
        "stackwalls.evaluate.judging.package_metrics._corners",
        lambda count, _side: np.array([next(drawn) for _ in range(count)]),
    )
    maps = smooth_maps(1, 224)
    scores = []
    for each in (maps, without_dead(maps, wall)):
        drawn = itertools.cycle(corners)
        scores.append(METRICS["Infidelity"].scorer(case(model, each))["Infidelity"][0])
    assert scores[1] < scores[0]


def test_complexity_and_sparseness_do_not_ask_the_network() -> None:
    """(J5): the same on any network; the entropy's preference follows from the map alone."""
    wall = Wall.parse("bottom:54")
    maps = smooth_maps(3, 224)
    right, wrong = without_dead(maps, wall), without_seen(maps, wall)

    def entropy(values: np.ndarray) -> np.ndarray:
        shares = values.reshape(len(values), -1) / values.sum((1, 2))[:, None]
        return stats.entropy(shares, axis=1)

    for name in ("Complexity", "Sparseness"):
        blind, sighted = (
            METRICS[name].scorer(case(model, maps))[name] for model in (tiny_masked_vgg(), tiny_walled("top:64"))
        )
        assert np.array_equal(blind, sighted)
    share = right.sum((1, 2)) * 0 + (maps * ~wall.mask()).sum((1, 2)) / maps.sum((1, 2))
    mixed = stats.entropy([share, 1 - share])
    found = METRICS["Complexity"].scorer(case(tiny_masked_vgg(), maps))["Complexity"]
    np.testing.assert_allclose(found, mixed + share * entropy(right) + (1 - share) * entropy(wrong), rtol=1e-5)
