"""One random case per seed: a valid spec, a spec with slips, or expressions."""

from __future__ import annotations

import random
import re
import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.fuzz.checks import MAIN, check_files, check_refusal, check_wiring, compiled
from tests.fuzz.drawing import WRONG, Drawer
from tests.fuzz.expressions import Expressions, RefusedError, elements, evaluate, exceeds_limits, plain
from tests.fuzz.reading import Reading
from tests.fuzz.shrinking import shrunk, smaller_specs, smaller_texts
from tests.fuzz.slips import slip
from tests.fuzz.spec_tree import SpecTree, spec_files, written
from tests.library import network

CHUNK = 100  # seeds of one test
LIBRARY = ["googlenet_mnist", "residual_mnist", "cifar2_skip", "cifar2_deep", "resnet_cifar", "resnet_cifar_222"]
EXPRESSIONS = 6  # per case


@dataclass(frozen=True)
class Failure:
    """The failure of a seed, with minimised files."""

    seed: int
    error: Exception
    files: Mapping[str, str]

    def __str__(self) -> str:
        texts = "".join(f"# {name}\n{text}" for name, text in self.files.items())
        return f"seed {self.seed}: {type(self.error).__name__}: {self.error}\n{texts}"


def run(seed: int, folder: Path, counts: Counter[str]) -> Failure | None:
    """Run the case of a seed."""
    rng = random.Random(f"case {seed}")
    kind: Callable[..., Failure | None] = rng.choices([right, wrong, of_library, expressions], [62, 22, 4, 12])[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return kind(seed, rng, folder, counts)


def draw(seed: int) -> tuple[Drawer, SpecTree]:
    """The spec of a seed."""
    for attempt in range(100):
        drawer = Drawer(f"{seed}/{attempt}")
        try:
            return drawer, drawer.draw()
        except WRONG:
            continue
    raise AssertionError(f"no spec could be drawn from {seed}")


def right(seed: int, rng: random.Random, folder: Path, counts: Counter[str]) -> Failure | None:
    """A valid spec: it must be accepted and equal the second reading."""
    drawer, spec = draw(seed)
    try:
        check_right(spec, folder, counts)
    except Exception as error:  # any exception of the compiler or the network is a failure
        kind = kind_of(error)

        def fails(smaller: SpecTree) -> bool:
            try:
                check_right(smaller, folder, Counter())
            except WRONG_SPEC:
                return False
            except Exception as other:
                return kind_of(other) == kind
            return False

        return Failure(seed, error, spec_files(shrunk(spec, smaller_specs, fails), MAIN))
    try:
        for refusal in drawer.refused:
            check_refusal(refusal.op, refusal.types, refusal.error)
    except AssertionError as error:
        return Failure(seed, error, {})
    return None


class WrongSpecError(Exception):
    """The second reading rejects a minimised spec."""


WRONG_SPEC = (WrongSpecError,)


def check_right(spec: SpecTree, folder: Path, counts: Counter[str]) -> None:
    """Assert that a spec is accepted, runs and equals the second reading."""
    reading = Reading()
    try:
        outputs = reading.spec(spec)
    except WRONG as error:
        raise WrongSpecError(str(error)) from error
    result = check_files(spec_files(spec, MAIN), folder, counts)
    assert result.ok, next(str(diagnostic) for diagnostic in result.diagnostics if diagnostic.code.startswith("E"))
    assert result.graph is not None
    check_wiring(result.graph, reading.operations, {name: item.name for name, item in outputs.items()})


def wrong(seed: int, rng: random.Random, folder: Path, counts: Counter[str]) -> Failure | None:
    """A valid spec with slips in one of its files."""
    files = spec_files(draw(seed)[1], MAIN)
    name = rng.choice([MAIN, *files])
    for _ in range(rng.choice([1, 1, 2])):
        files[name] = slip(rng, files[name])
    return try_text(seed, files, folder, counts)


def of_library(seed: int, rng: random.Random, folder: Path, counts: Counter[str]) -> Failure | None:
    """A bundled network with slips."""
    path = network(rng.choice(LIBRARY))
    text = path.read_text(encoding="utf-8").replace("depth: 110", "depth: 8").replace("depth: 10\n", "depth: 2\n")
    for _ in range(rng.randint(1, 3)):
        text = slip(rng, text)
    return try_text(seed, {MAIN: text}, path.parent, counts)


def try_text(seed: int, files: Mapping[str, str], folder: Path, counts: Counter[str]) -> Failure | None:
    """Check files that may have errors."""

    def error_of(files: Mapping[str, str], counts: Counter[str]) -> Exception | None:
        try:
            check_files(files, folder, counts)
        except Exception as error:
            return error
        return None

    error = error_of(files, counts)
    if error is None:
        return None
    kind = kind_of(error)

    def fails(smaller: Mapping[str, str]) -> bool:
        other = error_of(smaller, Counter())
        return other is not None and kind_of(other) == kind

    return Failure(seed, error, shrunk(files, smaller_texts, fails))


def expressions(seed: int, rng: random.Random, folder: Path, counts: Counter[str]) -> Failure | None:
    """Expressions have the values that Python computes, and are errors where Python raises."""
    drawn = Expressions(rng)
    names = {name: elements(value) for name, value in drawn.PARAMS.items()}
    values: dict[str, Any] = {}
    texts: dict[str, str] = {}
    for number in range(EXPRESSIONS):
        text = drawn.text()
        counts["expressions"] += 1
        try:
            value = plain(evaluate(text, names))
            if exceeds_limits(text, names):
                continue
            values[f"e{number}"] = value
            texts[f"e{number}"] = text
        except (RefusedError, ArithmeticError, LookupError, TypeError, ValueError):
            files = {MAIN: expression_spec({"e": text})}
            codes = {diagnostic.code for diagnostic in compiled(files, folder).diagnostics}
            if not codes & {"E403", "E404", "E503"}:
                return Failure(seed, AssertionError(f"Python refuses {text}, and the compiler says {codes}"), files)
    files = {MAIN: expression_spec(texts)}
    result = compiled(files, folder)
    counts["accepted" if result.ok else "refused"] += 1
    if not result.ok or result.graph is None:
        return Failure(seed, AssertionError(str(result.diagnostics[0])), files)
    for name, expected in values.items():
        found = result.graph.params[name]
        if repr(_plain(found)) != repr(expected):
            message = f"{texts[name]} is {found}, by Python {expected}"
            return Failure(seed, AssertionError(message), files)
    return None


def expression_spec(texts: Mapping[str, str]) -> str:
    """A spec whose params are expressions."""
    lines = [f"  {name}: {written(value)}" for name, value in Expressions.PARAMS.items()]
    lines += [f'  {name}: "{text}"' for name, text in texts.items()]
    return "\n".join(["cnngraph: 1", "input: [3]", "params:", *lines, "nodes: [relu]", ""])


def _plain(value: Any) -> Any:
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def kind_of(error: Exception) -> str:
    """What errors of the same kind have in common."""
    return type(error).__name__ + re.sub(r"\S*[\d.]\S*", "#", str(error).partition("\n")[0])[:50]
