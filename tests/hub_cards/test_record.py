from pathlib import Path
from typing import Any

import datasets
import pytest
from dataset_maker import make_row, png

from stackwalls.hub_cards import MEANINGS, encode_rows, stack_gen_features, stack_mix_features
from stackwalls.hub_cards.writing.finishing import write_parquet
from stackwalls.model import InputError, class_names

GEN_ROW: dict[str, Any] = {
    "image": {"bytes": png(0), "path": "a.png"},
    "label": "tench",
    "image_id": "a",
    "prompt": "a tench on top of a goldfish",
    "seed": 2**40,
    "attempt": 3,
    "model": "someone/some-model",
    "revision": "0123abc",
    "seen_box": [0.5, 1, 2, 3],
    "hidden_box": [4, 5, 6, 7],
    "crop": [0, 0, 512, 512],
    "seen_score": 0.5,
    "hidden_score": None,
    "seen_share": 1,
    "hidden_share": 0.25,
    "background": 0,
}


@pytest.mark.parametrize("features", [stack_mix_features(), stack_gen_features()])
def test_shared_columns(features: datasets.Features) -> None:
    assert isinstance(features["image"], datasets.Image)
    assert features["label"].names == list(class_names())
    assert features["image_id"].dtype == "string"
    assert features.keys() <= MEANINGS.keys()


def test_generated_rows_survive_parquet_and_load_dataset(tmp_path: Path) -> None:
    with (tmp_path / "test.parquet").open("wb") as file:
        write_parquet(file, encode_rows([GEN_ROW, GEN_ROW], stack_gen_features()))
    read = datasets.Dataset.from_parquet(str(tmp_path / "test.parquet"), cache_dir=str(tmp_path / "cache"))
    assert read.features == stack_gen_features()
    row = read[1]
    assert row["label"] == 0
    assert row["seen_box"] == [0.5, 1, 2, 3]
    assert row["seed"] == 2**40
    assert row["hidden_score"] is None
    assert row["image"].size == (224, 224)


def test_a_file_of_the_same_name_does_not_replace_the_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    row = make_row(1)
    (tmp_path / row["image"]["path"]).write_bytes(b"something else")
    assert encode_rows([row], stack_mix_features()).to_pylist()[0]["image"] == row["image"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image": {"bytes": b"x", "path": "/home/me/a.png"}}, "bare file name"),
        ({"image": {"bytes": b"x", "path": "sub/a.png"}}, "bare file name"),
        ({"image": {"bytes": b"x", "path": "sub\\a.png"}}, "bare file name"),
        ({"image": {"bytes": b"x", "path": None}}, "bare file name"),
        ({"image": {"bytes": None, "path": "a.png"}}, "encoded file"),
        ({"image": {"bytes": b"", "path": "a.png"}}, "encoded file"),
        ({"label": 1000}, "1000"),
        ({"label": -1}, "not a class"),
        ({"label": "no such animal"}, "no such animal"),
        ({"label": None}, "label must not be empty"),
        ({"image_id": None}, "image_id must not be empty"),
        ({"top_source": 5}, "top_source to be string"),
        ({"extra": 1}, r"\['extra'\] unknown"),
    ],
)
def test_rows_that_do_not_fit_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        encode_rows([make_row(0), make_row(1) | change], stack_mix_features())


def test_missing_columns_are_named() -> None:
    row = make_row(0)
    del row["top_source"]
    with pytest.raises(InputError, match=r"\['top_source'\] are missing"):
        encode_rows([row], stack_mix_features())
