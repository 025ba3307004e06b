"""Compilation time of specs by size: the time per node must not grow.

python -m benchmarks.elaboration                  # 1,000, 10,000 and 100,000 nodes
python -m benchmarks.elaboration --nodes 5000
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

from cnngraph.compilation import compile_text
from cnngraph.diagnostics import Source
from cnngraph.elaborate.elaborate import MAX_NODES

HEAD = "cnngraph: 1\ninput: [8, 8, 8]\n"
UNIT = """blocks:
  unit:
    params: {out: , changes: $in.channels != $out}
    nodes:
      conv1: {op: conv, out: $out, kernel: 3, padding: half, bias: false}
      bn1: batch_norm
      relu1: relu
      conv2: {op: conv, out: $out, kernel: 3, padding: half, bias: false}
      bn2: batch_norm
      downsample: {op: conv, from: in, when: $changes, out: $out, kernel: 1}
      add: {op: add, from: [bn2, downsample]}
      relu2: relu
"""
UNIT_NODES = 7


def chain(nodes: int) -> str:
    """A chain of nodes, all written out."""
    lines = (f"  conv{number}: {{op: conv, out: 8, kernel: 3, padding: 1}}" for number in range(nodes))
    return HEAD + "nodes:\n" + "\n".join(lines)


def repeat(nodes: int) -> str:
    """One node, repeated."""
    return f"{HEAD}nodes: {{body: {{repeat: {nodes}, op: conv, out: 8, kernel: 3, padding: half}}}}"


def units(nodes: int) -> str:
    """A block with params, conditions and a shortcut, repeated in ten stages."""
    rounds = max(1, nodes // UNIT_NODES // 10)
    stages = (f"  layer{number}: {{repeat: {rounds}, op: unit, out: 8}}" for number in range(10))
    return HEAD + UNIT + "nodes:\n" + "\n".join(stages)


def branches(nodes: int) -> str:
    """Pairs of branches that are written after the nodes that read them."""
    lines = []
    for number in range(nodes // 3):
        above = f"sum{number - 1}" if number else "in"
        lines += [
            f"  sum{number}: {{op: add, from: [left{number}, right{number}]}}",
            f"  left{number}: {{op: conv, from: {above}, out: 8, kernel: 1}}",
            f"  right{number}: {{op: relu, from: {above}}}",
        ]
    return HEAD + "nodes:\n" + "\n".join(lines) + f"\noutputs: {{logits: sum{nodes // 3 - 1}}}"


KINDS: tuple[Callable[[int], str], ...] = (chain, repeat, units, branches)


def main() -> None:
    """Print a line for each kind and size."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--nodes", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    print(f"{'kind':10} {'nodes':>8} {'seconds':>9} {'µs/node':>9}")
    for kind in KINDS:
        for size in arguments.parse_args().nodes:
            source = Source(f"{kind.__name__}.yaml", kind(size))
            began = time.perf_counter()
            result = compile_text(source, Path(), max_nodes=max(size + 10, MAX_NODES))
            seconds = time.perf_counter() - began
            assert result.ok, "\n".join(map(str, result.diagnostics))
            assert result.graph is not None
            count = len(result.graph.nodes)
            print(f"{kind.__name__:10} {count:8,} {seconds:9.2f} {seconds / count * 1e6:9.0f}")


if __name__ == "__main__":
    main()
