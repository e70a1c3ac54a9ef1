import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from stackwalls.model import InputError, LabelSpace, Transform, Wall, imagenet
from stackwalls.stackmix import MixSpec

BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no class": ({"classes": ()}, "at least one class"),
    "0 classes": ({"classes": 0}, "Expected at least one class, but got 0"),
    "0 pairs": ({"per_class": 0}, "Expected 1 to 1000 pairs"),
    "too many pairs": ({"per_class": 1001}, "Expected 1 to 1000 pairs"),
    "negative seed": ({"seed": -1}, "Expected the seed to be a whole number from 0"),
    "wall of another size": (
        {"wall": Wall.parse("bottom:8", 32), "transform": Transform()},
        "The wall is on images of 32 × 32 pixels, but the transform makes 224 × 224",
    ),
    "too small": ({"wall": Wall.parse("bottom:8", 31)}, "Expected images of 32 pixels or more, but got a wall on 31"),
    "unknown encoder": ({"encoder": "jpeg"}, "Unknown encoder 'jpeg'"),
    "animals and names": ({"classes": ("goldfish",), "animals": True}, "applies to a number of classes"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_spec_is_checked_where_it_is_made(kind: str) -> None:
    options, message = BAD[kind]
    with pytest.raises(InputError, match=message):
        MixSpec("drawn", **options)


def test_specs_of_the_same_set_are_equal() -> None:
    specs = [MixSpec("drawn", classes=(name,)).of(imagenet()) for name in ("goldfish", 1, "n01443537")]
    assert specs[0] == specs[1] == specs[2]
    assert specs[0].classes == ("n01443537",)


def test_classes_are_the_sources() -> None:
    with pytest.raises(InputError, match=r"Unknown class 'goldfsh'.*Did you mean.*'goldfish'"):
        MixSpec("drawn", classes=("goldfsh",)).of(imagenet())
    with pytest.raises(InputError, match="asked for twice"):
        MixSpec("drawn", classes=(1, "goldfish")).of(imagenet())
    own = LabelSpace(("Red Panda", "griffin", "a/b"))
    assert MixSpec("drawn", classes=("red_panda", 2)).of(own).classes == ("red-panda", "a-b")
    with pytest.raises(InputError, match=r"Unknown class 'grifin': expected one of the 3 classes .*'griffin'"):
        MixSpec("drawn", classes=("grifin",)).of(own)
    with pytest.raises(InputError, match="ImageNet-1k's animals, but drawn has classes of its own"):
        MixSpec("drawn", 2, animals=True).of(own)


def test_for_the_manifest() -> None:
    spec = MixSpec("/home/somebody/val", classes=(1, "tench"), seed=4, wall=Wall.parse("top:64"))
    assert json.loads(json.dumps(spec.of(imagenet()).to_dict("val", imagenet()))) == {
        "source": "val",
        "classes": ["n01443537", "n01440764"],
        "animals": False,
        "per_class": 1,
        "seed": 4,
        "wall": "top:64",
        "encoder": "png",
    }
    assert MixSpec("drawn", 7).to_dict("drawn", imagenet())["classes"] == 7
    assert MixSpec("drawn").to_dict("drawn", imagenet())["classes"] is None


def test_for_the_manifest_of_own_classes_and_another_transform() -> None:
    own, wall = LabelSpace(("ö", "x")), Wall.parse("left:20", 96)
    said = MixSpec("a", wall=wall, label_space="names.txt", transform=Transform(96, 100, "bicubic")).to_dict("a", own)
    assert said["class_names"] == ["ö", "x"]
    assert said["label_space"] == "names.txt"
    assert said["wall"] == "left:20@96"
    assert said["transform"] == {"size": 96, "resize": 100, "interpolation": "bicubic", "squash": False}
    usual = MixSpec("a", wall=wall, transform=Transform.of_size(96)).to_dict("a", imagenet())
    assert usual == MixSpec("a", wall=wall).to_dict("a", imagenet())
    assert not {"class_names", "label_space", "transform"} & usual.keys()


@given(st.builds(Transform.of_size, st.integers(16, 2048)), st.data())
def test_a_resizing_is_read_back(usual: Transform, data: st.DataObject) -> None:
    filters = st.sampled_from(["bilinear", "bicubic", "lanczos", "nearest", "box", "hamming"])
    resize = data.draw(st.integers(usual.size, 2 * usual.size))
    transform = Transform(usual.size, resize, data.draw(filters), data.draw(st.booleans()))
    assert Transform.parse(transform.resizing, usual.size) == transform


@pytest.mark.parametrize(
    "text", ["", "x", "0", "96:", "96:bicubic:box", "96:squash:bicubic", "-5", "96.5", "9" * 50, "²"]
)
def test_what_is_no_resizing(text: str) -> None:
    with pytest.raises(InputError, match=r"Cannot read the resizing|Unknown interpolation"):
        Transform.parse(text, 96)
