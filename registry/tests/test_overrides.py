"""``--set KEY=VALUE``: what it changes, and what it refuses with which words."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from diffeo_registry import Document, Registry, Slot, SpecError, structure

Lines = Callable[[Callable[[], Any]], list[str]]

SPEC = """\
model:
  chain:
    steps:
      - squeeze
      - coupling: {hidden: [64, 64]}
      - diffeo-bijectors/coupling@1:
trainer:
  optimizer: adam
"""


@pytest.fixture
def override(toys: ModuleType, registry: Registry) -> Callable[..., Document]:
    def with_changes(*texts: str, spec: str = SPEC) -> Document:
        return Document.parse(spec, "spec.yaml").override(texts, toys.Spec, registry=registry)

    return with_changes


@pytest.fixture
def load(override: Callable[..., Document], toys: ModuleType, registry: Registry) -> Callable[..., Any]:
    def changed(*texts: str, spec: str = SPEC) -> Any:
        document = override(*texts, spec=spec)
        try:
            return structure(document.data, toys.Spec, registry=registry)
        except SpecError as error:
            raise document.located(error) from None

    return changed


def at(data: Any, *path: Any) -> Any:
    for part in path:
        data = data[part]
    return data


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("seed=3", ["seed"], 3),
        ("seed=", ["seed"], None),
        ("tags=[a, 'b c']", ["tags"], ["a", "b c"]),
        ("tags=a=b", ["tags"], "a=b"),
        ("trainer.steps=1e3", ["trainer", "steps"], 1000.0),
        ("trainer.optimizer.adam.lr=3e-4", ["trainer", "optimizer"], {"adam": {"lr": 3e-4}}),
        ("trainer.optimizer={sgd: {lr: 1}}", ["trainer", "optimizer"], {"sgd": {"lr": 1}}),
        ("model.chain.steps.1.coupling.hidden[0]=8", ["model", "chain", "steps", 1, "coupling", "hidden"], [8, 64]),
        ("model.chain.steps[1].coupling.hidden.1=8", ["model", "chain", "steps", 1, "coupling", "hidden"], [64, 8]),
        ("model.chain.steps[0]=coupling", ["model", "chain", "steps", 0], "coupling"),
        (
            "model.chain.steps[1].coupling.transform.affine.scale=2",
            ["model", "chain", "steps", 1, "coupling", "transform"],
            {"affine": {"scale": 2}},
        ),
        (
            "model.chain.steps[2].coupling.split=half",
            ["model", "chain", "steps", 2],
            {"diffeo-bijectors/coupling@1": {"split": "half"}},
        ),
        (
            "model.chain.named.a.coupling.split=half",
            ["model", "chain", "named"],
            {"a": {"coupling": {"split": "half"}}},
        ),
    ],
)
def test_changes(override: Callable[..., Document], text: str, path: list[Any], value: Any) -> None:
    document = override(text)
    assert at(document.data, *path) == value


def test_the_original_is_left_alone(override: Callable[..., Document]) -> None:
    document = Document.parse(SPEC)
    before = repr(document.data)
    override("model.chain.steps[1].coupling.hidden[0]=8")
    assert repr(document.data) == before


def test_the_last_one_counts(override: Callable[..., Document]) -> None:
    assert override("seed=1", "seed=2").data["seed"] == 2


def test_sections_that_are_not_there_are_made(load: Callable[..., Any], toys: ModuleType) -> None:
    spec = load("trainer.optimizer.sgd.momentum=0.9", "trainer.steps=5", spec="model: squeeze")
    assert spec.trainer == toys.Trainer(steps=5, optimizer=toys.Sgd(momentum=0.9))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed", "expected KEY=VALUE with a key such as trainer.steps or model.flow.steps[0].coupling"),
        ("=3", "expected KEY=VALUE with a key such as trainer.steps or model.flow.steps[0].coupling"),
        ("a..b=3", "expected KEY=VALUE with a key such as trainer.steps or model.flow.steps[0].coupling"),
        ("a[x]=3", "expected KEY=VALUE with a key such as trainer.steps or model.flow.steps[0].coupling"),
        ("seed=[1", "seed: not YAML: expected ',' or ']', but got '<stream end>'"),
        ("seed={a: 1, a: 2}", "seed.a: duplicate key; the first is in line 1"),
        ("seed.x=3", ""),
        (
            "trainer.optimizer.sgd.lr=3e-4",
            "trainer.optimizer: this is 'adam'; to replace it: --set trainer.optimizer='{sgd: {lr: 3e-4}}'",
        ),
        (
            "model.chain.steps[1].chain.steps=[]",
            "model.chain.steps[1]: this is 'coupling'; to replace it: --set model.chain.steps[1]='{chain: {steps: []}}'",
        ),
        (
            "trainer.optimizer.sgd=",
            "trainer.optimizer: this is 'adam'; to replace it: --set trainer.optimizer='sgd'",
        ),
        (
            "trainer.optimizer.lr=3",
            "trainer.optimizer: 'lr' is a field of 'adam'; write --set trainer.optimizer.adam.lr=3",
        ),
        (
            "model.chain.steps[1].coupling.transform.knots=5",
            "model.chain.steps[1].coupling.transform: 'knots' is a field of 'rq_spline'; write --set "
            "model.chain.steps[1].coupling.transform.rq_spline.knots=5",
        ),
        ("model.chain.steps[3].x=1", "model.chain.steps: expected the index of an item, 0 to 2; got 3"),
        ("model.chain.steps.-1=1", "model.chain.steps: expected the index of an item, 0 to 2; got '-1'"),
        ("tags.0=a", "tags: there is no list yet to set item 0 of; give all of it: --set tags='[...]'"),
        ("model.chain.steps[1].coupling.hidden[0].x=1", (
            "model.chain.steps[1].coupling.hidden[0]: expected a mapping, to set 'x' in it; got 64"
        )),
    ],
)  # fmt: skip
def test_refused(override: Callable[..., Document], lines: Lines, text: str, message: str) -> None:
    if message:
        assert lines(lambda: override(text)) == [f"--set {text}: {message}"]
    else:
        assert lines(lambda: override(text, spec="model: squeeze\nseed: 3")) == [
            f"--set {text}: seed: expected a mapping, to set 'x' in it; got 3"
        ]


def test_a_field_of_what_is_left_to_its_default(override: Callable[..., Document], lines: Lines) -> None:
    assert lines(lambda: override("trainer.optimizer.lr=3", spec="model: squeeze")) == [
        "--set trainer.optimizer.lr=3: trainer.optimizer: 'lr' is a field of 'adam' or 'sgd'; write --set "
        "trainer.optimizer.NAME.lr=3 with the one that is meant for NAME"
    ]


def test_all_problems_at_once(override: Callable[..., Document], lines: Lines) -> None:
    assert [line.split(": ")[0] for line in lines(lambda: override("a", "seed=1", "trainer.optimizer.lr=3"))] == [
        "--set a",
        "--set trainer.optimizer.lr=3",
    ]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["trainer.steps=x"], ["--set trainer.steps=x: trainer.steps: expected an integer; got 'x'"]),
        (["trainer.stpes=3"], ["--set trainer.stpes=3: trainer.stpes: unknown key; did you mean 'steps'?"]),
        (
            ["trainer.optimizer.adam.lr=0", "seed=-1"],
            [
                "--set seed=-1: seed: expected a value >= 0; got -1",
                "--set trainer.optimizer.adam.lr=0: trainer.optimizer.adam.lr: expected a value > 0; got 0.0",
            ],
        ),
        (
            ["model.chain.last.sqeeze.x=1"],
            [
                "--set model.chain.last.sqeeze.x=1: model.chain.last: "
                "no bijector or augmenter named 'sqeeze'; did you mean 'squeeze'?"
            ],
        ),
    ],
)
def test_problems_of_a_value_that_was_set_are_told_there(
    load: Callable[..., Any], lines: Lines, texts: list[str], expected: list[str]
) -> None:
    assert lines(lambda: load(*texts)) == expected


def test_problems_beside_it_stay_in_the_file(load: Callable[..., Any], lines: Lines) -> None:
    spec = SPEC.replace("optimizer: adam", "optimizer: adma")
    assert lines(lambda: load("trainer.steps=3", spec=spec)) == [
        "spec.yaml:8:14: trainer.optimizer: no optimizer named 'adma'; did you mean 'adam'?"
    ]


def test_a_slot_at_the_root(registry: Registry) -> None:
    document = Document.parse("coupling").override(
        ["coupling.transform.rq_spline.knots=5"], Slot("bijector"), registry=registry
    )
    assert document.data == {"coupling": {"transform": {"rq_spline": {"knots": 5}}}}
