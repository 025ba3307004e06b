"""The benchmark that counts which entry points of timm can be said: its table, and what it records."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.timm_calls import Call, Recorder
from benchmarks.timm_table import Missing, entries, judge
from cnngraph.ops.registry import BUILTIN


class Calls(nn.Module):
    """One of each kind of call."""

    mask: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.table = nn.Parameter(torch.zeros(4))
        self.register_buffer("mask", torch.zeros(4))

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x) * self.table.exp().view(1, 4, 1, 1)
        x = x + self.mask.neg().view(4, 1, 1)
        x += torch.arange(0, 80 * 80).sin().view(80, 80)
        kernel = x.mean((0, 2, 3), keepdim=True).transpose(0, 1)
        x = F.interpolate(x, scale_factor=2, mode="bilinear", antialias=True)
        return F.conv2d(x, kernel, groups=4)


@pytest.fixture(scope="module")
def calls() -> set[Call]:
    recorder = Recorder()
    with torch.device("meta"), recorder:
        recorder.run(Calls().eval(), torch.empty(2, 3, 82, 82))
    return recorder.calls


@pytest.mark.parametrize(
    ("caller", "call", "said"),
    [
        ("Conv2d", "conv2d", True),
        ("Calls", "mul", True),
        ("Calls", "exp of parameters", True),
        ("Calls", "constant", True),
        ("Calls", "sin for a large constant", True),
        ("Calls", "interpolate[bilinear antialias]", True),
        ("Calls", "conv2d (weight computed from the images)", False),
    ],
)
def test_a_call_is_recorded_and_judged(caller: str, call: str, said: bool, calls: set[Call]) -> None:
    assert (caller, call) in calls
    assert isinstance(judge(caller, call), tuple) is said


def test_functions_of_constants_are_no_calls(calls: set[Call]) -> None:
    assert not {call for _, call in calls if call.startswith(("neg", "arange"))} - {"arange for a large constant"}


def test_the_ops_of_the_table_exist() -> None:
    named = {op for _, entry in entries() if isinstance(entry, tuple) for op in entry}
    assert named <= {op.name for op in BUILTIN}
    assert all(entry for _, entry in entries() if isinstance(entry, tuple))


def test_what_is_not_in_the_table_cannot_be_said() -> None:
    assert judge("Sequencer", "lstm") == Missing("not in the table")
