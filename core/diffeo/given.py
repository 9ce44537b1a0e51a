"""A target that Python gives with a spec, and its place in the spec."""

from typing import Any

import attrs

from diffeo.config import Given
from diffeo.config_spec import Spec
from diffeo.dataset import Target

__all__ = ["given_target", "with_data"]


def with_data(spec: Spec, data: Any) -> Spec:
    """The spec with a target in the place of its data; as it is where ``data`` is None."""
    if not isinstance(spec, Spec):  # pyright: ignore[reportUnnecessaryIsInstance] - from Python it may be anything
        raise ValueError(f"expected a spec, as load_spec makes one of a file or of the name of a recipe; got {spec!r}")
    if data is None:
        return spec
    if not isinstance(data, Target):
        raise ValueError(f"expected data as a diffeo.Target, such as diffeo.CallableTarget(...); got {data!r}")
    config = Given(what=" ".join(f"{type(data).__name__} {data.extra_repr()}".split()))
    object.__setattr__(config, "target", data)
    other = attrs.evolve(spec, data=config)
    object.__setattr__(other, "origin", spec.origin)
    return other


def given_target(config: Given) -> Target:
    """The target that was given with the spec."""
    if config.target is None:
        was = f" (it was: {config.what})" if config.what else ""
        raise ValueError(
            "expected the target itself, from Python: diffeo.train(spec, data=target), or data=... of resume and evaluate; "
            f"got a spec alone{was}"
        )
    return config.target
