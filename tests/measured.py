"""The validator in a process of its own, which measures what each spec takes.

`python -m tests.measured` answers a line of JSON on its input (the arguments of `compile_spec`) with a line of JSON.
Each spec is checked in a fork of its own, so that one case's memory is not another's.
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

ADDRESS_SPACE = 2_000_000_000  # bytes; more than a case may take, so that it is measured and not killed
PROCESSOR = 30  # seconds, for the same reason
SECONDS = 2  # the bounds that every spec must keep
MEGABYTES = 500
PRINTED = 60_000  # characters of all messages
YARDSTICK = 0.018  # seconds that the yardstick takes on a machine of 2024


@dataclass(frozen=True)
class Measured:
    """What came out, and what it took. `seconds` are the processor's, as a machine of 2024 would have needed them."""

    seconds: float
    megabytes: float
    ok: bool
    diagnostics: list[dict[str, Any]]
    printed: int  # characters of all messages

    @property
    def codes(self) -> list[str]:
        """The codes of the diagnostics, each once."""
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
        """Check a spec file. Raises AssertionError where it ends in anything but diagnostics."""
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
    given: Value | None = None if request["input"] is None else value_of(request["input"], span)
    compilation = Lint(own=True).run(compile_spec(request["spec"], overrides, given, **request["options"]))
    printed = sum(len(str(diagnostic)) for diagnostic in compilation.diagnostics)
    diagnostics = [diagnostic.to_dict() for diagnostic in compilation.diagnostics]
    return {"ok": compilation.ok, "diagnostics": diagnostics, "printed": printed}


def _slowness() -> float:
    """How many times slower than a machine of 2024 this one is just now, when it may have other work to do."""
    start = time.process_time()
    made = [{"number": number, "texts": (str(number), [number])} for number in range(60_000)]
    return max(1.0, (time.process_time() - start) / YARDSTICK) if made else 1.0


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
        resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR, PROCESSOR))
        try:
            answer = _compile(request)
        except BaseException as error:  # anything but diagnostics is what these tests look for
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
    told: dict[str, Any] = json.loads(text)
    if "failure" not in told:
        told["seconds"] = used.ru_utime / (_slowness() if used.ru_utime > 1 else 1)
        told["megabytes"] = used.ru_maxrss / (1024 if sys.platform == "linux" else 1024**2)
    return told


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(_answer(json.loads(line))), flush=True)
