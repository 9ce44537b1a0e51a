"""The laws of maps, as the kit calls them: each builds what it needs and hands it to a check of this package."""

from diffeo.bijector import Bijector
from diffeo.testing.batches import check_batch_independence, check_batch_shapes
from diffeo.testing.contexts import check_context
from diffeo.testing.differences import check_gradcheck, check_gradgradcheck, check_log_det_by_differences
from diffeo.testing.dtypes import check_autocast, check_dtypes
from diffeo.testing.gradients import check_finite, check_gradients
from diffeo.testing.inputs import Inputs
from diffeo.testing.inverses import check_log_det, check_round_trip
from diffeo.testing.modules import check_deepcopy, check_devices, check_meta, check_state
from diffeo.testing.purity import check_inputs_unchanged, check_repeatable
from diffeo.testing.stress import check_stress
from diffeo.testing.subject import Subject
from diffeo.testing.transforms import check_compile, check_functional_call, check_jacrev, check_vmap

__all__ = [
    "autocast",
    "batch_independence",
    "batch_shapes",
    "built",
    "compile",
    "context",
    "deepcopy",
    "devices",
    "dtypes",
    "finite",
    "functional_call",
    "gradcheck",
    "gradgradcheck",
    "gradients",
    "inputs_unchanged",
    "jacrev",
    "log_det",
    "log_det_by_differences",
    "meta",
    "repeatable",
    "round_trip",
    "state",
    "stress",
    "vmap",
]

FAR = 10.0
"""Times the usual inputs, 15 standard deviations of a standard normal: far outside a spline's box."""

ITERATIVE = 1e4
"""How much more error an iterative inverse may make: 1e-5 where an analytic one makes 1e-9."""


def built(subject: Subject) -> tuple[Bijector, Inputs]:
    """The map of a case at random parameters in float64, and inputs for it."""
    bijector = subject.map()
    return bijector, subject.inputs(bijector)


def slack(bijector: Bijector) -> float:
    """What tolerances are multiplied by for the inverse that a component declares."""
    return ITERATIVE if bijector.capabilities.inverse == "iterative" else 1.0


def round_trip(subject: Subject) -> None:
    """There and back from either side gives the input, and the two log-dets cancel."""
    bijector, inputs = built(subject)
    check_round_trip(bijector, inputs, atol=1e-9 * slack(bijector), rtol=1e-9 * slack(bijector))


def log_det(subject: Subject) -> None:
    """The log-det is that of the Jacobian by autograd, row by row, both ways, and not 0 unless so declared."""
    bijector, inputs = built(subject)
    volume = bijector.capabilities.preserves_volume
    check_log_det(bijector, inputs, preserves_volume=volume, atol=1e-8 * slack(bijector))


def log_det_by_differences(subject: Subject) -> None:
    """The log-det is that of the Jacobian by differences of values, both ways."""
    bijector, inputs = built(subject)
    check_log_det_by_differences(bijector, inputs, atol=1e-5 * slack(bijector))


def context(subject: Subject) -> None:
    """A context moves the outputs it is declared to move, and no bit where it is declared to be ignored."""
    bijector, inputs = built(subject)
    check_context(bijector, inputs, outputs=bijector.capabilities.context)


def batch_shapes(subject: Subject) -> None:
    """Any leading batch shape, the empty ones included, gives the numbers of the flat batch in that shape."""
    check_batch_shapes(*built(subject))


def batch_independence(subject: Subject) -> None:
    """In eval mode a row gives the same result alone, and whatever stands in the other rows."""
    check_batch_independence(*built(subject))


def dtypes(subject: Subject) -> None:
    """float32 and float64 come out as they went in, in values and log-dets, and the two agree."""
    check_dtypes(*built(subject))


def autocast(subject: Subject) -> None:
    """Under an outer bfloat16 autocast values keep their dtype and log-dets are at least float32."""
    check_autocast(*built(subject))


def devices(subject: Subject) -> None:
    """After ``.to(device)`` everything it computes with is there."""
    check_devices(*built(subject))


def gradients(subject: Subject) -> None:
    """Every trainable parameter gets a finite gradient that is not all zero, both ways."""
    bijector, inputs = built(subject)
    check_gradients(bijector, inputs, idle=bijector.capabilities.idle)


def gradcheck(subject: Subject) -> None:
    """Gradients by the input and every parameter agree with differences, both ways."""
    check_gradcheck(*built(subject))


def gradgradcheck(subject: Subject) -> None:
    """Second derivatives agree with differences of first ones, where it is declared to have them."""
    check_gradgradcheck(*built(subject))


def finite(subject: Subject) -> None:
    """In float32, values and gradients are finite for inputs of ten times the usual size."""
    import torch

    bijector = subject.map(torch.float32)
    able, inputs = bijector.capabilities, subject.inputs(bijector, dtype=torch.float32)
    x = inputs.x if able.domain == "unit" else FAR * inputs.x
    y = inputs.y if able.image == "unit" else FAR * inputs.y
    check_finite(bijector, Inputs(x, y, inputs.context))


def functional_call(subject: Subject) -> None:
    """Called with other parameters it gives what a copy that holds them gives."""
    check_functional_call(*built(subject))


def state(subject: Subject) -> None:
    """Through a safetensors file into a fresh instance: the same names, the same bits both ways."""
    bijector, inputs = built(subject)
    check_state(bijector, subject.make_map, inputs)


def deepcopy(subject: Subject) -> None:
    """A deep copy gives the same bits and shares no parameter."""
    check_deepcopy(*built(subject))


def inputs_unchanged(subject: Subject) -> None:
    """A call changes neither its inputs nor anything the module holds."""
    check_inputs_unchanged(*built(subject))


def repeatable(subject: Subject) -> None:
    """In eval mode the same input gives the same bits twice."""
    check_repeatable(*built(subject))


def stress(subject: Subject) -> None:
    """Inputs and parameters times 50, at the edge of the domain and outside: finite, or refused by a ValueError."""
    check_stress(*built(subject))


def vmap(subject: Subject) -> None:
    """``torch.func.vmap`` over rows gives what the batch gives."""
    check_vmap(*built(subject))


def jacrev(subject: Subject) -> None:
    """``vmap(jacrev)`` gives Jacobians whose log|det| is the log-det."""
    bijector, inputs = built(subject)
    check_jacrev(bijector, inputs, atol=1e-8 * slack(bijector))


def compile(subject: Subject) -> None:  # noqa: A001 - the name of the law
    """``torch.compile(fullgraph=True)`` gives the eager values and gradients, both ways."""
    bijector, inputs = built(subject)
    check_compile(bijector, inputs, atol=1e-9 * slack(bijector))


def meta(subject: Subject) -> None:
    """Built and called on the meta device it gives shapes without computing."""
    mapped = subject.make_map()
    check_meta(subject.make_map, subject.inputs(mapped))
