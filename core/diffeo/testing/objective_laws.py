"""What objectives promise: a scalar, a gradient for every trainable parameter at every step, a mean over the batch."""

from typing import Any

import torch
from torch import Tensor, nn

from diffeo.dataset import Dataset
from diffeo.objective import Loss, Objective, Progress
from diffeo.testing.random_parameters import randomize
from diffeo.testing.reporting import expect, expect_close, expect_finite
from diffeo.testing.standins import default_data, default_model
from diffeo.testing.subject import Subject
from diffeo_registry import DiffeoError

__all__ = ["every_gradient", "mean", "not_a_submodule", "value"]

STEPS, ROWS = 4, 16


def value(subject: Subject) -> None:
    """The loss is one finite number, and so is every metric; a metric carries no gradient."""
    trained = _Trained(subject)
    for step in range(STEPS):
        loss = trained.loss(step)
        expect("value", loss.value.dim() == 0, f"expected a scalar loss; got shape {tuple(loss.value.shape)}")
        expect_finite("value", loss.value)
        for name, metric in loss.metrics.items():
            expect("value", metric.dim() == 0, f"expected metric {name} as a scalar; got shape {tuple(metric.shape)}")
            expect_finite(f"value, metric {name}", metric)
            expect("value", not metric.requires_grad, f"expected metric {name} detached; got one with a gradient")


def every_gradient(subject: Subject) -> None:
    """At every step every trainable parameter of model and objective gets a finite gradient; processes wait for each."""
    trained = _Trained(subject)
    optimizer = torch.optim.SGD(trained.both.parameters(), lr=1e-3)
    for step in range(STEPS):
        optimizer.zero_grad(set_to_none=True)
        trained.loss(step).value.backward()
        for name, parameter in trained.both.named_parameters():
            if parameter.requires_grad:
                law = f"every gradient, step {step}"
                if parameter.grad is None:
                    raise AssertionError(f"{law}: parameter {name} got no gradient (a term 0 * parameter will do)")
                expect_finite(f"{law}, parameter {name}", parameter.grad)
        optimizer.step()


def mean(subject: Subject) -> None:
    """The loss is a mean over the batch: halves average to the whole, where neither model nor objective draws noise."""
    trained = _Trained(subject)
    if not isinstance(trained.data, Dataset):
        return
    batch = trained.batch()
    first, again = trained.loss(0, batch).value, trained.loss(0, batch, seed=1).value
    if not torch.equal(first, again):  # it draws noise
        return
    halves = [
        {name: values[half * ROWS // 2 : (half + 1) * ROWS // 2] for name, values in batch.items()} for half in (0, 1)
    ]
    average = torch.stack([trained.loss(0, half).value for half in halves]).mean()
    expect_close("mean over the batch, average of two halves", average, first, atol=1e-8, rtol=1e-8)


def not_a_submodule(subject: Subject) -> None:
    """The objective does not keep the model: its parameters would be saved and counted twice."""
    trained = _Trained(subject)
    kept = [name for name, module in trained.objective.named_modules() if module is trained.model]
    expect("not a submodule", not kept, f"expected an objective that does not hold the model; got it at {kept}")


class _Trained:
    """A model with its objective and data, in float64 and training mode."""

    def __init__(self, subject: Subject) -> None:
        self.data = default_data(subject.case)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(100)
            self.model: Any = randomize(default_model(subject.case), scale=0.1).double()
            self.objective: Objective = randomize(subject.make_with(self.model, self.data), scale=0.1).double()
        self.both = nn.ModuleList([self.model, self.objective]).train()

    def batch(self) -> dict[str, Tensor]:
        """The first training examples; empty for a target."""
        if not isinstance(self.data, Dataset):
            return {}
        examples = self.data.batch("train", torch.arange(ROWS), torch.arange(ROWS))
        return {name: values.double() if values.is_floating_point() else values for name, values in examples.items()}

    def loss(self, step: int, batch: dict[str, Tensor] | None = None, *, seed: int = 0) -> Loss:
        """The loss at a step, with the same noise for the same seed."""
        batch = self.batch() if batch is None else batch
        rows = len(next(iter(batch.values()))) if batch else ROWS
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            try:
                return self.objective(self.model, batch, Progress(step, STEPS, rows))
            except DiffeoError:
                raise
            except ValueError as error:
                raise AssertionError(
                    f"expected an objective that takes its case's model and data (fields of Case); got {error}"
                ) from error
