"""Small networks to draw, each for one feature."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cnngraph.compilation import compile_text
from cnngraph.diagnostics import Source, SpecError
from cnngraph.graph.graph import Graph
from cnngraph.render import Settings, draw

INCEPTION = """
cnngraph: 1
name: inception
input: [1, 28, 28]
blocks:
  inception:
    nodes:
      point: {op: conv, out: 16, kernel: 1}
      deep: {from: in, nodes: [{op: conv, out: 16, kernel: 1}, {op: conv, out: 24, kernel: 5, padding: half}]}
      pool: {from: in, nodes: [{op: avg_pool, kernel: 3, stride: 1, padding: 1}, {op: conv, out: 24, kernel: 1}]}
      concat: {op: concat, from: [point, deep, pool]}
nodes:
  conv1: {op: conv, out: 10, kernel: 5, stride: 2}
  pool1: {op: max_pool, kernel: 2}
  relu1: relu
  inception1: inception
  classifier: [flatten, {op: linear, out: 10}]
"""

RESIDUAL = """
cnngraph: 1
name: residual
input: [3, 32, 32]
params: {units: 4}
blocks:
  basic:
    params: {out: , stride: 1}
    nodes:
      conv1: {op: conv, out: $out, kernel: 3, stride: $stride, padding: half, bias: false}
      bn1: batch_norm
      relu: relu
      conv2: {op: conv, out: $out, kernel: 3, padding: half, bias: false}
      bn2: batch_norm
      downsample:
        from: in
        when: $stride != 1 or $in.channels != $out
        nodes: [{op: conv, out: $out, kernel: 1, stride: $stride, bias: false}, batch_norm]
      drop: {op: drop_path, from: bn2, p: 0.1}
      add: {op: add, from: [drop, downsample]}
      act: relu
nodes:
  stem: [{op: conv, out: 16, kernel: 3, padding: half}, batch_norm, relu]
  layer1: {repeat: $units, op: basic, out: 16}
  layer2: {repeat: $units, op: basic, out: 32, first: {stride: 2}}
  pool: global_avg_pool
  fc: {op: linear, out: 10}
"""

DENSE = """
cnngraph: 1
name: dense
input: [3, 32, 32]
params: {layers: 6}
blocks:
  dense_layer:
    nodes:
      norm1: batch_norm
      relu1: relu
      conv1: {op: conv, out: 48, kernel: 1, bias: false}
      norm2: batch_norm
      relu2: relu
      conv2: {op: conv, out: 12, kernel: 3, padding: half, bias: false}
nodes:
  conv0: {op: conv, out: 24, kernel: 3, padding: half}
  block1: {repeat: $layers, name: layer1, op: dense_layer, carry: concat}
  head: [batch_norm, relu, global_avg_pool, {op: linear, out: 10}]
"""

PARTS = """
cnngraph: 1
name: parts
input: {left: [3, 32, 32], right: [3, 32, 32]}
blocks:
  tower: {nodes: [{op: conv, out: 24, kernel: 3, stride: 2, padding: half}, batch_norm, relu]}
  unit:
    nodes:
      halves: {op: chunk, chunks: 2}
      branch: {op: conv, from: halves.1, out: $in.channels // 2, kernel: 3, padding: half, groups: $in.channels // 2}
      cat: {op: concat, from: [halves.0, branch]}
      shuffle: {op: channel_shuffle, groups: 2}
nodes:
  a: {op: tower, from: left}
  b: {share: a, from: right}
  diff: {op: sub, from: [a, b]}
  stage: {repeat: 3, op: unit}
  highway:
    nodes:
      change: {op: conv, out: $in.channels, kernel: 3, padding: half}
      gate: {op: gate, from: [change, in], mode: exclusive, bias: -2}
  branches: {repeat: 4, carry: none, from: highway, nodes: [{op: conv, out: 8, kernel: 1}, batch_norm]}
  cat: {op: concat, from: [branches]}
  pool: global_avg_pool
  fc: {op: linear, out: 2}
  aux: {from: stage.1, nodes: [global_max_pool, {op: linear, out: 2}]}
  old: {op: linear, from: pool, out: 5, unused: true}
outputs: {logits: fc, aux: aux}
training_only: [aux]
"""

SKIPS = """
cnngraph: 1
name: skips
input: [1, 32, 32]
blocks:
  down:
    params: {out: , stride: 2}
    nodes: [{op: conv, out: $out, kernel: 3, stride: $stride, padding: half}, relu]
  up:
    inputs: [x, skip]
    nodes:
      up: {op: conv_transpose, from: x, out: $skip.channels, kernel: 2, stride: 2}
      concat: {op: concat, from: [skip, up]}
nodes:
  down: {op: down, repeat: 3, out: 4 * 2 ** $i, first: {stride: 1}}
  up: {op: up, repeat: 2, from: [down, "down.${1 - $i}"]}
  sizes: {repeat: 2, from: up.$i, op: conv, out: 4 + $i, kernel: 1, carry: none}
  classifier: {from: sizes, nodes: [{op: global_avg_pool, from: in.1}, {op: linear, out: 10}]}
  smaller: {op: max_pool, from: sizes.0, kernel: 2}
outputs: {logits: classifier, map: smaller}
"""

U_NET = """
cnngraph: 1
name: levels
input: [1, 256, 256]
blocks:
  double:
    params: {out: }
    nodes:
      - {op: conv, out: $out, kernel: 3, padding: half}
      - relu
      - {op: conv, out: $out, kernel: 3, padding: half}
      - relu
  up:
    params: {out: }
    inputs: [x, skip]
    nodes:
      up: {op: conv_transpose, from: x, out: $out, kernel: 2, stride: 2}
      cat: {op: concat, from: [skip, up]}
      conv: {op: double, out: $out}
nodes:
  e1: {op: double, out: 16}
  p1: {op: max_pool, kernel: 2}
  e2: {op: double, out: 32}
  p2: {op: max_pool, kernel: 2}
  e3: {op: double, out: 64}
  p3: {op: max_pool, kernel: 2}
  e4: {op: double, out: 128}
  p4: {op: max_pool, kernel: 2}
  e5: {op: double, out: 256}
  p5: {op: max_pool, kernel: 2}
  mid: {op: double, out: 512}
  d5: {op: up, from: [mid, e5], out: 256}
  d4: {op: up, from: [d5, e4], out: 128}
  d3: {op: up, from: [d4, e3], out: 64}
  d2: {op: up, from: [d3, e2], out: 32}
  d1: {op: up, from: [d2, e1], out: 16}
  head: {op: conv, out: 2, kernel: 1}
"""


def graph_of(text: str) -> Graph:
    """The graph of a spec's text."""
    compilation = compile_text(Source("net.yaml", text), Path())
    if compilation.graph is None or not compilation.ok:
        raise SpecError(compilation.diagnostics)
    return compilation.graph


def dot_of(graph: Graph, **settings: Any) -> str:
    """The graph as DOT."""
    return draw(graph, "dot", Settings(page=None, **settings)).decode()


def mermaid_of(graph: Graph, **settings: Any) -> str:
    """The graph as Mermaid."""
    return draw(graph, "mermaid", Settings(page=None, **settings)).decode()
