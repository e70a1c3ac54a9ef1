import errno
import os
import stat
from pathlib import Path

import pytest

from stackwalls.model import RunError, disk_errors, whole_file, write_whole
from stackwalls.model.files import is_temporary, temporary_path


def test_a_file_has_its_name_only_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    with whole_file(path) as file:
        file.write(b"12")
        assert not path.exists()
        assert is_temporary(temporary_path(path))
        assert [p.name for p in tmp_path.iterdir()] == [".a.bin.tmp"]
    assert path.read_bytes() == b"12"
    assert [p.name for p in tmp_path.iterdir()] == ["a.bin"]


@pytest.mark.parametrize("failing", ["body", "fsync", "replace"])
def test_a_failure_leaves_the_old_file_and_nothing_else(
    failing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.bin"
    write_whole(path, b"old")

    def refuse(*_: object) -> None:
        raise OSError(errno.EIO, "refused")

    if failing != "body":
        monkeypatch.setattr(os, failing, refuse)
    with pytest.raises(OSError, match="refused"), whole_file(path) as file:
        file.write(b"new")
        if failing == "body":
            refuse()
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {"a.bin": b"old"}


@pytest.mark.parametrize(
    ("number", "text"), [(errno.ENOSPC, "disk is full"), (errno.EDQUOT, "quota"), (errno.EACCES, "denied")]
)
def test_what_the_disk_refuses_is_one_sentence(number: int, text: str, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=text) as caught, disk_errors(tmp_path):
        raise OSError(number, os.strerror(number))
    assert str(tmp_path) in str(caught.value)
    assert "same command again" in str(caught.value)


def test_a_file_system_that_cannot_sync_folders_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.fsync

    def only_files(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "no folders")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", only_files)
    write_whole(tmp_path / "a", b"1")
    assert (tmp_path / "a").read_bytes() == b"1"
