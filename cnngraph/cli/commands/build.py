"""`cnngraph build`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING

import click
from click.exceptions import Exit

from cnngraph.cli.command import command
from cnngraph.cli.messages import complain, count, say
from cnngraph.cli.options import Reading, number, reading_options, spec_argument
from cnngraph.cli.published import WeightsOptions, expectations, weights_options
from cnngraph.numbers import show_sizes

if TYPE_CHECKING:
    from torch import nn

    from cnngraph.backend.smoke_test import Shapes, SmokeTest
    from cnngraph.graph.graph import Graph

SOURCE, WEIGHTS = ".py", ".safetensors"
NOTE_AFTER = 5.0  # seconds


@command(
    ("cnngraph build net.yaml", "test that it runs, and print its modules"),
    ("cnngraph build net.yaml -o net.py", "write it as Python source"),
    (
        "cnngraph build net.yaml --weights theirs.pth -o ours.safetensors",
        "convert weights to the network's keys",
    ),
    ("cnngraph build resnet18 --weights torchvision", "load torchvision's published weights"),
    ("cnngraph build net.yaml --seed 1 -o net.safetensors", "write initial weights"),
)
@spec_argument
@click.option(
    "--output",
    "-o",
    type=Path,
    metavar="FILE",
    help="Output file: .py for Python source that only needs torch, .safetensors for the weights.",
)
@weights_options
@click.option("--seed", type=number(0), default=0, metavar="N", help="Random seed for the initial weights.")
@reading_options
def build(spec: str, output: Path | None, weights: WeightsOptions, seed: int, reading: Reading) -> None:
    """Compile a network into a PyTorch module and test that it runs.

    The module is run with a batch of two random images, in eval and in training mode, and printed.
    """
    from cnngraph.cli.output_paths import check_output
    from cnngraph.cli.reading import compile_network

    if output is not None:
        check_output(output, (SOURCE, WEIGHTS))
    graph = compile_network(spec, reading)

    from cnngraph.backend import load_weights, lower, smoke_test

    opened = weights.open(graph, reading)
    smoke_test.seed(seed)
    with _note_if_slow(f"building and running {count(len(graph.nodes), 'operation')}"):
        model = lower(graph)
        report = load_weights(model, opened, strict=True) if opened else None
        try:
            result = smoke_test.smoke_test(model, graph)
        except smoke_test.SmokeTestError as error:
            complain(str(error))
            raise Exit(1) from None
    _print(model, graph, result)
    if report and opened:
        for line in (*str(report).splitlines(), *opened.statements, *expectations(opened, graph)):
            say(line)
    if output is not None:
        _write(output, model, graph)
        if report and output.suffix.lower() == SOURCE:
            say(f"the source contains no weights: use -o {output.with_suffix(WEIGHTS)} to write them")


@contextmanager
def _note_if_slow(what: str, seconds: float = NOTE_AFTER) -> Iterator[None]:
    """Print what is running to stderr if it takes long."""
    timer = Timer(seconds, lambda: print(f"{what} …", file=sys.stderr, flush=True))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _print(model: nn.Module, graph: Graph, result: SmokeTest) -> None:
    """Print the modules, the shapes of the test runs, and the totals."""
    from cnngraph.cli.table import summary

    print(model, end="\n\n")
    inputs = _shapes(result.inputs)
    say(f"eval      {inputs} → {_shapes(result.eval)}")
    say(f"training  {inputs} → {_shapes(result.training)}")
    print(summary(graph))


def _shapes(shapes: Shapes) -> str:
    return ", ".join(f"{name} {show_sizes(shape)}" for name, shape in shapes.items())


def _write(output: Path, model: nn.Module, graph: Graph) -> None:
    from cnngraph.atomic_files import write_text
    from cnngraph.backend import model_source, save_weights

    if output.suffix.lower() == SOURCE:
        write_text(output, model_source(graph))
    else:
        save_weights(model, output)
    say(f"wrote {output}")
