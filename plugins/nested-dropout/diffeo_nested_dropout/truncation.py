"""Which latents are kept: Bekasov & Murray 2020, arXiv:2006.08777, section 2.

B batch, D number of latents, K draws of the number of latents kept.
"""

from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

__all__ = ["LATENT_ORDERS", "LatentOrder", "keep_first", "latent_ranks"]

LatentOrder = Literal["natural", "reversed", "random"]
LATENT_ORDERS: tuple[LatentOrder, ...] = ("natural", "reversed", "random")

RANDOM_ORDER_SEED = 0
"""The one random order there is: it has to be the same in training and when it is measured."""


def latent_ranks(order: LatentOrder, num_latents: int) -> Int[Tensor, " D"]:
    """The rank of every latent, 0 for the one that is dropped last.

    >>> latent_ranks("reversed", 4)
    tensor([3, 2, 1, 0])
    """
    if order == "random":
        generator = torch.Generator().manual_seed(RANDOM_ORDER_SEED)
        return torch.randperm(num_latents, generator=generator)
    ranks = torch.arange(num_latents)
    return ranks.flip(0) if order == "reversed" else ranks


def keep_first(z: Float[Tensor, "*B D"], kept: Int[Tensor, "*B"], ranks: Int[Tensor, " D"]) -> Float[Tensor, "*B D"]:
    """z with the latents of rank ``kept`` and above set to 0, the mean of the base.

    >>> keep_first(torch.ones(2, 3), torch.tensor([1, 2]), torch.arange(3))
    tensor([[1., 0., 0.],
            [1., 1., 0.]])
    """
    return torch.where(ranks < kept[..., None], z, 0.0)
