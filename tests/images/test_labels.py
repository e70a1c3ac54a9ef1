import pytest
import timm.data
from torchvision.models._meta import _IMAGENET_CATEGORIES

from stackwalls.model import InputError, animals, class_names, find_class, imagenet_classes, parse_class, parse_classes


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
