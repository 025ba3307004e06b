"""`cnngraph migrate`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnngraph.cli.command import argument, command
from cnngraph.cli.complete import complete_networks
from cnngraph.cli.iterations import folded
from cnngraph.cli.key_blocks import KeyBlocks, by_iterations
from cnngraph.cli.messages import count, json_text, print_styled, say, terminal_width
from cnngraph.cli.migrating import MigrationChoices, migration_options, old_graph
from cnngraph.cli.options import Format, Reading, format_option, number, reading_options
from cnngraph.cli.output_paths import check_output
from cnngraph.migration import Options
from cnngraph.migration.modules import owner

if TYPE_CHECKING:
    from cnngraph.backend import Migration
    from cnngraph.cli.messages import Styled
    from cnngraph.graph.graph import Graph
    from cnngraph.migration import Plan

ENDING = ".safetensors"
MAX_ROWS = 60
MAX_CHANGES = 60
MANY_ALIKE = 4  # modules that are treated alike are one line from this number on,
MAX_PATHS = 4  # with so many of their paths
COUNTER = ".num_batches_tracked"
STYLES = {"copied": "", "renamed": "cyan", "adapted": "yellow", "fresh": "yellow", "dropped": "yellow"}


@command(
    (
        "cnngraph migrate old.yaml new.yaml old.safetensors -o new.safetensors",
        "carry weights over to a new network",
    ),
    ("cnngraph migrate old.yaml new.yaml", "print the plan only"),
    ("cnngraph migrate resnet18 mine.yaml torchvision -o mine.safetensors", "start from published weights"),
    ("cnngraph migrate net.yaml net.yaml net.pth --input 1x32x32 -o grey.safetensors", "grey images instead of RGB"),
    ("cnngraph migrate net.yaml net.yaml net.pth --set classes=3 --classes 0,4,7", "keep three of the classes"),
)
@argument(
    "old",
    metavar="OLD",
    help="The network that the weights belong to: a YAML file, or the name of a bundled network.",
    shell_complete=complete_networks,
)
@argument("new", metavar="NEW", help="The changed network.", shell_complete=complete_networks)
@argument(
    "weights",
    required=False,
    metavar="WEIGHTS",
    help="Weights of OLD: a .safetensors file, a PyTorch checkpoint (loaded without executing code), or torchvision. "
    "Without it, only the plan is printed.",
)
@click.option("--output", "-o", type=Path, metavar="FILE", help="Write the weights of NEW to a .safetensors file.")
@migration_options
@click.option("--fresh", multiple=True, metavar="PATTERN", help="Initialise these modules of NEW. Repeatable.")
@click.option("--seed", type=number(0), metavar="N", help="Random seed for fresh weights. Default: 0.")
@format_option
@reading_options
def migrate(
    old: str,
    new: str,
    weights: str | None,
    output: Path | None,
    migration: MigrationChoices,
    fresh: tuple[str, ...],
    seed: int | None,
    format: Format,
    reading: Reading,
) -> None:
    """Carry the weights of a network over to a changed one.

    Every weight of NEW is copied, renamed (its module has another path, found by its neighbours), adapted (to other
    channels, classes or kernels) or fresh. Inserted modules start such that the network computes the same as before,
    where that is possible. Where the plan says that the function is preserved, both networks are run on random inputs,
    and the maximum difference is printed. --set and --input apply to NEW.
    """
    from cnngraph.cli.reading import compile_network

    _check_options(output, weights, seed)
    graphs = old_graph(old, migration.old_sets, reading), compile_network(new, reading)
    options = Options(migration.input_channels, migration.classes, fresh)
    done = opened = None
    if weights is None:
        from cnngraph.migration import plan

        planned = plan(*graphs, options)
    else:
        from cnngraph import backend
        from cnngraph.elaborate.bases import base_names

        opened = backend.open_weights(weights, base_names(graphs[0])).fitted(graphs[0].state, graphs[0].renames)
        done = backend.migrate(opened, *graphs, options, seed or 0)
        planned = done.plan
    if output is not None and done is not None:
        from cnngraph.backend.weights.load import save_tensors

        save_tensors(done.state, output)
    if format == "json":
        facts = {"weights": weights, "written": None if output is None else str(output)}
        print(json_text({**facts, **(done.to_dict() if done else planned.to_dict())}, indent=2))
        return
    print_styled([*_table(planned), [], *_changes(planned, *graphs), *_summary(planned, done, graphs[1])])
    for name in opened.other_names if opened else ():
        say(f"the file has other weights that fit as well: {name}")
    if output is not None:
        say(f"wrote {output}")
    elif done is None:
        say(f"this is only a plan: add the weights of {planned.old}, and -o FILE, to carry it out")
    else:
        say("nothing was written: add -o FILE")


def _table(planned: Plan) -> list[Styled]:
    """The number of weights of each kind, by block."""
    from cnngraph.cli.layout import Column, in_columns

    names = KeyBlocks([*(tensor.key for tensor in planned.tensors), *(item.key for item in planned.dropped)])
    rows: dict[str, dict[str, int]] = {}
    keys = [(tensor.key, str(tensor.kind)) for tensor in planned.tensors]
    for key, kind in [*keys, *((item.key, "dropped") for item in planned.dropped)]:
        row = rows.setdefault(names.of(key), dict.fromkeys(STYLES, 0))
        row[kind] += 1
    columns = [Column("block", cut="middle"), Column("weights", right=True)]
    columns += [Column(kind, right=True) for kind in STYLES]
    shown = by_iterations(rows)
    lines = in_columns(columns, [_cells(*row) for row in shown[:MAX_ROWS]], terminal_width())
    if len(shown) > MAX_ROWS:
        lines.append([(f"… {count(len(shown) - MAX_ROWS, 'more block')}", "dim")])
    return lines


def _cells(name: str, counts: dict[str, int]) -> list[Styled]:
    total = sum(counts.values()) - counts["dropped"]
    changed = any(number for kind, number in counts.items() if kind not in ("copied", "renamed"))
    cells: list[Styled] = [[(name, "bold" if changed else "")], [(f"{total:,}" if total else "", "")]]
    return [*cells, *([(f"{number:,}" if number else "", STYLES[kind])] for kind, number in counts.items())]


def _changes(planned: Plan, old: Graph, new: Graph) -> Iterator[Styled]:
    """What is not simply copied, with one line for the tensors of a module or block that are treated alike."""
    modules = {owner(node) for graph in (old, new) for node in graph.nodes}
    groups: dict[tuple[str, str, str], list[str]] = {}
    for tensor in planned.tensors:
        if tensor.kind == "renamed" and tensor.source is not None:
            path, source = _renamed(tensor.key, tensor.source)
            groups.setdefault(("renamed", path, f"was {source}"), []).append(tensor.key)
        elif tensor.kind != "copied":
            path = _module(tensor.key, modules)
            groups.setdefault((tensor.kind, path, ""), []).append(tensor.key)
    for item in planned.dropped:
        groups.setdefault(("dropped", _module(item.key, modules), ""), []).append(item.key)
    notes = {tensor.key: tensor.note for tensor in planned.tensors}
    dropped = {item.key: item.note for item in planned.dropped}
    lines = []
    for (kind, path, note), keys in groups.items():
        found = dict.fromkeys((dropped if kind == "dropped" else notes)[key] for key in keys)
        shown = note or "; ".join([text for text in found if text][:2])
        names = _names(path, keys, old if kind == "dropped" else new)
        lines.append((path, f"{kind}{names}\n{shown}"))
    alike: dict[str, list[str]] = {}
    for line in folded(lines):
        alike.setdefault(line.text, []).append(line.path)
    changes = [change for text, paths in alike.items() for change in _joined(text, paths)]
    for paths_of_change, text in changes[:MAX_CHANGES]:
        what, _, shown = text.partition("\n")
        kind, _, names = what.partition(" ")
        name = f" {paths_of_change} {names}".rstrip()
        yield [(f"{kind:<8}", STYLES[kind]), (name, ""), (f": {shown}" if shown else "", "dim")]
    if len(changes) > MAX_CHANGES:
        yield [(f"… {count(len(changes) - MAX_CHANGES, 'more change')}; --format json lists every weight", "dim")]
    if changes:
        yield []


def _joined(text: str, paths: list[str]) -> list[tuple[str, str]]:
    """Modules that are treated alike: a line for each, or one for all if there are many."""
    if len(paths) < MANY_ALIKE:
        return [(path, text) for path in paths]
    more = len(paths) - MAX_PATHS
    return [(", ".join(paths[:MAX_PATHS]) + (f" and {more} more" if more > 0 else ""), text)]


def _renamed(key: str, source: str) -> tuple[str, str]:
    """The paths of two tensors without what is the same at their end: the block that was renamed."""
    ours, theirs = key.split("."), source.split(".")
    while len(ours) > 1 and len(theirs) > 1 and ours[-1] == theirs[-1]:
        ours.pop()
        theirs.pop()
    return ".".join(ours), ".".join(theirs)


def _module(key: str, modules: set[str]) -> str:
    """The module of a tensor; a free parameter is one itself."""
    return key if key in modules else key.rpartition(".")[0] or key


def _names(path: str, keys: list[str], graph: Graph) -> str:
    """Which tensors of a module are meant, if it has others, or how many of a block. Counters are not worth a word."""
    own = [key for key in graph.state if key == path or key.startswith(f"{path}.")]
    if any("." in key.removeprefix(f"{path}.") for key in own if key != path):
        return f" ({count(len(keys), 'weight')})"
    if {key for key in own if not key.endswith(COUNTER)} <= {*keys}:
        return ""
    return f" ({', '.join(key.rpartition('.')[2] for key in keys)})"


def _summary(planned: Plan, done: Migration | None, new: Graph) -> Iterator[Styled]:
    """The totals, and for each output what is preserved, with the measured difference."""
    measured = {item.claim.output: item for item in done.differences} if done else {}
    for claim in planned.claims:
        style = "green" if claim.preserved else "yellow"
        yield [(str(claim), style)]
        if found := measured.get(claim.output):
            yield [(f"  measured at {claim.at}: {found}", "dim")]
    totals = ", ".join(f"{number:,} {kind}" for kind, number in planned.counts.items() if number)
    yield [(f"{planned.old} → {planned.new}: ", "bold"), (f"{count(len(new.state), 'weight')}: {totals}", "")]


def _check_options(output: Path | None, weights: str | None, seed: int | None) -> None:
    """Refuse an output that cannot be written, and options that need WEIGHTS without them."""
    if output is not None:
        check_output(output, (ENDING,))
        if weights is None:
            raise click.BadParameter("there is nothing to write without WEIGHTS", param_hint="--output")
        if output.exists() and Path(weights).exists() and output.samefile(weights):
            raise click.BadParameter(f"{output} is the file with the old weights", param_hint="--output")
    if seed is not None and weights is None:
        raise click.UsageError(
            "--seed needs WEIGHTS: without them only the plan is printed, and nothing is initialised"
        )
