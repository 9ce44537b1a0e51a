"""A plugin written against plugin API 1, as its author left it."""

from acme_frozen.config import FixedGate, Lattice, SoftGate, Tempered, Warp, Widen

__all__ = ["FixedGate", "Lattice", "SoftGate", "Tempered", "Warp", "Widen"]
