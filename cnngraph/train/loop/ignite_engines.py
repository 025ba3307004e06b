"""Subclasses of ignite's Engine that lose no exception and stop only where the run can be saved and resumed."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Any, NoReturn

from ignite.engine import Engine, Events

STEP_EVENTS = (Events.GET_BATCH_STARTED, Events.GET_BATCH_COMPLETED, Events.ITERATION_STARTED)


class StrictEngine(Engine):
    """An engine that always raises exceptions again, after its EXCEPTION_RAISED handlers have seen them once.

    In ignite itself a run continues unless such a handler raises the exception again.
    """

    def __init__(self, process_function: Callable[[Engine, Any], Any]) -> None:
        super().__init__(process_function)
        self.logger.disabled = True  # it logs exceptions, which are reported anyway
        self._handled: BaseException | None = None

    def _handle_exception(self, e: BaseException) -> NoReturn:
        if e is not self._handled:
            self._handled = e
            super()._handle_exception(e)
        raise e


class StopRequest(IntEnum):
    """What a handler or Ctrl-C has asked to stop; of several requests, the greatest applies."""

    NONE = 0
    EPOCH = 1
    EPOCH_WITHOUT_EVENT = 2  # EPOCH_COMPLETED is not fired
    RUN = 3
    RUN_WITHOUT_EVENT = 4  # COMPLETED is not fired
    INTERRUPT = 5  # COMPLETED is not fired, and the run can be resumed


class Trainer(StrictEngine):
    """The engine that trains. An iteration is a step on one batch as long as a handler listens to steps.

    `terminate`, `terminate_epoch` and `interrupt` only record a `request`. It takes effect in all processes at once as
    soon as the current optimizer step is complete, because only then can the run be saved.
    """

    def __init__(self, process_function: Callable[[Engine, Any], Any]) -> None:
        super().__init__(process_function)
        self.request = StopRequest.NONE

    def has_step_handlers(self) -> bool:
        """Whether a handler other than the run's own listens to steps."""
        handlers = self._event_handlers  # not `has_event_handler`: ignite's profilers write into it directly
        return len(handlers[Events.ITERATION_COMPLETED]) > 1 or any(handlers[event] for event in STEP_EVENTS)

    def move_to_end(self, event: Events, handler: Callable[[], object]) -> None:
        """Move an attached handler behind those that were attached to the event later.

        A handler that one of ignite's profilers has wrapped is not moved.
        """
        if self._event_handlers[event][-1][0] != handler and self.has_event_handler(handler, event):
            self.remove_event_handler(handler, event)
            self.add_event_handler(event, handler)

    def terminate(self, skip_completed: bool = False) -> None:
        """Request the end of the run, as early stopping does."""
        self._request(StopRequest.RUN_WITHOUT_EVENT if skip_completed else StopRequest.RUN)

    def terminate_epoch(self, skip_epoch_completed: bool = False) -> None:
        """Request the end of the epoch; the run continues with the next one."""
        self._request(StopRequest.EPOCH_WITHOUT_EVENT if skip_epoch_completed else StopRequest.EPOCH)

    def interrupt(self) -> None:
        """Request what Ctrl-C does: stop with a checkpoint, so that the run can be resumed."""
        self._request(StopRequest.INTERRUPT)

    def _request(self, request: StopRequest) -> None:
        self.request = max(self.request, request)

    def stop(self, request: StopRequest) -> None:
        """Stop what was requested after the current event."""
        self.request = StopRequest.NONE
        if request >= StopRequest.RUN:
            super().terminate(skip_completed=request != StopRequest.RUN)
        elif request:
            super().terminate_epoch(skip_epoch_completed=request == StopRequest.EPOCH_WITHOUT_EVENT)
