"""Calm places for the animals to be in, drawn without regard to which animal: the background says nothing."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Color = NDArray[np.float64]


def _color(rng: np.random.Generator, low: tuple[int, int, int], high: tuple[int, int, int]) -> Color:
    return rng.uniform(low, high)


def _ink(color: Color) -> tuple[int, int, int]:
    red, green, blue = np.clip(color, 0, 255).astype(int).tolist()
    return red, green, blue


def _gradient(top: Color, bottom: Color, width: int, height: int, across: float) -> Image.Image:
    """From `top` to `bottom`, and brighter on one side by `across` (in parts of 1, negative: the left)."""
    sides = np.array((1 - across / 2, 1 + across / 2))[:, None]
    corners = np.clip(np.stack([top * sides, bottom * sides]), 0, 255).astype(np.uint8)
    return Image.fromarray(corners).resize((width, height), Image.Resampling.BILINEAR)


def _sky(rng: np.random.Generator, width: int, height: int, across: float) -> Image.Image:
    top = _color(rng, (120, 170, 215), (190, 215, 250))
    return _gradient(top, _color(rng, (200, 215, 215), (245, 240, 245)), width, height, across)


def _studio(rng: np.random.Generator, width: int, height: int, across: float) -> Image.Image:
    """A plain wall, lighter above or below, and perhaps a table."""
    top, bottom = _color(rng, (150,) * 3, (245,) * 3), _color(rng, (150,) * 3, (245,) * 3)
    picture = _gradient(top, bottom, width, height, across)
    if rng.random() < 0.5:
        edge = int(height * rng.uniform(0.75, 0.95))
        ImageDraw.Draw(picture).rectangle((0, edge, width, height), fill=_ink(bottom * 0.85))
    return picture


def _hills(rng: np.random.Generator, width: int, height: int, across: float) -> Image.Image:
    """Sky and two rows of rounded hills."""
    picture = _sky(rng, width, height, across)
    draw = ImageDraw.Draw(picture)
    green = _color(rng, (130, 165, 100), (190, 205, 150))
    for row in range(2):
        level = height * (0.55 + 0.2 * row + rng.uniform(-0.06, 0.06))
        for x in np.linspace(0, width, 3) + rng.uniform(-0.2, 0.2, 3) * width:
            rx, ry = width * rng.uniform(0.35, 0.6), height * rng.uniform(0.08, 0.2)
            draw.ellipse((x - rx, level - ry, x + rx, level + 3 * height), fill=_ink(green * (1 - 0.12 * row)))
    return picture


def _meadow(rng: np.random.Generator, width: int, height: int, across: float) -> Image.Image:
    """Sky above a lawn, sand or snow with strokes of grass or stones."""
    picture = _sky(rng, width, height, across)
    draw = ImageDraw.Draw(picture)
    grounds = (
        ((120, 165, 90), (170, 205, 130)),
        ((205, 185, 145), (235, 215, 180)),
        ((225, 230, 235), (248, 248, 252)),
    )
    ground = _color(rng, *grounds[rng.integers(3)])
    edge = height * rng.uniform(0.45, 0.85)
    draw.rectangle((0, edge, width, height), fill=_ink(ground))
    length = height * rng.uniform(0.02, 0.07)
    for x, y in rng.uniform((0, edge), (width, height), (26, 2)).tolist():
        draw.line((x, y, x + length * 0.4, y - length), fill=_ink(ground * 0.88), width=max(1, height // 110))
    return picture


def _water(rng: np.random.Generator, width: int, height: int, across: float) -> Image.Image:
    """Blue or green depth with flat waves."""
    top = _color(rng, (120, 185, 205), (180, 225, 240))
    bottom = top * rng.uniform(0.7, 0.9)
    picture = _gradient(top, bottom, width, height, across)
    draw = ImageDraw.Draw(picture)
    for y in np.linspace(0.05, 0.95, 7) * height + rng.uniform(-0.04, 0.04, 7) * height:
        x, span = rng.uniform(-0.2, 0.8) * width, rng.uniform(0.2, 0.5) * width
        tone = top + (bottom - top) * y / height + 16
        draw.arc((x, y - 6, x + span, y + 6), 180, 360, fill=_ink(tone), width=max(1, height // 75))
    return picture


def _leaves(rng: np.random.Generator, width: int, height: int, across: float) -> Image.Image:
    """A hedge of round leaves, a little lighter or darker than what is behind them."""
    tone = _color(rng, (135, 175, 120), (190, 215, 160))
    picture = _gradient(tone * 1.08, tone * 0.92, width, height, across)
    draw = ImageDraw.Draw(picture)
    shades = rng.uniform(0.88, 1.1, 22).tolist()
    for (x, y, r), shade in zip(rng.uniform((0, 0, 0.05), (1, 1, 0.13), (22, 3)).tolist(), shades, strict=True):
        x, y, r = x * width, y * height, r * height
        draw.ellipse((x - r, y - 0.6 * r, x + r, y + 0.6 * r), fill=_ink(tone * shade))
    return picture


_PLACES: tuple[Callable[[np.random.Generator, int, int, float], Image.Image], ...] = (
    _studio,
    _studio,
    _hills,
    _meadow,
    _water,
    _leaves,
)


def background(rng: np.random.Generator, width: int, height: int, across: float = 0.0) -> NDArray[np.uint8]:
    """A wall, hills, a meadow, water or a hedge, in light colors.

    Args:
        rng: where kind, colors and details come from.
        width: in pixels.
        height: in pixels.
        across: how much brighter the right side is than the left, in parts of 1.

    Returns:
        `(height, width, 3)` uint8 RGB.
    """
    return np.array(_PLACES[rng.integers(len(_PLACES))](rng, width, height, across))
