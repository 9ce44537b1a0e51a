"""Data to configs: what is taken, what is refused, with which words and where."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import attrs
import pytest

from diffeo_registry import Document, Registry, Slot, SpecError, field, structure

Lines = Callable[[Callable[[], Any]], list[str]]
STEP = Slot("bijector", "augmenter")


@pytest.fixture
def step(registry: Registry) -> Callable[[Any], Any]:
    return lambda data: structure(data, STEP, registry=registry)


def test_a_slot_takes_names_mappings_and_configs(step: Callable[[Any], Any], toys: ModuleType) -> None:
    whole = toys.Coupling(split=toys.Half(), transform=toys.Affine(), hidden=(128, 128))
    for spelling in (
        "coupling",
        "coupling@1",
        "diffeo-bijectors/coupling@1",
        {"coupling": None},
        {"coupling": {}},
        {"coupling": {"split": {"half": None}, "transform": "affine"}},
        {"diffeo-bijectors/coupling": {"hidden": [128, 128]}},
        toys.Coupling(),
        toys.Coupling(split={"half": {}}, transform=toys.Affine()),
        {"coupling": {"split": toys.Half()}},
    ):
        assert step(spelling) == whole


def test_slots_in_lists_options_and_mappings(step: Callable[[Any], Any], toys: ModuleType) -> None:
    data = {"steps": ["squeeze", {"noise": {"sd": 1}}], "last": "squeeze", "named": {"a": "squeeze"}}
    assert step({"chain": data}) == toys.Chain(
        steps=(toys.Actnorm(), toys.Noise(sd=1.0)), last=toys.Actnorm(), named={"a": toys.Actnorm()}
    )
    assert step({"chain": {"last": None}}) == step("chain") == toys.Chain()


def test_versions_have_configs_of_their_own(registry: Registry, toys: ModuleType) -> None:
    slot = Slot("elementwise")
    assert structure("rq_spline", slot, registry=registry) == toys.SplineTwo()
    assert structure({"rq_spline@1": {"bins": 4}}, slot, registry=registry) == toys.Spline(bins=4)


VALUES: list[tuple[str, Any, Any]] = [
    ("flag", True, True),
    ("count", 3, 3),
    ("rate", 3, 3.0),
    ("rate", 0.5, 0.5),
    ("text", "3", "3"),
    ("maybe", None, None),
    ("maybe", 3, 3),
    ("either", "x", "x"),
    ("either", 3, 3),
    ("start", "base", "base"),
    ("start", 3, 3),
    ("pair", [2, 3], (2, 3.0)),
    ("table", {"a": 1}, {"a": 1.0}),
    ("rows", [[1], []], [[1], []]),
    ("path", "x/y", Path("x/y")),
    ("anything", {"a": [1, None]}, {"a": [1, None]}),
]


@pytest.mark.parametrize(("key", "given", "value"), VALUES)
def test_values(step: Callable[[Any], Any], toys: ModuleType, key: str, given: Any, value: Any) -> None:
    got = getattr(step({"values": {key: given}}), key)
    assert (type(got), got) == (type(value), value)
    assert step(toys.Values(**{key: value})) == toys.Values(**{key: value})


def test_an_enumeration_is_written_by_value(step: Callable[[Any], Any], toys: ModuleType) -> None:
    assert step({"values": {"mode": "slow"}}).mode is toys.Mode.SLOW
    assert step({"values": {"mode": toys.Mode.SLOW}}).mode is toys.Mode.SLOW


@pytest.mark.parametrize(
    ("key", "given", "message"),
    [
        ("flag", 1, "flag: expected true or false; got 1"),
        ("flag", "no", "flag: expected true or false; got 'no'"),
        ("count", True, "count: expected an integer; got true"),
        ("count", 3.0, "count: expected an integer; got 3.0 (write 3)"),
        ("count", "3", "count: expected an integer; got '3'"),
        ("count", None, "count: expected an integer; got null"),
        ("rate", False, "rate: expected a number; got false"),
        ("rate", "1e-3", "rate: expected a number; got '1e-3'"),
        ("rate", float("nan"), "rate: expected a number; got nan"),
        ("rate", 10**400, f"rate: expected a number below 1.8e308; got 1{'0' * 56}..."),
        ("text", 3, "text: expected a string; got 3 (write it in quotes)"),
        ("text", ["a"], "text: expected a string; got ['a']"),
        ("maybe", "x", "maybe: expected an integer; got 'x'"),
        ("either", 1.5, "either: expected an integer or a string; got 1.5"),
        ("mode", "fats", "mode: expected 'fast' or 'slow'; got 'fats'"),
        ("start", "bass", "start: expected 'data', 'base' or 3; got 'bass'"),
        ("start", 3.0, "start: expected 'data', 'base' or 3; got 3.0"),
        ("pair", [1], "pair: expected a list of 2; got 1: [1]"),
        ("pair", [1, "x"], "pair[1]: expected a number; got 'x'"),
        ("pair", "ab", "pair: expected a list; got 'ab'"),
        ("table", {"a": "x"}, "table.a: expected a number; got 'x'"),
        ("table", [1], "table: expected a mapping; got [1]"),
        ("table", {1: 1}, "table.1: expected a string as key; got 1"),
        ("rows", [[1], ["x"]], "rows[1][0]: expected an integer; got 'x'"),
        ("path", 3, "path: expected a path; got 3"),
    ],
)
def test_nothing_is_coerced(step: Callable[[Any], Any], lines: Lines, key: str, given: Any, message: str) -> None:
    assert lines(lambda: step({"values": {key: given}})) == [f"values.{message}"]


SPEC = """\
model:
  chain:
    steps:
      - sqeeze
      - coupling: {splt: half, hidden: [64, 0, x]}
      - coupling:
        hidden: [3]
      - noise
      - {}
      - 7
      - csv: {}
      - adam
      - rq_spline@3: {}
      - noise: {sd: -1}
      - coupling: 3
      - coupling: {transform: {rq_spline@1: {bins: 1, bound: 0}}, split: {half: {swap: 1}}}
      - range: {low: 2.0, high: 1}
    named: {a: coupling, b: half}
seed: -1
trainer:
  stpes: 3
  optimizer: {adam: {lr: 0}}
  precision: float16
tags: [a, 3]
"""


def test_every_problem_of_a_document_at_once(registry: Registry, toys: ModuleType, lines: Lines) -> None:
    document = Document.parse(SPEC, "spec.yaml")

    def load() -> Any:
        try:
            return structure(document.data, toys.Spec, registry=registry)
        except SpecError as error:
            raise document.located(error) from None

    assert lines(load) == [
        "spec.yaml:4:9: model.chain.steps[0]: no bijector or augmenter named 'sqeeze'; did you mean 'squeeze'?",
        "spec.yaml:5:20: model.chain.steps[1].coupling.splt: unknown key; did you mean 'split'?",
        "spec.yaml:5:48: model.chain.steps[1].coupling.hidden[2]: expected an integer; got 'x'",
        "spec.yaml:6:9: model.chain.steps[2]: expected one key, the name of a bijector or augmenter; got 2 keys: "
        "'coupling' and 'hidden' (the fields of 'coupling' are indented below it, or written as "
        "'coupling: {key: value}')",
        "spec.yaml:8:9: model.chain.steps[3].noise.sd: required, but missing",
        "spec.yaml:9:9: model.chain.steps[4]: expected one key, the name of a bijector or augmenter; got an empty mapping",
        "spec.yaml:10:9: model.chain.steps[5]: expected a bijector or augmenter, by name or as 'name: {fields}'; got 7",
        "spec.yaml:11:9: model.chain.steps[6]: no bijector or augmenter named 'csv'; see diffeo list bijectors",
        "spec.yaml:12:9: model.chain.steps[7]: 'adam' is an optimizer; expected a bijector or augmenter",
        "spec.yaml:13:9: model.chain.steps[8]: 'rq_spline@3' is an elementwise; expected a bijector or augmenter",
        "spec.yaml:14:21: model.chain.steps[9].noise.sd: expected a value > 0; got -1.0",
        "spec.yaml:15:19: model.chain.steps[10].coupling: expected fields, as 'key: value'; got 3",
        "spec.yaml:16:52: model.chain.steps[11].coupling.transform.rq_spline@1.bins: "
        "expected a value >= 2 and <= 64; got 1",
        "spec.yaml:16:62: model.chain.steps[11].coupling.transform.rq_spline@1.bound: expected a value > 0; got 0.0",
        "spec.yaml:16:88: model.chain.steps[11].coupling.split.half.swap: expected true or false; got 1",
        "spec.yaml:17:16: model.chain.steps[12].range: expected low < high; got 2.0 and 1.0",
        "spec.yaml:18:29: model.chain.named.b: 'half' is a split; expected a bijector or augmenter",
        "spec.yaml:19:7: seed: expected a value >= 0; got -1",
        "spec.yaml:21:3: trainer.stpes: unknown key; did you mean 'steps'?",
        "spec.yaml:22:26: trainer.optimizer.adam.lr: expected a value > 0; got 0.0",
        "spec.yaml:23:14: trainer.precision: expected 'float32' or 'float64'; got 'float16'",
        "spec.yaml:24:11: tags[1]: expected a string; got 3 (write it in quotes)",
    ]


@pytest.mark.parametrize("data", [[], "chain", 3, True])
def test_a_root_that_is_no_mapping(registry: Registry, toys: ModuleType, lines: Lines, data: Any) -> None:
    (line,) = lines(lambda: structure(data, toys.Spec, registry=registry))
    assert line.startswith("expected fields, as 'key: value'; got ")


def test_required_keys_of_the_root(registry: Registry, toys: ModuleType, lines: Lines) -> None:
    for data in ({}, None):
        assert lines(lambda data=data: structure(data, toys.Spec, registry=registry)) == [
            "model: required, but missing"
        ]


def test_paths_begin_where_the_caller_says(registry: Registry, lines: Lines) -> None:
    path = ("model", "flow", "steps", 2)
    assert lines(lambda: structure("sqeeze", STEP, registry=registry, path=path)) == [
        "model.flow.steps[2]: no bijector or augmenter named 'sqeeze'; did you mean 'squeeze'?"
    ]


def test_configs_from_python_are_validated_too(step: Callable[[Any], Any], toys: ModuleType, lines: Lines) -> None:
    config = toys.Chain(steps=[toys.Coupling(transform={"rq_spline@1": {"bins": 1}}), toys.Adam(), toys.Coupling])
    assert lines(lambda: step(config)) == [
        "chain.steps[0].coupling.transform.rq_spline@1.bins: expected a value >= 2 and <= 64; got 1",
        "chain.steps[1]: 'adam' is an optimizer; expected a bijector or augmenter",
        "chain.steps[2]: expected a config object; got the class Coupling (write Coupling(...))",
    ]
    assert lines(lambda: step(toys.Trainer())) == [
        "expected the config of an installed component; got diffeo_toys.Trainer"
    ]


def test_a_default_that_is_not_installed(toys: ModuleType, lines: Lines) -> None:
    registry = Registry.from_records({"acme": [toys.component("bijector", "coupling", "Coupling")]})
    assert lines(lambda: structure("coupling", STEP, registry=registry)) == [
        "coupling.split: 'half' comes with diffeo-bijectors, which is not installed: pip install diffeo-bijectors",
        "coupling.transform: 'affine' comes with diffeo-bijectors, which is not installed: pip install diffeo-bijectors",
    ]


def test_a_config_that_cannot_be_imported(toys: ModuleType, lines: Lines) -> None:
    registry = Registry.from_records({"acme": [toys.component("bijector", "a", "nowhere:A")]})
    assert lines(lambda: structure({"a": {"x": 1}}, STEP, registry=registry)) == [
        "a: the config of acme/a@1, nowhere:A, could not be imported: ModuleNotFoundError: No module named 'nowhere'"
    ]


def test_plain_attrs_configs(step: Callable[[Any], Any], toys: ModuleType, lines: Lines) -> None:
    assert step({"plain": {"size": 4, "ratio": "2.5"}}) == toys.Plain(size=4, ratio=2.5)
    assert lines(lambda: step({"plain": {"size": 0, "name": "z", "rate": 1.0, "ratio": "x"}})) == [
        "plain.size: 'size' must be >= 1: 0",
        "plain.name: 'name' must be in ['x', 'y'] (got 'z')",
        "plain.rate: 'rate' must be < 1: 1.0",
        "plain.ratio: could not convert string to float: 'x'",
    ]
    assert lines(lambda: step({"plain": {"size": 4, "top": 2}})) == ["plain.top: expected top >= size; got 2 and 4"]
    assert lines(lambda: step({"plain": {"top": 2}})) == ["plain: expected top >= size; got 2 and 3"]


def test_a_tree_without_end(step: Callable[[Any], Any], lines: Lines) -> None:
    data: dict[str, Any] = {"chain": {"steps": []}}
    data["chain"]["steps"].append(data)
    assert lines(lambda: step(data)) == ["expected a tree; got data nested without end"]


def test_annotations_that_are_strings(registry: Registry, lines: Lines) -> None:
    late = attrs.make_class("Late", {"size": attrs.field(type="int", default=1)}, kw_only=True, frozen=True)
    lost = attrs.make_class("Lost", {"size": attrs.field(type="Nowhere", default=1)}, kw_only=True, frozen=True)
    assert structure({"size": 2}, late, registry=registry).size == 2
    assert lines(lambda: structure({"size": "x"}, late, registry=registry)) == ["size: expected an integer; got 'x'"]
    (line,) = lines(lambda: structure({}, lost, registry=registry))
    assert line.endswith("Lost cannot be resolved: name 'Nowhere' is not defined")


@attrs.frozen(kw_only=True)
class Mixed:
    rate: Annotated[Any, Slot("optimizer")] | float = field("adam", help="A number or an optimizer.")
    size: Annotated[int, "in pixels"] = field(3, help="Annotated for other readers.")
    sloppy: int = field(None, help="A default that is not of the type.")


def test_unions_of_slots_and_values(registry: Registry, toys: ModuleType, lines: Lines) -> None:
    assert structure({}, Mixed, registry=registry).rate == toys.Adam()
    assert structure({"rate": 1, "sloppy": None}, Mixed, registry=registry).rate == 1.0
    assert structure({"rate": "sgd"}, Mixed, registry=registry).rate == toys.Sgd()
    assert lines(lambda: structure({"rate": {"sgd": {"lr": 0}}}, Mixed, registry=registry)) == [
        "rate.sgd.lr: expected a value > 0; got 0.0"
    ]
    assert lines(lambda: structure({"rate": "sdg"}, Mixed, registry=registry)) == [
        "rate: no optimizer named 'sdg'; did you mean 'sgd'?"
    ]
    assert lines(lambda: structure({"rate": [1]}, Mixed, registry=registry)) == [
        "rate: expected an optimizer or a number; got [1]"
    ]
    assert lines(lambda: structure({"size": "x"}, Mixed, registry=registry)) == ["size: expected an integer; got 'x'"]
