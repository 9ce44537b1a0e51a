"""Schedules: pure functions of the progress that scale the learning rate, so there is no state to save.

Each starts with a linear warm-up: at step t of ``warmup`` W steps the factor is multiplied by (t + 1) / W.
"""

import math
from abc import ABC, abstractmethod

from diffeo.config import Constant, Cosine, Exponential, StepDecay
from diffeo.objective import Progress

__all__ = ["ConstantSchedule", "CosineSchedule", "ExponentialSchedule", "Schedule", "StepDecaySchedule"]


class Schedule(ABC):
    """A factor of the learning rate as a function of step and total, built as ``Implementation(config)``."""

    warmup: int = 0

    def __call__(self, progress: Progress) -> float:
        ramp = min(1.0, (progress.step + 1) / self.warmup) if self.warmup else 1.0
        return ramp * self.factor(progress)

    @abstractmethod
    def factor(self, progress: Progress) -> float:
        """The factor without the warm-up."""


class ConstantSchedule(Schedule):
    """1."""

    def __init__(self, config: Constant) -> None:
        self.warmup = config.warmup

    def factor(self, progress: Progress) -> float:
        return 1.0


class CosineSchedule(Schedule):
    """final + (1 - final) (1 + cos(pi t / T)) / 2; Loshchilov & Hutter 2017, arXiv:1608.03983, equation 5."""

    def __init__(self, config: Cosine) -> None:
        self.warmup, self.final = config.warmup, config.final

    def factor(self, progress: Progress) -> float:
        share = min(1.0, progress.step / max(1, progress.total))
        return self.final + (1 - self.final) * 0.5 * (1 + math.cos(math.pi * share))


class ExponentialSchedule(Schedule):
    """max(floor, gamma^((t - warmup - hold) / every)), and 1 before."""

    def __init__(self, config: Exponential) -> None:
        self.warmup, self.gamma, self.every, self.floor = config.warmup, config.gamma, config.every, config.floor
        self.start = config.warmup + config.hold

    def factor(self, progress: Progress) -> float:
        return max(self.floor, self.gamma ** (max(0, progress.step - self.start) / self.every))


class StepDecaySchedule(Schedule):
    """gamma^(number of milestones passed)."""

    def __init__(self, config: StepDecay) -> None:
        self.warmup, self.milestones, self.gamma = config.warmup, config.milestones, config.gamma

    def factor(self, progress: Progress) -> float:
        return self.gamma ** sum(progress.step >= milestone for milestone in self.milestones)
