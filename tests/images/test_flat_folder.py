from pathlib import Path

import pytest

from stackwalls.model import InputError
from stackwalls.model.images import open_images

NAMES = [f"ILSVRC2012_val_{number:08d}.JPEG" for number in range(1, 5)]
SYNSETS = ["n01443537", "n01440764", "n01443537", "n01484850"]
EXPECTED = {0: [NAMES[1]], 1: [NAMES[0], NAMES[2]], 2: [NAMES[3]]}


@pytest.fixture
def flat(tmp_path: Path) -> Path:
    root = tmp_path / "val"
    root.mkdir()
    for name in NAMES:
        (root / name).write_bytes(name.encode())
    return root


def labels(flat: Path, text: str) -> Path:
    file = flat.parent / "labels.txt"
    file.write_text(text)
    return file


STEMS = [name.removesuffix(".JPEG") for name in NAMES]
FORMS = {
    "a synset a line": "\n".join(SYNSETS) + "\n",
    "filename,synset": "\n".join(f"{name},{synset}" for name, synset in zip(NAMES, SYNSETS, strict=True)),
    "with a header, quoted, blank lines": 'filename,label\n\n"ILSVRC2012_val_00000001.JPEG","n01443537"\n'
    + "\n".join(f"{name}, {synset}" for name, synset in zip(NAMES[1:], SYNSETS[1:], strict=True)),
    "filename,index": "\n".join(f"{name},{index}" for name, index in zip(NAMES, (1, 0, 1, 2), strict=True)),
    "filename,name, unordered": f"{NAMES[3]},great white shark\n{NAMES[1]},tench\n"
    f"{NAMES[2]},Goldfish\n{NAMES[0]},goldfish",
    "filename<tab>name": "\n".join(
        f"{n}\t{c}" for n, c in zip(NAMES, ("goldfish", "tench", "goldfish", "2"), strict=True)
    ),
    "filename index, as Caffe's val.txt": "\n".join(f"{n} {i}" for n, i in zip(NAMES, (1, 0, 1, 2), strict=True)),
    "Kaggle's LOC_val_solution.csv": "ImageId,PredictionString\n"
    + "\n".join(f"{stem},{synset} 85 1 499 272 " for stem, synset in zip(STEMS, SYNSETS, strict=True)),
    "paths": "\n".join(f"ILSVRC/val/{name},{synset}" for name, synset in zip(NAMES, SYNSETS, strict=True)),
    "more than there is": "\n".join(
        f"{n},{s}" for n, s in zip([*NAMES, "x.JPEG"], [*SYNSETS, "n01440764"], strict=True)
    ),
    "columns in another order": "class,width,file_name\n"
    + "\n".join(f"{synset},500,{name}" for name, synset in zip(NAMES, SYNSETS, strict=True)),
    "pandas' index, and commas in the last column": ",image,label\n"
    + "\n".join(
        f"{row},{name},{label}"
        for row, (name, label) in enumerate(
            zip(NAMES, ("goldfish, Carassius auratus", "tench", "1", "great white shark, white shark"), strict=True)
        )
    ),
    "semicolons, as Excel writes them": '\ufeff"Image";"Species"\r\n'
    + "\r\n".join(f'"{n}";"{c}"' for n, c in zip(NAMES, ("Goldfish", "tench, Tinca tinca", "1", "2"), strict=True)),
    "a header of one known name": "photo,label\n"
    + "\n".join(f"{name},{synset}" for name, synset in zip(NAMES, SYNSETS, strict=True)),
    "a synset goes before a number": "label,filename,synset\n"
    + "\n".join(f"{row},{name},{synset}" for row, (name, synset) in enumerate(zip(NAMES, SYNSETS, strict=True))),
    "a header over synsets alone": "synset\n" + "\n".join(SYNSETS),
    "Windows' paths": "\n".join(f"val\\{name},{synset}" for name, synset in zip(NAMES, SYNSETS, strict=True)),
    "with a byte order mark": "\ufeff" + "\n".join(SYNSETS),
}


@pytest.mark.parametrize("form", FORMS)
def test_lists_of_labels(flat: Path, form: str) -> None:
    source = open_images(str(flat), labels=labels(flat, FORMS[form]))
    assert source.index() == EXPECTED
    assert source.read(NAMES[0]) == NAMES[0].encode()
    assert source.name == "val"


def test_two_images_of_one_stem_are_told_apart(flat: Path) -> None:
    """A list without endings does not guess which of them it means."""
    (flat / NAMES[0]).with_suffix(".png").write_bytes(b"")
    source = open_images(flat, labels=labels(flat, "\n".join(f"{stem},tench" for stem in STEMS)))
    with pytest.warns(UserWarning, match="Left out 2 images"):
        index = source.index()
    assert index == {0: NAMES[1:]}


def test_unlabeled_pictures_are_left_out_with_a_warning(flat: Path) -> None:
    with pytest.warns(UserWarning, match=r"Left out 3 images \(.*\): not labeled by labels.txt"):
        assert open_images(str(flat), labels=labels(flat, f"{NAMES[0]},tench")).index() == {0: [NAMES[0]]}


BAD = {
    "ILSVRC's ground truth": ("490\n361\n171\n822\n", "bare numbers, which may be ILSVRC ids"),
    "indices without names": ("1\n0\n1\n2\n", "bare numbers, which may be ILSVRC ids"),
    "too short": ("n01443537\nn01440764\n", "2 entries for 4 images"),
    "no synset": ("n01443537\nn01440764\nn01443537\nunicorn\n", "entry 4: 'unicorn' is not an ImageNet-1k synset"),
    "a synset of ImageNet-21k": ("n01443537\nn01440764\nn01443537\nn00007846\n", "entry 4: 'n00007846'"),
    "unknown label": (
        f"{NAMES[0]},goldfsh\n{NAMES[1]},n01440764",
        "line 1: Unknown class 'goldfsh'.*Did you mean.*goldfish",
    ),
    "an ILSVRC id": (f"{NAMES[0]},1000", "line 1: Unknown class '1000'"),
    "no label": (f"{NAMES[0]},n01443537\n{NAMES[1]},", "line 2: no label beside"),
    "two labels": (f"{NAMES[0]},tench\n{NAMES[0]},goldfish", "line 2: .* was labeled as another class"),
    "other pictures": ("a.JPEG,tench\nb.JPEG,goldfish", "names none of the images, but for example 'a.JPEG'"),
    "three columns, one known": (
        "file,shows,by\na.JPEG,tench,me\n",
        "file, shows, by: expected one for the label",
    ),
    "5,000 digits": (f"{NAMES[0]},{'9' * 5000}", r"line 1: Unknown class '9{79}: expected an ImageNet-1k index"),
    "a cell without end": (f"{NAMES[0]},{'x' * 200_000}", r"entry 1: '.{79} is not an ImageNet-1k synset"),
    "empty": ("\n\n", "is empty: expected lines of 'filename,label'"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_list_that_cannot_be_used_is_refused(flat: Path, kind: str) -> None:
    text, message = BAD[kind]
    with pytest.raises(InputError, match=message):
        open_images(str(flat), labels=labels(flat, text)).index()


def test_a_list_that_cannot_be_read(flat: Path) -> None:
    with pytest.raises(InputError, match=r"Cannot read the labels file .*No such file"):
        open_images(str(flat), labels=flat / "nothing.txt").index()
    (flat.parent / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not UTF-8 text"):
        open_images(str(flat), labels=flat.parent / "binary").index()


def test_labels_go_with_a_flat_folder_only(flat: Path, tmp_path: Path) -> None:
    file = labels(flat, "tench")
    with pytest.raises(InputError, match="--labels is for a flat folder"):
        open_images("drawn", labels=file)
    (tmp_path / "classes/goldfish").mkdir(parents=True)
    with pytest.raises(InputError, match="has no images directly"):
        open_images(str(tmp_path / "classes"), labels=file).index()
