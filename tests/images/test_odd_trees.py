"""200 odd images and trees through `mix`, `train` and `evaluate`: an answer each, the same one, and no wait."""

import io
import subprocess
import time
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path

import odd_trees
import pyarrow.parquet as pq
import pytest

from stackwalls.model import InputError
from stackwalls.model.images import BrokenImageError, LabeledImages, decode_and_crop, open_images
from stackwalls.stackgen.cli import main

PATIENCE = 60
"""Seconds that a command may take."""

TRAIN = "--masked --recipe tiny --width 0.015625 --batch-size 2 --epochs 1 --val-share 0.5 --workers 0 --device cpu"
EVALUATE = "--model mini-masked-vgg16 --method HiResCAM --device cpu"

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A folder that is removed by a program, as Python's own functions give up at a thousand levels."""
    (tmp_path / "here").mkdir()
    yield tmp_path / "here"
    subprocess.run(["rm", "-rf", tmp_path / "here"], check=True)


def make(place: Path, seed: int) -> Path:
    kind = ("tree", "tree", "tree", "table.parquet", "shard.tar")[seed % 5]
    getattr(odd_trees, f"odd_{kind.partition('.')[0]}")(place / kind, seed)
    return place / kind


def run(command: str, *arguments: object) -> tuple[int, str]:
    """Exit status and stderr."""
    said, started = io.StringIO(), time.monotonic()
    with redirect_stderr(said), redirect_stdout(io.StringIO()):
        status = main([command, *map(str, arguments)])
    assert time.monotonic() - started < PATIENCE
    return status, said.getvalue()


def reasons(images: LabeledImages) -> dict[str, str]:
    """Why each image that cannot be used cannot."""
    found = {}
    for image_id in images.ids:
        try:
            decode_and_crop(images.read(image_id))
        except (BrokenImageError, OSError) as error:
            found[image_id] = str(getattr(error, "strerror", None) or error)
    return found


def check_one_sentence(status: int, said: str, out: Path) -> None:
    assert status in (0, 1, 2)
    assert "Traceback" not in said
    assert not list(out.rglob("*.tmp")), "nothing half-written"
    if status:
        assert said.endswith(".\n")
        assert said.splitlines()[-1].startswith("stackgen: ")
        assert not (out / "manifest.json").exists()
        assert not (out / "run.json").exists()
        assert not (out / "model").exists()


def check_tree(place: Path, seed: int) -> tuple[int, int, int]:
    """The three exit statuses."""
    source = make(place, seed)
    statuses = []
    for command, options in (("mix", "--workers 1"), ("train", TRAIN), ("evaluate", EVALUATE)):
        option = {"mix": ["--source"], "train": ["--data"], "evaluate": []}[command]
        status, said = run(command, *option, source, "--out", place / command, *options.split())
        check_one_sentence(status, said, place / command)
        statuses.append(status)
        wrong: dict[str, str] = {}
        with suppress(InputError):  # of which there are none
            wrong = reasons(open_images(str(source), unlabeled=command == "evaluate"))
        if command == "mix" and status == 0:
            rejected = pq.read_table(place / "mix/rejected.parquet").to_pylist()
            rejected = [row for row in rejected if "byte for byte" not in row["reason"] and " (" not in row["item"]]
            assert {row["item"]: row["reason"] for row in rejected}.items() <= wrong.items()
        elif command != "mix" and status == 1:
            last = said.splitlines()[-1]
            assert any(reason in last for reason in wrong.values()), (last, wrong)
        elif command != "mix" and status == 0:
            assert not wrong
    return statuses[0], statuses[1], statuses[2]


@pytest.mark.parametrize("seed", [18, 39, 97])
def test_a_few(place: Path, seed: int) -> None:
    check_tree(place, seed)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, 200, 20))
def test_two_hundred(place: Path, first: int) -> None:
    found = []
    for seed in range(first, first + 20):
        (place / str(seed)).mkdir()
        found.append(check_tree(place / str(seed), seed))
        subprocess.run(["rm", "-rf", place / str(seed)], check=True)
    for command in zip(*found, strict=True):
        assert {0, 2} <= set(command), "both ends were reached"


@pytest.mark.slow
@pytest.mark.parametrize("oddity", odd_trees.ODDITIES)
def test_each_oddity_beside_usable_images(place: Path, oddity: str) -> None:
    """`mix` makes its set all the same, where there is no other table in the folder."""
    for folder in ("tench", "goldfish"):
        (place / "tree" / folder).mkdir(parents=True)
        for number in range(2):
            (place / "tree" / folder / f"{number}.png").write_bytes(odd_trees.plain_image(folder, number))
    odd_trees.ODDITIES[oddity](place / "tree/tench")
    status, said = run("mix", "--source", place / "tree", "--out", place / "mix", "--workers", 1)
    check_one_sentence(status, said, place / "mix")
    assert status == 0
