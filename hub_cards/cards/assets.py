"""The images of a card: a drawing of the wall, and the first test images with its edges."""

import io
from collections.abc import Mapping, Sequence
from contextlib import suppress
from math import ceil
from typing import Any

from PIL import Image, ImageDraw

from stackwalls.hub_cards.cards.facts import CardFacts
from stackwalls.hub_cards.layout import ASSET_NAMES
from stackwalls.model import Wall
from stackwalls.model.images import BrokenImageError, decode

_PAPER, _SEEN, _DEAD, _HATCH, _INK = "#ffffff", "#dbe7f3", "#f7dcd9", "#c0392b", "#22303c"
_GAP = 8
"""Pixels between and around the examples."""


_MOST_LINES, _MOST_CHARACTERS = 20, 100
"""Of the text beside the drawing of a wall."""


def draw_assets(facts: CardFacts) -> dict[str, bytes]:
    """The PNG files of a card by path: always the wall, and the first images if the set has pixels."""
    images = [draw_wall(facts.manifest.wall)]
    if all("image" in row for row in facts.rows):
        images.append(draw_examples(facts.rows, facts.manifest.wall))
    return dict(zip(ASSET_NAMES, images, strict=False))


def draw_wall(wall: Wall) -> bytes:
    """The wall to scale: the seen part, the hatched dead zone, and the rows or columns of each."""
    size, left, top = wall.image_size, 16, 16
    lines = [(f"{size} x {size} pixels, {wall}", _INK)]
    lines += [(f"{wall.named(box)}: seen", _INK) for box in wall.seen]
    lines += [(f"{wall.named(box)}: dead zone", _HATCH) for box in wall.boxes]
    if len(lines) > _MOST_LINES:
        lines = [*lines[:_MOST_LINES], ("...", _INK)]
    lines = [(text[:_MOST_CHARACTERS].replace("×", "x"), color) for text, color in lines]  # the font has no ×
    measure = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    width = max(200, *(32 + ceil(measure.textlength(text)) for text, _ in lines))
    image = Image.new("RGB", (left + size + width, top + max(size, 24 * len(lines)) + 16), _PAPER)
    draw = ImageDraw.Draw(image)
    draw.rectangle((left, top, left + size - 1, top + size - 1), fill=_SEEN, outline=_INK)
    for zone in wall.dead:
        dead = Image.new("RGB", (zone.right - zone.left, zone.bottom - zone.top), _DEAD)
        for start in range(-dead.height, dead.width, 12):
            ImageDraw.Draw(dead).line((start, dead.height, start + dead.height, 0), fill=_HATCH)
        image.paste(dead, (left + zone.left, top + zone.top))
        draw.rectangle((left + zone.left, top + zone.top, left + zone.right - 1, top + zone.bottom - 1), outline=_HATCH)
    for number, (text, color) in enumerate(lines):
        draw.text((left + size + 16, top + 24 * number), text, fill=color)
    return _png(image)


def draw_examples(rows: Sequence[Mapping[str, Any]], wall: Wall) -> bytes:
    """The rows' images side by side, with red bars next to the dead zone, never over the pixels."""
    size = wall.image_size
    sheet = Image.new("RGB", (len(rows) * (size + _GAP) + _GAP, size + 2 * _GAP), _PAPER)
    draw = ImageDraw.Draw(sheet)
    for number, row in enumerate(rows):
        left = _GAP + number * (size + _GAP)
        with suppress(BrokenImageError):  # `verify` reports it; here its place stays empty
            sheet.paste(Image.fromarray(decode(row["image"]["bytes"])), (left, _GAP))
        for box in wall.boxes:
            if box.bottom - box.top < size:
                for x in (left - 4, left + size + 1):
                    draw.rectangle((x, _GAP + box.top, x + 2, _GAP + box.bottom - 1), fill=_HATCH)
            if box.right - box.left < size:
                for y in (3, _GAP + size + 2):
                    draw.rectangle((left + box.left, y, left + box.right - 1, y + 2), fill=_HATCH)
    return _png(sheet)


def _png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return file.getvalue()
