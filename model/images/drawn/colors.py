"""Color names of `species.tsv`: coats, plumages and shells in words that a reader can picture."""

RGB = tuple[int, int, int]

COLORS: dict[str, RGB] = {
    # neutral
    "black": (34, 33, 36),
    "charcoal": (58, 58, 64),
    "slate": (84, 92, 106),
    "grey": (132, 134, 140),
    "silver": (182, 186, 192),
    "pale": (214, 214, 212),
    "white": (246, 246, 242),
    "bluegrey": (112, 134, 160),
    # yellow to brown
    "cream": (246, 232, 196),
    "ivory": (240, 226, 180),
    "straw": (232, 206, 124),
    "sand": (216, 190, 140),
    "wheat": (228, 188, 110),
    "fawn": (206, 160, 104),
    "tan": (190, 136, 76),
    "gold": (222, 164, 48),
    "ochre": (196, 132, 32),
    "caramel": (176, 108, 46),
    "rust": (176, 78, 30),
    "chestnut": (140, 66, 32),
    "mahogany": (122, 44, 28),
    "brown": (118, 78, 46),
    "umber": (92, 62, 40),
    "liver": (92, 44, 32),
    "chocolate": (70, 44, 32),
    "taupe": (140, 122, 104),
    "khaki": (160, 146, 92),
    "olive": (120, 118, 52),
    # red to pink
    "scarlet": (222, 36, 28),
    "red": (200, 40, 36),
    "crimson": (166, 24, 44),
    "maroon": (112, 26, 34),
    "brick": (178, 74, 52),
    "coral": (246, 120, 92),
    "salmon": (240, 150, 124),
    "pink": (246, 160, 176),
    "rose": (232, 98, 128),
    "magenta": (206, 46, 136),
    "blush": (240, 196, 186),
    # orange and yellow
    "orange": (242, 128, 24),
    "tangerine": (250, 152, 40),
    "amber": (246, 178, 38),
    "yellow": (250, 212, 40),
    "lemon": (250, 236, 90),
    "butter": (250, 236, 160),
    # green
    "green": (52, 148, 58),
    "leaf": (96, 178, 58),
    "lime": (164, 214, 56),
    "mint": (150, 220, 160),
    "forest": (30, 92, 48),
    "moss": (98, 126, 56),
    "sage": (142, 160, 112),
    "teal": (20, 130, 126),
    "emerald": (10, 160, 100),
    # blue to purple
    "turquoise": (44, 196, 196),
    "sky": (110, 190, 240),
    "azure": (52, 140, 230),
    "blue": (36, 86, 204),
    "royal": (44, 60, 170),
    "navy": (28, 40, 86),
    "indigo": (62, 52, 150),
    "violet": (128, 70, 180),
    "purple": (100, 40, 120),
    "lilac": (188, 158, 220),
    "plum": (92, 44, 82),
}


def parse_color(text: str) -> RGB:
    """The color that a name of `COLORS` or `#rrggbb` stands for."""
    if text.startswith("#"):
        return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)
    return COLORS[text]
