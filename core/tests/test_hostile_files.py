"""Files that a stranger made: each is one clear line, within a second and 200 MB, and nothing in it is executed."""

import json
import os
import pickle
import random
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from torch import nn

import diffeo
from diffeo import cli
from diffeo.bounded_building import FREE_PARTS
from diffeo.model_files import model_parts
from diffeo.model_section import COMPONENT_LIMIT, DEPTH_LIMIT, TEXT_LIMIT, WEIGHT_LIMIT
from diffeo.tensor_files import HEADER_LIMIT, parse_tensors, read_tensors
from diffeo_registry import Slot, installed, structure

FLOW = {"flow": {"steps": ["stretch", "append"]}}
HUGE = 10**9


def raw(header, data=b"", length=None):
    """A file by its parts; the header is bytes, or data to be written as JSON."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + data


def entry(begin=0, end=8, dtype="F32", shape=(2,), **extra):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end], **extra}


def section(model=FLOW, **changes):
    """The metadata of a model, with some of it changed."""
    return json.dumps({"format": 1, "model": model, "shape": [2], "context_shape": None, "dtype": "float32"} | changes)


def asking_for(text, tensors=None, data=b""):
    """A whole file whose metadata are ``text``."""
    return raw({"__metadata__": {"diffeo": text}} | (tensors or {}), data)


def flow(*steps, **fields):
    return {"flow": {"steps": list(steps), **fields}}


def nested(depth, steps):
    for _ in range(depth):
        steps = [{"chain": {"steps": steps}}]
    return steps


def filled(item, size):
    """JSON of ``size`` bytes: a list of one item many times."""
    return b"[" + b",".join([item] * ((size - 2) // (len(item) + 1))) + b"]"


def sparse(path, length, size):
    """A file of ``size`` bytes that says its header has ``length``; its zeros take no disk."""
    with path.open("wb") as file:
        file.write(length.to_bytes(8, "little"))
        file.truncate(size)


@contextmanager
def refusals_in(messages):
    """Collect the message of a ``CheckpointError``; some corruptions leave a whole file, of another default or blank."""
    try:
        yield
    except diffeo.CheckpointError as error:
        messages.append(str(error))


@pytest.fixture(scope="module")
def good(parts):
    config = structure(FLOW, Slot("model"), registry=installed())
    model = diffeo.build(config, shape=(2,))
    return b"".join(model_parts(model, config, model.state_dict()))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


def refusal(path):
    """The one line that loading a file ends in."""
    with pytest.raises(diffeo.CheckpointError) as caught:
        diffeo.load(path)
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"{path}: expected ")
    assert "; got " in line
    assert line.isprintable()
    return line


# The format

NO_FILE = "expected a safetensors file; got"
DAMAGED = "got a damaged one"
BYTES_8, BYTES_16 = bytes(8), bytes(16)

MALFORMED = {
    "empty": (b"", f"{NO_FILE} 0 bytes"),
    "shorter than a length": (b"1234567", f"{NO_FILE} 7 bytes"),
    "a length alone": ((2).to_bytes(8, "little"), f"{NO_FILE} 8 bytes"),
    "header longer than the file": (raw({}, length=1000), NO_FILE),
    "header of 99 MB on a short file": (raw({}, length=99 * 10**6), NO_FILE),
    "header of 2^63 bytes": (raw({}, length=2**63), NO_FILE),
    "header of 2^64 - 1 bytes": (raw({}, length=2**64 - 1), NO_FILE),
    "header of no bytes": (raw(b""), DAMAGED),
    "not JSON": (raw(b"not JSON"), DAMAGED),
    "half of JSON": (raw(b'{"a": {"dtype"'), DAMAGED),
    "more than JSON": (raw(b"{}{}"), DAMAGED),
    "not UTF-8": (raw(b'{"\xff": 1}'), "can't decode"),
    "a byte order mark": (raw(b"\xef\xbb\xbf{}"), DAMAGED),
    "a list": (raw([]), "its header is no mapping"),
    "nested 100,000 deep": (raw(b"[" * 100_000), "nested without end"),
    "nested 900 deep": (raw(b"[" * 900 + b"]" * 900), DAMAGED),
    "a tensor that is a number": (raw({"a": 1}), "'a' has other keys"),
    "no dtype": (raw({"a": {"shape": [2], "data_offsets": [0, 8]}}, BYTES_8), "'a' has other keys"),
    "a key more": (raw({"a": entry(note="")}, BYTES_8), "'a' has other keys"),
    "unknown dtype": (raw({"a": entry(dtype="F8_E4M3", shape=[8])}, BYTES_8), "'a' has a dtype"),
    "dtype of another type": (raw({"a": entry(dtype=[])}, BYTES_8), "'a' has a dtype"),
    "shape that is a number": (raw({"a": entry() | {"shape": 2}}, BYTES_8), "'a' has a shape"),
    "negative size": (raw({"a": entry(shape=[-1, -2])}, BYTES_8), "'a' has a shape"),
    "fraction as a size": (raw({"a": entry(shape=[2.0])}, BYTES_8), "'a' has a shape"),
    "true as a size": (raw({"a": entry(end=4, shape=[True])}, bytes(4)), "'a' has a shape"),
    "NaN as a size": (raw(json.dumps({"a": entry(shape=[float("nan")])}).encode(), BYTES_8), "'a' has a shape"),
    "size of 4000 digits": (raw({"a": entry(shape=[10**4000])}, BYTES_8), "'a' has a shape that no file can hold"),
    "size of 5000 digits": (raw(b'{"a": ' + b"1" * 5000 + b"}"), DAMAGED),
    "65 dimensions": (raw({"a": entry(end=4, shape=[1] * 65)}, bytes(4)), "'a' has a shape"),
    "shape that overflows": (raw({"a": entry(shape=[2**40, 2**40])}, BYTES_8), "no file can hold"),
    "shape that overflows to 2": (raw({"a": entry(shape=[2**63 + 1, 2])}, BYTES_8), "no file can hold"),
    "zero beside 2^62": (raw({"a": entry(end=0, shape=[0, 2**62])}), "no file can hold"),
    "zero beside 2^63 + 5": (raw({"a": entry(end=0, shape=[0, 2**63 + 5])}), "no file can hold"),
    "offsets that are one": (raw({"a": entry() | {"data_offsets": [8]}}, BYTES_8), "'a' has a shape or data_offsets"),
    "negative offsets": (raw({"a": entry(-8, 0)}, BYTES_8), "'a' has a shape or data_offsets"),
    "offsets backwards": (raw({"a": entry(8, 0)}, BYTES_8), "don't fit"),
    "more data than the shape": (raw({"a": entry(shape=[1])}, BYTES_8), "don't fit"),
    "less data than the shape": (raw({"a": entry(shape=[3])}, BYTES_8), "don't fit"),
    "data beyond the end": (raw({"a": entry(end=16, shape=[4])}, BYTES_8), "end at byte 16 of 8"),
    "data of an exabyte": (raw({"a": entry(end=2**62, shape=[2**60])}, BYTES_8), "no file can hold"),
    "offsets of 4000 digits": (raw({"a": entry(10**4000, 10**4000 + 8)}, BYTES_8), "does not begin at byte 0"),
    "the same data twice": (raw({"a": entry(), "b": entry()}, BYTES_8), "'b' does not begin at byte 8"),
    "data that overlap": (raw({"a": entry(), "b": entry(4, 12)}, bytes(12)), "'b' does not begin at byte 8"),
    "a hole": (raw({"a": entry(), "b": entry(12, 20)}, bytes(20)), "'b' does not begin at byte 8"),
    "a hole at the front": (raw({"a": entry(8, 16)}, BYTES_16), "'a' does not begin at byte 0"),
    "bytes at the end": (raw({"a": entry()}, bytes(9)), "end at byte 8 of 9"),
    "a byte too few": (raw({"a": entry()}, bytes(7)), "end at byte 8 of 7"),
    "bytes without tensors": (raw({}, b"\0"), "end at byte 0 of 1"),
    "empty tensor off the data": (raw({"a": entry(), "b": entry(9, 9, shape=[0])}, BYTES_8), "'b' does not begin"),
    "a tensor twice": (raw(b'{"a": {}, "a": {}}'), "key 'a' stands twice"),
    "a key of a tensor twice": (raw(b'{"a": {"dtype": "F32", "dtype": "I32"}}'), "key 'dtype' stands twice"),
    "metadata twice": (raw(b'{"__metadata__": {}, "__metadata__": {}}'), "key '__metadata__' stands twice"),
    "metadata that are numbers": (raw({"__metadata__": {"diffeo": 1}}), "its metadata are not strings"),
    "metadata that are a list": (raw({"__metadata__": ["diffeo"]}), "its metadata are not strings"),
    "a tensor called __metadata__": (raw({"__metadata__": entry()}, BYTES_8), "its metadata are not strings"),
    "a name of a megabyte": (raw({"a" * 2**20: 1}), "'aaa"),
    "a name of two lines": (raw({"a\n\x1b[2J\u2028b": 1}), r"'a\n\x1b"),
    "half a character": (raw(b'{"\\ud800": 1}'), r"'\ud800'"),
    "a foreign file": (raw({"a": entry()}, BYTES_8), "expected a model saved by diffeo"),
    "a pickle": (pickle.dumps({"a": list(range(100))}), NO_FILE),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_a_malformed_file(case, path):
    data, message = MALFORMED[case]
    path.write_bytes(data)
    assert message in refusal(path)


@pytest.mark.parametrize("case", MALFORMED)
def test_bytes_in_memory_are_refused_in_the_same_words(case, path):
    data, message = MALFORMED[case]
    if case == "a foreign file":
        assert list(parse_tensors(data, "bytes")[1]) == ["a"]
        return
    with pytest.raises(diffeo.CheckpointError, match=r"^bytes: expected a ") as caught:
        parse_tensors(data, "bytes")
    assert message in str(caught.value)


@pytest.mark.parametrize("size", [100 * 10**6, HEADER_LIMIT + 1])
def test_a_header_above_the_limit_is_not_read(size, path):
    sparse(path, size, size + 8)
    assert f"a header of at most {HEADER_LIMIT} bytes; got one of {size}" in refusal(path)


def test_random_bytes(path):
    rng = random.Random(0)
    for length in [*range(40), 4000, 100_000]:
        path.write_bytes(rng.randbytes(length))
        assert NO_FILE in refusal(path)


def test_random_bytes_behind_a_length_that_fits(path):
    rng = random.Random(1)
    for _ in range(100):
        path.write_bytes(raw(rng.randbytes(rng.randrange(200)), rng.randbytes(rng.randrange(20))))
        assert DAMAGED in refusal(path)


def test_random_corruptions_of_a_header(good, path):
    rng = random.Random(2)
    size = int.from_bytes(good[:8], "little")
    messages: list[str] = []
    for _ in range(200):
        header, place = bytearray(good[8 : 8 + size]), rng.randrange(size)
        if rng.random() < 0.5:
            header[place] = rng.randrange(256)
        else:
            junk = [b"", b"{", b"]", b'"', b"9", b"-", bytes(header[:9])]
            header[place : place + rng.randrange(8)] = rng.choice(junk)
        path.write_bytes(raw(bytes(header), good[8 + size :]))
        with refusals_in(messages):
            diffeo.load(path)
    assert len(messages) > 150
    assert all(line.startswith(f"{path}: expected ") for message in messages for line in message.splitlines())


def test_every_truncation(good, path):
    for length in range(len(good)):
        path.write_bytes(good[:length])
        assert refusal(path)


def test_a_folder_and_a_pipe_are_no_files(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(diffeo.CheckpointError, match="got something that is no file"):
            read_tensors(path)
    with pytest.raises(diffeo.CheckpointError, match=r"x: expected a safetensors file; got No such file or directory"):
        read_tensors(tmp_path / "x")


# The model section

METADATA = {
    "not JSON": ("{", "expected metadata in JSON"),
    "a list": ("[]", "expected metadata with context_shape, dtype, format, model, shape"),
    "a key missing": (json.dumps({"format": 1}), "expected metadata with context_shape"),
    "a key twice": ('{"format": 1, "format": 1}', "key 'format' stands twice"),
    "nested without end": ("[" * 100_000, "nested without end"),
    "another format": (section(format=[1]), "expected format 1; got [1]"),
    "another dtype": (section(dtype=["float32"]), "expected dtype float32 or float64; got ['float32']"),
    "code": (section(dtype="__class__"), "expected dtype float32 or float64"),
    "no shape": (section(shape=None), "expected shape as a list of integers > 0; got None"),
    "an empty size": (section(shape=[0]), "expected shape as a list of integers > 0; got [0]"),
    "true as a size": (section(shape=[True]), "expected shape as a list of integers > 0; got [True]"),
    "a context of another type": (section(context_shape="2"), "expected context_shape as a list"),
    "unknown model": (section("nonsense"), "no model named 'nonsense'"),
    "unknown component": (section(flow("nonsense")), "no bijector or augmenter named 'nonsense'"),
    "component of another kind": (section(flow("standard_normal")), "'standard_normal' is a distribution"),
    "a path as a name": (section(flow("os:system")), "expected a name as [package/]name[@version]"),
    "unknown package": (section(flow("evil/stretch")), "'evil/stretch' is to come from evil, which is not installed"),
    "unknown key": (section(flow({"stretch": {"__class__": "x"}})), "stretch.__class__: unknown key"),
    "key of two lines": (section(flow({"stretch": {"a\nb\x1b\ud800": 1}})), r"stretch.a b\x1b\ud800: unknown key"),
    "key of 100,000 letters": (section(flow({"stretch": {"a" * 10**5: 1}})), "stretch.aaa"),
    "name of 100,000 letters": (section(flow("a" * 10**5)), "no bijector or augmenter named 'aaa"),
    "null as a step": (section(flow(None)), "steps[0]: expected a bijector or augmenter"),
    "a number of 4000 digits": (
        section(flow({"repeat": {"times": -(10**4000), "steps": []}})),
        "repeat.times: expected",
    ),
    "steps that don't fit": (section(flow("fold")), "fold: expected a shape (C, S) with even S; got (2,)"),
    "a tensor more": (
        section(flow("stretch")),
        "expected 'steps.0.log_scale' with shape (2,) and torch.float32; got none",
    ),
}


@pytest.mark.parametrize("case", METADATA)
def test_a_section_that_means_nothing(case, path):
    text, message = METADATA[case]
    path.write_bytes(asking_for(text))
    assert message in refusal(path)


def test_many_problems_are_one_line_and_a_few_are_a_line_each(path):
    path.write_bytes(asking_for(section(flow(*["nonsense"] * 40))))
    assert "flow.steps[0]: no bijector" in refusal(path)
    assert refusal(path).endswith("(and 39 more)")
    path.write_bytes(asking_for(section(flow("nonsense", None))))
    with pytest.raises(diffeo.CheckpointError) as caught:
        diffeo.load(path)
    first, second = str(caught.value).splitlines()
    assert "flow.steps[0]: no bijector" in first
    assert "flow.steps[1]: expected a bijector" in second


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("steps.0.shift", {"dtype": "I32"}, "expected 'steps.0.shift' with shape (2,) and torch.float32; got (2,) and"),
        ("steps.0.shift", {"shape": [2, 1]}, "with shape (2,) and torch.float32; got (2, 1) and torch.float32"),
        ("steps.0.shift", None, "expected 'steps.0.shift' with shape (2,) and torch.float32; got none (and 1 more)"),
    ],
)
def test_a_tensor_that_is_relabelled(name, change, message, good, path):
    size = int.from_bytes(good[:8], "little")
    header = json.loads(good[8 : 8 + size])
    if change is None:
        header["other\n"] = header.pop(name)
    else:
        header[name] |= change
    path.write_bytes(raw(header, good[8 + size :]))
    assert message in refusal(path)


TOO_MUCH = "expected a model of the 0 tensors in the file; got one with thousands of parts more"
ENORMOUS = {
    "a width": (section(flow(context_network={"lift": {"out": HUGE}}), context_shape=[3]), f"shape ({HUGE}, 3)"),
    "a width that overflows": (section(flow(context_network={"lift": {"out": 2**70}}), context_shape=[3]), "Error: "),
    "layers of nothing": (section(flow({"repeat": {"times": HUGE, "steps": []}})), TOO_MUCH),
    "layers without parameters": (section(flow({"repeat": {"times": HUGE, "steps": ["sinh"]}})), TOO_MUCH),
    "layers with parameters": (section(flow({"repeat": {"times": HUGE, "steps": ["stretch"]}})), TOO_MUCH),
    "layers in layers": (section(flow({"repeat": {"times": HUGE, "steps": nested(9, ["sinh"])}})), TOO_MUCH),
    "an event": (section(flow("sinh"), shape=[HUGE]), f"by the 0 numbers in the file; got ({HUGE},)"),
    "an event of parameters": (section(flow("stretch"), shape=[2, HUGE]), "expected events of at most"),
    "a context": (section(flow("sinh"), context_shape=[HUGE]), "expected events of at most"),
    "an event that grows": (section(flow({"append": {"extra": HUGE}})), f"numbers in the file; got ({HUGE + 2},)"),
    "many components": (section(flow(*["sinh"] * COMPONENT_LIMIT)), f"at most {COMPONENT_LIMIT} components"),
    "many values": (section(flow(*[None] * 30_000)), f"depths add up to at most {WEIGHT_LIMIT}; got more"),
    "many keys": (section(flow(*[{"stretch": {"log": 0}}] * WEIGHT_LIMIT))[:TEXT_LIMIT], "expected metadata in JSON"),
    "long text": (section(note="x" * TEXT_LIMIT), f"expected a model section of at most {TEXT_LIMIT} characters"),
    "deep steps": (section(flow(*nested(25, ["sinh"]))), f"nested at most {DEPTH_LIMIT} levels deep"),
}  # fmt: skip


@pytest.mark.parametrize("case", ENORMOUS)
def test_a_small_file_that_asks_for_something_enormous(case, path):
    text, message = ENORMOUS[case]
    path.write_bytes(asking_for(text))
    assert message in refusal(path)


def test_tensors_that_no_model_has_justify_nothing(path):
    tensors = {f"{index}": entry(8 * index, 8 * index + 8) for index in range(1000)}
    path.write_bytes(asking_for(ENORMOUS["layers without parameters"][0], tensors, bytes(8000)))
    assert "expected a model of the 1000 tensors in the file; got one with thousands" in refusal(path)


def test_a_model_of_many_parts_is_read_back(path):
    """The limits leave room: a thousand steps without a parameter, three hundred written out one by one."""
    steps = [{"repeat": {"times": 1000, "steps": ["sinh"]}}, *["stretch", {"chain": {"steps": ["sinh"]}}] * 300]
    config = structure(flow(*steps), Slot("model"), registry=installed())
    model = diffeo.build(config, shape=(2,))
    path.write_bytes(b"".join(model_parts(model, config, model.state_dict())))
    assert len(diffeo.load(path).steps) == len(steps)


def test_what_would_not_be_read_is_not_written():
    config = structure(flow(*["sinh"] * 10_000), Slot("model"), registry=installed())
    model = diffeo.build(structure(flow("sinh"), Slot("model"), registry=installed()), shape=(2,))
    with pytest.raises(ValueError, match="expected a model section of values whose depths add up"):
        model_parts(model, config, {})
    model = diffeo.build("model", flow("sinh"), shape=(2**21,))
    config = structure(flow("sinh"), Slot("model"), registry=installed())
    with pytest.raises(ValueError, match=r"expected events of at most 1048576 entries, .*; got \(2097152,\)"):
        model_parts(model, config, {})


def test_tables_that_are_not_saved_count_as_well(path, monkeypatch):
    monkeypatch.setattr("diffeo.model_files.SPARE_BYTES", 3)
    path.write_bytes(asking_for(section(flow())))
    like = 2 * 4  # one number in the flow, and one in its base
    assert f"expected a model of about the size of its file, 0 bytes; got one of {like} bytes more" in refusal(path)


def test_a_refusal_leaves_no_limit_behind(good, path):
    path.write_bytes(asking_for(ENORMOUS["layers with parameters"][0]))
    assert TOO_MUCH in refusal(path)
    assert len(nn.Sequential(*(nn.ReLU() for _ in range(2 * FREE_PARTS)))) == 2 * FREE_PARTS
    path.write_bytes(good)
    diffeo.load(path)
    assert len(nn.Sequential(*(nn.ReLU() for _ in range(2 * FREE_PARTS)))) == 2 * FREE_PARTS


# What a refusal costs, and what it looks like on the command line


def costly_files():
    """The files that take longest to refuse, most of them just below a limit."""
    empty = (b'"%x":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}' % index for index in range(74_000))
    pairs = (b'"%x":""' % index for index in range(370_000))
    models = {
        "unknown components": flow(*["autoregresiv"] * 19_000),
        "unknown keys": flow({"stretch": {f"log_scala{index}": 0 for index in range(14_000)}}),
        "known components": flow(*["stretch"] * 19_000),
        "deep problems": flow(*nested(14, [None] * 2000)),
    }
    return {
        "a million lists": raw(filled(b"[]", HEADER_LIMIT)),
        "half a million mappings": raw(filled(b'{"":0}', HEADER_LIMIT)),
        "74,000 empty tensors": raw(b"{%b}" % b",".join(empty)),
        "370,000 metadata": raw(b'{"__metadata__":{%b}}' % b",".join(pairs)),
        "nested 100,000 deep": MALFORMED["nested 100,000 deep"][0],
        **{name: asking_for(section(model)) for name, model in models.items()},
        **{name: asking_for(text) for name, (text, _) in ENORMOUS.items()},
    }


MEASURE = """
import json, os, sys, time
plugin, good, *hostile = sys.argv[1:]
sys.path.insert(0, plugin)
import torch, diffeo

def peak():
    status = open("/proc/self/status").read()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024

diffeo.load(good)
for path in hostile:
    if os.fork() == 0:
        before, start = peak(), time.perf_counter()
        try:
            diffeo.load(path)
            outcome = "loaded"
        except Exception as error:
            outcome = type(error).__name__
        print(json.dumps([outcome, time.perf_counter() - start, peak() - before]), flush=True)
        os._exit(0)
    os.wait()
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux, which says how much memory was used")
def test_a_refusal_takes_little_time_and_memory(good, tmp_path):
    (tmp_path / "good").write_bytes(good)
    sparse(tmp_path / "0", 100 * 10**6, 10**8 + 8)
    costly = costly_files()
    for index, data in enumerate(costly.values(), 1):
        (tmp_path / str(index)).write_bytes(data)
    names = ["100 MB of metadata", *costly]
    files = [str(tmp_path / str(index)) for index in range(len(names))]
    plugin = str(Path(__file__).parent / "plugin")
    child = subprocess.run(
        [sys.executable, "-c", MEASURE, plugin, str(tmp_path / "good"), *files],
        capture_output=True, text=True, check=True, env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    measured = dict(zip(names, map(json.loads, child.stdout.splitlines()), strict=True))
    assert {outcome for outcome, _, _ in measured.values()} == {"CheckpointError"}
    assert {name: seconds for name, (_, seconds, _) in measured.items() if seconds > 10} == {}
    assert {name: megabytes for name, (_, _, megabytes) in measured.items() if megabytes > 200} == {}


@pytest.mark.parametrize(
    "data", [MALFORMED["a tensor twice"][0], *(asking_for(ENORMOUS[case][0]) for case in ("a width", "many values"))]
)
def test_the_command_line_says_one_line_and_writes_nothing(data, path, tmp_path, capsys):
    path.write_bytes(data)
    assert cli.run(["sample", str(path), "-o", str(tmp_path / "a.csv")]) == 2
    shown = capsys.readouterr()
    (line,) = shown.err.splitlines()
    assert line.startswith(f"{path}: expected ")
    assert shown.out == ""
    assert list(tmp_path.iterdir()) == [path]
