"""Attention over all positions by landmarks (Xiong et al. 2021, arXiv:2102.03902).

N folded batch, T tokens, D dimensions of queries, keys and values, L landmarks; F channels, H, W height and width.
"""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["LandmarkAttention", "approximate_inverse", "landmark_means", "nystrom_attention", "released_attention"]

ITERATIONS = 6  # of Xiong et al. 2021, section 3.2, who found them to be enough


def landmark_means(tokens: Float[Tensor, "*N T D"], landmarks: int) -> Float[Tensor, "*N L D"]:
    """Means over ``landmarks`` segments of equal length, in the order of the tokens."""
    *batch, length, size = tokens.shape
    return tokens.reshape(*batch, landmarks, length // landmarks, size).mean(-2)


def approximate_inverse(matrix: Float[Tensor, "*N L L"], iterations: int = ITERATIONS) -> Float[Tensor, "*N L L"]:
    """The Moore-Penrose inverse of K, approached from ``V = K^T / (greatest column sum * greatest row sum)``, sums of |K|, by

        V <- V (13 I - K V (15 I - K V (7 I - K V))) / 4                                  Xiong et al. 2021, equation 13

    The norms are those of each matrix by itself, so that rows of a batch do not depend on each other. Singular values that are
    small next to the greatest one have not converged after a few iterations: they stay near their start, finite.
    """
    size = matrix.abs()
    columns, rows = size.sum(-2).amax(-1), size.sum(-1).amax(-1)
    value = matrix.mT / (columns * rows)[..., None, None]
    eye = torch.eye(matrix.shape[-1], dtype=matrix.dtype, device=matrix.device)
    for _ in range(iterations):
        product = matrix @ value
        value = 0.25 * value @ (13 * eye - product @ (15 * eye - product @ (7 * eye - product)))
    return value


def nystrom_attention(
    query: Float[Tensor, "*N T D"], key: Float[Tensor, "*N T D"], value: Float[Tensor, "*N T D"], landmarks: int
) -> Float[Tensor, "*N T D"]:
    """softmax(Q K^T / sqrt(D)) V in time linear in T, by L landmarks of Q and K:

        softmax(Q K_l^T / sqrt(D)) pinv(softmax(Q_l K_l^T / sqrt(D))) softmax(Q_l K^T / sqrt(D)) V     Xiong et al., eq. 14

    Every softmax is over keys. With as many landmarks as tokens and a converged inverse it is the exact attention.
    """
    query = query / query.shape[-1] ** 0.5
    query_marks, key_marks = landmark_means(query, landmarks), landmark_means(key, landmarks)
    first = torch.softmax(query @ key_marks.mT, -1)
    middle = torch.softmax(query_marks @ key_marks.mT, -1)
    last = torch.softmax(query_marks @ key.mT, -1)
    return first @ (approximate_inverse(middle) @ (last @ value))


def released_attention(
    query: Float[Tensor, "*N T D"], key: Float[Tensor, "*N T D"], value: Float[Tensor, "*N T D"], landmarks: int
) -> Float[Tensor, "*N T D"]:
    """As DenseFlow's published numbers were made: landmarks divided by sqrt(T) in place of sqrt(D), softmax over queries."""
    scale = query.shape[-2] ** -0.5
    query_marks, key_marks = scale * landmark_means(query, landmarks), scale * landmark_means(key, landmarks)
    first = torch.softmax(query @ key_marks.mT, -2)
    middle = torch.softmax(query_marks @ key_marks.mT, -2)
    last = torch.softmax(query_marks @ key.mT, -2)
    return first @ (approximate_inverse(middle) @ (last @ value))


class LandmarkAttention(nn.Module):
    """1x1 convolutions to queries, keys and values, ``attention + V``, and a 1x1 convolution out; one head.

    ``nystrom``: a token is a pixel. ``released``: ``released_attention``, and a token is what lies together in memory, 3 D values
    in a row that belong to several pixels and one or two channels.
    """

    def __init__(
        self, inputs: int, outputs: int, *, features: int, landmarks: int, style: Literal["nystrom", "released"]
    ) -> None:
        super().__init__()
        self.landmarks, self.style = landmarks, style
        self.project = nn.Conv2d(inputs, 3 * features, 1)
        self.merge = nn.Conv2d(features, outputs, 1)

    def forward(self, x: Float[Tensor, " N F H W"]) -> Float[Tensor, " N F2 H W"]:
        rows, _, height, width = x.shape
        projected = self.project(x)
        if self.style == "nystrom":
            query, key, value = projected.flatten(2).mT.chunk(3, -1)
            seen = nystrom_attention(query, key, value, self.landmarks) + value
            return self.merge(seen.mT.reshape(rows, seen.shape[-1], height, width))
        query, key, value = projected.reshape(rows, height * width, projected.shape[1]).chunk(3, -1)
        seen = released_attention(query, key, value, self.landmarks) + value
        return self.merge(seen.reshape(rows, seen.shape[-1], height, width))
