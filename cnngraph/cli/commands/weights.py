"""`cnngraph weights`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.exceptions import Exit

from cnngraph.cli.command import argument, command
from cnngraph.cli.key_blocks import KeyBlocks, by_iterations
from cnngraph.cli.messages import complain, count, json_text, print_styled, say, terminal_width
from cnngraph.cli.options import Format, Reading, format_option, reading_options, spec_argument
from cnngraph.cli.published import choices_options
from cnngraph.document.flow import quoted
from cnngraph.library import is_name

if TYPE_CHECKING:
    from cnngraph.backend import Choices, WeightsFile, WeightsReport
    from cnngraph.cli.messages import Styled
    from cnngraph.graph.graph import Graph

COUNTS = ("weights", "fit", "missing", "other shape", "only in the file")
MAX_ROWS = 60
ENDING = ".safetensors"


@command(
    ("cnngraph weights resnet18 torchvision", "check torchvision's published weights"),
    ("cnngraph weights resnet18 torchvision --set classes=10", "check all but the classifier"),
    ("cnngraph weights net.yaml theirs.pth", "check a file"),
    ("cnngraph weights net.yaml theirs.pth --save ours.safetensors", "convert it to the network's keys"),
    ("cnngraph weights net.yaml theirs.pth --format json", "as JSON"),
)
@spec_argument
@argument(
    "file",
    metavar="FILE",
    help="A .safetensors file, a PyTorch checkpoint (loaded without executing code; FILE:NAME for one of several sets "
    "of weights in it), or torchvision for its published weights; torchvision:resnet50 for those of another network, "
    "torchvision:IMAGENET1K_V1 for a version.",
)
@click.option("--save", type=Path, metavar="FILE", help="Write the network's weights to a .safetensors file.")
@choices_options
@format_option
@reading_options
def weights(spec: str, file: str, save: Path | None, choices: Choices, format: Format, reading: Reading) -> None:
    """Check whether weights fit a network.

    Compares keys and shapes block by block, after applying the spec's renames. If other renames make more weights fit,
    they are printed, to be copied to the spec. If --set changes the number of classes, the classifier is freshly
    initialised, and so is what the spec changes in a network that it extends.

    The exit code is 1 if the weights do not fit (with --partial, if none does); with --save, if weights of the network
    are missing in the file.
    """
    from cnngraph.cli.reading import compile_network

    _check_save(save, file)
    graph = compile_network(spec, reading)

    from cnngraph.backend import check_weights, open_weights
    from cnngraph.backend.weights.suggestions import suggest_renames
    from cnngraph.elaborate.bases import base_names

    opened = open_weights(file, base_names(graph), choices).fitted(graph.state, graph.renames)
    report = check_weights(opened, graph)
    better = suggest_renames(opened, graph)
    if format == "json":
        print(json_text(_facts(opened, report, graph, better[0] if better else {}), indent=2))
    else:
        _print_text(spec, opened, report, graph, better)
    if save is not None:
        _save(opened, report, graph, save, quiet=format == "json")
    elif not report.accepted:
        raise Exit(1)


@dataclass(slots=True)
class Block:
    """The numbers of weights of a block that fit and that do not."""

    name: str
    fit: int = 0
    missing: int = 0
    misshapen: int = 0
    unexpected: int = 0

    @property
    def weights(self) -> int:
        """The number of weights in the network."""
        return self.fit + self.missing + self.misshapen

    @property
    def ok(self) -> bool:
        """Whether all weights fit."""
        return not (self.missing or self.misshapen or self.unexpected)


def by_block(report: WeightsReport, keys: Iterable[str]) -> list[Block]:
    """The counts of the network's blocks in order, then of blocks that only the file has.

    Blocks are the top-level modules; one with more than half of the keys is split into its own blocks.
    """
    names = KeyBlocks([*keys, *report.unexpected])
    blocks: dict[str, Block] = {}

    def block(key: str) -> Block:
        name = names.of(key)
        return blocks.setdefault(name, Block(name))

    for key in keys:
        block(key)
    for key in report.loaded:
        block(key).fit += 1
    for key in report.missing:
        block(key).missing += 1
    for mismatch in report.misshapen:
        block(mismatch.key).misshapen += 1
    for weight in report.fresh:
        if weight.in_file is None:
            block(weight.key).missing += 1
        else:
            block(weight.key).misshapen += 1
    for key in (*report.unexpected, *report.left_out):
        block(key).unexpected += 1
    return list(blocks.values())


def _facts(opened: WeightsFile, report: WeightsReport, graph: Graph, renames: dict[str, str]) -> dict[str, object]:
    """The report for JSON."""
    return {
        "network": graph.name,
        "file": opened.name,
        "fits": report.ok,
        "weights": report.expected,
        "fit": len(report.loaded),
        "missing": list(report.missing),
        "misshapen": [
            {"key": mismatch.key, "in_file": mismatch.in_file, "in_network": mismatch.in_model}
            for mismatch in report.misshapen
        ],
        "unexpected": list(report.unexpected),
        "fresh": [mismatch.key for mismatch in report.fresh],
        "left_out": list(report.left_out),
        "blocks": [
            {
                "name": block.name,
                "weights": block.weights,
                "fit": block.fit,
                "missing": block.missing,
                "misshapen": block.misshapen,
                "unexpected": block.unexpected,
            }
            for block in by_block(report, graph.state)
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
    """Print the table, the keys that do not fit, suggested renames, and the verdict."""
    from cnngraph.cli.layout import Column, in_columns

    rows = _folded(by_block(report, graph.state))
    cells = [_cells(block) for block in rows[:MAX_ROWS]]
    columns = [Column("block", cut="middle"), *(Column(title, right=True) for title in COUNTS)]
    lines = in_columns(columns, cells, terminal_width())
    if len(rows) > MAX_ROWS:
        lines.append([(f"… {count(len(rows) - MAX_ROWS, 'more block')}", "dim")])
    lines.append([])
    details = list(report.details())
    lines += [[(detail, "")] for detail in details]
    lines += [[]] if details else []
    if better:
        lines += [[line] for line in _suggested(*better, spec)]
    print_styled([*lines, *_verdict(opened, report, graph)])


def _folded(blocks: Iterable[Block]) -> list[Block]:
    """The rows of the table: iterations of a repeat that fit alike are one."""
    rows = {
        block.name: {name: getattr(block, name) for name in ("fit", "missing", "misshapen", "unexpected")}
        for block in blocks
    }
    return [Block(name, **counts) for name, counts in by_iterations(rows)]


def _cells(block: Block) -> list[Styled]:
    wrong = [block.missing, block.misshapen, block.unexpected]
    cells: list[Styled] = [[(block.name, "" if block.ok else "bold")]]
    cells += [[(f"{number:,}" if number else "", "")] for number in (block.weights, block.fit)]
    return [*cells, *([(f"{number:,}" if number else "", "yellow")] for number in wrong)]


def _suggested(renames: dict[str, str], report: WeightsReport, spec: str) -> Iterator[tuple[str, str]]:
    """The renames as YAML: lines for the spec, or for a bundled spec, a new one that extends it."""
    where = "in a new spec" if is_name(spec) else "in the spec"
    yield f"With these lines {where}, {'all weights' if report.ok else 'more weights'} fit ({report.counted}):", ""
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
        yield [(f"The file has the weights under {', '.join(opened.found_in)}.", "dim")]
    if opened.prefix:
        yield [(f"The prefix {opened.prefix} of keys in the file is ignored.", "dim")]
    for name in opened.other_names:
        yield [(f"The file has other weights that fit as well: {name}", "dim")]
    for expected in expectations(opened, graph):
        yield [(expected, "yellow")]
    facts = report.counted
    if report.fresh:
        facts += f", {report.fresh_summary}"
    verdict, style = ("fits", "green") if report.ok else ("does not fit", "red")
    if report.accepted and not report.ok:
        verdict, style = "partly fits", "yellow"
    if report.unexpected and len(report.loaded) == report.expected:
        yield [("--save FILE writes only the weights of the network.", "dim")]
    yield [(f"{report.file} ", "bold"), (verdict, style), (f" {graph.name}: {facts}", "")]


def _check_save(save: Path | None, file: str) -> None:
    """Check that the output file can be written and is not the input file. Raises click.BadParameter."""
    from cnngraph.cli.output_paths import check_output

    if save is None:
        return
    check_output(save, (ENDING,), "--save")
    if save.exists() and Path(file).exists() and save.samefile(file):
        raise click.BadParameter(f"{save} is the input file", param_hint="--save")


def _save(opened: WeightsFile, report: WeightsReport, graph: Graph, save: Path, *, quiet: bool) -> None:
    """Write the network's weights. Raises Exit if the file lacks some of them."""
    from cnngraph.backend import convert_weights

    lacking = [*report.missing, *(weight.key for weight in report.misshapen), *(weight.key for weight in report.fresh)]
    if lacking:
        verb = "is" if len(report.fresh_layers) == 1 else "are"
        fresh = f", because {' and '.join(report.fresh_layers)} {verb} freshly initialised" if report.fresh else ""
        complain(f"cannot write {save}: {count(len(lacking), 'weight')} would be missing{fresh}")
        raise Exit(1)
    convert_weights(opened, graph, save)
    extra = len(report.unexpected) + len(report.left_out)
    if not quiet:
        say(f"wrote {save}" + (f", without {count(extra, 'weight')} that the network does not have" if extra else ""))
