"""`cnngraph weights`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.exceptions import Exit

from cnngraph.cli.command import argument, command
from cnngraph.cli.messages import complain, count, json_text, print_styled, say, terminal_width
from cnngraph.cli.options import Format, Reading, format_option, reading_options, spec_argument
from cnngraph.document.flow import quoted
from cnngraph.library import is_name

if TYPE_CHECKING:
    from cnngraph.backend import WeightsFile, WeightsReport
    from cnngraph.cli.messages import Styled
    from cnngraph.graph.graph import Graph

COUNTS = ("weights", "fit", "missing", "other shape", "only in the file")
MOST_ROWS = 60
LARGE = 0.5  # a block with more than this part of all keys is shown by its own blocks
ENDING = ".safetensors"


@command(
    ("cnngraph weights resnet18 torchvision", "those that torchvision publishes"),
    ("cnngraph weights resnet18 torchvision --set classes=10", "all but the classifier"),
    ("cnngraph weights net.yaml theirs.pth", "what is missing, block by block?"),
    ("cnngraph weights net.yaml theirs.pth --save ours.safetensors", "by the network's keys"),
    ("cnngraph weights net.yaml theirs.pth --format json", "for a program"),
)
@spec_argument
@argument(
    "file",
    metavar="FILE",
    help="A safetensors file or a checkpoint of PyTorch, loaded without executing code; torchvision for its "
    "published weights, torchvision:IMAGENET1K_V1 for those of that name.",
)
@click.option("--save", type=Path, metavar="FILE", help="Write the weights by the network's own keys, as .safetensors.")
@format_option
@reading_options
def weights(spec: str, file: str, save: Path | None, format: Format, reading: Reading) -> None:
    """Tell whether weights fit a network, before it is built.

    Keys and shapes are compared, block by block, after the spec's renames; where other renames make more of them fit,
    these are printed, to be put into the spec. A classifier that --set gives another number of classes begins fresh.

    The exit code is 1 where the weights do not fit; with --save, where the network's weights are not all there.
    """
    from cnngraph.cli.reading import compile_network

    _check_save(save, file)
    graph = compile_network(spec, reading)

    from cnngraph.backend import check_weights, open_weights
    from cnngraph.backend.weights.suggestions import suggest_renames
    from cnngraph.elaborate.bases import base_names

    opened = open_weights(file, base_names(graph))
    report = check_weights(opened, graph)
    better = suggest_renames(opened, graph)
    if format == "json":
        print(json_text(_facts(opened, report, graph, better[0] if better else {}), indent=2))
    else:
        _print_text(spec, opened, report, graph, better)
    if save is not None:
        _save(opened, report, graph, save, quiet=format == "json")
    elif not report.ok:
        raise Exit(1)


@dataclass(slots=True)
class Block:
    """How many weights of a block fit, and how many do not."""

    name: str
    fit: int = 0
    missing: int = 0
    misshapen: int = 0
    unexpected: int = 0

    @property
    def weights(self) -> int:
        """How many the network has."""
        return self.fit + self.missing + self.misshapen

    @property
    def ok(self) -> bool:
        """Whether all fit."""
        return not (self.missing or self.misshapen or self.unexpected)


def by_block(report: WeightsReport, keys: Iterable[str]) -> list[Block]:
    """The counts of the network's blocks in their order, then of what the file alone has.

    Blocks are the modules of the top level; one with more than half of all keys is shown by its own.
    """
    opened = _large([*keys, *report.unexpected])
    blocks: dict[str, Block] = {}

    def block(key: str) -> Block:
        name = _block_of(key, opened)
        return blocks.setdefault(name, Block(name))

    for key in keys:
        block(key)
    for key in report.loaded:
        block(key).fit += 1
    for key in report.missing:
        block(key).missing += 1
    for each in (*report.misshapen, *report.fresh):
        block(each.key).misshapen += 1
    for key in (*report.unexpected, *report.left_out):
        block(key).unexpected += 1
    return list(blocks.values())


def _large(keys: list[str]) -> set[str]:
    """The paths of the blocks that are shown by their parts."""
    opened: set[str] = set()
    path = ""
    while True:
        inside = [each.removeprefix(path).split(".") for each in keys if each.startswith(path)]
        counts: dict[str, int] = {}
        for name, *rest in inside:
            if len(rest) > 1:
                counts[name] = counts.get(name, 0) + 1
        name = max(counts, key=counts.__getitem__, default="")
        if not name or counts[name] <= LARGE * len(keys):
            return opened
        opened.add(path + name)
        path += f"{name}."


def _block_of(key: str, opened: set[str]) -> str:
    parts = key.split(".")
    length = 1
    while length < len(parts) - 1 and ".".join(parts[:length]) in opened:
        length += 1
    return ".".join(parts[:length])


def _facts(opened: WeightsFile, report: WeightsReport, graph: Graph, renames: dict[str, str]) -> dict[str, object]:
    """All that is known, for a program."""
    return {
        "network": graph.name,
        "file": opened.name,
        "fits": report.ok,
        "weights": report.expected,
        "fit": len(report.loaded),
        "missing": list(report.missing),
        "misshapen": [
            {"key": each.key, "in_file": each.in_file, "in_network": each.in_model} for each in report.misshapen
        ],
        "unexpected": list(report.unexpected),
        "fresh": [each.key for each in report.fresh],
        "left_out": list(report.left_out),
        "blocks": [
            {
                "name": each.name,
                "weights": each.weights,
                "fit": each.fit,
                "missing": each.missing,
                "misshapen": each.misshapen,
                "unexpected": each.unexpected,
            }
            for each in by_block(report, graph.state)
        ],
        "suggested_renames": renames,
    }


def _print_text(
    spec: str,
    opened: WeightsFile,
    report: WeightsReport,
    graph: Graph,
    better: tuple[dict[str, str], WeightsReport] | None,
) -> None:
    """The table, the keys that do not fit, renames that would help, and the verdict."""
    from cnngraph.cli.layout import Column, in_columns

    rows = by_block(report, graph.state)
    cells = [_cells(each) for each in rows[:MOST_ROWS]]
    columns = [Column("block", cut="middle"), *(Column(title, right=True) for title in COUNTS)]
    lines = in_columns(columns, cells, terminal_width())
    if len(rows) > MOST_ROWS:
        lines.append([(f"… {count(len(rows) - MOST_ROWS, 'more block')}", "dim")])
    lines.append([])
    details = list(report.details())
    lines += [[(each, "")] for each in details]
    lines += [[]] if details else []
    if better:
        lines += [[(each, style)] for each, style in _suggested(*better, spec)]
    print_styled([*lines, *_verdict(opened, report, graph)])


def _cells(block: Block) -> list[Styled]:
    wrong = [block.missing, block.misshapen, block.unexpected]
    cells: list[Styled] = [[(block.name, "" if block.ok else "bold")]]
    cells += [[(f"{each:,}" if each else "", "")] for each in (block.weights, block.fit)]
    return [*cells, *([(f"{each:,}" if each else "", "yellow")] for each in wrong)]


def _suggested(renames: dict[str, str], report: WeightsReport, spec: str) -> Iterator[tuple[str, str]]:
    """Renames as YAML: lines for a person's own spec, for one of the library a variant of it."""
    where = "in a spec of your own" if is_name(spec) else "in the spec"
    yield f"With these lines {where} {'it fits' if report.ok else 'more fit'}, {report.counted}:", ""
    if is_name(spec):
        yield "cnngraph: 1", "cyan"
        yield f"extends: {spec}", "cyan"
    yield "weights:", "cyan"
    yield "  renames:", "cyan"
    for old, new in renames.items():
        yield f"    {quoted(old)}: {quoted(new)}", "cyan"
    yield "", ""


def _verdict(opened: WeightsFile, report: WeightsReport, graph: Graph) -> Iterator[Styled]:
    from cnngraph.cli.published import expectations

    if opened.found_in:
        yield [(f"In the file the weights are under {', '.join(opened.found_in)}.", "dim")]
    if opened.prefix:
        yield [(f"In the file every key begins with {opened.prefix} which is ignored.", "dim")]
    for each in expectations(opened, graph):
        yield [(each, "yellow")]
    facts = report.counted
    if report.fresh:
        facts += f", {', '.join(report.fresh_layers)} fresh"
    word, style = ("fits", "green") if report.ok else ("does not fit", "red")
    if report.unexpected and len(report.loaded) == report.expected:
        yield [("--save FILE writes the weights of the network without the others.", "dim")]
    yield [(f"{report.file} ", "bold"), (word, style), (f" {graph.name}: {facts}", "")]


def _check_save(save: Path | None, file: str) -> None:
    """Refuse a file that cannot be written, or the one that is read. Raises click.BadParameter."""
    from cnngraph.cli.files import check_output

    if save is None:
        return
    check_output(save, (ENDING,), "--save")
    if save.exists() and Path(file).exists() and save.samefile(file):
        raise click.BadParameter(f"{save} is the file that is read", param_hint="--save")


def _save(opened: WeightsFile, report: WeightsReport, graph: Graph, save: Path, *, quiet: bool) -> None:
    """Write the network's weights, if the file has every one of them."""
    from cnngraph.backend import convert_weights

    lacking = [*report.missing, *(each.key for each in (*report.misshapen, *report.fresh))]
    if lacking:
        fresh = f", since {' and '.join(report.fresh_layers)} begins fresh" if report.fresh else ""
        complain(f"{save} is not written: {count(len(lacking), 'weight')} would be missing in it{fresh}")
        raise Exit(1)
    convert_weights(opened, graph, save)
    left = len(report.unexpected) + len(report.left_out)
    if not quiet:
        say(f"wrote {save}" + (f", without {count(left, 'weight')} that the network does not have" if left else ""))
