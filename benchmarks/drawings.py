"""Drawings of all networks: what fits an A4 page, the time and memory that it takes, and a contact sheet.

Each network is drawn as SVG with the default settings in its own process. `pt` is the size of the smallest text on the
page, `boxes` what is shown, `columns` how often the drawing is broken, `crossings` how many pairs of arrows with
different tensors cross. `strip pt` and `strip boxes` are those of the same network drawn as one strip without a page,
with its text as large as an A4 page allows: how drawings were before they were fitted to a page. Seconds are the time
of the process' own CPU for the drawing, without reading and checking the spec; MB is its largest resident set.

    python -m benchmarks.drawings                            # one network of each family, and the examples
    python -m benchmarks.drawings --all                      # all networks, several minutes
    python -m benchmarks.drawings --sheet sheet.png          # and a contact sheet
"""

from __future__ import annotations

import argparse
import io
import json
import math
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from cnngraph import load
from cnngraph.library import catalogue
from cnngraph.render import PAGES, Settings, draw
from cnngraph.render.fit import fitted
from tests.render.geometry import crossings

COLUMNS = 6  # of the contact sheet
TILE = (300, 424)  # pixels of an A4 page on it


def main() -> None:
    """Print the table, and write the contact sheet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true", help="all networks, not one of each family and the examples")
    parser.add_argument("--sheet", type=Path, metavar="FILE", help="write a contact sheet as PNG")
    parser.add_argument("--measure", metavar="NAME", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measured(options.measure)))
        return
    names = list(_names(options.all))
    heads = ("pt", "boxes", "columns", "crossings", "strip pt", "strip boxes", "seconds", "MB")
    print(f"{'network':40} " + " ".join(f"{head:>11}" for head in heads))
    for name in names:
        ran = subprocess.run(
            [sys.executable, "-m", "benchmarks.drawings", "--measure", name], capture_output=True, text=True, check=True
        )
        row = json.loads(ran.stdout)
        print(f"{name:40} " + " ".join(f"{row[head]:>11}" for head in heads), flush=True)
    if options.sheet:
        options.sheet.write_bytes(sheet(names))
        print(f"wrote {options.sheet}")


def _names(every: bool) -> Iterator[str]:
    seen: set[str] = set()
    for network in catalogue():
        if every or network.family in ("", "examples") or network.family not in seen:
            seen.add(network.family)
            yield network.name


def measured(name: str) -> dict[str, Any]:
    """The figures of one network, in this process."""
    graph = load(name)
    start = time.process_time()
    draw(graph, "svg", Settings())
    seconds = time.process_time() - start
    page = PAGES["a4"]
    fit, strip = fitted(graph, Settings()), fitted(graph, Settings(page=None))
    scale = min(1.0, page.width / strip.drawing.width, page.height / strip.drawing.height)
    return {
        "pt": f"{fit.least_text:.1f}",
        "boxes": len(fit.drawing.boxes),
        "columns": fit.drawing.columns,
        "crossings": crossings(fit.drawing),
        "strip pt": f"{strip.least_text * scale:.1f}",
        "strip boxes": len(strip.drawing.boxes),
        "seconds": f"{seconds:.2f}",
        "MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000,
    }


def sheet(names: Sequence[str]) -> bytes:
    """A contact sheet: each drawing on its A4 page, with its name."""
    from PIL import Image, ImageDraw

    rows = math.ceil(len(names) / COLUMNS)
    whole = Image.new("RGB", (COLUMNS * (TILE[0] + 16), rows * (TILE[1] + 34)), "#d0d4da")
    for place, name in enumerate(names):
        x, y = place % COLUMNS * (TILE[0] + 16) + 8, place // COLUMNS * (TILE[1] + 34) + 8
        paper = Image.new("RGB", TILE, "white")
        drawn = Image.open(io.BytesIO(draw(load(name), "png", Settings())))
        dots = TILE[0] / PAGES["a4"].width / (192 / 72)  # pixels of the sheet for each of the drawing
        small = drawn.convert("RGB").resize((max(1, round(drawn.width * dots)), max(1, round(drawn.height * dots))))
        paper.paste(small, ((TILE[0] - small.width) // 2, 0))
        whole.paste(paper, (x, y))
        ImageDraw.Draw(whole).text((x, y + TILE[1] + 4), name, fill="black")
    file = io.BytesIO()
    whole.save(file, format="png")
    return file.getvalue()


if __name__ == "__main__":
    main()
