"""Laws that every component obeys, as plain functions that raise AssertionError; usable with and without pytest.

    bijector = randomize(diffeo.build("bijector", {"coupling": {}}, shape=(4,)).double())
    inputs = draw_inputs(bijector.in_shape, bijector.out_shape)
    check_round_trip(bijector, inputs)
    check_log_det(bijector, inputs)

Each takes a built component (``check_meta`` and ``check_state`` also a function that makes another) and ``Inputs``: a
batch from the data side, one from the latent side that was not made from it, and a context. Importing this module
imports torch.
"""

from diffeo.testing.augmenters import CorrelatedNormal, check_augmenter_law, check_strip
from diffeo.testing.batches import check_batch_independence, check_batch_shapes
from diffeo.testing.contexts import check_context
from diffeo.testing.densities import check_normalized, integral_over_plane
from diffeo.testing.dtypes import check_autocast, check_dtypes
from diffeo.testing.gradients import check_finite, check_gradients
from diffeo.testing.inputs import DOMAINS, Direction, Inputs, directions, draw_inputs
from diffeo.testing.inverses import check_log_det, check_round_trip
from diffeo.testing.modules import check_deepcopy, check_meta, check_state
from diffeo.testing.randomize import randomize
from diffeo.testing.transforms import check_compile, check_functional_call, check_jacrev, check_vmap

__all__ = [
    "DOMAINS",
    "CorrelatedNormal",
    "Direction",
    "Inputs",
    "check_augmenter_law",
    "check_autocast",
    "check_batch_independence",
    "check_batch_shapes",
    "check_compile",
    "check_context",
    "check_deepcopy",
    "check_dtypes",
    "check_finite",
    "check_functional_call",
    "check_gradients",
    "check_jacrev",
    "check_log_det",
    "check_meta",
    "check_normalized",
    "check_round_trip",
    "check_state",
    "check_strip",
    "check_vmap",
    "directions",
    "draw_inputs",
    "integral_over_plane",
    "randomize",
]
