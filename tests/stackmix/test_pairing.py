import hashlib
from itertools import islice, permutations

import pytest
from hypothesis import given, strategies as st

from stackwalls.model import class_order
from stackwalls.stackmix import image_order, most_pairs, pair_order

names = st.lists(st.text("abcdef0123456789/é", min_size=1, max_size=6), unique=True, max_size=30)


def test_pairs_by_hand() -> None:
    assert list(pair_order(4)) == [
        *[(0, 1), (2, 3), (1, 2), (3, 0)],
        *[(0, 2), (2, 0), (1, 3), (3, 1)],
        *[(0, 3), (2, 1), (1, 0), (3, 2)],
    ]
    assert list(pair_order(3)) == [(0, 1), (2, 0), (1, 2), (0, 2), (2, 1), (1, 0)]
    assert list(pair_order(2)) == [(0, 1), (1, 0)]
    assert list(pair_order(1)) == []
    assert list(pair_order(0)) == []


@pytest.mark.parametrize("count", range(12))
def test_pairs_are_all_the_ordered_ones_once(count: int) -> None:
    pairs = list(pair_order(count))
    assert sorted(pairs) == sorted(permutations(range(count), 2))
    assert len(pairs) == most_pairs(count)


@pytest.mark.parametrize("count", range(2, 12))
def test_every_picture_is_used_once_before_any_is_used_twice(count: int) -> None:
    used = [position for pair in islice(pair_order(count), count // 2) for position in pair]
    assert sorted(used) == list(range(count // 2 * 2))
    if count % 2:  # the one left over comes next
        assert list(pair_order(count))[count // 2][0] == count - 1


@pytest.mark.parametrize("count", range(2, 12))
def test_the_first_pairs_hold_for_more_pictures(count: int) -> None:
    assert list(islice(pair_order(count + 5), count // 2)) == list(islice(pair_order(count), count // 2))


@given(names, st.integers(0, 2**64))
def test_orders_are_permutations_whatever_order_they_come_in(items: list[str], seed: int) -> None:
    ordered = image_order(items, "n01440764", seed)
    assert sorted(ordered) == sorted(items)
    assert image_order(reversed(items), "n01440764", seed) == ordered
    assert sorted(class_order(items, seed)) == sorted(items)


@given(names, st.integers(0, 1000), st.integers(0, 29))
def test_one_thing_less_leaves_the_order_of_the_others(items: list[str], seed: int, place: int) -> None:
    ordered = image_order(items, "n01440764", seed)
    if place < len(ordered):
        gone = ordered.pop(place)
        assert image_order([item for item in items if item != gone], "n01440764", seed) == ordered


def test_order_is_the_documented_hash() -> None:
    items = [f"{number}.JPEG" for number in range(20)]
    slow = {hashlib.sha256(f"stack-mix\0image\0{7}\0n01440764\0{item}".encode()).hexdigest(): item for item in items}
    assert image_order(items, "n01440764", 7) == [slow[key] for key in sorted(slow)]
    slow = {hashlib.sha256(f"stack-mix\0class\0{7}\0{item}".encode()).hexdigest(): item for item in items}
    assert class_order(items, 7) == [slow[key] for key in sorted(slow)]


def test_orders_stay_as_they_were_published() -> None:
    """A change here changes every set that anybody makes again."""
    images = [f"n01443537/{number}.JPEG" for number in range(6)]
    assert image_order(images, "n01443537", 0) == [images[number] for number in (3, 0, 5, 2, 4, 1)]
    assert image_order(images, "n01443537", 1) == [images[number] for number in (0, 4, 1, 3, 5, 2)]
    synsets = ["n01440764", "n01443537", "n01484850", "n01491361"]
    assert class_order(synsets, 0) == ["n01484850", "n01443537", "n01491361", "n01440764"]


def test_seeds_and_classes_are_independent() -> None:
    """Ranks are uniform: over many classes, each of 4 pictures comes first about equally often."""
    images = list("abcd")
    first = [image_order(images, str(synset), 0)[0] for synset in range(4000)]
    assert all(abs(first.count(image) - 1000) < 150 for image in images)  # 150 is more than 5 standard deviations
    orders = {tuple(image_order(images, "n01440764", seed)) for seed in range(400)}
    assert len(orders) == 24
