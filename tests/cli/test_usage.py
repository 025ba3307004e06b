"""Exit codes, help, and error handling."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from cnngraph.cli.app import COMMANDS, app
from cnngraph.cli.command import Command
from cnngraph.version import __version__
from tests.cli.conftest import Cli
from tests.library import ROOT, network

PROGRAM = [sys.executable, "-m", "cnngraph"]


def named(command: str) -> Command:
    found = app.get_command(click.Context(app), command)
    assert isinstance(found, Command)
    return found


def test_without_arguments_it_prints_help(cli: Cli, golden: Callable[[str, str], None]) -> None:
    ran = cli()
    assert (ran.code, ran.err) == (0, "")
    assert cli("--help") == ran
    assert re.findall(r"^  (\w+) +[A-Z]", ran.out, re.MULTILINE) == list(COMMANDS)
    golden("help/show.txt", cli("show", "--help").out)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_examples(cli: Cli, command: str) -> None:
    ran = cli(command, "-h")
    assert ran.code == 0
    assert f"Usage: cnngraph {command} " in ran.out
    assert max(map(len, ran.out.splitlines())) <= 80
    for line, what in named(command).examples:
        assert f"cnngraph {command} " in f"{line} "
        assert line in ran.out
        assert what in " ".join(ran.out.split())


@pytest.mark.parametrize("command", COMMANDS)
def test_the_options_of_examples_exist(cli: Cli, command: str) -> None:
    known = cli(command, "-h").out
    for line, _ in named(command).examples:
        for option in re.findall(r"(?<= )-[-\w]+", line):
            assert re.search(rf"(^|[ ,]){option}\b", known, re.MULTILINE)


def test_commands_are_imported_lazily() -> None:
    code = "import sys; from cnngraph.cli.process import run; run(['list', 'lenet']); print([*sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=variables(), check=True)
    assert set(re.findall(r"cnngraph\.cli\.commands\.(\w+)", ran.stdout)) == {"list"}


def test_version(cli: Cli) -> None:
    assert cli("--version") == (0, f"cnngraph {__version__}\n", "")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["chek"], "error: unknown command chek: did you mean `check`?\n  Try cnngraph --help\n"),
        (
            ["frobnicate"],
            "error: unknown command frobnicate: the commands are check, show, list, ops, build, weights, ",
        ),
        (["check"], "error: missing argument 'FILE...'\n  Try cnngraph check --help\n"),
        (["show", "--deph", "1", "x.yaml"], "error: unknown option --deph: did you mean `--depth`?\n"),
        (["--vershion"], "error: unknown option --vershion: did you mean `--version`?\n"),
        (
            ["train", "x.yaml", "--epochs", "3"],
            "error: unknown option --epochs: did you mean `--set train.epochs=3`?\n",
        ),
        (["train", "x", "--epochs"], "error: unknown option --epochs: did you mean `--set train.epochs=VALUE`?\n"),
        (["train", "x", "--lr=1"], "error: unknown option --lr: did you mean `--set train.optimizer.lr=1`?\n"),
        (["list", "--epochs", "3"], "error: unknown option --epochs\n"),
        (["show", "x.yaml", "--depth", "0"], "error: --depth must be an integer of at least 1, got `0`\n"),
        (["show", "x.yaml", "--depth", "one"], "error: --depth must be an integer of at least 1, got `one`\n"),
        (["predict", "r", "x.png", "--top", "0"], "error: --top must be an integer of at least 1, got `0`\n"),
        (["features", "r", "x.png", "--node", "a", "--most", "999"], "error: --most must be an integer from 1 to 256"),
        (["localize", "r", "x.png", "--threshold", "2"], "error: --threshold must be a number from 0 to 1, got `2`\n"),
        (["experiment", "x.yaml", "--seeds", "0"], "error: --seeds must be an integer of at least 1, got `0`\n"),
        (
            ["show", "x.yaml", "--format", "xml"],
            "error: invalid value for '--format': 'xml' is not one of 'text', 'json'",
        ),
        (["show", "x.yaml", "y.yaml"], "error: got unexpected extra argument"),
        (["show", "x.yaml", "--max-nodes", "0"], "error: --max-nodes must be an integer of at least 1, got `0`\n"),
        (["check", "--set"], "error: option '--set' requires an argument\n"),
        (["render", "x.yaml"], "error: missing option '--output' / '-o'\n"),
        (["render", "x.yaml", "-o", "x.bmp"], "error: invalid value for --output: x.bmp must end in .svg, "),
        (
            ["render", "x.yaml", "-o", "nowhere/x.svg"],
            "error: invalid value for --output: there is no folder nowhere\n",
        ),
        (
            ["build", "x.yaml", "-o", "x.pth"],
            "error: invalid value for --output: x.pth must end in .py or .safetensors",
        ),
        (["schema", "-o", "locked.json"], "error: invalid value for --output: locked.json is read-only"),
        (["render", "x.yaml", "-o", "locked.svg"], "error: invalid value for --output: locked.svg is read-only"),
        (
            ["render", "x.yaml", "-o", "-"],
            "error: invalid value for --output: `-` (standard output) is not supported; name a file, whose ending "
            "determines the format: .svg, .png, ",
        ),
        (["render", "x.yaml", "-o", ".svg"], "error: invalid value for --output: .svg is only an ending; write a name"),
        (["render", "x.yaml", "-o", "x.svg", "--page", "a5"], "error: invalid value for '--page': 'a5' is not one of"),
        (["schema", "-o", "."], "error: invalid value for --output: . is a folder\n"),
        (["schema", "-o", os.devnull], f"error: invalid value for --output: {os.devnull} is not a regular file\n"),
        (["train"], "error: invalid value for SPEC: give a spec, or --resume RUN\n"),
        (["train", "--resume", "r", "--recipe", "digits"], "error: a resumed run keeps its recipe and folder: "),
    ],
)
def test_usage_errors(cli: Cli, folder: Path, words: list[str], message: str) -> None:
    for name in ("locked.json", "locked.svg"):
        (folder / name).write_text("mine")
        (folder / name).chmod(0o444)
    ran = cli(*words)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(message)
    assert re.search(r"\n  Try cnngraph( \w+)? --help\n$", ran.err)


def test_help_shows_both_flags_of_a_pair() -> None:
    pairs = 0
    for name in COMMANDS:
        command = named(name)
        text = command.get_help(click.Context(command, info_name=name))
        for option in command.params:
            pairs += bool(option.secondary_opts)
            assert all(re.search(rf"{flag}\b", text) for flag in (*option.opts, *option.secondary_opts) if "-" in flag)
    assert pairs > 3


def test_internal_errors_have_no_traceback(cli: Cli, one: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise ZeroDivisionError("division by zero\nand more")

    monkeypatch.setattr("cnngraph.cli.reading.compile_spec", fail)
    ran = cli("show", one)
    assert (ran.code, ran.out) == (1, "")
    assert re.match(r"internal error: ZeroDivisionError: division by zero \(test_usage\.py:\d+\)\n", ran.err)
    assert "Please report it" in ran.err
    monkeypatch.setenv("CNNGRAPH_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        cli("show", one)


def test_file_that_cannot_be_written(cli: Cli, one: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, content: str, **options: object) -> int:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_text", refuse)
    ran = cli("schema", "-o", "schema.json")
    assert (ran.code, ran.err) == (1, "error: schema.json: No space left on device\n")
    assert [path.name for path in folder.iterdir()] == ["one.yaml"]


def variables(**changed: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8", **changed}


def process(*words: str, **changed: str) -> subprocess.CompletedProcess[str]:
    """Run the program in a subprocess."""
    return subprocess.run([*PROGRAM, *words], capture_output=True, text=True, timeout=120, env=variables(**changed))


def test_as_a_module() -> None:
    ran = process("check", str(network("googlenet_mnist")))
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.endswith("googlenet_mnist.yaml: ok, 97,298 parameters, 6.02 M MACs\n")


def test_terminal_without_unicode() -> None:
    ran = process("show", str(network("googlenet_mnist")), PYTHONIOENCODING="ascii")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "conv 5?5, 10" in ran.stdout


def test_closed_pipe() -> None:
    run = subprocess.Popen(
        [*PROGRAM, "schema"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=variables(),
    )
    assert run.stdout
    assert run.stderr
    run.stdout.read(10)
    run.stdout.close()
    assert run.stderr.read() == b""
    assert run.wait(60) in (0, 1)
    run.stderr.close()


def test_ctrl_c() -> None:
    code = (
        "import cnngraph.cli.reading as reading, time\n"
        "reading.compile_spec = lambda *arguments, **options: print(flush=True) or time.sleep(60)\n"
        "from cnngraph.cli import main; main()"
    )
    run = subprocess.Popen(
        [sys.executable, "-c", code, "show", "net.yaml"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=variables(),
    )
    assert run.stdout
    run.stdout.readline()
    run.send_signal(signal.SIGINT)
    _, errors = run.communicate(timeout=60)
    assert run.returncode == 130
    assert b"Traceback" not in errors


def on_a_terminal(*words: str, **changed: str) -> str:
    """The output of a command on a terminal."""
    ours, theirs = pty.openpty()
    environment = variables(TERM="xterm-256color", COLUMNS="80", **changed)
    with subprocess.Popen([*PROGRAM, *words], stdout=theirs, stderr=theirs, env=environment):
        os.close(theirs)
        text = b""
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            if not piece:
                break
            text += piece
    os.close(ours)
    return text.decode().replace("\r\n", "\n")


def test_terminal_output_is_coloured(one: str, folder: Path) -> None:
    wrong = folder / "wrong.yaml"
    wrong.write_text(Path(one).read_text().replace("act: relu", "act: rellu"))
    text = on_a_terminal("show", str(wrong))
    assert "\x1b[1mone\x1b[0m" in text
    assert "\x1b[1;31merror[E313]\x1b[0m\x1b[1m: there is no op or block `rellu`\x1b[0m\n" in text
    assert "\x1b[1;32mfix:\x1b[0m replace `rellu` with `relu`" in text
    assert "\x1b" not in on_a_terminal("show", str(wrong), NO_COLOR="1")


def test_colour_codes_in_specs_are_escaped(one: str, folder: Path) -> None:
    name = r'name: "[red]n\e[31m\u202e\r\n"'
    (folder / "strange.yaml").write_text(Path(one).read_text().replace("name: one", name))
    text = on_a_terminal("show", "strange.yaml")
    assert "\x1b[1m[red]n\\x1b[31m\\u202e\\r\\n\x1b[0m" in text
    assert "\x1b[31m" not in text
    (folder / "wrong.yaml").write_text(Path(one).read_text().replace("act: relu", r'act: "\e[2Jx"'))
    assert "\x1b[1m: there is no op or block `\\x1b[2Jx`\x1b[0m\n" in on_a_terminal("check", "wrong.yaml")
    assert "\x1b[1;31merror:\x1b[0m there is no folder \\x1b[2J" in on_a_terminal("runs", "\x1b[2J")
    assert "\x1b[1;36m  -h, --help " in on_a_terminal("show", "--help")
