"""Any row by its number, against all of them read at once."""

import random
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from dataset_maker import write_folder

from stackwalls.hub_cards import RowReader, row_reader
from stackwalls.hub_cards.writing import finishing
from stackwalls.model import InputError, RunError


def test_rows_in_any_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four shards of one or two row groups each, fewer groups held than there are."""
    monkeypatch.setattr(finishing, "SHARD_BYTES", 30_000)
    monkeypatch.setattr(row_reader, "HELD_GROUPS", 2)
    write_folder(tmp_path / "set", rows=350, part=40)
    shards = sorted((tmp_path / "set/data").iterdir())
    assert len(shards) > 1
    expected = [row for shard in shards for row in pq.read_table(shard).to_pylist()]
    rows = RowReader(tmp_path / "set")
    assert len(rows) == 350
    order = [random.Random(0).randrange(350) for _ in range(60)] + [0, 99, 100, 199, 200, 349]
    assert [rows[number] for number in order] == [expected[number] for number in order]
    assert rows._group.cache_info().currsize == 2
    assert rows.columns("image_id", "label") == {
        "image_id": [row["image_id"] for row in expected],
        "label": [row["label"] for row in expected],
    }
    for number in (-1, 350):
        with pytest.raises(IndexError):
            rows[number]


def test_a_damaged_shard_is_said(tmp_path: Path) -> None:
    write_folder(tmp_path / "set", rows=5)
    rows = RowReader(tmp_path / "set")
    (shard,) = (tmp_path / "set/data").iterdir()
    shard.write_bytes(b"x" * shard.stat().st_size)
    for read in (lambda: rows[0], lambda: rows.columns("label"), lambda: RowReader(tmp_path / "set")):
        with pytest.raises(RunError, match="Cannot read"):
            read()
    shard.write_bytes(b"")
    with pytest.raises(InputError, match="0 bytes instead of"):
        RowReader(tmp_path / "set")
