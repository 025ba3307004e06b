"""What `cnngraph check --fix` prints for planted errors, and how it changes the files."""

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

MAX_ATTEMPTS = 200  # to find a plant that is an error


def fix_log(seed: int, count: int) -> str:
    """Plants of random kinds with the output of `check --fix`, and a count of the outcomes."""
    lines: list[str] = []
    ends: Counter[str] = Counter()
    for number, planted in enumerate(_plants(seed, count), 1):
        with TemporaryDirectory() as name:
            end, output = _fixed(planted, Path(name))
        ends[end] += 1
        lines += [
            f"# {number}. {planted.kind}, line {planted.line}: {planted.what}",
            f"$ cnngraph check {planted.spec.name} --fix",
            output.rstrip(),
            f"# {end}",
            "",
        ]
    return "\n".join([*lines, f"# {', '.join(f'{times} {end}' for end, times in ends.most_common())}"])


def _plants(seed: int, count: int) -> Iterator[Plant]:
    """Plants that are errors, cycling through the kinds."""
    random = Random(f"{seed} fix log")
    kinds = random.sample(list(KINDS), len(KINDS))
    for number in range(count):
        for _ in range(MAX_ATTEMPTS):
            planted = plant(kinds[number % len(kinds)], random.choice(corpus()), random)
            if planted and not compiled(planted.spec, planted.text).ok:
                yield planted
                break


def _fixed(planted: Plant, folder: Path) -> tuple[str, str]:
    """The outcome for the file of a plant, and the output; files that it may import are copied next to it."""
    for other in planted.spec.folder.glob("*.yaml"):
        shutil.copy(other, folder)
    file = folder / planted.spec.name
    file.write_text(planted.text, encoding="utf-8")
    command = [sys.executable, "-m", "cnngraph", "check", file.name, "--fix"]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, encoding="utf-8", check=False)
    text = file.read_text(encoding="utf-8")
    found, original = compiled(planted.spec, text), compiled(planted.spec, planted.spec.text)
    if text == planted.spec.text:
        end = "fixed to the original text"
    elif run.returncode == 0 and same(found.graph, original.graph, names=True):
        end = "fixed to the original network"
    elif run.returncode == 0:
        end = "fixed to another network"
    else:
        end = "unchanged" if text == planted.text else "partly fixed"
    return end, run.stdout + run.stderr
