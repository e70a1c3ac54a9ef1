import argparse
import shlex
from dataclasses import replace
from functools import partial
from typing import Any

import jinja2
import pytest
from dataset_maker import SPEC, make_row
from datasets import DatasetInfo
from huggingface_hub import DatasetCard

from stackwalls.hub_cards import Licence, Manifest, regenerate_command, stack_mix_card, stack_mix_features
from stackwalls.hub_cards.card import _render
from stackwalls.model import InputError, Wall, imagenet_classes
from stackwalls.stackgen.commands import mix
from stackwalls.stackmix import MixSpec

MANIFEST = Manifest(
    format=1,
    kind="stack-mix",
    spec=SPEC,
    versions={"numpy": "2.4.6", "pillow": "13.0.0"},
    inputs={},
    counts={"requested": 1203, "kept": 1200, "rejected": 3},
    files={"data/test-00000-of-00001.parquet": {"sha256": "0" * 64, "bytes": 12345, "rows": 1200}},
)


def card_of(licence: Licence | None = None, **spec: Any) -> DatasetCard:
    manifest = replace(MANIFEST, spec=SPEC | spec)
    return DatasetCard(partial(stack_mix_card, licence=licence)(manifest, make_row(5)))


def test_the_metadata() -> None:
    data = card_of().data.to_dict()
    assert data["configs"] == [
        {"config_name": "default", "data_files": [{"split": "test", "path": "data/test-*.parquet"}]}
    ]
    info = DatasetInfo._from_yaml_dict(data["dataset_info"])
    assert info.features == stack_mix_features()
    assert info.splits["test"].num_examples == 1200
    assert info.splits["test"].num_bytes == info.download_size == 12345
    assert data["task_categories"] == ["image-classification"]
    assert data["size_categories"] == ["1K<n<10K"]
    assert data["annotations_creators"] == ["machine-generated"]
    assert data["source_datasets"] == ["extended"]
    assert (data["license"], data["license_name"]) == ("other", "terms-of-the-source")


@pytest.mark.parametrize(
    ("rows", "category"), [(1, "n<1K"), (999, "n<1K"), (1000, "1K<n<10K"), (10**5, "100K<n<1M"), (10**6, "n>1M")]
)
def test_size_categories(rows: int, category: str) -> None:
    manifest = replace(MANIFEST, counts={"requested": rows, "kept": rows, "rejected": 0})
    assert DatasetCard(stack_mix_card(manifest, make_row(0))).data.to_dict()["size_categories"] == [category]


def test_the_text_says_what_the_manifest_says() -> None:
    text = card_of().text
    for part in (
        "1200, split `test`",
        "1203 = 1200 kept + 3 rejected",
        "`bottom:54`: rows 170 to 223, counted from 0 (24.1 % of the image)",
        "0.491 (a uniform saliency map)",
        "| seed | 0 |",
        "numpy 2.4.6, pillow 13.0.0.",
        "| `row0005` |",
        "The first row, of class electric ray",
        "tench, goldfish",
        "The pixels are cut from `val` and carry that",
        'load_dataset("path/to/this/folder", split="test")',
        "title     = {{CAM}-Based Methods Can See through Walls}",
        "https://arxiv.org/abs/2404.01964",
    ):
        assert part in text, part
    for name in stack_mix_features():
        assert f"| `{name}` |" in text
    for bad in ("{{ ", "{%", "More Information Needed", "None |", "\n\n\n\n"):
        assert bad not in text


def test_other_walls() -> None:
    text = card_of(wall="left:56").text
    assert "one beside the other" in text
    assert "the columns in the wall come from" in " ".join(text.split())
    assert "columns 0 to 55" in text


def test_licences() -> None:
    stated = card_of(Licence("cc-by-4.0"))
    assert stated.data.to_dict()["license"] == "cc-by-4.0"
    assert "The pictures: cc-by-4.0." in stated.text
    other = card_of(Licence("other", "my-terms", "https://example.org/terms"))
    assert other.data.to_dict()["license_link"] == "https://example.org/terms"
    assert "my-terms (https://example.org/terms)" in other.text
    with pytest.raises(InputError, match="needs that name"):
        Licence("other")
    with pytest.raises(InputError, match="lower case"):
        Licence("CC-BY-4.0")


def test_drawn_pictures_are_called_drawn() -> None:
    card = card_of(source="drawn", classes=4)
    assert card.data.to_dict()["source_datasets"] == ["original"]
    assert "drawn by a program, not photographs" in card.text
    assert "carry that" not in card.text
    assert "PATH/TO" not in card.text
    assert "classes asked for" not in card.text


def test_text_from_the_source_does_not_break_the_tables() -> None:
    text = card_of(source="a|b`c\nd").text
    assert "| source of the pictures | `a\\|b'c d` |" in text


def test_the_text_follows_from_the_manifest_alone() -> None:
    assert card_of().content == card_of().content


def test_a_value_that_is_not_given_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError):
        _render("stack_mix.md", manifest=MANIFEST)


@pytest.mark.parametrize(
    ("source", "place"),
    [("drawn", "drawn"), ("val", "PATH/TO/val"), ("my photos", "PATH/TO/my photos"), ("user/name@v1", "user/name@v1")],
)
@pytest.mark.parametrize("classes", [None, 7, ["n01440764", "n01443537"]])
def test_the_command_makes_the_same_spec(source: str, place: str, classes: Any) -> None:
    animals = classes == 7
    asked = SPEC | {"source": source, "classes": classes, "animals": animals, "wall": "top:60", "encoder": "webp"}
    parser = argparse.ArgumentParser()
    mix.add_arguments(parser)
    words = shlex.split(regenerate_command(asked))
    assert words[:2] == ["stackgen", "mix"]
    args = parser.parse_args(words[2:])
    spec = MixSpec(
        source=args.source,
        classes=mix.parse_classes_option(args.classes),
        per_class=args.per_class,
        seed=args.seed,
        wall=Wall.parse(args.wall),
        encoder=args.encoder,
        animals=args.animals,
    )
    assert spec.source == place
    assert spec.to_dict(source) == asked


def test_class_names_come_from_the_labels() -> None:
    classes = [entry.synset for entry in imagenet_classes()[:3]]
    text = card_of(classes=classes).text
    assert "The 3 classes asked for" in text
    assert "tench, goldfish, great white shark" in text
