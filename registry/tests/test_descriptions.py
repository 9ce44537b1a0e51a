"""What ``diffeo show`` tells, found without importing an implementation."""

import sys
from pathlib import Path
from types import ModuleType

import pytest

from diffeo_registry import Registry, describe, describe_fields, find_source

HERE = Path(__file__).parent


def test_fields_in_words(registry: Registry, toys: ModuleType) -> None:
    rows = [(one.name, one.type, one.default, one.bounds) for one in describe_fields(toys.Coupling, registry)]
    assert rows == [
        ("split", "split", "half", ""),
        ("transform", "elementwise", "affine", ""),
        ("hidden", "list of integers", "[128, 128]", ">= 1"),
    ]
    rows = [(one.name, one.type, one.default) for one in describe_fields(toys.Values, registry)]
    assert rows == [
        ("flag", "boolean", "false"),
        ("count", "integer", "0"),
        ("rate", "number", "0.0"),
        ("text", "string", "''"),
        ("maybe", "integer or null", "null"),
        ("either", "integer or string", "0"),
        ("mode", "'fast' or 'slow'", "fast"),
        ("start", "'data', 'base' or 3", "data"),
        ("pair", "list of 2: integer and number", "[1, 2.0]"),
        ("table", "mapping of names to numbers", "{}"),
        ("rows", "list of list of integers", "[]"),
        ("path", "path", "data"),
        ("anything", "anything", "null"),
    ]
    chain = {one.name: one.type for one in describe_fields(toys.Chain, registry)}
    assert chain == {
        "steps": "list of bijectors or augmenters",
        "last": "bijector or augmenter or null",
        "named": "mapping of names to bijectors or augmenters",
        "weights": "mapping of names to numbers",
    }
    (sd,) = describe_fields(toys.Noise, registry)
    assert (sd.required, sd.default, sd.bounds, sd.help) == (True, "", "> 0", "Standard deviation.")
    trainer = {one.name: one for one in describe_fields(toys.Spec, registry)}["trainer"]
    assert (trainer.type, trainer.default) == ("fields of Trainer", "the defaults of its fields")


def test_a_component(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, toys: ModuleType) -> None:
    package = tmp_path / "acme_described"
    (package / "inner").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "inner" / "__init__.py").write_text("import torch_that_is_not_there\n")
    source = "import torch_that_is_not_there\n\n\n@decorated\nclass Loft:\n    class Part: ...\n\n\ndef make(): ...\n"
    (package / "inner" / "loft.py").write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    component = toys.component("bijector", "a", "Half", implementation="acme_described.inner.loft:Loft")
    registry = Registry.from_records({"acme": [*toys.KINDS, component]})
    description = describe(registry.components[0], registry)
    assert str(description.implementation) == f"{package / 'inner' / 'loft.py'}:5"
    assert (description.text, description.remark) == ("Which half is kept.", "")
    assert [one.name for one in description.fields] == ["swap"]
    assert str(find_source("acme_described.inner.loft:Loft.Part")).endswith("loft.py:6")
    assert str(find_source("acme_described.inner.loft:make")).endswith("loft.py:9")
    assert str(find_source("acme_described.inner.loft:Nothing")).endswith("loft.py")
    assert str(find_source("acme_described.inner:x")).endswith("__init__.py")
    assert find_source("acme_described.inner.nowhere:x") is None
    assert find_source("nowhere:x") is None
    assert "acme_described.inner" not in sys.modules


def test_a_source_that_is_not_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "acme_damaged.py").write_text("def")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert str(find_source("acme_damaged:X")) == str(tmp_path / "acme_damaged.py")
    assert find_source("sys:X") is None
