"""What a dataset's card says follows from its manifest, rows and reasons; nothing is typed, nothing is left blank."""

import argparse
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pytest
from card_cases import COUNTS, REASONS, RECIPE, STACK_GEN, STACK_MIX, facts_of, mix_row
from dataset_maker import SPEC, contents, write_folder
from datasets import DatasetInfo, Image, load_dataset
from huggingface_hub import DatasetCard

from stackwalls.hub_cards import (
    CardFacts,
    License,
    Manifest,
    check_card,
    license_of,
    parse_license,
    regenerate_command,
    render_dataset_card,
    stack_mix_features,
    state_license,
    verify,
)
from stackwalls.hub_cards.cards.dataset_card import flat, render
from stackwalls.hub_cards.cards.facts import reason_kind
from stackwalls.hub_cards.cards.results_card import render_board_card
from stackwalls.hub_cards.record import RECORDS
from stackwalls.model import InputError, LabelSpace, Transform, Wall, imagenet, imagenet_classes
from stackwalls.stackgen.commands import mix

KINDS = [STACK_MIX, RECIPE, STACK_GEN]


def card_of(manifest: Manifest = STACK_MIX, **spec: Any) -> DatasetCard:
    return DatasetCard(render_dataset_card(facts_of(replace(manifest, spec=manifest.spec | spec))))


@pytest.mark.parametrize("manifest", KINDS, ids=lambda manifest: manifest.kind)
def test_the_metadata(manifest: Manifest) -> None:
    data = card_of(manifest).data.to_dict()
    assert data["configs"] == [
        {"config_name": "default", "data_files": [{"split": "test", "path": "data/test-*.parquet"}]}
    ]
    info = DatasetInfo._from_yaml_dict(data["dataset_info"])
    assert info.features == RECORDS[manifest.kind]()
    assert info.splits["test"].num_examples == manifest.counts["kept"]
    assert info.splits["test"].num_bytes == info.download_size == 12345
    assert data["task_categories"] == ["image-classification"]
    assert data["size_categories"] == ["1K<n<10K" if manifest.counts["kept"] == 1200 else "n<1K"]
    assert data["annotations_creators"] == ["machine-generated"]
    assert data["source_datasets"] == ["original" if manifest.kind == "stack-gen" else "extended"]
    assert {"stackwalls", "saliency", manifest.kind} <= set(data["tags"])


@pytest.mark.parametrize(
    ("rows", "category"), [(1, "n<1K"), (999, "n<1K"), (1000, "1K<n<10K"), (10**5, "100K<n<1M"), (10**6, "n>1M")]
)
def test_size_categories(rows: int, category: str) -> None:
    manifest = replace(STACK_MIX, counts={"requested": rows, "kept": rows, "rejected": 0})
    assert card_of(manifest).data.to_dict()["size_categories"] == [category]


CHANGES: list[tuple[str, dict[str, Any], str]] = [
    ("counts", {"requested": 1210, "kept": 1200, "rejected": 10}, "1210 = 1200 kept + 10 rejected"),
    ("versions", {"numpy": "9.9.9"}, "numpy 9.9.9."),
    ("spec", SPEC | {"seed": 41}, "| seed | 41 |"),
    ("spec", SPEC | {"per_class": 3}, "| images per class | 3 |"),
    ("spec", SPEC | {"wall": "left:56"}, "columns 0 to 55"),
    ("spec", SPEC | {"source": "elsewhere"}, "`elsewhere`"),
    ("inputs", {"licence": "cc-by-4.0"}, "cc-by-4.0, as stated"),
    ("files", {"data/test-00000-of-00001.parquet": {"sha256": "0" * 64, "bytes": 777, "rows": 1}}, "num_bytes: 777"),
]


@pytest.mark.parametrize(("field", "value", "text"), CHANGES)
def test_a_changed_manifest_changes_the_card(field: str, value: dict[str, Any], text: str) -> None:
    card = render_dataset_card(facts_of(replace(STACK_MIX, **{field: value})))
    assert text in card
    assert text not in render_dataset_card(facts_of(STACK_MIX))


@pytest.mark.parametrize("manifest", KINDS, ids=lambda manifest: manifest.kind)
def test_what_the_manifest_lacks_is_an_error(manifest: Manifest) -> None:
    with pytest.raises(jinja2.UndefinedError):
        render("stack_mix.md", manifest=manifest)
    asked = {name: value for name, value in RECIPE.inputs.items() if name != "dataset"}
    with pytest.raises(jinja2.UndefinedError):
        render_dataset_card(facts_of(replace(RECIPE, inputs=asked)))


def test_the_recipe_shows_no_pixels() -> None:
    card = card_of(RECIPE)
    assert "examples.png" not in card.text
    assert "assets/wall.png" in card.text
    assert "image" not in [entry["name"] for entry in card.data.to_dict()["dataset_info"]["features"]]
    assert not any(isinstance(kind, Image) for kind in RECORDS["stack-mix-recipe"]().values())


def test_what_was_turned_down_is_counted_by_its_kind() -> None:
    kinds = [reason_kind(reason) for reason in REASONS]
    assert kinds == ["too small", "the same file as …, byte for byte", "too small"]
    assert facts_of(STACK_MIX).reasons == (("too small", 2), ("the same file as …, byte for byte", 1))
    many = CardFacts.of(STACK_MIX, [mix_row(0)], [f"reason {'abcdefghijklmnop'[n]}" for n in range(16)])
    assert "| other reasons | 4 |" in render_dataset_card(many)
    none = CardFacts.of(STACK_MIX, [mix_row(0)], [])
    assert "rejected because" not in render_dataset_card(none)


def test_drawn_pictures_are_called_drawn() -> None:
    card = card_of(source="drawn", classes=4)
    assert card.data.to_dict()["source_datasets"] == ["original"]
    assert card.data.to_dict()["license"] == "apache-2.0"
    assert "drawn by a program, not photographs" in card.text
    assert "PATH/TO" not in card.text
    assert "requested classes" not in card.text
    assert "drawn by a program" not in card_of().text


def test_text_from_the_source_does_not_break_the_tables() -> None:
    assert "| source of the images | `a\\|b'c d` |" in card_of(source="a|b`c\nd").text


def test_no_tag_and_no_image_begins_in_text_from_elsewhere() -> None:
    card = card_of(source="<script>x</script>![](http://a/b)<!-- 1 < 2").text
    assert "`&#60;script>x&#60;/script>!&#91;](http://a/b)&#60;!-- 1 < 2`" in card
    assert "<script" not in card


def test_class_names_come_from_the_labels() -> None:
    text = card_of(classes=[entry.synset for entry in imagenet_classes()[:3]]).text
    assert "The 3 requested classes" in text
    assert "tench, goldfish, great white shark" in text


def test_values_are_flattened_and_what_is_empty_is_left_out() -> None:
    value = {"a": {"b": 0.30000000000000004, "c": None}, "d": [1, 2], "e": [], "f": "", "g": False}
    assert dict(flat(value)) == {"a.b": "0.3", "d": "1, 2", "g": "False"}


# licenses


def license_for(name: str, **spec: Any) -> License | None:
    rows = [mix_row(number) | {"top_source": name} for number in range(2)]
    return license_of(CardFacts.of(replace(STACK_MIX, spec=SPEC | spec), rows, []))


@pytest.mark.parametrize(
    "name", ["ILSVRC2012_val_00000001.JPEG", "n01440764/ILSVRC2012_val_00000293.JPEG", "n01440764/n01440764_10026.JPEG"]
)
def test_imagenets_own_files_are_known_by_their_names(name: str) -> None:
    found = license_for(name)
    assert found is not None
    assert found.name == "imagenet-terms-of-access"


def test_a_license_is_derived_or_there_is_none() -> None:
    assert license_for("photo.jpg") is None
    assert license_for("n01440764/mine.JPEG") is None
    hub = license_for("validation-0.parquet#3", source="ILSVRC/imagenet-1k@abc:validation")
    assert hub is not None
    assert hub.identifier == "other"
    assert str(license_for("photo.jpg", source="drawn")) == "apache-2.0"
    assert str(license_of(facts_of(STACK_GEN))) == "apache-2.0"
    rail = STACK_GEN.spec | {"model": STACK_GEN.spec["model"] | {"licence": "openrail++"}}
    assert card_of(STACK_GEN, **rail).data.to_dict()["license"] == "openrail++"
    unknown = STACK_GEN.spec | {"model": {"name": "mine", "licence": None}}
    assert "license" not in card_of(STACK_GEN, **unknown).data.to_dict()
    stated = replace(STACK_GEN, inputs={"licence": "my-terms=https://example.org/t"})
    assert card_of(stated).data.to_dict()["license_link"] == "https://example.org/t"
    assert "license" not in card_of().data.to_dict()


def test_every_presets_license_is_known() -> None:
    from stackwalls.stackgen.diffusion.model_source import PRESETS

    found = {}
    for name, preset in PRESETS.items():
        model = STACK_GEN.spec["model"] | {"licence": preset.licence}
        found[name] = license_of(facts_of(replace(STACK_GEN, spec=STACK_GEN.spec | {"model": model})))
    assert {str(found[name]) for name in ("klein", "qwen", "zimage")} == {"apache-2.0"}
    assert (str(found["sdxl"]), str(found["sd15"])) == ("openrail++", "creativeml-openrail-m")
    assert None not in found.values()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("CC-BY-4.0", r"lower case.*Did you mean cc-by-4.0"),
        ("cc-by-9.0", "Did you mean"),
        ("unknown", "does not know the license"),
        ("other", "need a name"),
        ("My Terms=https://example.org", "lower case with dashes"),
        ("my-terms=here", "NAME=URL"),
        ("", "does not know the license"),
    ],
)
def test_a_license_that_is_none_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_license(text)


@pytest.mark.parametrize("text", ["apache-2.0", "openrail++", "my-terms=https://example.org/terms?a=b"])
def test_a_license_is_read_as_it_is_written(text: str) -> None:
    assert str(parse_license(text)) == text


def test_stating_a_license_changes_the_card_and_the_manifest_alone(tmp_path: Path) -> None:
    write_folder(tmp_path, rows=3, part=3)
    before = contents(tmp_path)
    with pytest.raises(InputError, match="it does not state a license"):
        check_card(tmp_path / "README.md")
    manifest = state_license(tmp_path, parse_license("cc-by-sa-4.0"))
    after = contents(tmp_path)
    assert {name for name in after if after[name] != before.get(name)} == {"README.md", "manifest.json"}
    assert manifest == Manifest.read(tmp_path)
    assert verify(tmp_path) == []
    check_card(tmp_path / "README.md")
    assert state_license(tmp_path, parse_license("cc-by-sa-4.0")) == manifest
    assert contents(tmp_path) == after
    (tmp_path / "README.md").write_text("half")  # as a kill between the two files leaves it
    state_license(tmp_path, parse_license("cc-by-sa-4.0"))
    assert contents(tmp_path) == after


# the folder


def test_the_pictures_of_the_card_are_in_the_folder_and_in_the_manifest(tmp_path: Path) -> None:
    from PIL import Image as Pillow

    manifest = write_folder(tmp_path / "a", rows=6, part=6)
    assert {"assets/wall.png", "assets/examples.png"} <= manifest.files.keys()
    write_folder(tmp_path / "b", rows=6, part=1)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    with Pillow.open(tmp_path / "a/assets/wall.png") as picture:
        pixels = np.asarray(picture)
    # to scale: the drawing's left edge is at 16, so is its top; the hatch is red, the seen part is blue
    seen, dead = pixels[16 + 100, 16:240], pixels[16 + 171 : 16 + 223, 20:236].reshape(-1, 3)
    assert (seen[10:-10, 2] > seen[10:-10, 0]).all()
    assert (dead[:, 0] > dead[:, 2]).all()
    with Pillow.open(tmp_path / "a/assets/examples.png") as picture:
        sheet = np.asarray(picture.convert("RGB"))
    rows = load_dataset(str(tmp_path / "a"), split="test", cache_dir=str(tmp_path / "cache"))
    for number in range(4):  # the examples are the images themselves, nothing is drawn over them
        left = 8 + number * 232
        assert np.array_equal(sheet[8:232, left : left + 224], np.asarray(rows[number]["image"]))


def test_load_dataset_reads_the_rows_and_not_the_pictures_of_the_card(tmp_path: Path) -> None:
    write_folder(tmp_path / "a", rows=3, part=3)
    rows = load_dataset(str(tmp_path / "a"), split="test", cache_dir=str(tmp_path / "cache"))
    assert len(rows) == 3
    assert rows.features == stack_mix_features()


def test_a_run_that_was_killed_between_the_pictures_and_the_manifest_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stackwalls.hub_cards.writing import finishing

    write_folder(tmp_path / "a", rows=3, part=3)
    real = finishing.write_whole

    def dying(path: Path, content: bytes) -> None:
        if path.name == "manifest.json":
            raise KeyboardInterrupt
        real(path, content)

    monkeypatch.setattr(finishing, "write_whole", dying)
    with pytest.raises(KeyboardInterrupt):
        write_folder(tmp_path / "b", rows=3, part=3)
    assert (tmp_path / "b/assets/wall.png").is_file()
    monkeypatch.undo()
    write_folder(tmp_path / "b", rows=3, part=3)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


# the command that makes it again


@pytest.mark.parametrize(
    ("source", "place"),
    [("drawn", "drawn"), ("val", "PATH/TO/val"), ("my photos", "PATH/TO/my photos"), ("user/name@v1", "user/name@v1")],
)
@pytest.mark.parametrize("classes", [None, 7, ["n01440764", "n01443537"]])
@pytest.mark.parametrize("labels", [None, "val labels.csv"])
def test_the_command_makes_the_same_spec(source: str, place: str, classes: Any, labels: str | None) -> None:
    animals = classes == 7
    asked = SPEC | {"source": source, "classes": classes, "animals": animals, "wall": "top:60", "encoder": "webp"}
    asked |= {"labels": labels} if labels else {}
    parser = argparse.ArgumentParser()
    mix.add_arguments(parser)
    words = shlex.split(regenerate_command(replace(STACK_MIX, spec=asked)))
    assert words[:2] == ["stackgen", "mix"]
    spec = mix.spec_of(parser.parse_args(words[2:]))
    assert spec.source == place
    assert spec.labels == (Path("PATH/TO") / labels if labels else None)
    assert spec.of(imagenet()).to_dict(source, imagenet()) == asked


@pytest.mark.parametrize("space", ["own", "my names.txt"])
def test_the_command_of_own_classes_and_another_size(space: str) -> None:
    own = LabelSpace(("red panda, small", "-7", "/x", "小熊猫"))
    transform = Transform(96, 120, "bicubic", squash=True).to_dict()
    asked = SPEC | {"source": "val", "animals": False, "encoder": "png", "wall": "left:9+bottom:20@96"}
    asked |= {"label_space": space, "transform": transform, "class_names": list(own.names)}
    asked["wall"] = str(Wall.parse(asked["wall"]))
    asked["classes"] = [own.key(index) for index in range(4)]
    parser = argparse.ArgumentParser()
    mix.add_arguments(parser)
    words = shlex.split(regenerate_command(replace(STACK_MIX, spec={**asked, "class_names": ["a", "b"]})))
    spec = mix.spec_of(parser.parse_args(words[2:]))
    assert spec.label_space == (space if space == "own" else f"PATH/TO/{space}")
    assert spec.of(own).to_dict("val", own) == asked


def test_the_command_of_a_recipe_and_of_a_stated_license() -> None:
    assert shlex.split(regenerate_command(RECIPE)) == [
        *("stackgen", "mix", "--recipe", "PATH/TO/this/folder", "--source", "PATH/TO/val", "--out", "stack-mix")
    ]
    stated = replace(STACK_MIX, inputs={"licence": "cc-by-4.0"})
    assert "--license cc-by-4.0" in regenerate_command(stated)


def test_the_command_of_stack_gen_asks_for_the_same_settings() -> None:
    from stackwalls.stackgen.commands import generate

    parser = argparse.ArgumentParser()
    generate.add_arguments(parser)
    spec = STACK_GEN.spec | {"batch_size": 2, "compile": True, "attention": "flash", "guidance": 3.5}
    words = shlex.split(regenerate_command(replace(STACK_GEN, spec=spec)))
    assert words[:2] == ["stackgen", "generate"]
    args = vars(parser.parse_args(words[2:]))
    expected = {
        **{key: spec[key] for key in ("per_class", "seed", "wall", "template", "attempts", "steps", "guidance")},
        **{key: spec[key] for key in ("batch_size", "compile", "attention", "dtype")},
        "classes": ["n01440764,n01443537"],
        "preset": "klein",
        "revision": "a" * 40,
        "localizer": "owlv2",
        "size": "832x1216",
    }
    assert {key: args[key] for key in expected} == expected
    own = spec | {"model": {"name": "my-model", "preset": None, "revision": "sha256:0"}, "width": None, "height": None}
    args = vars(parser.parse_args(shlex.split(regenerate_command(replace(STACK_GEN, spec=own)))[2:]))
    assert (args["model"], args["size"], args["revision"]) == ("PATH/TO/my-model", None, None)


# the Hub's rules


GOOD = render_dataset_card(facts_of(replace(STACK_MIX, inputs={"licence": "cc-by-4.0"})))


def test_a_card_that_the_hub_takes() -> None:
    check_card(GOOD)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("license: cc-by-4.0\n", "", "it does not state a license"),
        ("license: cc-by-4.0", "license: CC-BY-4.0", "does not know the license 'CC-BY-4.0'"),
        ("license: cc-by-4.0", "license: other", "without a name and a link"),
        ("license: cc-by-4.0", "license: unknown", "does not state a license"),
        ("- 1K<n<10K", "- 1000", "size_categories must be"),
        ("- 1K<n<10K", "- some", "does not know the size category 'some'"),
        (
            "task_categories:\n- image-classification",
            "task_categories: image-classification",
            "task_categories must be",
        ),
        ("configs:", "config:", "does not name data files"),
        ("  splits:", "  parts:", "lacks features or splits"),
        ("# STACK-MIX", "# [More Information Needed]", "it has a placeholder"),
        ("# STACK-MIX", "# {{ card.name }}", "it has a placeholder"),
        ("---\n", "---\n[", "Cannot read the metadata"),
    ],
)
def test_a_card_that_the_hub_would_not_take_is_refused(old: str, new: str, message: str) -> None:
    assert old in GOOD
    with pytest.raises(InputError, match=message):
        check_card(GOOD.replace(old, new, 1))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("sdk: static", "sdk: gradio", "its sdk must be static, not 'gradio'"),
        ("sdk: static\n", "", "its sdk must be static, not None"),
        ("colorTo: red", "colorTo: teal", "its colorTo must be red or yellow .* not 'teal'"),
        ("license: mit", "license: unknown", "does not state a license"),
    ],
)
def test_the_card_of_a_space_without_a_server(old: str, new: str, message: str) -> None:
    counts = {"requested": 2, "kept": 2, "rejected": 0}
    board = Manifest(1, "leaderboard", {"results": None}, {"stackwalls": "1"}, {"licence": "mit"}, counts, {})
    card = render_board_card(board)
    check_card(card, "space")
    with pytest.raises(InputError, match=message):
        check_card(card.replace(old, new, 1), "space")


def test_a_card_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"Cannot read .*README\.md"):
        check_card(tmp_path / "README.md")


def test_counts_are_those_of_the_manifest() -> None:
    assert f"{COUNTS['requested']} = {COUNTS['kept']} kept + {COUNTS['rejected']} rejected" in card_of().text
