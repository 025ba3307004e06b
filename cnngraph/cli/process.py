"""One run of the command line: whatever happens becomes a message and an exit code, never a traceback.

Exit codes: 0; 1 for a wrong spec or a run that failed; 2 for wrong usage; 130 for Ctrl-C.
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
NO_MEMORY = ("can't allocate memory", "out of memory", "not enough memory")  # in PyTorch's errors
PATIENCE = 5.0  # seconds in which another process may speak; as soon as that one has ended, torchrun ends this one


def run(arguments: Sequence[str]) -> int:
    """Run the command line with these arguments, print what it says, and give its exit code.

    Of several processes on a machine (torchrun) the first one speaks; another one only if it failed alone.
    """
    with guarded():
        if not local_rank():
            return _flushed(_run(arguments))
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()) as held:
            code = _run(arguments)
        if code in (FAILED, WRONG_USAGE) and held.getvalue():
            time.sleep(PATIENCE)
            print(held.getvalue(), end="", file=sys.stderr)
        return _flushed(code)


def _run(arguments: Sequence[str]) -> int:
    try:
        return _called(arguments)
    except BrokenPipeError:
        _silence_stdout()
        return FAILED
    except OSError:  # stderr itself cannot be written: there is nowhere to say so
        return FAILED


def _called(arguments: Sequence[str]) -> int:
    if not _has_working_folder():  # loading PyTorch there would end the process
        complain("the working folder does not exist any more")
        complain("cd to another folder", "help")
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
        _tell(error)
        return FAILED
    except Exception as error:
        if interrupts.came:  # a library made another exception of it
            return INTERRUPTED
        if os.environ.get("CNNGRAPH_DEBUG"):
            raise
        return _failed(error)
    return code


def _invoke(arguments: Sequence[str]) -> int:
    """Run the command, or answer the shell that completes one: as click's `main`, without what it prints and ends."""
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
    """The exit code, when all that was printed is written; else that of a failure."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        _silence_stdout()
        return code or FAILED
    return code


def _tell(error: SpecError) -> None:
    """Print what is wrong, unless another process does."""
    if error.speaks is False:
        time.sleep(PATIENCE)
        return
    with redirect_stderr(sys.__stderr__ if error.speaks else sys.stderr):
        print_diagnostics(error.diagnostics, to_stderr=True)


def _wrong_usage(error: click.ClickException, arguments: Sequence[str]) -> int:
    """Say what is wrong with the arguments, and where the right ones are explained."""
    complain(_usage_message(error, arguments))
    context = error.ctx if isinstance(error, click.UsageError) else None
    command = context.command_path if context else "cnngraph"
    print(f"  Try {command} --help", file=sys.stderr)
    return error.exit_code


def _usage_message(error: click.ClickException, arguments: Sequence[str]) -> str:
    """What is wrong with the arguments, in one manner whatever click's version."""
    if isinstance(error, click.NoSuchOption) and error.ctx:
        known = [name for param in error.ctx.command.get_params(error.ctx) for name in param.opts]
        setting = _recipe_setting(error.option_name, arguments) if "--set" in known else None
        help = Suggestion(setting) if setting else did_you_mean(error.option_name, known)
        return f"there is no option {error.option_name}{f': {help}' if help else ''}"
    text = error.format_message().strip().rstrip(".")
    return text[:1].lower() + text[1:]


def _recipe_setting(option: str, arguments: Sequence[str]) -> str | None:
    """`--set train.epochs=3` for `--epochs 3`; None if the option has not the name of a recipe's key."""
    from cnngraph.recipe.reading import recipe_key

    word = recipe_key(option.lstrip("-").replace("-", "_"))
    if word is None:
        return None
    after = next((index for index, argument in enumerate(arguments, 1) if argument.partition("=")[0] == option), 0)
    value = arguments[after - 1].partition("=")[2] or next(iter(arguments[after:]), "")
    return f"--set train.{word}={value if value and not value.startswith('--') else 'VALUE'}"


def _failed(error: Exception) -> int:
    """Tell of what the system or another project's package refuses, or of an error in cnngraph itself."""
    if found := explain(error):
        complain(found.message)
        complain(found.help, "help")
    elif isinstance(error, OSError):
        _say_what_system_refuses(error)
    elif _lacks_memory(error):
        complain("out of memory")
    elif isinstance(error, UnicodeEncodeError):
        complain(f"{error.object[:LONGEST_NAME]} is not valid {error.encoding}")
        complain("rename the file or folder, or correct the name", "help")
    else:
        _report(error)
    return FAILED


def _say_what_system_refuses(error: OSError) -> None:
    from cnngraph.files import NO_ROOM

    reason = error.strerror or str(error) or type(error).__name__
    if error.filename is not None:
        complain(f"{os.fsdecode(error.filename) if isinstance(error.filename, bytes) else error.filename}: {reason}")
    elif error.errno in NO_ROOM:  # what stands behind `> file` has no name
        complain(f"cannot write: {reason}")
        _silence_stdout()
    else:
        complain(f"the system refuses: {reason}")


def _has_working_folder() -> bool:
    try:
        os.getcwd()
    except OSError:
        return False
    return True


def _lacks_memory(error: Exception) -> bool:
    """Whether there is no memory left, as Python or PyTorch says it."""
    return isinstance(error, MemoryError) or any(each in str(error) for each in NO_MEMORY)


def _report(error: Exception) -> None:
    """An error of cnngraph's own, with what helps to find it."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    where = f" ({Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno})" if trace else ""
    first = (str(error).splitlines() or [""])[0][:300]
    complain(f"{type(error).__name__}: {first}{where}", "internal error")
    print(
        "  This is a bug in cnngraph, not in your spec. Please report it, with the spec and the line above.\n"
        "  CNNGRAPH_DEBUG=1 in the environment shows the whole traceback.",
        file=sys.stderr,
    )


def _silence_stdout() -> None:
    """Nobody reads on: keep the interpreter from complaining when it flushes at its end."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):
        sys.stdout = None
