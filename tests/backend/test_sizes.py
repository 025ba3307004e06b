"""Values computed from heights and widths: a network rejects input sizes for which they would be wrong."""

from __future__ import annotations

import copy
import io
import pickle
import runpy
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import cnngraph
from cnngraph.backend import lower, model_source
from cnngraph.compilation import compile_text
from cnngraph.diagnostics import Source
from cnngraph.graph.graph import Graph
from tests.backend.support import graph_of
from tests.library import CHOSEN

BLOCKS = """
blocks:
  same:
    params:
      kernel: 3
      stride: 2
      down: max((ceil($in.height / $stride) - 1) * $stride + $kernel - $in.height, 0)
      right: max((ceil($in.width / $stride) - 1) * $stride + $kernel - $in.width, 0)
    nodes:
      pad: {op: pad, padding: [$right // 2, $right - $right // 2, $down // 2, $down - $down // 2]}
      conv: {op: conv, out: 3, kernel: $kernel, stride: $stride}
  area: {params: {area: $in.height * $in.width}, nodes: [{op: conv, out: 3, kernel: 1, when: $in.channels > 0}]}
  double:
    nodes:
      pool: {op: max_pool, kernel: 2, ceil_mode: true}
      up: {op: upsample, scale_factor: 2}
      crop:
        op: pad
        padding: [0, $in.width - $from.width, 0, $in.height - $from.height]
        when: $in.height != $from.height or $in.width != $from.width
      add: {op: add, from: [in, crop]}
"""
LINES = (
    "{op: same}",
    "{op: same, kernel: 5, stride: 3}",
    "{op: area}",
    "{op: double}",
    "{op: max_pool, kernel: 2, when: $from.height > 9 and $from.width > 1}",
    "{op: upsample, size: [$from.height + 1, 2 * $from.width]}",
    "{op: upsample, size: [max(6, $from.height), 9]}",
    "{op: adaptive_avg_pool, output: ['min($from.height, 5)', null]}",
    "{op: adaptive_avg_pool, output: 6}",
    "{repeat: $from.height // 4 % 3, op: conv, out: 3, kernel: 3, padding: half}",
    "{repeat: '[$from.width % 3 + 1, 3]', op: conv, out: $item, kernel: 1, first: {when: $from.height > 7}}",
    "{op: slice, dim: height, stop: $from.height // 2 + 1}",
    "{op: conv, out: $from.channels, kernel: 1, expect: [_, $from.height, $from.width]}",
    "{op: \"'relu' if $from.height % 2 == 1 else 'tanh'\"}",
    "{op: reshape, shape: [$from.channels, -1, $from.width]}",
    "{op: reshape, shape: [$from.channels, '$from.features // $from.channels', 1]}",
    "{op: leaky_relu, negative_slope: 1 / $from.features}",
    "[flatten, {op: linear, out: $from.channels}, {op: reshape, shape: [$from.channels // 4, 2, 2]}]",
    "{op: split, sizes: 4, dim: height}",
    "{op: concat, dim: height}",
    "{op: dropout, p: 0.2 if len($from) > 1 else 0.1}",
)


def spec(lines: list[str], height: int, width: int) -> str:
    """The text of a spec with these nodes."""
    nodes = "".join(f"  - {node}\n" for node in [*lines, "{op: conv, out: 2, kernel: 1}", "global_avg_pool"])
    return f"cnngraph: 1\ninput: [2, {height}, {width}]\n{BLOCKS}nodes:\n{nodes}"


def elaborated(lines: list[str], height: int, width: int) -> Graph | None:
    """The graph, or None if the spec has errors with this input size."""
    compilation = compile_text(Source("net.yaml", spec(lines, height, width)), Path())
    return compilation.graph if compilation.ok else None


def inside(graph: Graph, height: int, width: int) -> bool:
    """Whether these sizes are within the limits of the graph."""
    sizes = {"height": height, "width": width}
    return all(sizes[limit.axis] in limit.sizes for limit in graph.size_limits)


def operations(graph: Graph) -> list[Any]:
    """Every operation with its path, inputs and weight shapes."""
    return [(node.path, node.operation, node.reads, node.parameters) for node in graph.nodes]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(LINES), min_size=1, max_size=4),
    st.tuples(*[st.integers(6, 24)] * 4),
)
def test_other_sizes_compute_the_right_network_or_are_an_error(lines: list[str], sizes: tuple[int, ...]) -> None:
    height, width, *other = sizes
    graph, fresh = elaborated(lines, height, width), elaborated(lines, *other)
    if graph is None or fresh is None:
        return
    model, image = lower(graph).eval(), torch.randn(2, 2, *other)
    if not inside(graph, *other):
        with pytest.raises(ValueError, match="this network was built for inputs of"):
            model(image)
        return
    assert operations(graph) == operations(fresh)
    expected = lower(fresh).eval()
    expected.load_state_dict(model.state_dict())
    assert torch.equal(model(image), expected(image))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(LINES), min_size=1, max_size=3), st.integers(6, 24), st.integers(6, 24))
def test_beyond_a_limit_the_network_would_be_another(lines: list[str], height: int, width: int) -> None:
    graph = elaborated(lines, height, width)
    for limit in graph.size_limits if graph else ():
        beyond = limit.sizes[0] - limit.sizes.step
        if len(limit.sizes) > 1 and beyond > 0:
            fresh = elaborated(lines, *((beyond, width) if limit.axis == "height" else (height, beyond)))
            assert graph is not None
            assert fresh is None or operations(fresh) != operations(graph)


AGNOSTIC = {
    "channels only": "nodes: [{op: conv, out: 2 * $in.channels, kernel: 3}]",
    "a size that is fixed": "nodes: [{op: adaptive_avg_pool, output: 4}, {op: upsample, size: $from.height * 2}]",
    "a channel of a pooled vector": "nodes: [global_avg_pool, {op: linear, out: $from.features}]",
    "a vector after flatten that is fixed": (
        "nodes: [{op: adaptive_avg_pool, output: 2}, flatten, {op: linear, out: $from.channels}]"
    ),
    "a param that nothing uses": (
        "blocks: {area: {params: {size: $in.height * $in.width}, nodes: [{op: conv, out: 3, kernel: 1}]}}\n"
        "nodes: [area]"
    ),
    "a check": "nodes: [{op: conv, out: 2, kernel: 1, expect: [2, $in.height, $in.width]}]",
    "how many tensors": "nodes: {parts: {op: chunk, chunks: 2}, out: {op: concat, when: len($parts) == 2}}",
    "what is not evaluated": "nodes: [{op: conv, out: '4 if $in.channels == 4 else $in.height', kernel: 1}]",
}


@pytest.mark.parametrize("text", AGNOSTIC.values(), ids=AGNOSTIC)
def test_networks_without_limits(text: str) -> None:
    graph = graph_of(text)
    assert graph.size_limits == ()
    assert "check_size" not in model_source(graph)
    for size in (6, 7, 12):
        lower(graph)(torch.randn(2, 4, size, size + 1))


LIMITS = {
    "a kernel": ("nodes: [{op: avg_pool, kernel: [2, '$in.width // 2']}]", {"width": range(6, 8)}),
    "a condition": ("nodes: [{op: max_pool, kernel: 2, when: $in.height > 4}, relu]", {"height": range(5, 4097)}),
    "a number of rounds": (
        "nodes: {a: {repeat: $in.height // 3, op: conv, out: 4, kernel: 1}}",
        {"height": range(6, 9)},
    ),
    "a name": ("nodes: {'a${$in.width % 5}': relu}", {"width": range(1, 4097, 5)}),
    "a path": (
        "nodes: {a0: relu, a1: {op: tanh, from: a0}, b: {op: add, from: [a1, 'a${$in.height % 2}']}}",
        {"height": range(2, 4097, 2)},
    ),
    "an op": ("nodes: [{op: \"'relu' if $in.height % 2 == 0 else 'tanh'\"}]", {"height": range(2, 4097, 2)}),
    "a row": (
        "nodes: [{repeat: [{out: 4}, {out: $in.height}], op: conv, kernel: 1}]",
        {"height": range(6, 7)},
    ),
    "a param of a param": (
        "blocks: {b: {params: {half: $in.height // 2, more: $half + 1}, nodes: [{op: conv, out: $more, kernel: 1}]}}\n"
        "nodes: [b]",
        {"height": range(6, 8)},
    ),
    "a size further down": (
        "nodes: [{op: conv, out: 4, kernel: 3, stride: 2}, {op: conv, out: $from.width + 1, kernel: 1}]",
        {"width": range(5, 7)},
    ),
    "all numbers of a map": (
        "nodes: [{op: reshape, shape: [$in.features]}]",
        {"height": range(6, 7), "width": range(6, 7)},
    ),
    "a flattened map": (
        "nodes: [flatten, {op: dropout, p: 1 / $from.channels}]",
        {"height": range(6, 7), "width": range(6, 7)},
    ),
    "a condition on both": (
        "nodes: [{op: max_pool, kernel: 2, when: $in.height % 2 == 0 or $in.width % 2 == 0}, relu]",
        {"height": range(2, 4097, 2)},
    ),
    "a comparison of both": (
        "nodes: [{op: relu, when: $in.height == $in.width}, tanh]",
        {"height": range(6, 7), "width": range(6, 7)},
    ),
    "a shared module's run": (
        "nodes: {a: {op: dropout, p: 0.1}, b: {op: max_pool, kernel: '$in.height // 3'}, c: {share: b, from: in},"
        " d: {op: add, from: [b, c]}}",
        {"height": range(6, 9)},
    ),
}


@pytest.mark.parametrize("case", LIMITS)
def test_the_limits_of_a_network(case: str) -> None:
    text, expected = LIMITS[case]
    assert {limit.axis: limit.sizes for limit in graph_of(text).size_limits} == expected


def test_bundled_networks_accept_any_size() -> None:
    for path in CHOSEN:
        assert cnngraph.load(path).size_limits == (), path


SAME = ["{op: same}", "{op: same}", "{op: same}"]


def traced(model: nn.Module, image: Any) -> Any:
    """The traced module, saved and loaded."""
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated in newer versions of PyTorch
        torch.jit.save(torch.jit.trace(model, image), file)
        file.seek(0)
        return torch.jit.load(file)


def exported(model: nn.Module, image: Tensor) -> Any:
    """The module exported with a dynamic height."""
    shapes = {"x": {2: torch.export.Dim.AUTO}}
    return torch.export.export(model, (image,), dynamic_shapes=shapes).module()


FORMS: dict[str, Callable[[nn.Module, Tensor], Any]] = {
    "as built": lambda model, _: model,
    "pickled": lambda model, _: pickle.loads(pickle.dumps(model)),
    "copied": lambda model, _: copy.deepcopy(model),
    "compiled": lambda model, _: torch.compile(model, backend="eager"),
    "symbolically traced": lambda model, _: torch.fx.symbolic_trace(model),
    "traced": traced,
    "exported": exported,
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("source", [False, True], ids=["built", "source"])
def test_other_sizes_are_rejected_in_every_form(form: str, source: bool, tmp_path: Path) -> None:
    graph = elaborated(SAME, 32, 32)
    assert graph is not None
    model = from_source(graph, tmp_path) if source else lower(graph)
    model.eval()
    if source and form == "pickled":
        pytest.skip("a file's class is pickled by its name")
    image, larger, odd = (torch.randn(2, 2, height, 32) for height in (32, 48, 33))
    other = FORMS[form](model, image)
    assert torch.allclose(other(image), model(image))
    assert torch.allclose(other(larger), model(larger))
    with pytest.raises(Exception, match=r"built for inputs of 2×32×32, got 2×33×32: padding of|Guard failed: x.size"):
        other(odd)


def from_source(graph: Graph, folder: Path) -> nn.Module:
    """The network of the generated source file."""
    path = folder / "stand_alone.py"
    path.write_text(model_source(graph))
    scope = runpy.run_path(str(path), run_name="stand_alone")
    network: nn.Module = [
        value for value in scope.values() if isinstance(value, type) and issubclass(value, nn.Module)
    ][-1]()
    return network


def test_the_error_names_the_cause_and_a_remedy() -> None:
    model = lower(graph_of("nodes: {a: relu, stem: [{op: pad, padding: [0, 0, 0, $in.height % 4]}]}"))
    with pytest.raises(ValueError, match="built for") as caught:
        model(torch.randn(1, 4, 7, 6))
    cause = "padding of stem.0 at test.yaml:4 depends on the height"
    assert str(caught.value) == (
        f"this network was built for inputs of 4×6×6, got 4×7×6: {cause}; rebuild it with --input 4x7x6"
    )


def test_each_input_has_its_own_limits() -> None:
    graph = graph_of("""
    input: {left: [1, 8, 8], check_size: [1, 8, 8]}
    nodes:
      a: {op: pad, from: left, padding: [$left.width % 2, 0, 0, 0]}
      b: {op: pad, from: check_size, padding: [0, 0, $check_size.height % 3, 0]}
      pooled: {from: a, nodes: [global_avg_pool]}
      out: {from: b, nodes: [global_avg_pool]}
      both: {op: concat, from: [pooled, out]}
    """)
    model, image = lower(graph), torch.randn(1, 1, 8, 8)
    model(torch.randn(1, 1, 9, 10), torch.randn(1, 1, 5, 9))
    with pytest.raises(ValueError, match=r"built for `left` of 1×8×8, .* --input left=1x8x9"):
        model(torch.randn(1, 1, 8, 9), image)
    with pytest.raises(ValueError, match=r"built for `check_size` of 1×8×8, .* --input check_size=1x9x8"):
        model(image, torch.randn(1, 1, 9, 8))
    assert len(traced(model, (image, image))(image, image)) == 1


def test_a_pickled_graph_has_its_limits() -> None:
    graph = elaborated(SAME, 32, 32)
    assert graph is not None
    assert pickle.loads(pickle.dumps(graph)).size_limits == graph.size_limits != ()
