"""Unusual working directories and output files, and Ctrl-C at any time: no traceback."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tests.library import ROOT

if sys.platform == "win32":
    pytest.skip("signals, limits and descriptors are POSIX's", allow_module_level=True)

PROGRAM = [sys.executable, "-m", "cnngraph"]
FORBIDDEN = ("Traceback", "internal error", "Exception ignored")


def process(*words: str, cwd: Path, start: str = "", **changed: str) -> subprocess.CompletedProcess[str]:
    """Run the program in a shell, after the shell commands `start`."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **changed}
    line = f'{start} exec "$@"' if "$@" not in start else start
    return subprocess.run(
        ["sh", "-c", line, "sh", *PROGRAM, *words],
        capture_output=True, text=True, errors="surrogateescape", timeout=120, cwd=cwd, env=environment,
    )  # fmt: skip


@pytest.mark.parametrize("words", [["list"], ["check", "{one}"], ["build", "{one}"], ["train", "resnet18"], ["runs"]])
def test_deleted_working_directory(one: str, folder: Path, words: list[str]) -> None:
    path = str(folder / one)
    ran = process(*(word.format(one=path) for word in words), cwd=folder, start="mkdir gone; cd gone; rmdir ../gone;")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == "error: the working directory no longer exists\nhelp: cd to another directory\n"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "ascii:strict"])
def test_encoding_without_some_characters(one: str, folder: Path, encoding: str) -> None:
    (folder / "猫×.yaml").write_text((folder / one).read_text())
    for words in (["show", "猫×.yaml"], ["check", "猫×.yaml", "nix×猫.yaml"], ["show", "--help"], ["list"]):
        ran = process(*words, cwd=folder, PYTHONIOENCODING=encoding)
        assert ran.returncode == (1 if len(words) == 3 else 0)
        assert not any(text in ran.stdout + ran.stderr for text in FORBIDDEN)
    ran = process("check", "猫×.yaml", "--format", "json", cwd=folder, PYTHONIOENCODING=encoding)
    assert json.loads(ran.stdout)["files"][0]["file"] == "猫×.yaml"


@pytest.mark.parametrize("words", [["schema"], ["show", "one.yaml"], ["check", "one.yaml"], ["list"], ["--help"]])
@pytest.mark.parametrize(
    "line",
    [
        'exec "$@" >/dev/full',
        'exec "$@" 2>/dev/full >/dev/full',
        'exec "$@" >&-',
        'exec "$@" >&- 2>&-',
        '"$@" | head -c 1',
    ],
)
def test_output_that_cannot_be_written(one: str, folder: Path, words: list[str], line: str) -> None:
    ran = process(*words, cwd=folder, start=line)
    assert not any(text in ran.stdout + ran.stderr for text in FORBIDDEN)
    assert ran.returncode == (1 if "full" in line else 0)
    if line.endswith('"$@" >/dev/full'):
        assert ran.stderr == "error: cannot write: No space left on device\n"


@pytest.mark.parametrize(
    "words",
    [
        ["render", "resnet18", "-o", "out.svg"],
        ["render", "resnet18", "-o", "out.pdf"],
        ["render", "resnet18", "-o", "out.dot"],
        ["build", "one.yaml", "-o", "out.safetensors"],
        ["build", "resnet_cifar_222", "-o", "out.py"],
        ["schema", "-o", "out.json"],
    ],
)
@pytest.mark.parametrize("limit", [100, 700])
def test_file_size_limit(one: str, folder: Path, words: list[str], limit: int) -> None:
    ran = subprocess.run(
        [*PROGRAM, *words],
        capture_output=True,
        text=True,
        timeout=120,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
        },  # also limited
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert (ran.returncode, ran.stderr) == (1, f"error: {words[-1]}: File too large\n")
    assert [path.name for path in folder.iterdir()] == [one]


def test_file_size_limit_hidden_by_a_library(cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch, one: str) -> None:
    """A library that fails to close its file may raise another error."""

    def refuse(*arguments: object) -> bytes:
        try:
            raise OSError(27, "File too large")
        finally:
            raise AttributeError("no attribute pos")

    monkeypatch.setattr(Path, "write_bytes", refuse)
    assert cli("render", one, "-o", "x.svg") == (1, "", "error: x.svg: File too large\n")


@pytest.mark.parametrize(
    "error", [MemoryError(), OSError(24, "Too many open files"), RuntimeError("CUDA out of memory.")]
)
def test_operating_system_errors(cli: Cli, one: str, error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise error

    monkeypatch.setattr("cnngraph.cli.reading.compile_spec", fail)
    ran = cli("show", one)
    assert (ran.code, ran.err) in [
        (1, "error: out of memory\n"),
        (1, "error: operating system error: Too many open files\n"),
    ]


@pytest.mark.parametrize("device", ["meta", "xla", "hpu", "nonsense", "cuda:99", "cpu:3", "", " cpu"])
def test_unavailable_device(cli: Cli, one: str, folder: Path, device: str) -> None:
    ran = cli("train", one, "--recipe", "digits", "--device", device, "--input", "1x28x28")
    assert ran.code == 1
    assert ran.err.startswith("error[E640]: ")
    assert "\n  help: use auto" in ran.err
    assert not (folder / "runs").exists()


COMMANDS = [["check", "resnet18"], ["show", "resnet18"], ["build", "one.yaml"], ["render", "resnet18", "-o", "x.svg"]]


@pytest.mark.parametrize("words", COMMANDS)
@pytest.mark.parametrize("fraction", [0.3, 0.9])
def test_thirty_interrupts(one: str, folder: Path, words: list[str], fraction: float) -> None:
    """Interrupted after a fraction of the run time, measured from the first line of cnngraph."""
    prologue = "import sys; sys.path[:0] = ['.']; from cnngraph.cli import interrupts, main; interrupts.install(); "
    code = prologue + "print(flush=True); main()"

    def start() -> subprocess.Popen[str]:
        run = subprocess.Popen(
            [sys.executable, "-c", code, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert run.stdout
        run.stdout.readline()
        return run

    since = time.monotonic()
    start().communicate(timeout=120)
    duration = time.monotonic() - since
    run, rng = start(), random.Random(fraction)
    time.sleep(fraction * duration * rng.uniform(0.7, 1))
    for _ in range(30):
        if run.poll() is None:
            run.send_signal(signal.SIGINT)
            time.sleep(rng.choice([0, 0.001, 0.01]))
    out, errors = run.communicate(timeout=120)
    assert run.returncode in (0, 130)
    assert not any(text in out + errors for text in FORBIDDEN)
    assert {path.name for path in folder.iterdir()} <= {one, "x.svg"}


def test_interrupt_converted_to_another_exception(folder: Path) -> None:
    """C++ code and garbage collector callbacks convert or swallow KeyboardInterrupt."""
    code = """
import os, signal
import cnngraph.cli.reading as reading
class Loud:
    def __del__(self): signal.raise_signal(signal.SIGINT)
def compile_spec(*arguments, **options):
    if arguments[0] == "swallowed":
        Loud()
        import time; time.sleep(30)
    try: signal.raise_signal(signal.SIGINT)
    finally: raise RuntimeError("unexpected position")
reading.compile_spec = compile_spec
from cnngraph.cli import main; main()
"""
    for name in ("swallowed", "turned"):
        ran = subprocess.run(
            [sys.executable, "-c", code, "show", name],
            capture_output=True, text=True, timeout=60, env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        assert (ran.returncode, ran.stdout, ran.stderr) == (130, "", "")
