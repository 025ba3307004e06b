"""Closed blocks: what they contain in a line or two, and the number of iterations of a repeat."""

from __future__ import annotations

import pytest

from cnngraph import load
from cnngraph.render.compose import compose
from cnngraph.render.picture import Box, Shape
from cnngraph.render.settings import Settings
from tests.render.networks import graph_of

C1, C3 = "{op: conv, out: 16, kernel: 1}", "{op: conv, out: 16, kernel: 3, padding: half}"
DOWN = "{op: conv, out: 16, kernel: 3, padding: half, stride: 2}"
DEPTHWISE = "{op: conv, out: 8, kernel: 3, padding: half, groups: 8}"
SE = "{pool: {op: adaptive_avg_pool, from: in, output: 1}, fc: {op: conv, out: 8, kernel: 1}, s: sigmoid, x: %s}"
GATED = f"nodes: {SE % '{op: mul, from: [in, s]}'}"
GATE16 = GATED.replace("8", "16")
BRANCHES = (
    f"a: {C1}\n      b: {{from: in, nodes: [{C1}, {C3}]}}\n      p: {{op: max_pool, from: in, kernel: 3, stride: 1}}"
)
BRANCHES_6C = "1×1 – 7×1 – 1×7 – 7×1 – 1×7 | avg 3×3 – 1×1"

# (the nodes of a block that reads 8×16×16, the lines that say what it contains)
CONTENTS = {
    "a chain": (f"a: {C1}\n      n: batch_norm\n      r: relu\n      b: {C3}", ["1×1 16 – 3×3 16"]),
    "a stride": (f"a: {DOWN}\n      b: {C1}", ["3×3 16, /2 – 1×1 16"]),
    "equal steps": (f"a: {C3}\n      b: {C3}\n      c: {C3}", ["(3×3 16) ×3"]),
    "groups and dilation": (
        "a: {op: conv, out: 8, kernel: 3, padding: half, dilation: 2, groups: 2}\n      b: {op: max_pool, kernel: 2}",
        ["3×3 8, dilation 2, groups 2 – max 2×2, /2"],
    ),
    "depthwise": (f"a: {DEPTHWISE}\n      b: {C1}", ["dw 3×3 – 1×1 16"]),
    "another width": (
        "a: {op: conv, out: 16, kernel: 3, padding: half, groups: 8}\n      b: {op: max_pool, kernel: 2}",
        ["dw 3×3 16 – max 2×2, /2"],
    ),
    "a head": ("a: global_avg_pool\n      b: {op: linear, out: 10}", ["global avg – linear 10"]),
    "upsampling": (
        "a: {op: conv_transpose, out: 4, kernel: 2, stride: 2}\n      b: {op: upsample, scale_factor: 2}",
        ["transpose 2×2 4, ↑2 – upsample ↑2"],
    ),
    "a residual block": (
        f"a: {C3}\n      r: relu\n      b: {C3}\n      s: {{op: conv, from: in, out: 16, kernel: 1}}\n"
        "      x: {op: add, from: [b, s]}\n      y: relu",
        ["3×3 16 – 3×3 16"],
    ),
    "an identity": ("a: {op: conv, out: 8, kernel: 1}\n      b: {op: add, from: [in, a]}", ["1×1 8"]),
    "a large shortcut": (
        f"a: {C3}\n      b: {C3}\n      s: {{from: in, nodes: [{C3}]}}\n      x: {{op: add, from: [b, s]}}",
        ["3×3 16 – 3×3 16 | 3×3 16"],
    ),
    "branches": (
        f"{BRANCHES}\n      w: {{op: pad, padding: 1}}\n      c: {{op: concat, from: [a, b, w]}}",
        ["1×1 16 | 1×1 16 – 3×3 16 | max 3×3 – pad"],
    ),
    "branches after an operation": (
        f"s: {C1}\n      a: {C1}\n      b: {{op: conv, from: s, out: 16, kernel: 3, padding: half}}\n"
        "      c: {op: concat, from: [a, b]}",
        ["1×1 16 – (1×1 16 | 3×3 16)"],
    ),
    "one-shot aggregation": (
        f"a: {C3}\n      b: {C3}\n      c: {C3}\n      d: {{op: concat, from: [in, a, b, c]}}\n      e: {C1}",
        ["(3×3 16) ×3 – 1×1 16"],
    ),
    "squeeze and excitation": (f"a: {DEPTHWISE}\n      se: {{{GATED}}}\n      b: {C1}", ["dw 3×3 – gate – 1×1 16"]),
    "a gate that reads another branch": (
        f"u: {C1}\n      w: {{op: conv, from: u, out: 1, kernel: 1}}\n      g: sigmoid\n"
        f"      x: {{op: mul, from: [in, g]}}\n      c: {{op: concat, from: [x, u]}}\n      b: {C1}",
        [],
    ),
    "a gate of the block's size": (
        f"a: {C1}\n      g: [{C1}, sigmoid]\n      x: {{op: mul, from: [a, g]}}\n      b: {C1}",
        ["1×1 16 – gate – 1×1 16"],
    ),
    "weights that are not computed": (
        f"a: {C1}\n      s: {{op: parameter, shape: [16, 1, 1]}}\n      x: {{op: mul, from: [a, s]}}\n      b: {C1}",
        ["1×1 16 – 1×1 16"],
    ),
    "a product with a branch without bounds": (
        f"a: {C1}\n      p: {{op: adaptive_avg_pool, from: a, output: 1}}\n      x: {{op: mul, from: [a, p]}}\n"
        f"      b: {C1}",
        [],
    ),
    "two of them": (f"a: {C1}\n      s: {{{GATE16}}}\n      t: {{{GATE16}}}", ["1×1 16 – 2 gates"]),
    "an op without a name of its own": ("a: relu\n      b: batch_norm\n      c: {op: add, from: [a, b]}", []),
    "too many": ("\n      ".join(f"a{i}: {{op: conv, out: {i + 10}, kernel: 1}}" for i in range(9)), []),
    "a gate alone": (f"a: relu\n      se: {{{GATED}}}", []),
    "attention": (
        "t: {op: flatten, start_dim: 2}\n      p: {op: permute, dims: [0, 2, 1]}\n      m: {op: matmul, from: [t, p]}",
        [],
    ),
}


LONG = {  # the numbers of 3×3 convolutions in each of four parallel branches, and the lines
    (0, 0, 1, 1): ["1×1 100 | 1×1 100 |", "1×1 100 – 3×3 100 | 1×1 100 – 3×3 100"],
    (0, 1, 1, 2): ["1×1 100 | 1×1 – 3×3 100 |", "1×1 – 3×3 100 | 1×1 – 3×3 – 3×3 100"],
    (1, 1, 2, 3): ["1×1 – 3×3 | 1×1 – 3×3 |", "1×1 – 3×3 – 3×3 | 1×1 – (3×3) ×3"],
    (9, 8, 7, 6): ["1×1 – (3×3) ×9 | 1×1 – (3×3) ×8 |", "1×1 – (3×3) ×7 | 1×1 – (3×3) ×6"],
}


@pytest.mark.parametrize(("branches", "expected"), LONG.items(), ids=map(str, LONG))
def test_long_branches_have_channels_only_at_their_ends_or_nowhere(
    branches: tuple[int, ...], expected: list[str]
) -> None:
    wide, first = "{op: conv, out: 100, kernel: 3, padding: half}", "{op: conv, out: 100, kernel: 1}"
    nodes = [
        f"b{place}: {{from: in, nodes: [{', '.join([first, *[wide] * count])}]}}"
        for place, count in enumerate(branches)
    ]
    joined = "\n      ".join([*nodes, "c: {op: concat, from: [b0, b1, b2, b3]}"])
    text = f"cnngraph: 1\nname: net\ninput: [8, 16, 16]\nnodes:\n  part:\n    nodes:\n      {joined}\n"
    assert lines(closed(text, "part")) == expected


def closed(text: str, name: str) -> Box:
    """The closed box of a block or repeat."""
    boxes = compose(graph_of(text), Settings(page=None, depth=1)).boxes()
    return next(box for box in boxes if box.shape is Shape.SCOPE and box.title.name == name)


def lines(box: Box) -> list[str]:
    """The rows without the totals."""
    return [row.text for row in box.rows[:-1]]


@pytest.mark.parametrize(("nodes", "expected"), CONTENTS.values(), ids=CONTENTS)
def test_a_closed_block_lists_its_layers(nodes: str, expected: list[str]) -> None:
    text = f"cnngraph: 1\nname: net\ninput: [8, 16, 16]\nnodes:\n  part:\n    nodes:\n      {nodes}\n"
    assert lines(closed(text, "part")) == expected


UNIT = """
cnngraph: 1
name: net
input: [16, 32, 32]
blocks:
  unit:
    params: {out: 16, stride: 1, width: 16}
    nodes:
      a: {op: conv, out: $width, kernel: 1}
      b: {op: conv, out: $out, kernel: 3, stride: $stride, padding: half}
  pair: {nodes: {first: unit, more: {op: unit, repeat: 3}}}
nodes:
  stage: {%s}
  last: {op: concat, from: stage}
"""

REPEATS = {
    "op: unit, repeat: 4": ("unit ×4", ["1×1 16 – 3×3 16"]),
    "op: unit, repeat: 4, first: {stride: 2}": ("unit ×4", ["1×1 16 – 3×3 16, first /2"]),
    "op: unit, repeat: 2, stride: 2": ("unit ×2", ["1×1 16 – 3×3 16, /2"]),
    "op: unit, repeat: 4, first: {width: 8}": ("unit ×4", ["1×1 8…16 – 3×3 16"]),
    "op: unit, repeat: 4, width: 16 - 2 * $i": ("unit, 4 iterations", ["1×1 16…10 – 3×3 16"]),
    "op: unit, repeat: 3, width: '8 * (1 + $i % 2)'": ("unit, 3 iterations", ["1×1 8…16 – 3×3 16"]),
    "op: unit, repeat: 4, carry: none": ("unit ×4 in parallel", ["1×1 16 – 3×3 16"]),
    "op: unit, repeat: 4, carry: none, width: 8 + $i": ("unit, 4 in parallel", ["1×1 8…11 – 3×3 16"]),
    "op: conv, repeat: 3, out: 16, kernel: 1": ("×3", ["1×1 16"]),
    "op: conv, repeat: 3, out: 16 + $i, kernel: 1": ("3 iterations", ["1×1 16…18"]),
    "op: conv, repeat: 3, out: 16 + $i, kernel: 1, carry: none": ("3 in parallel", ["1×1 16…18"]),
    "op: unit, repeat: 4, carry: concat": ("unit ×4", ["1×1 16 – 3×3 16"]),
    "op: pair, repeat: 2": ("pair ×2", ["1×1 16 – 3×3 16 – 1×1 16 – 3×3 16 –", "1×1 16 – 3×3 16 – 1×1 16 – 3×3 16"]),
    "repeat: 2, nodes: [{op: unit, repeat: 3}]": ("×2", ["(1×1 16 – 3×3 16) ×3"]),
}


@pytest.mark.parametrize(("repeat", "block", "contents"), [(key, *value) for key, value in REPEATS.items()])
def test_a_closed_repeat_says_how_its_iterations_differ(repeat: str, block: str, contents: list[str]) -> None:
    box = closed(UNIT % repeat, "stage")
    assert (box.title.block, lines(box)) == (block, contents)


def test_params_are_shown_if_there_is_no_short_list_of_layers() -> None:
    text = """
cnngraph: 1
input: [8, 8, 8]
blocks:
  unit:
    params: {out: , rate: 0.1, groups: 1, norm: batch, wide: false, expand: 2, shift: 0, n: , stride: 1}
    nodes: [{op: flatten, start_dim: 2}, {op: permute, dims: [0, 2, 1]}, {op: chunk, chunks: 3, dim: 2}, attention]
nodes:
  a: {op: conv, out: 6, kernel: 1}
  unit: {op: unit, out: 6, rate: 0.3, groups: 1, norm: in, wide: false, expand: 4, shift: 0, n: 3, stride: 2}
"""
    assert lines(closed(text, "unit")) == ["/2, 6, norm in, expand 4, n 3"]


def test_folded_iterations_show_no_value_of_the_first_alone() -> None:
    """Swin's last stage has two equal blocks with different drop rates."""
    boxes = compose(load("swin_t"), Settings(page=None, depth=3)).boxes()
    (stage,) = (box for box in boxes if box.title.name == "features.7" and box.shape is Shape.SCOPE)
    assert lines(stage) == ["window attention – linear 3072 – linear 768", "heads 24"]


@pytest.mark.parametrize(
    ("network", "title", "expected"),
    [
        ("googlenet", "inception3a", ["1×1 64 | 1×1 96 – 3×3 128 |", "1×1 16 – 3×3 32 | max 3×3 – 1×1 32"]),
        (
            "googlenet_mnist",
            "inception2",
            ["1×1 16 | 1×1 16 – 5×5 24 |", "1×1 16 – 3×3 24 – 3×3 24 | avg 3×3 – 1×1 24"],
        ),
        ("inception_v3", "Mixed_6c", ["1×1 | 1×1 – 1×7 – 7×1 |", BRANCHES_6C, "width 160"]),
        ("inception_v3", "Mixed_7a", ["1×1 – 3×3 320, /2 |", "1×1 – 1×7 – 7×1 – 3×3 192, /2 | max 3×3, /2"]),
        ("resnet34", "layer2", ["3×3 128, first /2 – 3×3 128"]),
        ("mnasnet0_5", "layers.9", ["1×1 48…72 – dw 5×5, first /2 – 1×1 24"]),
        ("sknet50", "layer2", ["1×1 256 – selective kernel, first /2 – 1×1 512"]),
        ("vit_tiny", "blocks", ["attn – linear 768 – linear 192"]),
        ("nf_resnet50", "stages.1", ["1×1 128 – 3×3 128, first /2 – 1×1 512"]),
        ("efficientnet_b0", "features.1", ["dw 3×3 – gate – 1×1 16"]),
    ],
)
def test_contents_of_published_networks(network: str, title: str, expected: list[str]) -> None:
    for depth in (1, 2):
        for box in compose(load(network), Settings(page=None, depth=depth)).boxes():
            if box.shape is Shape.SCOPE and box.title.name == title:
                assert lines(box) == expected
                return
    raise AssertionError(f"{title} is not a closed box")
