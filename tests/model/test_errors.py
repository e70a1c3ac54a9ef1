import time
from pathlib import Path

import huggingface_hub
import pytest

from stackwalls.model import InputError, quotable, reason_of, without_tokens
from stackwalls.model.errors import QUOTED

SECRET = "my-own-endpoint-token"  # not of the Hub's form
HUB_TOKEN = "hf_" + "AbC123" * 5


@pytest.mark.parametrize("place", ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "the file of `hf auth login`"])
def test_this_users_token_is_not_quoted(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if place.isupper():
        monkeypatch.setenv(place, f" {SECRET}\n")
    else:
        (tmp_path / "token").write_text(SECRET + "\n")
        monkeypatch.setattr(huggingface_hub.constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    assert quotable(f"Bearer {SECRET}, {HUB_TOKEN}: refused") == "Bearer hf_…, hf_…: refused"


def test_a_short_value_is_not_taken_for_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "none")
    said = "none of hf_transfer, hf_hub_download and hf_xet"
    assert without_tokens(said) == said


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("\x1b[31mred\x1b[0m \x1b]8;;http://x\x07link\x1b]0;title\x1b\\", "red link"),
        ("a\x00b\x9bc\u202ed\u2066e\ud800f\u2028g\r\n\th", "a b c d e f g h"),
        ("  naïve – 画像 🐟  ", "naïve – 画像 🐟"),
        ("", ""),
    ],
)
def test_one_line_that_a_terminal_and_a_file_take(text: str, quoted: str) -> None:
    assert quotable(text) == quoted
    quoted.encode()


def test_a_long_text_is_cut_and_no_part_of_a_token_is_left() -> None:
    for length in range(QUOTED - len(HUB_TOKEN) - 2, QUOTED + 2):
        found = quotable("x" * length + HUB_TOKEN + ", " + "-" * QUOTED)
        assert len(found) == QUOTED
        assert found.endswith("…")
        assert not set(found) & set("AbC123")
    started = time.perf_counter()
    assert len(quotable(("line\n" + HUB_TOKEN) * 600_000, most=100)) == 100  # 20 MB
    assert time.perf_counter() - started < 5


class _MuteError(Exception):
    def __str__(self) -> str:
        raise RuntimeError


def test_reasons() -> None:
    assert reason_of(ValueError("\nfirst\nsecond")) == "ValueError: first"
    assert reason_of(InputError("What was wrong.")) == "What was wrong."
    assert reason_of(KeyError()) == "KeyError: no message"
    assert reason_of(_MuteError()) == "_MuteError: no message"
