"""What `cnngraph check --fix` prints for planted errors, one file after the other, and what it makes of the files."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from tests.planted.corpus import corpus
from tests.planted.kinds import Plant, plant
from tests.planted.measure import compiled, same
from tests.planted.slips import KINDS

MOST_TRIES = 200  # for a plant that is an error


def fix_log(seed: int, count: int) -> str:
    """So many plants of random kinds, each with its run of the program, and how many files became what."""
    lines: list[str] = []
    ends: Counter[str] = Counter()
    for number, planted in enumerate(_plants(seed, count), 1):
        with TemporaryDirectory() as name:
            end, output = _fixed(planted, Path(name))
        ends[end] += 1
        lines += [
            f"# {number}. {planted.kind}, line {planted.line}: {planted.what}",
            f"$ cnngraph check {planted.good.name} --fix",
            output.rstrip(),
            f"# {end}",
            "",
        ]
    return "\n".join([*lines, f"# {', '.join(f'{times} {end}' for end, times in ends.most_common())}"])


def _plants(seed: int, count: int) -> Iterator[Plant]:
    """Plants of kinds in turn, each an error."""
    random = Random(f"{seed} fix log")
    kinds = random.sample(list(KINDS), len(KINDS))
    for number in range(count):
        for _ in range(MOST_TRIES):
            planted = plant(kinds[number % len(kinds)], random.choice(corpus()), random)
            if planted and not compiled(planted.good, planted.text).ok:
                yield planted
                break


def _fixed(planted: Plant, folder: Path) -> tuple[str, str]:
    """How the file of a plant ends up, and what the program prints; the files that it may import are beside it."""
    for other in planted.good.folder.glob("*.yaml"):
        shutil.copy(other, folder)
    file = folder / planted.good.name
    file.write_text(planted.text, encoding="utf-8")
    command = [sys.executable, "-m", "cnngraph", "check", file.name, "--fix"]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, encoding="utf-8", check=False)
    text = file.read_text(encoding="utf-8")
    found, original = compiled(planted.good, text), compiled(planted.good, planted.good.text)
    if text == planted.good.text:
        end = "fixed to the original text"
    elif run.returncode == 0 and same(found.graph, original.graph, names=True):
        end = "fixed to the original network"
    elif run.returncode == 0:
        end = "fixed to another network"
    else:
        end = "left" if text == planted.text else "fixed in part"
    return end, run.stdout + run.stderr
