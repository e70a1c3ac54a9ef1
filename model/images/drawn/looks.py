"""`Look`: what a species looks like, read from `species.tsv`, and the palette that it gives a figure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from stackwalls.model.images.drawn.colors import RGB, parse_color
from stackwalls.model.images.drawn.figure import Slot
from stackwalls.model.images.labels import find_class

_FIXED: dict[Slot, RGB] = {
    Slot.BLACK: (28, 27, 30),
    Slot.WHITE: (246, 246, 242),
    Slot.PINK: (232, 128, 140),
    Slot.BONE: (236, 226, 198),
    Slot.HORN: (92, 80, 70),
    Slot.PUPIL: (14, 14, 18),
}
"""Colors that no species changes."""

_SHADE = 0.72
"""Brightness of a far limb or a fold against the near side."""

_DARK = 75
"""Mean of red, green and blue below which a color is too dark to be darkened: its shade is lighter instead."""

_DARK_SHADE = 0.15
"""How far the shade of such a color is mixed with white."""

_LIGHT = 0.38
"""How far a light part of the base color is mixed with white."""


@dataclass(frozen=True)
class Look:
    """One row of `species.tsv`.

    Attributes:
        archetype: name of the drawing function, a key of `archetypes.ARCHETYPES`.
        colors: base, second, accent and extra color.
        pattern: coats painted over the body, each `(kind, slot, scale)` (see `patterns`).
        options: numbers and words that the drawing function reads: proportions, kinds of ears, …
    """

    archetype: str
    colors: tuple[RGB, RGB, RGB, RGB]
    pattern: tuple[tuple[str, Slot, float], ...] = ()
    options: Mapping[str, float | str] = field(default_factory=dict)

    def number(self, key: str, default: float) -> float:
        """The number that option `key` gives, or `default`."""
        value = self.options.get(key, default)
        if isinstance(value, str):
            raise ValueError(f"Expected option {key!r} of a {self.archetype} to be a number, but got {value!r}.")
        return value

    def word(self, key: str, default: str) -> str:
        """The word that option `key` gives, or `default`."""
        return str(self.options.get(key, default))

    def slot(self, key: str, default: Slot = Slot.CLEAR) -> Slot:
        """The slot that option `key` names (`second`, `black`, …), or `default`; false if it is `CLEAR`."""
        value = self.options.get(key)
        return default if value is None else Slot[str(value).upper()]


def _parse_pattern(text: str) -> tuple[tuple[str, Slot, float], ...]:
    """Read `spots`, `spots:black` or `spots:black:1.5`, several of them apart by spaces."""
    coats = []
    for word in text.split():
        kind, slot, scale = (*word.split(":"), "", "")[:3]
        coats.append((kind, Slot[slot.upper()] if slot else Slot.SECOND, float(scale) if scale else 1.0))
    return tuple(coats)


def _parse_option(text: str) -> tuple[str, float | str]:
    key, value = text.split("=")
    try:
        return key, float(value)
    except ValueError:
        return key, value


def parse_look(row: Mapping[str, str]) -> Look:
    """The look of one row of the table; a cell of `-` leaves a color, the pattern or the options out."""
    cells = {key: "" if value == "-" else value for key, value in row.items()}
    base = parse_color(cells["base"])
    second = parse_color(cells["second"]) if cells["second"] else mixed(base, (255, 255, 255), _LIGHT)
    accent = parse_color(cells["accent"]) if cells["accent"] else mixed(base, (0, 0, 0), 1 - _SHADE)
    extra = parse_color(cells["extra"]) if cells["extra"] else accent
    options = dict(_parse_option(word) for word in cells["options"].split())
    colors = (base, second, accent, extra)
    return Look(cells["archetype"], colors, _parse_pattern(cells["pattern"]), options)


@lru_cache(maxsize=1)
def looks() -> dict[int, Look]:
    """Class index → look, in index order, from `species.tsv`."""
    text = resources.files("stackwalls.model.images.drawn").joinpath("species.tsv").read_text(encoding="utf-8")
    head, *lines = text.splitlines()
    found: dict[int, Look] = {}
    for line in lines:
        row = dict(zip(head.split("\t"), line.split("\t"), strict=True))
        entry = find_class(row["synset"])
        if entry is None or entry.name != row["name"]:
            raise ValueError(f"species.tsv: {row['synset']} is not ImageNet's {row['name']!r}.")
        found[entry.index] = parse_look(row)
    return dict(sorted(found.items()))


def mixed(color: RGB, other: RGB, share: float) -> RGB:
    """`color` with a `share` in [0, 1] of `other`."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(color, other, strict=True))
    return red, green, blue


def palette(look: Look, tint: NDArray[np.float64] | None = None) -> NDArray[np.uint8]:
    """The colors of a look's slots, `(len(Slot), 4)` uint8 RGBA; only `CLEAR` is transparent.

    Args:
        look: whose colors to take.
        tint: `(4, 3)` factors of the four colors' channels, near 1; none by default.
    """
    table = np.zeros((len(Slot), 4))
    four = np.asarray(look.colors, dtype=np.float64)
    if tint is not None:
        four = four * tint
    base, second, accent, extra = four
    table[[Slot.BASE, Slot.LIMB], :3] = base
    table[Slot.HEAD, :3] = base + (255 - base) * 0.07
    table[Slot.LIGHT, :3] = base + (255 - base) * _LIGHT
    table[[Slot.SECOND, Slot.ACCENT, Slot.EXTRA], :3] = second, accent, extra
    shades = [Slot.SHADE, Slot.SECOND_SHADE, Slot.ACCENT_SHADE, Slot.EXTRA_SHADE]
    dark = four.mean(axis=1, keepdims=True) < _DARK
    table[shades, :3] = np.where(dark, four + (255 - four) * _DARK_SHADE, four * _SHADE)
    table[Slot.EDGE, :3] = base * 0.25
    for slot, color in _FIXED.items():
        table[slot, :3] = color
    table[1:, 3] = 255
    return np.clip(table, 0, 255).astype(np.uint8)
