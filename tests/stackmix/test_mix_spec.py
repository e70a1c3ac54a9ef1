import json
from typing import Any

import pytest

from stackwalls.model import InputError, Wall
from stackwalls.stackmix import MixSpec

BAD: dict[str, tuple[dict[str, Any], str]] = {
    "unknown class": ({"classes": ("goldfsh",)}, "Unknown class 'goldfsh'.*Did you mean.*'goldfish'"),
    "class twice": ({"classes": ("goldfish", 1)}, "asked for twice"),
    "no class": ({"classes": ()}, "at least one class"),
    "0 classes": ({"classes": 0}, "Expected 1 to 1000 classes, but got 0"),
    "too many classes": ({"classes": 1001}, "Expected 1 to 1000 classes, but got 1001"),
    "0 pairs": ({"per_class": 0}, "Expected 1 to 1000 pairs"),
    "too many pairs": ({"per_class": 1001}, "Expected 1 to 1000 pairs"),
    "negative seed": ({"seed": -1}, "Expected the seed to be a whole number from 0"),
    "wall of another size": (
        {"wall": Wall.parse("bottom:8", 32)},
        "Expected a wall on 224 × 224 pixels, but got one on 32",
    ),
    "unknown encoder": ({"encoder": "jpeg"}, "Unknown encoder 'jpeg'"),
    "animals and names": ({"classes": ("goldfish",), "animals": True}, "applies to a number of classes"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_spec_is_checked_where_it_is_made(kind: str) -> None:
    options, message = BAD[kind]
    with pytest.raises(InputError, match=message):
        MixSpec("drawn", **options)


def test_specs_of_the_same_set_are_equal() -> None:
    assert MixSpec("drawn", classes=("goldfish",)) == MixSpec("drawn", classes=(1,)) == MixSpec("drawn", ("n01443537",))


def test_for_the_manifest() -> None:
    spec = MixSpec("/home/somebody/val", classes=(1, "tench"), seed=4, wall=Wall.parse("top:64"))
    assert json.loads(json.dumps(spec.to_dict("val"))) == {
        "source": "val",
        "classes": ["n01443537", "n01440764"],
        "animals": False,
        "per_class": 1,
        "seed": 4,
        "wall": "top:64",
        "encoder": "png",
    }
    assert MixSpec("drawn", 7).to_dict("drawn")["classes"] == 7
    assert MixSpec("drawn").to_dict("drawn")["classes"] is None
