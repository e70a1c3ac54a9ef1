"""JSON that somebody else may have written."""

import os
import stat
import tarfile
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from stackwalls.hub_cards.cards.card_check import card_metadata
from stackwalls.model import InputError
from stackwalls.model.documents import COUNT, TEXT, checked, each, keys, parse_json, read_json, read_lines
from stackwalls.model.files import regular_file
from stackwalls.model.images import open_images
from stackwalls.stackmix import MixSpec, mix

SCHEMA = keys({"name": TEXT, "counts": keys({"kept": COUNT})}, {"more": each(COUNT)}, closed=True)


def test_what_fits_comes_back(tmp_path: Path) -> None:
    content = {"name": "é", "counts": {"kept": 3, "x": None}, "more": [1]}
    path = tmp_path / "a.json"
    path.write_bytes(b'\xef\xbb\xbf{"name": "\xc3\xa9", "counts": {"kept": 3, "x": null}, "more": [1]}')
    assert read_json(path, SCHEMA) == content
    assert parse_json("[9007199254740993, 1e308, -0.5]") == [9007199254740993, 1e308, -0.5]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "it is empty"),
        (b"{", "it is not JSON"),
        (b'{"a": "\xff"}', "not UTF-8"),
        (b'{"a": NaN}', "NaN is not a number of JSON"),
        (b'{"a": 1e999}', "JSON cannot hold"),
        (b'{"a": "\\ud800"}', "JSON cannot hold"),
        (b'{"a": ' + b"9" * 5000 + b"}", "the number 9999999999… has 5000 digits"),
        (b'{"a": 1, "b": 2, "a": 3}', "the key 'a' is there twice"),
        (b"[" * 40 + b"]" * 40, "nested"),
        (b"[" * 100_000, "nested"),
        (b"[]", "the content to be object, but found []"),
        (b'{"name": "x"}', "the content to have counts, but found only ['name']"),
        (b'{"name": 5, "counts": {"kept": 1}}', "`name` to be string, but found 5"),
        (b'{"name": "", "counts": {"kept": 1.0}}', "`counts.kept` to be integer, but found 1.0"),
        (b'{"name": "", "counts": {"kept": -1}}', "`counts.kept` to be of minimum 0, but found -1"),
        (b'{"name": "", "counts": {"kept": 1}, "more": [true]}', "`more[0]` to be integer, but found True"),
        (b'{"name": "", "counts": {"kept": 1}, "x": 1}', "'x' was unexpected"),
    ],
)
def test_what_does_not_is_said_with_file_key_expected_and_found(text: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(text)
    with pytest.raises(InputError) as caught:
        read_json(path, SCHEMA)
    assert str(caught.value).startswith(f"Cannot read {path}: ")
    assert said in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_value_that_holds_itself_many_times_over_is_refused_at_once() -> None:
    bomb: Any = []
    for _ in range(30):
        bomb = [bomb] * 10
    with pytest.raises(ValueError, match="too many values"):
        checked(bomb)


def test_lines_may_end_in_a_torn_one_but_no_other_is(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"step": 1}\n{"step": 2}\n{"st')
    assert read_lines(path, keys({"step": COUNT})) == [{"step": 1}, {"step": 2}]
    path.write_text('{"step": 1}\n{"step": \n{"step": 3}\n')
    with pytest.raises(InputError, match=r"Line 2 of .*a\.jsonl is damaged"):
        read_lines(path, keys({"step": COUNT}))
    path.write_text("<html>")
    with pytest.raises(InputError, match="Line 1"):
        read_lines(path, keys({"step": COUNT}))


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "self").symlink_to("self")
    (tmp_path / "good").write_bytes(b"x")
    (tmp_path / "link").symlink_to("good")
    assert regular_file(tmp_path / "link") == tmp_path / "link"
    for name, said in (("fifo", "a FIFO"), (".", "a folder"), ("self", "symbolic links"), ("none", "No such file")):
        with pytest.raises(OSError, match=said):
            regular_file(tmp_path / name)
    with pytest.raises(OSError, match="a device"):
        regular_file(Path(os.devnull))
    assert stat.S_ISFIFO((tmp_path / "fifo").stat().st_mode)


@pytest.mark.parametrize("text", ["a: &a 1\nb: *a", "a: !!set {x}", "a: " + "[" * 40 + "]" * 40])
def test_cards_are_plain_yaml(text: str) -> None:
    with pytest.raises(InputError, match="expected plain YAML"):
        card_metadata(f"---\n{text}\n---\n")
    assert card_metadata("---\nlicense: mit\n---\ntext")["license"] == "mit"


@pytest.mark.parametrize("names", [["a.png", "a.cls", "b.png", "b.cls", "a.png", "a.cls"], ["a.png", "a.cls", "a.png"]])
def test_a_sample_twice_in_a_shard_is_refused(names: list[str], tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for name in names:
            about = tarfile.TarInfo(name)
            about.size = 1
            tar.addfile(about, BytesIO(b"1"))
    with pytest.raises(InputError, match="has the sample a twice"):
        open_images(str(tmp_path)).labels  # noqa: B018 - they are read at first use


def test_a_finished_set_is_a_source(tmp_path: Path) -> None:
    """The images are one folder down; what the set rejected is none of them."""
    mix(MixSpec("drawn", classes=("goldfish", "tench")), tmp_path / "set")
    assert len(open_images(tmp_path / "set").labels) == 2
