"""Calls of the metrics of grad-cam, torch-cam, captum and Quantus, none of which is rewritten here.

Every function is a `Scorer`. Each package is imported when one of its metrics is asked for. Scores are those of the
explained class: of its probability or its logit, as the packages do by default.
"""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from functools import partial
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import nn

from stackwalls.evaluate.judging.metric_spec import Case

ROAD_PERCENTILES = (80, 90)
"""Of ROAD: 20 and 10 % of the pixels are replaced, and all that tie with them. grad-cam's default is nine steps, each
of which takes up to a second a map."""

CURVE_STEPS = 10
"""Steps of torch-cam's deletion and insertion, whose default is 20."""

_SQUARE = 32
"""Pixels: height and width of the square that captum's infidelity removes."""


# grad-cam


def confidence_change(case: Case) -> Mapping[str, Any]:
    """The change of the class's probability when the image is multiplied by the map."""
    from pytorch_grad_cam.metrics.cam_mult_image import CamMultImageConfidenceChange

    return {
        "ConfidenceChange": CamMultImageConfidenceChange()(case.images, case.maps, _probabilities(case), case.model)
    }


def road(case: Case) -> Mapping[str, Any]:
    """ROAD combined: half of what is left without the least relevant pixels, minus that without the most relevant."""
    from pytorch_grad_cam.metrics.road import ROADCombined

    metric = ROADCombined(percentiles=list(ROAD_PERCENTILES))
    return {"ROAD": metric(case.images, case.maps, _probabilities(case), case.model)}


def road_most_relevant(case: Case) -> Mapping[str, Any]:
    """ROAD of the most relevant pixels alone: the change of the probability without a fifth of the pixels."""
    from pytorch_grad_cam.metrics.road import ROADMostRelevantFirst

    metric = ROADMostRelevantFirst(percentile=ROAD_PERCENTILES[0])
    return {"ROADMostRelevant": metric(case.images, case.maps, _probabilities(case), case.model)}


def arcc(case: Case) -> Mapping[str, Any]:
    """ARCC: the harmonic mean of ROAD, coherency and 1 − complexity. Its method is the one that made the maps."""
    from pytorch_grad_cam.metrics.arcc import ARCC

    def same_method(input_tensor: torch.Tensor, targets: Any) -> Any:
        del targets  # the same classes
        return case.explain(input_tensor, case.targets)

    metric = ARCC(same_method, road_percentiles=list(ROAD_PERCENTILES))
    return {"ARCC": metric(case.images, case.maps, _probabilities(case), case.model)}


def _probabilities(case: Case) -> list[Any]:
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputSoftmaxTarget

    return [ClassifierOutputSoftmaxTarget(target) for target in case.targets]


# torch-cam, whose metrics sum over images: one image at a time


def average_drop(case: Case) -> Mapping[str, Any]:
    """Average drop and increase in confidence of the class's probability under the map."""
    from torchcam.metrics import ClassificationMetric

    found = _image_by_image(case, ClassificationMetric)
    return {"AverageDrop": found["avg_drop"], "Increase": found["conf_increase"]}


def deletion_and_insertion(case: Case) -> Mapping[str, Any]:
    """Areas under the class's probability while the pixels are set to 0, or put back, most relevant first."""
    from torchcam.metrics import DeletionInsertionMetric

    found = _image_by_image(case, partial(DeletionInsertionMetric, steps=CURVE_STEPS, batch_size=8))
    return {"Deletion": found["deletion_auc"], "Insertion": found["insertion_auc"]}


def _image_by_image(case: Case, metric: Callable[..., Any]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for number, target in enumerate(case.targets):
        one = slice(number, number + 1)
        made = metric(_GivenMaps(case.model, torch.from_numpy(case.maps[one])), partial(torch.softmax, dim=-1))
        made.update(case.images[one], [target])
        for name, score in made.summary().items():
            found.setdefault(name, []).append(score)
    return found


class _GivenMaps:
    """Finished maps with the interface of torch-cam's extractors."""

    def __init__(self, model: nn.Module, maps: torch.Tensor) -> None:
        self.model, self.maps = model, maps

    def __call__(self, class_idx: Any = None, scores: Any = None, normalized: bool = True) -> list[torch.Tensor]:
        del class_idx, normalized
        return [self.maps.to(scores.device)]

    def fuse_cams(self, cams: list[torch.Tensor]) -> torch.Tensor:
        return cams[0]

    def _hooks_off(self) -> Any:
        return nullcontext()


# captum


def infidelity(case: Case) -> Mapping[str, Any]:
    """Infidelity when a random square is removed: (its share of the map − the drop of the logit)², scaled to fit."""
    from captum.metrics import infidelity, infidelity_perturb_func_decorator

    attributions = _on_channels(case)

    @infidelity_perturb_func_decorator(multiply_by_inputs=True)  # type: ignore[untyped-decorator]
    def without_a_square(inputs: torch.Tensor) -> torch.Tensor:
        left = inputs.clone()
        for image, (row, column) in zip(left, _corners(len(inputs), inputs.shape[-1]), strict=True):
            image[:, row : row + _SQUARE, column : column + _SQUARE] = 0
        return left

    score = infidelity(
        case.model,
        without_a_square,
        case.images,
        attributions,
        target=torch.tensor(case.targets, device=case.images.device),
        n_perturb_samples=10,
        max_examples_per_batch=8,
        normalize=True,
    )
    return {"Infidelity": score.numpy(force=True)}


def sensitivity(case: Case) -> Mapping[str, Any]:
    """The largest relative change of the map when the image changes by noise of up to 0.02."""
    from captum.metrics import sensitivity_max

    def explained(inputs: tuple[torch.Tensor, ...], target: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(case.explain(inputs[0], target.tolist()))[:, None]

    targets = torch.tensor(case.targets)
    score = sensitivity_max(
        explained, case.images, n_perturb_samples=4, max_examples_per_batch=len(case.images), target=targets
    )
    return {"Sensitivity": score.numpy(force=True)}


def _corners(count: int, side: int) -> Any:
    return np.random.randint(0, side - _SQUARE + 1, (count, 2))  # noqa: NPY002 - seeded with the other packages' draws


def _on_channels(case: Case) -> torch.Tensor:
    """The maps as attributions of the images' shape, a third on each channel."""
    return torch.from_numpy(case.maps)[:, None].to(case.images).expand_as(case.images) / case.images.shape[1]


# Quantus


def quantus_metric(name: str, key: str, curve: bool = False, **settings: Any) -> Callable[[Case], Mapping[str, Any]]:
    """A scorer that calls `quantus.NAME(**settings)`; with `curve`, its score is the area under what it returns."""

    def scorer(case: Case) -> Mapping[str, Any]:
        import quantus
        from quantus.helpers.utils import calculate_auc

        options = {"return_aggregate": False, "disable_warnings": True, "display_progressbar": False, **settings}
        with _trapz():
            scores = getattr(quantus, name)(**options)(
                model=case.model,
                x_batch=case.images.numpy(force=True),
                y_batch=np.array(case.targets),
                a_batch=case.maps[:, None],
                device=str(case.images.device),
                channel_first=True,
            )
            return {key: calculate_auc(np.asarray(scores), batched=True) if curve else scores}

    return scorer


def pixel_flipping(case: Case) -> Mapping[str, Any]:
    """The area under the class's probability while pixels are set to black in 12 steps, most relevant first."""
    step = case.images[0, 0].numel() // 4  # of values: a pixel's three channels tie
    return quantus_metric("PixelFlipping", "PixelFlipping", features_in_step=step, return_auc_per_sample=True)(case)


def superpixels_replaced(arr: Any, mask: Any, **baseline: Any) -> Any:
    """Quantus's `baseline_replacement_by_mask` for one mask per image: IROF does not repeat it for the channels."""
    from quantus.functions.perturb_func import baseline_replacement_by_mask

    return baseline_replacement_by_mask(arr, mask=np.broadcast_to(mask, arr.shape), **baseline)


def _trapz() -> Any:
    """Quantus 0.6 computes areas by `np.trapz`, whose name is `trapezoid` since NumPy 2.4."""
    return mock.patch.object(np, "trapz", np.trapezoid, create=True)
