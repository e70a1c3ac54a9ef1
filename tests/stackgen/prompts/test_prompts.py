import csv
from importlib import resources

import pytest

from stackwalls.model import InputError, Wall, animals, imagenet_classes
from stackwalls.stackgen.prompts.noun import noun_of
from stackwalls.stackgen.prompts.prompt import TEMPLATES, prompt_for

COLUMNS = Wall.parse("left:54")
OWLV2_WORDS = 16 - 2 - 4
"""Tokens of OWLv2's text less its first and last and "a photo of a"; an English word is one token or more."""


def test_the_papers_sentence_byte_for_byte() -> None:
    assert prompt_for(207, 0, "paper").text == "A photo of golden retriever stacked on top of golden retriever."
    for entry in animals():
        expected = b"A photo of " + entry.name.encode() + b" stacked on top of " + entry.name.encode() + b"."
        for attempt in (0, 1, 7):
            assert prompt_for(entry.index, attempt, "paper").text.encode() == expected


def test_the_table_has_each_animal_once_under_its_own_name() -> None:
    text = resources.files("stackwalls.stackgen.prompts").joinpath("animals.tsv").read_text(encoding="ascii")
    rows = list(csv.DictReader(text.splitlines(), delimiter="\t"))
    assert [(row["synset"], row["name"]) for row in rows] == [(entry.synset, entry.name) for entry in animals()]
    assert all(value == value.strip() and value for row in rows for value in row.values())


def test_no_two_animals_share_a_noun() -> None:
    nouns = [noun_of(entry.index).text.lower() for entry in animals()]
    assert len(set(nouns)) == len(animals()) == 398


@pytest.mark.parametrize(
    ("name", "noun", "kind"),
    [
        ("cock", "rooster", "chicken"),
        ("crane bird", "crane bird", "bird"),
        ("drake", "mallard drake duck", "duck"),
        ("boxer", "boxer dog", "dog"),
        ("tick", "tick arachnid", "bug"),
        ("kite", "kite bird of prey", "bird"),
        ("admiral", "red admiral butterfly", "butterfly"),
        ("puffer", "pufferfish", "fish"),
        ("ice bear", "polar bear", "bear"),
        ("Madagascar cat", "ring-tailed lemur", "lemur"),
        ("Border terrier", "Border terrier", "dog"),
    ],
)
def test_words_that_mean_something_else_by_themselves(name: str, noun: str, kind: str) -> None:
    (entry,) = [entry for entry in animals() if entry.name == name]
    found = noun_of(entry.index)
    assert (found.text, found.kind) == (noun, kind)


def test_detectors_get_the_noun_and_then_the_kind_in_few_words() -> None:
    for entry in animals():
        nouns = prompt_for(entry.index, 0).nouns
        assert len(nouns) == 2
        assert nouns[0] != nouns[1]
        assert all(len(noun.split()) <= min(5, OWLV2_WORDS) and len(noun) <= 32 for noun in nouns)
        assert "." not in "".join(nouns), "a full stop divides Grounding DINO's texts"


@pytest.mark.parametrize("wall", ["bottom:54", "top:54", "rows:80:144", "left:54", "right:54"])
def test_refined_prompts_are_ascii_and_different_for_every_class_and_attempt(wall: str) -> None:
    here = Wall.parse(wall)
    count = len(TEMPLATES["refined"].columns if "t:" in wall else TEMPLATES["refined"].rows)
    assert count > 3
    texts = [prompt_for(entry.index, attempt, wall=here).text for entry in animals() for attempt in range(count)]
    assert len(set(texts)) == len(texts)
    assert all(text.isascii() and "{" not in text and text[0].isupper() and text.endswith(".") for text in texts)
    assert prompt_for(7, count, wall=here) == prompt_for(7, 0, wall=here)


def test_every_refined_prompt_names_the_noun_twice_and_two_animals() -> None:
    for wall, words in ((Wall.parse("bottom:54"), ("stacked", "back", "top", "upper", "balancing")), (COLUMNS, ())):
        for attempt in range(6):
            text = prompt_for(345, attempt, wall=wall).text
            assert text.count(" ox") + text.startswith("An ox") >= 1
            assert "Two animals" in text or "two animals" in text or "two" in text.lower() or "pair" in text.lower()
            assert "a ox" not in text
            if words:
                assert any(word in text.lower() for word in words)
            else:
                assert any(word in text for word in ("next to", "side by side", "left", "beside"))


@pytest.mark.parametrize(("index", "article"), [(345, "an"), (46, "a"), (7, "a"), (191, "an"), (604, "an"), (880, "a")])
def test_articles_go_by_sound(index: int, article: str) -> None:
    assert noun_of(index).article == article  # ox, European green lizard, rooster, Airedale, hourglass, unicycle


def test_other_classes_go_by_their_plain_name() -> None:
    crane = prompt_for(517, 0)
    assert crane.nouns == ("crane",)
    assert "exactly two objects" in crane.text
    assert len({prompt_for(entry.index, 0).text for entry in imagenet_classes()}) == 1000


def test_a_sentence_of_ones_own() -> None:
    own = prompt_for(7, 3, "a {animal} and a {animal} {with braces}", COLUMNS)
    assert own.text == "A rooster and a rooster {with braces}"
    assert own.nouns == ("rooster", "chicken")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((1000, 0), "0 to 999, but got 1000"),
        ((-1, 0), "0 to 999, but got -1"),
        ((7, -1), "attempt of 0 or more"),
        ((7, 0, "papr"), "Did you mean 'paper'"),
        ((7, 0, "paper", COLUMNS), "left:54 separates left from right"),
        ((7, 0, "refined", Wall.parse("box:0:0:64:64")), "box:0:0:64:64 is not a band .* `stackgen mix`"),
    ],
)
def test_wrong_calls(arguments: tuple[int, int], said: str) -> None:
    with pytest.raises(InputError, match=said):
        prompt_for(*arguments)
