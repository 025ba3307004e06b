"""Specs for tests of the command line."""

ZOO = """\
cnngraph: 1
name: zoo
about: Everything that a table can show.
input: {left: [3, 16, 16], right: [3, 16, 16]}
params: {classes: 5}
blocks:
  unit:
    params: {out: }
    nodes:
      conv: {op: conv, out: $out, kernel: 3, padding: half, bias: false}
      bn: batch_norm
      add: {op: add, from: [bn, in], when: $in.channels == $out}
      act: relu
nodes:
  stem: {op: conv, from: left, out: 8, kernel: 3, padding: half}
  twin: {share: stem, from: right}
  diff: {op: sub, from: [stem, twin]}
  stages: {repeat: 2, op: unit, out: 8}
  halves: {op: chunk, chunks: 2}
  dense: {from: [halves.1, halves.0], nodes: [concat]}
  branches: {repeat: 3, carry: none, from: dense, op: conv, out: 2, kernel: 1}
  joined: {op: concat, from: branches}
  convs.0: {op: conv, out: 4, kernel: 1, from: joined}
  bns.0: batch_norm
  spare: {op: conv, out: 4, kernel: 1, unused: true}
  aux: {from: joined, nodes: [global_avg_pool, {op: linear, out: $classes}]}
  pool: {op: global_avg_pool, from: bns.0}
  fc: {op: linear, out: $classes}
outputs: {logits: fc, aux: aux}
training_only: [aux]
"""

DENSE = """\
cnngraph: 1
name: dense
input: [3, 32, 32]
blocks:
  layer: {nodes: [batch_norm, relu, {op: conv, out: 4, kernel: 3, padding: half}]}
  stage: {params: {out: }, repeat: 2, flat: true, op: conv, kernel: 1, last: {out: $out}, first: {out: 2}}
nodes:
  block1: {repeat: 6, name: denselayer1, op: layer, carry: concat}
  features: [{op: stage, out: 6}, relu]
  classifier: [global_avg_pool, {op: linear, out: 10}]
"""
