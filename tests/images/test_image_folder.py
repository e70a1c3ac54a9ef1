import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from stackwalls.model import InputError, parse_class
from stackwalls.model.images import open_images

FolderMaker = Callable[[Mapping[str, int]], Path]
SHARK = parse_class("great white shark").index


def test_folders_by_synset_name_and_index(image_folder: FolderMaker) -> None:
    root = image_folder({"n01440764": 3, "goldfish": 2, "2": 1, "Tiger_Shark": 2})
    index = open_images(str(root)).index()
    assert index == {
        0: ["n01440764/0.png", "n01440764/1.png", "n01440764/2.png"],
        1: ["goldfish/0.png", "goldfish/1.png"],
        SHARK: ["2/0.png"],
        3: ["Tiger_Shark/0.png", "Tiger_Shark/1.png"],
    }
    assert list(index) == sorted(index)


def test_two_folders_of_one_class_are_one(image_folder: FolderMaker) -> None:
    root = image_folder({"n01443537": 1, "goldfish": 1})
    assert open_images(str(root)).index() == {1: ["goldfish/0.png", "n01443537/0.png"]}


def test_read_gives_the_files_bytes_and_the_name_is_no_path(image_folder: FolderMaker) -> None:
    root = image_folder({"goldfish": 2})
    source = open_images(str(root))
    assert source.read("goldfish/1.png") == (root / "goldfish/1.png").read_bytes()
    assert source.name == "pictures"
    assert open_images(f"{root}/../pictures/.").name == "pictures"


def test_deeper_pictures_links_and_hidden_files(image_folder: FolderMaker, make_picture) -> None:
    root = image_folder({"goldfish/images": 1, "tench": 1})
    (root / "goldfish/images/._0.png").write_bytes(b"resource fork")
    (root / ".cache").mkdir()
    (root / "goldfish/a.JPEG").write_bytes(make_picture(5, format="JPEG"))
    (root / "goldfish/loop").symlink_to(root / "goldfish", target_is_directory=True)
    (root / "n01484850").symlink_to(root / "tench", target_is_directory=True)
    assert open_images(str(root)).index() == {
        0: ["tench/0.png"],
        1: ["goldfish/a.JPEG", "goldfish/images/0.png"],
        2: ["n01484850/0.png"],
    }


def test_unknown_folders_and_other_files_are_left_out_with_a_warning(image_folder: FolderMaker) -> None:
    root = image_folder({"goldfish": 2, "unicorn": 2, "griffin": 1})
    (root / "goldfish/notes.txt").write_text("not a picture")
    (root / "stray.png").write_bytes(b"")
    (root / "README.md").write_text("not mentioned")
    with pytest.warns(UserWarning, match="Left out") as warned:
        assert list(open_images(str(root), label_space="imagenet").index()) == [1]
    texts = [str(warning.message) for warning in warned]
    assert any(text.startswith("Left out 2 folders (griffin, unicorn)") for text in texts)
    assert "Left out 1 image (stray.png): not in a class folder." in texts
    assert len(texts) == 3
    assert any(text.startswith("Left out 1 file (goldfish/notes.txt)") for text in texts)


@pytest.mark.skipif(sys.platform != "linux", reason="file names are text elsewhere")
def test_a_file_name_that_is_no_text_is_left_out_with_a_warning(image_folder: FolderMaker, make_picture) -> None:
    root = image_folder({"goldfish": 1})
    Path(os.fsdecode(os.fsencode(root) + b"/goldfish/\xff.png")).write_bytes(make_picture(1))
    with pytest.warns(UserWarning, match="Left out 1 file "):
        assert open_images(str(root)).index() == {1: ["goldfish/0.png"]}


def refused(root: Path) -> str:
    with pytest.raises(InputError) as error:
        open_images(str(root)).index()
    assert "\n" not in str(error.value)
    return str(error.value)


def test_missing_source(tmp_path: Path) -> None:
    assert "There is no folder or file" in refused(tmp_path / "nothing")


def test_a_file_of_no_known_kind(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"")
    assert "a file of an unknown form" in refused(tmp_path / "a.zip")


def test_empty_folder(tmp_path: Path) -> None:
    assert "has no images: expected class folders" in refused(tmp_path)


def test_class_folders_without_pictures(image_folder: FolderMaker) -> None:
    assert "have no images" in refused(image_folder({"goldfish": 0, "tench": 0}))


def test_no_folder_is_a_class(image_folder: FolderMaker) -> None:
    root = image_folder({"unicorn": 2, "griffin": 2})
    with pytest.raises(
        InputError, match=r"None of the 2 folders .* is an ImageNet-1k class: expected folders named by"
    ):
        open_images(root, label_space="imagenet").index()


def test_class_folders_one_deeper_are_told_not_guessed(image_folder: FolderMaker) -> None:
    root = image_folder({"val/goldfish": 2, "train/goldfish": 2, "other": 1})
    message = refused(root)
    assert f"name {root}/train or {root}/val" in message
    assert "train, val inside it do" in message


def test_flat_pictures_without_labels_are_told_how(image_folder: FolderMaker) -> None:
    root = image_folder({})
    (root / "ILSVRC2012_val_00000001.JPEG").write_bytes(b"")
    assert "has 1 images directly in it and no class folders" in refused(root)
    assert "--labels FILE" in refused(root)
