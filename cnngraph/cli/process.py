"""Runs one command: every error becomes a message and an exit code, never a traceback.

Exit codes: 0 for success; 1 for an invalid spec or a failed run; 2 for wrong usage; 130 for Ctrl-C.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import click
from click.exceptions import Exit

from cnngraph.cli.app import COMPLETE, NAME, app
from cnngraph.cli.messages import complain, print_diagnostics
from cnngraph.diagnostics import SpecError, Suggestion, did_you_mean
from cnngraph.interrupts import INTERRUPTED, interrupts
from cnngraph.launch import local_rank
from cnngraph.packages import explain
from cnngraph.terminal import guarded

FAILED, WRONG_USAGE = 1, 2
LONGEST_NAME = 200  # characters of a name in a message
OUT_OF_MEMORY = ("can't allocate memory", "out of memory", "not enough memory")  # in PyTorch's errors
PATIENCE = 5.0  # seconds for another process to print its error; when that one exits, torchrun kills this one


def run(arguments: Sequence[str]) -> int:
    """Run the command line with these arguments and return its exit code.

    If several processes run on a machine (torchrun), only the first one prints; another one only if it alone fails.
    """
    with guarded():
        if not local_rank():
            return _flushed(_run(arguments))
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()) as captured:
            code = _run(arguments)
        if code in (FAILED, WRONG_USAGE) and captured.getvalue():
            time.sleep(PATIENCE)
            print(captured.getvalue(), end="", file=sys.stderr)
        return _flushed(code)


def _run(arguments: Sequence[str]) -> int:
    try:
        return _called(arguments)
    except BrokenPipeError:
        _silence_stdout()
        return FAILED
    except OSError:  # stderr cannot be written either
        return FAILED


def _called(arguments: Sequence[str]) -> int:
    if not _has_working_folder():  # importing PyTorch would crash the process
        complain("the working directory no longer exists")
        complain("cd to another directory", "help")
        return FAILED
    try:
        code = _invoke(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except KeyboardInterrupt:
        return INTERRUPTED
    except click.ClickException as error:
        return _wrong_usage(error, arguments)
    except SpecError as error:
        _print_error(error)
        return FAILED
    except Exception as error:
        if interrupts.came:  # a library converted KeyboardInterrupt
            return INTERRUPTED
        if os.environ.get("CNNGRAPH_DEBUG"):
            raise
        return _failed(error)
    return code


def _invoke(arguments: Sequence[str]) -> int:
    """Run the command or shell completion. Like click's `main`, but without printing errors or exiting."""
    if instruction := os.environ.get(COMPLETE):
        from click.shell_completion import shell_complete

        return shell_complete(app, {}, NAME, COMPLETE, instruction)
    try:
        with app.make_context(NAME, list(arguments)) as context:
            app.invoke(context)
    except Exit as end:
        return end.exit_code
    return 0


def _flushed(code: int) -> int:
    """Flush the output. Returns the exit code, or that of a failure if the output cannot be written."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        _silence_stdout()
        return code or FAILED
    return code


def _print_error(error: SpecError) -> None:
    """Print the diagnostics, unless another process prints them."""
    if error.speaks is False:
        time.sleep(PATIENCE)
        return
    with redirect_stderr(sys.__stderr__ if error.speaks else sys.stderr):
        print_diagnostics(error.diagnostics, to_stderr=True)


def _wrong_usage(error: click.ClickException, arguments: Sequence[str]) -> int:
    """Print what is wrong with the arguments, and how to get help."""
    complain(_usage_message(error, arguments))
    context = error.ctx if isinstance(error, click.UsageError) else None
    command = context.command_path if context else "cnngraph"
    print(f"  Try {command} --help", file=sys.stderr)
    return error.exit_code


def _usage_message(error: click.ClickException, arguments: Sequence[str]) -> str:
    """What is wrong with the arguments, independent of click's version."""
    if isinstance(error, click.NoSuchOption) and error.ctx:
        known = [name for param in error.ctx.command.get_params(error.ctx) for name in param.opts]
        setting = _recipe_setting(error.option_name, arguments) if "--set" in known else None
        help = Suggestion(setting) if setting else did_you_mean(error.option_name, known)
        return f"unknown option {error.option_name}{f': {help}' if help else ''}"
    text = error.format_message().strip().rstrip(".")
    return text[:1].lower() + text[1:]


def _recipe_setting(option: str, arguments: Sequence[str]) -> str | None:
    """`--set train.epochs=3` for `--epochs 3`; None if no recipe key has the option's name."""
    from cnngraph.recipe.reading import recipe_key

    key = recipe_key(option.lstrip("-").replace("-", "_"))
    if key is None:
        return None
    after = next((index for index, argument in enumerate(arguments, 1) if argument.partition("=")[0] == option), 0)
    value = arguments[after - 1].partition("=")[2] or next(iter(arguments[after:]), "")
    return f"--set train.{key}={value if value and not value.startswith('--') else 'VALUE'}"


def _failed(error: Exception) -> int:
    """Print an error of a package, of the operating system, or of cnngraph itself."""
    if found := explain(error):
        complain(found.message)
        complain(found.help, "help")
    elif isinstance(error, OSError):
        _print_os_error(error)
    elif _lacks_memory(error):
        complain("out of memory")
    elif isinstance(error, UnicodeEncodeError):
        complain(f"{error.object[:LONGEST_NAME]} is not valid {error.encoding}")
        complain("rename the file or folder, or correct the name", "help")
    else:
        _report(error)
    return FAILED


def _print_os_error(error: OSError) -> None:
    from cnngraph.atomic_files import NO_ROOM

    reason = error.strerror or str(error) or type(error).__name__
    if error.filename is not None:
        complain(f"{os.fsdecode(error.filename) if isinstance(error.filename, bytes) else error.filename}: {reason}")
    elif error.errno in NO_ROOM:  # the file behind `> file` has no name here
        complain(f"cannot write: {reason}")
        _silence_stdout()
    else:
        complain(f"operating system error: {reason}")


def _has_working_folder() -> bool:
    try:
        os.getcwd()
    except OSError:
        return False
    return True


def _lacks_memory(error: Exception) -> bool:
    """Whether the error means that memory is exhausted, in Python or PyTorch."""
    return isinstance(error, MemoryError) or any(text in str(error) for text in OUT_OF_MEMORY)


def _report(error: Exception) -> None:
    """Print an internal error with its location."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    where = f" ({Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno})" if trace else ""
    first = (str(error).splitlines() or [""])[0][:300]
    complain(f"{type(error).__name__}: {first}{where}", "internal error")
    print(
        "  This is a bug in cnngraph, not in your spec. Please report it, with the spec and the line above.\n"
        "  Set CNNGRAPH_DEBUG=1 in the environment to get the full traceback.",
        file=sys.stderr,
    )


def _silence_stdout() -> None:
    """Discard further output, so that the interpreter does not fail when it flushes stdout at exit."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):
        sys.stdout = None
