"""A part of a dataset is read without decoding the rest, and what a dataset holds can be told from another."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from dataset_maker import write_folder
from hypothesis import given, strategies as st
from PIL import Image

from stackwalls.hub_cards import StackDataset, open_dataset, stack_dataset
from stackwalls.model import InputError
from stackwalls.model.images import ImageRow

LENGTH = 12


def numbered() -> StackDataset:
    """Each picture is of its number's grey, and is drawn where it would be decoded."""
    rows = [ImageRow(str(number), number, partial(bytes, [number])) for number in range(LENGTH)]
    return StackDataset("numbered", lambda start: iter(rows[start:]), LENGTH)


@pytest.fixture(autouse=True)
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The rows that were decoded."""
    seen: list[int] = []
    original = stack_dataset.decode

    def pixels(content: bytes) -> np.ndarray:
        if len(content) > 1:
            return original(content)
        seen.append(content[0])
        return np.full((224, 224, 3), content[0], dtype=np.uint8)

    monkeypatch.setattr(stack_dataset, "decode", pixels)
    return seen


def edges() -> st.SearchStrategy[list[tuple[int, int]]]:
    """Spans in order and apart."""
    cuts = st.lists(st.integers(0, LENGTH), unique=True, max_size=LENGTH).map(sorted)
    return cuts.map(lambda cut: list(zip(cut[::2], cut[1::2], strict=False)))


@given(spans=edges(), size=st.integers(1, 5))
def test_spans_are_slices(spans: list[tuple[int, int]], size: int) -> None:
    found = [batch.labels.tolist() for batch in numbered().batches(size, spans)]
    rows = list(range(LENGTH))
    expected = [rows[start:stop][i : i + size] for start, stop in spans for i in range(0, stop - start, size)]
    assert found == expected


def test_rows_between_are_not_decoded(decoded: list[int]) -> None:
    list(numbered().batches(4, [(2, 4), (9, 10)]))
    assert decoded == [2, 3, 9]


@pytest.mark.parametrize("spans", [[(3, 2)], [(2, 2)], [(4, 6), (1, 2)], [(0, 3), (2, 5)]])
def test_spans_that_are_no_spans(spans: list[tuple[int, int]]) -> None:
    with pytest.raises(InputError, match=r"Expected spans \(start, stop\) of rows, in order"):
        numbered().batches(4, spans)


def test_a_folders_parts(tmp_path: Path) -> None:
    write_folder(tmp_path / "stack-mix", rows=11)
    dataset = open_dataset(tmp_path / "stack-mix")
    whole = [name for batch in dataset.batches(4) for name in batch.image_ids]
    part = [name for batch in dataset.batches(4, [(1, 3), (7, 11)]) for name in batch.image_ids]
    assert part == whole[1:3] + whole[7:11]


def test_identities(tmp_path: Path) -> None:
    write_folder(tmp_path / "one", rows=3)
    write_folder(tmp_path / "two", rows=3)
    write_folder(tmp_path / "more", rows=4)
    one, two, more = (open_dataset(tmp_path / name).identity for name in ("one", "two", "more"))
    assert one == two != more
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    Image.new("RGB", (8, 8)).save(pictures / "a.png")
    before = open_dataset(pictures).identity
    assert open_dataset(pictures).identity == before
    (pictures / "a.png").rename(pictures / "b.png")
    renamed = open_dataset(pictures).identity
    assert renamed != before
    content = bytearray((pictures / "b.png").read_bytes())
    content[-20] ^= 1  # another picture of the same size
    (pictures / "b.png").write_bytes(content)
    assert open_dataset(pictures).identity != renamed
