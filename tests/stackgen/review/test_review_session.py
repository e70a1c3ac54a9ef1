"""What the page is told of a folder, against values worked out by hand."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from any_walls import walls
from hypothesis import given, strategies as st

from stackwalls.hub_cards import (
    RowReader,
    read_decisions,
    verify,
)
from stackwalls.model import InputError, RunError, Wall
from stackwalls.stackgen.review.review_session import Counts, ReviewSession, box_marks, wall_marks


@given(walls(size=96))
def test_the_marks_cover_each_dead_pixel_once_and_no_other(wall: Wall) -> None:
    covered = np.zeros((96, 96), dtype=int)
    for mark in wall_marks(wall):
        left, top, width, height = (round(mark[name] * 96) for name in ("left", "top", "width", "height"))
        covered[top : top + height, left : left + width] += 1
    assert np.array_equal(covered, wall.mask())


def test_boxes_by_hand() -> None:
    row = {
        "seen_box": [100.0, 150.0, 450.0, 500.0],
        "hidden_box": [50.0, 640.0, 860.0, 900.0],
        "other_box": [0.0, 0.0, 99.0, 99.0],
        "no_box": None,
        "crop": [100, 150, 800, 850],
    }
    assert box_marks(row) == {
        "seen": {"left": 0.0, "top": 0.0, "width": 0.5, "height": 0.5},
        "hidden": {"left": 0.0, "top": 0.7, "width": 1.0, "height": pytest.approx(0.3)},
    }
    assert box_marks({"top_source": "a"}) == {}


@given(st.lists(st.floats(-2000, 2000), min_size=4, max_size=4))
def test_marks_lie_on_the_picture(box: list[float]) -> None:
    box = [min(box[0], box[2]), min(box[1], box[3]), max(box[0], box[2]), max(box[1], box[3])]
    for mark in box_marks({"a_box": box, "crop": [-10, 20, 500, 530]}).values():
        assert mark["left"] >= 0
        assert mark["top"] >= 0
        assert mark["left"] + mark["width"] <= 1 + 1e-12
        assert mark["top"] + mark["height"] <= 1 + 1e-12


def test_what_is_told_of_a_stack_mix_set(mix_folder: Path) -> None:
    with ReviewSession.open(mix_folder) as session:
        told = session.overview()
        assert (told["name"], told["kind"], told["rejected"]) == ("stack-mix", "stack-mix", 130)
        assert told["labels"] == [0, 0, 1, 1, 2, 2]
        assert told["classes"] == {0: "tench", 1: "goldfish", 2: "great white shark"}
        assert told["verdicts"] == {}
        row = session.row(3)
        assert (row["class"], row["image_id"], row["boxes"]) == ("goldfish", "n01443537_0001", {})
        assert [entry["name"] for entry in row["caption"]] == [
            "top_source",
            "bottom_source",
            "top_sha256",
            "bottom_sha256",
        ]
        assert session.image(3) == (RowReader(mix_folder)[3]["image"]["bytes"], "image/png")
        assert len(session.rejected(0)["items"]) == 100
        assert [entry["item"] for entry in session.rejected(100)["items"]] == [f"picture {n}" for n in range(100, 130)]
        assert session.counts() == Counts(0, 0, 6)
        for number in (-1, 6):
            with pytest.raises(IndexError):
                session.row(number)


def test_what_is_told_of_a_stack_gen_set(gen_folder: Path) -> None:
    with ReviewSession.open(gen_folder) as session:
        caption = {entry["name"]: entry["value"] for entry in session.row(0)["caption"]}
        assert caption["seed"] == str(2**62), "a whole number is not rounded"
        assert caption["seen_score"] == "0.812"
        assert caption["crop"] == "100, 150, 800, 850"
        assert set(session.row(0)["boxes"]) == {"seen", "hidden"}
        assert session.overview()["thing"] == "animal"
        assert "generate" in session.redo_command()


def test_what_is_told_of_a_set_of_own_classes(own_folder: Path) -> None:
    with ReviewSession.open(own_folder) as session:
        told = session.overview()
        assert (told["classes"], told["thing"]) == ({1: "violin & bow"}, "object")
        assert session.row(0)["class"] == "violin & bow"


def test_decisions_are_stored_and_found_again(mix_folder: Path) -> None:
    with ReviewSession.open(mix_folder) as session:
        session.decide(3, "rejected", " two fish \n")
        session.decide(0, "keep", "")
        session.decide(1, "keep", "")
        session.decide(1, "undecided", "why not")
        assert set(read_decisions(mix_folder)) == {"n01440764_0000", "n01440764_0001", "n01443537_0001"}
        assert session.counts() == Counts(1, 1, 4)
        for verdict, comment in (("perhaps", ""), ("keep", "x" * 1001)):
            with pytest.raises(InputError):
                session.decide(2, verdict, comment)
        with pytest.raises(RunError, match="Another process reviews"):
            ReviewSession.open(mix_folder)
    with ReviewSession.open(mix_folder) as session:
        assert session.counts() == Counts(1, 1, 4)
        assert (session.row(3)["verdict"], session.row(3)["comment"]) == ("rejected", "two fish")
        assert session.row(1)["comment"] == "why not"
    assert verify(mix_folder) == []


def test_many_rows_are_not_held(mix_maker: Callable[..., Path], tmp_path: Path) -> None:
    """The index of many rows is there at once, a picture is read with its row group alone."""
    folder = mix_maker(tmp_path / "many", rows=1000)
    with ReviewSession.open(folder) as session:
        for number in range(0, 1000, 100):
            session.image(number)
        assert len(session) == 1000
        assert session._rows._group.cache_info().currsize == 4


def test_what_cannot_be_reviewed(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"manifest\.json"):
        ReviewSession.open(tmp_path)
