"""Properties of every spec: whether accepted or rejected, the compiler and PyTorch agree."""

from __future__ import annotations

import types as python_types
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cnngraph.backend import lower, model_source
from cnngraph.compilation import Compilation, compile_text
from cnngraph.diagnostics import Source
from cnngraph.elaborate import nodes as maker
from cnngraph.graph.graph import Graph
from cnngraph.graph.nodes import Node, Ref
from cnngraph.ops.op import Op, OpError, infer_types
from cnngraph.tensor_type import TensorType
from tests.backend.support import evaluated
from tests.fuzz.init_rules import fits
from tests.fuzz.names import Operation
from tests.fuzz.stricter import is_stricter
from tests.ops.support import make_function, sizes_of

LARGEST = 5_000_000  # multiply-accumulates and weights of a network that is built
LARGEST_MAP = 200_000  # elements of a tensor
REFUSALS = 12  # errors of ops that are compared with PyTorch, per spec
RANDOM = {"dropout", "dropout2d", "alpha_dropout", "drop_path", "drop_block"}
MAIN = "net.yaml"
ONE_VALUE = "Expected more than 1 value per channel when training"


class Refusals:
    """The errors of ops while specs are compiled."""

    def __init__(self) -> None:
        self.found: list[tuple[Op, tuple[TensorType, ...], OpError]] = []

    def infer(self, op: Op, types: Sequence[TensorType]) -> TensorType | tuple[TensorType, ...]:
        """`infer_types`, recording its errors."""
        try:
            return infer_types(op, types)
        except OpError as error:
            self.found.append((op, tuple(types), error))
            raise

    @contextmanager
    def recorded(self) -> Iterator[Refusals]:
        """Record the errors of ops inside the context."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(maker, "infer_types", self.infer)
            yield self


def compiled(files: Mapping[str, str], folder: Path) -> Compilation:
    """Compile several files: MAIN is the spec, the others are written into the folder."""
    for name, text in files.items():
        if name != MAIN:
            (folder / name).write_text(text, encoding="utf-8")
    return compile_text(Source(MAIN, files[MAIN]), folder)


def check_files(files: Mapping[str, str], folder: Path, counts: Counter[str]) -> Compilation:
    """Check everything that must hold for any spec, with or without errors."""
    refusals = Refusals()
    with refusals.recorded():
        result = compiled(files, folder)
    messages = [str(diagnostic) for diagnostic in result.diagnostics]
    again = compile_text(Source(MAIN, files[MAIN]), folder)
    assert messages == [str(diagnostic) for diagnostic in again.diagnostics], "the same text gave other diagnostics"
    assert result.ok or messages
    assert not any("internal error" in line for line in messages), messages
    counts["accepted" if result.ok else "refused"] += 1
    counts.update({diagnostic.code for diagnostic in result.diagnostics})
    if result.ok and result.graph is not None:
        check_graph(result.graph)
    seen: set[object] = set()
    for op, types, error in refusals.found[:REFUSALS]:
        if (repr(op), types) not in seen:
            seen.add((repr(op), types))
            check_refusal(op, types, error)
    return result


def check_refusal(op: Op, types: tuple[TensorType, ...], error: OpError) -> None:
    """What an op rejects, PyTorch rejects too, unless the documentation says that the language is stricter."""
    if is_stricter(op, error) or any(type_.count > LARGEST_MAP for type_ in types):
        return
    torch.manual_seed(0)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        try:
            function = make_function(op, types)
            for batch, training in ((2, True), (2, False), (1, False)):
                if isinstance(function, nn.Module):
                    function.train(training)
                result = function(*inputs_of(types, batch))
                tensors = [result] if isinstance(result, Tensor) else list(result)
                if not all(bool(tensor.isfinite().all()) for tensor in tensors):
                    return
        except OpError as second:  # the layer is not built for another reason, such as a pair of sizes for a signal
            if is_stricter(op, second):
                return
            raise AssertionError(f"{op} of {types}: building it gives {second.code} {second.message}") from second
        except (
            RuntimeError,
            ValueError,
            TypeError,
            IndexError,
            AssertionError,
            NotImplementedError,
            ZeroDivisionError,
        ):
            return
    raise AssertionError(
        f"{op} of {types} is refused ({error.code} {error.message}), but PyTorch gives {sizes_of(result)}"
    )


def inputs_of(types: Iterable[TensorType], batch: int) -> list[Tensor]:
    """Random tensors of these types."""
    return [torch.randn((batch, *type_.sizes) if type_.batched else type_.sizes) for type_ in types]


# -- accepted


def check_graph(graph: Graph) -> None:
    """Build, run, train and print an accepted network."""
    paths = [node.path for node in graph.nodes]
    assert len(set(paths)) == len(paths), f"two nodes of one path: {[p for p, n in Counter(paths).items() if n > 1]}"
    sizes = [type_.count for node in graph.nodes for type_ in node.types]
    if graph.macs > LARGEST or graph.num_params > LARGEST or max(sizes, default=0) > LARGEST_MAP:
        return
    torch.manual_seed(0)
    model = lower(graph)
    found = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    assert list(found.items()) == list(graph.state.items()), f"keys: {found} instead of {graph.state}"
    assert graph.num_params == sum(parameter.numel() for parameter in model.parameters())
    check_init(graph, model)
    printed = printed_model(graph)
    assert_same_state(model, printed)
    for batch in (2, 1):
        for training in (False, True):
            check_run(graph, model, printed, batch, training)
    check_training(graph, model)


def printed_model(graph: Graph) -> nn.Module:
    """The network of the generated source, with the seed that `lower` had."""
    scope = python_types.ModuleType("printed").__dict__
    exec(compile(model_source(graph), "printed.py", "exec"), scope)
    cls = [value for value in scope.values() if isinstance(value, type) and issubclass(value, nn.Module)][-1]
    torch.manual_seed(0)
    return cls()


def assert_same_state(model: nn.Module, printed: nn.Module) -> None:
    mine, theirs = model.state_dict(), printed.state_dict()
    assert list(mine) == list(theirs), f"the source's keys: {list(theirs)} instead of {list(mine)}"
    for key, value in mine.items():
        assert same(value, theirs[key]), f"the source's {key} starts otherwise"


def same(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors are equal, treating NaN as equal to NaN."""
    return one.shape == other.shape and torch.allclose(one, other, rtol=0, atol=0, equal_nan=True)


def check_run(graph: Graph, model: nn.Module, printed: nn.Module, batch: int, training: bool) -> None:
    """Module, generated source and interpreter of the graph agree, and every tensor has the predicted shape."""
    generator = torch.Generator().manual_seed(batch)
    inputs = [torch.randn(batch, *sizes, generator=generator) for sizes in graph.input_shapes.values()]
    names = [name for name in graph.outputs if training or name not in graph.training_only]
    state = {key: value.clone() for key, value in model.state_dict().items()}
    outcomes = []
    with torch.no_grad():
        for run in (
            lambda: model(*inputs),
            lambda: printed(*inputs),
            lambda: step_by_step(graph, model, inputs, names),
        ):
            model.load_state_dict(state)
            printed.load_state_dict(state)
            model.train(training)
            printed.train(training)
            torch.manual_seed(1)
            outcomes.append(outcome(run))
    mode = f"batch {batch} in {'training' if training else 'eval'} mode"
    if isinstance(outcomes[2], Exception):
        alone = batch == 1 and training and ONE_VALUE in str(outcomes[2]) and one_value(graph)
        assert alone, f"{mode}: {outcomes[2]}"
        assert all(isinstance(failure, Exception) for failure in outcomes), f"{mode}: only the interpreter fails"
        return
    order_matters = training and sum(node.op in RANDOM for node in graph.nodes) > 1
    if order_matters and not isinstance(outcomes[0], Exception):  # its random numbers may be drawn in another order
        outcomes[2] = as_list(outcomes[0])
    for kind, found in zip(("module", "source"), outcomes, strict=False):
        assert not isinstance(found, Exception), f"{kind}, {mode}: {found!r}"
        values = as_list(found)
        assert len(values) == len(names), f"{kind}, {mode}: {len(values)} outputs, not {names}"
        for name, value, expected in zip(names, values, outcomes[2], strict=True):
            assert same(value, expected), f"{kind}, {mode}: {name} is another tensor than the graph's nodes give"


def as_list(result: Any) -> list[Tensor]:
    """The outputs of a network as a list."""
    return [tensor for tensor in (result if isinstance(result, tuple) else [result]) if tensor is not None]


def outcome(run: Any) -> Any:
    """The result of a call, or its exception."""
    try:
        return run()
    except (RuntimeError, ValueError, TypeError, IndexError, AttributeError) as error:
        return error


def one_value(graph: Graph) -> bool:
    """Whether some batch norm gets a single value per channel for a batch of one."""
    types = [graph.type_of(node.reads[0]) for node in graph.nodes if node.op == "batch_norm" and not node.unused]
    return any(type_.count == type_.channels for type_ in types)


def step_by_step(graph: Graph, model: nn.Module, inputs: list[Tensor], names: list[str]) -> list[Tensor]:
    """The outputs by running node after node; raises if a tensor does not have the predicted shape."""
    tensors = {Ref(-1 - index): input_ for index, input_ in enumerate(inputs)}
    for index, node in enumerate(graph.nodes):
        if node.unused or (node.training_only and not model.training):
            continue
        result = evaluated(graph, model, node, [tensors[ref] for ref in node.reads])
        parts = list(result) if node.is_list else [result]
        assert len(parts) == len(node.types), f"{node.path} gives {len(parts)} tensors"
        for part, (value, type_) in enumerate(zip(parts, node.types, strict=True)):
            sizes = tuple(value.shape)[1:] if type_.batched else tuple(value.shape)
            assert sizes == type_.sizes, f"{node.path} is {sizes}, not {type_.sizes}"
            assert not type_.batched or len(value) == len(inputs[0]), f"{node.path} mixes images"
            tensors[Ref(index, part)] = value
    return [tensors[graph.outputs[name]] for name in names]


def check_training(graph: Graph, model: nn.Module) -> None:
    """One training step: every used weight gets a gradient."""
    generator = torch.Generator().manual_seed(3)
    model.train()
    inputs = [torch.randn(3, *sizes, generator=generator) for sizes in graph.input_shapes.values()]
    result = model(
        *(input_.requires_grad_() * 1 for input_ in inputs)
    )  # not a leaf, so that in-place operations may overwrite it
    loss = sum((tensor * tensor).mean() for tensor in as_list(result))
    if not isinstance(loss, Tensor) or not loss.requires_grad:
        return
    loss.backward()
    used = {key for node in live(graph) for key in keys_of(node)}
    for name, parameter in model.named_parameters():
        assert (parameter.grad is not None) == (name in used), f"{name} has {'no ' * (name in used)}gradient"


def live(graph: Graph) -> list[Node]:
    """The nodes that some output depends on."""
    needed = set(graph.outputs.values())
    for index in range(len(graph.nodes) - 1, -1, -1):
        node = graph.nodes[index]
        for part in range(len(node.types)):
            if Ref(index, part) in needed:
                needed |= {node.reads[part]} if node.op == "identity" else set(node.reads)
    indices = {ref.node for ref in needed}
    return [node for index, node in enumerate(graph.nodes) if index in indices]


def keys_of(node: Node) -> list[str]:
    """The keys of the weights that a node uses."""
    path = node.shares or node.path
    return [f"{path}.{name}" if name else path for name in node.parameters]


def check_init(graph: Graph, model: nn.Module) -> None:
    """Numbers in `init` rules are the initial values of the weights; only the last matching rule applies."""
    for node in graph.nodes:
        if node.op == "parameter" or node.shares:
            continue
        rules = [rule for rule in graph.init if fits(rule.match, node.op, node.path)]
        for name, value in rules[-1].values.items() if rules else ():
            if name in node.parameters and isinstance(value, int | float):
                weight = model.get_parameter(f"{node.path}.{name}")
                assert bool((weight == value).all()), f"{node.path}.{name} does not start as {value}"


# -- the second reading


def check_wiring(graph: Graph, operations: Iterable[Operation], outputs: Mapping[str, str]) -> None:
    """The graph has the operations of the second reading: paths, parameters, inputs, sharing."""
    expected = {node.path: node for node in operations if not node.implied}
    names: dict[Ref, str] = {Ref(-1 - number): name for number, name in enumerate(graph.inputs)}
    found = {}
    for index, node in enumerate(graph.nodes):
        reads = tuple(names[ref] for ref in node.reads)
        base = node.path if node.path in expected else f"concat({', '.join(reads)})"
        names.update({Ref(index, part): f"{base}[{part}]" if node.is_list else base for part in range(len(node.types))})
        if node.path in expected:
            found[node.path] = (node.operation, reads, node.shares, node.unused)
        else:
            assert node.op == "concat", f"{node.path} is not in the second reading"
    for path, item in expected.items():
        assert path in found, f"{path} is missing in the graph"
        second = (item.op, item.reads, item.shares, item.unused)
        assert found[path] == second, f"{path}: {found[path]}, by the second reading {second}"
    ends = {name: names[ref] for name, ref in graph.outputs.items()}
    assert ends == outputs, f"the outputs are {ends}, by the second reading {outputs}"
