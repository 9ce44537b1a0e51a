"""What `diffeo schema` says is what diffeo does: it takes every spec there is, and refuses what a spec may not say.

JSON Schema cannot express two things, which are all that an editor lets pass: `1.0` is an integer to it, and it does not
know what fields have to satisfy together. Nothing that diffeo takes is refused.
"""

import ast
import re
import sys
import warnings
from pathlib import Path
from typing import Any

import attrs
import jsonschema
import pytest

from diffeo.config_spec import Spec
from diffeo_registry import (
    Document,
    Registry,
    Slot,
    SpecError,
    describe_fields,
    installed,
    json_schema,
    structure,
    unstructure,
)
from diffeo_registry.config_types import config_fields
from diffeo_registry.discovery import discover

VALUES: list[Any] = [
    *(None, True, False, "", "x", "reverse", 0, 1, 2, 3, -1, 10**9, 0.5, 1.5, -0.5, 3.0, float("inf"), [], {}),
    *(["x"], ["reverse"], [1], [8, 8], [0.5], [-1, 0], [[1]], [None], {"a": 1}, {"x": "y"}, {"reverse": None}),
    *({"reverse": {"x": 1}}, {"reverse": {}, "squeeze": {}}),
]
"""What people write into fields, rightly or not."""

BASE = """\
diffeo: 1
data: two_moons
model: {flow: {steps: [actnorm, {coupling: {network: {mlp: {hidden: [8]}}}}]}}
trainer: {steps: 2, batch_size: 8}
evaluators: [likelihood]
"""

BROKEN = {
    "another format": ("diffeo=2", "diffeo: expected 1; got 2"),
    "an unknown key": ("trainr={}", "trainr: unknown key; did you mean 'trainer'?"),
    "an unknown key of a section": ("trainer.stpes=3", "trainer.stpes: unknown key; did you mean 'steps'?"),
    "an unknown key of a component": ("model.flow.stps=[]", "model.flow.stps: unknown key"),
    "an unknown name": ("model.flow.steps[0]=sqeeze", "model.flow.steps[0]: no bijector or augmenter named 'sqeeze'"),
    "an unknown version": ("model.flow.steps[0]=actnorm@2", "'actnorm' has no version 2"),
    "an unknown package": ("model.flow.steps[0]=acme/actnorm", "is to come from acme, which is not installed"),
    "a name of another kind": ("objective=adam", "objective: 'adam' is an optimizer; expected an objective"),
    "two names in one slot": ("objective={maximum_likelihood: {}, adam: {}}", "expected one key"),
    "no name in a slot": ("objective={}", "objective: expected one key"),
    "null in a slot": ("objective=", "objective: expected an objective"),
    "a word for a number": ("trainer.steps=many", "trainer.steps: expected an integer; got 'many'"),
    "a fraction for an integer": ("trainer.steps=1.5", "trainer.steps: expected an integer; got 1.5"),
    "a number for a word": ("trainer.device=3", "trainer.device: expected a string; got 3"),
    "a word for true": ("trainer.compile='yes'", "trainer.compile: expected true or false; got 'yes'"),
    "one for true": ("trainer.compile=1", "trainer.compile: expected true or false; got 1"),
    "true for one": ("trainer.steps=true", "trainer.steps: expected an integer; got true"),
    "null for a number": ("trainer.steps=", "trainer.steps: expected an integer; got null"),
    "a choice there isn't": ("trainer.precision=float16", "trainer.precision: expected 'float32', 'float64' or"),
    "below a bound": ("trainer.steps=0", "trainer.steps: expected a value >= 1; got 0"),
    "at a bound that is excluded": ("trainer.ema=1.0", "trainer.ema: expected a value > 0 and < 1; got 1.0"),
    "an item below a bound": (
        "model.flow.steps[1].coupling.network.mlp.hidden=[0]",
        "hidden: expected a value >= 1; got 0",
    ),
    "a number for a list": ("model.flow.steps[1].coupling.network.mlp.hidden=8", "hidden: expected a list; got 8"),
    "a word for a list": ("evaluators=likelihood", "evaluators: expected a list; got 'likelihood'"),
    "a list for a section": ("trainer=[]", "trainer: expected fields"),
    "a pair of three": ("trainer.optimizer={adam: {betas: [0.9, 0.9, 0.9]}}", "betas: expected a list of 2; got 3"),
    "a required field that is missing": ("model.flow.steps[0]={repeat: {times: 2}}", "steps: required, but missing"),
    "a required field of a bare name": ("model.flow.steps[0]=repeat", "repeat.times: required, but missing"),
}
"""A change of the spec above, and what diffeo says about it."""

ACCEPTED = {
    "a whole number with a point for an integer": ("trainer.steps=2.0", "expected an integer; got 2.0 (write 2)"),
    "fields that contradict each other": ("trainer.accumulate=3", "expected accumulate to divide batch_size 8; got 3"),
    "a field that another bounds": (
        "model.flow.steps[1].coupling.transform={rq_spline: {bins: 2000}}",
        "min_width: expected a value < 1 / bins = 0.0005; got 0.001",
    ),
}
"""What an editor lets pass and diffeo does not."""


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return json_schema(Spec, registry=installed())


@pytest.fixture(scope="module")
def validator(schema) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(schema)


def refusal(data: Any, target: Any = Spec, registry: Registry | None = None) -> SpecError | None:
    """Why diffeo refuses data; None for data it takes."""
    try:
        structure(data, target, registry=registry or installed())
    except SpecError as error:
        return error
    return None


def is_beyond_json_schema(error: SpecError, depth: int) -> bool:
    """Whether every problem is of a kind that JSON Schema cannot express: of a whole config, which stands ``depth`` levels
    down, or a whole number with a point."""
    return all(
        len(problem.path) <= depth or re.search(r"\(write -?\d+\)$", problem.message) for problem in error.problems
    )


def test_it_is_a_schema(schema):
    jsonschema.Draft202012Validator.check_schema(schema)


def test_every_recipe_is_accepted_as_written_and_as_resolved(validator):
    for recipe in installed().recipes:
        data = Document.parse(recipe.read_text(), recipe.name).data
        validator.validate(data)
        validator.validate(unstructure(structure(data, Spec, registry=installed()), registry=installed()))


@pytest.fixture
def with_test_parts(root, monkeypatch) -> Registry:
    """What is installed, and the parts that tests of the core bring."""
    plugin = str(root / "core/tests/plugin")
    monkeypatch.syspath_prepend(plugin)
    return Registry(discover(path=[plugin, *sys.path]))


def test_every_spec_of_the_repository_has_the_same_verdict(texts, with_test_parts):
    """Those of the docs and of recipes, and those in tests, where some are broken, or name parts that a test installs."""
    validator = jsonschema.Draft202012Validator(json_schema(Spec, registry=with_test_parts))
    verdicts: dict[bool, int] = {True: 0, False: 0}
    for path, spec in _specs(texts):
        try:
            data = Document.parse(spec).data
        except SpecError:  # not YAML, on purpose
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            error = refusal(data, registry=with_test_parts)
        if error is None or not is_beyond_json_schema(error, 0):
            assert validator.is_valid(data) == (error is None), f"{path}: {spec}\n{error}"
            verdicts[error is None] += 1
    assert verdicts[True] >= 8
    assert verdicts[False] >= 5


def _specs(texts):
    for path, text in texts.items():
        if path.suffix == ".yaml" and text.startswith("diffeo: 1"):
            yield path, text
        elif path.suffix == ".md":
            yield from ((path, spec) for spec in re.findall(r"^```yaml\n(diffeo: 1\n.*?)^```", text, re.M | re.S))
        elif path.suffix == ".py" and {"tests", "integration"} & set(path.parts):
            yield from ((path, spec) for spec in _strings(text) if spec.startswith("diffeo: "))


def _strings(code: str) -> list[str]:
    nodes = ast.walk(ast.parse(code))
    return [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_broken_is_refused(case, validator):
    change, message = BROKEN[case]
    document = Document.parse(BASE).override([change], Spec, registry=installed())
    error = refusal(document.data)
    assert message in str(error)
    assert not validator.is_valid(document.data), f"the schema accepts {change}"


@pytest.mark.parametrize("case", ACCEPTED)
def test_what_json_schema_cannot_say(case, validator):
    change, message = ACCEPTED[case]
    document = Document.parse(BASE).override([change], Spec, registry=installed())
    error = refusal(document.data)
    assert message in str(error)
    assert validator.is_valid(document.data), f"the schema refuses {change} too: move it to BROKEN"


def test_every_field_of_every_component_has_the_same_verdict(schema):
    compared = accepted = 0
    for item in installed().components:
        definition = f"component.{item.package}.{item.name}.{item.version}.{item.kinds[0]}"
        if definition not in schema["$defs"]:  # of a kind that no slot of a spec takes
            continue
        one = jsonschema.Draft202012Validator({"$defs": schema["$defs"], "$ref": f"#/$defs/{definition}"})
        required = _required_values(item)
        for key in [*config_fields(item.load_config()), "nonsense"]:
            for value in VALUES:
                data = {**required, key: value}
                error = refusal({item.qualified: data}, Slot(*item.kinds))
                if error is None or not is_beyond_json_schema(error, 1):
                    assert one.is_valid(data) == (error is None), f"{item.qualified}: {data}\n{error}"
                    compared, accepted = compared + 1, accepted + (error is None)
    assert accepted > 400
    assert compared > 10 * accepted


def _required_values(item) -> dict[str, Any]:
    """A value for each required field: the first one there that isn't refused."""
    required = [key for key, field in config_fields(item.load_config()).items() if field.default is attrs.NOTHING]
    found: dict[str, Any] = {}
    for key in required:
        for value in reversed(VALUES):
            error = refusal({item.qualified: {key: value}}, Slot(*item.kinds))
            if error is None or not any(problem.path[1:2] == (key,) for problem in error.problems):
                found[key] = value
                break
    assert found.keys() == set(required), f"{item.qualified}: no value fits {required}"
    return found


def test_an_editor_has_something_to_show(schema):
    """A help text for every field of every component and section, and the default of each that isn't required."""
    registry = installed()
    for item in registry.components:
        definition = schema["$defs"].get(f"component.{item.package}.{item.name}.{item.version}.{item.kinds[0]}")
        if definition is not None:
            assert definition["description"].startswith(item.component.summary)
            _check_fields(definition, item.load_config(), item.qualified)
    _check_fields(schema, Spec, "spec")


def _check_fields(definition: dict[str, Any], config: type, name: str) -> None:
    for field in describe_fields(config, installed()):
        shown = definition["properties"][field.name]
        assert shown["description"] == field.help, f"{name}: {field.name}"
        assert field.required or "default" in shown or field.default in ("depends on other fields", ".inf"), (
            f"{name}: {field.name} shows no default"
        )


def test_an_editor_completes_the_names_of_every_slot(schema):
    registry = installed()
    slots = {name: slot for name, slot in schema["$defs"].items() if name.startswith("slot.")}
    assert slots
    for name, slot in slots.items():
        kinds = name.split(".")[1:]
        wanted = {one.name for one in registry.components if set(one.kinds) & set(kinds)}
        bare, fields = slot["anyOf"][0], slot["anyOf"][-1]
        assert wanted == fields["properties"].keys() - _deprecated(fields["properties"])
        assert set(bare["enum"]) <= wanted


def _deprecated(properties: dict[str, Any]) -> set[str]:
    return {name for name, one in properties.items() if one.get("deprecated")}


def test_the_page_about_editors_says_where_the_schema_is(root):
    page = (root / "docs/howto/editor.md").read_text()
    assert "$ diffeo schema > diffeo.schema.json" in page
    (modeline,) = set(re.findall(r"^(# yaml-language-server: \S+)$", page, re.M))
    assert modeline == "# yaml-language-server: $schema=diffeo.schema.json"


def test_the_modeline_is_a_comment_to_diffeo(root):
    page = Path(root / "docs/howto/editor.md").read_text()
    (spec,) = re.findall(r"^```yaml\n(# yaml-language-server.*?)^```", page, re.M | re.S)
    assert refusal(Document.parse(spec).data) is None
