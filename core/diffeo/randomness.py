"""Seeds derived from seeds: everything random in a run is a function of (seed, purpose, step, ...)."""

import hashlib
from collections.abc import Generator
from contextlib import contextmanager

import torch

__all__ = ["derive", "example_seeds", "seed_device", "seeded"]


def derive(seed: int, *parts: str | int) -> int:
    """A 63-bit seed for one purpose; different parts give independent seeds."""
    text = ":".join(map(str, (seed, *parts)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1


def example_seeds(seed: int, step: int, batch_size: int) -> torch.Tensor:
    """One int64 seed per position of the global batch of a step."""
    generator = torch.Generator().manual_seed(derive(seed, "example", step))
    return torch.randint(2**63 - 1, (batch_size,), generator=generator)


def seed_device(seed: int, device: torch.device) -> None:
    """Seed the generators a step draws from, the CPU's and that of its device.

    ``torch.manual_seed`` asks every backend it knows, which takes longer than a small step's optimizer.
    """
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)
    elif device.type == "mps":
        torch.mps.manual_seed(seed)


@contextmanager
def seeded(seed: int) -> Generator[None]:
    """Run a block with torch's generators seeded, and put them back as they were; of a seed they take the last 64 bits."""
    with torch.random.fork_rng():
        torch.manual_seed(seed % 2**64)
        yield
