"""What a person decided: on the disk at once, about that picture only, and no part of the set."""

import dataclasses
import errno
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from dataset_maker import contents, open_writer, png, write_folder

from stackwalls.hub_cards import (
    KEPT,
    REJECTED,
    UNDECIDED,
    Decision,
    DecisionLog,
    current_decisions,
    image_sha256,
    open_dataset,
    read_decisions,
    rejected_images,
    verify,
)
from stackwalls.model import InputError, RunError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_folder(tmp_path / "set", rows=12, rejected=1)
    return tmp_path / "set"


def decision(number: int, verdict: str = REJECTED, comment: str = "") -> Decision:
    return Decision(f"row{number:04d}", hashlib.sha256(png(number)).hexdigest(), verdict, comment)


def test_the_last_decision_counts_and_is_on_the_disk_at_once(folder: Path) -> None:
    assert read_decisions(folder) == current_decisions(folder) == {}
    with DecisionLog.open(folder) as log:
        for number, verdict in ((7, REJECTED), (2, KEPT), (7, KEPT), (3, REJECTED), (2, UNDECIDED)):
            log.record(decision(number, verdict, f"line\n{number} é"))
            assert read_decisions(folder)[f"row{number:04d}"].verdict == verdict
    found = current_decisions(folder)
    assert list(found) == ["row0002", "row0003", "row0007"]
    assert [entry.verdict for entry in found.values()] == [UNDECIDED, REJECTED, KEPT]
    assert found["row0007"].comment == "line\n7 é"
    assert rejected_images(folder) == {"row0003": decision(3, REJECTED, "line\n3 é")}


def test_a_decision_is_about_one_picture_and_comes_back_with_it(folder: Path) -> None:
    """A decision about a picture that is no longer there counts for nothing; an earlier one about this one does."""
    with DecisionLog.open(folder) as log:
        log.record(decision(1, REJECTED))
        log.record(decision(5, REJECTED))
        log.record(dataclasses.replace(decision(5, KEPT), picture_sha256="0" * 64))
        log.record(Decision("row0099", image_sha256(png(1)), REJECTED))
    assert read_decisions(folder)["row0005"].verdict == KEPT
    assert current_decisions(folder) == {"row0001": decision(1), "row0005": decision(5)}


def test_the_set_is_as_it_was(folder: Path) -> None:
    before = contents(folder)
    with DecisionLog.open(folder) as log:
        log.record(decision(0))
    after = contents(folder)
    assert {name: after[name] for name in before} == before
    assert {name.split("/")[0] for name in after.keys() - before.keys()} == {".review"}
    assert verify(folder) == []
    assert len(open_dataset(folder)) == 12
    with open_writer(folder) as writer:
        assert writer.manifest is not None
    assert after.keys() - {".review/lock"} <= contents(folder).keys()


def test_a_second_review_is_refused_and_a_third_is_not(folder: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from stackwalls.hub_cards import DecisionLog\n"
        "log = DecisionLog.open(Path(sys.argv[1])); print('open', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        with pytest.raises(RunError, match="Another process reviews"):
            DecisionLog.open(folder)
        other.kill()
    with DecisionLog.open(folder) as log:
        log.record(decision(0))
    with pytest.raises(InputError, match="is closed"):
        log.record(decision(1))


def test_half_a_line_is_no_decision_and_the_next_one_is_whole(folder: Path) -> None:
    path = folder / ".review/decisions.jsonl"
    with DecisionLog.open(folder) as log:
        log.record(decision(0))
        log.record(decision(1))
    whole = path.read_bytes()
    line = whole.index(b"\n") + 1
    for cut in range(line, len(whole)):
        path.write_bytes(whole[:cut])
        assert set(read_decisions(folder)) == {"row0000"}
        with DecisionLog.open(folder) as log:
            log.record(decision(2))
        assert set(read_decisions(folder)) == {"row0000", "row0002"}


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_a_disk_that_refuses_keeps_what_was_decided(folder: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refuse(_descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    with DecisionLog.open(folder) as log:
        log.record(decision(0))
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", refuse)
            with pytest.raises(RunError, match="disk is full" if number == errno.ENOSPC else "Cannot write"):
                log.record(decision(1))
        assert set(read_decisions(folder)) == {"row0000"}
        log.record(decision(2))
    assert set(read_decisions(folder)) == {"row0000", "row0002"}


def test_a_changed_file_is_said_with_its_line(folder: Path) -> None:
    with DecisionLog.open(folder) as log:
        log.record(decision(0))
    path = folder / ".review/decisions.jsonl"
    path.write_text(path.read_text() + json.dumps({"image_id": "row0001", "verdict": "keep"}) + "\n")
    for read in (read_decisions, rejected_images, DecisionLog.open):
        with pytest.raises(InputError, match=r"Line 2 of .*decisions\.jsonl is damaged"):
            read(folder)
    path.write_text(path.read_text().splitlines()[0] + "\n")
    DecisionLog.open(folder).close()  # the failed `open` let go of the lock


def test_only_a_finished_folder_can_be_reviewed(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"manifest\.json"):
        DecisionLog.open(tmp_path)
    assert list(tmp_path.iterdir()) == []


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no id": ({"image_id": ""}, "image_id"),
    "another type": ({"image_id": 3}, "image_id"),
    "no hash": ({"picture_sha256": "A" * 64}, "SHA-256"),
    "unknown verdict": ({"verdict": "maybe"}, "keep, rejected, undecided"),
    "long comment": ({"comment": "x" * 1001}, "at most 1000"),
    "half a character": ({"comment": "\ud800"}, "whole characters"),
    "a token": ({"comment": "mine is hf_" + "a" * 30}, "access token"),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_is_no_decision(kind: str) -> None:
    changes, message = BAD[kind]
    with pytest.raises(InputError, match=message) as error:
        dataclasses.replace(decision(0), **changes)
    assert "hf_aaa" not in str(error.value)
    dataclasses.replace(decision(0), comment="/bin of the picture")  # a path is the manifest's matter, not a comment's
