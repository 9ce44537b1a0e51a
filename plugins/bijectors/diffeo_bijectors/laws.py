"""Which laws bind the kinds that this package declares. No torch here."""

from diffeo.testing import INVERTIBLE, MAP, RECORD, Law, Suite

__all__ = ["ELEMENTWISE", "SCALE", "SPLIT"]


def _law(name: str) -> Law:
    return Law(name=name, check=f"diffeo_bijectors.law_checks:{name}")


ELEMENTWISE = Suite(
    laws=(*RECORD, *INVERTIBLE, _law("identity_at_zero"), _law("any_shape")),
    view="diffeo_bijectors.law_checks:elementwise_as_map",
)
"""A transform with its parameters as context is a bijector, and held to the laws of one."""

SCALE = Suite(
    laws=(*RECORD, *MAP, _law("zero_at_zero"), _law("keeps_nan")), view="diffeo_bijectors.law_checks:scale_as_map"
)

SPLIT = Suite(laws=(*RECORD, _law("parts"), _law("swap")))
