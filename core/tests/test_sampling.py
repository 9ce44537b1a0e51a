"""The data order: any step from nothing, every example once per epoch."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from diffeo.randomness import derive, example_seeds
from diffeo.sampling import batch_indices


@given(size=st.integers(1, 40), batch=st.integers(1, 50), seed=st.integers(0, 3))
def test_every_example_comes_once_per_epoch(size, batch, seed):
    steps = -(-3 * size // batch)
    order = torch.cat([batch_indices(seed, step, batch, size) for step in range(steps)])
    for epoch in range(3):
        assert sorted(order[epoch * size : (epoch + 1) * size].tolist()) == list(range(size))


@given(size=st.integers(1, 40), step=st.integers(0, 30), seed=st.integers(0, 3))
def test_a_batch_is_its_slices(size, step, seed):
    whole = batch_indices(seed, step, 8, size)
    fine = torch.cat([batch_indices(seed, 2 * step + half, 4, size) for half in (0, 1)])
    assert torch.equal(whole, fine)


def test_unshuffled_data_come_in_their_own_order_again_and_again():
    batches = [batch_indices(0, step, 3, 5, shuffle=False).tolist() for step in range(4)]
    assert batches == [[0, 1, 2], [3, 4, 0], [1, 2, 3], [4, 0, 1]]


def test_an_endless_source_counts_on():
    assert batch_indices(0, 3, 4, None).tolist() == [12, 13, 14, 15]


def test_epochs_and_seeds_differ():
    orders = {tuple(batch_indices(seed, epoch, 20, 20).tolist()) for seed in (0, 1) for epoch in (0, 1)}
    assert len(orders) == 4


def test_example_seeds_are_a_function_of_seed_and_step():
    assert torch.equal(example_seeds(1, 2, 8), example_seeds(1, 2, 8))
    assert len({tuple(example_seeds(seed, step, 4).tolist()) for seed in (0, 1) for step in (0, 1)}) == 4
    assert derive(0, "a", 1) != derive(0, "a", 2) != derive(0, "b", 2)
