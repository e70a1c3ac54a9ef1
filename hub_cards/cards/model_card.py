"""The card of a published network: its wall, its certificate, what it was trained on, and what was measured on it."""

from collections.abc import Mapping
from typing import Any

from huggingface_hub import EvalResult, ModelCardData
from markupsafe import Markup

from stackwalls.hub_cards.cards.dataset_card import flat, render
from stackwalls.hub_cards.cards.license import License
from stackwalls.model import WALL_KINDS_IN_WORDS, Certificate, MaskedVGG16, WalledNetwork, class_names, shown_name

_LONG = ("classes", "class_names", "config")
"""Keys of a network's configuration that do not go into the table."""

_TAGS = ["explainability", "saliency", "class-activation-map", "stackwalls"]


def render_model_card(
    model: MaskedVGG16 | WalledNetwork,
    certificate: Certificate | None = None,
    results: Mapping[str, Any] | None = None,
    training: Mapping[str, Any] | None = None,
    license: License | None = None,
) -> str:
    """The README.md of a model folder; the same arguments give the same bytes.

    Args:
        model: the network.
        certificate: of its blindness; None for a baseline.
        results: what `evaluate.model_index` gives: "results" (one dict for each `EvalResult`) and "table" (Markdown).
        training: what is known about its training (JSON values); "accuracy" ({"dataset", "split", "images", "top1",
            "top5"}) also goes to the model index.
        license: of the weights; without one the model cannot be published.
    """
    found = [*_accuracy(training or {}), *(results or {}).get("results", [])]
    fields: dict[str, Any] = {
        "pretty_name": shown_name(model),
        **(license.to_dict() if license else {}),
        "library_name": "stackwalls",
        "pipeline_tag": "image-classification",
        "tags": _TAGS,
        "datasets": ["imagenet-1k"] if isinstance(model, WalledNetwork) and model.library_weights is not None else None,
    }
    if found:
        fields |= {"model_name": shown_name(model), "eval_results": [EvalResult(**entry) for entry in found]}
    config = model.pretrained_config()
    names = config.get("class_names") or [class_names()[index] for index in config.get("classes") or ()]
    metadata = ModelCardData(**{key: value for key, value in fields.items() if value is not None})
    return render(
        "model.md",
        metadata=Markup(metadata.to_yaml()),  # noqa: S704 - YAML
        name=shown_name(model),
        wall=model.wall,
        wall_kind=model.wall_kind,
        wall_kind_in_words=WALL_KINDS_IN_WORDS[model.wall_kind],
        size=model.transform.size,
        derivation=model.derivation(),
        certificate=certificate,
        config=dict(flat({key: value for key, value in config.items() if key not in _LONG})),
        classes=names,
        has_weights=model.own_weights() is not None,
        training=dict(flat(training or {})),
        results=results or {},
        license=license,
    )


def _accuracy(training: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The accuracy that was measured when the network was trained, as entries of the model index."""
    accuracy = training.get("accuracy")
    if not isinstance(accuracy, Mapping) or not accuracy.get("dataset"):
        return []
    shared = {
        "task_type": "image-classification",
        "dataset_type": str(accuracy["dataset"]),
        "dataset_name": str(accuracy["dataset"]),
        "dataset_split": accuracy.get("split"),
        "metric_type": "accuracy",
    }
    names = {"top1": "Top-1 accuracy", "top5": "Top-5 accuracy"}
    found = {name: accuracy.get(key) for key, name in names.items()}
    return [shared | {"metric_name": name, "metric_value": top} for name, top in found.items() if top is not None]
