"""Iterations that read earlier ones, counted back by `carry`, and slices of the list of all."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import cnngraph
from cnngraph.compilation import compile_text
from cnngraph.diagnostics import Diagnostic, Source
from cnngraph.language.write import write_spec
from tests.backend.support import as_list, built, graph_of, inputs_of
from tests.library import LIBRARY


def reads(text: str) -> dict[str, str]:
    """The inputs of every node of a network."""
    return {node.path: " ".join(node.inputs) for node in graph_of(text).nodes}


def of_x(node: str) -> list[str]:
    """What the iterations of a node called x read, in order."""
    node = node.replace("repeat:", "gives: all, repeat:")
    text = f"nodes:\n  a: {{op: conv, out: 4, kernel: 1}}\n  x: {node}\n  all: {{op: concat, from: [a, x]}}\n"
    return [inputs for path, inputs in reads(text).items() if path.startswith("x.") and path[2:].isdecimal()]


ADD = "{op: add, from: a"
ITERATIONS = {
    "the previous one": (f"{ADD}, repeat: 3, carry: [1]}}", ["a", "x.0", "x.1"]),
    "a number alone": (f"{ADD}, repeat: 3, carry: 1}}", ["a", "x.0", "x.1"]),
    "always the input": (f"{ADD}, repeat: 3, carry: $i + 1}}", ["a", "a", "a"]),
    "all so far": (f'{ADD}, repeat: 3, carry: "range(1, $i + 2)"}}', ["a", "x.0 a", "x.1 x.0 a"]),
    "powers of two": (
        f'{ADD}, repeat: 6, carry: "[$n for $n in [1, 2, 4, 8] if ($i + 1) % $n == 0]"}}',
        ["a", "x.0 a", "x.1", "x.2 x.1 a", "x.3", "x.4 x.3"],
    ),
    "elements of rows": (f"{ADD}, repeat: [[1], [2, 1], 3], carry: $item}}", ["a", "a x.0", "a"]),
    "an expression in a list": (f"{ADD}, repeat: 2, carry: [1, $i + 1]}}", ["a a", "x.0 a"]),
    "one twice": (f"{ADD}, repeat: 2, carry: [1, 1]}}", ["a a", "x.0 x.0"]),
    "an absent one keeps its number and passes on the first": (
        f'{ADD}, repeat: [{{}}, {{}}, {{when: false}}, {{}}], name: "0", carry: "[$i + 1, 1]"}}',
        ["a a", "a x.0", "a a"],
    ),
    "an absent one with an else": (
        f'{ADD}, repeat: [{{}}, {{when: false, else: [a, a]}}, {{}}], name: "0", carry: "[1, $i + 1]"}}',
        ["a a", "a a a"],
    ),
    "other inputs are the same in every iteration": (
        "{op: add, from: [a, in], repeat: 3, carry: '[1, 2][: $i + 1]'}",
        ["a in", "x.0 a in", "x.1 x.0 in"],
    ),
    "or differ between iterations": (
        '{op: add, from: [a, "in[$i - $i]"], repeat: 2, carry: $i + 1}',
        ["a in", "a in"],
    ),
}


@pytest.mark.parametrize(("node", "expected"), ITERATIONS.values(), ids=ITERATIONS)
def test_what_iterations_read(node: str, expected: list[str]) -> None:
    assert of_x(node) == expected


def test_flat_iterations() -> None:
    text = "nodes: [relu, {op: add, repeat: 3, flat: true, carry: '[1, 2][: $i + 1]'}]"
    assert reads(text) == {"0": "in", "1": "0", "2": "1 0", "3": "2 1"}


def test_a_block_can_name_what_it_reads() -> None:
    text = """
    blocks: {step: {inputs: [x, before], nodes: {y: {op: sub, from: [x, before]}}}}
    nodes: {x: {op: step, repeat: 2, carry: [1, $i + 1]}}
    """
    assert reads(text) == {"x.0.y": "in in", "x.1.y": "x.0.y in"}


def test_a_repeat_whose_iterations_read_back_can_be_shared() -> None:
    text = """
    nodes:
      x: {op: conv, out: 4, kernel: 1, repeat: 3, carry: $i + 1, gives: all}
      y: {share: x, from: "x[2]"}
      all: {op: concat, from: [x, y]}
    """
    assert [inputs for path, inputs in reads(text).items() if path.startswith("y.")] == ["x.2", "x.2", "x.2"]


def test_an_iteration_may_output_a_list() -> None:
    text = """
    nodes:
      x: {op: identity, from: [in, in], repeat: 2, carry: "[1, 2][: $i + 1]"}
      all: {op: concat, from: x}
    """
    assert reads(text)["x.1"] == "x.0[0] x.0[1] in in"


class HardBlock(nn.Module):
    """Chao et al. 2019: layer k reads the layers k - 2**n, as far as 2**n divides k; layer 0 is the input."""

    def __init__(self, channels: int, layers: int, growth: int, factor: float) -> None:
        super().__init__()
        self.sources = [[k - 2**n for n in range(5) if k % 2**n == 0] for k in range(1, layers + 1)]
        widths = [channels]
        self.layers = nn.ModuleList()
        for sources in self.sources:
            widths.append(int(growth * factor ** (len(sources) - 1) + 1) // 2 * 2)
            inputs = sum(widths[source] for source in sources)
            self.layers.append(nn.Conv2d(inputs, widths[-1], 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        outputs = [x]
        for layer, sources in zip(self.layers, self.sources, strict=True):
            outputs.append(layer(torch.cat([outputs[source] for source in sources], 1)))
        numbers = [k for k in range(1, len(outputs)) if k % 2 or k == len(outputs) - 1]
        return torch.cat([outputs[number] for number in numbers], 1)


HARD = """
nodes:
  layers:
    repeat: COUNT
    carry: "[$n for $n in [1, 2, 4, 8, 16] if ($i + 1) % $n == 0]"
    gives: all
    nodes:
      concat: {op: concat, when: len($in) > 1}
      conv: {op: conv, out: int(3 * 1.7 ** (len($in) - 1) + 1) // 2 * 2, kernel: 3, padding: half}
  concat: {op: concat, from: ["layers[:-1:2]", "layers[-1]"]}
"""


@pytest.mark.parametrize("count", [1, 2, 5, 16])
def test_a_block_of_hardnet(count: int) -> None:
    ours, theirs = built(HARD.replace("COUNT", str(count))), HardBlock(4, count, 3, 1.7)
    ours.load_state_dict(dict(zip(ours.state_dict(), theirs.state_dict().values(), strict=True)))
    images = torch.randn(2, 4, 6, 6)
    results = []
    for model in (ours, theirs):
        output = model(images)
        results.append((output, *torch.autograd.grad(output.square().sum(), list(model.parameters()))))
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_a_written_and_a_plain_spec_are_the_same_network() -> None:
    first = compile_text(Source("net.yaml", f"cnngraph: 1\ninput: [4, 6, 6]{HARD.replace('COUNT', '5')}"), LIBRARY)
    assert first.spec is not None
    assert first.graph is not None
    again = compile_text(Source("net.yaml", write_spec(first.spec)), LIBRARY)
    assert again.graph is not None
    wiring = [(node.path, node.inputs) for node in first.graph.nodes]
    assert [(node.path, node.inputs) for node in again.graph.nodes] == wiring


# -- slices

SLICES = {
    "a[1:]": "a[1] a[2] a[3]",
    "a[:-1]": "a[0] a[1] a[2]",
    "a[::2]": "a[0] a[2]",
    "a[::-1]": "a[3] a[2] a[1] a[0]",
    "a[-2:]": "a[2] a[3]",
    "a[:]": "a[0] a[1] a[2] a[3]",
    "a[1:9]": "a[1] a[2] a[3]",
    "a[$n:]": "a[2] a[3]",
    "a[1:$n + 1:1]": "a[1] a[2]",
    "a[$n:$n]": "",
    "a[-$n:-1]": "a[2]",
    "in[0:]": "in",
    "in[1:]": "",
}


@pytest.mark.parametrize(("path", "expected"), SLICES.items())
def test_a_slice_is_a_part_of_a_list(path: str, expected: str) -> None:
    text = f"params: {{n: 2}}\nnodes: {{a: {{op: chunk, chunks: 4}}, all: {{op: concat, from: [a, '{path}']}}}}\n"
    graph = graph_of(text)
    assert " ".join(graph.nodes[-1].inputs) == f"a[0] a[1] a[2] a[3] {expected}".strip()
    assert as_list(built(text)(*inputs_of(graph)))[0].shape[1:] == graph.output_shapes["output"]


# -- errors


def diagnostics(text: str) -> tuple[Diagnostic, ...]:
    head = "" if "input:" in text else "input: [4, 6, 6]\n"
    return tuple(compile_text(Source("net.yaml", f"cnngraph: 1\n{head}{text}\n"), LIBRARY).diagnostics)


def codes(text: str) -> str:
    return " ".join(diagnostic.code for diagnostic in diagnostics(text))


ERRORS: dict[str, tuple[str, str, str]] = {
    "carry: [1, 2]": (
        "E301",
        "iteration 0 of `x` reads 2 iterations back, before the repeat's input",
        "which is 1 back",
    ),
    "carry: $i * 2 + 1": (
        "E301",
        "iteration 1 of `x` reads 3 iterations back",
        "`x.0` and the repeat's input, which is 2",
    ),
    "carry: 0": ("E205", "counts iterations back, from 1", "0 would be the iteration itself"),
    "carry: -1": ("E205", "got `-1`", "write `1` for 1 iterations back"),
    "carry: $i / 2": ("E205", "got `0.0`", "use `//`"),
    "carry: [true]": ("E205", "got `true`", ""),
    "carry: [[1]]": ("E205", "got `[1]`", ""),
    "carry: $x": ("E315", "", ""),
    "carry: []": ("E205", "`carry` is an empty list, so iteration 0 of `x` reads nothing", "1 is the previous"),
    "carry: $from.channels": ("E402", "`$from` is not available", ""),
    "carry: '[$n for $n in $i]'": ("E403", "`for` needs a list, got `0`", "write `range($i)`"),
    "carry: first": ("E109", "or numbers of iterations, counted back: `[1, 2]`, got `first`", ""),
    "carry: true": ("E109", "", ""),
    "carry: 1.5": ("E109", "", ""),
    "carry: {back: 1}": ("E109", "", ""),
}


@pytest.mark.parametrize(("carry", "expected"), ERRORS.items())
def test_errors_of_carry(carry: str, expected: tuple[str, str, str]) -> None:
    (found,) = diagnostics(f"nodes: {{x: {{op: add, repeat: 6, {carry}}}}}")
    code, message, rest = expected
    assert found.code == code
    assert message in found.message
    assert rest in " ".join([*found.notes, str(found.help or "")])


@pytest.mark.parametrize(
    ("path", "code"),
    [("a[::0]", "E301"), ("a[1:2:3:4]", "E301"), ("a[b:]", "E301"), ("a[$n:$n:$n:$n]", "E401"), ("b[1:]", "E301")],
)
def test_errors_of_slices(path: str, code: str) -> None:
    nodes = f"{{a: {{op: chunk, chunks: 4}}, b: {{op: concat, from: a}}, c: {{op: add, from: [b, '{path}']}}}}"
    assert codes(f"params: {{n: 1}}\nnodes: {nodes}").split()[0] == code


def test_many_iterations_that_read_all_others_are_refused() -> None:
    text = "nodes: {x: {op: add, repeat: 9000, carry: 'range(1, $i + 2)'}}"
    assert {code[:2] for code in codes(text).split()} == {"E5"}


def test_sizes_that_decide_what_is_read_are_recorded() -> None:
    text = "nodes: {x: {op: add, repeat: 3, carry: 1 if $in.width > 4 else $i + 1}}"
    model: Any = built(text)
    with pytest.raises(ValueError, match="carry"):
        model(torch.zeros(1, 4, 6, 3))


@pytest.mark.parametrize(
    ("name", "parameters", "macs", "keys"),
    [("hardnet68", 17_565_348, 4_246_114_304, 404), ("hardnet39ds", 3_488_228, 429_471_474, 446)],
)
def test_hardnet(name: str, parameters: int, macs: int, keys: int) -> None:
    """Equal to the authors' PingoLH/Pytorch-HarDNet in keys, shapes, and outputs for the same weights."""
    graph = cnngraph.load(name)
    assert (graph.num_params, graph.macs, len(graph.state)) == (parameters, macs, keys)
    unit = {"hardnet68": "conv", "hardnet39ds": "layer1.conv"}[name]
    widths = {"hardnet68": [14, 24, 14, 40, 14, 24, 14, 68], "hardnet39ds": [16, 26, 16, 40]}[name]
    shapes = [graph.state[f"base.3.layers.{number}.{unit}.weight"] for number in range(len(widths))]
    assert [shape[0] for shape in shapes] == widths
    stem = {"hardnet68": 64, "hardnet39ds": 48}[name]
    assert shapes[3][1] == widths[2] + widths[1] + stem
    assert list(graph.state)[-1] == {"hardnet68": "base.16.3.bias", "hardnet39ds": "base.14.3.bias"}[name]


# -- Deep Layer Aggregation, whose trees contain themselves in timm


def test_dla34() -> None:
    graph = cnngraph.load("dla34")
    assert (graph.num_params, graph.macs, len(graph.state)) == (15_742_104, 3_060_043_776, 224)  # timm's dla34
    roots = {  # two units, and for the last tree of a level the other tree and the downsampled input
        "level3.tree1": (128, 2 * 128),
        "level3.tree2": (128, 3 * 128 + 64),
        "level4.tree2": (256, 3 * 256 + 128),
        "level5": (512, 2 * 512 + 256),
    }
    assert {tree: graph.state[f"{tree}.root.conv.weight"][:2] for tree in roots} == roots


@pytest.mark.parametrize("trees", [(2, 2), (4, 8)])
def test_trees_of_iterations_equal_trees_that_contain_themselves(trees: tuple[int, int]) -> None:
    dla = pytest.importorskip("timm.models.dla")
    levels = (1, 1, 1, trees[0].bit_length(), trees[1].bit_length(), 1)
    theirs = dla.DLA(levels, (4, 4, 8, 12, 16, 20), block=dla.DlaBasic, num_classes=5).double()
    ours = cnngraph.build("dla34", widths=[4, 4, 8, 12, 16, 20], trees=list(trees), classes=5).double()
    values = list(theirs.state_dict().values())
    assert [value.shape for value in ours.state_dict().values()] == [value.shape for value in values]
    if trees == (2, 2):
        assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict(dict(zip(ours.state_dict(), values, strict=True)))
    images = torch.randn(2, 3, 64, 96, dtype=torch.float64)
    torch.testing.assert_close(ours(images), theirs(images))
