from pathlib import Path

import pytest
import timm.data
from torchvision.models._meta import _IMAGENET_CATEGORIES

from stackwalls.model import InputError, animals, class_names, find_class, imagenet_classes, parse_class, parse_classes
from stackwalls.model.images.image_folder import ImageFolder
from stackwalls.model.images.labels import class_of, classes_of_names


def test_names_and_order_are_torchvisions_and_timms() -> None:
    assert list(class_names()) == _IMAGENET_CATEGORIES
    assert [entry.synset for entry in imagenet_classes()] == timm.data.ImageNetInfo().label_names()
    assert [entry.index for entry in imagenet_classes()] == list(range(1000))
    assert len(set(class_names())) == 1000


def test_the_398_animals_end_with_the_puffer() -> None:
    assert len(animals()) == 398
    assert animals()[-1].name == "puffer"
    assert not imagenet_classes()[398].is_animal
    assert animals()[-1].is_animal


@pytest.mark.parametrize("entry", imagenet_classes()[::37], ids=lambda entry: entry.synset)
def test_every_form_finds_its_class(entry: object) -> None:
    for text in (entry.index, str(entry.index), entry.synset, entry.name, entry.name.lower().replace(" ", "_")):  # type: ignore[attr-defined]
        assert find_class(text) == entry


def test_all_forms_of_all_classes_are_unambiguous() -> None:
    for entry in imagenet_classes():
        assert find_class(entry.name) == find_class(entry.synset) == find_class(entry.index) == entry


def test_names_that_differ_in_case_alone_are_asked_about() -> None:
    assert parse_class("Cardigan").index == 264
    assert parse_class("cardigan").index == 474
    with pytest.raises(InputError, match="'Cardigan' or 'cardigan'"):
        parse_class("CARDIGAN")


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    assert find_class("goldfsh") is None
    with pytest.raises(InputError, match="goldfish"):
        parse_class("goldfsh")
    with pytest.raises(InputError, match="1000"):
        parse_class(1000)


def test_a_class_asked_for_twice_is_refused() -> None:
    with pytest.raises(InputError, match="twice"):
        parse_classes(["tench", "n01440764"])


def test_every_full_list_of_synonyms_is_its_class() -> None:
    """As in the lists that go around ("tench, Tinca tinca"), by themselves and beside their index."""
    info = timm.data.ImageNetInfo()
    strings = [info.index_to_description(index, detailed=False) for index in range(1000)]
    assert strings[0] == "tench, Tinca tinca"
    for index, text in enumerate(strings):
        if text == "crane":
            with pytest.raises(InputError, match=r"ambiguous: it may be n02012849 .* or n03126707"):
                class_of(text)
        elif text == "maillot":
            with pytest.raises(InputError, match=r"ambiguous: it may be n03710637 .* or n03710721"):
                class_of(text)
        else:
            assert class_of(text) == parse_class(text).index == index, text
    assert class_of("maillot, tank suit") == 639
    assert classes_of_names(tuple(strings)) == tuple(range(1000))


def test_names_that_two_classes_share() -> None:
    """A name that heads the lists of two classes is refused; one that heads one list is the name of that class.

    The others, synonyms in both, are no class's name.
    """
    info = timm.data.ImageNetInfo()
    lists = [info.index_to_description(index, detailed=False).split(", ") for index in range(1000)]
    heads: dict[str, set[int]] = {}
    holders: dict[str, set[int]] = {}
    for index, (head, *others) in enumerate(lists):
        heads.setdefault(head, set()).add(index)
        for name in (head, *others):
            holders.setdefault(name, set()).add(index)
    shared = {name for name, classes in holders.items() if len(classes) > 1}
    assert {name for name in shared if len(heads.get(name, ())) > 1} == {"crane", "maillot"}
    for name in shared:
        if len(heads.get(name, ())) > 1:
            for text in (name, name.upper(), f" {name} "):
                for read in (class_of, parse_class):
                    with pytest.raises(InputError, match=f"The class name '{text.strip()}' is ambiguous"):
                        read(text)
        else:
            assert class_of(name) == (heads[name].pop() if name in heads else None)
    assert classes_of_names(("crane", "tench", "maillot")) == (None, 0, None)


def test_every_padding_of_every_index() -> None:
    for index in range(1000):
        for width in range(5):
            text = f"{index:0{width}d}"
            assert class_of(text) == parse_class(text).index == index


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_padded_folders(width: int, tmp_path: Path) -> None:
    for index in (0, 7, 70, 700, 999):
        (tmp_path / f"{index:0{width}d}").mkdir()
        (tmp_path / f"{index:0{width}d}" / "a.png").touch()
    assert {index: len(ids) for index, ids in ImageFolder(tmp_path).index().items()} == dict.fromkeys(
        (0, 7, 70, 700, 999), 1
    )
    (tmp_path / f"{0:0{width}d}").rename(tmp_path / f"{1000:0{width}d}")
    with pytest.raises(InputError, match="are numbered from 1 to 1000: expected ImageNet-1k indices, 0 to 999"):
        ImageFolder(tmp_path).index()


@pytest.mark.parametrize("text", ["1000", "00001", "-1", "1.0", "١"])
def test_numbers_that_are_not_indices(text: str) -> None:
    assert class_of(text) is None
