"""Random numbers as a function of a key: the same on every machine, in any order, with no state to keep.

SplitMix64 (Steele, Lea & Flood 2014, doi:10.1145/2660193.2660195), read as a counter-based generator: number j of a
key is the mixed value of ``key + (j + 1) * GOLDEN_GAMMA``, where the key itself is mixed first so that neighbouring
keys share nothing. Dimensions: N examples, K numbers for each.
"""

import hashlib

import numpy as np
import torch
from jaxtyping import Float64, Int64
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["derive_key", "example_keys", "permutation", "uniforms"]

GOLDEN_GAMMA = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio, odd (section 3 of the paper)
# Shifts and multipliers of the finaliser that the paper's reference code uses (Stafford's "variant 13").
MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
MIX_2 = np.uint64(0x94D049BB133111EB)


def _mix(z: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """A bijection of 64-bit words in which every input bit flips every output bit with probability near one half."""
    z = (z ^ (z >> np.uint64(30))) * MIX_1
    z = (z ^ (z >> np.uint64(27))) * MIX_2
    return z ^ (z >> np.uint64(31))


def _words(keys: NDArray[np.uint64], num: int) -> NDArray[np.uint64]:
    """``num`` 64-bit words for each of N keys, (N, num)."""
    counters = np.arange(1, num + 1, dtype=np.uint64) * GOLDEN_GAMMA
    return _mix(_mix(keys + GOLDEN_GAMMA)[:, None] + counters)


def _unsigned(keys: Tensor) -> NDArray[np.uint64]:
    return keys.detach().cpu().contiguous().numpy().view(np.uint64)


def derive_key(seed: int, *names: str) -> int:
    """A signed 64-bit key for one purpose: ``derive_key(seed, "fashion_mnist", "splits")``.

    >>> derive_key(0, "rings", "val") == derive_key(0, "rings", "test")
    False
    """
    text = "\x00".join([str(seed), *names])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little", signed=True)


def example_keys(key: int, indices: Int64[Tensor, " N"]) -> Int64[Tensor, " N"]:
    """One key per example of a fixed sequence: key + index, modulo 2^64."""
    return indices.cpu() + torch.tensor(key, dtype=torch.int64)


def uniforms(keys: Int64[Tensor, " N"], num: int) -> Float64[Tensor, "N K"]:
    """``num`` independent uniform numbers in the open interval (0, 1) for each key, in float64.

    The upper 52 bits of each word, put at the middle of their cell: 0 and 1 do not occur, so logarithms are finite.

    >>> uniforms(torch.tensor([7]), 3)
    tensor([[0.7215, 0.6497, 0.5494]], dtype=torch.float64)
    """
    words = _words(_unsigned(keys), num) >> np.uint64(12)
    return torch.from_numpy((words.astype(np.float64) + 0.5) * 2.0**-52)


def permutation(key: int, size: int) -> Int64[Tensor, " N"]:
    """A permutation of 0..size-1 that depends on the key alone: the order of hashed indices."""
    words = _words(_unsigned(example_keys(key, torch.arange(size))), 1)[:, 0]
    return torch.from_numpy(np.argsort(words, kind="stable"))
