"""The four cards as they stand in `golden/`, to the byte; STACKWALLS_REWRITE_GOLDEN=1 writes them anew, to be read."""

import os
import re
from pathlib import Path

import pytest
from card_cases import CARDS

GOLDEN = Path(__file__).parent / "golden"


def short(card: str) -> str:
    """The thousand class names once are enough: all but the first two are cut out."""
    return re.sub(r"(          '1': .*\n)(          '\d+': .*\n)+", r"\1          …\n", card)


@pytest.mark.parametrize("name", CARDS)
def test_the_card_is_the_golden_one(name: str) -> None:
    path, card = GOLDEN / f"{name}.md", short(CARDS[name]())
    if os.environ.get("STACKWALLS_REWRITE_GOLDEN"):
        path.write_text(card, encoding="utf-8")
    assert card == path.read_text(encoding="utf-8")
    assert CARDS[name]() == CARDS[name]()


@pytest.mark.parametrize("name", CARDS)
def test_the_golden_card_has_no_blanks(name: str) -> None:
    text = (GOLDEN / f"{name}.md").read_text(encoding="utf-8")
    for bad in ("{{ ", "{%", "More Information Needed", "None |", "`None`", "\n\n\n\n", "Undefined"):
        assert bad not in text, bad
