"""The images of a card: a drawing of the wall, and the first test images with its edges."""

import io
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from PIL import Image, ImageDraw

from stackwalls.hub_cards.cards.facts import CardFacts
from stackwalls.hub_cards.layout import ASSET_NAMES
from stackwalls.model import Wall
from stackwalls.model.images import BrokenImageError, decode

_PAPER, _SEEN, _DEAD, _HATCH, _INK = "#ffffff", "#dbe7f3", "#f7dcd9", "#c0392b", "#22303c"
_GAP = 8
"""Pixels between and around the examples."""


def draw_assets(facts: CardFacts) -> dict[str, bytes]:
    """The PNG files of a card by path: always the wall, and the first images if the set has pixels."""
    images = [draw_wall(facts.manifest.wall)]
    if all("image" in row for row in facts.rows):
        images.append(draw_examples(facts.rows, facts.manifest.wall))
    return dict(zip(ASSET_NAMES, images, strict=False))


def draw_wall(wall: Wall) -> bytes:
    """The wall to scale: the seen part, the hatched dead zone, and the rows or columns of each."""
    size, left, top, width = wall.image_size, 16, 16, 200
    image = Image.new("RGB", (left + size + width, top + size + 16), _PAPER)
    draw = ImageDraw.Draw(image)
    draw.rectangle((left, top, left + size - 1, top + size - 1), fill=_SEEN, outline=_INK)
    zone = _zone(wall)
    dead = Image.new("RGB", (zone[2] - zone[0], zone[3] - zone[1]), _DEAD)
    for start in range(-dead.height, dead.width, 12):
        ImageDraw.Draw(dead).line((start, dead.height, start + dead.height, 0), fill=_HATCH)
    image.paste(dead, (left + zone[0], top + zone[1]))
    draw.rectangle((left + zone[0], top + zone[1], left + zone[2] - 1, top + zone[3] - 1), outline=_HATCH)
    lines = [f"{wall.axis} {start} to {stop - 1}: seen" for start, stop in wall.seen]
    lines.append(f"{wall.axis} {wall.start} to {wall.stop - 1}: dead zone")
    for number, text in enumerate([f"{size} x {size} pixels, {wall}", *lines]):
        draw.text((left + size + 16, top + 24 * number), text, fill=_HATCH if number == len(lines) else _INK)
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
        zone = _zone(wall)
        box = (left + zone[0], _GAP + zone[1], left + zone[2] - 1, _GAP + zone[3] - 1)
        if wall.axis == "rows":
            draw.rectangle((left - 4, box[1], left - 2, box[3]), fill=_HATCH)
            draw.rectangle((left + size + 1, box[1], left + size + 3, box[3]), fill=_HATCH)
        else:
            draw.rectangle((box[0], 3, box[2], 5), fill=_HATCH)
            draw.rectangle((box[0], _GAP + size + 2, box[2], _GAP + size + 4), fill=_HATCH)
    return _png(sheet)


def _zone(wall: Wall) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the dead zone; right and bottom exclusive."""
    if wall.axis == "rows":
        return 0, wall.start, wall.image_size, wall.stop
    return wall.start, 0, wall.stop, wall.image_size


def _png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return file.getvalue()
