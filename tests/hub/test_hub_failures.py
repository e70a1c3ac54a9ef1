"""What the Hub refuses or does not answer is one sentence with one exit status, in every command that can meet it."""

import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest
from huggingface_hub import errors
from loopback_hub import BAD_TOKEN, OTHER_TOKEN, TOKENS, LoopbackHub
from publications import drawn

from stackwalls.model import HubId, InputError, RunError, hub_failures, retried
from stackwalls.model.hub.failures import WAITS, first_line
from stackwalls.stackgen import cli

Failure = Callable[[LoopbackHub, pytest.MonkeyPatch], object]

ID = "user/thing"

COMMANDS = {
    "mix --source": ("mix --source {id} --classes 1 --out out", "dataset"),
    "mix --recipe": ("mix --recipe {id} --source drawn --out out", "dataset"),
    "train --data": ("train --data {id} --recipe tiny --masked --device cpu --out out", "dataset"),
    "evaluate DATASET": ("evaluate {id} --model mini-masked-vgg16 --method GradCAM --out out", "dataset"),
    "evaluate --model": ("evaluate set --model {id} --method GradCAM --out out", "model"),
    "certify": ("certify {id}", "model"),
    "generate --model": ("generate --model {id} --classes 1 --localizer foreground --out out", "model"),
    "generate --localizer": ("generate --preset mini --localizer {id} --classes 1 --out out", "model"),
    "publish": ("publish set {id} --yes", "dataset"),
}


def somebody_elses(hub: LoopbackHub, patch: pytest.MonkeyPatch) -> None:
    patch.setenv("HF_TOKEN", OTHER_TOKEN)
    for repository in hub.state.repositories.values():
        repository.private = True


def gated(hub: LoopbackHub, patch: pytest.MonkeyPatch) -> None:
    patch.setenv("HF_TOKEN", OTHER_TOKEN)
    for repository in hub.state.repositories.values():
        repository.gated = "manual"


def offline(_: LoopbackHub, patch: pytest.MonkeyPatch) -> None:
    from huggingface_hub.utils._http import close_session

    patch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    patch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    close_session()  # the client asks whether it is offline when it makes a session
    patch.setattr("huggingface_hub.utils._http._GLOBAL_CLIENT", None)


NO_SUCH = "the Hub shows no such (dataset|model). Check the id"

FAILURES: dict[str, tuple[Failure, int, str]] = {
    "missing": (
        lambda hub, _: hub.state.repositories.clear(),
        2,
        "the Hub shows no such (dataset|model). Check the id",
    ),
    "private": (somebody_elses, 2, NO_SUCH),
    "no revision": (lambda *_: None, 2, "the (dataset|model) has no such revision; see http"),
    "gated": (gated, 1, "it is gated. Request access at http.*, then log in"),
    "token refused": (lambda _, patch: patch.setenv("HF_TOKEN", BAD_TOKEN), 1, "does not accept the access token"),
    "forbidden": (lambda hub, _: hub.fault(status=403, times=10**6), 1, "the Hub forbids it"),
    "unreachable": (lambda hub, _: hub.fault(drop=True, times=10**6), 1, "the Hub cannot be reached"),
    "offline": (offline, 1, "HF_HUB_OFFLINE is set"),
    "429": (lambda hub, _: hub.fault(status=429, times=10**6), 1, "the Hub answered 429"),
    "500": (lambda hub, _: hub.fault(status=500, times=10**6), 1, "the Hub answered 500"),
}
NOT_FOR_PUBLISH = {"missing", "private", "no revision", "gated"}
"""A repository that is missing is created; the others are the account's own."""


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return drawn(tmp_path_factory.mktemp("sets") / "set", rows=2)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("failure", FAILURES)
def test_every_command_says_one_sentence(
    failure: str,
    command: str,
    hub: LoopbackHub,
    dataset: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if command == "publish" and failure in NOT_FOR_PUBLISH:
        pytest.skip("cannot happen")
    (tmp_path / "set").symlink_to(dataset)
    words, kind = COMMANDS[command]
    hub.api().create_repo(ID, repo_type=kind)
    for name in ("config.json", "model_index.json", "manifest.json"):
        hub.api().upload_file(path_or_fileobj=b"{}", path_in_repo=name, repo_id=ID, repo_type=kind)
    arrange, status, said = FAILURES[failure]
    arrange(hub, monkeypatch)
    name = f"{ID}@v9" if failure == "no revision" else ID
    line = words.format(id=name)
    if failure == "no revision" and command == "generate --model":
        line = words.format(id=ID) + " --revision v9"
    assert cli.main(line.split()) == status
    text = capsys.readouterr().err.splitlines()[-1]
    assert text.startswith("stackgen: Cannot ")
    assert ID in text
    assert re.search(said, text), text
    assert not [token for token in TOKENS if token in text]


class Answer:
    """Stands for an HTTP answer in the client's errors."""

    headers: dict[str, str] = {}  # noqa: RUF012
    request = None

    def __init__(self, status: int) -> None:
        self.status_code = status


def datasets_error(text: str) -> Exception:
    from datasets.exceptions import DatasetNotFoundError

    return DatasetNotFoundError(text)


URL = "https://huggingface.co/datasets/a/b/resolve/v9/data/manifest.json"

RAISED: list[tuple[Exception, type[Exception], str]] = [
    (errors.HFValidationError("Repo id must …"), InputError, r"expected owner/name\[@revision\] \(Repo id must …\)"),
    (errors.RepositoryNotFoundError("no", response=Answer(401)), InputError, "shows no such dataset"),
    (errors.RemoteEntryNotFoundError(f"404 Client Error.\n\nEntry Not Found for url: {URL}.", response=Answer(404)),
     InputError, r"it is not a recipe \(it has no data/manifest\.json\); see http"),
    (datasets_error("Dataset 'a/b' doesn't exist on the Hub or cannot be accessed."), InputError, "no such dataset"),
    (datasets_error("Revision 'v9' doesn't exist for dataset 'a/b' on the Hub."), InputError, "no such revision"),
    (datasets_error("Dataset 'a/b' is a gated dataset on the Hub."), RunError, "it is gated"),
    (errors.GatedRepoError("no", response=Answer(403)), RunError, "it is gated"),
    (errors.LocalTokenNotFoundError("no"), RunError, "there is no access token; log in with `hf auth login`"),
    (errors.HfHubHTTPError("no", response=Answer(418)), RunError, r"the Hub answered 418 \(no\)\. Or wait\.$"),
    (errors.HfHubHTTPError("no", response=Answer(503)), RunError, "answered 503 .* Run the same command again later"),
    (errors.LocalEntryNotFoundError("no"), RunError, "cannot be reached, and the cache has no complete copy"),
    (httpx2.ConnectError("[Errno 111] Connection refused"), RunError, "cannot be reached .* refused.* again. Or wait"),
    (TimeoutError("timed out"), RunError, "cannot be reached"),
]  # fmt: skip


@pytest.mark.parametrize(("error", "kind", "said"), RAISED)
def test_what_the_clients_raise(error: Exception, kind: type[Exception], said: str) -> None:
    """As it is, and wrapped by another library."""
    wrapped = RuntimeError("a library wraps it")
    wrapped.__cause__ = error
    for raised in (error, wrapped):
        with (
            pytest.raises(kind, match=said) as found,
            hub_failures("read", "dataset", "a/b", "v9", no_file="it is not a recipe", otherwise="wait"),
        ):
            raise raised
        assert str(found.value).startswith("Cannot read a/b@v9: ")
        assert "\n" not in str(found.value)


def test_what_is_not_the_hubs_stays() -> None:
    """A full disk, a bug and our own errors are none of its failures."""
    for error in (OSError(28, "No space left on device"), KeyError("bug"), InputError("ours")):
        with pytest.raises(type(error)) as found, hub_failures("read", "model", "a/b"):
            raise error
        assert found.value is error


def test_an_id() -> None:
    assert HubId.parse("user/name") == HubId.parse("hf://datasets/user/name") == HubId("user/name")
    assert HubId.parse("hf://user/name@refs/pr/1:validation") == HubId("user/name", "refs/pr/1", "validation")
    assert str(HubId.parse("u-1/a.b_c@v1.0")) == "u-1/a.b_c@v1.0"
    for text in (
        "name",
        "",
        "/user/name",
        "./user/name",
        "user/name@",
        "a/b/c",
        "m:f",
        "user/na me",
        "user/..",
        "user/hf://name",
    ):
        assert HubId.parse(text) is None


def test_tokens_and_signed_addresses_are_not_shown() -> None:
    token = TOKENS[0]
    said = f"403 Client Error for {token}\n\n(Request ID: x)\nNo right to https://x.y/file?X-Signature=abc by {token}."
    assert first_line(Exception(said)) == "No right to https://x.y/file by hf_…"
    assert first_line(Exception()) == "Exception"


def test_only_what_may_pass_is_retried(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr("stackwalls.model.hub.failures.time", SimpleNamespace(sleep=waited.append))
    raised: list[Exception] = []

    def step(value: int) -> int:
        if raised:
            raise raised.pop(0)
        return value

    uploading: Any = RuntimeError("Error while uploading")
    uploading.__cause__ = httpx2.ReadTimeout("slow")
    raised[:] = [errors.HfHubHTTPError("busy", response=Answer(503)), ConnectionError("reset"), uploading]
    assert retried(step, 7) == 7
    assert tuple(waited) == WAITS[:3]
    for error in (
        errors.HfHubHTTPError("no", response=Answer(403)),
        errors.OfflineModeIsEnabled("off"),
        RunError("ours"),
        OSError(28, "full"),
    ):
        raised[:] = [error]
        with pytest.raises(type(error)):
            retried(step, 7)
    assert len(waited) == 3
    raised[:] = [ConnectionError("reset")] * 9
    with pytest.raises(ConnectionError):
        retried(step, 7)
    assert len(raised) == 9 - 1 - len(WAITS)


@pytest.mark.parametrize("odd", ["\u200b", "\t", " ", "é", "\x00"])
@pytest.mark.parametrize("command", ["certify user/thing", "publish set user/thing", "prompts --classes user/thing"])
def test_a_token_that_cannot_be_one(
    command: str,
    odd: str,
    hub: LoopbackHub,
    dataset: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Copied with something in it; what is around it is left out by the client."""
    (tmp_path / "set").symlink_to(dataset)
    token = f"{TOKENS[0][:9]}{odd}{TOKENS[0][9:]}"
    monkeypatch.setattr("huggingface_hub.utils._auth._get_token_from_environment", lambda: token)
    status = cli.main(command.split())
    said = capsys.readouterr().err.splitlines()[-1]
    assert status == 2
    assert f"the access token (HF_TOKEN, or the one of `hf auth login`) holds U+{ord(odd):04X} at position 10" in said
    assert TOKENS[0][9:] not in said
    assert hub.state.requests == []
