"""Safetensors files, written and read back; what is refused is in ``test_hostile_files.py``."""

import pytest
import torch
from safetensors.torch import save

from diffeo import CheckpointError, tensor_files
from diffeo.tensor_files import DTYPES, HEADER_LIMIT, parse_tensors, read_tensors, tensor_index, write_tensors


def test_tensors_come_back_as_they_were(tmp_path):
    tensors = {
        dtype: (100 * torch.rand(2, 3)).to(kind) for dtype, kind in DTYPES.items()
    } | {"scalar": torch.tensor(2.5), "empty": torch.zeros(0, 5), "": torch.ones(1), "ä\n": torch.ones(2)}  # fmt: skip
    data = write_tensors(tensors, {"note": "ä"})
    path = tmp_path / "a.safetensors"
    path.write_bytes(data)
    metadata, read = read_tensors(path)
    assert metadata == {"note": "ä"}
    assert read.keys() == tensors.keys()
    assert all(torch.equal(read[name], tensor) and read[name].dtype == tensor.dtype for name, tensor in tensors.items())
    assert parse_tensors(data, "bytes")[1].keys() == tensors.keys()
    assert data == write_tensors(tensors, {"note": "ä"})
    index = tensor_index(data, len(data))
    assert index["empty"] == {"dtype": "F32", "shape": [0, 5]}
    assert index["BF16"] == {"dtype": "BF16", "shape": [2, 3]}


def test_tensors_that_share_memory_or_are_not_contiguous_are_written():
    whole = torch.arange(6.0).reshape(2, 3)
    tensors = {"whole": whole, "again": whole, "row": whole[1], "turned": whole.T, "wide": whole[:1].expand(4, 3)}
    read = parse_tensors(write_tensors(tensors), "bytes")[1]
    assert all(torch.equal(read[name], tensor) for name, tensor in tensors.items())


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"__metadata__": torch.ones(1)}, "expected tensors by other names than '__metadata__'"),
        ({"a": torch.ones(1, dtype=torch.complex64)}, "expected 'a' with a dtype out of F64, .*; got torch.complex64"),
        ({"a" * HEADER_LIMIT: torch.ones(1)}, f"at most {HEADER_LIMIT} bytes, .*; got 1 tensors that take"),
    ],
)
def test_tensors_that_could_not_be_read_are_not_written(tensors, message):
    with pytest.raises(ValueError, match=message):
        write_tensors(tensors)


def test_a_file_that_changes_while_it_is_read_is_told(tmp_path, monkeypatch):
    def truncate(head, size, source):
        path.write_bytes(data[:-4])
        return parse(head, size, source)

    path, data, parse = tmp_path / "a.safetensors", write_tensors({"a": torch.zeros(10**5)}), tensor_files._parse_head
    path.write_bytes(data)
    monkeypatch.setattr(tensor_files, "_parse_head", truncate)
    with pytest.raises(CheckpointError, match="expected a file that is finished; got one that changed while"):
        read_tensors(path)


@pytest.mark.parametrize("metadata", [None, {"note": '{"ä": "\\n\u2028"}'}])
def test_the_bytes_are_those_of_the_library(metadata):
    shapes = [(), (0,), (3,), (2, 5)]
    tensors = {f"{shape}.{code}": torch.ones(shape).to(dtype) for code, dtype in DTYPES.items() for shape in shapes}
    assert write_tensors(tensors, metadata) == save(tensors, metadata)
