import torch

from diffeo_data.images import average_pool, flip_some, one_hot, pad_zeros, shift_by


def test_pooling_rounds_the_mean_halves_up():
    x = torch.tensor([[[[0, 1, 255, 255], [0, 1, 255, 254], [1, 1, 0, 0], [0, 0, 0, 1]]]], dtype=torch.uint8)
    # means 0.5, 254.75, 0.5, 0.25
    assert average_pool(x, 2).tolist() == [[[[1, 255], [1, 0]]]]
    assert average_pool(x, 2).dtype == torch.uint8
    assert average_pool(x, 1) is x


def test_pooling_equals_the_rounded_mean_in_float64():
    x = torch.randint(0, 256, (5, 3, 12, 12), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    mean = torch.nn.functional.avg_pool2d(x.double(), 3)
    assert torch.equal(average_pool(x, 3), torch.floor(mean + 0.5 + 1e-9).to(torch.uint8))


def test_padding_is_zeros_all_round():
    padded = pad_zeros(torch.full((1, 1, 2, 2), 7, dtype=torch.uint8), 1)
    assert padded.tolist() == [[[[0, 0, 0, 0], [0, 7, 7, 0], [0, 7, 7, 0], [0, 0, 0, 0]]]]


def test_flip_mirrors_the_chosen_only():
    x = torch.tensor([[[[1, 2, 3]]], [[[4, 5, 6]]]], dtype=torch.uint8)
    assert flip_some(x, torch.tensor([False, True])).tolist() == [[[[1, 2, 3]]], [[[6, 5, 4]]]]


def test_a_shift_moves_every_example_by_its_own_and_repeats_the_edge():
    x = torch.tensor([[[[1, 2], [3, 4], [5, 6]]]], dtype=torch.uint8).expand(3, 2, 3, 2)
    moved = shift_by(x, torch.tensor([0, 1, -2]), torch.tensor([0, -1, 0]))
    assert moved.dtype == torch.uint8
    assert moved[:, 0].tolist() == [[[1, 2], [3, 4], [5, 6]], [[2, 2], [2, 2], [4, 4]], [[5, 6], [5, 6], [5, 6]]]
    assert torch.equal(moved[:, 1], moved[:, 0])
    assert moved.is_contiguous()
    assert shift_by(x[:0], torch.arange(0), torch.arange(0)).shape == (0, 2, 3, 2)


def test_one_hot():
    assert one_hot(torch.tensor([2, 0]), 3).tolist() == [[0, 0, 1], [1, 0, 0]]
    assert one_hot(torch.tensor([2]), 3).dtype == torch.float32
