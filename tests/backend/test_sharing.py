"""Sharing modules: every op with every layout, compared with PyTorch."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
import torch
from torch import nn

from cnngraph.backend import lower
from cnngraph.compilation import compile_text
from cnngraph.diagnostics import Source
from cnngraph.fields import show_value
from cnngraph.graph.graph import Graph
from cnngraph.graph.nodes import Ref
from cnngraph.ops.op import Example, Op, OpError, infer_types, make_op
from cnngraph.ops.registry import builtin_ops
from cnngraph.tensor_type import CHANNELS, HEIGHT, OTHER, WIDTH, TensorType
from tests.ops.support import expected, make_function, make_inputs

REFUSED = (RuntimeError, ValueError, TypeError, IndexError, AssertionError, NotImplementedError)
LARGEST = 10**6  # elements of a tensor


def others(type_: TensorType) -> Iterator[TensorType]:
    """The tensor type with other sizes, channels and layouts."""
    c = type_.channels
    sizes = type_.sizes
    yield type_
    yield TensorType(
        tuple(2 * size if axis == CHANNELS else size for axis, size in zip(type_.axes, sizes, strict=True)), type_.axes
    )
    yield TensorType(
        tuple(size if axis == CHANNELS else size + 2 for axis, size in zip(type_.axes, sizes, strict=True)), type_.axes
    )
    yield TensorType.vector(c)
    yield TensorType.map(c, 5, 4)
    yield TensorType.map(c, c, c)
    yield TensorType((c, 4, 5), (CHANNELS, WIDTH, HEIGHT))
    yield TensorType((5, 4, c), (HEIGHT, WIDTH, CHANNELS))
    yield TensorType((c, c, c), (HEIGHT, WIDTH, CHANNELS))
    yield TensorType((c, 9), (CHANNELS, OTHER))
    yield TensorType((9, c), (OTHER, CHANNELS))
    yield TensorType((c, 2, 3, 5), (CHANNELS, OTHER, HEIGHT, WIDTH))


def spec(
    op: Op, arguments: Mapping[str, object], first: Sequence[TensorType], second: Sequence[TensorType], in_scope: bool
) -> str:
    """A network that runs an op on the first tensors and its shared module on the second."""
    inputs, nodes, outputs = [], [], []
    for name, types in (("a", first), ("b", second)):
        for place, type_ in enumerate(types):
            axes = "".join(type_.axes).replace(OTHER, "_")
            inputs.append(f"{name}{place}: [{type_.count}]")
            nodes.append(
                f"{name}_{place}: {{op: reshape, from: {name}{place}, shape: {list(type_.sizes)}, axes: {axes}}}"
            )
    text = "".join(f", {key}: {show_value(value)}" for key, value in arguments.items())
    from_a, from_b = (", ".join(f"{name}_{place}" for place in range(len(first))) for name in ("a", "b"))
    inner = f"{{op: {op.name}{text}}}"
    nodes.append(
        f"x: {{from: [{from_a}], nodes: [{inner}, relu]}}" if in_scope else f"x: {{from: [{from_a}], {inner[1:]}"
    )
    nodes.append(f"y: {{share: x, from: [{from_b}]}}")
    for name, types in (("x", first), ("y", second)):
        found = infer_types(op, types)
        parts = len(found) if isinstance(found, tuple) else 1
        nodes.append(f"{name}_all: {{op: identity, from: {name}}}")
        outputs += [f"{name}{element}: {name}_all{f'.{element}' * (parts > 1)}" for element in range(parts)]
    lines = "\n".join(f"  {node}" for node in nodes)
    return f"cnngraph: 1\ninput: {{{', '.join(inputs)}}}\nnodes:\n{lines}\noutputs: {{{', '.join(outputs)}}}\n"


def computes_the_same(op: Op, first: Sequence[TensorType], second: Sequence[TensorType]) -> bool:
    """Whether PyTorch's module for the first tensors computes on the second what a module made for them computes."""
    try:
        first_function, second_function = make_function(op, first), make_function(op, second)
        if isinstance(first_function, nn.Module):
            for parameter in second_function.parameters():
                nn.init.uniform_(parameter, 0.5, 1)  # weights of 0 would hide a difference
            first_function.load_state_dict(second_function.state_dict())
            first_function.eval(), second_function.eval()
        inputs = make_inputs(second)
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            one, other = first_function(*inputs), second_function(*inputs)
    except REFUSED:
        return False
    one, other = ([outputs] if isinstance(outputs, torch.Tensor) else outputs for outputs in (one, other))
    return all(a.shape == b.shape and torch.allclose(a, b, equal_nan=True) for a, b in zip(one, other, strict=True))


def run(graph: Graph, second: Sequence[TensorType]) -> None:
    """Assert that the network has one module and that both uses run."""
    model = lower(graph)
    assert {key: tuple(value.shape) for key, value in model.state_dict().items()} == graph.state
    assert not any(key.startswith("y") for key in graph.state)
    assert [name for name, _ in model.named_modules() if name.startswith("y")] == []
    inputs = make_inputs(list(graph.inputs.values()))
    with torch.no_grad():
        model.eval()
        result = dict(zip(graph.outputs, model(*inputs), strict=True))
    for name, ref in graph.outputs.items():
        assert tuple(result[name].shape) == expected(graph.type_of(ref))
    module = model._modules.get("x")
    if isinstance(module, nn.Module):
        tensors = [x.reshape(len(x), *type_.sizes) for x, type_ in zip(inputs[len(inputs) // 2 :], second, strict=True)]
        with torch.no_grad():
            torch.testing.assert_close(module(*tensors), result["y0"], rtol=0, atol=0, equal_nan=True)


EXAMPLES = [
    pytest.param(cls, example, in_scope, id=f"{name}-{number}{'-in_scope' * in_scope}")
    for name, cls in builtin_ops().items()
    for number, example in enumerate(cls.examples)
    for in_scope in (False, True)
    if cls.inputs[1] != 0
    and not (example.free or example.indices)
    and not (in_scope and (cls.inputs != (1, 1) or isinstance(example.output, list)))
]


@pytest.mark.parametrize(("cls", "example", "in_scope"), EXAMPLES)
@pytest.mark.filterwarnings("ignore")
def test_every_op_shared_with_every_layout(cls: type[Op], example: Example, in_scope: bool) -> None:
    """Accepted sharing runs with one module; where it is rejected, PyTorch fails or computes something else."""
    op, first = make_op(cls, example.arguments), example.types()
    compared = 0
    for second in dict.fromkeys(zip(*(others(type_) for type_ in first), strict=True)):
        if any(type_.count > LARGEST for type_ in second):
            continue
        try:
            infer_types(op, second)
        except OpError:
            continue  # the op itself rejects the tensors
        compared += 1
        text = spec(op, example.arguments, first, second, in_scope)
        result = compile_text(Source("shared.yaml", text), Path())
        codes = [diagnostic.code for diagnostic in result.diagnostics]
        if codes:
            assert codes == ["E307"], text
            assert not computes_the_same(op, first, second), text
        else:
            assert result.graph is not None
            run(result.graph, second)
    assert compared


# -- scopes, compared with their operations run one by one

SCOPES = {
    "two inputs, the same at first": (
        "blocks: {less: {inputs: [p, q], nodes: {w: {op: prelu, from: p}, s: {op: sub, from: [w, q]}}}}",
        "a: {op: less, from: [in, in]}\n  r: tanh\n  b: {share: a, from: [r, in]}",
    ),
    "two inputs, the same then": (
        "blocks: {less: {inputs: [p, q], nodes: {w: {op: prelu, from: p}, s: {op: sub, from: [w, q]}}}}",
        "r: {op: tanh, from: in}\n  a: {op: less, from: [in, r]}\n  b: {share: a, from: [a, a]}",
    ),
    "wiring that depends on the size": (
        "",
        "a: {nodes: {w: prelu, v: {op: relu, from: in}, u: {op: tanh, from: \"${'v' if $in.height > 4 else 'w'}\"}, "
        "s: {op: sub, from: [u, v]}, t: {op: add, from: [s, w]}}}\n  p: {op: max_pool, kernel: 2}\n  b: {share: a}",
    ),
    "a list": (
        "",
        "a: {repeat: 2, op: prelu, carry: none}\n  r: {op: add, from: a}\n  b: {share: a}\n  s: {op: sub, from: b}",
    ),
    "a dense block": (
        "",
        "a: {repeat: 2, op: conv, out: 8, kernel: 1, carry: concat}\n  b: {share: a, from: in}\n"
        "  s: {op: sub, from: [a, b]}",
    ),
    "a node of a flat block": ("", "a: {flat: true, nodes: {x: prelu, y: tanh}}\n  b: {share: x}"),
    "over and over": ("", "a: [prelu, tanh]\n  b: {repeat: 3, share: a}"),
    "a tap inside": (
        "",
        "a: [prelu, tanh]\n  b: {share: a}\n  s: {op: sub, from: [b.0, a.0]}\n  z: {op: add, from: [b, s]}",
    ),
    "a flatten inside, on another size": (
        "",
        "a: [prelu, {op: flatten, start_dim: 2}]\n  p: {op: max_pool, kernel: 2, from: in}\n"
        "  b: {share: a}\n  s: {op: concat, dim: 2, from: [a, b]}",
    ),
}


def one_by_one(graph: Graph, model: nn.Module, inputs: list[torch.Tensor]) -> list[torch.Tensor]:
    """The outputs, with each operation run separately by the module that the graph names."""
    known: dict[Ref, torch.Tensor] = {Ref(-1 - number): tensor for number, tensor in enumerate(inputs)}
    for index, node in enumerate(graph.nodes):
        types = [graph.type_of(ref) for ref in node.reads]
        is_module = node.operation.layer(*types) is not None
        run = model.get_submodule(node.shares or node.path) if is_module else make_function(node.operation, types)
        result = run(*(known[ref].clone() for ref in node.reads))
        parts = [result] if isinstance(result, torch.Tensor) else result
        known.update({Ref(index, element): tensor for element, tensor in enumerate(parts)})
    return [known[ref] for ref in graph.outputs.values()]


@pytest.mark.parametrize(("blocks", "nodes"), SCOPES.values(), ids=SCOPES)
def test_shared_scopes_compute_what_their_operations_do(blocks: str, nodes: str) -> None:
    text = f"cnngraph: 1\ninput: [8, 8, 8]\n{blocks}\nnodes:\n  {nodes}\n"
    result = compile_text(Source("shared.yaml", text), Path())
    assert result.diagnostics == ()
    graph = result.graph
    assert graph is not None
    model = lower(graph).eval()
    assert not any(key.startswith("b") for key in model.state_dict())
    for parameter in model.parameters():
        nn.init.normal_(parameter)
    inputs = make_inputs(list(graph.inputs.values()))
    with torch.no_grad():
        torch.testing.assert_close([model(*inputs)], one_by_one(graph, model, inputs))
