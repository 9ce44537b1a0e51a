"""Configs to plain data and back."""

import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffeo_registry import DiffeoError, Document, Registry, Slot, structure, to_yaml, unstructure

STEP = Slot("bijector", "augmenter")

SPLITS = st.sampled_from(["half", {"half": {"swap": True}}])
TRANSFORMS = (
    st.sampled_from(["affine", "rq_spline", "rq_spline@1"])
    | st.builds(lambda bins: {"rq_spline@1": {"bins": bins}}, st.integers(2, 64))
    | st.builds(lambda scale: {"affine": {"scale": scale}}, st.floats(1e-300, 1e300))
)
LEAVES = st.sampled_from(["squeeze", {"noise": {"sd": 0.5}}, "plain", "values"]) | st.builds(
    lambda split, transform, hidden: {"coupling": {"split": split, "transform": transform, "hidden": hidden}},
    SPLITS,
    TRANSFORMS,
    st.lists(st.integers(1, 512), max_size=3),
)
STEPS = st.recursive(
    LEAVES,
    lambda inner: st.builds(
        lambda steps, last, named: {"chain": {"steps": steps, "last": last, "named": named}},
        st.lists(inner, max_size=3),
        st.none() | inner,
        st.dictionaries(st.sampled_from("abc"), inner, max_size=2),
    ),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def whole(toys: ModuleType) -> Registry:
    return Registry.from_records(toys.RECORDS)


@given(data=STEPS, pinned=st.booleans())
def test_there_and_back(whole: Registry, data: Any, pinned: bool) -> None:
    config = structure(data, STEP, registry=whole)
    plain = unstructure(config, registry=whole, pinned=pinned)
    assert structure(plain, STEP, registry=whole) == config
    assert json.loads(json.dumps(plain)) == plain
    assert Document.parse(to_yaml(plain)).data == plain
    assert unstructure(structure(plain, STEP, registry=whole), registry=whole, pinned=pinned) == plain


def test_every_slot_is_pinned_at_every_depth(registry: Registry, toys: ModuleType) -> None:
    spec = toys.Spec(model=toys.Chain(steps=["squeeze"], last=toys.Coupling(transform={"rq_spline@1": {"bins": 4}})))
    assert unstructure(spec, registry=registry) == {
        "model": {
            "diffeo/chain@1": {
                "steps": [{"diffeo/squeeze@1": {}}],
                "last": {
                    "diffeo-bijectors/coupling@1": {
                        "split": {"diffeo-bijectors/half@1": {"swap": False}},
                        "transform": {"diffeo-bijectors/rq_spline@1": {"bins": 4, "bound": 3.0}},
                        "hidden": [128, 128],
                    }
                },
                "named": {},
                "weights": {},
            }
        },
        "seed": 0,
        "trainer": {"steps": 100, "optimizer": {"diffeo/adam@1": {"lr": 0.001}}, "precision": "float32"},
        "tags": [],
    }


def test_bare_names_are_as_short_as_they_can_be(registry: Registry, toys: ModuleType) -> None:
    old = toys.Coupling(transform=toys.Spline())
    assert unstructure(old, registry=registry, pinned=False) == {
        "coupling": {
            "split": {"half": {"swap": False}},
            "transform": {"rq_spline@1": {"bins": 8, "bound": 3.0}},
            "hidden": [128, 128],
        }
    }
    new = toys.Coupling(transform="rq_spline")
    assert list(unstructure(new, registry=registry, pinned=False)["coupling"]["transform"]) == ["rq_spline"]


def test_a_name_of_two_packages_is_qualified(toys: ModuleType) -> None:
    records = {
        "acme": [toys.component("bijector", "rqs", "Spline")],
        "bravo": [toys.component("bijector", "rqs", "Affine")],
    }
    registry = Registry.from_records(records)
    plain = unstructure(toys.Affine(), registry=registry, pinned=False)
    assert plain == {"bravo/rqs@1": {"scale": 1.0}}


def test_values_become_plain(registry: Registry, toys: ModuleType) -> None:
    plain = unstructure(toys.Values(mode=toys.Mode.SLOW), registry=registry)
    assert plain["acme-flows/values@1"] == {
        "flag": False,
        "count": 0,
        "rate": 0.0,
        "text": "",
        "maybe": None,
        "either": 0,
        "mode": "slow",
        "start": "data",
        "pair": [1, 2.0],
        "table": {},
        "rows": [],
        "path": "data",
        "anything": None,
    }


def test_what_is_no_config(registry: Registry, lines: Callable[..., list[str]]) -> None:
    with pytest.raises(DiffeoError, match=r"^expected a config; got 3$"):
        unstructure(3, registry=registry)
