"""Which laws bind the kinds that this package declares. No torch here."""

from diffeo.testing import RECORD, Law, Suite

__all__ = ["ORDER"]


def _law(name: str) -> Law:
    return Law(name=name, check=f"diffeo_nested_dropout.law_checks:{name}")


ORDER = Suite(laws=(*RECORD, _law("normalised"), _law("quantiles"), _law("any_shape")))
