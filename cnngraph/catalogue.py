"""The catalogue of bundled networks, generated from their specs: cnngraph/library.json and specs/README.md."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from functools import cache
from itertools import groupby
from pathlib import Path

from cnngraph.compilation import compile_spec
from cnngraph.elaborate.elaborate import collector_paused
from cnngraph.frozen import frozen
from cnngraph.library import Network, is_family, library_root, network_files
from cnngraph.numbers import percent, show_count, show_sizes

INTRODUCTION = """\
# Bundled networks

Bundled networks are referred to by name: `cnngraph show NAME`, `cnngraph train NAME`, `cnngraph.build("NAME")`,
`extends: NAME`. `cnngraph list` prints and searches this list. A family is a spec with params; its members extend it
with other values.

Multiply-accumulates (MACs) are those of convolutions and linear layers for one image of the input's size. Errors are
published top-1 errors.
"""
ALONE = "Other networks"


@frozen
class Section:
    """The networks of one folder. `families` are the specs that they extend, or the network of the folder's name."""

    folder: str
    families: tuple[Network, ...]
    networks: tuple[Network, ...]

    def is_main(self, network: Network) -> bool:
        """Whether the network is named like the folder, so that its description applies to all its networks."""
        return network.name == Path(self.folder).name


@cache
def sections(root: Path | None = None) -> tuple[Section, ...]:
    """The library by folder, networks outside of folders first. Invalid specs are skipped and reported on stderr."""
    root = root or library_root()
    with collector_paused():
        networks = [network for path in network_files(root).values() if (network := _network(path, root))]
    networks.sort(key=lambda network: (network.family, network.file))
    folders = groupby(networks, lambda network: network.family)
    return tuple(_section(folder, tuple(members), root) for folder, members in folders)


def library_text() -> str:
    """The content of cnngraph/library.json: the networks without the families, one per line."""
    rows = [json.dumps(asdict(network), ensure_ascii=False) for section in sections() for network in section.networks]
    return "[\n" + ",\n".join(rows) + "\n]\n"


def library_page() -> str:
    """The content of specs/README.md."""
    return INTRODUCTION + "".join(f"\n{text}" for section in sections() for text in _section_texts(section))


def _section(folder: str, networks: Iterable[Network], root: Path) -> Section:
    """The networks of a folder; a family is listed as a network only if it has published errors itself."""
    networks = tuple(networks)
    families = [network for network in networks if not network.published and is_family(root / network.file)]
    intro = tuple(network for network in networks if network in families or network.name == Path(folder).name)
    return Section(folder, intro, _in_order(network for network in networks if network not in families))


def _network(path: Path, root: Path) -> Network | None:
    compilation = compile_spec(path)
    graph = compilation.graph if compilation.ok else None
    file = path.relative_to(root)
    if graph is None:
        print(f"skipping {file}, which has errors", file=sys.stderr)
        return None
    return Network(
        name=path.stem,
        family="" if path.parent == root else file.parent.as_posix(),
        file=file.as_posix(),
        num_params=graph.num_params,
        macs=graph.macs,
        input_shapes=graph.input_shapes,
        published=dict(graph.published),
        about=" ".join(graph.about.split()),
        paper=" ".join(graph.paper.split()),
    )


def _in_order(networks: Iterable[Network]) -> tuple[Network, ...]:
    """Group networks whose names agree up to the first digit, and sort each group by size."""
    alike: dict[str, list[Network]] = {}
    for network in sorted(networks, key=lambda network: (network.num_params, network.macs, network.name)):
        alike.setdefault(re.split(r"\d", network.name)[0], []).append(network)
    stems = sorted(alike) if len(alike) < sum(map(len, alike.values())) else alike
    return tuple(network for stem in stems for network in alike[stem])


def _section_texts(section: Section) -> Iterator[str]:
    yield f"## {section.folder or ALONE}\n"
    for family in section.families:
        name = f"**{family.name}**: " * (not section.is_main(family))
        yield "  \n".join(filter(None, (name + family.about, family.paper, f"[{family.file}]({family.file})"))) + "\n"
    yield _table(section)


def _table(section: Section) -> str:
    """The networks as a Markdown table without empty columns."""
    abouts = {family.about for family in section.families}
    papers = {family.paper for family in section.families}
    columns: dict[str, Callable[[Network], str]] = {
        "network": lambda network: f"[{network.name}]({network.file})",
        "parameters": lambda network: f"{network.num_params:,}",
        "MACs": lambda network: show_count(network.macs),
        "input": lambda network: ", ".join(map(show_sizes, network.input_shapes.values())),
    }
    for name in dict.fromkeys(name for network in section.networks for name in network.published):
        columns[f"error on {name}"] = lambda network, name=name: (  # type: ignore[misc]
            percent(network.published[name]) if name in network.published else ""
        )
    columns["about"] = lambda network: "" if network.about in abouts else network.about
    columns["paper"] = lambda network: "" if papers == {network.paper} else network.paper
    cells = {
        title: [make(network).replace("|", "\\|") for network in section.networks] for title, make in columns.items()
    }
    filled = {title: column for title, column in cells.items() if any(column)}
    rules = ["---:" if title in ("parameters", "MACs") or title.startswith("error") else "---" for title in filled]
    rows = [tuple(filled), tuple(rules), *zip(*filled.values(), strict=True)]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)
