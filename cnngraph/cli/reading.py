"""From a spec's name or path and the shared options to a graph, or to messages and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import replace

from click.exceptions import Exit

from cnngraph.cli.messages import print_diagnostics
from cnngraph.cli.options import Reading
from cnngraph.compilation import Compilation, compile_spec, network_of
from cnngraph.diagnostics import Diagnostic, SpecError
from cnngraph.graph.graph import Graph
from cnngraph.language.model import Spec
from cnngraph.lint.run import Lint


def compile_file(spec: str, how: Reading, lint: Lint | None = None) -> Compilation:
    """Read, check, elaborate and lint the spec with what the options say."""
    compilation = compile_unlinted(spec, how)
    if how.train and compilation.ok and compilation.spec:
        compilation = replace(compilation, diagnostics=compilation.diagnostics + _train_mistakes(compilation.spec, how))
    return (lint or Lint()).run(compilation)


def compile_unlinted(spec: str, how: Reading) -> Compilation:
    """The same without the warnings of lint, and without what the options change in the recipe."""
    find_plugins(how.plugins)
    return compile_spec(spec, how.params, how.input, max_nodes=how.max_nodes, plugins=how.plugins)


def _train_mistakes(spec: Spec, how: Reading) -> tuple[Diagnostic, ...]:
    """What `--set train.…` makes wrong with the spec's recipe."""
    from cnngraph.recipe.changed import find_table, read_changed

    try:
        table, name = find_table(spec.train, None)
        read_changed(table, how.train, name)
    except SpecError as error:
        return error.diagnostics
    return ()


def compile_network(spec: str, how: Reading) -> Graph:
    """The whole graph of the spec. Prints what is wrong; raises Exit or SpecError where there is none."""
    compilation = compile_file(spec, how)
    refuse_mistakes(compilation)
    return network_of(compilation, spec)


def refuse_mistakes(compilation: Compilation) -> None:
    """Print what is wrong on stderr. Raises Exit where there is an error."""
    if compilation.diagnostics:
        print_diagnostics(compilation.diagnostics, to_stderr=True)
    if not compilation.ok:
        raise Exit(1)


def find_plugins(plugins: Sequence[str] | None) -> None:
    """Let plugins stand in the working folder, where `python -m` would find them too."""
    if plugins and (here := os.getcwd()) not in sys.path:
        sys.path.insert(0, here)
