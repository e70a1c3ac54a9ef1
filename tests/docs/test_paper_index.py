"""docs/paper-index.md names every numbered item of the paper once, each with something to go to."""

import re

from pages import read

ITEMS = {
    *(f"Eq. {number}" for number in range(1, 13)),
    *(f"Definition {number}" for number in (1, 4, 5, 6, 7, 8)),
    "Proposition 2",
    "Theorem 3",
    *(f"Lemma {number}" for number in (9, 10, 11)),
    *(f"Figure {number}" for number in range(1, 10)),
    "Table 1",
    *("1", "2.1", "2.2", "2.3", "3.1", "3.2", "3.3", "4", "A", "B, C", "D", "E"),
}


def test_every_item_of_the_paper_is_there_once() -> None:
    """That what a row names exists is checked with all other pages (test_mentions)."""
    rows = [line.strip("|").split("|") for line in read("docs/paper-index.md").splitlines() if line.startswith("| ")]
    named = [row[0].strip() for row in rows]
    assert sorted(name for name in named if name not in ("none", "")) == sorted(ITEMS)
    for row in rows:
        leads_on = re.search(r"`[^`]+`|\]\([^)]+\)", "|".join(row[2:]))
        assert leads_on or not row[0].strip(), f"{row[0]} leads nowhere"
        assert row[0].strip() in ("none", "") or row[1].strip(), f"{row[0]} is not described"
