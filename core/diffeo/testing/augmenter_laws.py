"""The laws of steps that draw noise: unbiased, undone exactly, and well-behaved once the noise is held fixed."""

import copy
import itertools
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor

from diffeo.augmenter import Augmenter
from diffeo.building import make
from diffeo.testing.augmenters import check_strip
from diffeo.testing.composition import built_in_steps, combinator
from diffeo.testing.gradients import scalar
from diffeo.testing.pushforward import check_unbiased
from diffeo.testing.reporting import expect, expect_close, expect_equal, expect_finite
from diffeo.testing.subject import Subject
from diffeo_registry import BuildError, Slot, installed, structure

__all__ = [
    "bound",
    "noisy_batches",
    "noisy_composition",
    "noisy_context",
    "noisy_dtypes",
    "noisy_gradients",
    "noisy_inputs_unchanged",
    "noisy_meta",
    "noisy_state",
    "strip",
    "unbiased",
]

GENTLE = 0.2
"""Parameters are moved less where an expectation is estimated: the weights must not vary too much."""
STANDARD_ERRORS = 4.0


def strip(subject: Subject) -> None:
    """``strip(augment(x)[0])`` is x, for flat, shaped and empty batches: to the bit unless it is declared to round."""
    augmenter, x, context = _built(subject)
    check_strip(augmenter, x, context=context)


def unbiased(subject: Subject) -> None:
    """E[p(y) exp(w)] is the density of x that p induces, within 4 standard errors."""
    augmenter = subject.build_small(scale=GENTLE)
    inputs = subject.inputs(augmenter, rows=3)
    # Real points close to the middle: far out the weights vary more than any number of draws can average.
    x = 0.4 * inputs.x if augmenter.capabilities.domain == "real" else inputs.x
    check_unbiased(augmenter, x, context=inputs.context)


def bound(subject: Subject, *, repetitions: int = 2000) -> None:
    """The importance-weighted bound on log p rises with the number of draws, within 4 standard errors."""
    part = "dequantization" if subject.kind == "dequantization" else "steps"
    config: Any = subject.config if part == "dequantization" else [subject.config]
    flow_config = structure({"flow": {part: config, "base": "standard_normal"}}, Slot("model"), registry=installed())
    small = subject.build_small(scale=GENTLE)
    flow: Any = make(flow_config, small.in_shape, small.context_shape).double().eval()
    inputs = subject.inputs(small, rows=1)
    x = inputs.x.expand(repetitions, *small.in_shape)
    context = None if inputs.context is None else inputs.context.expand(repetitions, *inputs.context.shape[1:])
    with torch.no_grad():
        bounds = [flow.log_prob(x, context=context, num_samples=number) for number in (1, 4, 16)]
    for number, (low, high) in zip((4, 16), itertools.pairwise(bounds), strict=True):
        error = float((low.var() / repetitions + high.var() / repetitions).sqrt())
        rise = float(high.mean() - low.mean())
        expect(
            "bound",
            rise >= -STANDARD_ERRORS * error - 1e-9,
            f"expected the bound with {number} draws not to be below that with {number // 4}; got {float(high.mean()):.6g} "
            f"after {float(low.mean()):.6g}, more than {STANDARD_ERRORS:g} standard errors of {error:.2g}",
        )


def noisy_context(subject: Subject) -> None:
    """With the noise held fixed, another context moves outputs or the log-weight where it is declared to."""
    augmenter, x, context = _built(subject)
    assert context is not None
    first, second = _draw(augmenter, x, context), _draw(augmenter, x, context.flip(0) + 0.5)
    moved = any(bool((one != other).any()) for one, other in zip(first, second, strict=True))
    declared = augmenter.capabilities.context
    hint = "declare it: capabilities = Capabilities(context='some')" if moved else "it is declared to"
    message = f"expected {declared} of the outputs to depend on the context; got {'some' if moved else 'none'} ({hint})"
    expect("noisy context", moved == (declared != "none"), message)


def noisy_batches(subject: Subject) -> None:
    """With the noise held fixed, a row gives the same result whatever stands in the other rows."""
    augmenter, x, context = _built(subject)
    others = x.flip(0).clone()
    others[0] = x[0]
    turned = None if context is None else context.flip(0).clone()
    if turned is not None and context is not None:
        turned[0] = context[0]
    for one, other in zip(_draw(augmenter, x, context), _draw(augmenter, others, turned), strict=True):
        expect_close("noisy batches, other rows changed", other[:1], one[:1], atol=1e-10, rtol=1e-10, at=x)


def noisy_dtypes(subject: Subject) -> None:
    """float32 and float64 come out as they went in; under bfloat16 autocast the log-weight is at least float32."""
    for dtype in (torch.float32, torch.float64):
        augmenter = subject.build(dtype)
        inputs = subject.inputs(augmenter, dtype=dtype)
        y, log_weight = augmenter.augment(inputs.x, context=inputs.context)
        for name, value in (("y", y), ("the log-weight", log_weight)):
            expect("noisy dtypes", value.dtype == dtype, f"expected {name} in {dtype}, as the input; got {value.dtype}")
            expect_finite("noisy dtypes", value)
    augmenter = subject.build(torch.float32)
    inputs = subject.inputs(augmenter, dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        _, log_weight = augmenter.augment(inputs.x, context=inputs.context)
    precise = log_weight.dtype in (torch.float32, torch.float64)
    expect("noisy dtypes, autocast", precise, f"expected a log-weight in at least float32; got {log_weight.dtype}")


def noisy_gradients(subject: Subject) -> None:
    """Every trainable parameter gets a finite gradient that is not all zero."""
    augmenter, x, context = _built(subject)
    scalar_ = scalar(*_draw(augmenter, x, context))
    if scalar_.requires_grad:
        scalar_.backward()
    for name, parameter in augmenter.named_parameters():
        if not parameter.requires_grad:
            continue
        if parameter.grad is None:
            raise AssertionError(f"noisy gradients: parameter {name} got no gradient")
        expect_finite(f"noisy gradients, parameter {name}", parameter.grad)
        moved = name in augmenter.capabilities.idle or bool(parameter.grad.ne(0).any())
        expect("noisy gradients", moved, f"the gradient of parameter {name} is zero everywhere")


def noisy_state(subject: Subject) -> None:
    """Through a safetensors file into a fresh instance, and in a deep copy: the same names and, for the same noise, bits."""
    augmenter, x, context = _built(subject)
    want = _draw(augmenter, x, context)
    fresh = subject.make().double().eval()
    state = {name: value.contiguous() for name, value in augmenter.state_dict().items()}
    names = sorted(state), sorted(fresh.state_dict())
    expect(
        "noisy state", names[0] == names[1], f"expected the same names in every instance; got {names[0]} and {names[1]}"
    )
    fresh.load_state_dict(load(save(state)), strict=True)
    for law, other in (("noisy state", fresh), ("noisy state, deepcopy", copy.deepcopy(augmenter))):
        for got, expected in zip(_draw(other, x, context), want, strict=True):
            expect_equal(law, got, expected, at=x)


def noisy_inputs_unchanged(subject: Subject) -> None:
    """A call changes neither x nor the context; ``strip`` does not change y."""
    augmenter, x, context = _built(subject)
    given, condition = x.clone(), None if context is None else context.clone()
    y, _ = augmenter.augment(given, context=condition)
    expect_equal("noisy inputs unchanged, x after the call", given, x)
    if condition is not None and context is not None:
        expect_equal("noisy inputs unchanged, the context after the call", condition, context)
    kept = y.clone()
    augmenter.strip(y, context=condition)
    expect_equal("noisy inputs unchanged, y after strip", y, kept)


def noisy_composition(subject: Subject) -> None:
    """In a chain before and behind every built-in step that fits, ``strip`` gives x and log-weights add up; ``invert`` refuses."""
    if subject.kind == "dequantization":  # it stands in a slot of its own, in front of everything
        return
    augmenter, _, context = _built(subject)
    able, context_shape = augmenter.capabilities, augmenter.context_shape
    for name, config in built_in_steps(augmenter.out_shape, context_shape):
        if make(config, augmenter.out_shape, context_shape).capabilities.domain == able.image:
            _check_chain(subject, [subject.config, config], context, f"noisy composition, {name} behind it")
    for name, config in built_in_steps(augmenter.in_shape, context_shape):
        other = make(config, augmenter.in_shape, context_shape)
        if other.capabilities.image == able.domain and other.out_shape == augmenter.in_shape:
            _check_chain(subject, [config, subject.config], context, f"noisy composition, {name} in front of it")
    try:
        make(combinator("invert", steps=[subject.config]), augmenter.in_shape, augmenter.context_shape)
    except BuildError:
        return
    raise AssertionError("noisy composition: expected invert to refuse a step that draws noise; got one that was built")


def noisy_meta(subject: Subject) -> None:
    """Built and called on the meta device it gives shapes without computing."""
    with torch.device("meta"):
        augmenter = subject.make()
    inputs = subject.inputs(augmenter).to(device="meta", dtype=torch.float32)
    y, log_weight = augmenter.augment(inputs.x, context=inputs.context)
    shapes = tuple(y.shape), tuple(log_weight.shape)
    want = (len(inputs.x), *augmenter.out_shape), (len(inputs.x),)
    expect("noisy meta", shapes == want, f"expected shapes {want}; got {shapes}")


def _built(subject: Subject) -> tuple[Augmenter, Tensor, Tensor | None]:
    augmenter = subject.build()
    inputs = subject.inputs(augmenter)
    return augmenter, inputs.x, inputs.context


def _draw(augmenter: Augmenter, x: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
    """``augment`` with the same noise every time."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(11)
        return augmenter.augment(x, context=context)


def _check_chain(subject: Subject, configs: list[Any], context: Tensor | None, law: str) -> None:
    chain = make(combinator("chain", steps=configs), subject.case.shape, subject.case.context_shape).double().eval()
    x = subject.inputs(chain).x
    y, log_weight = _draw(chain, x, context)
    expect_close(f"{law}, strip", chain.strip(y, context=context), x, atol=1e-8, rtol=1e-8, at=x)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(11)
        at, total = x, torch.zeros_like(log_weight)
        for step in chain.steps:
            at, weight = step.augment(at, context=context)
            total = total + weight
    expect_close(f"{law}, sum of log-weights", log_weight, total, atol=1e-9, rtol=1e-9, at=x)
