import json
from dataclasses import replace
from typing import Any

import pytest
from dataset_maker import SPEC
from hypothesis import given, strategies as st

from stackwalls.hub_cards import Manifest
from stackwalls.hub_cards.manifest import as_json, differences
from stackwalls.model import InputError

MANIFEST = Manifest(
    format=1,
    kind="stack-mix",
    spec=SPEC,
    versions={"numpy": "2.0"},
    inputs={"é": [1, 0.5, None, True]},
    counts={"requested": 3, "kept": 2, "rejected": 1},
    files={"data/test-00000-of-00001.parquet": {"sha256": "0" * 64, "bytes": 10, "rows": 2}},
)

json_values = st.recursive(
    st.sampled_from([None, True, False, 0, 1, 2.5, "", "x"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "a.b", "0"]), inner, max_size=3)
    ),
    max_leaves=8,
)
json_objects = st.dictionaries(st.sampled_from(["a", "b", "a.b", "a[0]"]), json_values, max_size=4)


def test_round_trip() -> None:
    text = MANIFEST.to_json()
    assert Manifest.from_json(text) == MANIFEST
    assert list(json.loads(text)) == sorted(json.loads(text))
    assert str(MANIFEST.wall) == "bottom:54"


def test_any_changed_byte_is_refused() -> None:
    data = MANIFEST.to_json().encode()
    for position in range(len(data)):
        changed = bytearray(data)
        changed[position] ^= 1 << position % 8
        with pytest.raises((InputError, UnicodeDecodeError)):
            Manifest.from_json(bytes(changed).decode())


@pytest.mark.parametrize("cut", [0, 1, 100, -1])
def test_a_truncated_manifest_is_refused(cut: int) -> None:
    with pytest.raises(InputError):
        Manifest.from_json(MANIFEST.to_json()[:cut])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 2}, "format 2"),
        ({"kind": "other"}, "stack-gen"),
        ({"spec": {"source": "x", "wall": "bottom:54"}}, "per_class, seed"),
        ({"spec": SPEC | {"wall": "bottom:999"}}, "does not fit"),
        ({"counts": {"kept": 2}}, "`counts` to have requested, rejected"),
        ({"counts": {"requested": 4, "kept": 2, "rejected": 1}}, "4 were requested"),
        ({"counts": {"requested": 2, "kept": 3, "rejected": -1}}, "`counts.rejected` to be of minimum 0, but found -1"),
        ({"files": {"/a": {"sha256": "0" * 64, "bytes": 1}}}, "'/a'"),
        ({"files": {"../a": {"sha256": "0" * 64, "bytes": 1}}}, "not the name of a file"),
        ({"files": {"a": {"sha256": "0", "bytes": 1}}}, r"`files.a.sha256` to be of pattern"),
        ({"files": {"a": {"sha256": "0" * 64, "bytes": 1, "rows": 1.0}}}, "to be integer, but found 1.0"),
        ({"files": {"a": {"sha256": "0" * 64, "bytes": True}}}, "`files.a.bytes` to be integer, but found True"),
    ],
)
def test_what_does_not_hold_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        replace(MANIFEST, **change)


@pytest.mark.parametrize(("requested", "valid"), [(1, False), (2, True), (4, True), (5, True), (6, False)])
def test_stack_gen_leaves_no_hole_without_a_reason(requested: int, valid: bool) -> None:
    counts = {"requested": requested, "kept": 2, "rejected": 3}
    if valid:
        replace(MANIFEST, kind="stack-gen", counts=counts)
    else:
        with pytest.raises(InputError, match="disagree"):
            replace(MANIFEST, kind="stack-gen", counts=counts)


@pytest.mark.parametrize("path", ["/home/me/val", "C:\\val", "c:/val", "~/val", "file:///val", "\\\\host\\val"])
def test_absolute_paths_are_refused(path: str) -> None:
    for change in ({"spec": SPEC | {"source": path}}, {"inputs": {"a": [{"b": path}]}}, {"inputs": {path: 1}}):
        with pytest.raises(InputError, match="absolute path"):
            replace(MANIFEST, **change)


def test_tokens_are_refused_and_not_repeated() -> None:
    token = "hf_" + "a1B2" * 8
    for change in (
        {"spec": SPEC | {"x": f"Bearer {token}"}},
        {"inputs": {token: "x"}},
        {"inputs": {token: f"/{token}"}},
    ):
        with pytest.raises(InputError, match="token") as caught:
            replace(MANIFEST, **change)
        assert token not in str(caught.value)


def test_values_that_json_cannot_hold_are_refused() -> None:
    with pytest.raises(InputError, match="JSON"):
        as_json({"a": float("nan")})
    with pytest.raises(InputError, match="JSON"):
        as_json({"a": object()})
    assert as_json({"a": (1, 2)}) == {"a": [1, 2]}


def test_differences_name_the_keys_with_both_values() -> None:
    there, now = {"a": [1, 2], "b": {"c": "x"}}, {"a": [1, 3, 4], "b": {"c": "y" * 99}, "d": True}
    found = differences(there, now)
    assert found[:2] == ["a[1] is 2 there, 3 now", "a[2] is absent there, 4 now"]
    assert found[2].startswith('b.c is "x" there, "yyy')
    assert len(found[2]) < 100
    assert found[3] == "d is absent there, true now"
    assert differences({"a": 1}, {"a": True}) == ["a is 1 there, true now"]


@given(json_objects, json_objects)
def test_there_are_differences_exactly_where_the_json_differs(left: dict[str, Any], right: dict[str, Any]) -> None:
    same = json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True)
    assert (differences(left, right) == []) == same
