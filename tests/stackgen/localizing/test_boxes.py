import numpy as np
from hypothesis import given, strategies as st

from stackwalls.stackgen.localizing.localizer import Detections

numbers = st.floats(-200, 400, width=32) | st.just(float("nan")) | st.just(float("inf"))
raw = st.lists(st.tuples(numbers, numbers, numbers, numbers, st.floats(0, 1, width=32)), max_size=12)


def overlap(one: list[float], other: list[float]) -> float:
    """Intersection over union, one pair at a time."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    sizes = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return shared / (sum(sizes) - shared)


@given(raw)
def test_boxes_are_in_the_frame_apart_and_sorted(rows: list[tuple[float, ...]]) -> None:
    found = Detections.of([row[:4] for row in rows], [row[4] for row in rows], (100, 150))
    assert found.boxes.dtype == found.scores.dtype == np.float32
    assert found.boxes.shape == (len(found.scores), 4)
    x0, y0, x1, y1 = found.boxes.T
    assert ((x0 >= 0) & (y0 >= 0) & (x1 <= 100) & (y1 <= 150) & (x0 < x1) & (y0 < y1)).all()
    assert (np.diff(found.scores) <= 0).all()


@given(raw)
def test_suppression_against_a_slow_rewrite(rows: list[tuple[float, ...]]) -> None:
    found = Detections.of([row[:4] for row in rows], [row[4] for row in rows], (100, 150))
    left = []
    for row in sorted(rows, key=lambda row: -row[4]):
        if not np.isfinite(row).all():
            continue
        box = [float(np.clip(value, 0, limit)) for value, limit in zip(row[:4], (100, 150, 100, 150), strict=True)]
        if box[0] < box[2] and box[1] < box[3] and all(overlap(box, kept) <= 0.6 for kept in left):
            left.append(box)
    assert found.boxes.tolist() == left


def test_boxes_beyond_the_frame_are_cut() -> None:
    found = Detections.of([[-20, 10, 130, 160], [120, 0, 140, 20]], [0.5, 0.9], (100, 150))
    assert found.boxes.tolist() == [[0, 10, 100, 150]]
    assert found.scores.tolist() == [0.5]


def test_none() -> None:
    found = Detections.of([], [], (100, 150))
    assert found.boxes.shape == (0, 4)
    assert found.scores.shape == (0,)
