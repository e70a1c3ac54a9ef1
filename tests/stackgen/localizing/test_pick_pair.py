from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, strategies as st

from stackwalls.model import Band
from stackwalls.stackgen.localizing.localizer import Detections, Pair, Rejection
from stackwalls.stackgen.localizing.pairing import pick_pair

SIZE = (832, 1216)
BOTTOM, TOP, LEFT, RIGHT = (
    Band(axis, start, start + 54, 224)  # type: ignore[arg-type]
    for axis, start in (("rows", 170), ("rows", 0), ("columns", 0), ("columns", 170))
)
UPPER, LOWER = [200, 100, 600, 500], [150, 450, 700, 900]
BOTH, HEAD, TWICE = [140, 90, 710, 905], [220, 110, 320, 200], [205, 110, 598, 495]
ON_THE_LEFT, ON_THE_RIGHT = [50, 300, 400, 800], [430, 310, 780, 790]


def found(*boxes: list[int], scores: list[float] | None = None) -> Detections:
    return Detections.of(boxes, scores or [0.5] * len(boxes), SIZE)


def turned(box: tuple[float, ...]) -> list[float]:
    """The box in the transposed frame."""
    return [box[1], box[0], box[3], box[2]]


def test_a_planted_pair_is_found_among_a_group_a_part_and_a_double() -> None:
    pair = pick_pair(found(BOTH, UPPER, LOWER, HEAD, TWICE, scores=[0.8, 0.6, 0.5, 0.7, 0.55]), SIZE, BOTTOM)
    assert pair == Pair((200, 100, 600, 500), (150, 450, 700, 900), np.float32(0.6), 0.5, 2)


@pytest.mark.parametrize(("band", "seen"), [(BOTTOM, UPPER), (TOP, LOWER)])
def test_the_walls_side_says_which_is_seen(band: Band, seen: list[int]) -> None:
    pair = pick_pair(found(UPPER, LOWER, scores=[0.6, 0.4]), SIZE, band)
    assert isinstance(pair, Pair)
    assert list(pair.seen) == seen
    assert (pair.seen_score > pair.hidden_score) == (seen == UPPER)


@pytest.mark.parametrize(("band", "seen"), [(RIGHT, ON_THE_LEFT), (LEFT, ON_THE_RIGHT)])
def test_walls_of_columns_take_two_side_by_side(band: Band, seen: list[int]) -> None:
    pair = pick_pair(found(ON_THE_LEFT, ON_THE_RIGHT), SIZE, band)
    assert isinstance(pair, Pair)
    assert list(pair.seen) == seen


@pytest.mark.parametrize(
    ("boxes", "band", "cause", "said"),
    [
        ([], BOTTOM, "none", "no animal"),
        ([UPPER], BOTTOM, "one", "only one animal"),
        ([UPPER, HEAD], BOTTOM, "one", "only one animal"),
        ([UPPER, [10, 10, 60, 60]], BOTTOM, "one", "only one animal"),
        ([ON_THE_LEFT, ON_THE_RIGHT], BOTTOM, "apart", "no two of them one above the other"),
        ([UPPER, LOWER], RIGHT, "apart", "no two of them side by side"),
        ([[0, 0, 300, 300], [500, 700, 830, 1200]], BOTTOM, "apart", "one above the other"),
        ([[0, 0, 400, 400], [420, 0, 830, 400], [0, 500, 400, 900], [420, 500, 830, 900]], BOTTOM, "many", "4 animals"),
        ([[200, 100, 600, 500], [180, 80, 620, 900]], BOTTOM, "inside", "lies in the other"),
    ],
)
def test_refused_with_the_reason(boxes: list[list[int]], band: Band, cause: str, said: str) -> None:
    refusal = pick_pair(found(*boxes), SIZE, band)
    assert isinstance(refusal, Rejection)
    assert refusal.cause == cause
    assert said in refusal.reason
    assert refusal.crop is None


def test_low_scores_are_no_animals() -> None:
    refusal = pick_pair(found(UPPER, LOWER, scores=[0.6, 0.14]), SIZE, BOTTOM)
    assert isinstance(refusal, Rejection)
    assert refusal.cause == "one"


def test_of_three_the_best_two() -> None:
    third = [100, 880, 500, 1200]
    pair = pick_pair(found(UPPER, LOWER, third, scores=[0.6, 0.5, 0.2]), SIZE, BOTTOM)
    assert isinstance(pair, Pair)
    assert (list(pair.seen), list(pair.hidden), pair.animals) == (UPPER, LOWER, 3)


coordinate = st.integers(0, 800)
box = st.tuples(coordinate, coordinate, st.integers(20, 400), st.integers(20, 400))


@given(st.lists(box, max_size=6), st.sampled_from([BOTTOM, TOP]))
def test_turning_frame_and_wall_turns_the_pair(rows: list[tuple[int, int, int, int]], band: Band) -> None:
    boxes = [[x, y, x + w, y + h] for x, y, w, h in rows]
    scores = [0.9 - 0.1 * place for place in range(len(boxes))]
    here = pick_pair(Detections.of(boxes, scores, (1216, 1216)), (1216, 1216), band)
    there = pick_pair(
        Detections.of([turned(tuple(box)) for box in boxes], scores, (1216, 1216)),
        (1216, 1216),
        replace(band, axis="columns"),
    )
    assert type(here) is type(there)
    if isinstance(here, Pair) and isinstance(there, Pair):
        assert (turned(here.seen), turned(here.hidden)) == (list(there.seen), list(there.hidden))
    elif isinstance(here, Rejection) and isinstance(there, Rejection):
        assert here.cause == there.cause
