import json
import re
import socket
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError
from PIL import Image
from tiny_detectors import save_grounding_dino, save_owlv2

from stackwalls.model import InputError, RunError, StackwallsError
from stackwalls.stackgen.localizing.foreground import Foreground
from stackwalls.stackgen.localizing.zero_shot import LOCALIZERS, ZeroShot, load_localizer

SIZES = (64, 96), (128, 64), (70, 70)
LONG = "a very long name of an animal that nobody has ever seen in the wild or anywhere else at all"
SAVERS = {"owlv2": save_owlv2, "grounding-dino": save_grounding_dino}


@pytest.fixture(autouse=True)
def no_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: Any, **_kwargs: Any) -> NoReturn:
        raise AssertionError("a test reached for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture(scope="module", params=SAVERS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A tiny detector on disk."""
    return SAVERS[request.param](tmp_path_factory.mktemp("detector") / request.param)


def frames() -> list[Image.Image]:
    rng = np.random.default_rng(0)
    return [Image.fromarray(rng.integers(0, 256, (h, w, 3), dtype=np.uint8)) for w, h in SIZES]


def everything(folder: Path) -> ZeroShot:
    """The detector, with a threshold that lets every box pass."""
    localizer = load_localizer(str(folder))
    assert isinstance(localizer, ZeroShot)
    localizer.threshold = 0.0
    return localizer


def test_boxes_are_clipped_and_long_names_cut(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    localizer = everything(folder)
    raw: list[Any] = []
    inner = localizer._processor.post_process_grounded_object_detection

    def spy(*args: Any, **kwargs: Any) -> Any:
        results = inner(*args, **kwargs)
        raw.extend(results)  # in the order of the frames: each has a size of its own
        return results

    monkeypatch.setattr(localizer._processor, "post_process_grounded_object_detection", spy)
    found = localizer.locate(frames(), [["Border terrier", "dog"], [LONG], ["St. Bernard", "x", "y"]])
    assert len(found) == len(raw) == 3
    beyond = 0
    for one, result, (width, height) in zip(found, raw, SIZES, strict=True):
        assert len(one.boxes) > 0
        limits = np.array([width, height, width, height])
        assert ((one.boxes >= 0) & (one.boxes <= limits)).all()
        boxes = result["boxes"].numpy()
        beyond += ((boxes < 0) | (boxes > limits)).any(axis=1).sum()
        # every box that is given is one of the model's, cut to the frame
        cut = np.clip(boxes, 0, limits).astype(np.float32)
        assert all((np.abs(cut - box).max(axis=1) < 1e-4).any() for box in one.boxes)
    assert beyond > 0, "the tiny detector has boxes beyond the frame"


def test_single_precision_and_evaluation(folder: Path) -> None:
    localizer = everything(folder)
    assert not localizer._model.training
    assert {str(weight.dtype) for weight in localizer._model.parameters()} == {"torch.float32"}


def test_more_frames_than_a_batch(folder: Path) -> None:
    localizer = everything(folder)
    many = [frames()[0]] * 9 + frames()[1:] + [frames()[0]]
    found = localizer.locate(many, [["hen"]] * len(many))
    assert len(found) == 12
    for one in [*found[1:9], found[11]]:  # neighbors of other sizes do not pad them
        assert np.allclose(one.boxes, found[0].boxes, atol=1e-3)
    for frame, one in zip(many[9:11], found[9:11], strict=True):
        assert np.allclose(localizer.locate([frame], [["hen"]])[0].boxes, one.boxes, atol=1e-3)
    assert localizer.locate([], []) == []


def test_the_revision_is_what_is_in_the_folder(folder: Path, tmp_path: Path) -> None:
    import shutil

    first = load_localizer(str(folder))
    assert first.name == str(folder)
    assert first.revision is not None
    assert first.revision.startswith("sha256:")
    copy = shutil.copytree(folder, tmp_path / "copy")
    assert load_localizer(str(copy)).revision == first.revision
    weights = copy / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert load_localizer(str(copy)).revision != first.revision


def test_owlv2_gets_sixteen_tokens_and_equally_many_texts(tmp_path: Path) -> None:
    localizer = everything(save_owlv2(tmp_path))
    texts = localizer._texts([["Border terrier", "dog"], ["hen"]])
    assert texts == [["a photo of a border terrier", "a photo of a dog"], ["a photo of a hen", "a photo of a hen"]]
    inputs = localizer._processor(text=[[LONG]], return_tensors="pt", truncation=True, **localizer._padding())
    assert inputs["input_ids"].shape == (1, 16)


@pytest.mark.parametrize(("kind", "limit"), [("owlv2", 16), ("grounding-dino", 256)])
def test_words_that_are_not_read_are_named_once(kind: str, limit: int, tmp_path: Path) -> None:
    localizer = everything(SAVERS[kind](tmp_path))
    with warnings.catch_warnings(action="error"):
        localizer.locate(frames()[:1], [["ox"]])
    with pytest.warns(UserWarning, match=rf"reads {limit} of the \d+ tokens of “.*a very long name.* and not “.*z”"):
        localizer.locate(frames()[:1], [[f"{LONG} {LONG} {LONG} {LONG} z" if limit > 16 else "a very long name z"]])
    with warnings.catch_warnings(action="error"):
        localizer.locate(frames()[:1], [[LONG * 4]])


class Answer:
    status_code, headers, request = 403, {}, None


CAUSES = [
    (GatedRepoError("no", response=Answer()), RunError, "Request access at https://huggingface.co/google/owlv2"),
    (RepositoryNotFoundError("no", response=Answer()), InputError, "the Hub shows no such model"),
    (RevisionNotFoundError("no", response=Answer()), InputError, "has no such revision"),
    (ConnectionError("no\nand more"), RunError, "the Hub cannot be reached .*use the localizer 'foreground'"),
]


@pytest.mark.parametrize(("cause", "kind", "said"), CAUSES, ids=[type(cause[0]).__name__ for cause in CAUSES])
def test_failures_of_the_hub(
    cause: Exception, kind: type[StackwallsError], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: Any, **_kwargs: Any) -> NoReturn:
        raise cause

    monkeypatch.setattr("huggingface_hub.snapshot_download", fail)
    with pytest.raises(kind, match=said) as caught:
        load_localizer("owlv2")
    assert "\n" not in str(caught.value)


def test_offline_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(RunError, match="use the localizer 'foreground'"):
        load_localizer("owlv2")


def test_a_folder_without_a_detector(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a zero-shot object detection model"):
        load_localizer(str(tmp_path))
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(InputError, match="is not a zero-shot object detection model"):
        load_localizer(str(tmp_path))


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(InputError, match=r"owlv2-large.*Did you mean 'owlv2'"):
        load_localizer("owlv3")
    assert isinstance(load_localizer("foreground"), Foreground)
    assert set(LOCALIZERS) == {"owlv2", "owlv2-large", "grounding-dino", "foreground"}


def test_owlv2_gets_frames_no_longer_than_it_reads(tmp_path: Path) -> None:
    localizer = everything(save_owlv2(tmp_path))
    shrunk = [localizer._shrunk(frame).size for frame in frames()]
    assert shrunk == [(43, 64), (64, 32), (64, 64)]
    small = Image.new("RGB", (40, 60))
    assert localizer._shrunk(small) is small


def test_the_hubs_files_come_from_one_commit_and_are_no_pickles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = save_owlv2(tmp_path / "snapshots" / "0123abcd")
    asked: list[Any] = []

    def download(*args: Any, **kwargs: Any) -> str:
        asked.append((args, kwargs))
        return str(snapshot)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    localizer = load_localizer("someone/detector@main")
    assert (localizer.name, localizer.revision) == ("someone/detector@main", "0123abcd")
    ((repository,), options) = asked[0]
    assert (len(asked), repository, options["revision"]) == (1, "someone/detector", "main")
    assert not [pattern for pattern in options["allow_patterns"] if pattern.endswith(("bin", "pt", "py", "*"))]


def test_a_path_that_is_not_there() -> None:
    with pytest.raises(InputError, match="There is no folder /nowhere/at/all"):
        load_localizer("/nowhere/at/all")


OWN_CODE = {
    "model": ("config.json", {"model_type": "own", "auto_map": {"AutoConfig": "own.Own", "AutoModel": "own.Own"}}),
    "elsewhere": ("config.json", {"model_type": "own", "auto_map": {"AutoConfig": "user/code--own.Own"}}),
    "processor": ("processor_config.json", {"processor_class": "Own", "auto_map": {"AutoProcessor": "own.Own"}}),
    "images": (
        "processor_config.json",
        {"image_processor": {"image_processor_type": "Own", "auto_map": {"AutoImageProcessor": "own.Own"}}},
    ),
    "words": (
        "tokenizer_config.json",
        {"tokenizer_class": "Own", "auto_map": {"AutoTokenizer": ["own.Own", "own.Own"]}},
    ),
}


@pytest.mark.parametrize("part", OWN_CODE)
def test_code_that_comes_with_a_model_never_runs(part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does anybody ask: transformers would, on the terminal, and run it after a "y"."""

    def ask(*_: Any) -> NoReturn:
        raise AssertionError("asked whether to run the code")

    monkeypatch.setattr("builtins.input", ask)
    folder, ran = save_owlv2(tmp_path / "detector"), tmp_path / "ran"
    (folder / "own.py").write_text(f"import pathlib\npathlib.Path({str(ran)!r}).touch()\nclass Own: pass\n")
    name, change = OWN_CODE[part]
    (folder / name).write_text(json.dumps(json.loads((folder / name).read_text()) | change))
    if part == "words":  # transformers has a tokenizer of its own that reads these files
        load_localizer(str(folder))
    else:
        with pytest.raises(InputError, match=rf"^{re.escape(str(folder))} requires its own code, which is never run"):
            load_localizer(str(folder))
    assert not ran.exists()
