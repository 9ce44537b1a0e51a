"""The JSON Schema and ``structure`` agree on what is a spec."""

import json
from types import ModuleType
from typing import Any

import attrs
import jsonschema
import pytest

from diffeo_registry import Registry, SpecError, field, json_schema, structure, unstructure

GOOD: list[Any] = [
    "squeeze",
    "squeeze@1",
    "diffeo/squeeze@1",
    {"squeeze": None},
    {"coupling": {"transform": "rq_spline@1", "split": {"half": {"swap": True}}, "hidden": [1, 2]}},
    {"diffeo-bijectors/coupling@1": {"transform": {"rq_spline@1": {"bins": 64}}}},
    {"coupling": {"transform": {"rq_spline": {"knots": 3}}}},
    {"chain": {"steps": ["squeeze", {"noise": {"sd": 1}}], "last": None, "named": {"a": "coupling"}}},
    {"chain": {"last": {"chain": {"steps": [{"chain": {}}]}}}},
    {"values": {"maybe": None, "either": "x", "start": 3, "mode": "slow", "pair": [1, 2], "rows": [[1]]}},
]

BAD: list[Any] = [
    "sqeeze",
    "half",
    "squeeze@2",
    "acme-flows/squeeze",
    "noise",
    {"noise": None},
    {"noise": {"sd": 0}},
    {"sqeeze": {}},
    {"coupling": {}, "squeeze": {}},
    {},
    [],
    3,
    None,
    {"coupling": {"splt": "half"}},
    {"coupling": {"hidden": [0]}},
    {"coupling": {"hidden": "x"}},
    {"coupling": {"hidden": 3}},
    {"coupling": {"transform": {"rq_spline": {"bins": 8}}}},
    {"coupling": {"transform": {"rq_spline@1": {"bins": 65}}}},
    {"coupling": {"split": {"half": {"swap": 1}}}},
    {"chain": {"steps": "squeeze"}},
    {"chain": {"steps": ["sqeeze"]}},
    {"chain": {"named": {"a": "sqeeze"}}},
    {"chain": {"weights": {"a": 0}}},
    {"values": {"count": 1.5}},
    {"values": {"count": True}},
    {"values": {"rate": "1"}},
    {"values": {"text": 1}},
    {"values": {"start": "bass"}},
    {"values": {"mode": "fats"}},
    {"values": {"pair": [1]}},
    {"values": {"pair": [1, 2, 3]}},
    {"values": {"table": {"a": "x"}}},
    {"values": {"either": 1.5}},
]

SECTIONS: list[tuple[dict[str, Any], bool]] = [
    ({}, True),
    ({"trainer": None}, True),
    ({"trainer": {"steps": 3, "optimizer": {"sgd": {"momentum": 0.9}}}}, True),
    ({"seed": -1}, False),
    ({"seed": None}, False),
    ({"trainer": {"stpes": 3}}, False),
    ({"trainer": {"optimizer": {"sgd": {"momentum": 1}}}}, False),
    ({"trainer": {"precision": "float16"}}, False),
    ({"trainer": []}, False),
    ({"tags": ["a", 1]}, False),
    ({"model": None}, False),
]


@pytest.fixture
def schema(registry: Registry, toys: ModuleType) -> dict[str, Any]:
    return json_schema(toys.Spec, registry=registry)


def agree(schema: dict[str, Any], data: Any, registry: Registry, toys: ModuleType) -> bool:
    """The verdict of both; they must not differ."""
    try:
        structure(data, toys.Spec, registry=registry)
        verdict = True
    except SpecError:
        verdict = False
    assert jsonschema.Draft202012Validator(schema).is_valid(data) == verdict
    return verdict


def test_it_is_a_schema_and_json(schema: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(schema)
    assert json.loads(json.dumps(schema, allow_nan=False)) == schema


@pytest.mark.parametrize("model", GOOD)
def test_good(schema: dict[str, Any], registry: Registry, toys: ModuleType, model: Any) -> None:
    assert agree(schema, {"model": model}, registry, toys)
    resolved = unstructure(structure({"model": model}, toys.Spec, registry=registry), registry=registry)
    assert agree(schema, resolved, registry, toys)


@pytest.mark.parametrize("model", BAD)
def test_bad(schema: dict[str, Any], registry: Registry, toys: ModuleType, model: Any) -> None:
    assert not agree(schema, {"model": model}, registry, toys)


@pytest.mark.parametrize(("others", "verdict"), SECTIONS)
def test_sections(
    schema: dict[str, Any], registry: Registry, toys: ModuleType, others: dict[str, Any], verdict: bool
) -> None:
    assert agree(schema, {"model": "squeeze", **others}, registry, toys) == verdict


def test_it_tells_what_an_editor_shows(schema: dict[str, Any]) -> None:
    spline = schema["$defs"]["component.diffeo-bijectors.rq_spline.1.elementwise"]
    assert spline["properties"]["bins"] == {
        "type": "integer",
        "minimum": 2,
        "maximum": 64,
        "description": "Bins.",
        "default": 8,
    }
    coupling = schema["$defs"]["component.diffeo-bijectors.coupling.1.bijector"]["properties"]
    assert coupling["split"] == {"$ref": "#/$defs/slot.split", "description": "What is kept.", "default": "half"}
    names, _, fields = schema["$defs"]["slot.bijector.augmenter"]["anyOf"]
    assert names["enum"] == ["chain", "coupling", "plain", "range", "squeeze", "values"]
    assert sorted(fields["properties"]) == sorted([*names["enum"], "noise"])


def test_conflicts_are_offered_qualified(toys: ModuleType) -> None:
    records = {
        "acme": [toys.component("bijector", "rqs", "Spline")],
        "bravo": [toys.component("bijector", "rqs", "Affine"), toys.component("bijector", "lost", "nowhere:Lost")],
    }
    registry = Registry.from_records(records)
    schema = json_schema(toys.Spec, registry=registry)
    validator = jsonschema.Draft202012Validator(schema)
    verdicts = {name: validator.is_valid({"model": name}) for name in ("rqs", "acme/rqs", "bravo/rqs@1", "lost")}
    assert verdicts == {"rqs": False, "acme/rqs": True, "bravo/rqs@1": True, "lost": False}


def test_required_fields_have_no_default():
    @attrs.frozen(kw_only=True)
    class Config:
        needed: int = field(help="Needed.")

    schema = json_schema(Config, registry=Registry.from_records({}))
    assert "default" not in schema["properties"]["needed"]
