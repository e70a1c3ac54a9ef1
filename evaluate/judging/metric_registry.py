"""The registry of faithfulness metrics: name → spec. A new metric is an entry, and a scorer in `package_metrics`."""

from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from typing import Any

from stackwalls.evaluate.judging.metric_spec import MetricSpec
from stackwalls.evaluate.judging.package_metrics import (
    CURVE_STEPS,
    ROAD_PERCENTILES,
    arcc,
    average_drop,
    confidence_change,
    deletion_and_insertion,
    infidelity,
    pixel_flipping,
    quantus_metric,
    road,
    road_most_relevant,
    sensitivity,
    superpixels_replaced,
)
from stackwalls.model import InputError, did_you_mean, import_object, is_import_spec

_PROBABILITY = "https://arxiv.org/abs/1710.11063, section 4.1"
_ROAD = "https://arxiv.org/abs/2202.00449"
_RISE = "https://arxiv.org/abs/1806.07421, section 4.1"
_YEH = "https://arxiv.org/abs/1901.09392"
_SAMEK = "https://arxiv.org/abs/1509.06321"
_ROAD_STEPS = f"percentiles {' and '.join(map(str, ROAD_PERCENTILES))}"


def _of_quantus(
    name: str, key: str, higher: bool, source: str, said: str = "", curve: bool = False, **settings: Any
) -> MetricSpec:
    made = quantus_metric(name, key, curve, **settings)
    told = ", ".join(
        [said] * bool(said) + [f"{option} {value}" for option, value in settings.items() if not callable(value)]
    )
    package = f"quantus.{name}" + f" ({told})" * bool(told)
    return MetricSpec(key, higher, made, package=package, source=source, of_uniform=False)  # it refuses them


_ALL = (
    MetricSpec("AverageDrop", False, average_drop, package="torchcam ClassificationMetric", source=_PROBABILITY),
    MetricSpec("Increase", True, average_drop, package="torchcam ClassificationMetric", source=_PROBABILITY),
    MetricSpec(
        "ConfidenceChange",
        True,
        confidence_change,
        package="grad-cam CamMultImageConfidenceChange",
        source=_PROBABILITY,
    ),
    MetricSpec(
        "Deletion",
        False,
        deletion_and_insertion,
        package=f"torchcam DeletionInsertionMetric ({CURVE_STEPS} steps)",
        source=_RISE,
    ),
    MetricSpec(
        "Insertion",
        True,
        deletion_and_insertion,
        package=f"torchcam DeletionInsertionMetric ({CURVE_STEPS} steps)",
        source=_RISE,
    ),
    MetricSpec("ROAD", True, road, package=f"grad-cam ROADCombined ({_ROAD_STEPS})", source=_ROAD, of_uniform=False),
    MetricSpec(
        "ROADMostRelevant",
        False,
        road_most_relevant,
        package=f"grad-cam ROADMostRelevantFirst (percentile {ROAD_PERCENTILES[0]})",
        source=_ROAD,
        of_uniform=False,
    ),
    MetricSpec(
        "ARCC",
        True,
        arcc,
        package=f"grad-cam ARCC ({_ROAD_STEPS})",
        source="https://arxiv.org/abs/2605.14641",
        of_uniform=False,
    ),
    MetricSpec("Infidelity", False, infidelity, package="captum infidelity (squares, 10 samples)", source=_YEH),
    MetricSpec("Sensitivity", False, sensitivity, package="captum sensitivity_max (4 samples)", source=_YEH),
    _of_quantus(
        "FaithfulnessCorrelation", "FaithfulnessCorrelation", True, "https://arxiv.org/abs/2005.00631", nr_runs=25
    ),
    MetricSpec(
        "PixelFlipping",
        False,
        pixel_flipping,
        package="quantus.PixelFlipping (12 steps)",
        source="https://doi.org/10.1371/journal.pone.0130140",
        of_uniform=False,
    ),
    _of_quantus(
        "RegionPerturbation", "RegionPerturbation", True, _SAMEK, "area", True, patch_size=32, regions_evaluation=20
    ),
    _of_quantus("Selectivity", "Selectivity", False, "https://arxiv.org/abs/1706.07979", "area", True, patch_size=32),
    _of_quantus("IROF", "IROF", True, "https://arxiv.org/abs/2003.08747", perturb_func=superpixels_replaced),
    _of_quantus("Sufficiency", "Sufficiency", True, "https://arxiv.org/abs/2202.00734", "among 8 images"),
    _of_quantus("Sparseness", "Sparseness", True, "https://arxiv.org/abs/1810.06583"),
    _of_quantus("Complexity", "Complexity", False, "https://arxiv.org/abs/2005.00631"),
)

METRICS: dict[str, MetricSpec] = {spec.name: spec for spec in _ALL}
"""Faithfulness metrics by name. Sparseness and Complexity look at the map alone: they are controls."""

_EXTRAS = {
    **dict.fromkeys(("captum", "torchcam"), "pip install 'stackwalls[judge]'"),
    "quantus": "pip install 'stackwalls[judge]', then pip install --no-deps quantus",
}
"""How to install the packages that are not required."""

DEFAULT_METRICS = (
    *("AverageDrop", "Increase", "Deletion", "Insertion", "ROADMostRelevant", "Infidelity"),
    *("FaithfulnessCorrelation", "PixelFlipping", "Sparseness", "Complexity"),
)
"""What `stackgen judge` runs if no metric is named."""


def named_metrics(
    metrics: Mapping[str, MetricSpec] | Iterable[str | MetricSpec] | None = None,
) -> dict[str, MetricSpec]:
    """Metrics by the names of their rows; a name is the registry's, or `package.module:name` of a `MetricSpec`.

    Raises:
        InputError: if there is none, one is unknown or no `MetricSpec`, or two have the same name.
    """
    if isinstance(metrics, Mapping):
        metrics = metrics.values()
    given = DEFAULT_METRICS if metrics is None else [metrics] if isinstance(metrics, str | MetricSpec) else metrics
    found: dict[str, MetricSpec] = {}
    for metric in given:
        spec = _find(metric) if isinstance(metric, str) else metric
        if not isinstance(spec, MetricSpec):
            raise InputError(f"Expected a metric to be a MetricSpec or its name, but got {type(spec).__name__}.")
        if spec.name in found:
            raise InputError(f"Two metrics have the name {spec.name!r}: name each once.")
        _check_installed(spec)
        found[spec.name] = spec
    if not found:
        raise InputError(f"No metric was named: expected one or more of {', '.join(METRICS)}.")
    return found


def _check_installed(spec: MetricSpec) -> None:
    """Raise InputError if a metric of the registry is of a package that is not there."""
    package = spec.package.split()[0].partition(".")[0] if spec.name in METRICS and spec.package else ""
    if package in _EXTRAS and find_spec(package) is None:
        raise InputError(f"{spec.name} is a metric of {package}, which is not installed: {_EXTRAS[package]}.")


def _find(name: str) -> Any:
    if is_import_spec(name):
        return import_object(name)
    if name not in METRICS:
        raise InputError(
            f"Unknown metric {name!r}: expected {', '.join(METRICS)}, or package.module:name of a MetricSpec."
            + did_you_mean(name, METRICS)
        )
    return METRICS[name]
