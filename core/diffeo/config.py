"""Configs of the core's components: the fields users write in a spec. No torch here."""

from typing import Annotated, Any, Literal

import attrs

from diffeo_registry import Slot, field

__all__ = [
    "Adam",
    "AdamW",
    "Adamax",
    "Chain",
    "Constant",
    "Cosine",
    "DiagonalNormal",
    "Exponential",
    "FactorOut",
    "Flow",
    "Given",
    "Invert",
    "MaximumLikelihood",
    "Multiscale",
    "Repeat",
    "Sgd",
    "Shared",
    "StandardNormal",
    "StepDecay",
]

Step = Annotated[Any, Slot("bijector", "augmenter")]
Base = Annotated[Any, Slot("distribution")]
Dequantization = Annotated[Any, Slot("dequantization")]
Encoder = Annotated[Any, Slot("encoder")]

# Combinators


@attrs.frozen(kw_only=True)
class Chain:
    """Steps one after the other."""

    steps: tuple[Step, ...] = field(help="Steps, from data to latent.")


@attrs.frozen(kw_only=True)
class Repeat:
    """The same steps several times, each time with parameters of their own."""

    times: int = field(help="How many times.", ge=1)
    steps: tuple[Step, ...] = field(help="Steps of one iteration, from data to latent.")


@attrs.frozen(kw_only=True)
class Invert:
    """Steps run backwards: data to latent is their inverse, last step first."""

    steps: tuple[Step, ...] = field(help="Bijectors, listed in their own forward direction.")


@attrs.frozen(kw_only=True)
class FactorOut:
    """One half of the first event dimension goes on through more steps, the other is emitted as it is."""

    steps: tuple[Step, ...] = field((), help="Steps for the kept half.")
    keep: Literal["first", "last"] = field("last", help="Which half goes on.")


@attrs.frozen(kw_only=True)
class Multiscale:
    """Levels of the same steps, with half of the first event dimension factored out after each level but the last."""

    levels: int = field(help="Number of levels.", ge=1)
    steps: tuple[Step, ...] = field(help="Steps of one level, from data to latent.")
    keep: Literal["first", "last"] = field("last", help="Which half goes on to the next level.")


# Flow and bases


@attrs.frozen(kw_only=True)
class Flow:
    """A base distribution seen through steps."""

    steps: tuple[Step, ...] = field((), help="Steps from data to latent (from base to data where start is 'base').")
    base: Base = field("standard_normal", help="Distribution of the latent.")
    dequantization: Dequantization | None = field(
        None, help="Turns integer data into continuous data, in front of the steps; required for integers."
    )
    context_network: Encoder | None = field(
        None, help="Encoder of the context, run once per call; its features reach every step and the base."
    )
    start: Literal["data", "base"] = field(
        "data", help="Which end the steps are listed from. 'base': cheap sampling; bijectors that keep the shape only."
    )


@attrs.frozen(kw_only=True)
class StandardNormal:
    """N(0, I)."""


@attrs.frozen(kw_only=True)
class DiagonalNormal:
    """Independent normals with a trainable location and scale per entry."""


# Encoders


@attrs.frozen(kw_only=True)
class Shared:
    """One encoder in several places of a model: those that give it the same name share its weights."""

    name: str = field(help="Of the encoder, within the model.")
    encoder: Encoder | None = field(
        None, help="The encoder; may be left out where the model has built one of this name already."
    )


# Objective


@attrs.frozen(kw_only=True)
class MaximumLikelihood:
    """Minus the log-likelihood (its lower bound where the flow draws noise)."""

    units: Literal["nats", "bits_per_dim"] = field(
        "nats", help="Unit of the loss: nats per example, or bits per dimension of the data as delivered."
    )


# Targets


@attrs.frozen(kw_only=True)
class Given:
    """The target that Python gives with the spec: ``diffeo.train(spec, data=target)``."""

    what: str = field("", help="What it was: written into the spec of the run, for people to read.")
    target: Any = attrs.field(
        init=False,
        default=None,
        eq=False,
        repr=False,
        metadata={"diffeo_help": "The target itself; not part of a spec."},
    )


# Optimizers


@attrs.frozen(kw_only=True)
class Adam:
    """Adam."""

    lr: float = field(1e-3, help="Learning rate.", gt=0)
    betas: tuple[float, float] = field((0.9, 0.999), help="Decay rates of the two moments.", ge=0, lt=1)
    eps: float = field(1e-8, help="Added to the root of the second moment.", gt=0)
    weight_decay: float = field(0.0, help="L2 penalty added to the gradient.", ge=0)
    fused: bool = field(True, help="One kernel for all parameters; false: torch's default implementation.")


@attrs.frozen(kw_only=True)
class AdamW:
    """Adam with decoupled weight decay."""

    lr: float = field(1e-3, help="Learning rate.", gt=0)
    betas: tuple[float, float] = field((0.9, 0.999), help="Decay rates of the two moments.", ge=0, lt=1)
    eps: float = field(1e-8, help="Added to the root of the second moment.", gt=0)
    weight_decay: float = field(1e-2, help="Share of each parameter taken off per step, times the learning rate.", ge=0)
    fused: bool = field(True, help="One kernel for all parameters; false: torch's default implementation.")


@attrs.frozen(kw_only=True)
class Adamax:
    """Adam with the infinity norm."""

    lr: float = field(2e-3, help="Learning rate.", gt=0)
    betas: tuple[float, float] = field((0.9, 0.999), help="Decay rates of the two moments.", ge=0, lt=1)
    eps: float = field(1e-8, help="Added to the norm.", gt=0)
    weight_decay: float = field(0.0, help="L2 penalty added to the gradient.", ge=0)


@attrs.frozen(kw_only=True)
class Sgd:
    """Stochastic gradient descent."""

    lr: float = field(1e-2, help="Learning rate.", gt=0)
    momentum: float = field(0.0, help="Momentum.", ge=0, lt=1)
    nesterov: bool = field(False, help="Nesterov's momentum; needs momentum > 0.")
    weight_decay: float = field(0.0, help="L2 penalty added to the gradient.", ge=0)
    fused: bool = field(True, help="One kernel for all parameters; false: torch's default implementation.")

    def __attrs_post_init__(self) -> None:
        if self.nesterov and self.momentum == 0:
            raise ValueError("expected momentum > 0 with nesterov: true; got momentum 0")


# Schedules: factors of the learning rate


@attrs.frozen(kw_only=True)
class Constant:
    """The learning rate as it is, after a linear warm-up."""

    warmup: int = field(0, help="Steps of linear warm-up from 0.", ge=0)


@attrs.frozen(kw_only=True)
class Cosine:
    """Half a cosine from 1 to `final` over the run."""

    final: float = field(0.0, help="Factor at the end of the run.", ge=0, le=1)
    warmup: int = field(0, help="Steps of linear warm-up from 0.", ge=0)


@attrs.frozen(kw_only=True)
class Exponential:
    """A factor `gamma` every `every` steps, continuously, after a warm-up and a time at the full rate."""

    gamma: float = field(help="Factor per `every` steps.", gt=0, le=1)
    every: int = field(1, help="Steps in which the learning rate falls by gamma.", ge=1)
    floor: float = field(0.0, help="Smallest factor.", ge=0, le=1)
    warmup: int = field(0, help="Steps of linear warm-up from 0; the decay starts after them.", ge=0)
    hold: int = field(0, help="Steps at the full rate between warm-up and decay.", ge=0)


@attrs.frozen(kw_only=True)
class StepDecay:
    """A factor `gamma` at each milestone."""

    milestones: tuple[int, ...] = field(help="Steps at which the learning rate is multiplied by gamma.", ge=0)
    gamma: float = field(0.1, help="Factor at each milestone.", gt=0, le=1)
    warmup: int = field(0, help="Steps of linear warm-up from 0.", ge=0)
