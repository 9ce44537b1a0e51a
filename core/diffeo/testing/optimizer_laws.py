"""What optimizers promise: steps that follow the learning rate, and a state of tensors, so that a run can be saved and goes on."""

import torch
from torch import Tensor, nn

from diffeo.testing.reporting import expect, expect_equal, expect_finite
from diffeo.testing.standins import default_parameters
from diffeo.testing.subject import Subject

__all__ = ["descends", "learning_rate", "moves", "repeatable", "state"]

Parameters = list[nn.Parameter]


def moves(subject: Subject) -> None:
    """A step moves every parameter that has a gradient, by finite numbers, and no other."""
    parameters = default_parameters()
    *moving, still = parameters
    before = _values(parameters)
    optimizer = subject.make_with(parameters)
    _give_gradients(moving, 0)
    optimizer.step()
    for place, (parameter, start) in enumerate(zip(moving, before, strict=False)):
        expect_finite(f"moves, parameter {place}", parameter)
        expect("moves", not torch.equal(parameter, start), f"expected parameter {place} to move; it did not")
    expect_equal("moves, a parameter without a gradient", still, before[-1])


def learning_rate(subject: Subject) -> None:
    """Every group has a learning rate, which the trainer sets before each step; at 0 nothing moves."""
    parameters = default_parameters()
    before = _values(parameters)
    optimizer = subject.make_with(parameters)
    for group in optimizer.param_groups:
        rate = group.get("lr")
        expect("learning rate", isinstance(rate, float) and rate > 0, f"expected a positive group['lr']; got {rate!r}")
        group["lr"] = 0.0
    for step in range(3):
        _give_gradients(parameters, step)
        optimizer.step()
    for parameter, start in zip(parameters, before, strict=True):
        expect_equal("learning rate, 0", parameter, start)


def state(subject: Subject) -> None:
    """All that it remembers is tensors by parameter: taken out and put into a fresh optimizer they go on to the same bits."""
    parameters = default_parameters()
    optimizer = subject.make_with(parameters)
    _take_steps(optimizer, parameters, range(3))
    twins = [nn.Parameter(value) for value in _values(parameters)]
    twin = subject.make_with(twins)
    for parameter, other in zip(parameters, twins, strict=True):
        for slot, value in optimizer.state.get(parameter, {}).items():
            expect(
                "state",
                isinstance(slot, str) and isinstance(value, (Tensor, int, float)),
                f"expected tensors or numbers by name; got {slot!r}: {type(value).__name__}",
            )
            twin.state[other][slot] = torch.as_tensor(value).clone()
    _take_steps(optimizer, parameters, range(3, 6))
    _take_steps(twin, twins, range(3, 6))
    for parameter, other in zip(parameters, twins, strict=True):
        expect_equal("state, three steps later", other, parameter)


def repeatable(subject: Subject) -> None:
    """The same gradients give the same bits."""
    first, second = default_parameters(), default_parameters()
    for parameters in (first, second):
        _take_steps(subject.make_with(parameters), parameters, range(3))
    for parameter, other in zip(first, second, strict=True):
        expect_equal("repeatable", other, parameter)


def descends(subject: Subject) -> None:
    """Two hundred steps in a round bowl, with the learning rate it has by default, end lower than they began."""
    parameters = default_parameters()
    optimizer = subject.make_with(parameters)
    start = _height(parameters).detach()
    for _ in range(200):
        optimizer.zero_grad(set_to_none=True)
        _height(parameters).backward()
        optimizer.step()
    end = _height(parameters).detach()
    expect("descends", bool(end < start), f"expected less than {float(start):.6g}; got {float(end):.6g}")


def _height(parameters: Parameters) -> Tensor:
    return torch.stack([0.5 * parameter.square().sum() for parameter in parameters]).sum()


def _take_steps(optimizer: torch.optim.Optimizer, parameters: Parameters, steps: range) -> None:
    for step in steps:
        _give_gradients(parameters, step)
        optimizer.step()


def _give_gradients(parameters: Parameters, step: int) -> None:
    generator = torch.Generator().manual_seed(step)
    for parameter in parameters:
        parameter.grad = torch.randn(parameter.shape, generator=generator)


def _values(parameters: Parameters) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in parameters]
