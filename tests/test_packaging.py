"""What people install: the wheel has every file of the packages, and one place says the version."""

import importlib.metadata
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("evaluate", "hub_cards", "model", "stackgen", "stackmix")
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]


def tracked(*patterns: str) -> list[str]:
    listed = subprocess.run(["git", "ls-files", *patterns], cwd=ROOT, capture_output=True, text=True, check=True)
    return listed.stdout.split()


@pytest.mark.slow
def test_the_wheel_has_every_file(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "would be ignored" not in done.stdout + done.stderr
    [wheel] = tmp_path.glob(f"stackwalls-{VERSION}-*.whl")
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    expected = {f"stackwalls/{name}" for name in tracked(*FOLDERS)} | set(tracked("stackwalls"))
    assert packed == expected
    checked = subprocess.run(
        [sys.executable, "-m", "twine", "check", "--strict", str(wheel)], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout


def test_one_place_says_the_version() -> None:
    assert importlib.metadata.version("stackwalls") == VERSION
    files = tracked(*(f"{folder}/*.py" for folder in (*FOLDERS, "stackwalls")), "*.cff", "*.yml")
    assert not [name for name in files if VERSION in (ROOT / name).read_text("utf-8")]
