"""Nouns of one's own: files and arguments, label spaces, articles, and what is refused."""

from pathlib import Path

import pytest

from stackwalls.model import InputError, Wall, imagenet, imagenet_classes
from stackwalls.stackgen.prompts.noun import IMAGENET_NOUNS, Noun, Nouns, noun_of
from stackwalls.stackgen.prompts.prompt import prompt_for

OWN = Nouns.parse(["red panda", "violin,Geige", "urn"])


@pytest.mark.parametrize(
    ("content", "own"),
    [
        (b"violin\nteapot\n", [("violin", "violin"), ("teapot", "teapot")]),
        (b"\xef\xbb\xbfviolin\r\n\r\n  tea  pot \r\n", [("violin", "violin"), ("tea pot", "tea pot")]),
        (b"jay,Garrulus glandarius\nox", [("jay", "Garrulus glandarius"), ("ox", "ox")]),
        (b"jay, blue\tCyanocitta, blue\nvase,Vase, tall", [("jay, blue", "Cyanocitta, blue"), ("vase", "Vase, tall")]),
        ("Öl-Lampe,Öllampe".encode(), [("Öl-Lampe", "Öllampe")]),
    ],
)
def test_a_file(content: bytes, own: list[tuple[str, str]], tmp_path: Path) -> None:
    path = tmp_path / "nouns"  # known as a file without an ending, too
    path.write_bytes(content)
    nouns = Nouns.parse([str(path)])
    assert nouns.own == tuple(own)
    assert nouns.classes.names == tuple(name for _, name in own)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\n \n", "has no nouns: expected one noun per line"),
        ("jäy".encode("utf-16"), "it is not UTF-8 text"),
        (b"jay,\n", "There is no class name after the noun in 'jay,'"),
        (b",jay\n", "Expected a noun of 1 to 80 letters"),
        (b"jay\nvase\njay\n", "The class name 'jay' is there twice"),
        (
            b"jay,a\nJay,b\n",
            "The noun 'Jay' is there twice, for the classes 'a' and 'b', whose images would look alike",
        ),
        (b"{animal}\n", "without braces"),
        (b"j" * 81, "Expected a noun of 1 to 80 letters"),
        (b"ja\0y", "on one line"),
        (None, r"Cannot read the nouns of .*nouns\.txt \(No such file or directory\)"),
    ],
)
def test_a_file_that_is_none(content: bytes | None, said: str, tmp_path: Path) -> None:
    path = tmp_path / "nouns.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=said) as error:
        Nouns.parse([str(path)])
    assert "\n" not in str(error.value)


def test_prompts_of_ones_own() -> None:
    assert prompt_for(1, 0, nouns=OWN).nouns == ("violin",), "the class's name is no word of the prompt"
    assert prompt_for(0, 0, "paper", nouns=OWN).text == "A photo of red panda stacked on top of red panda."
    assert (
        "an urn next to another urn, exactly two objects" in prompt_for(2, 0, wall=Wall.parse("left:9"), nouns=OWN).text
    )
    known = Nouns.parse(["Boxer dog", "boxer"])
    assert prompt_for(0, 0, nouns=known).nouns == ("Boxer dog", "dog"), "ImageNet's table knows its kind"
    assert "two animals" in prompt_for(0, 0, nouns=known).text
    assert prompt_for(1, 0, nouns=known).nouns == ("boxer",), "which may be anything"


def test_articles_by_sound() -> None:
    an = "umbrella umpire uninhabited urn X-ray MRI honest heirloom 8-ball 18-wheeler Öl-Lampe iPod usher FM"
    a = "ukulele user unicorn utensil uranium UFO T-shirt U-boat CD herb 110 onesie one-way ubiquitous ewe euro violin"
    assert {Noun(word, None).article for word in an.split()} == {"an"}
    assert {Noun(word, None).article for word in a.split()} == {"a"}


def test_imagenets_articles_are_as_they_were() -> None:
    for entry in imagenet_classes():
        for noun in (noun_of(entry.index), Noun(entry.name, None)):
            word = noun.text.lower()
            vowel = word.startswith(("a", "e", "i", "o", "u", "hour"))
            assert noun.article == ("an" if vowel and not word.startswith(("eu", "uni", "u-", "one")) else "a")


def test_the_spec_holds_them() -> None:
    assert OWN.to_dict() == {"nouns": ["red panda", "violin", "urn"], "class_names": ["red panda", "Geige", "urn"]}
    assert IMAGENET_NOUNS.to_dict() == {}
    named = Nouns(tuple((f"noun {number}", name) for number, name in enumerate(imagenet().names)))
    assert named.to_dict().keys() == {"nouns"}, "ImageNet's label space has no names in a spec"
    for nouns in (OWN, IMAGENET_NOUNS, named):
        assert Nouns.of_spec(nouns.to_dict()) == nouns
    assert Nouns.of_spec({"class_names": ["tea_pot", "jay"]}).own == (("tea pot", "tea_pot"), ("jay", "jay")), "a mix's"
    with pytest.raises(InputError, match="Expected a noun for each class, but the spec has 1 for 2 classes"):
        Nouns.of_spec({"nouns": ["ox"], "class_names": ["ox", "hen"]})


@pytest.mark.parametrize(
    ("first", "second", "extends"),
    [
        (["ox", "hen"], ["ox", "hen", "jay"], True),
        (["ox", "hen"], ["hen", "ox", "jay"], False),
        (["ox", "hen"], ["ox"], False),
        (["ox"], ["ox,bull"], False),
        (["C"], ["C", "C++"], False),  # whose keys would differ from then on
        ([], ["ox"], False),
        (["ox"], [], False),
    ],
)
def test_what_extends_what(first: list[str], second: list[str], extends: bool) -> None:
    before, after = (Nouns.parse(values) if values else IMAGENET_NOUNS for values in (first, second))
    assert after.extends(before) == extends
    assert before.extends(before)
