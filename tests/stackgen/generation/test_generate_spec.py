"""What describes a set, its items and their seeds."""

import subprocess
from typing import Any

import pytest
from hypothesis import given, strategies as st
from scripted_generation import spec_of

from stackwalls.hub_cards import Decision, ItemRecord
from stackwalls.model import InputError, Wall, animals, class_order, parse_class
from stackwalls.stackgen.generation.attempts import after_review, is_done, summarize
from stackwalls.stackgen.generation.generate_spec import WorkItem, chosen_labels, frame_seed, grows, work_items
from stackwalls.stackgen.prompts.noun import IMAGENET_NOUNS, Nouns


@pytest.mark.parametrize("seed", [0, 1, 77])
def test_a_count_takes_the_classes_of_a_mix_of_animals(seed: int) -> None:
    chosen = chosen_labels(100, seed, IMAGENET_NOUNS)
    assert [animals()[label].synset for label in chosen] == class_order([each.synset for each in animals()], seed)[:100]
    assert chosen_labels(398, seed, IMAGENET_NOUNS)[:100] == chosen, "more never change the first"


def test_items_are_class_by_class() -> None:
    ids = [item.image_id for item in work_items(spec_of(classes=("hen", 900), per_class=2))]
    assert ids == ["n01514859_00000", "n01514859_00001", "n04562935_00000", "n04562935_00001"]


def test_seeds_are_fixed_for_ever_and_all_different() -> None:
    hen, ox = parse_class("hen"), parse_class("ox")
    seeds = {
        (run, entry.synset, number, attempt): frame_seed(run, WorkItem(entry.index, entry.synset, number), attempt)
        for run in range(4)
        for entry in (hen, ox)
        for number in range(6)
        for attempt in range(8)
    }
    assert len(set(seeds.values())) == len(seeds)
    assert all(0 <= seed < 2**63 for seed in seeds.values())
    code = "printf 'stack-gen\\0frame\\0003\\0n01514859\\0005\\0007' | sha256sum"
    digest = subprocess.run(["sh", "-c", code], capture_output=True, text=True, check=True).stdout.split()[0]
    assert seeds[3, "n01514859", 5, 7] == int(digest[:16], 16) >> 1


@given(
    st.tuples(st.integers(1, 398), st.integers(1, 4), st.integers(1, 9)),
    st.tuples(st.integers(1, 398), st.integers(1, 4), st.integers(1, 9)),
)
def test_growth_is_every_count_at_least_as_large(first: tuple[int, int, int], second: tuple[int, int, int]) -> None:
    (classes, images, attempts), (more_classes, more_images, more_attempts) = first, second
    there = spec_of(classes=classes, per_class=images, attempts=attempts).to_dict()
    now = spec_of(classes=more_classes, per_class=more_images, attempts=more_attempts).to_dict()
    expected = classes <= more_classes and images <= more_images and attempts <= more_attempts
    assert grows(there, now) == expected


def test_growth_between_counts_and_names() -> None:
    names = tuple(animals()[label].synset for label in chosen_labels(5, 0, IMAGENET_NOUNS))
    assert grows(spec_of(classes=3).to_dict(), spec_of(classes=names[::-1]).to_dict())
    assert not grows(spec_of(classes=6).to_dict(), spec_of(classes=names).to_dict())
    assert grows(spec_of(classes=names).to_dict(), spec_of(classes=6).to_dict())
    assert not grows(spec_of(classes=3).to_dict(), spec_of(classes=4, batch_size=2).to_dict())


OWN = Nouns.parse(["red panda", "violin,Geige", "ox", "jay"])


def test_classes_of_ones_own() -> None:
    """Counts sample by the keys, names choose; indices are those of the list."""
    spec = spec_of(nouns=OWN, classes=("geige", 0), per_class=2)
    ids = ["geige_00000", "geige_00001", "red-panda_00000", "red-panda_00001"]
    assert [item.image_id for item in work_items(spec)] == ids
    assert [item.label for item in work_items(spec)] == [1, 1, 0, 0]
    assert spec.to_dict()["classes"] == ["geige", "red-panda"]
    assert spec.to_dict().items() >= OWN.to_dict().items()
    keys = class_order(["red-panda", "geige", "ox", "jay"], 5)
    assert [item.key for item in work_items(spec_of(nouns=OWN, classes=3, seed=5))] == keys[:3]


def test_own_classes_grow_at_the_end() -> None:
    def spec(*nouns: str, classes: Any, **changes: Any) -> dict[str, Any]:
        return spec_of(nouns=Nouns.parse(nouns), classes=classes, **changes).to_dict()

    two = spec("ox", "jay", classes=2)
    assert grows(two, spec("ox", "jay", "violin", classes=3))
    assert grows(two, spec("ox", "jay", "violin", classes=("jay", "ox")))
    assert not grows(two, spec("ox", "jay", "violin", classes=("jay", "violin")))
    assert not grows(two, spec("ox", "violin", "jay", classes=3))
    assert not grows(two, spec("ox", "jay", "violin", classes=3, seed=1))
    assert not grows(two, spec("ox,bull", "jay", classes=2))
    assert not grows(two, spec_of(classes=("ox", "jay")).to_dict())


def test_the_miniature_draws_its_own_animals_alone() -> None:
    from stackwalls.stackgen.diffusion import find_model

    mini = find_model("mini", None, None, "cpu")
    assert spec_of(model=mini, nouns=Nouns.parse(["Goldfish,Karausche", "toucan"]), classes=2).labels() == (0, 1)
    with pytest.raises(InputError, match="stackwalls-mini draws 64 animals, and violin is none of them"):
        spec_of(model=mini, nouns=Nouns.parse(["goldfish", "violin"]), classes=2)


def record(*reasons: str, sha256: str | None = None, name: str = "n01514859_00000", **notes: Any) -> ItemRecord:
    entries = tuple({"item": f"{name} attempt {at}", "reason": reason} for at, reason in enumerate(reasons))
    return ItemRecord(name, entries, int(sha256 is not None), notes | ({"image_sha256": sha256} if sha256 else {}))


def test_when_an_item_is_done() -> None:
    assert not is_done(record(), 1)
    assert is_done(record("none"), 1)
    assert not is_done(record("none"), 2)
    assert is_done(record(sha256="a" * 64), 8)
    assert not is_done(record("none", "rejected in review: legs"), 2)
    assert not is_done(record("none", "rejected in review", "none"), 2)
    assert is_done(record("none", "rejected in review", "none", "none"), 2)


def test_a_review_is_about_one_image() -> None:
    kept = record("none", sha256="a" * 64)
    down = Decision(kept.name, "a" * 64, "rejected", "five legs")
    revised = after_review(kept, {kept.name: down})
    assert (revised.rejected, revised.rows) == (record("none", "rejected in review: five legs").rejected, 0)
    for other in (Decision(kept.name, "b" * 64, "rejected", "five legs"), Decision(kept.name, "a" * 64, "keep", "")):
        assert after_review(kept, {kept.name: other}) == kept
    assert after_review(kept, {}) == kept
    assert after_review(record("none"), {kept.name: down}) == record("none")


def test_the_summary() -> None:
    kept = record("none", sha256="a" * 64, name="a", devices=["gpu"])
    lost = record("none", "rejected in review", "none", "none", name="b", devices=["cpu", "gpu"])
    assert summarize(iter([kept, lost]), 2) == {
        "attempts": 6,
        "given_up": ["b"],
        "turned_down": 1,
        "devices": ["cpu", "gpu"],
    }
    assert summarize(iter([kept, lost]), 3) is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"classes": 0}, "1 to 398 classes"),
        ({"classes": ()}, "at least one class"),
        ({"classes": ("hen", "hen")}, "asked for twice"),
        ({"wall": Wall.parse("bottom:20@63")}, "images of 64 to 2048 pixels a side, but got 63"),
        ({"wall": Wall.parse("bottom:1")}, "Nothing can be hidden behind the wall bottom:1"),
        ({"wall": Wall.parse("box:0:0:99:99+bottom:54")}, "is not a band .* `stackgen mix`, which takes any wall"),
        ({"wall": Wall.parse("left:54"), "template": "paper"}, "side by side"),
        ({"batch_size": 300}, "`batch_size` to be 1 to 256"),
        ({"nouns": OWN, "classes": 5}, "1 to 4 classes, the nouns, but got 5"),
        ({"nouns": OWN, "classes": ("hen",)}, "Unknown class 'hen': expected one of the 4 classes"),
        ({"nouns": OWN, "classes": ("ox", 2)}, "Class 'ox' \\(index 2\\) is asked for twice"),
    ],
)
def test_a_spec_that_is_none(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        spec_of(**changes)
