"""Folders from somebody else: whatever is in them, a command says so in a sentence, changes nothing, and ends."""

import random
import re
import time
from pathlib import Path

import malformed
import pytest
from malformed import Case

from stackwalls.model import RunError
from stackwalls.stackgen.cli import main


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("templates")
    malformed.make(place)
    return place


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A review page that nobody looks at, and no Hub."""

    def stopped(*_args: object, **_kwargs: object) -> None:
        raise KeyboardInterrupt

    def no_hub(*_: object) -> None:
        raise RunError("There is no Hub in this test.")

    monkeypatch.setattr("stackwalls.stackgen.review.review_server.ReviewServer.serve_forever", stopped)
    monkeypatch.setattr("stackwalls.hub_cards.publishing.plan.find_account", no_hub)


def outcomes(case: Case, root: Path, place: Path, seed: int, capsys: pytest.CaptureFixture[str]) -> list[int]:
    """The exit status of each command that reads the case's folder, after checking how it ended."""
    statuses = []
    for number, command in enumerate(case.kind.commands):
        folder = case.build(root, place / str(number), seed)
        before, started = malformed.snapshot(folder), time.monotonic()
        words = [word.replace("{}", str(folder)) for word in command]
        status = main(words)
        said = capsys.readouterr()
        assert status in (0, 1, 2), (str(case), words, status)
        assert time.monotonic() - started < 60, (str(case), words)
        if status and command[0] != "verify" and "--check" not in command:  # which print what they find
            *_, last = said.err.strip().splitlines()
            assert last.startswith("stackgen: "), (str(case), words, said.err)
            assert len(last) < 2000, (str(case), words, last)
            assert "Traceback" not in said.err, (str(case), words, said.err)
            if "--license" not in command:  # which is written into the card first
                assert unlocked(malformed.snapshot(folder)) == unlocked(before), (str(case), words)
        statuses.append(status)
    return statuses


def unlocked(snapshot: dict[str, str]) -> dict[str, str]:
    """Without locks, which hold nothing, and blocks that a resumed evaluation has done before it came to a bad one."""
    return {
        name: said
        for name, said in snapshot.items()
        if name != ".review" and not name.endswith("lock") and not (".unfinished/items" in name and ".tmp" not in name)
    }


HARMLESS = re.compile(
    r"(another value|a missing key|another key|another column|nulls)$"  # of what need not be there, or may be anything
    r"|items/|review/lock|: (empty|half of it)$"  # made again; a log whose last line was cut short
    r"|published/.*: (sealed: other|too large|odd text|other text)$"  # classes by number and texts may be any
)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_300_malformed_folders(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chance, every = random.Random(0), malformed.cases(root)
    chosen = chance.sample(every, 300) if len(every) > 300 else every
    accepted, failures = [], []
    for seed, case in enumerate(chosen):
        try:  # all of them, and what is wrong with each
            if not any(outcomes(case, root, tmp_path / str(seed), seed, capsys)) and not HARMLESS.search(str(case)):
                accepted.append(f"{seed} {case}")
        except Exception as error:
            failures.append(f"{seed} {case}: {type(error).__name__}: {str(error)[:300]}")
    assert not failures, "\n".join(failures)
    assert not accepted, "\n".join(accepted)


QUICK = re.compile(
    r"scores/a\.json: (a FIFO|a socket|a folder|a link to itself|a device|a sparse terabyte|empty|HTML|5000 digits"
    r"|4000 digits|NaN|1e999|a deep list|a deep value|a key twice|bad UTF-8|null|a list|text|another value)"
    r"|reviewed/\.review/decisions\.jsonl: (a FIFO|another value|a deep list|bad UTF-8|a key twice|random bytes)"
)


def test_some_malformed_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Those that need no network, no images and no training."""
    root = tmp_path / "root"
    malformed.make_quick(root)
    chosen = [case for case in malformed.cases(root) if QUICK.match(str(case))]
    assert len(chosen) > 22
    for seed, case in enumerate(chosen):
        assert any(outcomes(case, root, tmp_path / str(seed), seed, capsys)), str(case)
