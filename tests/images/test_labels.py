import pytest
import timm.data
from torchvision.models._meta import _IMAGENET_CATEGORIES

from stackwalls.model import InputError, animals, class_names, find_class, imagenet_classes, parse_class, parse_classes
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
    """As in the lists that go around ("tench, Tinca tinca"); one name, crane, is that of two classes."""
    info = timm.data.ImageNetInfo()
    strings = [info.index_to_description(index, detailed=False) for index in range(1000)]
    assert strings[0] == "tench, Tinca tinca"
    for index, text in enumerate(strings):
        if text == "crane":
            with pytest.raises(InputError, match=r"ambiguous: it may be n02012849 .* or n03126707"):
                class_of(text)
        else:
            assert class_of(text) == index, text
    assert class_of("maillot, tank suit") == 639
    assert classes_of_names(tuple(strings)) == tuple(range(1000))


@pytest.mark.parametrize("text", ["000", "099", "100", "0999", "7"])
def test_zero_padded_numbers_are_indices(text: str) -> None:
    assert class_of(text) == int(text)


@pytest.mark.parametrize("text", ["1000", "00001", "-1", "1.0", "١"])
def test_numbers_that_are_not_indices(text: str) -> None:
    assert class_of(text) is None
