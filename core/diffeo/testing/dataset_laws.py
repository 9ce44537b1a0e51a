"""What data sets promise: announced shapes, batches that depend on their arguments alone, splits that do not meet."""

import json
import pathlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import attrs
import torch
from torch import Tensor

from diffeo.building import make
from diffeo.dataset import Dataset
from diffeo.testing.reporting import expect, expect_equal
from diffeo.testing.subject import Subject
from diffeo_registry import DiffeoError, installed, unstructure

__all__ = [
    "integers",
    "missing_files",
    "purity",
    "purity_in_processes",
    "purity_in_threads",
    "shapes",
    "splits",
]

SPLITS = ("train", "val", "test")
LOOKED_AT = 300
"""Examples of a split that are compared with those of the others."""

ANOTHER_PROCESS = """
import json, sys, torch
from diffeo.building import make
from diffeo_registry import Slot, installed, structure
given = json.loads(sys.stdin.read())
data = make(structure(given["spec"], Slot("dataset"), registry=installed()), given["seed"])
batch = data.batch(given["split"], torch.tensor(given["indices"]), torch.tensor(given["seeds"]))
print(json.dumps({name: values.double().flatten().tolist() for name, values in batch.items()}))
"""


def shapes(subject: Subject) -> None:
    """Every batch holds what ``shapes`` announces, for several indices, one and none; sizes are numbers or endless."""
    data = _made(subject)
    for split in _there(data):
        for rows in (3, 1, 0):
            batch = data.batch(split, torch.zeros(rows, dtype=torch.int64), torch.arange(rows))
            got = {name: tuple(values.shape) for name, values in batch.items()}
            want = {name: (rows, *shape) for name, shape in data.shapes.items()}
            expect(f"shapes, {rows} rows of {split}", got == want, f"expected {want}; got {got}")


def purity(subject: Subject) -> None:
    """The same arguments give the same tensors, again and in another instance, and a row does not see its neighbours."""
    data, other = _made(subject), _made(subject)
    for split in _there(data):
        for seeds in (torch.tensor([5, -6, 2**62, 8]), None):
            indices = torch.tensor([1, 0, 2, 1]) % _size(data, split)
            first = data.batch(split, indices, seeds)
            data.batch(split, torch.tensor([0]))
            _expect_same(f"purity, {split} again", data.batch(split, indices, seeds), first)
            _expect_same(f"purity, {split} in another instance", other.batch(split, indices, seeds), first)
            alone = data.batch(split, indices[1:2], None if seeds is None else seeds[1:2])
            _expect_same(f"purity, one row of {split} alone", alone, {key: rows[1:2] for key, rows in first.items()})
        held_out = data.batch(split, torch.tensor([0, 0]), None)
        again = {name: values[:1] for name, values in held_out.items()}
        _expect_same(f"purity, {split} without seeds", {name: values[1:] for name, values in held_out.items()}, again)


def purity_in_threads(subject: Subject) -> None:
    """Several threads that fetch at the same time get what one gets."""
    data = _made(subject)
    jobs = [
        (split, torch.arange(4) % _size(data, split), torch.arange(4) + n) for n in range(4) for split in _there(data)
    ]
    want = [data.batch(*job) for job in jobs]
    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(data.batch, *job) for job in jobs]
        for (split, *_), future, expected in zip(jobs, running, want, strict=True):
            _expect_same(f"purity in threads, {split}", future.result(), expected)


def purity_in_processes(subject: Subject) -> None:
    """Another process gets the same batch from the same arguments."""
    data = _made(subject)
    indices, seeds = torch.arange(4) % _size(data, "train"), torch.arange(4)
    spec = unstructure(subject.config, registry=installed())
    given = {"spec": spec, "seed": 0, "split": "train", "indices": indices.tolist(), "seeds": seeds.tolist()}
    command = [sys.executable, "-c", ANOTHER_PROCESS]
    done = subprocess.run(command, input=json.dumps(given), capture_output=True, text=True, check=False)
    expect(
        "purity in processes", done.returncode == 0, f"expected a batch from another process; got {done.stderr[-500:]}"
    )
    there = json.loads(done.stdout)
    for name, values in data.batch("train", indices, seeds).items():
        got = torch.tensor(there[name], dtype=torch.float64).reshape(values.shape)
        expect_equal(f"purity in processes, {name}", got, values.double())


def splits(subject: Subject) -> None:
    """No example stands in two splits, and who stands where depends on the seed alone."""
    data, again = _made(subject), _made(subject)
    rows: dict[str, set[bytes]] = {}
    for split in _there(data):
        expect("splits", data.size(split) == again.size(split), f"expected a size of {split} that stays; got another")
        x = data.batch(split, torch.arange(min(_size(data, split), LOOKED_AT)))["x"]
        rows[split] = {row.contiguous().numpy().tobytes() for row in x}
    names = list(rows)
    for number, split in enumerate(names):
        for other in names[number + 1 :]:
            shared = len(rows[split] & rows[other])
            expect("splits", not shared, f"expected no example in both {split} and {other}; got {shared}")


def integers(subject: Subject) -> None:
    """Images are uint8, labels int64; what is not an integer is a finite floating-point number."""
    data = _made(subject)
    for name, values in data.batch("train", torch.arange(2) % _size(data, "train"), torch.arange(2)).items():
        if values.is_floating_point():
            expect("integers", bool(values.isfinite().all()), f"expected finite {name}; got others")
        elif name == "x":
            expect("integers", values.dtype == torch.uint8, f"expected whole numbers in uint8; got {values.dtype}")
        else:
            expect("integers", values.dtype == torch.int64, f"expected {name} in int64; got {values.dtype}")


def missing_files(subject: Subject) -> None:
    """Files that are not there raise an error caused by FileNotFoundError, in ``prepare``, that names the path."""
    fields = [field.name for field in attrs.fields(type(subject.config))]
    paths = [name for name in fields if isinstance(getattr(subject.config, name), pathlib.Path)]
    for name in paths:
        gone = subject.folder / "nowhere" / "at-all"
        config = attrs.evolve(subject.config, **{name: gone})
        try:
            make(config, 0).prepare()
        except FileNotFoundError as error:
            _expect_named(error, name)
        except DiffeoError as error:
            caused = isinstance(error.__cause__, FileNotFoundError)
            expect("missing files", caused, f"expected an error caused by FileNotFoundError; got {error!r}")
            _expect_named(error, name)
        else:
            raise AssertionError(f"missing files: expected an error where {name} is not there; got none")


def _expect_named(error: Exception, field: str) -> None:
    expect("missing files", "nowhere" in str(error), f"expected an error that names the {field} it misses; got {error}")


def _made(subject: Subject) -> Dataset:
    data: Any = subject.make()
    data.prepare()
    return data


def _there(data: Dataset) -> list[str]:
    """The splits that hold examples."""
    return [split for split in SPLITS if data.size(split) != 0]


def _size(data: Dataset, split: str) -> int:
    size = data.size(split)
    return LOOKED_AT if size is None else size


def _expect_same(law: str, got: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    expect(law, got.keys() == expected.keys(), f"expected {sorted(expected)}; got {sorted(got)}")
    for name, values in expected.items():
        expect(law, got[name].dtype == values.dtype, f"expected {name} in {values.dtype}; got {got[name].dtype}")
        expect_equal(f"{law}, {name}", got[name], values)
