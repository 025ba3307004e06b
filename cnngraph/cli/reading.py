"""Compiles the spec that the arguments name, and prints its diagnostics."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from click.exceptions import Exit

from cnngraph.cli.messages import print_diagnostics
from cnngraph.cli.options import Reading
from cnngraph.cli.overrides import COMMAND_LINE
from cnngraph.compilation import Compilation, compile_spec, network_of
from cnngraph.diagnostics import Diagnostic, SpecError
from cnngraph.graph.graph import Graph
from cnngraph.language.model import Spec
from cnngraph.lint.run import Lint

if TYPE_CHECKING:
    from cnngraph.recipe import Recipe


def compile_file(spec: str, reading: Reading, lint: Lint | None = None) -> Compilation:
    """Compile and lint the spec with the options."""
    compilation = compile_unlinted(spec, reading)
    if reading.train and compilation.ok and compilation.spec:
        recipe, errors = _changed_recipe(compilation.spec, reading)
        compilation = replace(compilation, recipe=recipe, diagnostics=compilation.diagnostics + errors)
    return (lint or Lint()).run(compilation)


def compile_unlinted(spec: str, reading: Reading) -> Compilation:
    """Compile the spec without lint warnings, and ignore changes to its recipe."""
    find_plugins(reading.plugins)
    return compile_spec(spec, reading.params, reading.input, max_nodes=reading.max_nodes, plugins=reading.plugins)


def _changed_recipe(spec: Spec, reading: Reading) -> tuple[Recipe | None, tuple[Diagnostic, ...]]:
    """The spec's recipe with `--set train.…` applied, and its errors."""
    from cnngraph.recipe.changed import find_table, read_changed

    try:
        table, name = find_table(spec.train, None)
        return read_changed(table, reading.train, name), ()
    except SpecError as error:
        return None, error.diagnostics


def compile_network(spec: str, reading: Reading) -> Graph:
    """The graph of the spec. Prints diagnostics; raises Exit if there are errors, SpecError if there is no network."""
    compilation = compile_file(spec, reading)
    exit_on_errors(compilation)
    return network_of(compilation, spec)


def valid_part(compilation: Compilation) -> Graph | None:
    """The graph, incomplete if there are errors; None with an error in an option, which the valid part would ignore."""
    if any(error.span and error.span.file == COMMAND_LINE for error in compilation.diagnostics):
        return None
    return compilation.graph


def exit_on_errors(compilation: Compilation) -> None:
    """Print the diagnostics to stderr. Raises Exit if there is an error."""
    if compilation.diagnostics:
        print_diagnostics(compilation.diagnostics, to_stderr=True)
    if not compilation.ok:
        raise Exit(1)


def find_plugins(plugins: Sequence[str] | None) -> None:
    """Allow importing plugins from the working directory, as `python -m` does."""
    if plugins and (here := os.getcwd()) not in sys.path:
        sys.path.insert(0, here)
