"""`cnngraph check`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnngraph.cli.help import examples
from cnngraph.cli.messages import count, count_severities, print_diagnostics, print_styled, printable
from cnngraph.cli.options import (
    MAX_NODES,
    Format,
    FormatOption,
    InputOption,
    MaxNodesOption,
    PluginOption,
    SetOption,
    reading,
)

if TYPE_CHECKING:
    from cnngraph.api import Compilation

SpecsArgument = Annotated[
    list[Path], typer.Argument(metavar="SPEC...", help="The specs, YAML files; libraries of blocks too.")
]
JSON_FIELDS = ("code", "severity", "message", "file", "line", "column", "node", "help")


@examples(
    ("cnngraph check net.yaml", "find every mistake"),
    ("cnngraph check specs/*.yaml", "many files at once"),
    ("cnngraph check net.yaml --set classes=4 --input 3x320x320", "with other values"),
    ("cnngraph check net.yaml --format json", "for a program"),
)
def check(
    specs: SpecsArgument,
    format: FormatOption = Format.TEXT,
    sets: SetOption = None,
    inputs: InputOption = None,
    plugins: PluginOption = None,
    max_nodes: MaxNodesOption = MAX_NODES,
) -> None:
    """Find every mistake in a spec.

    Looks at its structure, names, expressions, shapes and training recipe, without loading PyTorch. Each message has
    the place, the facts that led to it, and one likely mend.

    The exit code is 1 where there is an error, with --format json too.
    """
    from cnngraph.cli.reading import compile_file

    how = reading(sets, inputs, plugins, max_nodes)
    found = [(each, compile_file(each, how)) for each in specs]
    if format is Format.JSON:
        _print_json(found)
    else:
        _print_text(found)
    if not all(each.ok for _, each in found):
        raise typer.Exit(1)


def _print_json(found: list[tuple[Path, Compilation]]) -> None:
    files = []
    for spec, compilation in found:
        facts = [each.to_dict() for each in compilation.diagnostics]
        diagnostics = [{name: each[name] for name in JSON_FIELDS} for each in facts]
        files.append({"file": str(spec), "ok": compilation.ok, "diagnostics": diagnostics})
    print(json.dumps(files, indent=2, ensure_ascii=False))


def _print_text(found: list[tuple[Path, Compilation]]) -> None:
    """Each file's diagnostics, with empty lines around them, then a line on the file."""
    for number, (spec, compilation) in enumerate(found):
        if compilation.diagnostics:
            if number:
                print()
            print_diagnostics(compilation.diagnostics, to_stderr=False)
            print()
        verdict, facts = _verdict(compilation)
        style = "green" if compilation.ok else "red"
        print_styled([[(printable(f"{spec}: "), "bold"), (verdict, style), (facts, "")]])


def _verdict(compilation: Compilation) -> tuple[str, str]:
    """`fine`, and what it is that is fine; or how many errors there are."""
    if not compilation.ok:
        return count_severities(compilation.diagnostics), ""
    verdict = f"fine but for {count_severities(compilation.diagnostics)}" if compilation.diagnostics else "fine"
    graph, spec = compilation.graph, compilation.spec
    if graph is None:
        return verdict, f", a library of {count(len(spec.library.blocks) if spec else 0, 'block')}"
    from cnngraph.cli.numbers import short

    return verdict, f", {count(graph.num_params, 'parameter')}, {short(graph.macs)} MACs"
