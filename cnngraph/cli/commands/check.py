"""`cnngraph check`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.exceptions import Exit

from cnngraph.cli.command import argument, command
from cnngraph.cli.complete import complete_networks
from cnngraph.cli.messages import count, count_severities, json_text, print_diagnostics, print_styled
from cnngraph.cli.options import Format, Reading, format_option, reading_options, selection_options
from cnngraph.diagnostics import Diagnostic, has_errors
from cnngraph.numbers import show_count

if TYPE_CHECKING:
    from cnngraph.lint.selection import Selection

JSON_FIELDS = ("code", "severity", "message", "file", "line", "column", "node", "help", "notes", "fixes")


@command(
    ("cnngraph check net.yaml", "find every mistake"),
    ("cnngraph check specs/*.yaml", "many files at once"),
    ("cnngraph check net.yaml --set classes=4 --input 3x320x320", "with other values"),
    ("cnngraph check net.yaml --fix", "apply the fixes that were verified, and say what is left"),
    ("cnngraph check net.yaml --format json", "for a program"),
)
@argument(
    "specs",
    nargs=-1,
    required=True,
    metavar="SPEC...",
    help="The specs: YAML files, libraries of blocks and recipes too, or names of the library.",
    shell_complete=complete_networks,
)
@format_option
@click.option("--fix", is_flag=True, help="Apply the verified fixes of errors, and print what was changed.")
@click.option("--diff", is_flag=True, help="Print the changes that --fix would make, and change nothing.")
@selection_options
@reading_options
def check(
    specs: tuple[str, ...], format: Format, fix: bool, diff: bool, selection: Selection, reading: Reading
) -> None:
    """Find every mistake in a spec.

    Looks at its structure, names, expressions, shapes and training recipe, and whether that suits the network, without
    loading PyTorch. Each message has the place, the facts that led to it, and one likely mend.

    A fix is verified: with it the error is gone, and no other one has appeared. --fix applies the fixes of errors until
    none is left, also in the files that a spec imports, but never in the library's.

    The exit code is 1 where there is an error, with --format json too; with --diff also where there is a fix. cnngraph
    explain CODE explains a message's code with examples.
    """
    if diff:
        from cnngraph.cli.fixing import show_fixes

        raise Exit(0 if show_fixes(specs, reading) else 1)
    if fix:
        from cnngraph.cli.fixing import apply_fixes

        apply_fixes(specs, reading, to_stderr=format == "json")
    found = [_checked(spec, reading, selection) for spec in specs]
    if format == "json":
        _print_json(found)
    else:
        _print_text(found)
    if not all(each.ok for each in found):
        raise Exit(1)


@dataclass(frozen=True, slots=True)
class _Checked:
    """What there is to say about one file: its mistakes, and what it is where it is fine."""

    file: str
    diagnostics: tuple[Diagnostic, ...]
    facts: str

    @property
    def ok(self) -> bool:
        """Whether there is no error."""
        return not has_errors(self.diagnostics)

    @property
    def verdict(self) -> str:
        """`fine`, or how many mistakes there are."""
        counted = count_severities(self.diagnostics)
        return (f"fine but for {counted}" if counted else "fine") if self.ok else counted


def _checked(spec: str, how: Reading, selection: Selection) -> _Checked:
    from cnngraph.cli.reading import compile_file
    from cnngraph.lint.run import Lint

    compilation = compile_file(spec, how, Lint(own=True, changes=how.train, selection=selection))
    graph = compilation.graph
    if not compilation.ok and (mistakes := _recipe_mistakes(spec)) is not None:
        return _Checked(spec, mistakes, "a recipe")
    if graph is not None:
        facts = f"{count(graph.num_params, 'parameter')}, {show_count(graph.macs)} MACs"
    else:
        facts = f"a library of {count(len(compilation.spec.library.blocks) if compilation.spec else 0, 'block')}"
    return _Checked(spec, compilation.diagnostics, facts)


def _recipe_mistakes(file: str) -> tuple[Diagnostic, ...] | None:
    """What is wrong with a file that is a recipe of its own; None for any other file."""
    from cnngraph.diagnostics import SpecError
    from cnngraph.document import Table, parse, read_file
    from cnngraph.file_kinds import RECIPE, kind_of
    from cnngraph.recipe import read_recipe

    try:
        value, mistakes = parse(read_file(Path(file)))
    except SpecError:
        return None
    kind = kind_of(value) if isinstance(value, Table) else None
    if not isinstance(value, Table) or not kind or kind[0] != RECIPE:
        return None
    return (*mistakes, *read_recipe(value, name=Path(file).stem)[1])


def _print_json(found: list[_Checked]) -> None:
    files = []
    for each in found:
        facts = [diagnostic.to_dict() for diagnostic in each.diagnostics]
        diagnostics = [{name: fact[name] for name in JSON_FIELDS} for fact in facts]
        files.append({"file": each.file, "ok": each.ok, "diagnostics": diagnostics})
    print(json_text(files, indent=2))


def _print_text(found: list[_Checked]) -> None:
    """Each file's diagnostics, with empty lines around them, then a line on the file."""
    for number, each in enumerate(found):
        if each.diagnostics:
            if number:
                print()
            print_diagnostics(each.diagnostics, to_stderr=False)
            print()
        style = "green" if each.ok else "red"
        facts = f", {each.facts}" if each.ok else ""
        print_styled([[(f"{each.file}: ", "bold"), (each.verdict, style), (facts, "")]])
