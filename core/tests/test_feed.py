"""What training is fed with: a function of the seed and the step, however many processes and threads there are."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from diffeo import Dataset
from diffeo.feed import Feed
from diffeo.gradients import micro_batches, shards
from diffeo.world import World


class Numbers(Dataset):
    """Example i is the number i, beside its seed."""

    def __init__(self, size):
        super().__init__({"x": ()})
        self._size = size

    def size(self, split):
        return self._size

    def batch(self, split, indices, seeds=None):
        assert split == "train"
        return {"x": indices, "seed": seeds}


def global_batch(feeds, step):
    """What all processes get in one step, in the order of the positions in the global batch."""
    found = {}
    for feed in feeds:
        for part, positions in enumerate(feed.parts):
            batch = feed.batch(step, part)
            rows = torch.stack([batch["x"], batch["seed"]], -1)
            assert len(rows) == positions.stop - positions.start
            found |= dict(zip(range(positions.start, positions.stop), rows, strict=True))
    return torch.stack([found[position] for position in sorted(found)])


@given(
    size=st.none() | st.integers(1, 40),
    processes=st.sampled_from([1, 2, 3, 4]),
    parts=st.integers(1, 3),
    own=st.integers(1, 5),
    divide=st.sampled_from([micro_batches, shards]),
    workers=st.integers(0, 2),
    start=st.integers(0, 30),
    seed=st.integers(0, 3),
)
@settings(max_examples=60)
def test_the_global_batch_is_a_function_of_seed_and_step(size, processes, parts, own, divide, workers, start, seed):
    batch_size, data = processes * parts * own, Numbers(size)
    count = parts if divide is micro_batches else parts * processes
    worlds = [World(rank=rank, size=processes) for rank in range(processes)]
    several = [Feed(data, seed, batch_size, divide(batch_size, count, world), workers=workers) for world in worlds]
    one = Feed(data, seed, batch_size, [slice(0, batch_size)])
    try:
        for step in range(start, start + 3):
            batch = global_batch(several, step)
            assert torch.equal(batch, global_batch([one], step))
            assert batch.shape == (batch_size, 2)
    finally:
        for feed in several:
            feed.close()


@given(size=st.integers(1, 30), processes=st.sampled_from([1, 2, 4]), own=st.integers(1, 6), seed=st.integers(0, 3))
@settings(max_examples=30)
def test_every_example_comes_once_per_epoch(size, processes, own, seed):
    batch_size = processes * own
    worlds = [World(rank=rank, size=processes) for rank in range(processes)]
    feeds = [Feed(Numbers(size), seed, batch_size, micro_batches(batch_size, 1, world)) for world in worlds]
    steps = -(-3 * size // batch_size)
    order = torch.cat([global_batch(feeds, step)[:, 0] for step in range(steps)])
    for epoch in range(3):
        assert sorted(order[epoch * size : (epoch + 1) * size].tolist()) == list(range(size))


def test_an_example_is_augmented_differently_every_time():
    feed = Feed(Numbers(6), 0, 6, [slice(0, 6)])
    seeds = torch.cat([feed.batch(step, 0)["seed"] for step in range(20)])
    assert len(seeds.unique()) == 120


@pytest.mark.parametrize("workers", [1, 3])
def test_threads_may_be_asked_for_any_step(workers):
    """Back to a step, as after a loss that is not finite, and far ahead."""
    feed, plain = (Feed(Numbers(9), 0, 4, [slice(0, 2), slice(2, 4)], workers=count) for count in (workers, 0))
    for step, part in [(0, 0), (0, 1), (0, 0), (5, 1), (4, 0), (4, 1), (5, 0)]:
        assert torch.equal(feed.batch(step, part)["x"], plain.batch(step, part)["x"])
    feed.close()


def test_an_error_in_a_thread_is_raised_where_its_batch_is_used():
    class Torn(Numbers):
        def batch(self, split, indices, seeds=None):
            if (indices >= 8).any():
                raise OSError("a page is torn out")
            return super().batch(split, indices, seeds)

    feed = Feed(Torn(None), 0, 4, [slice(0, 4)], workers=2)
    assert feed.batch(0, 0)["x"].tolist() == [0, 1, 2, 3]
    assert feed.batch(1, 0)["x"].tolist() == [4, 5, 6, 7]
    with pytest.raises(OSError, match="a page is torn out"):
        feed.batch(2, 0)
    feed.close()
