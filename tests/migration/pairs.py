"""Pairs of an old and a new network, and what a plan for them should say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

HEAD = "cnngraph: 1\ninput: [3, 16, 16]\nparams: {classes: 10, width: 8}\n"
RESIDUAL = """\
nodes:
  conv1: {op: conv, out: $width, kernel: 3, padding: half, bias: false}
  bn1: batch_norm
  relu: relu
  layer1:
    repeat: 2
    nodes:
      conv1: {op: conv, out: $width, kernel: 3, padding: half, bias: false}
      bn1: batch_norm
      relu1: relu
      conv2: {op: conv, out: $width, kernel: 3, padding: half, bias: false}
      bn2: batch_norm
      sum: {op: add, from: [bn2, in]}
      relu2: relu
  pool: global_avg_pool
  fc: {op: linear, out: $classes}
"""
GATE = """\
      bn2: batch_norm
      se:
        nodes:
          pool: global_avg_pool
          fc1: {op: linear, out: 4}
          act: relu
          fc2: {op: linear, out: $width}
          gate: sigmoid
          map: {op: reshape, shape: [$width, 1, 1], axes: CHW}
          out: {op: mul, from: [in, map]}
      sum: {op: add, from: [se, in]}
"""
SCALED = """\
      bn2: batch_norm
      sum1: {op: add, from: [bn2, in]}
      conv3: {op: conv, out: $width, kernel: 1}
      gamma: {op: parameter, shape: [$width, 1, 1], init: 0.1}
      scaled: {op: mul, from: [conv3, gamma]}
      sum: {op: add, from: [scaled, sum1]}
"""
MIXED = """\
nodes:
  conv1: {op: conv, out: $width, kernel: 3, padding: half, bias: false}
  bn1: batch_norm
  relu: relu
  depthwise: {op: conv, out: $width, kernel: 3, groups: $width, padding: half, bias: false}
  bn2: batch_norm
  act: silu
  conv2: {op: conv, out: 16, kernel: 1, bias: false}
  bn3: batch_norm
  cat: {op: concat, from: [bn3, act]}
  conv3: {op: conv, out: 4, kernel: 3, stride: 2}
  flat: flatten
  fc: {op: linear, out: $classes}
"""
FOLDED = (
    MIXED.replace(", bias: false", "")
    .replace("  bn1: batch_norm\n", "")
    .replace("  bn2: batch_norm\n", "")
    .replace("  bn3: batch_norm\n", "")
    .replace("bn3, act", "conv2, act")
)
PLAIN = """\
nodes:
  features:
    nodes:
    - {op: conv, out: 8, kernel: 3}
    - relu
    - {op: conv, out: 16, kernel: 3}
    - relu
    - {op: conv, out: 32, kernel: 3}
    - relu
  pool: global_avg_pool
  fc: {op: linear, out: $classes}
"""
SHORTCUT = """\
nodes:
  conv1: {op: conv, out: $width, kernel: 3, padding: half, bias: false}
  bn1: batch_norm
  relu: relu
  unit:
    nodes:
      conv1: {op: conv, out: $width, kernel: 3, stride: 2, padding: half, bias: false}
      bn1: batch_norm
      relu1: relu
      conv2: {op: conv, out: 2 * $width, kernel: 3, padding: half, bias: false}
      bn2: batch_norm
      downsample: {from: in, nodes: [{op: conv, out: 2 * $width, kernel: 1, stride: 2, bias: false}, batch_norm]}
      sum: {op: add, from: [bn2, downsample]}
      relu2: relu
  pool: global_avg_pool
  fc: {op: linear, out: $classes}
"""
RENAMED_SHORTCUT = SHORTCUT.replace("downsample: {", "shortcut: {").replace("downsample]", "shortcut]")
TOKENS = """\
nodes:
  patch: {op: conv, out: 8, kernel: 4, stride: 4}
  position: {op: parameter, shape: [8, 4, 4], init: {normal: {std: 1}}}
  sum: {op: add, from: [patch, position]}
  norm: layer_norm
  pool: global_avg_pool
  fc: {op: linear, out: $classes}
"""


def with_norms(text: str) -> str:
    for number in (1, 2, 3):
        text = text.replace("    - relu\n", f"    - batch_norm # {number}\n    - RELU\n", 1)
    return text.replace("RELU", "relu")


@dataclass(frozen=True)
class Pair:
    """The old and the new spec, and what is expected: counts, and the part of the output that is preserved."""

    old: str
    new: str
    counts: dict[str, int]
    options: dict[str, Any] = field(default_factory=dict)
    inputs: Callable[[Tensor], Tensor] | None = None  # from the input of the new network to that of the old one
    images: tuple[int, ...] = (3, 16, 16)
    outputs: tuple[int, ...] | None = None  # of the old network
    head: str = HEAD
    preserved: bool = True


PAIRS = {
    "same": Pair(RESIDUAL, RESIDUAL, {"copied": 32}),
    "renamed": Pair(
        RESIDUAL,
        RESIDUAL.replace("layer1:", "stage:").replace("conv1:", "first:").replace("bn1", "norm"),
        {"copied": 2, "renamed": 30},
    ),
    "classes kept": Pair(
        RESIDUAL,
        RESIDUAL,
        {"copied": 30, "adapted": 2},
        {"classes": (1, 5, 9)},
        outputs=(1, 5, 9),
        head=HEAD.replace("classes: 10", "classes: 3"),
    ),
    "grey": Pair(
        RESIDUAL,
        RESIDUAL,
        {"copied": 31, "adapted": 1},
        inputs=lambda image: image.expand(-1, 3, -1, -1),
        images=(1, 16, 16),
        head=HEAD.replace("[3,", "[1,"),
    ),
    "nine channels": Pair(
        RESIDUAL,
        RESIDUAL,
        {"copied": 31, "adapted": 1},
        {"input_channels": "sum"},
        inputs=lambda image: image[:, :3],
        images=(9, 16, 16),
        head=HEAD.replace("[3,", "[9,"),
    ),
    "larger kernel": Pair(
        RESIDUAL, RESIDUAL.replace("kernel: 3", "kernel: 5", 1), {"copied": 31, "adapted": 1}
    ),
    "gates": Pair(
        RESIDUAL,
        RESIDUAL.replace(GATE[:22], "").replace("      sum: {op: add, from: [bn2, in]}\n", GATE),
        {"copied": 28, "adapted": 4, "fresh": 8},
    ),
    "gates of hardsigmoid": Pair(
        RESIDUAL,
        RESIDUAL.replace(GATE[:22], "")
        .replace("      sum: {op: add, from: [bn2, in]}\n", GATE)
        .replace("sigmoid", "hardsigmoid"),
        {"copied": 28, "adapted": 4, "fresh": 8},
    ),
    "a branch with LayerScale": Pair(
        RESIDUAL,
        RESIDUAL.replace(SCALED[:22], "").replace("      sum: {op: add, from: [bn2, in]}\n", SCALED),
        {"copied": 32, "fresh": 6},
    ),
    "a layer in a residual branch": Pair(
        RESIDUAL,
        RESIDUAL.replace("[bn2, in]", "[extra, in]").replace(
            "      sum:", "      extra: {op: conv, out: $width, kernel: 3, padding: half}\n      sum:"
        ),
        {"copied": 32, "fresh": 4},
    ),
    "a layer before a residual stage": Pair(
        RESIDUAL,
        RESIDUAL.replace(
            "  layer1:\n",
            "  mix: {op: conv, out: $width, kernel: 1, bias: false}\n  bn3: batch_norm\n  again: relu\n  layer1:\n",
        ),
        {"copied": 32, "fresh": 6},
    ),
    "a layer between residual units": Pair(
        RESIDUAL,
        RESIDUAL.replace("      conv1:", "      mix: {op: conv, out: $width, kernel: 3, padding: half}\n      conv1:")
        .replace("[bn2, in]", "[bn2, mix]"),
        {"copied": 32, "fresh": 4},
    ),
    "deeper": Pair(RESIDUAL, RESIDUAL.replace("repeat: 2", "repeat: 4"), {"copied": 32, "fresh": 24}),
    "inserted in a sequence": Pair(
        PLAIN,
        PLAIN.replace(
            "    - {op: conv, out: 16",
            "    - {op: conv, out: 8, kernel: 3, padding: half}\n    - relu\n    - {op: conv, out: 16",
        ),
        {"copied": 4, "renamed": 4, "fresh": 2},
    ),
    "norms added everywhere": Pair(PLAIN, with_norms(PLAIN), {"copied": 4, "renamed": 4, "fresh": 15}),
    "wider": Pair(RESIDUAL, RESIDUAL, {"copied": 6, "adapted": 26}, head=HEAD.replace("width: 8", "width: 12")),
    "wider, depthwise and concatenated": Pair(
        MIXED, MIXED, {"copied": 10, "adapted": 12}, head=HEAD.replace("width: 8", "width: 20")
    ),
    "wider before flatten": Pair(MIXED, MIXED.replace("out: 4,", "out: 9,"), {"copied": 19, "adapted": 3}),
    "norms folded": Pair(MIXED, FOLDED, {"copied": 4, "adapted": 6, "dropped": 3}),
    "norms unfolded": Pair(FOLDED, MIXED, {"copied": 7, "renamed": 3, "fresh": 12}),
    "classes": Pair(
        RESIDUAL,
        RESIDUAL,
        {"copied": 30, "fresh": 2, "dropped": 2},
        head=HEAD.replace("classes: 10", "classes: 3"),
        preserved=False,
    ),
    "a renamed shortcut, wider": Pair(
        SHORTCUT,
        RENAMED_SHORTCUT,
        {"copied": 4, "renamed": 1, "adapted": 21},
        head=HEAD.replace("width: 8", "width: 12"),
    ),
    "a renamed layer, wider": Pair(
        RESIDUAL,
        RESIDUAL.replace("  conv1:", "  stem:", 1).replace("  bn1:", "  norm:", 1),
        {"copied": 5, "renamed": 1, "adapted": 26},
        head=HEAD.replace("width: 8", "width: 12"),
    ),
    "a renamed stage, wider": Pair(
        RESIDUAL,
        RESIDUAL.replace("layer1:", "stage:"),
        {"copied": 2, "renamed": 4, "adapted": 26},
        head=HEAD.replace("width: 8", "width: 12"),
    ),
    "a renamed layer with a larger kernel": Pair(
        RESIDUAL,
        RESIDUAL.replace("  conv1: {op: conv, out: $width, kernel: 3", "  stem: {op: conv, out: $width, kernel: 7", 1),
        {"copied": 31, "adapted": 1},
    ),
    "a renamed shortcut with a larger kernel": Pair(
        SHORTCUT,
        RENAMED_SHORTCUT.replace("kernel: 1,", "kernel: 3, padding: half,"),
        {"copied": 20, "renamed": 5, "adapted": 1},
    ),
    "group norms": Pair(
        RESIDUAL,
        RESIDUAL.replace("batch_norm", "{op: group_norm, num_groups: 2}"),
        {"copied": 17, "dropped": 15},
        preserved=False,
    ),
    "layer norms, renamed and wider": Pair(
        RESIDUAL,
        RESIDUAL.replace("bn1: batch_norm", "ln: layer_norm", 1).replace("batch_norm", "layer_norm"),
        {"copied": 1, "adapted": 16, "dropped": 15},
        head=HEAD.replace("width: 8", "width: 12"),
        preserved=False,
    ),
    "batch norms instead of layer norms": Pair(
        RESIDUAL.replace("batch_norm", "layer_norm"),
        RESIDUAL,
        {"copied": 17, "fresh": 15},
        preserved=False,
    ),
    "narrower": Pair(
        RESIDUAL, RESIDUAL, {"copied": 6, "adapted": 26}, head=HEAD.replace("width: 8", "width: 5"), preserved=False
    ),
    "another activation": Pair(PLAIN, PLAIN.replace("relu", "silu"), {"copied": 8}, preserved=False),
    "smaller kernel": Pair(
        RESIDUAL, RESIDUAL.replace("kernel: 3", "kernel: 1", 1), {"copied": 31, "adapted": 1}, preserved=False
    ),
    "cycled channels": Pair(
        RESIDUAL,
        RESIDUAL,
        {"copied": 31, "adapted": 1},
        images=(4, 16, 16),
        head=HEAD.replace("[3,", "[4,"),
        preserved=False,
    ),
    "positions": Pair(
        TOKENS,
        TOKENS.replace("4, 4]", "8, 8]"),
        {"copied": 6, "adapted": 1},
        images=(3, 32, 32),
        head=HEAD.replace("16, 16", "32, 32"),
        preserved=False,
    ),
}  # fmt: skip
