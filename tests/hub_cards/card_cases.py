"""What the cards of the tests are made from: fixed facts, so that the same card comes out everywhere."""

from dataclasses import replace
from typing import Any

import torch
from dataset_maker import SPEC, make_row

from stackwalls.hub_cards import CardFacts, License, Manifest, render_dataset_card, render_model_card
from stackwalls.model import Certificate, Check, MaskedVGG16

VERSIONS = {"numpy": "2.4.6", "pillow": "13.0.0"}
SHARD = "data/test-00000-of-00001.parquet"
FILES: dict[str, dict[str, Any]] = {SHARD: {"sha256": "0" * 64, "bytes": 12345, "rows": 1200}}
COUNTS = {"requested": 1203, "kept": 1200, "rejected": 3}
REASONS = ["too small: 20 × 9 pixels", "the same file as n01440764/7.JPEG, byte for byte", "too small: 4 × 9 pixels"]

STACK_MIX = Manifest(1, "stack-mix", SPEC, VERSIONS, {}, COUNTS, FILES)

RECIPE = replace(
    STACK_MIX,
    kind="stack-mix-recipe",
    inputs={
        "dataset": {"inputs": {}, "versions": VERSIONS, "files": FILES, "manifest_sha256": "1" * 64},
        "transform": {"resize": 256, "crop": 224},
    },
)

STACK_GEN = Manifest(
    1,
    "stack-gen",
    {
        "classes": ["n01440764", "n01443537"],
        "per_class": 2,
        "attempts": 8,
        "seed": 7,
        "wall": "bottom:54",
        "template": "stacked",
        "localizer": {"name": "owlv2", "revision": None},
        "model": {
            "preset": "klein",
            "name": "black-forest-labs/FLUX.2-klein-4B",
            "revision": "a" * 40,
            "pipeline": "Flux2KleinPipeline",
            "licence": "apache-2.0",
        },
        "dtype": "bfloat16",
        "steps": 4,
        "guidance": 1.0,
        "width": 832,
        "height": 1216,
        "batch_size": 1,
        "compile": False,
        "attention": None,
        "encoder": "png",
    },
    VERSIONS,
    {"devices": ["cuda"], "attempts": 9},
    {"requested": 4, "kept": 4, "rejected": 5},
    {SHARD: {"sha256": "0" * 64, "bytes": 12345, "rows": 4}},
)


def mix_row(number: int) -> dict[str, Any]:
    return make_row(number)


def recipe_row(number: int) -> dict[str, Any]:
    row = {name: value for name, value in make_row(number).items() if name != "image"}
    return row | {"image_sha256": "2" * 64, "pixels_sha256": "3" * 64}


def gen_row(number: int) -> dict[str, Any]:
    shared = {name: make_row(number)[name] for name in ("image", "label", "image_id")}
    return shared | {
        "prompt": "A photo of a goldfish stacked on top of another goldfish.",
        "seed": 123456789,
        "attempt": 1,
        "model": "black-forest-labs/FLUX.2-klein-4B",
        "revision": "a" * 40,
        "seen_box": [10.0, 20.5, 300.25, 400.0],
        "hidden_box": [12.0, 420.0, 310.0, 800.1234567],
        "crop": [0, 0, 800, 800],
        "seen_score": 0.75,
        "hidden_score": 1 / 3,
        "seen_share": 0.98,
        "hidden_share": 0.5,
        "background": 0.25,
    }


def facts_of(manifest: Manifest) -> CardFacts:
    row = {"stack-mix": mix_row, "stack-mix-recipe": recipe_row, "stack-gen": gen_row}[manifest.kind]
    return CardFacts.of(manifest, [row(number) for number in range(4)], REASONS)


CERTIFICATE = Certificate(
    "masked-vgg16",
    "bottom:54",
    0.4909902530309829,
    (Check("structure", True, "rows 170 to 223 are dead"), Check("gradient", True, "largest | there: 0")),
    {"images": 2, "seed": 0, "device": "cpu"},
)

TRAINING: dict[str, Any] = {
    "data": "imagenet-1k",
    "recipe": {"optimizer": "SGD", "learning_rate": 0.03, "epochs": 90},
    "accuracy": {"dataset": "imagenet-1k", "split": "validation", "images": 50000, "top1": 0.665, "top5": 0.87},
}

RESULTS: dict[str, Any] = {
    "results": [
        {
            "task_type": "image-classification",
            "dataset_type": "user/stack-mix",
            "dataset_name": "user/stack-mix",
            "dataset_split": "test",
            "dataset_revision": "v1.0",
            "metric_type": "mu",
            "metric_name": "mu of GradCAM (lower is better)",
            "metric_value": 0.227,
            "metric_args": {"method": "GradCAM", "chance": 0.491},
        }
    ],
    "table": "| method | mu × 100 |\n| --- | ---: |\n| GradCAM | 22.7 ± 13.4 |\n",
}


def model_card() -> str:
    with torch.device("meta"):
        model = MaskedVGG16(num_classes=2, width=1 / 64, classes=[1, 0])
    return render_model_card(model, CERTIFICATE, RESULTS, TRAINING, License("cc-by-nc-4.0"))


CARDS = {
    "stack_mix": lambda: render_dataset_card(facts_of(STACK_MIX)),
    "stack_mix_recipe": lambda: render_dataset_card(facts_of(RECIPE)),
    "stack_gen": lambda: render_dataset_card(facts_of(STACK_GEN)),
    "model": model_card,
}
"""The cards that stand in `golden/`."""
