"""The packages' metrics as they are called here: directions, maps without order, and equal to a call by hand."""

import itertools

import numpy as np
import pytest
import torch
from pytorch_grad_cam.metrics.cam_mult_image import DropInConfidence
from pytorch_grad_cam.metrics.road import ROADMostRelevantFirst
from pytorch_grad_cam.utils.model_targets import ClassifierOutputSoftmaxTarget
from torchcam.methods import GradCAM
from torchcam.metrics import ClassificationMetric

from stackwalls.evaluate.checks.method_check import tiny_images, tiny_walled
from stackwalls.evaluate.judging import DEFAULT_METRICS, METRICS, Case
from stackwalls.model import Walled, to_input

quantus = pytest.importorskip("quantus")

SLOW = {"ROAD", "ARCC", "IROF", "Selectivity", "RegionPerturbation", "Deletion", "Insertion", "FaithfulnessCorrelation"}


@pytest.fixture(scope="module")
def network() -> Walled:
    return tiny_walled("bottom:32@64")


@pytest.fixture(scope="module")
def case(network: Walled) -> Case:
    """Two images with torch-cam's GradCAM of their probabilities, and a map that depends on the image for others."""
    images = to_input(tiny_images(network.wall), network.mean, network.std)[:2]
    with GradCAM(network, network.target_layer) as extractor:
        scores = network(images).softmax(1)
        targets = scores.argmax(1).tolist()
        [low] = extractor(targets, scores)
    maps = torch.nn.functional.interpolate(low[:, None], (64, 64), mode="bilinear")[:, 0].numpy(force=True)
    return Case(network, images, targets, maps, lambda images, _: images.square().mean(1).numpy(force=True))


def scored(name: str, case: Case) -> np.ndarray:
    with torch.no_grad():
        torch.manual_seed(0)
        np.random.seed(0)  # noqa: NPY002
        return METRICS[name].of(METRICS[name].scorer(case), len(case.images))


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] * (n in SLOW)) for n in METRICS])
def test_every_metric_gives_a_number_per_image(name: str, case: Case) -> None:
    scores = scored(name, case)
    assert scores.shape == (2,)
    assert np.isfinite(scores).all()
    assert np.array_equal(scores, scored(name, case)), "with the same random numbers"


def test_directions_are_those_of_quantus() -> None:
    own = {name: spec for name, spec in METRICS.items() if spec.package.startswith("quantus.")}
    assert len(own) == 8
    for name, spec in own.items():
        theirs = getattr(quantus, name).score_direction is quantus.helpers.enums.ScoreDirection.HIGHER
        # its scores are how much the prediction drops, of which Samek et al. want much
        assert (spec.higher == theirs) == (name != "RegionPerturbation"), name


def test_every_metric_says_where_it_comes_from() -> None:
    assert set(DEFAULT_METRICS) <= set(METRICS)
    assert len(DEFAULT_METRICS) == 10
    for spec in METRICS.values():
        assert spec.source.startswith("https://")
        assert spec.package.split()[0].partition(".")[0] in ("grad-cam", "torchcam", "captum", "quantus")


def test_torchcams_metric_of_the_maps_is_its_metric_of_the_extractor(network: Walled, case: Case) -> None:
    with GradCAM(network, network.target_layer) as extractor:
        metric = ClassificationMetric(extractor, torch.nn.Softmax(dim=-1))
        for image, target in zip(case.images, case.targets, strict=True):
            metric.update(image[None], target)
    assert metric.summary()["avg_drop"] == pytest.approx(scored("AverageDrop", case).mean(), abs=1e-6)
    assert metric.summary()["conf_increase"] == pytest.approx(scored("Increase", case).mean(), abs=1e-6)


def test_grad_cams_metrics_by_hand(network: Walled, case: Case) -> None:
    """The change of confidence from its definition; ROAD in a call of its own with the same noise."""
    with torch.no_grad():
        before, after = (
            network(images).softmax(1)[range(2), case.targets].numpy()
            for images in (case.images, case.images * torch.from_numpy(case.maps)[:, None])
        )
    np.testing.assert_allclose(scored("ConfidenceChange", case), after - before, atol=1e-6)
    targets = [ClassifierOutputSoftmaxTarget(target) for target in case.targets]
    drops = DropInConfidence()(case.images, case.maps, targets, network)
    np.testing.assert_allclose(drops, np.maximum(before - after, 0), atol=1e-6)
    torch.manual_seed(0)
    with torch.no_grad():
        road = ROADMostRelevantFirst(percentile=80)(case.images, case.maps, targets, network)
    assert np.array_equal(scored("ROADMostRelevant", case), road.astype(np.float64))


def test_pixel_flipping_by_hand(network: Walled, case: Case) -> None:
    """A slow rewrite: set a twelfth of the values to black at a time; area by trapezoids of the 12 steps."""
    values, step = case.images.numpy(), 64 * 64 // 4
    expected = []
    for image, target, weights in zip(values, case.targets, case.maps, strict=True):
        order = np.argsort(-np.broadcast_to(weights / weights.max(), image.shape).ravel())
        flipped, curve = image.ravel().copy(), []
        for start in range(0, order.size, step):
            flipped[order[start : start + step]] = image.min()
            with torch.no_grad():
                logits = network(torch.from_numpy(flipped.reshape(1, *image.shape)))
            curve.append(float(logits.softmax(1)[0, target]))
        expected.append(sum((a + b) / 2 for a, b in itertools.pairwise(curve)))
    np.testing.assert_allclose(scored("PixelFlipping", case), expected, rtol=1e-4)


def test_infidelity_by_hand(case: Case) -> None:
    """With the squares' contents as they are: the scale that fits best, and what is left of the squared difference."""
    np.random.seed(0)  # noqa: NPY002
    drops, sums = [], []
    for together in (4, 4, 2):  # captum repeats each image as often as eight fit
        squares = np.random.randint(0, 64 - 32 + 1, (2, together, 2))  # noqa: NPY002
        for corners in squares.transpose(1, 0, 2):
            removed, weight = case.images.clone(), []
            for index, (row, column) in enumerate(corners):
                removed[index, :, row : row + 32, column : column + 32] = 0
                weight.append(case.maps[index, row : row + 32, column : column + 32].sum())
            with torch.no_grad():
                change = (case.model(case.images) - case.model(removed))[range(2), case.targets]
            drops.append(change.numpy())
            sums.append(weight)
    found, shares = np.array(drops, dtype=float), np.array(sums, dtype=float)
    scale = (found * shares).mean(0) / (shares**2).mean(0)
    expected = ((scale * shares - found) ** 2).mean(0)
    np.testing.assert_allclose(scored("Infidelity", case), expected, rtol=1e-3)
