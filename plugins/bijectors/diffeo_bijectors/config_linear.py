"""Configs of the linear maps: actnorm, permutations, LU and QR layers, 1x1 convolutions."""

import attrs

from diffeo_registry import field

__all__ = ["ActNorm", "Conv1x1", "DenseLinear", "LULinear", "Permutation", "QRLinear", "Reverse", "Shuffle"]


@attrs.frozen(kw_only=True)
class ActNorm:
    """A learned shift and scale, set from the first batch so that its output has mean 0 and standard deviation 1."""

    per_element: bool = field(
        False, help="One shift and scale for every entry of the event instead of one per channel; for vectors the same."
    )
    variance: str = field(
        "unbiased",
        choices=("unbiased", "biased"),
        help="Of the first batch: divided by the number of values less one, or, as in Flow++, by the number itself.",
    )
    epsilon: float = field(
        1e-6,
        gt=0,
        help="A channel of the first batch with a standard deviation of at most epsilon * max(1, |mean|) counts as "
        "constant and is shifted only. The default is ten times the rounding error of float32.",
    )


@attrs.frozen(kw_only=True)
class Reverse:
    """Reverses the order of the first event dimension."""


@attrs.frozen(kw_only=True)
class Shuffle:
    """Permutes the first event dimension by a random permutation, drawn once and saved with the weights."""


@attrs.frozen(kw_only=True)
class Permutation:
    """Permutes the first event dimension by given indices: ``y[i] = x[indices[i]]``."""

    indices: tuple[int, ...] = field(help="Every index from 0 to D - 1 once: entry i of the output is x[indices[i]].")


@attrs.frozen(kw_only=True)
class LULinear:
    """A linear map of vectors with weight L U P: log-det and inverse cost O(D^2)."""

    init: str = field(
        "identity",
        choices=("identity", "uniform"),
        help="identity: L = U = I. uniform: every entry of L and U, the raw diagonal included, from U(-1, 1)/sqrt(D).",
    )
    permute: bool = field(
        True, help="Apply a random permutation P first, drawn once and saved with the weights, since L U alone reaches "
        "only matrices with positive leading minors."
    )  # fmt: skip


@attrs.frozen(kw_only=True)
class QRLinear:
    """A linear map of vectors with weight Q R, Q a product of Householder reflections."""

    reflections: int | None = field(
        None,
        ge=1,
        help="Number of reflections; by default D, or D + 1 for odd D: then Q starts as I and can be any rotation.",
    )
    init: str = field(
        "identity",
        choices=("identity", "uniform"),
        help="Of R. identity: R = I. uniform: entries above the diagonal and logarithms of it from U(-1, 1)/sqrt(D).",
    )


@attrs.frozen(kw_only=True)
class DenseLinear:
    """A linear map of vectors by a matrix of free parameters."""

    init: str = field(
        "orthogonal",
        choices=("orthogonal", "identity"),
        help="orthogonal: uniformly random, so that entries mix at once.",
    )


@attrs.frozen(kw_only=True)
class Conv1x1:
    """An invertible linear map of the channels, the same at every position of an image."""

    parametrization: str = field(
        "lu", choices=("lu", "dense"), help="lu: L U P, cheap and never singular. dense: a full matrix."
    )
    init: str | None = field(
        None,
        choices=("identity", "uniform", "orthogonal"),
        help="For lu: identity (default) or uniform, as in lu_linear. For dense: orthogonal (default, uniformly "
        "random) or identity.",
    )
    noise: float = field(
        0.0, ge=0, help="For dense with init identity: standard deviation of normal noise added to every entry."
    )
    permute: bool = field(True, help="For lu: apply a random permutation of the channels first, as in lu_linear.")
    bias: bool = field(True, help="Add a trainable number to every channel; a norm in front makes it superfluous.")
