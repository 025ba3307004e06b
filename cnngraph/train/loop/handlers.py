"""What listens to a run: any handler of ignite's, or a function of the person who trains.

A handler is one of these:

- a function of the run's `Training`, which attaches what it likes;
- an object with `attach(engine)`, such as ignite's ProgressBar or BasicTimeProfiler; it is attached to the trainer;
- a pair (event, function), which is added to the trainer's events;
- one of ignite's loggers, which then logs what `--log` does.
"""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, TypeAlias

import ignite
from ignite.engine.events import CallableEventWithFilter, Events, EventsList
from ignite.handlers.base_logger import BaseLogger

import cnngraph
from cnngraph.diagnostics import Diagnostic, SpecError
from cnngraph.train.loop.loggers import log_to
from cnngraph.train.loop.training import Training
from cnngraph.train.record.run_folder import RunFolder

Event: TypeAlias = Events | CallableEventWithFilter | EventsList
Handler: TypeAlias = Callable[[Training], object] | tuple[Event, Callable[..., object]] | Any  # an object that attaches

CODE = "E648"
KINDS = "a handler is a function of the training, an object with attach(engine), or a pair (event, function)"
OURS = Path(cnngraph.__file__).parent
ENGINE = Path(ignite.__file__).parent / "engine"


def check_handlers(handlers: Iterable[Handler]) -> None:
    """Raise SpecError (E648) where one of them is no handler."""
    for handler in handlers:
        problem, help = _problem(handler)
        if problem:
            raise SpecError([Diagnostic(CODE, f"{_name(handler)} is not a handler: {problem}", help=help)])


def attach_handlers(handlers: Iterable[Handler], training: Training) -> None:
    """Attach them in order. Raises SpecError (E648) where one of them fails."""
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


def _problem(handler: Handler) -> tuple[str | None, str]:
    """Why something is no handler, and what helps; None where it is one."""
    if isinstance(handler, tuple):
        if len(handler) != 2 or not isinstance(handler[0], Event) or not callable(handler[1]):
            return "a pair is an event of ignite and a function", "(Events.EPOCH_COMPLETED, function)"
        return None, ""
    if isinstance(handler, type):
        return "it is a class", f"create an object of it: {handler.__name__}(…)"
    attach = getattr(handler, "attach", None)
    if attach is not None:
        if _takes_one(attach) or isinstance(handler, BaseLogger):
            return None, ""
        return "its attach() needs more than the engine", "attach it in a function of the training"
    if not callable(handler):
        return f"it is of type {type(handler).__name__}", KINDS
    if type(handler).__module__.startswith("ignite."):
        name = type(handler).__name__
        return "ignite calls it at an event", f"name the event: (Events.EPOCH_COMPLETED, {name}(…))"
    if not _takes_one(handler):
        return "it must accept the training as its only argument", KINDS
    return None, ""


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
    """Raises SpecError (E648) for an exception that a handler raised at an event; others pass."""
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
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    for caller, frame in zip(frames, frames[1:], strict=False):
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
    return SpecError([Diagnostic(CODE, text, notes=(f"raised at {last.filename}:{last.lineno}",), help=help)])


def _name(handler: Handler) -> str:
    """What a person calls it."""
    if isinstance(handler, tuple):
        return _name(handler[1]) if len(handler) == 2 else repr(handler)[:80]
    name = getattr(handler, "__qualname__", None)
    return str(name or (type(handler).__name__ if callable(handler) or hasattr(handler, "attach") else repr(handler)[:80]))
