"""A handler that records which events are fired."""

from __future__ import annotations

from typing import Any

from ignite.engine import Engine, Events

from cnngraph.train import Result

STEPS = 5  # per epoch: 36 images in batches of 8
ALL = [event for event in Events if event is not Events.EXCEPTION_RAISED]


class Diary:
    """Records the fired events with the iteration and epoch numbers."""

    def __init__(self, *events: Events) -> None:
        self.events = events or tuple(ALL)
        self.entries: list[tuple[str, int, int]] = []

    def attach(self, engine: Engine) -> None:
        for event in self.events:
            if event is Events.TERMINATE_SINGLE_EPOCH:
                engine.add_event_handler(event, self.write_ending, event.name)
            else:
                engine.add_event_handler(event, self.write, event.name)

    def write(self, engine: Engine, name: str) -> None:
        self.entries.append((name, engine.state.iteration, engine.state.epoch))

    def write_ending(self, engine: Engine, name: str, iter_counter: int) -> None:
        self.write(engine, name)

    @property
    def names(self) -> list[str]:
        return [name for name, *_ in self.entries]


def metrics_of(result: Result) -> list[Any]:
    return [(epoch.train, epoch.evaluation, epoch.learning_rate) for epoch in result.epochs]
