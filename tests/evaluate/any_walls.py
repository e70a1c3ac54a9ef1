"""Any wall, for property tests."""

import numpy as np
from hypothesis import strategies as st

from stackwalls.model import Box, Wall


@st.composite
def boxes(draw: st.DrawFn, size: int) -> Box:
    edges = st.lists(st.integers(0, size), min_size=2, max_size=2, unique=True).map(sorted)
    (top, bottom), (left, right) = draw(edges), draw(edges)
    across = draw(st.sampled_from(["rows", "columns", None, None]))
    if across == "rows":
        left, right = 0, size
    if across == "columns":
        top, bottom = 0, size
    return Box(top, left, bottom, right)


def walls(size: int = 224, most: int = 3) -> st.SearchStrategy[Wall]:
    """Unions of one to `most` bands and boxes that leave something to see."""
    unions = st.lists(boxes(size), min_size=1, max_size=most)
    return unions.filter(lambda union: _left_to_see(union, size)).map(lambda union: Wall(tuple(union), size))


def _left_to_see(union: list[Box], size: int) -> bool:
    mask = np.zeros((size, size), dtype=bool)
    for box in union:
        mask[box.slices] = True
    return not mask.all()
