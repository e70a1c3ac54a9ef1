"""What a publication does where nothing is in its way: create, update, leave alone, tag, gate."""

import json
import sys
from pathlib import Path

import pytest
from dataset_maker import contents, make_row, open_writer
from loopback_hub import BAD_TOKEN, OTHER_TOKEN, READ_TOKEN, TOKENS, WRITE_TOKEN, LoopbackHub
from loopback_hub_state import Entry
from publications import drawn, published, put

from stackwalls.hub_cards import Manifest
from stackwalls.hub_cards.publishing.plan import PublishSpec, plan_publication
from stackwalls.hub_cards.publishing.upload import publish
from stackwalls.model import InputError, RunError
from stackwalls.stackgen import cli


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return drawn(tmp_path / "stack-mix")


def writes(hub: LoopbackHub) -> list[tuple[str, str]]:
    """Requests that change something."""
    harmless = ("validate-yaml", "/preupload/", "/objects/batch")
    return [
        (method, path)
        for method, path in hub.state.requests
        if method not in ("GET", "HEAD") and not any(part in path for part in harmless)
    ]


def test_a_plan_sends_nothing(hub: LoopbackHub, folder: Path) -> None:
    plan = plan_publication(PublishSpec(str(folder), "user/stack-mix", tag="v1.0"))
    text, record = plan.to_text(), plan.to_dict()
    assert writes(hub) == []
    assert hub.state.repositories == {}
    for name, data in published(folder).items():
        assert f"  new        {name}" in text
        entry = next(file for file in record["files"] if file["path"] == name)
        assert (entry["bytes"], entry["change"]) == (len(data), "new")
    assert "everybody (public)" in text
    assert record["licence"] == "apache-2.0"
    assert record["account"] == "user"


def test_a_folder_goes_up_as_it_lies_on_the_disk(hub: LoopbackHub, folder: Path) -> None:
    done = put(folder, "user/stack-mix", tag="v1.0")
    assert hub.files("user/stack-mix") == published(folder)
    assert hub.state.repositories["dataset", "user/stack-mix"].tags == {"v1.0": done.commit}
    assert hub.trees("user/stack-mix")[0] == {}
    assert len(hub.trees("user/stack-mix")) == 2, "one commit"


def test_the_second_time_nothing_is_sent(hub: LoopbackHub, folder: Path) -> None:
    first = put(folder, "user/stack-mix", tag="v1.0")
    hub.state.requests.clear()
    second = put(folder, "user/stack-mix", tag="v1.0")
    assert writes(hub) == []
    assert second.commit == first.commit
    assert not second.plan.changes
    assert "nothing: the branch already holds this folder" in second.plan.to_text()


def test_an_update_replaces_what_is_ours_and_leaves_the_rest(
    hub: LoopbackHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("stackwalls.hub_cards.writing.finishing.SHARD_BYTES", 1)
        old = drawn(tmp_path / "old", rows=210, part=100)
    new = drawn(tmp_path / "new", rows=120, seed=1)
    put(old, "user/stack-mix")
    repository = hub.state.repositories["dataset", "user/stack-mix"]
    theirs = {"paper.pdf": b"%PDF", "data/notes.txt": b"hello"}
    tree = {**repository.tree(), **{name: Entry(data) for name, data in theirs.items()}}
    repository.commit("main", repository.branches["main"], tree, "by hand")
    plan = plan_publication(PublishSpec(str(new), "user/stack-mix"))
    assert plan.changes.deleted == tuple(f"data/test-{n:05d}-of-00003.parquet" for n in range(3))
    assert plan.changes.untouched == ("data/notes.txt", "paper.pdf")
    assert "Untouched:   data/notes.txt, paper.pdf" in plan.to_text()
    publish(plan)
    assert hub.files("user/stack-mix") == {**published(new), **theirs}


def test_what_would_be_read_as_rows_is_not_mixed_with_ours(hub: LoopbackHub, folder: Path, tmp_path: Path) -> None:
    hub.api().create_repo("user/stack-mix", repo_type="dataset")
    repository = hub.state.repositories["dataset", "user/stack-mix"]
    for name in ("data/test-00000-of-00001.parquet", "data/test-00000-of-00002-0123456789abcdef.parquet"):
        repository.commit("main", repository.branches["main"], {name: Entry(b"PAR1")}, "another tool's")
        with pytest.raises(InputError, match=f"holds {name}, which this package did not put there"):
            put(folder, "user/stack-mix")
        assert hub.files("user/stack-mix") == {name: b"PAR1"}


def test_access_is_restricted_before_the_first_byte(hub: LoopbackHub, tmp_path: Path) -> None:
    photos = drawn(tmp_path / "photos", source="val")
    for names, asked in (("user/a", {"gated": True}), ("user/b", {"gated": True, "private": True})):
        put(photos, names, **asked)
        repository = hub.state.repositories["dataset", names]
        assert repository.gated == "manual"
        assert repository.private == asked.get("private", False)
        for _, tree, gated in repository.states:
            assert gated == "manual" or set(tree) <= {".gitattributes"}
    first = next(number for number, (_, path) in enumerate(hub.state.requests) if "__lfs__" in path)
    assert ("PUT", "/api/datasets/user/a/settings") in hub.state.requests[:first]


def test_photos_in_a_folder_called_drawn_are_photos(hub: LoopbackHub, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds pixels of 'drawn'.*--recipe .* or --gated"):
        put(drawn(tmp_path / "photos", photos=True), "user/a")
    with pytest.raises(InputError, match=r"holds pixels of 'val'.*--recipe .* or --gated"):
        put(drawn(tmp_path / "others", source="val"), "user/a", private=True)
    assert hub.state.requests == []


def test_a_branch_a_private_repository_and_a_collection(hub: LoopbackHub, folder: Path) -> None:
    hub.state.collections["user/walls-0123"] = []
    for _ in range(2):
        put(folder, "user/stack-mix", private=True, revision="draft", collection="user/walls-0123")
    assert hub.files("user/stack-mix") == {}
    assert hub.files("user/stack-mix", revision="draft") == published(folder)
    assert hub.state.repositories["dataset", "user/stack-mix"].private
    assert hub.state.collections["user/walls-0123"] == [("dataset", "user/stack-mix")]
    with pytest.raises(InputError, match="no collection user/other-1"):
        put(folder, "user/stack-mix", collection="user/other-1")


def test_a_tag_that_stands_for_another_commit_stays(hub: LoopbackHub, folder: Path, tmp_path: Path) -> None:
    first = put(folder, "user/stack-mix", tag="v1.0")
    other = drawn(tmp_path / "other", seed=1)
    with pytest.raises(InputError, match=r"user/stack-mix already has the tag v1\.0, .* choose another tag"):
        put(other, "user/stack-mix", tag="v1.0")
    assert hub.files("user/stack-mix") == published(folder)
    second = put(other, "user/stack-mix", tag="v1.1")
    assert hub.state.repositories["dataset", "user/stack-mix"].tags == {"v1.0": first.commit, "v1.1": second.commit}


def test_whose_token_it_is(hub: LoopbackHub, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(folder, "user/stack-mix")
    hub.state.requests.clear()
    for token, name, said in (
        (READ_TOKEN, "user/stack-mix", "the access token of user is read-only"),
        (READ_TOKEN, "user/new", "the access token of user is read-only"),
        (OTHER_TOKEN, "user/stack-mix", "the Hub forbids it"),
        (OTHER_TOKEN, "user/new", "who may write to other, not to user"),
        (BAD_TOKEN, "user/stack-mix", "the Hub does not accept the access token .* log in with `hf auth login`"),
    ):
        monkeypatch.setenv("HF_TOKEN", token)
        with pytest.raises(RunError, match=said) as caught:
            put(folder, name)
        assert "\n" not in str(caught.value)
        assert token not in repr(caught.value)
    monkeypatch.delenv("HF_TOKEN")
    plan = plan_publication(PublishSpec(str(folder), "user/stack-mix"))
    assert "Account:     none: log in" in plan.to_text()
    with pytest.raises(RunError, match="there is no access token; log in"):
        publish(plan)
    assert writes(hub) == []
    monkeypatch.setenv("HF_TOKEN", WRITE_TOKEN)
    put(folder, "lab/stack-mix")
    assert hub.files("lab/stack-mix") == published(folder)


def test_a_card_that_the_hub_turns_down(hub: LoopbackHub, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loopback_hub_cards.problems", lambda _: ['"tags" must be an array'])
    with pytest.raises(InputError, match=r'does not accept the card of .*stack-mix: "tags" must be an array\.'):
        put(folder, "user/stack-mix")
    assert hub.state.repositories == {}


def command(*words: str) -> int:
    return cli.main(["publish", *words])


def test_the_command(
    hub: LoopbackHub, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["stack-mix", "user/stack-mix", "--tag", "v1.0"]
    monkeypatch.setattr(sys, "argv", ["stackgen", "publish", *words])
    assert command(*words) == 0
    shown = capsys.readouterr()
    assert shown.out.endswith(
        "Nothing was sent. To publish it:\n  stackgen publish stack-mix user/stack-mix --tag v1.0 --yes\n"
    )
    assert hub.state.repositories == {}
    assert command(*words, "--yes") == 0
    assert "every file equals the local one" in capsys.readouterr().out
    assert hub.files("user/stack-mix") == published(folder)
    assert command(*words, "--yes", "--json") == 0
    record = json.loads(capsys.readouterr().out)
    assert {file["change"] for file in record["files"]} == {"unchanged"}
    assert record["commit"] == hub.state.repositories["dataset", "user/stack-mix"].tags["v1.0"]
    assert command("stack-mix", "user/other", "--tag", "a b") == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    with pytest.raises(SystemExit):
        command("stack-mix", "user/other", "--token", WRITE_TOKEN)
    assert "unrecognized arguments: --token hf_…" in capsys.readouterr().err


def test_a_recipe_is_published_and_is_the_same_every_time(
    hub: LoopbackHub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn(tmp_path / "photos", source="val")
    assert command("photos", "user/stack-mix", "--yes") == 2
    assert "--recipe (ids, crops and hashes, no pixels) or --gated" in capsys.readouterr().err
    assert command("photos", "user/stack-mix", "--recipe", "--yes") == 2
    assert (
        "stackgen: The Hub would not accept README.md of the recipe of photos: it does not state"
        in capsys.readouterr().err
    )
    assert hub.state.repositories == {}
    for changes in ("new", "unchanged"):
        assert command("photos", "user/stack-mix", "--recipe", "--license", "cc-by-4.0", "--yes", "--json") == 0
        record = json.loads(capsys.readouterr().out)
        assert {file["change"] for file in record["files"]} == {changes}
    assert command("photos", "user/stack-mix", "--recipe", "--licence", "cc-by-4.0", "--yes", "--tag", "v1") == 0
    assert "Rebuild it:  stackgen mix --recipe user/stack-mix@v1 --source …" in capsys.readouterr().out
    files = hub.files("user/stack-mix")
    assert Manifest.from_json(files["manifest.json"].decode()).kind == "stack-mix-recipe"
    assert not [name for name, data in files.items() if b"\x89PNG" in data and not name.startswith("assets/")]
    assert command("photos", "user/stack-mix", "--gated", "--license", "cc-by-4.0", "--yes") == 0
    assert command("photos", "user/stack-mix", "--recipe", "--license", "cc-by-4.0", "--yes") == 2
    assert "they would stay in its history" in capsys.readouterr().err


def test_no_token_is_shown_anywhere(
    hub: LoopbackHub, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over successes, refusals, faults and tracebacks."""
    texts = []
    for token in TOKENS:
        monkeypatch.setenv("HF_TOKEN", token)
        for words in (["--yes"], ["--json"], ["--yes", "--tag", "v1"], ["--yes", "--collection", "user/none-1"]):
            command("stack-mix", "user/stack-mix", *words)
        hub.fault(times=5, drop=True)
        hub.fault(times=5, status=500)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("stackwalls.model.hub.failures.time.sleep", lambda _: None)
            try:
                command("stack-mix", "user/x", "--yes", "--debug")
            except Exception as error:
                import traceback

                texts.append("".join(traceback.format_exception(error)))
        hub.state.faults.clear()
        shown = capsys.readouterr()
        texts += [shown.out, shown.err]
    for files in ("user/stack-mix", "user/x"):
        texts += [data.decode(errors="replace") for data in hub.files(files).values()]
    assert sum(map(len, texts)) > 10_000
    assert not [token for token in TOKENS for text in texts if token in text]


def own_photos(path: Path) -> Path:
    """A set whose images are called as people call theirs."""
    with open_writer(path, source="my-photos") as writer:
        rows = [make_row(number) | {"top_source": "cat/1.jpg", "bottom_source": "cat/2.jpg"} for number in range(2)]
        writer.write("all", rows)
        writer.finish(requested=2, inputs={"index_sha256": "0" * 64})
    return path


def test_ones_own_photos_are_not_imagenet(hub: LoopbackHub, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own_photos(tmp_path / "photos")
    before = contents(tmp_path / "photos")
    assert command("photos", "user/photos") == 2
    assert "If the images are not ImageNet's, state their license with --license." in capsys.readouterr().err
    assert command("photos", "user/photos", "--license", "cc-by-4.0", "--yes") == 0
    assert hub.files("user/photos").keys() == before.keys()
    assert b"license: cc-by-4.0" in hub.files("user/photos")["README.md"]


@pytest.mark.parametrize("named", ["source", "files"])
def test_imagenet_stays_imagenet_whatever_license_is_stated(
    named: str, hub: LoopbackHub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And the refusal leaves the folder as it was."""
    source = "ILSVRC/imagenet-1k" if named == "source" else "val"
    with open_writer(tmp_path / "set", source=source) as writer:
        top = "n01440764/n01440764_18.JPEG" if named == "files" else "a"
        writer.write(
            "all", [make_row(0) | {"top_source": "a", "bottom_source": "b"}, make_row(1) | {"top_source": top}]
        )
        writer.finish(requested=2, inputs={"index_sha256": "0" * 64})
    before = contents(tmp_path / "set")
    for words in ([], ["--yes"]):
        assert command("set", "user/set", "--license", "cc-by-4.0", *words) == 2
        assert "ImageNet's terms forbid" in capsys.readouterr().err
        assert contents(tmp_path / "set") == before
    assert hub.state.repositories == {}


@pytest.mark.parametrize("away", ["offline", "unreachable"])
def test_a_plan_needs_no_hub(
    away: str, hub: LoopbackHub, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once; to publish, the Hub is needed, and asked again and again."""
    waited: list[float] = []
    monkeypatch.setattr("stackwalls.model.hub.failures.time.sleep", waited.append)
    if away == "offline":
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    else:
        hub.fault(times=10**6, drop=True)
    assert command("stack-mix", "user/set", "--json") == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["exists"] is None
    assert {file["change"] for file in plan["files"]} == {"new"}
    assert command("stack-mix", "user/set") == 0
    assert "not known, because the Hub cannot be reached" in capsys.readouterr().out
    assert waited == []
    assert len(hub.state.requests) == (2 if away == "unreachable" else 0)
    assert command("stack-mix", "user/set", "--yes") == 1


def test_a_recipe_is_written_to_a_folder(hub: LoopbackHub, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own_photos(tmp_path / "photos")
    assert command("photos", "--recipe", "--license", "mit", "--out", "recipe") == 0
    assert "recipe holds the recipe" in capsys.readouterr().out
    assert hub.state.requests == []
    assert Manifest.read(tmp_path / "recipe").kind == "stack-mix-recipe"
    assert command("photos", "user/recipe", "--recipe", "--license", "mit", "--out", "recipe", "--yes") == 0
    assert hub.files("user/recipe") == contents(tmp_path / "recipe")
    for words, said in ((["photos", "--out", "x"], "add --recipe"), (["photos"], "USER/NAME is missing")):
        assert command(*words) == 2
        assert said in capsys.readouterr().err
