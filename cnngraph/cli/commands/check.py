"""`cnngraph check`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import click
from click.exceptions import Exit

from cnngraph.cli.command import argument, command
from cnngraph.cli.complete import complete_networks, complete_recipes
from cnngraph.cli.messages import json_text, print_diagnostics, print_styled
from cnngraph.cli.options import Reading, choice, reading_options, selection_options

if TYPE_CHECKING:
    from cnngraph.checking import CheckReport
    from cnngraph.lint.selection import Selection
    from cnngraph.recipe.fit import ReadImages

Format: TypeAlias = Literal["text", "json", "github", "sarif"]


@command(
    ("cnngraph check net.yaml", "find all errors"),
    ("cnngraph check specs", "all specs, recipes and experiments in a folder"),
    ("cnngraph check net.yaml --set classes=4 --input 3x320x320", "override values"),
    ("cnngraph check net.yaml --fix", "apply verified fixes, and print the remaining errors"),
    (
        "cnngraph check net.yaml --recipe photos --data-dir my_photos",
        "check that the network, recipe and data fit together",
    ),
    ("cnngraph check - --stdin-name net.yaml < net.yaml", "check standard input, such as an unsaved file"),
    ("cnngraph check specs --format github", "print annotations for a pull request"),
)
@argument(
    "files",
    nargs=-1,
    required=True,
    metavar="FILE...",
    help="Specs, block libraries, recipes and experiments: YAML files, folders, names of bundled ones, or - for "
    "standard input.",
    shell_complete=complete_networks,
)
@click.option(
    "--format",
    type=choice("text", "json", "github", "sarif"),
    default="text",
    help="Output format: text, JSON, GitHub annotations, or SARIF 2.1.0.",
)
@click.option(
    "--recipe",
    metavar="NAME|FILE",
    help="Check that the networks can be trained with this recipe.",
    shell_complete=complete_recipes,
)
@click.option(
    "--data-dir",
    "--data",
    type=Path,
    metavar="FOLDER",
    help="Also read the recipe's data from this folder, and check that it fits the networks and the recipe. "
    "Requires PyTorch.",
)
@click.option(
    "--stdin-name",
    default="<stdin>",
    metavar="FILE",
    help="File name to assume for standard input, in messages and for imports.",
)
@click.option("--fix", is_flag=True, help="Apply verified fixes, and print each of them.")
@click.option("--diff", is_flag=True, help="Print the changes that --fix would make as a diff, without applying them.")
@selection_options
@reading_options
def check(
    files: tuple[str, ...],
    format: Format,
    recipe: str | None,
    data_dir: Path | None,
    stdin_name: str,
    fix: bool,
    diff: bool,
    selection: Selection,
    reading: Reading,
) -> None:
    """Find errors in specs, recipes and experiments.

    Checks structure, names, expressions, shapes and training recipes, and whether recipes fit the networks, without
    PyTorch. For an experiment, every combination is checked. Other files in a folder are skipped.

    A line `fix: ...` in a message is a verified fix: it removes the error or warning and causes no other, but may
    reveal one that was hidden. --fix applies such fixes until none is left, also to the files that a spec imports, but
    never to bundled ones.

    The exit code is 1 if there is an error, and with --diff also if there is a fix. Run cnngraph explain CODE for an
    explanation of an error code.
    """
    from cnngraph.checking import CheckOptions, check_paths, expanded
    from cnngraph.cli.reading import find_plugins
    from cnngraph.document import read_stream

    find_plugins(reading.plugins)
    options = CheckOptions(
        params=reading.params,
        train=reading.train,
        input=reading.input,
        plugins=reading.plugins,
        max_nodes=reading.max_nodes,
        recipe=recipe,
        images=_image_reader(data_dir) if data_dir else None,
        selection=selection,
    )
    if (fix or diff) and "-" in files:
        raise click.BadParameter("cannot fix standard input: pass a file", param_hint="--fix" if fix else "--diff")
    if diff:
        from cnngraph.cli.fixing import show_fixes

        raise Exit(0 if show_fixes(expanded(files, options), reading, selection) else 1)
    if fix:
        from cnngraph.cli.fixing import apply_fixes

        apply_fixes(expanded(files, options), reading, selection, to_stderr=format != "text")
    text = read_stream(sys.stdin.buffer, stdin_name, options.limits) if "-" in files else None
    report = check_paths(files, options, text)
    _print(report, format)
    if not report.ok:
        raise Exit(1)


def _image_reader(data_dir: Path) -> ReadImages:
    if not data_dir.is_dir():
        raise click.BadParameter(f"there is no folder {data_dir}", param_hint="--data-dir")
    from cnngraph.packages import require_extra

    require_extra("train")
    from cnngraph.train.data.data_reader import DataReader

    return DataReader(data_dir).facts


def _print(report: CheckReport, format: Format) -> None:
    match format:
        case "json":
            from cnngraph.checking.formats.json import to_json

            print(json_text(to_json(report), indent=2))
        case "sarif":
            from cnngraph.checking.formats.sarif import to_sarif

            print(json_text(to_sarif(report), indent=2))
        case "github":
            from cnngraph.checking.formats.github import to_github

            print(to_github(report), end="")
        case "text":
            _print_text(report)


def _print_text(report: CheckReport) -> None:
    """Print the diagnostics of each file between empty lines, then its verdict."""
    from cnngraph.checking.formats.text import Verdict, to_text

    above = False
    for part in to_text(report):
        if isinstance(part, Verdict):
            file = [(f"{part.file}: ", "bold")] if part.file else []
            facts = [(f", {part.facts}", "")] if part.facts else []
            print_styled([[*file, (part.verdict, "green" if part.ok else "red"), *facts]])
        else:
            if above:
                print()
            print_diagnostics(part, to_stderr=False)
            print()
        above = True
