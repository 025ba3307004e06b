"""Loads, checks and attaches the handlers of a run, and reports their errors.

A handler is one of these:

- a function with one argument, the run's `HandlerView`, that attaches handlers of its own;
- an object with `attach(engine)`, such as ignite's ProgressBar or BasicTimeProfiler, which is attached to the trainer;
- a pair (event, function), which is added to the trainer's event handlers;
- one of ignite's loggers, which then logs the same as with `--log`.
"""

from __future__ import annotations

import importlib
import inspect
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import Any, TypeAlias

import ignite
from ignite.engine.events import CallableEventWithFilter, Events, EventsList
from ignite.handlers.base_logger import BaseLogger

from cnngraph.diagnostics import SpecError, did_you_mean
from cnngraph.train.loop.handler_view import HandlerView
from cnngraph.train.loop.loggers import attach_logger
from cnngraph.train.record.run_folder import RunFolder

Event: TypeAlias = Events | CallableEventWithFilter | EventsList
Handler: TypeAlias = Any  # one of the above; Python's types cannot express it

CODE = "E649"
HELP = "use a function with one argument, an object with `attach(engine)`, or a pair (event, function)"
HELP_FUNCTION = "use a function that attaches it: `def handler(training): ….attach(training.trainer, …)`"
PACKAGE = Path(__file__).parents[2]  # cnngraph/
IGNITE_ENGINE = Path(ignite.__file__).parent / "engine"


def check_handlers(handlers: Iterable[Handler]) -> None:
    """Raise SpecError (E649) if one of them is not a handler."""
    for handler in handlers:
        if found := _problem(handler):
            problem, help = found
            raise SpecError.of(CODE, f"`{_name(handler)}` is not a handler: {problem}", help=help)


def load_handlers(names: Iterable[str]) -> tuple[Handler, ...]:
    """Import handlers by their names, `module:name`. Raises SpecError (E649) if one cannot be imported."""
    return tuple(map(_load, names))


def _load(name: str) -> Handler:
    module, _, path = name.partition(":")
    try:
        found: Any = importlib.import_module(module)
    except Exception as error:  # the module's code may raise anything
        if not isinstance(error, ModuleNotFoundError) or error.name not in (module, module.partition(".")[0]):
            raise _handler_error(f"the handler `{name}` cannot be imported", error) from error
        help = "use an installed module, or a file in the working folder"
        if module.endswith(".py"):
            help = f"remove the extension: `{module.removesuffix('.py')}:{path}`"
        raise SpecError.of(CODE, f"there is no module `{module}` for the handler `{name}`", help=help) from None
    for part in path.split("."):
        if not hasattr(found, part):
            near = did_you_mean(part, (public for public in dir(found) if not public.startswith("_")))
            raise SpecError.of(CODE, f"the module `{module}` has no `{path}`", help=near)
        found = getattr(found, part)
    check_handlers([found])
    return found


def attach_handlers(handlers: Iterable[Handler], training: HandlerView) -> None:
    """Attach handlers in order. Raises SpecError (E649) if one of them fails."""
    check_handlers(handlers)
    for handler in handlers:
        try:
            _attach(handler, training)
        except (SpecError, KeyboardInterrupt):
            raise
        except Exception as error:
            raise _handler_error(f"the handler `{_name(handler)}` cannot be attached", error) from error


def _attach(handler: Handler, training: HandlerView) -> None:
    if isinstance(handler, tuple):
        event, function = handler
        training.trainer.add_event_handler(event, function)
    elif _accepts_one_argument(getattr(handler, "attach", None)):
        handler.attach(training.trainer)
    elif isinstance(handler, BaseLogger):
        attach_logger(training.enter(handler), training)
    else:
        handler(training)


def _problem(handler: Handler) -> tuple[str, str] | None:
    """Why an object is not a handler, and how to fix it; None if it is one."""
    name = type(handler).__name__
    attach = getattr(handler, "attach", None)
    match handler:
        case (event, function) if isinstance(event, Event) and callable(function):
            return None
        case tuple():
            return (
                "a pair must be an Ignite event and a function",
                "use, for example, `(Events.EPOCH_COMPLETED, function)`",
            )
        case type():
            return "it is a class", f"create an instance: `{handler.__name__}(…)`"
        case BaseLogger():
            return None
    if attach is not None:
        return (
            None
            if _accepts_one_argument(attach)
            else ("its `attach` takes more arguments than the engine", HELP_FUNCTION)
        )
    if not callable(handler):
        return f"it is of type {name}", HELP
    if type(handler).__module__.startswith("ignite."):
        return "ignite calls it at an event", f"name the event: `(Events.EPOCH_COMPLETED, {name}(…))`"
    return (
        None
        if _accepts_one_argument(handler)
        else ("it must accept a single argument, as in `def handler(training)`", HELP)
    )


def _accepts_one_argument(function: Any) -> bool:
    """Whether an object can be called with one argument."""
    if not callable(function):
        return False
    try:
        inspect.signature(function).bind(None)
    except TypeError:
        return False
    except ValueError:  # C functions may have no signature
        return True
    return True


@contextmanager
def handler_errors(folder: RunFolder) -> Iterator[None]:
    """Turn an exception that a handler raised at an event into a SpecError (E649); others are not caught."""
    try:
        yield
    except SpecError:
        raise
    except Exception as error:
        name = _failing_handler(error)
        if name is None:
            raise
        raise _handler_error(f"the handler `{name}` failed", error, folder) from error


def _failing_handler(error: BaseException) -> str | None:
    """The handler that raised an exception: the last function that ignite's engine called, unless it is cnngraph's."""
    called = None
    for caller, frame in pairwise(frame for frame, _ in traceback.walk_tb(error.__traceback__)):
        if _is_in(caller, IGNITE_ENGINE) and not _is_in(frame, IGNITE_ENGINE):
            called = None if _is_in(frame, PACKAGE) else frame.f_code.co_qualname.replace("<locals>.", "")
    return called


def _is_in(frame: FrameType, folder: Path) -> bool:
    return Path(frame.f_code.co_filename).is_relative_to(folder)


def _handler_error(message: str, error: Exception, folder: RunFolder | None = None) -> SpecError:
    """The error E649 with what a handler raised and where."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    reason = (str(error).strip().splitlines() or [""])[0][:300]
    text = f"{message}: {type(error).__name__}{f': {reason}' if reason else ''}"
    help = "fix the handler"
    if folder and folder.state.is_file():
        help += f", and resume from the last checkpoint with `cnngraph train --resume {folder.path}`"
    return SpecError.of(CODE, text, notes=(f"raised at {last.filename}:{last.lineno}",), help=help)


def _name(handler: Handler) -> str:
    """A handler's name for messages."""
    if isinstance(handler, tuple):
        return _name(handler[1]) if len(handler) == 2 else repr(handler)[:80]
    name = getattr(handler, "__qualname__", None)
    return str(
        name or (type(handler).__name__ if callable(handler) or hasattr(handler, "attach") else repr(handler)[:80])
    )
