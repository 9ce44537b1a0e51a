"""The laws themselves: each one finds the fault it is there for, and says which law and with which numbers."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from diffeo import Augmenter, Bijector, Capabilities
from diffeo.testing import (
    CorrelatedNormal,
    Inputs,
    check_augmenter_law,
    check_autocast,
    check_batch_independence,
    check_batch_shapes,
    check_compile,
    check_context,
    check_deepcopy,
    check_dtypes,
    check_finite,
    check_functional_call,
    check_gradients,
    check_jacrev,
    check_log_det,
    check_meta,
    check_normalized,
    check_round_trip,
    check_state,
    check_strip,
    check_vmap,
    draw_inputs,
    randomize,
)
from diffeo.testing.pushforward import check_unbiased
from diffeo.testing.reporting import expect_close


class Good(Bijector):
    """y = exp(log_scale) x + shift + context."""

    def __init__(self, shape: tuple[int, ...] = (3,), context_shape: tuple[int, ...] | None = None) -> None:
        super().__init__(shape, None, context_shape)
        self.log_scale = nn.Parameter(torch.zeros(shape))
        self.shift = nn.Parameter(torch.zeros(shape))

    def log_det(self, x: Tensor) -> Tensor:
        return self.log_scale.sum().expand(x.shape[:-1])

    def forward(self, x: Tensor, *, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        shift = self.shift if context is None else self.shift + context
        return self.log_scale.exp() * x + shift, self.log_det(x)

    def inverse(self, y: Tensor, *, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        shift = self.shift if context is None else self.shift + context
        return (y - shift) * (-self.log_scale).exp(), -self.log_det(y)


class WrongInverse(Good):
    def inverse(self, y: Tensor, *, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        x, log_det = super().inverse(y, context=context)
        return x + 1e-6, log_det


class WrongSign(Good):
    """Log-dets cancel, as they do in a test that only adds them up; both are wrong."""

    def log_det(self, x: Tensor) -> Tensor:
        return -super().log_det(x)


class SameSign(Good):
    def inverse(self, y: Tensor, *, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        x, log_det = super().inverse(y, context=context)
        return x, -log_det


class OneForAll(Good):
    """The log-det is summed over the batch."""

    def log_det(self, x: Tensor) -> Tensor:
        return self.log_scale.sum() * x[..., 0].numel() + 0 * x[..., 0]


class SeesOtherRows(Good):
    def forward(self, x: Tensor, *, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        y, log_det = super().forward(x, context=context)
        return y + x.mean(0), log_det


class FlatBatchesOnly(Good):
    def forward(self, x: Tensor, *, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return super().forward(x.reshape(-1, 3), context=context)


class Unused(Good):
    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(2))


class Idle(Good):
    """A parameter that takes part and changes nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.idle = nn.Parameter(torch.zeros(2))

    def log_det(self, x: Tensor) -> Tensor:
        return super().log_det(x) + 0 * self.idle.sum()


class SquareRoot(Good):
    """Infinite gradients at 0."""

    def forward(self, x: Tensor, *, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self.log_scale.exp() * x.clamp(min=0).sqrt() + self.shift, self.log_det(x)


class AlwaysDouble(Good):
    def log_det(self, x: Tensor) -> Tensor:
        return super().log_det(x).double()


class HalfLogDet(Good):
    def log_det(self, x: Tensor) -> Tensor:
        return (torch.ones_like(x) @ self.log_scale.unsqueeze(-1)).squeeze(-1)


class Branches(Good):
    def forward(self, x: Tensor, *, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        if x.sum() > 1e9:
            x = -x
        return super().forward(x, context=context)


class IgnoresPart(Good):
    def forward(self, x: Tensor, *, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        mask = torch.tensor([0.0, 1.0, 1.0], dtype=x.dtype)
        return super().forward(x, context=None if context is None else mask * context)


class HiddenState(Good):
    """Something that matters and isn't in the state."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = float(torch.rand(()))

    def forward(self, x: Tensor, *, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        y, log_det = super().forward(x, context=context)
        return y + self.hidden, log_det


class SharedOnCopy(Good):
    def __deepcopy__(self, memo: dict[int, Any]) -> "SharedOnCopy":
        return self


class OnCpu(Good):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("constant", torch.ones(3, device="cpu"))


class CapturedParameters(Good):
    """Uses a tensor that functional_call cannot replace."""

    def __init__(self) -> None:
        super().__init__()
        self.captured = [self.shift]

    def forward(self, x: Tensor, *, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self.log_scale.exp() * x + self.captured[0], self.log_det(x)


def built(make: Callable[[], Bijector]) -> tuple[Bijector, Inputs]:
    bijector = randomize(make()).double()
    return bijector, draw_inputs(bijector.in_shape, bijector.out_shape, bijector.context_shape)


def with_context(kind: type[Good]) -> Callable[[], Bijector]:
    return lambda: kind((3,), (3,))


LAWS = [
    check_round_trip,
    check_log_det,
    check_gradients,
    check_finite,
    check_batch_shapes,
    check_batch_independence,
    check_dtypes,
    check_autocast,
    check_vmap,
    check_jacrev,
    check_functional_call,
    check_compile,
    check_deepcopy,
]


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("make", [Good, with_context(Good)], ids=["plain", "context"])
def test_a_right_bijector_obeys(law: Any, make: Callable[[], Bijector]) -> None:
    law(*built(make))


FAULTS = [
    (
        check_round_trip,
        WrongInverse,
        r"round trip \(forward first\): expected .*; got .*, off by .* with a tolerance of",
    ),
    (check_round_trip, SameSign, "sum of log-dets: expected 0; got"),
    (check_log_det, WrongSign, r"log-det \(forward\): expected .*; got .* the input there is \["),
    (check_log_det, OneForAll, r"log-det \(forward\): expected"),
    (check_batch_independence, SeesOtherRows, r"batch independence \(forward\), row alone: expected"),
    (check_batch_shapes, FlatBatchesOnly, r"batch shape \(\) \(forward\): expected shape \(3,\); got \(1, 3\)"),
    (check_gradients, Unused, r"gradients \(forward\): parameter unused got no gradient"),
    (check_gradients, Idle, r"gradients \(forward\): the gradient of parameter idle is zero everywhere"),
    (check_finite, SquareRoot, r"finite \(forward\), gradient of the input: expected finite values; got"),
    (check_dtypes, AlwaysDouble, "expected the log-det in torch.float32, as the input; got torch.float64"),
    (check_autocast, HalfLogDet, "expected a log-det in at least float32; got torch.bfloat16"),
    (check_functional_call, CapturedParameters, "functional_call: expected"),
    (check_deepcopy, SharedOnCopy, "deepcopy, original after changing the copy: expected"),
]


@pytest.mark.parametrize(("law", "make", "message"), FAULTS)
def test_a_fault_is_found_and_named(law: Any, make: Callable[[], Bijector], message: str) -> None:
    bijector, inputs = built(make)
    with pytest.raises(AssertionError, match=message):
        law(bijector, inputs._replace(x=inputs.x.relu()) if make is SquareRoot else inputs)


def test_a_long_input_is_cut_and_says_so() -> None:
    x = torch.zeros(2, 3, 4, 4)
    with pytest.raises(AssertionError, match=r"the input there is \[(0\.0, ){15}0\.0\], the first 16 of 48 entries$"):
        expect_close("law", x, x + 1, atol=0.0, at=x)
    with pytest.raises(AssertionError, match=r"the input there is \[0\.0, 0\.0\]$"):
        expect_close("law", x[:, 0, 0, :2], x[:, 0, 0, :2] + 1, atol=0.0, at=x[:, 0, 0, :2])


def test_log_det_must_not_be_trivial() -> None:
    bijector, inputs = Good().double(), built(Good)[1]
    with pytest.raises(AssertionError, match="expected a log-det other than 0, or the check is empty; got 0 at most"):
        check_log_det(bijector, inputs)
    check_log_det(bijector, inputs, preserves_volume=True)
    with pytest.raises(AssertionError, match="expected a log-det of exactly 0"):
        check_log_det(randomize(bijector), inputs, preserves_volume=True)


def test_branches_break_vmap_and_compile() -> None:
    bijector, inputs = built(Branches)
    with pytest.raises(RuntimeError, match="vmap"):
        check_vmap(bijector, inputs)
    with pytest.raises(torch._dynamo.exc.Unsupported):
        check_compile(bijector, inputs)
    torch.compiler.reset()


def test_context_must_reach_every_output() -> None:
    check_context(*built(with_context(Good)))
    bijector, inputs = built(with_context(IgnoresPart))
    with pytest.raises(
        AssertionError, match=r"expected all of 3 outputs to depend on it; 2 do, not those at \[\[0\]\]"
    ):
        check_context(bijector, inputs)
    with pytest.raises(AssertionError, match="expected none of 3 outputs"):
        check_context(bijector, inputs, outputs="none")


def test_state_must_hold_all_that_matters() -> None:
    check_state(*(Good().double(), Good, built(Good)[1]))
    bijector, inputs = built(HiddenState)
    with pytest.raises(AssertionError, match=r"state \(forward\): expected"):
        check_state(bijector, HiddenState, inputs)


def test_meta_must_be_followed() -> None:
    check_meta(Good, built(Good)[1])
    with pytest.raises(AssertionError, match="meta: constant is on cpu"):
        check_meta(OnCpu, built(Good)[1])


class Append(Augmenter):
    """y = (x, z) with z ~ N(weight * x, 1); ``bias`` is added to the log-weight."""

    def __init__(self, bias: float = 0.0) -> None:
        super().__init__((1,), (2,))
        self.bias = bias

    def augment(self, x: Tensor, *, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        q = torch.distributions.Normal(0.5 * x, 1.3)
        z = q.sample()
        return torch.cat([x, z], -1), self.bias - q.log_prob(z).sum(-1)

    def strip(self, y: Tensor, *, context: Tensor | None = None) -> Tensor:
        return y[..., :1]


def test_law_of_augmenters() -> None:
    density, x = CorrelatedNormal(2), torch.tensor([[0.0], [0.7], [-1.5]], dtype=torch.float64)
    check_augmenter_law(Append(), x, density.log_prob, density.marginal)
    with pytest.raises(AssertionError, match=r"augmenter law: expected .*, more than 4 standard errors apart"):
        check_augmenter_law(Append(bias=0.05), x, density.log_prob, density.marginal)
    with pytest.raises(AssertionError, match="too few draws to tell"):
        check_augmenter_law(Append(), x, density.log_prob, density.marginal, draws=20)


def test_strip_must_be_exact() -> None:
    class Rounded(Append):
        def strip(self, y: Tensor, *, context: Tensor | None = None) -> Tensor:
            return y[..., :1] * (1 + 1e-15)

    x = torch.tensor([[0.1], [0.7]], dtype=torch.float64)
    check_strip(Append(), x)
    with pytest.raises(AssertionError, match="strip of augment"):
        check_strip(Rounded(), x)


class Turned(Append):
    """(x, z), turned by half a radian: volume is kept, x is not among the entries of y, and strip gives it back to rounding."""

    angle = torch.tensor(0.5, dtype=torch.float64)

    def augment(self, x: Tensor, *, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        appended, log_weight = super().augment(x)
        a, b = appended.unbind(-1)
        turned = a * self.angle.cos() - b * self.angle.sin(), a * self.angle.sin() + b * self.angle.cos()
        return torch.stack(turned, -1), log_weight

    def strip(self, y: Tensor, *, context: Tensor | None = None) -> Tensor:
        a, b = y.unbind(-1)
        return (a * self.angle.cos() + b * self.angle.sin())[..., None]


def test_an_augmenter_may_mix_what_it_appends_with_x() -> None:
    x = torch.tensor([[0.1], [0.7], [-1.5]], dtype=torch.float64)
    check_unbiased(Turned(), x)
    with pytest.raises(AssertionError, match=r"augmenter law: expected .*, more than 4 standard errors"):
        check_unbiased(Turned(bias=0.05), x)
    with pytest.raises(AssertionError, match="strip of augment"):
        check_strip(Turned(), x)
    rounding = Turned()
    rounding.capabilities = Capabilities(exact_strip=False)
    check_strip(rounding, x)
    rounding.strip = lambda y, *, context=None: y[..., :1]  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(AssertionError, match="strip of augment"):
        check_strip(rounding, x)


def test_normalised() -> None:
    density = CorrelatedNormal(2)
    check_normalized(density.log_prob)
    with pytest.raises(AssertionError, match=r"normalised: expected an integral of 1; got 1\.01"):
        check_normalized(lambda x: density.log_prob(x) + 0.01)


def test_randomize_is_the_same_in_every_dtype_and_moves_every_parameter() -> None:
    layers = [nn.Linear(4, 3), nn.Linear(4, 3).double()]
    for layer in layers:
        nn.init.zeros_(layer.weight)
        randomize(layer, seed=3)
    assert (layers[0].weight != 0).all()
    torch.testing.assert_close(layers[0].weight.double(), layers[1].weight, atol=1e-6, rtol=0)


def test_nan_is_never_close() -> None:
    nan, one = torch.tensor([1.0, float("nan")]), torch.ones(2)
    for actual, expected in ((nan, one), (one, nan), (nan, nan)):
        with pytest.raises(AssertionError, match="law: expected"):
            expect_close("law", actual, expected, atol=1e9)
