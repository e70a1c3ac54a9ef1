"""Which pictures and which pairs a seed chooses: pure, and by hashes, so that it never changes.

Things are drawn without replacement in the order of the SHA-256 of (what is drawn, seed, class, picture). Unlike
a shuffle, that order does not depend on a library's random stream, nor on what else there is to draw from: a
class that comes to the source leaves the pairs of the others as they were.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from stackwalls.model import drawing_rank


def image_order(image_ids: Iterable[str], synset: str, seed: int) -> list[str]:
    """The ids of one class's pictures in the order in which they are drawn."""
    return sorted(image_ids, key=lambda image_id: drawing_rank("image", seed, synset, image_id))


def pair_order(count: int) -> Iterator[tuple[int, int]]:
    """Positions (first, second) of the pairs of `count` pictures, in the order in which they are taken.

    (0, 1), (2, 3), …: every picture is taken once before any is taken twice. After those come the pairs between
    them, (1, 2), (3, 4), …, around the end, then the pairs of pictures two apart, and so on, until each picture
    has stood first with every other: `most_pairs(count)` pairs, all different. More pairs never change the first.
    """
    for distance in range(1, count):
        for start in (*range(0, count, 2), *range(1, count, 2)):
            yield start, (start + distance) % count


def most_pairs(count: int) -> int:
    """How many ordered pairs of two different pictures `count` pictures make."""
    return count * (count - 1)
