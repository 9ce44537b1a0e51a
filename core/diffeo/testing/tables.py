"""Which laws bind which kind. No torch here: functions are named, and imported when a check runs."""

from collections.abc import Callable

import attrs

from diffeo.testing.law import Facts, Law, Suite, always

__all__ = [
    "AUGMENTER",
    "BIJECTOR",
    "DATASET",
    "DISTRIBUTION",
    "ENCODER",
    "INVERTIBLE",
    "MAP",
    "NETWORK",
    "OBJECTIVE",
    "OPTIMIZER",
    "PLAIN",
    "RECORD",
    "SCHEDULE",
    "TARGET",
]

Condition = Callable[[Facts], bool]


def _map(name: str, *, binds: Condition = always, is_quality: bool = False, is_slow: bool = False) -> Law:
    reference = f"diffeo.testing.map_laws:{name}"
    return Law(name=name, check=reference, binds=binds, is_quality=is_quality, is_slow=is_slow)


def _flow(name: str, *, binds: Condition = always, is_slow: bool = False) -> Law:
    return Law(name=name, check=f"diffeo.testing.flow_laws:{name}", binds=binds, is_slow=is_slow)


def _law(module: str, name: str, *, binds: Condition = always, is_slow: bool = False) -> Law:
    return Law(name=name, check=f"diffeo.testing.{module}_laws:{name}", binds=binds, is_slow=is_slow)


def _has_context(facts: Facts) -> bool:
    return facts.context_shape is not None


def _is_twice_differentiable(facts: Facts) -> bool:
    return facts.capabilities.twice_differentiable


def _has_inverse(facts: Facts) -> bool:
    return facts.capabilities.inverse != "none"


def _samples(facts: Facts) -> bool:
    """Whether points drawn from a normal can be sent back."""
    return _has_inverse(facts) and facts.capabilities.image == "real"


def _samples_plane(facts: Facts) -> bool:
    return facts.fits_plane and _samples(facts)


def _is_plane_density(facts: Facts) -> bool:
    return facts.fits_plane and facts.is_exact and facts.capabilities.domain != "integers"


def _is_exact(facts: Facts) -> bool:
    return facts.is_exact


def _exact_and(condition: Condition) -> Condition:
    return lambda facts: facts.is_exact and condition(facts)


def _noisy_and(condition: Condition) -> Condition:
    return lambda facts: not facts.is_exact and condition(facts)


RECORD = (
    _law("record", "config"),
    _law("record", "schema"),
    Law(name="docstring", check="diffeo.testing.record_laws:docstring", is_quality=True),
)
"""Of every component: they are about its record, config and class."""

MAP = (
    _map("context", binds=_has_context),
    _map("batch_shapes"),
    _map("batch_independence"),
    _map("dtypes"),
    _map("autocast"),
    _map("devices"),
    _map("gradients"),
    _map("gradcheck"),
    _map("gradgradcheck", binds=_is_twice_differentiable, is_slow=True),
    _map("finite"),
    _map("functional_call"),
    _map("state"),
    _map("deepcopy"),
    _map("inputs_unchanged"),
    _map("repeatable"),
    _map("stress", is_quality=True),
    _map("vmap", is_quality=True),
    _map("compile", is_quality=True, is_slow=True),
    _map("meta", is_quality=True),
)
"""Of everything that maps tensors to tensors without drawing noise."""

INVERTIBLE = (
    _map("round_trip", binds=_has_inverse),
    _map("log_det"),
    _map("log_det_by_differences"),
    *MAP,
    _map("jacrev", is_quality=True, is_slow=True),
)
"""Of every differentiable map with a log-det."""

COMPOSED = (
    _flow("composition", binds=_has_inverse, is_slow=True),
    _flow("sampling", binds=_samples),
    _flow("sampled_density", binds=_samples_plane, is_slow=True),
    _flow("integral", binds=_samples_plane, is_slow=True),
)
"""Of a bijector among others, and in a flow."""

NOISY = (
    _law("augmenter", "strip"),
    _law("augmenter", "unbiased", is_slow=True),
    _law("augmenter", "bound", is_slow=True),
    _law("augmenter", "noisy_context", binds=_has_context),
    _law("augmenter", "noisy_batches"),
    _law("augmenter", "noisy_dtypes"),
    _law("augmenter", "noisy_gradients"),
    _law("augmenter", "noisy_state"),
    _law("augmenter", "noisy_inputs_unchanged"),
    _law("augmenter", "noisy_composition"),
    Law(name="noisy_meta", check="diffeo.testing.augmenter_laws:noisy_meta", is_quality=True),
)
"""Of every step that draws noise."""


def _where(laws: tuple[Law, ...], combine: Callable[[Condition], Condition]) -> tuple[Law, ...]:
    return tuple(attrs.evolve(law, binds=combine(law.binds)) for law in laws)


BIJECTOR = Suite(laws=(*RECORD, *_where((*INVERTIBLE, *COMPOSED), _exact_and), *_where(NOISY, _noisy_and)))
"""A combinator of steps that draw noise is of kind bijector, too: it is held to the laws of augmenters."""

AUGMENTER = BIJECTOR

NETWORK = Suite(
    laws=(*RECORD, *MAP, _law("network", "starts_at_zero"), _law("network", "bfloat16")),
    view="diffeo.testing.views:network_as_map",
)

ENCODER = Suite(
    laws=(*RECORD, *(law for law in MAP if law.name != "autocast")), view="diffeo.testing.views:encoder_as_map"
)
"""Features are no log-terms: under an outer autocast they may be rounded."""

DISTRIBUTION = Suite(
    laws=(
        *RECORD,
        *_where(MAP, _exact_and),
        _law("distribution", "sample_shapes"),
        _law("distribution", "sampled_log_prob", binds=_is_exact),
        _law("distribution", "temperature"),
        _law("distribution", "reparameterised", binds=_is_exact),
        _law("distribution", "moments", binds=_is_exact),
        _law("distribution", "normalised", binds=_is_plane_density, is_slow=True),
    ),
    view="diffeo.testing.views:distribution_as_map",
)

OBJECTIVE = Suite(
    laws=(
        *RECORD,
        _law("objective", "value"),
        _law("objective", "every_gradient"),
        _law("objective", "mean"),
        _law("objective", "not_a_submodule"),
    )
)

DATASET = Suite(
    laws=(
        *RECORD,
        _law("dataset", "shapes"),
        _law("dataset", "purity"),
        _law("dataset", "purity_in_threads"),
        _law("dataset", "purity_in_processes", is_slow=True),
        _law("dataset", "splits"),
        _law("dataset", "integers"),
        _law("dataset", "missing_files"),
    )
)

TARGET = Suite(
    laws=(
        *RECORD,
        _law("target", "log_prob"),
        _law("target", "gradient"),
        _law("target", "constrained"),
        _law("target", "unchanged"),
    )
)

OPTIMIZER = Suite(
    laws=(
        *RECORD[:2],
        _law("optimizer", "moves"),
        _law("optimizer", "learning_rate"),
        _law("optimizer", "state"),
        _law("optimizer", "repeatable"),
        _law("optimizer", "descends"),
    )
)

SCHEDULE = Suite(laws=(*RECORD[:2], _law("schedule", "factors"), _law("schedule", "pure")))

PLAIN = Suite(laws=RECORD[:2])
"""Evaluators: how they are written down. What they do is for their own tests to say."""
