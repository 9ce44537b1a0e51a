"""Attention by landmarks: against exact attention, the true pseudo-inverse and the formulas written out."""

import pytest
import torch
from torch.testing import assert_close

from diffeo_denseflow.attention import (
    LandmarkAttention,
    approximate_inverse,
    landmark_means,
    nystrom_attention,
    released_attention,
)

DOUBLE = torch.float64


def numbers(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)


def test_landmarks_are_means_of_segments():
    tokens = torch.tensor([[1.0], [3.0], [5.0], [7.0]])
    assert landmark_means(tokens, 2).tolist() == [[2.0], [6.0]]
    assert torch.equal(landmark_means(tokens, 4), tokens)


def test_the_inverse_converges_to_that_of_a_regular_matrix():
    matrix = torch.softmax(2 * numbers(5, 4, 4), -1) + torch.eye(4, dtype=DOUBLE)
    assert_close(approximate_inverse(matrix, 12), torch.linalg.inv(matrix), atol=1e-9, rtol=0)
    assert_close(approximate_inverse(matrix), torch.linalg.inv(matrix), atol=0.01, rtol=0)  # after six iterations


def test_the_inverse_of_a_singular_matrix_is_that_of_moore_and_penrose():
    alike = torch.full((4, 4), 0.25, dtype=DOUBLE)  # what landmarks give that do not differ
    assert_close(approximate_inverse(alike), torch.linalg.pinv(alike))
    nearly = alike + 1e-9 * numbers(4, 4)
    assert bool((approximate_inverse(nearly) - approximate_inverse(alike)).abs().max() < 1e-4)


def test_each_inverse_is_of_its_own_matrix():
    matrices = torch.softmax(torch.stack([numbers(4, 4), 30 * numbers(4, 4, seed=1)]), -1)
    assert_close(approximate_inverse(matrices)[0], approximate_inverse(matrices[0]))


def test_with_every_token_a_landmark_it_is_exact_attention():
    query, key, value = 1.5 * numbers(3, 2, 6, 4)
    query = query + 3 * key  # tokens that attend to themselves, so that the middle matrix is regular
    middle = torch.softmax(query @ key.mT / 2, -1)
    exact = middle @ value
    assert_close(middle @ approximate_inverse(middle, 30) @ middle @ value, exact, atol=1e-6, rtol=0)
    assert_close(nystrom_attention(query, key, value, 6), exact, atol=0.05, rtol=0)


def test_rows_and_weights_are_those_of_the_formula():
    query, key, value = numbers(3, 2, 8, 3)
    marks_q = query.reshape(2, 4, 2, 3).mean(2)
    marks_k = key.reshape(2, 4, 2, 3).mean(2)
    for function, dim, scale_q, scale_k in (
        (nystrom_attention, -1, 3**-0.5, 1.0),
        (released_attention, -2, 1.0, 8**-0.5),
    ):
        marks = scale_q if dim == -1 else 8**-0.5
        first = torch.softmax(scale_q * query @ (scale_k * marks_k).mT, dim)
        middle = torch.softmax(marks * marks_q @ (scale_k * marks_k).mT, dim)
        last = torch.softmax(marks * marks_q @ key.mT, dim)
        expected = first @ approximate_inverse(middle) @ last @ value
        assert_close(function(query, key, value, 4), expected)


def test_attention_to_equal_values_returns_them():
    """Rows of a softmax over keys sum to one, and so do those of their product with the pseudo-inverse in between."""
    query, key = numbers(2, 1, 8, 3)
    value = torch.ones(1, 8, 3, dtype=DOUBLE)
    middle = torch.softmax(landmark_means(query, 4) @ landmark_means(key, 4).mT / 3**0.5, -1)
    inverse = approximate_inverse(middle, 40)
    assert_close((inverse @ value[:, :4]), value[:, :4], atol=1e-6, rtol=0)
    assert_close(nystrom_attention(query, key, value, 4), value, atol=0.01, rtol=0)


@pytest.mark.parametrize("style", ["nystrom", "released"])
def test_every_position_sees_every_other(style):
    torch.manual_seed(0)
    layer = LandmarkAttention(3, 5, features=4, landmarks=2, style=style).double()
    x = numbers(1, 3, 4, 2)
    moved = x.clone()
    moved[..., 0, 0] += 1
    assert bool(((layer(moved) - layer(x)).abs().amax((0, 1)) > 0).all())


def test_a_token_is_a_pixel_or_what_lies_together_in_memory():
    """Queries, keys and values of the two styles are the same numbers, put together differently."""
    torch.manual_seed(0)
    pixels = LandmarkAttention(3, 2, features=1, landmarks=2, style="nystrom").double()
    memory = LandmarkAttention(3, 2, features=1, landmarks=2, style="released").double()
    memory.load_state_dict(pixels.state_dict())
    x = numbers(1, 3, 2, 2)
    projected = pixels.project(x)
    query, key, value = projected.flatten(2).mT.unbind(-1)
    seen = nystrom_attention(query[..., None], key[..., None], value[..., None], 2) + value[..., None]
    assert_close(pixels(x), pixels.merge(seen.mT.reshape(1, 1, 2, 2)))
    query, key, value = projected.reshape(1, 4, 3).unbind(-1)
    seen = released_attention(query[..., None], key[..., None], value[..., None], 2) + value[..., None]
    assert_close(memory(x), memory.merge(seen.reshape(1, 1, 2, 2)))


def test_far_out_everything_stays_finite():
    query, key, value = (1e3 * part for part in numbers(3, 2, 8, 3).float())
    query.requires_grad_()
    for function in (nystrom_attention, released_attention):
        out = function(query, key, value, 4)
        (grad,) = torch.autograd.grad(out.sum(), query)
        assert bool(out.isfinite().all())
        assert bool(grad.isfinite().all())
