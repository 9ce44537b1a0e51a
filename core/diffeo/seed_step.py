"""One step of many models of one shape: the gradient of every seed's loss, in one call.

S seeds, P trainable parameters of one model, B examples. Parameters lie in one matrix theta (S, P), a row for each seed, in the
order of ``named_parameters``; buffers and fixed parameters are stacked (S, ...), and so are batches, (S, B, ...), and noise.
"""

import shutil
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call, grad_and_value, vmap

from diffeo.noise import Draw, given_noise, recorded_draws
from diffeo.objective import Loss, Progress
from diffeo.training_step import TrainingStep

__all__ = ["SeedStep"]

Tensors = dict[str, Tensor]

Noise = Sequence[Tensor]
"""What a step asks for with ``diffeo.uniform_noise`` and ``normal_noise``, in order: ``(S, *shape)`` each."""

Gradients = Callable[[Tensor, Tensors, Tensors, Noise, Progress], tuple[Tensor, Loss]]
"""(theta, buffers, batches, noise, progress) -> gradients and losses."""


class SeedStep:
    """(theta, buffers, batches, noise, progress) -> for every seed s

        gradient_s = d loss_s / d theta_s,    loss_s = loss of the module with parameters theta_s, on batch_s, with noise_s

    ``module`` is that of one of the seeds; of itself it gives the computation only. Gradients are (S, P), losses and metrics (S).
    """

    def __init__(self, module: TrainingStep) -> None:
        self.module = TrainingStep(module.model, module.objective)  # as it was before trainer.compile
        trained = {name: p for name, p in module.named_parameters() if p.requires_grad}
        self.names, self.shapes = list(trained), [p.shape for p in trained.values()]
        self.sizes = [shape.numel() for shape in self.shapes]
        self.compute: Gradients = self.gradients

    def __call__(
        self, theta: Tensor, buffers: Tensors, batches: Tensors, noise: Noise, progress: Progress
    ) -> tuple[Tensor, Loss]:
        return self.compute(theta, buffers, batches, noise, progress)

    def gradients(
        self, theta: Tensor, buffers: Tensors, batches: Tensors, noise: Noise, progress: Progress
    ) -> tuple[Tensor, Loss]:
        """The step, run operation by operation."""

        def loss_of(row: Tensor, fixed: Tensors, batch: Tensors, own_noise: Noise) -> tuple[Tensor, Loss]:
            with given_noise(own_noise):
                loss: Loss = functional_call(self.module, self._tensors(row, fixed), (batch, progress))
            return loss.value, loss

        gradient, (_, loss) = vmap(grad_and_value(loss_of, has_aux=True))(theta, buffers, batches, noise)
        return gradient, loss

    def changed_buffers(
        self, theta: Tensor, buffers: Tensors, batches: Tensors, noise: Noise, progress: Progress
    ) -> list[str]:
        """The buffers that a step changes, in place or by putting another tensor there. Works on copies of them."""
        copies = {name: buffer.clone() for name, buffer in buffers.items()}
        replaced: set[str] = set()

        def loss_of(row: Tensor, fixed: Tensors, batch: Tensors, own_noise: Noise) -> Tensor:
            tensors = self._tensors(row, fixed)
            with given_noise(own_noise):
                loss: Loss = functional_call(self.module, tensors, (batch, progress))
            replaced.update(name for name in fixed if tensors[name] is not fixed[name])
            return loss.value

        vmap(loss_of)(theta, copies, batches, noise)
        return [name for name in buffers if name in replaced or not torch.equal(copies[name], buffers[name])]

    def draws(self, batch: Tensors, progress: Progress) -> list[Draw]:
        """What one model asks for in a step."""
        copies = {name: buffer.clone() for name, buffer in self.module.named_buffers()}
        with recorded_draws() as draws, torch.no_grad():
            functional_call(self.module, copies, (batch, progress))
        return list(draws)

    def compile(self) -> None:
        """Compile the step where there is a C++ compiler; it is the same step either way."""
        if sys.platform != "win32" and any(shutil.which(name) for name in ("g++", "c++", "clang++")):
            self.compute = _Compiled(self.gradients)

    def flatten(self, tensors: Sequence[Tensor]) -> Tensor:
        """The row of theta that holds these parameters."""
        return torch.cat([tensor.detach().reshape(-1) for tensor in tensors])

    def parts(self, row: Tensor) -> list[Tensor]:
        """The parameters in a row, as views of it."""
        return [part.reshape(shape) for part, shape in zip(row.split(self.sizes), self.shapes, strict=True)]

    def _tensors(self, row: Tensor, fixed: Tensors) -> dict[str, Any]:
        return dict(zip(self.names, self.parts(row), strict=True)) | fixed


class _Compiled:
    """A step that is compiled once; where it cannot be, it is run as it is, with a warning.

    ``torch.compile`` takes an integer for a constant until it sees a second value of it, and 0 and 1 for constants always:
    compiled at once, the step would be compiled again at the next one. To trace one step without generating code takes a second
    instead of half a minute, and is enough for it to know that the number of the step varies.
    """

    def __init__(self, function: Gradients) -> None:
        self.function = function
        self.compiled: Gradients = torch.compile(function)
        self.next: Gradients = torch.compile(function, backend="eager")

    def __call__(
        self, theta: Tensor, buffers: Tensors, batches: Tensors, noise: Noise, progress: Progress
    ) -> tuple[Tensor, Loss]:
        if progress.step < 2:
            return self.function(theta, buffers, batches, noise, progress)
        try:
            result = self.next(theta, buffers, batches, noise, progress)
            self.next = self.compiled
        except Exception as error:
            result = self.function(
                theta, buffers, batches, noise, progress
            )  # raises if it is the step that has a mistake
            self.next = self.compiled = self.function
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            warnings.warn(f"the step could not be compiled and is run as it is: {reason}", stacklevel=2)
        return result
