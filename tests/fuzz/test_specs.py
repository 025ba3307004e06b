"""Random and damaged specs: never a traceback; what is accepted builds and runs with the shapes foretold; what an op
refuses, PyTorch refuses too.

The ordinary suite tries some hundreds; `pytest -m fuzz` tries ten thousand and prints what became of them.
"""

from __future__ import annotations

import time
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, Phase, given, settings

import cnngraph.ir.maker as maker
from cnngraph.api import Compilation, compile_text
from cnngraph.backend import lower
from cnngraph.diagnostics import Source
from cnngraph.ir.graph import Graph
from cnngraph.ops.op import Op, OpError, infer_types
from cnngraph.tensor_type import TensorType
from tests.fuzz.strategies import SPECS
from tests.ops.support import expected, make_function, make_inputs, sizes_of

SLOWEST = 5.0  # seconds for one small spec, on a busy machine
LARGEST = 50_000_000  # multiply-accumulates and weights of what is built

# Where the language is stricter than PyTorch, by its documentation (docs/ops.md and docs/language.md).
STRICTER = {
    "add": "equal shapes: only mul broadcasts",
    "sub": "equal shapes: only mul broadcasts",
    "maximum": "equal shapes: only mul broadcasts",
    "mean": "several inputs have equal shapes; one input names its axes",
    "mul": "inputs have as many axes as each other",
    "concat": "one map and one vector are no list of images",
    "gate": "the two paths have equal shapes",
    "linear": "its last axis is the channels, whatever its size",
    "chunk": "the parts are equal",
    "softmax": "an axis is named that is there",
    "log_softmax": "an axis is named that is there",
    "group_norm": "a group has more than one number, as a batch of one needs",
    "scale": "as many numbers as channels",
    "batch_norm": "without running values there is more than one position, as a batch of one needs",
}
STRICTER_CODES = {"E205", "E210", "E211", "E212", "E502"}  # words, number of inputs, axes, free parameters, bounds


def some(examples: int) -> settings:
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )


class Seen:
    """What became of the specs of a run, and the refusals of ops on the way."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.refused: list[tuple[Op, tuple[TensorType, ...], OpError]] = []

    def infer(self, op: Op, types: Sequence[TensorType]) -> TensorType | tuple[TensorType, ...]:
        try:
            return infer_types(op, types)
        except OpError as error:
            self.refused.append((op, tuple(types), error))
            raise


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    seen = Seen()
    monkeypatch.setattr(maker, "infer_types", seen.infer)
    return seen


def try_spec(text: str, folder: Path, seen: Seen) -> None:
    seen.refused.clear()
    began = time.process_time()
    result = compile_text(Source("random.yaml", text), folder)
    assert time.process_time() - began < SLOWEST, text
    assert all(str(each) for each in result.diagnostics)
    count(result, seen.counts)
    if result.ok and result.graph is not None:
        build_and_run(result.graph)
    for op, types, error in seen.refused:
        if op.name not in STRICTER and error.code not in STRICTER_CODES:
            assert_torch_refuses(op, types, error)


def count(result: Compilation, counts: Counter[str]) -> None:
    counts["accepted" if result.ok else "refused"] += 1
    counts.update({each.code for each in result.diagnostics})


def build_and_run(graph: Graph) -> None:
    if (
        graph.macs > LARGEST
        or graph.num_params > LARGEST
        or sum(type_.count for type_ in graph.inputs.values()) > 10**6
    ):
        return
    model = lower(graph)
    assert {key: tuple(value.shape) for key, value in model.state_dict().items()} == graph.state
    assert list(model.state_dict()) == list(graph.state)
    inputs = make_inputs(list(graph.inputs.values()))
    for training in (False, True):
        names = [name for name in graph.outputs if training or name not in graph.training_only]
        model.train(training)
        result = model(*inputs)
        values = list(result) if isinstance(result, tuple) else [result]
        types = [graph.type_of(graph.outputs[name]) for name in names]
        assert [tuple(value.shape) for value in values] == [expected(type_) for type_ in types]


def assert_torch_refuses(op: Op, types: tuple[TensorType, ...], error: OpError) -> None:
    if any(type_.count > 10**6 for type_ in types):
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with torch.no_grad():
                result = make_function(op, types)(*make_inputs(types))
        except (RuntimeError, ValueError, TypeError, IndexError, AssertionError, NotImplementedError):
            return
    raise AssertionError(f"{op} of {types} is refused ({error.message}), but PyTorch gives {sizes_of(result)}")


def test_random_specs(seen: Seen) -> None:
    @some(300)
    @given(spec=SPECS)
    def run(spec: tuple[str, Path]) -> None:
        try_spec(*spec, seen)

    run()
    assert seen.counts["accepted"] > 30
    assert seen.counts["refused"] > 100


@pytest.mark.fuzz
def test_ten_thousand_random_specs(seen: Seen, capsys: pytest.CaptureFixture[str]) -> None:
    @some(10_000)
    @given(spec=SPECS)
    def run(spec: tuple[str, Path]) -> None:
        try_spec(*spec, seen)

    run()
    with capsys.disabled():
        print(
            f"\n{sum(seen.counts[each] for each in ('accepted', 'refused')):,} specs:", dict(seen.counts.most_common())
        )
