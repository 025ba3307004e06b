"""`gives: all`: blocks that read the outputs of all iterations, compared with modules written by hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from cnngraph.compilation import compile_spec, compile_text
from cnngraph.diagnostics import Source
from cnngraph.language.write import write_spec
from tests.backend.support import as_list, built, graph_of, inputs_of
from tests.library import LIBRARY


def conv_bn_act(channels: int, out: int, kernel: int, act: type[nn.Module]) -> nn.Sequential:
    conv = nn.Conv2d(channels, out, kernel, padding=kernel // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(out), act())


class OneShot(nn.Module):
    """Lee et al. 2019, figure 2: a chain of convolutions, whose outputs are concatenated once."""

    def __init__(self, channels: int, width: int, layers: int, out: int) -> None:
        super().__init__()
        sizes = [channels, *[width] * (layers - 1)]
        self.layers = nn.ModuleList(conv_bn_act(size, width, 3, nn.ReLU) for size in sizes)
        self.project = conv_bn_act(channels + layers * width, out, 1, nn.ReLU)

    def forward(self, x: Tensor) -> Tensor:
        outputs = [x]
        for layer in self.layers:
            outputs.append(layer(outputs[-1]))
        return self.project(torch.cat(outputs, 1))  # type: ignore[no-any-return]


class Unit(nn.Module):
    def __init__(self, width: int, shortcut: bool) -> None:
        super().__init__()
        self.first, self.second = (conv_bn_act(width, width, 3, nn.SiLU) for _ in range(2))
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        y = self.second(self.first(x))
        return x + y if self.shortcut else y  # type: ignore[no-any-return]


class C2f(nn.Module):
    """Half of the map goes through units, each of which is read by the last convolution."""

    def __init__(self, channels: int, out: int, units: int, shortcut: bool) -> None:
        super().__init__()
        self.before = conv_bn_act(channels, out, 1, nn.SiLU)
        self.units = nn.ModuleList(Unit(out // 2, shortcut) for _ in range(units))
        self.after = conv_bn_act((2 + units) * (out // 2), out, 1, nn.SiLU)

    def forward(self, x: Tensor) -> Tensor:
        outputs = list(self.before(x).chunk(2, 1))
        for unit in self.units:
            outputs.append(unit(outputs[-1]))
        return self.after(torch.cat(outputs, 1))  # type: ignore[no-any-return]


class Sppf(nn.Module):
    """The maxima of 5×5, 9×9 and 13×13 pixels by three poolings in a row."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.before = conv_bn_act(channels, channels // 2, 1, nn.SiLU)
        self.after = conv_bn_act(channels // 2 * 4, out, 1, nn.SiLU)

    def forward(self, x: Tensor) -> Tensor:
        y = self.before(x)
        pools = [nn.functional.max_pool2d(y, size, 1, size // 2) for size in (5, 9, 13)]
        return self.after(torch.cat([y, *pools], 1))  # type: ignore[no-any-return]


BLOCKS: dict[str, tuple[str, Callable[[], nn.Module]]] = {
    "OSA of VoVNet-39": ("{op: osa, width: 6, out: 12}", lambda: OneShot(8, 6, 5, 12)),
    "C2f": ("{op: c2f, out: 12, units: 3}", lambda: C2f(8, 12, 3, True)),
    "C2f without shortcuts": ("{op: c2f, out: 12, shortcut: false}", lambda: C2f(8, 12, 1, False)),
    "C2f without units": ("{op: c2f, out: 12, units: 0}", lambda: C2f(8, 12, 0, True)),
    "SPPF": ("{op: sppf, out: 10}", lambda: Sppf(8, 10)),
}
HEAD = "input: [8, 16, 16]\nimport: [blocks/aggregation.yaml]\n"


@pytest.mark.parametrize(("node", "written"), BLOCKS.values(), ids=BLOCKS)
def test_blocks_that_read_all_iterations(node: str, written: Callable[[], nn.Module]) -> None:
    torch.manual_seed(0)
    ours, theirs = built(f"{HEAD}nodes: [{node}]"), written()
    values = list(theirs.state_dict().values())
    assert [value.shape for value in ours.state_dict().values()] == [value.shape for value in values]
    ours.load_state_dict(dict(zip(ours.state_dict(), values, strict=True)))
    images = torch.randn(2, 8, 16, 16)
    torch.testing.assert_close(ours(images), theirs(images), rtol=0, atol=0)
    torch.testing.assert_close(ours.eval()(images), theirs.eval()(images), rtol=0, atol=0)


# -- the value of a repeat

LAYERS = "x: {op: conv, out: $i + 1, kernel: 1, from: in"
GIVES = {
    "last": (f"{LAYERS}, repeat: 3, gives: all}}", "x.0 x.1 x.2"),
    "last, by default": (f"{LAYERS}, repeat: 3}}", "x.2"),
    "last, written": (f"{LAYERS}, repeat: 3, gives: last}}", "x.2"),
    "concat": (f"{LAYERS}, repeat: 3, carry: concat, gives: all}}", "x.0 x.1 x.2"),
    "concat, the last alone": (f"{LAYERS}, repeat: 3, carry: concat, gives: last}}", "x.2"),
    "concat, by default": (f"{LAYERS}, repeat: 3, carry: concat}}", "x.concat"),
    "none": (f"{LAYERS}, repeat: 3, carry: none, gives: all}}", "x.0 x.1 x.2"),
    "an absent iteration passes its input through": (
        f"{LAYERS}, repeat: [{{}}, {{when: false}}, {{}}], gives: all}}",
        "x.0 x.0 x.2",
    ),
    "one that leaves nothing": (
        f"{LAYERS}, repeat: [{{}}, {{}}, {{when: false, else: []}}], gives: all}}",
        "x.0 x.1",
    ),
    "the first is absent": (f"{LAYERS}, repeat: 2, first: {{when: false}}, gives: all}}", "in x.1"),
    "an absent one of concat": (
        f"{LAYERS}, repeat: 3, carry: concat, last: {{when: false}}, gives: all}}",
        "x.0 x.1 x.2.in",
    ),
    "lists are flat": (
        "x: {op: chunk, chunks: 2, from: in, repeat: 2, carry: none, gives: all}",
        "x.0[0] x.0[1] x.1[0] x.1[1]",
    ),
    "no iterations": (f"{LAYERS}, repeat: 0, gives: all}}", ""),
    "flat": (f"{LAYERS}, repeat: 2, gives: all, flat: true}}", "0 1"),
    "names": (f"{LAYERS}, repeat: 2, gives: all, name: layer1}}", "x.layer1 x.layer2"),
    "absent as a whole": (f"{LAYERS}, repeat: 2, gives: all, when: false}}", "in"),
    "a shared module": ("s: {op: conv, out: 4, kernel: 1}\n  x: {share: s, repeat: 2, gives: all}", "x.0 x.1"),
}


@pytest.mark.parametrize(("node", "expected"), GIVES.values(), ids=GIVES)
def test_the_value_of_a_repeat(node: str, expected: str) -> None:
    text = f"nodes:\n  {node}\n  all: {{op: concat, from: [in, x]}}\n"
    graph = graph_of(text)
    assert " ".join(graph.nodes[-1].inputs) == f"in {expected}".strip()
    images = inputs_of(graph)
    assert as_list(built(text)(*images))[0].shape[1:] == graph.output_shapes["output"]


def test_a_block_may_give_all_and_be_used_twice() -> None:
    text = """
    blocks: {chain: {params: {n: }, op: conv, repeat: $n, gives: all, out: 3, kernel: 1}}
    nodes:
      a: {op: chain, n: 2}
      b: {op: chain, n: 3, from: "a[0]"}
      c: {share: b, from: "a[1]"}
      t: {op: relu, from: b.1}
      all: {op: concat, from: [a, b, c, t]}
    """
    assert graph_of(text).output_shapes["output"] == (6 + 9 + 9 + 3, 6, 6)


def test_a_written_spec_keeps_it() -> None:
    text = f"cnngraph: 1\n{HEAD}nodes: {{x: {{op: c2f, out: 12, units: 2}}}}\n"
    first = compile_text(Source("net.yaml", text), LIBRARY)
    assert first.spec is not None
    assert first.graph is not None
    again = compile_text(Source("net.yaml", write_spec(first.spec)), LIBRARY)
    assert again.graph is not None
    assert [(node.path, node.inputs) for node in again.graph.nodes] == [
        (node.path, node.inputs) for node in first.graph.nodes
    ]


@pytest.mark.parametrize(
    ("node", "code"),
    [
        ("x: {op: relu, gives: all}", "E109"),
        ("x: {op: relu, repeat: 2, gives: both}", "E109"),
        ("x: {op: relu, repeat: 2, gives: [all]}", "E109"),
        ("x: {op: relu, repeat: 2, gives: all}\n  y: {op: relu, from: x}", "E210"),
    ],
)
def test_errors(node: str, code: str) -> None:
    result = compile_text(Source("net.yaml", f"cnngraph: 1\ninput: [4, 6, 6]\nnodes:\n  {node}\n"), LIBRARY)
    assert [diagnostic.code for diagnostic in result.diagnostics] == [code]


def test_the_library_of_blocks_is_valid() -> None:
    assert compile_spec(LIBRARY / "blocks" / "aggregation.yaml").ok
