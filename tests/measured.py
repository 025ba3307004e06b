"""A process that checks specs and measures the time and memory that each takes.

`python -m tests.measured` reads the arguments of `compile_spec` as one line of JSON and prints one line of JSON.
Each spec is checked in its own fork, so that its memory is measured separately.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnngraph.compilation import compile_spec
from cnngraph.diagnostics import Source, Span
from cnngraph.document import Value, value_of
from cnngraph.language.load import Override
from cnngraph.lint.run import Lint
from tests.library import ROOT

ADDRESS_SPACE = 2_000_000_000  # bytes; above the limit of a case, so that it is measured rather than killed
CPU_SECONDS = 30  # for the same reason
SECONDS = 2  # the bounds that every spec must keep
MEGABYTES = 500
PRINTED = 60_000  # characters of all messages
REFERENCE_SECONDS = 0.018  # seconds that the reference workload takes on a machine of 2024


@dataclass(frozen=True)
class Measured:
    """The result of a check and its cost. `seconds` is CPU time, scaled to a machine of 2024."""

    seconds: float
    megabytes: float
    ok: bool
    diagnostics: list[dict[str, Any]]
    printed: int  # characters of all messages

    @property
    def codes(self) -> list[str]:
        """The codes of the diagnostics, without repetitions."""
        return list(dict.fromkeys(diagnostic["code"] for diagnostic in self.diagnostics))


def within_bounds(measured: Measured) -> None:
    """Assert that a check was quick, took little memory and printed a readable amount."""
    assert measured.seconds < SECONDS
    assert measured.megabytes < MEGABYTES
    assert measured.printed < PRINTED


class Validator:
    """The process, started once for many specs."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.measured"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            text=True,
        )

    def check(self, spec: Path, params: dict[str, Any] | None = None, input: Any = None, **options: Any) -> Measured:
        """Check a spec file. Raises AssertionError if the check ends in anything but diagnostics."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        request = {"spec": str(spec), "params": params or {}, "input": input, "options": options}
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        assert "failure" not in answer, answer["failure"]
        return Measured(**answer)

    def close(self) -> None:
        """End the process."""
        self.process.communicate()


def _compile(request: dict[str, Any]) -> dict[str, Any]:
    span = Span(Source("arguments", ""), 1, 1, 1, 1)
    overrides = [Override(name, value_of(value, span)) for name, value in request["params"].items()]
    input_sizes: Value | None = None if request["input"] is None else value_of(request["input"], span)
    compilation = Lint(own=True).run(compile_spec(request["spec"], overrides, input_sizes, **request["options"]))
    printed = sum(len(str(diagnostic)) for diagnostic in compilation.diagnostics)
    diagnostics = [diagnostic.to_dict() for diagnostic in compilation.diagnostics]
    return {"ok": compilation.ok, "diagnostics": diagnostics, "printed": printed}


def _slowness() -> float:
    """How many times slower this machine is now than one of 2024, under its current load."""
    start = time.process_time()
    workload = [{"number": number, "texts": (str(number), [number])} for number in range(60_000)]
    return max(1.0, (time.process_time() - start) / REFERENCE_SECONDS) if workload else 1.0


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
        try:
            answer = _compile(request)
        except BaseException as error:  # these tests look for anything but diagnostics
            answer = {"failure": f"{type(error).__name__}: {str(error)[:500]}"}
        with os.fdopen(writing, "w") as pipe:
            json.dump(answer, pipe)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    _, status, used = os.wait4(child, 0)
    if status or not text:
        return {"failure": f"the process ended with status {status} after {used.ru_utime:.1f} s"}
    result: dict[str, Any] = json.loads(text)
    if "failure" not in result:
        result["seconds"] = used.ru_utime / (_slowness() if used.ru_utime > 1 else 1)
        result["megabytes"] = used.ru_maxrss / (1024 if sys.platform == "linux" else 1024**2)
    return result


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(_answer(json.loads(line))), flush=True)
