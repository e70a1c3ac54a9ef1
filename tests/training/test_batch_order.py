"""Every process has its own share of the same batches."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from stackwalls.model import InputError
from stackwalls.model.training.batch_order import BatchOrder


@given(
    st.integers(1, 4),
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(0, 20),
    st.integers(0, 9),
    st.integers(0, 2**31),
)
def test_processes_and_parts_cut_the_same_batches(
    world: int, accumulation: int, piece: int, extra: int, step: int, seed: int
) -> None:
    batch = world * accumulation * piece
    size = 2 * batch + extra
    alone = BatchOrder(size, batch, seed)
    shares = [BatchOrder(size, batch, seed, rank, world, accumulation) for rank in range(world)]
    (expected,) = alone.pieces(step, step + 1)
    pieces = [list(share.pieces(step, step + 1)) for share in shares]
    assert expected == [place for part in range(accumulation) for rank in range(world) for place in pieces[rank][part]]
    for share, found in zip(shares, pieces, strict=True):
        for part, places in enumerate(found):
            start = share.first(part)
            assert expected[start : start + share.piece] == places


@given(st.integers(1, 7), st.integers(0, 30), st.integers(0, 5))
def test_an_epoch_holds_every_picture_at_most_once_and_leaves_out_less_than_a_batch(
    batch: int, extra: int, seed: int
) -> None:
    order = BatchOrder(batch + extra, batch, seed)
    for epoch in range(2):
        steps = order.steps_per_epoch
        places = [p for piece in order.pieces(epoch * steps, (epoch + 1) * steps) for p in piece]
        numbers = [place.number for place in places]
        assert len(set(numbers)) == len(numbers) > order.size - batch
        assert {place.epoch for place in places} == {epoch}
        assert [place.position for place in places] == list(range(len(places)))
        # the slow, obvious rewrite
        assert numbers == np.random.default_rng([seed, epoch]).permutation(order.size)[: len(numbers)].tolist()


def test_orders_that_cannot_be_are_refused() -> None:
    with pytest.raises(InputError, match="7 training images do not fill a batch of 8"):
        BatchOrder(7, 8, 0)
    with pytest.raises(InputError, match="does not divide into 3 parts for 2 processes"):
        BatchOrder(64, 8, 0, 0, 2, 3)
