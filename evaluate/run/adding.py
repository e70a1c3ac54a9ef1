"""A method added to finished results: only its maps are made, and the results are those of one run with all methods."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from stackwalls.evaluate.run.samples import Samples
from stackwalls.hub_cards.manifest import canonical_json


def fingerprint_of(asked: Mapping[str, Any]) -> str:
    """SHA-256 of what a run's numbers follow from (`identity.what_is_asked`)."""
    return hashlib.sha256(canonical_json(asked).encode()).hexdigest()


def methods_done(earlier: Mapping[str, Any], about: Mapping[str, Any], asked: Mapping[str, Any]) -> list[str]:
    """The methods of finished results that this run asks for too, with others beside them; none if it is another run.

    Args:
        earlier: `run.json` of the results.
        about: the same of this run.
        asked: what this run's numbers follow from.
    """
    done = list(earlier["spec"]["methods"])
    if not set(done) < set(asked["methods"]):
        return []
    limits = {name: count for name, count in asked["spec"]["limits"].items() if name in done}
    part = {
        **asked,
        "methods": {name: asked["methods"][name] for name in done},
        "spec": {**asked["spec"], "methods": done, "limits": limits},
    }
    same = fingerprint_of(part) == earlier.get("fingerprint")
    # the images whose maps are kept for figures follow from the most images of any method
    return done if same and _most(earlier) == _most(about) else []


def _most(run: Mapping[str, Any]) -> list[int]:
    return [max(dataset["images"].values()) for dataset in run["datasets"]]


def with_earlier(
    rows: pa.Table, samples: Samples, earlier_rows: pa.Table, earlier_samples: Samples, methods: Sequence[str]
) -> tuple[pa.Table, Samples]:
    """Rows and samples of the added methods with those of the earlier ones, in the order of a run of `methods`."""
    joined = pa.concat_tables([earlier_rows, rows]).combine_chunks()
    keys = joined.select(["dataset", "method"]).to_pandas()
    ranks = {name: rank for rank, name in enumerate(methods)}
    image = keys.groupby(["dataset", "method"], sort=False).cumcount()
    order = np.lexsort((keys["method"].map(ranks), image, keys["dataset"].factorize()[0]))
    columns = [samples.method.tolist().index(name) for name in earlier_samples.method.tolist()]
    filled = {name: getattr(samples, name).copy() for name in ("maps", "made", "mu", "cells")}
    for name, values in filled.items():
        values[:, columns] = getattr(earlier_samples, name)
    return joined.take(order), replace(samples, **filled)
