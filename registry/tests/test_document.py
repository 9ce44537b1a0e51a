"""YAML text: what every scalar means, where everything stands, and each way to be wrong, with its line."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffeo_registry import Document, Problem, to_yaml
from diffeo_registry.yaml_text import to_flow_yaml

Lines = Callable[[Callable[[], Any]], list[str]]

SPEC = """\
# a comment
model:
  flow:
    steps:
      - squeeze
      - coupling: {split: channel,
                   transform: {rq_spline: {bins: 4}}}
    base:   # nothing here

trainer: {steps: 100}
"""


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("-012", -12),
        ("0o17", 15),
        ("0x1F", 31),
        ("1e-3", 0.001),
        ("1.0e-3", 0.001),
        ("1E+3", 1000.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("-.inf", -math.inf),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("null", None),
        ("", None),
        ("no", "no"),
        ("on", "on"),
        ("tRue", "tRue"),
        ("1_000", "1_000"),
        ("0b11", "0b11"),
        ("12:30", "12:30"),
        ("2001-01-01", "2001-01-01"),
        ("=", "="),
        ("'1'", "1"),
        ('"\\x41"', "A"),
        ("!!str 1", "1"),
        ("!!float 1", 1.0),
        ("! 1", "1"),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_scalars_by_the_core_schema(text: str, value: Any) -> None:
    got = Document.parse(f"a: {text}").data["a"]
    assert (type(got), got) == (type(value), value)


def test_nan_is_a_number() -> None:
    assert math.isnan(Document.parse("a: .nan").data["a"])


def test_positions_of_keys_and_values() -> None:
    document = Document.parse(SPEC, "spec.yaml")
    steps = ("model", "flow", "steps")
    assert document.data["model"]["flow"] == {
        "steps": ["squeeze", {"coupling": {"split": "channel", "transform": {"rq_spline": {"bins": 4}}}}],
        "base": None,
    }
    assert document.where(()) == "spec.yaml:2:1"
    assert document.where((*steps, 0)) == "spec.yaml:5:9"
    assert document.where((*steps, 1, "coupling", "split")) == "spec.yaml:6:27"
    assert document.where((*steps, 1, "coupling", "split"), on_key=True) == "spec.yaml:6:20"
    assert document.where((*steps, 1, "coupling", "transform", "rq_spline", "bins")) == "spec.yaml:7:50"
    assert document.where(("trainer",), on_key=True) == "spec.yaml:10:1"


def test_nothing_stands_at_its_key() -> None:
    assert Document.parse(SPEC, "spec.yaml").where(("model", "flow", "base")) == "spec.yaml:8:5"


def test_what_is_not_there_is_located_around_it() -> None:
    document = Document.parse(SPEC, "spec.yaml")
    assert document.where(("trainer", "optimizer", "adam", "lr")) == "spec.yaml:10:10"
    assert document.where(("model", "flow", "steps", 1, "coupling", "network"), on_key=True) == "spec.yaml:6:19"
    assert document.where(("nothing", 3)) == "spec.yaml:2:1"


def test_a_problem_gets_its_place_once() -> None:
    document = Document.parse(SPEC, "spec.yaml")
    problem = document.locate(Problem(path=("trainer", "steps"), message="expected a string; got 100"))
    assert str(problem) == "spec.yaml:10:18: trainer.steps: expected a string; got 100"
    assert document.locate(problem) == problem


def test_aliases_are_copies_at_the_place_of_the_original() -> None:
    document = Document.parse("a: &x {b: [1, 2]}\nc: *x\nd: [*x, *x]", "s")
    copies = [document.data["a"], document.data["c"], *document.data["d"]]
    assert copies == [{"b": [1, 2]}] * 4
    assert len({id(copy) for copy in copies}) == 4
    assert document.where(("d", 1, "b", 1)) == "s:1:15"


def test_an_anchor_may_be_written_again() -> None:
    assert Document.parse("a: &x 1\nb: *x\nc: &x 2\nd: *x").data == {"a": 1, "b": 1, "c": 2, "d": 2}


@pytest.mark.parametrize(
    ("text", "lines_expected"),
    [
        ("", ["s:1:1: expected a mapping; got an empty document"]),
        ("# nothing\n", ["s:1:1: expected a mapping; got an empty document"]),
        ("---\n", ["s:1:1: expected a mapping; got an empty document"]),
        ("a: 1\n---\nb: 2\n", ["s:2:1: expected one document; got a second one"]),
        ("a: [1\nb: 2", ["s:2:2: not YAML: expected ',' or ']', but got ':'"]),
        ("a: {b: 1", ["s:1:9: not YAML: expected ',' or '}', but got '<stream end>'"]),
        (
            "a:\n\t- b",
            ["s:2:1: not YAML: found character '\\t' that cannot start any token (indent with blanks)"],
        ),
        ("a: b: c", ["s:1:5: not YAML: mapping values are not allowed here"]),
        ("a: 'x", ["s:1:6: not YAML: found unexpected end of stream"]),
        ("a: @b", ["s:1:4: not YAML: found character '@' that cannot start any token"]),
        ("é: 1\na: b\x00c", ["s:2:5: not YAML: unacceptable character '\\x00'"]),
        (
            "a: 1\nb:\n  a: 2\n  'a': 3\na: 2",
            [
                "s:4:3: b.a: duplicate key; the first is in line 3",
                "s:5:1: a: duplicate key; the first is in line 1",
            ],
        ),
        ("a: &x\n  b: [*x]", ["s:2:7: a.b[0]: alias *x stands inside what it refers to"]),
        ("a: *x", ["s:1:4: a: alias *x has no anchor &x before it"]),
        ("a: &one 1\nb: *onne", ["s:2:4: b: alias *onne has no anchor &onne before it; did you mean 'one'?"]),
        (
            "a: &x {b: 1}\nc:\n  <<: *x",
            ["s:3:3: c.<<: merge keys are not part of YAML 1.2; write the fields out, or use an alias for a whole value"],
        ),
        ("1: x", ["s:1:1: expected a string as key; got 1"]),
        ("a:\n  true: x\n  ~: y", [
            "s:2:3: a: expected a string as key; got true",
            "s:3:3: a: expected a string as key; got null",
        ]),
        ("? [a]\n: 1", ["s:1:3: expected a string as key; got a list or mapping"]),
        ("a: !new {b: 1}", ["s:1:4: a: expected plain YAML; got tag '!new'"]),
        ("a: !!int x", ["s:1:4: a: expected a value of type int; got 'x'"]),
        ("a: !!python/object:os.system x", [
            "s:1:4: a: expected plain YAML; got tag 'tag:yaml.org,2002:python/object:os.system'"
        ]),
    ],
)  # fmt: skip
def test_bad_documents(lines: Lines, text: str, lines_expected: list[str]) -> None:
    assert lines(lambda: Document.parse(text, "s")) == lines_expected


def test_quoted_merge_and_number_keys_are_ordinary() -> None:
    assert Document.parse("'<<': 1\n'1': 2").data == {"<<": 1, "1": 2}


def test_nesting_without_end(lines: Lines) -> None:
    (line,) = lines(lambda: Document.parse("[" * 10_000, "s"))
    assert line == "s:1:102: [0][0][0]: expected at most 100 levels; got more"
    assert Document.parse("[" * 90 + "]" * 90).data != []


def test_aliases_without_measure(lines: Lines) -> None:
    rows = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    rows += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    (line,) = lines(lambda: Document.parse("\n".join(rows), "s"))
    assert line == "s:1:1: expected a document of reasonable size; its aliases repeat more than 100000 values"


def test_a_long_list_is_no_bomb() -> None:
    assert len(Document.parse(f"a: {list(range(3000))}").data["a"]) == 3000


@pytest.mark.parametrize("name", ["nothing.yaml", ""])
def test_a_file_that_is_not_there(lines: Lines, tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    assert lines(lambda: Document.read(file)) == [
        f"{file}: {'no such file or directory' if name else 'is a directory'}"
    ]


def test_a_file_that_is_not_text(lines: Lines, tmp_path: Path) -> None:
    file = tmp_path / "spec.yaml"
    file.write_bytes(b"a: \xff")
    assert lines(lambda: Document.read(file)) == [f"{file}: expected text in UTF-8; got byte 0xff"]
    file.write_bytes(b"\xef\xbb\xbfa: \xc3\xa9\r\nb: 1\r\n")
    assert Document.read(file).data == {"a": "é", "b": 1}


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufeff\ufffe\uffff"))
    | st.sampled_from(
        ["null", "~", "1e3", ".5", "0x1", "true", "<<", "-", "- a", "a: b", "#", "*a", "&a", "!a", " a ", "?0"]
    )
)
TREES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text("abc<1. "), inner), max_leaves=20)


@given(TREES)
def test_what_is_written_reads_back(data: Any) -> None:
    for text in (to_yaml({"data": data}), to_flow_yaml({"data": data})):
        assert Document.parse(text).data == {"data": data}
