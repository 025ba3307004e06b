"""ignite's engine, as a run needs it: no exception is lost, and a run ends where it can be resumed from."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Any, NoReturn

from ignite.engine import Engine, Events

OF_STEPS = (Events.GET_BATCH_STARTED, Events.GET_BATCH_COMPLETED, Events.ITERATION_STARTED)


class StrictEngine(Engine):
    """An engine whose handlers of EXCEPTION_RAISED see an exception once and never swallow it.

    In ignite itself a handler of that event must raise the exception again, or else the run continues after it.
    """

    def __init__(self, process_function: Callable[[Engine, Any], Any]) -> None:
        super().__init__(process_function)
        self.logger.disabled = True  # it logs exceptions, which are reported anyway
        self._seen: BaseException | None = None

    def _handle_exception(self, e: BaseException) -> NoReturn:
        if e is not self._seen:
            self._seen = e
            super()._handle_exception(e)
        raise e


class Ending(IntEnum):
    """What a handler or Ctrl-C asks a run to end; of several, the greatest is obeyed."""

    NOTHING = 0
    EPOCH = 1
    EPOCH_SILENTLY = 2  # EPOCH_COMPLETED is not fired
    RUN = 3
    RUN_SILENTLY = 4  # COMPLETED is not fired
    INTERRUPTED = 5  # likewise, and the run is to be resumed


class Trainer(StrictEngine):
    """The engine that trains. An iteration is a step, which learns from one batch, where any handler listens to it.

    `terminate`, `terminate_epoch` and `interrupt` are requests here. They are obeyed after the step in which they are
    made, as soon as the optimizer's step is complete, in all processes at once: the run can be saved then.
    """

    def __init__(self, process_function: Callable[[Engine, Any], Any]) -> None:
        super().__init__(process_function)
        self.asked = Ending.NOTHING

    def is_listened_to(self) -> bool:
        """Whether a handler is called at steps, beside the one that the run has itself."""
        listening = self._event_handlers  # which ignite's own profilers write into
        return len(listening[Events.ITERATION_COMPLETED]) > 1 or any(listening[event] for event in OF_STEPS)

    def keep_last(self, event: Events, handler: Callable[[], object]) -> None:
        """Let an attached handler be called after those that were attached to the event later.

        One that a profiler of ignite's has wrapped stays where it is.
        """
        if self._event_handlers[event][-1][0] != handler and self.has_event_handler(handler, event):
            self.remove_event_handler(handler, event)
            self.add_event_handler(event, handler)

    def terminate(self, skip_completed: bool = False) -> None:
        """Ask the run to end, as if by early stopping."""
        self._ask(Ending.RUN_SILENTLY if skip_completed else Ending.RUN)

    def terminate_epoch(self, skip_epoch_completed: bool = False) -> None:
        """Ask the epoch to end; the run continues with the next one."""
        self._ask(Ending.EPOCH_SILENTLY if skip_epoch_completed else Ending.EPOCH)

    def interrupt(self) -> None:
        """Ask the run to stop as Ctrl-C does: with a checkpoint, to be resumed later."""
        self._ask(Ending.INTERRUPTED)

    def _ask(self, ending: Ending) -> None:
        self.asked = max(self.asked, ending)

    def obey(self, ending: Ending) -> None:
        """Do what was asked for, after the event at work."""
        self.asked = Ending.NOTHING
        if ending >= Ending.RUN:
            super().terminate(skip_completed=ending != Ending.RUN)
        elif ending:
            super().terminate_epoch(skip_epoch_completed=ending == Ending.EPOCH_SILENTLY)
