"""What listens to a run: any handler of ignite's, or a function of the person who trains.

A handler is one of these:

- a function of the run's `Training`, which attaches what it likes;
- an object with `attach(engine)`, such as ignite's ProgressBar or BasicTimeProfiler; it is attached to the trainer;
- a pair (event, function), which is added to the trainer's events;
- one of ignite's loggers, which then logs what `--log` does.
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
from cnngraph.train.loop.handler_view import Training
from cnngraph.train.loop.loggers import log_to
from cnngraph.train.record.run_folder import RunFolder

Event: TypeAlias = Events | CallableEventWithFilter | EventsList
Handler: TypeAlias = Any  # of the kinds above, which Python's types cannot tell from others

CODE = "E649"
KINDS = "a handler is a function of the training, an object with attach(engine), or a pair (event, function)"
IN_A_FUNCTION = "attach it in a function of the training"
OURS = Path(__file__).parents[2]  # cnngraph/
ENGINE = Path(ignite.__file__).parent / "engine"


def check_handlers(handlers: Iterable[Handler]) -> None:
    """Raise SpecError (E649) where one of them is no handler."""
    for handler in handlers:
        if found := _problem(handler):
            problem, help = found
            raise SpecError.of(CODE, f"{_name(handler)} is not a handler: {problem}", help=help)


def load_handlers(names: Iterable[str]) -> tuple[Handler, ...]:
    """The handlers that `module:name` names, their modules imported. Raises SpecError (E649) where one is not there."""
    return tuple(map(_load, names))


def _load(name: str) -> Handler:
    module, _, path = name.partition(":")
    try:
        found: Any = importlib.import_module(module)
    except Exception as error:  # whatever its own code raises
        if not isinstance(error, ModuleNotFoundError) or error.name not in (module, module.partition(".")[0]):
            raise _failure(f"the handler {name} cannot be imported", error) from error
        help = "name an installed module, or a file of the working folder"
        if module.endswith(".py"):
            help = f"leave out the ending: {module.removesuffix('.py')}:{path}"
        raise SpecError.of(CODE, f"there is no module {module} for the handler {name}", help=help) from None
    for part in path.split("."):
        if not hasattr(found, part):
            near = did_you_mean(part, (word for word in dir(found) if not word.startswith("_")))
            raise SpecError.of(CODE, f"{module} has no {path}", help=near)
        found = getattr(found, part)
    check_handlers([found])
    return found


def attach_handlers(handlers: Iterable[Handler], training: Training) -> None:
    """Attach them in order. Raises SpecError (E649) where one of them fails."""
    check_handlers(handlers)
    for handler in handlers:
        try:
            _attach(handler, training)
        except (SpecError, KeyboardInterrupt):
            raise
        except Exception as error:
            raise _failure(f"the handler {_name(handler)} cannot be attached", error) from error


def _attach(handler: Handler, training: Training) -> None:
    if isinstance(handler, tuple):
        event, function = handler
        training.trainer.add_event_handler(event, function)
    elif _takes_one(getattr(handler, "attach", None)):
        handler.attach(training.trainer)
    elif isinstance(handler, BaseLogger):
        log_to(training.enter(handler), training)
    else:
        handler(training)


def _problem(handler: Handler) -> tuple[str, str] | None:
    """Why something is no handler, and what helps; None where it is one."""
    name = type(handler).__name__
    attach = getattr(handler, "attach", None)
    match handler:
        case (event, function) if isinstance(event, Event) and callable(function):
            return None
        case tuple():
            return "a pair is an event of ignite and a function", "(Events.EPOCH_COMPLETED, function)"
        case type():
            return "it is a class", f"create an object of it: {handler.__name__}(…)"
        case BaseLogger():
            return None
    if attach is not None:
        return None if _takes_one(attach) else ("its attach() needs more than the engine", IN_A_FUNCTION)
    if not callable(handler):
        return f"it is of type {name}", KINDS
    if type(handler).__module__.startswith("ignite."):
        return "ignite calls it at an event", f"name the event: (Events.EPOCH_COMPLETED, {name}(…))"
    return None if _takes_one(handler) else ("it must accept the training as its only argument", KINDS)


def _takes_one(function: Any) -> bool:
    """Whether something can be called with one argument."""
    if not callable(function):
        return False
    try:
        inspect.signature(function).bind(None)
    except TypeError:
        return False
    except ValueError:  # a function of C's, which has no signature
        return True
    return True


@contextmanager
def failures_named(folder: RunFolder) -> Iterator[None]:
    """Raises SpecError (E649) for an exception that a handler raised at an event; others pass."""
    try:
        yield
    except SpecError:
        raise
    except Exception as error:
        name = _failed(error)
        if name is None:
            raise
        raise _failure(f"the handler {name} failed", error, folder) from error


def _failed(error: BaseException) -> str | None:
    """The handler that raised an exception: what ignite's engine called last, if that is none of cnngraph's."""
    called = None
    for caller, frame in pairwise(frame for frame, _ in traceback.walk_tb(error.__traceback__)):
        if _is_in(caller, ENGINE) and not _is_in(frame, ENGINE):
            called = None if _is_in(frame, OURS) else frame.f_code.co_qualname.replace("<locals>.", "")
    return called


def _is_in(frame: FrameType, folder: Path) -> bool:
    return Path(frame.f_code.co_filename).is_relative_to(folder)


def _failure(message: str, error: Exception, folder: RunFolder | None = None) -> SpecError:
    """What a handler raised, and where."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    reason = (str(error).strip().splitlines() or [""])[0][:300]
    text = f"{message}: {type(error).__name__}{f': {reason}' if reason else ''}"
    help = "correct the handler"
    if folder and folder.state.is_file():
        help += f"; cnngraph train --resume {folder.path} continues from the last checkpoint"
    return SpecError.of(CODE, text, notes=(f"raised at {last.filename}:{last.lineno}",), help=help)


def _name(handler: Handler) -> str:
    """What a person calls it."""
    if isinstance(handler, tuple):
        return _name(handler[1]) if len(handler) == 2 else repr(handler)[:80]
    name = getattr(handler, "__qualname__", None)
    return str(
        name or (type(handler).__name__ if callable(handler) or hasattr(handler, "attach") else repr(handler)[:80])
    )
