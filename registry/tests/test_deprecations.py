"""Renames keep working: former names and keys are taken wherever the new ones are, and each is warned of, once, in one line."""

import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Any

import attrs
import jsonschema
import pytest

from diffeo_registry import (
    DeprecatedNameWarning,
    DiffeoError,
    Document,
    PluginError,
    Registry,
    Slot,
    SpecError,
    describe,
    describe_fields,
    field,
    json_schema,
    structure,
    unstructure,
)
from diffeo_registry.discovery import Plugin

Lines = Callable[[Callable[[], Any]], list[str]]
STEP = Slot("bijector", "augmenter")

OLD = """\
model:
  sheet:
    size: 3
    layers:
      - bent
      - plane: {units: 4, nested: {size: 5}}
      - acme/bent@1
    named: {a: bent}
trainer: {steps: 5}
"""

NEW = {
    "model": {
        "planar": {
            "width": 3,
            "steps": ["leaky", {"planar": {"width": 4, "inner": {"width": 5}}}, "acme/leaky@1"],
            "by_name": {"a": "leaky"},
        }
    },
    "trainer": {"steps": 5},
}

NOTES = {
    "spec.yaml:2:3: model: 'sheet' was renamed; write 'planar'",
    "spec.yaml:3:5: model.sheet.size: renamed; write 'width'",
    "spec.yaml:4:5: model.sheet.layers: renamed; write 'steps'",
    "spec.yaml:5:9: model.sheet.layers[0]: 'bent' was renamed; write 'leaky'",
    "spec.yaml:6:9: model.sheet.layers[1]: 'plane' was renamed; write 'planar'",
    "spec.yaml:6:17: model.sheet.layers[1].plane.units: renamed; write 'width'",
    "spec.yaml:6:27: model.sheet.layers[1].plane.nested: renamed; write 'inner'",
    "spec.yaml:6:36: model.sheet.layers[1].plane.nested.size: renamed; write 'width'",
    "spec.yaml:7:9: model.sheet.layers[2]: 'acme/bent@1' was renamed; write 'acme/leaky@1'",
    "spec.yaml:8:5: model.sheet.named: renamed; write 'by_name'",
    "spec.yaml:8:16: model.sheet.named.a: 'bent' was renamed; write 'leaky'",
}


@pytest.fixture
def registry(toys: ModuleType) -> Registry:
    return Registry.from_records(toys.RENAMED)


def warned(action: Callable[[], Any]) -> tuple[Any, list[str]]:
    """What an action returns, and what it warns of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = action()
    assert all(one.category is DeprecatedNameWarning for one in caught)
    return result, [str(one.message) for one in caught]


def test_in_a_file(registry: Registry, toys: ModuleType) -> None:
    document = Document.parse(OLD, "spec.yaml")
    config, notes = warned(lambda: document.structure(toys.Spec, registry=registry))
    assert config == structure(NEW, toys.Spec, registry=registry)
    assert len(notes) == len(NOTES)
    assert set(notes) == NOTES


def test_in_python(registry: Registry, toys: ModuleType) -> None:
    data = Document.parse(OLD).data
    config, notes = warned(lambda: structure(data, toys.Spec, registry=registry, path=("here",)))
    assert config == structure(NEW, toys.Spec, registry=registry)
    assert set(notes) == {f"here.{note.split(' ', 1)[1]}" for note in NOTES}


def test_in_the_slots_of_a_config(registry: Registry, toys: ModuleType) -> None:
    config, notes = warned(
        lambda: structure(toys.Planar(steps=({"sheet": {"size": 2}}, toys.Half())), STEP, registry=registry)
    )
    assert config.steps[0].width == 2
    assert notes == [
        "planar.steps[0]: 'sheet' was renamed; write 'planar'",
        "planar.steps[0].sheet.size: renamed; write 'width'",
        "planar.steps[1]: 'half' is deprecated: it diverges; write leaky",
    ]


def test_a_resolved_spec_says_it_anew(registry: Registry, toys: ModuleType) -> None:
    config, _ = warned(lambda: structure(Document.parse(OLD).data, toys.Spec, registry=registry))
    resolved = unstructure(config, registry=registry)
    assert "sheet" not in str(resolved)
    assert structure(resolved, toys.Spec, registry=registry) == config


def test_an_old_resolved_spec(registry: Registry, toys: ModuleType) -> None:
    """What was written before the renames, by a registry that did not know the new names."""
    data = {"model": {"acme/sheet@1": {"units": 3, "layers": [{"acme/bent@1": {}}], "nested": None, "named": {}}}}
    config, notes = warned(lambda: structure(data, toys.Spec, registry=registry))
    assert config.model == toys.Planar(width=3, steps=(toys.Leaky(),), last=toys.Leaky())
    assert notes[0] == "model: 'acme/sheet@1' was renamed; write 'acme/planar@1'"


SETS: list[tuple[str, str, str, list[str]]] = [
    (
        "a former key, set",
        "planar: {}",
        "model.planar.size=7",
        ["--set model.planar.size=7: model.planar.size: renamed; write 'width'"],
    ),
    (
        "a former key in place of the new one",
        "planar: {width: 3}",
        "model.planar.size=7",
        ["--set model.planar.size=7: model.planar.size: renamed; write 'width'"],
    ),
    ("a new key in place of a former one", "planar: {units: 3}", "model.planar.width=7", []),
    (
        "a former key on the way",
        "planar: {inner: {width: 1}, width: 7}",
        "model.planar.nested.width=2",
        ["--set model.planar.nested.width=2: model.planar.nested: renamed; write 'inner'"],
    ),
    (
        "a new key on the way to a former one",
        "planar: {nested: {width: 1}, width: 7}",
        "model.planar.inner.width=2",
        ["spec.yaml:1:18: model.planar.nested: renamed; write 'inner'"],
    ),
    (
        "a former name on the way",
        "planar: {}",
        "model.sheet.width=7",
        ["--set model.sheet.width=7: model: 'sheet' was renamed; write 'planar'"],
    ),
    (
        "a new name on the way to a former one",
        "sheet: {}",
        "model.planar.width=7",
        ["spec.yaml:1:8: model: 'sheet' was renamed; write 'planar'"],
    ),
    (
        "one former name on the way to another",
        "acme/sheet: {}",
        "model.plane.width=7",
        [
            "--set model.plane.width=7: model: 'plane' was renamed; write 'planar'",
            "spec.yaml:1:8: model: 'acme/sheet' was renamed; write 'acme/planar'",
        ],
    ),
    (
        "a former name as the value",
        "leaky",
        "model={sheet: {width: 7}}",
        ["--set model={sheet: {width: 7}}: model: 'sheet' was renamed; write 'planar'"],
    ),
]


@pytest.mark.parametrize(("model", "text", "notes"), [row[1:] for row in SETS], ids=[row[0] for row in SETS])
def test_with_set(registry: Registry, toys: ModuleType, model: str, text: str, notes: list[str]) -> None:
    document = Document.parse(f"model: {{{model}}}" if ":" in model else f"model: {model}", "spec.yaml")
    config, got = warned(
        lambda: document.override([text], toys.Spec, registry=registry).structure(toys.Spec, registry=registry)
    )
    assert config.model.width == 7
    assert got == notes


def test_the_old_and_the_new_key(registry: Registry, lines: Lines) -> None:
    assert lines(lambda: structure({"planar": {"width": 1, "size": 2}}, STEP, registry=registry)) == [
        "planar.size: renamed to 'width', and 'width' is given too; give 'width' alone"
    ]
    assert lines(lambda: structure({"planar": {"units": 1, "size": 2}}, STEP, registry=registry)) == [
        "planar.size: renamed to 'width', and 'units' is given too; give 'width' alone"
    ]


def test_errors_keep_the_key_as_written(registry: Registry, lines: Lines, toys: ModuleType) -> None:
    document = Document.parse("{model: {sheet: {size: 0, layers: [nothing]}}}", "spec.yaml")
    assert lines(lambda: document.structure(toys.Spec, registry=registry)) == [
        "spec.yaml:1:24: model.sheet.size: expected a value >= 1; got 0",
        "spec.yaml:1:36: model.sheet.layers[0]: no bijector or augmenter named 'nothing'; see diffeo list bijectors",
    ]
    assert lines(lambda: structure({"radial": None}, STEP, registry=registry)) == ["radial.beta: required, but missing"]


@pytest.mark.parametrize(
    ("name", "qualified"),
    [
        ("sheet", "acme/planar@1"),
        ("plane@1", "acme/planar@1"),
        ("acme/ring", "acme/radial@1"),
        ("Acme/bent@1", "acme/leaky@1"),
    ],
)
def test_found_by_a_former_name(registry: Registry, name: str, qualified: str) -> None:
    assert registry.find(name, STEP.kinds).qualified == qualified


def test_a_former_name_in_the_wrong_slot(registry: Registry, lines: Lines) -> None:
    assert lines(lambda: registry.find("sheet", "split")) == ["'sheet' is a bijector; expected a split"]


def test_a_former_name_that_another_package_uses(toys: ModuleType, lines: Lines) -> None:
    registry = Registry.from_records(
        {
            "acme": [toys.component("bijector", "planar", "Planar", aliases=("sheet",))],
            "bravo": [toys.component("bijector", "sheet", "Half")],
        }
    )
    assert not registry.broken
    assert lines(lambda: registry.find("sheet", "bijector")) == [
        "'sheet' is registered by acme and bravo (as the former name of 'planar'); write acme/planar or bravo/sheet, "
        "or disable one: DIFFEO_DISABLE=bravo"
    ]
    assert registry.find("acme/sheet", "bijector").name == "planar"


@pytest.mark.parametrize(
    ("aliases", "errors"),
    [
        (("half",), {"it gives 'planar' the former name 'half', which is the name of its 'half'"}),
        (
            ("fold",),
            {
                "it gives 'planar' the former name 'fold', which is a former name of its 'half'",
                "it gives 'half' the former name 'fold', which is a former name of its 'planar'",
            },
        ),
    ],
)
def test_a_former_name_that_is_taken(toys: ModuleType, aliases: tuple[str, ...], errors: set[str]) -> None:
    records = [
        toys.component("bijector", "planar", "Planar", aliases=aliases),
        toys.component("bijector", "half", "Half", aliases=("fold",)),
    ]
    found = [Registry.from_records({"acme": order}).broken for order in (records, records[::-1])]
    assert {broken.error for (broken,) in found} == errors


def test_versions_of_one_component_share_a_former_name(toys: ModuleType) -> None:
    one = toys.component("bijector", "spline", "Spline", aliases=("rqs",))
    two = toys.component("bijector", "spline", "SplineTwo", version=2, aliases=("rqs",))
    registry = Registry([Plugin(name="a", package="acme", records=(one, two))])
    assert [registry.find(name, "bijector").version for name in ("rqs", "rqs@1")] == [2, 1]


@pytest.mark.parametrize(
    ("aliases", "message"),
    [
        (("a-b",), "expected aliases of letters, digits and underscores; got 'a-b'"),
        (("acme/x",), "expected aliases of letters, digits and underscores; got 'acme/x'"),
        (("planar",), "expected aliases other than the name itself; got 'planar'"),
    ],
)
def test_aliases_are_bare_names(toys: ModuleType, aliases: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        toys.component("bijector", "planar", "Planar", aliases=aliases)


@attrs.frozen(kw_only=True)
class Shadowed:
    width: int = field(1, help="Width.")
    size: int = field(1, help="Size.", renamed_from="width")


@attrs.frozen(kw_only=True)
class Twice:
    width: int = field(1, help="Width.", renamed_from="units")
    size: int = field(1, help="Size.", renamed_from="units")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (Shadowed, "gives field 'size' the former key 'width', which is field 'width'"),
        (Twice, "gives field 'size' the former key 'units', which is the former key of field 'width'"),
    ],
)
def test_a_former_key_that_is_taken(
    toys: ModuleType, monkeypatch: pytest.MonkeyPatch, config: type[Any], message: str
) -> None:
    monkeypatch.setattr(toys, "Contradiction", config, raising=False)
    registry = Registry.from_records({"acme": [*toys.KINDS, toys.component("bijector", "x", "Contradiction")]})
    with pytest.raises(PluginError, match=message):
        registry.components[0].load_config()
    with pytest.raises(SpecError, match=message):
        structure("x", STEP, registry=registry)
    schema = json_schema(toys.Spec, registry=registry)  # as if it weren't there
    assert not jsonschema.Draft202012Validator(schema).is_valid({"model": "x"})


def test_the_schema_takes_the_old_ones_and_says_so(registry: Registry, toys: ModuleType) -> None:
    schema = json_schema(toys.Spec, registry=registry)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    for spec, verdict in [
        (Document.parse(OLD).data, True),
        (NEW, True),
        ({"model": "sheet"}, True),
        ({"model": "acme/plane@1"}, True),
        ({"model": "half"}, True),
        ({"model": {"radial": {"b": 1}}}, True),
        ({"model": {"ring": {"beta": 1}}}, True),
        ({"model": {"radial": {"beta": 1, "b": 1}}}, False),
        ({"model": {"radial": {}}}, False),
        ({"model": "radial"}, False),
        ({"model": "ring"}, False),
        ({"model": {"planar": {"width": 1, "size": 1}}}, False),
        ({"model": {"planar": {"units": 1, "size": 1}}}, False),
        ({"model": {"sheet": {"size": 0}}}, False),
        ({"model": {"sheet": {"nothing": 0}}}, False),
    ]:
        assert validator.is_valid(spec) == verdict, spec
        try:
            warned(lambda data=spec: structure(data, toys.Spec, registry=registry))
            assert verdict
        except DiffeoError:
            assert not verdict

    planar = schema["$defs"]["component.acme.planar.1.bijector"]["properties"]
    assert planar["size"] == {
        "type": "integer",
        "minimum": 1,
        "description": "Renamed; write 'width'.",
        "deprecated": True,
    }
    assert "deprecated" not in planar["width"]
    current, longer, old, fields = schema["$defs"]["slot.bijector.augmenter"]["anyOf"]
    assert "planar" in current["enum"]
    assert "acme/planar" in longer["pattern"]
    assert old["deprecated"]
    assert old["anyOf"][0]["enum"] == ["half", "bent", "sheet", "plane"]
    assert fields["properties"]["sheet"]["deprecated"]
    assert fields["properties"]["sheet"]["description"] == "Renamed; write 'planar'."
    assert fields["properties"]["half"]["description"] == "Deprecated: it diverges; write leaky"


def test_descriptions_mention_former_names(registry: Registry, toys: ModuleType) -> None:
    fields = {one.name: one.former for one in describe_fields(toys.Planar, registry)}
    assert fields == {
        "width": ("size", "units"),
        "steps": ("layers",),
        "inner": ("nested",),
        "by_name": ("named",),
        "last": (),
    }
    assert describe(registry.find("sheet", "bijector"), registry).registered.name == "planar"


def test_a_warning_names_whoever_asked(registry: Registry) -> None:
    with pytest.warns(DeprecatedNameWarning) as caught:
        structure("sheet", STEP, registry=registry)
    assert [one.filename for one in caught] == [__file__]
