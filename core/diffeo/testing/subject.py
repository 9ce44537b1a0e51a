"""A case under test: how to build what it describes, and what goes in."""

from functools import cached_property
from pathlib import Path
from typing import Any

import attrs
import torch
from torch import nn

from diffeo.augmenter import Augmenter
from diffeo.bijector import Bijector
from diffeo.building import make
from diffeo.capabilities import Capabilities
from diffeo.distribution import Distribution
from diffeo.testing.cases import Case, Shape, with_name
from diffeo.testing.inputs import Inputs, draw_inputs
from diffeo.testing.law import Facts, Suite
from diffeo.testing.random_parameters import randomize
from diffeo.testing.standins import default_data, default_model, default_parameters
from diffeo_registry import DiffeoError, Registered, Slot, installed, load_reference, structure

__all__ = ["PLANE", "Subject"]

PLANE: Shape = (2,)


@attrs.frozen(kw_only=True, slots=False, eq=False)
class Subject:
    """What the function behind a law is given.

    ``make`` builds anew; ``build`` moves the parameters, so that the layer is not the identity, where most laws hold by
    accident; ``map`` is what was built as a bijector (itself, or through the view of its suite).
    """

    component: Registered
    kind: str
    case: Case
    suite: Suite
    folder: Path
    """An empty folder for files that the case wants written."""

    @cached_property
    def config(self) -> Any:
        """The config object of the case."""
        spec = load_reference(self.case.files)(self.folder) if self.case.files else self.case.spec
        return structure(with_name(spec, self.component.qualified), Slot(self.kind), registry=installed())

    def make(self, **changes: Any) -> Any:
        """A fresh instance as a user would get it; ``changes`` are fields of the case: ``shape=(2,)``."""
        case = attrs.evolve(self.case, **changes)
        return make(self.config, *(self._argument(name, case) for name in installed().kinds[self.kind].built_with))

    def make_with(self, *arguments: Any) -> Any:
        """A fresh instance from arguments that are at hand already."""
        return make(self.config, *arguments)

    def build(self, dtype: torch.dtype = torch.float64, **changes: Any) -> Any:
        """An instance at random parameters, always the same, in eval mode."""
        built = _seeded(self.make, 100, **changes)
        scale = attrs.evolve(self.case, **changes).scale
        return randomize(built, scale=scale).to(dtype).eval() if isinstance(built, nn.Module) else built

    def map(self, dtype: torch.dtype = torch.float64, **changes: Any) -> Bijector:
        """What ``build`` gives, as a bijector."""
        return self.view(self.build(dtype, **changes)).eval()

    def make_map(self) -> Bijector:
        """What ``make`` gives, as a bijector."""
        return self.view(self.make())

    def view(self, built: Any) -> Bijector:
        """A built component as the map that the laws speak of."""
        return load_reference(self.suite.view)(built) if self.suite.view else built

    def inputs(self, built: Augmenter, *, rows: int = 6, dtype: torch.dtype = torch.float64) -> Inputs:
        """A batch from the data side, one from the latent side that was not made from it, and a context."""
        able, shapes = built.capabilities, (built.in_shape, built.out_shape, built.context_shape)
        return draw_inputs(*shapes, domain=able.domain, image=able.image, rows=rows, dtype=dtype)

    def build_small(self, **changes: Any) -> Any:
        """As ``build``, for as few entries as it takes: Monte Carlo in many dimensions says nothing."""
        for shape in ((1,), PLANE):
            try:
                return self.build(shape=shape, **changes)
            except DiffeoError:
                continue
        return self.build(**changes)

    def facts(self, *, try_plane: bool) -> Facts:
        """What decides which laws bind; ``DiffeoError`` where the case cannot be built."""
        built = _seeded(self.make, 100)
        if not isinstance(built, nn.Module):
            return Facts(case=self.case, capabilities=Capabilities())
        mapped = self.view(built) if self.suite.view or isinstance(built, Augmenter) else None
        if mapped is None:
            return Facts(case=self.case, capabilities=Capabilities())
        return Facts(
            case=self.case,
            capabilities=mapped.capabilities,
            in_shape=mapped.in_shape,
            out_shape=mapped.out_shape,
            context_shape=mapped.context_shape,
            is_exact=built.is_exact if isinstance(built, Augmenter | Distribution) else True,
            fits_plane=try_plane and self._fits_plane(),
        )

    def _fits_plane(self) -> bool:
        if self.case.shape is None or self.case.out_shape is not None:
            return False
        try:
            _seeded(self.make, 100, shape=PLANE, context_shape=None)
        except DiffeoError:
            return False
        return True

    def _argument(self, name: str, case: Case) -> Any:
        match name:
            case "shape" | "in_shape":
                return case.shape
            case "model":
                return default_model(case)
            case "data":
                return default_data(case)
            case "parameters":
                return default_parameters()
            case "seed":
                return 0
            case _:
                return getattr(case, name)


def _seeded(make_one: Any, seed: int, **changes: Any) -> Any:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make_one(**changes)
