"""Records of single items: what is written comes back, and what is damaged is noticed."""

import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from dataset_maker import png
from hypothesis import given
from hypothesis import strategies as st

from stackwalls.hub_cards import ItemRecord
from stackwalls.hub_cards.item_record import read_header, read_record, reasons_by_item, record_path, write_record
from stackwalls.model import RunError

TEXTS = st.lists(st.text(max_size=20), max_size=4).map(tuple)


def row_of(picture: bytes) -> dict[str, Any]:
    return {"image": {"bytes": picture, "path": "a.png"}, "label": 3, "seen_share": 0.1, "crop": [0, 1, 2, 3]}


@given(TEXTS, TEXTS, st.none() | st.binary(min_size=1, max_size=300))
def test_what_is_written_comes_back(reasons: tuple[str, ...], devices: tuple[str, ...], picture: bytes | None) -> None:
    record = ItemRecord("n1_00000", reasons, None if picture is None else row_of(picture), devices)
    with tempfile.TemporaryDirectory() as name:
        write_record(Path(name), record)
        assert read_record(Path(name), "n1_00000") == record
        header = read_header(Path(name), "n1_00000")
        assert header is not None
        assert replace(header, row=None) == replace(record, row=None)
        if record.row is not None and header.row is not None:
            assert {**header.row, "image": None} == {**record.row, "image": None}
            assert set(header.row["image"]) == {"path", "sha256"}
        assert [path.name for path in Path(name).iterdir()] == ["n1_00000.item"]


@given(
    st.dictionaries(
        st.from_regex(r"[a-z]\d{0,3}(_\d+)?( attempt \d)?", fullmatch=True), st.lists(st.text()), max_size=5
    )
)
def test_rejections_are_read_back_by_item(reasons: dict[str, list[str]]) -> None:
    entries = [entry for name, found in reasons.items() for entry in ItemRecord(name, tuple(found)).rejections()]
    assert reasons_by_item(entries) == {name: found for name, found in reasons.items() if found}


def test_a_missing_and_a_foreign_record(tmp_path: Path) -> None:
    assert read_header(tmp_path, "a") is None
    for content in (b"", b"[]\n", b"{}\n", json.dumps({"rejected": 3}).encode()):
        record_path(tmp_path, "a").write_bytes(content)
        assert read_header(tmp_path, "a") == ItemRecord("a"), "the item is made again"


def test_a_damaged_picture_is_noticed_and_removed(tmp_path: Path) -> None:
    write_record(tmp_path, ItemRecord("a", (), row_of(png(1))))
    path = record_path(tmp_path, "a")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(RunError, match="is damaged; it was removed"):
        read_record(tmp_path, "a")
    assert not path.exists()
