"""Building with the memory and the parts that the tensors in a file justify, and no more."""

import threading

import pytest
import torch
from torch import nn

from diffeo.bounded_building import FREE_PARTS, PARAMETER_WEIGHT, SPARE_BYTES, build_bounded
from diffeo_registry import DiffeoError

HUGE = 10**9
MEBIBYTE = 2**20


class Table(nn.Module):
    """Holds a tensor that is not saved."""

    def __init__(self, table):
        super().__init__()
        self.register_buffer("table", table, persistent=False)


def layers(count):
    return nn.Sequential(*(nn.ReLU() for _ in range(count)))


def linears(count, size):
    return nn.Sequential(*(nn.Linear(size, size) for _ in range(count)))


def shapes(module):
    return {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}


@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.Linear(HUGE, 2),
        lambda: torch.empty(HUGE),
        lambda: torch.zeros((2, HUGE), dtype=torch.bool),
        lambda: torch.full(size=(HUGE,), fill_value=1.5),
        lambda: torch.zeros(HUGE, device="cpu"),
        lambda: torch.zeros(3).new_ones(HUGE),
        lambda: torch.randn(HUGE, generator=torch.Generator()),
        lambda: torch.randperm(HUGE),
        lambda: torch.arange(HUGE),
        lambda: torch.arange(1, HUGE, 2),
        lambda: torch.arange(float(HUGE)),
        lambda: torch.eye(10**5),
        lambda: torch.diag(torch.ones(10**5)),
        lambda: torch.ones(10**5, 1) * torch.ones(10**5),
        lambda: torch.ones(10**5, 1) @ torch.ones(1, 10**5),
        lambda: torch.outer(torch.ones(10**5), torch.ones(10**5)),
        lambda: torch.ones(1000).repeat(10**6),
        lambda: torch.ones(1000).expand(10**6, 1000).contiguous(),
        lambda: torch.cat([torch.ones(5 * MEBIBYTE)] * 3),
    ],
)
def test_no_result_is_larger_than_the_file_justifies(make):
    with pytest.raises(DiffeoError, match=f"expected tensors of at most {SPARE_BYTES + 12} bytes, by the size"):
        build_bounded(make, {}, 12)


def test_what_is_made_is_what_is_made_without_limits():
    def build():
        torch.manual_seed(0)
        whole = torch.eye(30)[(torch.arange(20) // 2) % 30] + 0.1 * torch.randn(20, 30)
        table = torch.tensor([1.0, 2.0]).repeat(int(whole.argmax().item()) + 1)
        return nn.Sequential(nn.Linear(30, 20), Table(whole), Table(table), Table(nn.init.orthogonal_(torch.eye(9))))

    free, bounded = build(), build_bounded(build, {}, 0)
    tensors = zip([*free.parameters(), *free.buffers()], [*bounded.parameters(), *bounded.buffers()], strict=True)
    assert all(torch.equal(one, other) for one, other in tensors)


def test_tensors_in_the_file_justify_as_much_again_beside_them():
    size = SPARE_BYTES + 4 * MEBIBYTE
    table = build_bounded(lambda: Table(torch.zeros(size, dtype=torch.uint8)), {}, 4 * MEBIBYTE).table
    assert table.numel() == size
    with pytest.raises(DiffeoError, match="expected tensors of at most"):
        build_bounded(lambda: Table(torch.zeros(size + 1, dtype=torch.uint8)), {}, 4 * MEBIBYTE)


def test_tensors_beside_those_in_the_file_are_added_up():
    def build():
        return nn.Sequential(*(Table(torch.zeros(10 * MEBIBYTE, dtype=torch.uint8)) for _ in range(5)))

    with pytest.raises(DiffeoError, match=r"at most \d+ bytes of others; got 'table' of shape \(10485760,\)"):
        build_bounded(build, {}, 0)
    assert len(build_bounded(build, {}, 2 * MEBIBYTE)) == 5


def test_parameters_are_to_be_in_the_file():
    size = int((2 * SPARE_BYTES / PARAMETER_WEIGHT / 4) ** 0.5)
    with pytest.raises(DiffeoError, match=r"expected tensors that are in the file, .*; got 'weight' of shape"):
        build_bounded(lambda: linears(1, size), {}, 0)
    assert len(build_bounded(lambda: linears(4, size), shapes(linears(4, size)), 0)) == 4


@pytest.mark.parametrize("names", [{}, {"0.weights": (2, 2)}, {"0.weight": (2, 3)}])
def test_parts_beside_those_in_the_file_are_counted(names):
    assert len(build_bounded(lambda: layers(FREE_PARTS), names, 0)) == FREE_PARTS
    for build in (lambda: layers(FREE_PARTS + 1), lambda: linears(FREE_PARTS // 3 + 1, 2)):
        with pytest.raises(
            DiffeoError, match=f"expected a model of the {len(names)} tensors in the file; got one with"
        ):
            build_bounded(build, names, 0)


def test_parts_of_the_file_make_room_for_others():
    count = FREE_PARTS // 2
    assert len(build_bounded(lambda: linears(count, 2), shapes(linears(count, 2)), 0)) == count
    with pytest.raises(DiffeoError, match="expected a model of the 5000 tensors in the file"):
        build_bounded(lambda: nn.Sequential(linears(count, 2), layers(FREE_PARTS + 1)), shapes(linears(count, 2)), 0)


def test_other_threads_are_not_counted():
    def build():
        thread = threading.Thread(target=lambda: made.append(layers(FREE_PARTS + 1)))
        thread.start()
        thread.join()
        return layers(1)

    made = []
    build_bounded(build, {}, 0)
    assert len(made[0]) == FREE_PARTS + 1


def test_limits_end_with_the_building():
    with pytest.raises(ZeroDivisionError):
        build_bounded(lambda: nn.Linear(1 // 0, 2), {}, 0)
    assert len(layers(FREE_PARTS + 1)) == FREE_PARTS + 1
    assert torch.empty(SPARE_BYTES + 1, dtype=torch.uint8).numel() == SPARE_BYTES + 1
