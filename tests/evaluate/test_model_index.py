"""What an evaluation says for a network's card: the very numbers of Table 1."""

import math
from pathlib import Path

import numpy as np
import pytest
from datasets import ClassLabel, Dataset, Features, Image, Value
from huggingface_hub import EvalResult, ModelCardData
from PIL import Image as Pillow

from stackwalls.evaluate import Results, evaluate, model_index
from stackwalls.model import MaskedVGG16, class_names


@pytest.fixture
def results(narrow_vgg: MaskedVGG16, tmp_path: Path) -> Results:
    rng = np.random.default_rng(0)
    images = [Pillow.fromarray(rng.integers(0, 256, (224, 224, 3), dtype=np.uint8)) for _ in range(3)]
    features = Features({"image": Image(), "label": ClassLabel(names=list(class_names())), "image_id": Value("string")})
    table = Dataset.from_dict({"image": images, "label": [0, 1, 2], "image_id": ["a", "b", "c"]}, features=features)
    table.info.dataset_name = "noise"
    return evaluate(narrow_vgg, table, ["GradCAM", "HiResCAM"], progress=False)


def test_the_numbers_are_table_1s(results: Results) -> None:
    found = model_index(results)
    by_method = {entry["metric_args"].get("method"): entry for entry in found["results"]}
    for method in ("GradCAM", "HiResCAM"):
        values = results.per_image.query("method == @method")["mu"].dropna()
        entry = by_method[method]
        assert entry["metric_value"] == pytest.approx(values.mean(), rel=1e-12)
        assert entry["metric_args"]["std"] == pytest.approx(values.std(ddof=1), rel=1e-12)
        assert entry["metric_args"]["maps"] == len(values)
        assert entry["metric_args"]["chance"] == pytest.approx(math.sqrt(54 / 224))
    images = results.per_image.drop_duplicates("image_id")
    assert by_method[None]["metric_type"] == "accuracy"
    assert by_method[None]["metric_value"] == images["correct"].mean()
    assert found["table"] == results.table("markdown")


def test_the_hubs_client_takes_them(results: Results) -> None:
    entries = [EvalResult(**entry) for entry in model_index(results)["results"]]
    data = ModelCardData(model_name="m", eval_results=entries)
    assert "type: mu" in data.to_yaml()


def test_a_dataset_of_the_hub_is_named_with_its_revision() -> None:
    from stackwalls.evaluate.report.model_index import _entry

    found = _entry("user/stack-mix@v1.0", "mu", "mu", 0.5, {})
    assert (found["dataset_type"], found["dataset_revision"]) == ("user/stack-mix", "v1.0")
    assert "dataset_revision" not in _entry("stack-mix", "mu", "mu", 0.5, {})
