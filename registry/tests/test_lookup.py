"""What a name means in a slot, and every way in which it means nothing."""

import sys
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from diffeo_registry import DiffeoError, Registry
from diffeo_registry.discovery import Plugin

Lines = Callable[[Callable[[], Any]], list[str]]
STEP = ("bijector", "augmenter")


@pytest.mark.parametrize(
    ("name", "kinds", "qualified"),
    [
        ("coupling", "bijector", "diffeo-bijectors/coupling@1"),
        ("chain", STEP, "diffeo/chain@1"),
        ("rq_spline", "elementwise", "diffeo-bijectors/rq_spline@2"),
        ("rq_spline@1", "elementwise", "diffeo-bijectors/rq_spline@1"),
        ("Diffeo_Bijectors/rq_spline@1", "elementwise", "diffeo-bijectors/rq_spline@1"),
        ("noise", STEP, "diffeo-bijectors/noise@1"),
    ],
)
def test_found(registry: Registry, name: str, kinds: Any, qualified: str) -> None:
    found = registry.find(name, kinds)
    assert found.qualified == qualified
    assert registry.find(found.qualified, kinds) == found
    assert registry.of(found.load_config()) == found


@pytest.mark.parametrize(
    ("name", "kinds", "message"),
    [
        ("sqeeze", STEP, "no bijector or augmenter named 'sqeeze'; did you mean 'squeeze'?"),
        ("zzz", STEP, "no bijector or augmenter named 'zzz'; see diffeo list bijectors"),
        ("zzz", "order", "no order named 'zzz'; see diffeo list order"),
        ("adam", STEP, "'adam' is an optimizer; expected a bijector or augmenter"),
        ("chain", "split", "'chain' is a bijector and an augmenter; expected a split"),
        ("rq_spline@7", "elementwise", "'rq_spline' has no version 7; there are 1 and 2"),
        ("coupling@2", "bijector", "'coupling' has no version 2; there is 1"),
        (
            "acme-flows/coupling",
            "bijector",
            "no bijector named 'coupling' in acme-flows; did you mean 'diffeo-bijectors/coupling'?",
        ),
        ("acme-flows/plian", "bijector", "no bijector named 'plian' in acme-flows; did you mean 'plain'?"),
        (
            "nobody/coupling",
            "bijector",
            "'nobody/coupling' is to come from nobody, which is not installed: pip install nobody, or write "
            "'diffeo-bijectors/coupling'",
        ),
        (
            "nobody/plian",
            "bijector",
            "'nobody/plian' is to come from nobody, which is not installed: pip install nobody",
        ),
        (
            "bijector/coupling",
            "bijector",
            "expected a package before the slash of 'bijector/coupling'; got a kind: write 'coupling'",
        ),
        (
            "csv",
            "dataset",
            "'csv' comes with diffeo-data, which is not installed: pip install diffeo-data",
        ),
        ("a b", STEP, "expected a name as [package/]name[@version]; got 'a b'"),
    ],
)
def test_not_found(registry: Registry, lines: Lines, name: str, kinds: Any, message: str) -> None:
    assert lines(lambda: registry.find(name, kinds)) == [message]


def test_two_packages_with_one_name(toys: ModuleType, lines: Lines) -> None:
    registry = Registry.from_records(
        {
            "bravo": [toys.component("bijector", "rqs", "Spline")],
            "acme": [toys.component("bijector", "rqs", "Affine")],
        }
    )
    assert lines(lambda: registry.find("rqs", "bijector")) == [
        "'rqs' is registered by acme and bravo; write acme/rqs or bravo/rqs, or disable one: DIFFEO_DISABLE=bravo"
    ]
    assert registry.find("acme/rqs", "bijector").load_config() is toys.Affine
    assert registry.find("bravo/rqs", "bijector").load_config() is toys.Spline


def test_one_name_in_two_kinds_of_a_slot(toys: ModuleType, lines: Lines) -> None:
    records = [toys.component("bijector", "mix", "Spline"), toys.component("augmenter", "mix", "Affine")]
    registry = Registry.from_records({"acme": records})
    assert lines(lambda: registry.find("mix", STEP)) == [
        "'mix' is a bijector and an augmenter of acme, and both fit here; its author has to rename one"
    ]
    assert registry.find("mix", "bijector").load_config() is toys.Spline


def test_the_newest_version_that_is_not_deprecated(toys: ModuleType) -> None:
    old = toys.component("bijector", "b", "Affine", version=1)
    new = toys.component("bijector", "b", "Spline", version=2, deprecated="diverges; write b@1")
    registry = Registry.from_records({"acme": [old, new]})
    assert registry.find("b", "bijector").version == 1
    assert registry.find("b@2", "bijector").version == 2
    assert registry.remark(registry.find("b@2", "bijector")).endswith("deprecated: diverges; write b@1")


def test_disabled_and_broken_packages_are_named(toys: ModuleType, lines: Lines) -> None:
    disabled = Plugin(name="bijectors", package="diffeo-bijectors", disabled=True)
    broken = Plugin(name="acme", package="acme-flows").broken("ImportError: no\nmodule")
    registry = Registry([disabled, broken])
    assert lines(lambda: registry.find("coupling", "bijector")) == [
        "'coupling' comes with diffeo-bijectors, which DIFFEO_DISABLE leaves out"
    ]
    assert lines(lambda: registry.find("planar", "bijector")) == [
        "no bijector named 'planar'; see diffeo list bijector; plugin 'acme' of acme-flows could not be loaded: "
        "ImportError: no module; see diffeo list --plugins"
    ]
    assert lines(lambda: registry.find("acme-flows/planar", "bijector")) == [
        "'acme-flows/planar' is to come from acme-flows, but plugin 'acme' of acme-flows could not be loaded: "
        "ImportError: no module; see diffeo list --plugins"
    ]


def test_an_unknown_kind_is_a_remark(toys: ModuleType) -> None:
    kinds = [toys.kind("bijector"), toys.kind("order")]
    records = [*kinds, toys.component("oder", "a", "Affine"), toys.component("qqq", "b", "Spline")]
    registry = Registry.from_records({"acme": records})
    assert [registry.remark(one) for one in registry.components] == [
        "kind 'oder' is unknown; did you mean 'order'?",
        "kind 'qqq' is unknown; no installed plugin declares it",
    ]
    assert [one.name for one in registry.of_kind("oder")] == ["a"]


def test_of_finds_a_config_that_its_record_names_elsewhere(toys: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "acme_public", SimpleNamespace(Affine=toys.Affine))
    records = [
        toys.component("bijector", "a", "nowhere:Affine"),
        toys.component("bijector", "b", "acme_public:Affine"),
    ]
    registry = Registry.from_records({"acme": records})
    assert registry.of(toys.Affine()) == registry.of(toys.Affine) == registry.components[1]
    with pytest.raises(DiffeoError, match=r"^expected the config of an installed component; got diffeo_toys\.Spline$"):
        registry.of(toys.Spline())


def test_references_that_cannot_be_imported(toys: ModuleType, lines: Lines) -> None:
    records = [
        toys.component("bijector", "a", "nowhere.config:A"),
        toys.component("bijector", "b", "diffeo_toys:Nothing"),
        toys.component("bijector", "c", "pathlib:Path"),
    ]
    a, b, c = Registry.from_records({"acme": records}).components
    assert lines(a.load_config) == [
        "the config of acme/a@1, nowhere.config:A, could not be imported: ModuleNotFoundError: No module named 'nowhere'"
    ]
    assert lines(b.load_config) == [
        "the config of acme/b@1, diffeo_toys:Nothing, could not be imported: "
        "AttributeError: module 'diffeo_toys' has no attribute 'Nothing'"
    ]
    assert lines(c.load_config) == ["the config of acme/c@1, pathlib:Path, is not an attrs class"]
    assert lines(a.load_implementation) == [
        "the implementation of acme/a@1, torch_of_a:Implementation, could not be imported: "
        "ModuleNotFoundError: No module named 'torch_of_a'"
    ]
