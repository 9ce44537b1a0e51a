"""The noise of a step: drawn, recorded, handed in."""

import pytest
import torch

from diffeo import normal_noise, uniform_noise
from diffeo.noise import Draw, given_noise, recorded_draws

LIKE = torch.zeros((), dtype=torch.float64)


def test_it_is_what_torch_draws():
    torch.manual_seed(0)
    ours = [uniform_noise((2, 3), LIKE), normal_noise((4,), LIKE.float())]
    torch.manual_seed(0)
    assert torch.equal(ours[0], torch.rand(2, 3, dtype=torch.float64))
    assert torch.equal(ours[1], torch.randn(4))


def test_what_is_asked_for_is_recorded_and_can_be_drawn_again():
    torch.manual_seed(0)
    with recorded_draws() as draws:
        first = [uniform_noise((2,), LIKE), normal_noise((3, 1), LIKE)]
    assert draws == [Draw("uniform", (2,)), Draw("normal", (3, 1))]
    generator = torch.Generator().manual_seed(0)
    for draw, ours in zip(draws, first, strict=True):
        assert torch.equal(draw.take(LIKE, generator), ours)


def test_given_noise_comes_in_order_and_its_end_is_told():
    one, two = torch.rand(2).double(), torch.rand(3).double()
    with given_noise([one, two]):
        assert uniform_noise((2,), LIKE) is one
        assert normal_noise((3,), LIKE) is two
        with pytest.raises(RuntimeError, match="randomness of this step"):
            uniform_noise((2,), LIKE)
    assert uniform_noise((2,), LIKE) is not one


@pytest.mark.parametrize("shape", [(3,), (2, 1)])
def test_noise_of_another_shape_is_told(shape):
    with given_noise([torch.rand(2).double()]), pytest.raises(RuntimeError, match="randomness of this step"):
        uniform_noise(shape, LIKE)
