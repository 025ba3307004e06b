"""Handlers: the events they are called at, what they find, and what they may change in a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from ignite.engine import Engine, Events
from ignite.handlers import (
    TerminateOnNan,
)
from ignite.metrics import Accuracy
from safetensors.torch import load_file

from cnngraph import SpecError
from cnngraph.recipe.optimizers import Adam
from cnngraph.recipe.schedules import Cosine
from cnngraph.train import Handler, HandlerView
from cnngraph.train.loop.handlers import load_handlers
from tests.train.event_diary import ALL, STEPS, Diary, metrics_of
from tests.train.support import RecordingReporter, at_batch, exploding, run, small_network, stripe_splits

OF_STEPS = (
    Events.GET_BATCH_STARTED, Events.GET_BATCH_COMPLETED, Events.ITERATION_STARTED, Events.ITERATION_COMPLETED,
)  # fmt: skip


def same_run(first: Path, second: Path) -> bool:
    one, other = (load_file(folder / "last.safetensors") for folder in (first, second))
    return all(torch.equal(one[key], other[key]) for key in one)


def test_all_events_of_a_run(tmp_path: Path) -> None:
    diary = Diary()
    run(tmp_path, handlers=(diary,), epochs=2)
    expected = [("STARTED", 0, 0)]
    for epoch in (1, 2):
        first = (epoch - 1) * STEPS
        expected.append(("EPOCH_STARTED", first, epoch))
        for step in range(first, first + STEPS):
            expected += [("GET_BATCH_STARTED", step, epoch), ("GET_BATCH_COMPLETED", step, epoch)]
            expected += [("ITERATION_STARTED", step + 1, epoch), ("ITERATION_COMPLETED", step + 1, epoch)]
        expected.append(("EPOCH_COMPLETED", first + STEPS, epoch))
    assert diary.entries == [*expected, ("COMPLETED", 2 * STEPS, 2)]


def test_events_without_step_handlers(tmp_path: Path) -> None:
    diary = Diary(*(event for event in ALL if event not in OF_STEPS))
    run(tmp_path, handlers=(diary,), epochs=2)
    assert diary.entries == [
        ("STARTED", 0, 0),
        ("EPOCH_STARTED", 0, 1),
        ("EPOCH_COMPLETED", STEPS, 1),
        ("EPOCH_STARTED", STEPS, 2),
        ("EPOCH_COMPLETED", 2 * STEPS, 2),
        ("COMPLETED", 2 * STEPS, 2),
    ]


@pytest.mark.parametrize("event", [*OF_STEPS, Events.ITERATION_COMPLETED(every=2), Events.ITERATION_STARTED(once=3)])
@pytest.mark.parametrize("changes", [{}, {"accumulate": 2, "schedule": Cosine(), "optimizer": Adam(lr=0.01)}])
def test_handlers_do_not_change_the_result(tmp_path: Path, event: Any, changes: dict[str, Any]) -> None:
    called: list[int] = []

    def listen(engine: Engine) -> None:
        called.append(engine.state.iteration)

    alone = run(tmp_path / "alone", epochs=3, **changes)
    with_handler = run(tmp_path / "heard", handlers=((event, listen),), epochs=3, **changes)
    assert called
    assert metrics_of(with_handler) == metrics_of(alone)
    assert with_handler.test == alone.test
    assert same_run(tmp_path / "heard", tmp_path / "alone")


def test_a_handler_may_be_attached_during_a_run(tmp_path: Path) -> None:
    diary = Diary(Events.ITERATION_COMPLETED)

    def later(training: HandlerView) -> None:
        training.trainer.add_event_handler(Events.EPOCH_STARTED(once=2), diary.attach)

    run(tmp_path, handlers=(later,), epochs=3)
    assert diary.entries == [("ITERATION_COMPLETED", step, 2 if step <= 10 else 3) for step in range(6, 16)]


def test_the_state_that_handlers_see(tmp_path: Path) -> None:
    seen: list[HandlerView] = []
    metrics: list[dict[str, float]] = []

    def attach(training: HandlerView) -> None:
        seen.append(training)

        @training.trainer.on(Events.ITERATION_COMPLETED)
        def check_step(engine: Engine) -> None:
            images, labels = engine.state.batch  # type: ignore[misc]
            output: Any = engine.state.output
            assert images.shape == (len(labels), 1, 8, 8)
            assert torch.equal(output["labels"], labels)
            assert output["logits"].shape == (len(labels), 4)
            expected = torch.nn.functional.cross_entropy(output["logits"], labels)
            assert output["loss"] == expected
            assert not output["logits"].requires_grad
            assert (engine.state.epoch_length, engine.state.max_epochs) == (STEPS, 2)
            assert len(engine.state.dataloader) == STEPS  # type: ignore[arg-type]
            assert training.model.training

        @training.trainer.on(Events.EPOCH_COMPLETED)
        def take_metrics(engine: Engine) -> None:
            metrics.append(dict(engine.state.metrics))

    result = run(tmp_path, handlers=(attach,), epochs=2)
    (training,) = seen
    assert set(training.evaluators) == {"validation", "test"}
    assert (training.network, training.folder, training.leads) == ("small", tmp_path, True)
    for epoch, found in zip(result.epochs, metrics, strict=True):
        assert found == epoch.metrics()
    assert result.test
    assert training.trainer.state.metrics["test_accuracy"] == result.test.accuracy
    assert training.evaluators["test"].state.metrics["loss"] == result.test.loss


@pytest.mark.parametrize("changes", [{}, {"accumulate": 3}])
@pytest.mark.parametrize("event", [Events.ITERATION_COMPLETED, Events.ITERATION_STARTED, Events.GET_BATCH_COMPLETED])
@pytest.mark.parametrize("step", [1, 3, 5, 7, 10, 11])
def test_a_run_terminated_by_a_handler_can_be_resumed(
    tmp_path: Path, event: Events, step: int, changes: dict[str, Any]
) -> None:
    options: dict[str, Any] = {"epochs": 3, "optimizer": Adam(lr=0.01), "schedule": Cosine(), **changes}
    whole = run(tmp_path / "whole", **options)
    diary = Diary(Events.TERMINATE, Events.COMPLETED)
    end = (event(once=step), lambda engine: engine.terminate())
    stopped = run(tmp_path / "half", handlers=(end, diary), **options)
    assert not stopped.interrupted
    assert stopped.test
    assert len(stopped.epochs) <= step // STEPS + 1 < 4
    assert diary.names == ["TERMINATE", "COMPLETED"]
    assert (tmp_path / "half" / "state.pt").exists()
    again = Diary(Events.ITERATION_STARTED, Events.EPOCH_STARTED)
    done = run(tmp_path / "half", network=small_network(5), resume=True, handlers=(again,), **options)
    assert metrics_of(done) == metrics_of(whole)
    assert done.test == whole.test
    assert same_run(tmp_path / "half", tmp_path / "whole")
    assert again.entries[-1] == ("ITERATION_STARTED", 3 * STEPS, 3)
    iterations = [iteration for name, iteration, _ in again.entries if name == "ITERATION_STARTED"]
    assert iterations == list(range(iterations[0], 3 * STEPS + 1))


def test_a_run_interrupted_by_a_handler(tmp_path: Path) -> None:
    whole = run(tmp_path / "whole", epochs=3)
    diary = Diary(Events.INTERRUPT, Events.TERMINATE, Events.COMPLETED)
    stop = (Events.ITERATION_COMPLETED(once=7), lambda engine: engine.interrupt())
    stopped = run(tmp_path / "half", handlers=(stop, diary), epochs=3)
    assert stopped.interrupted
    assert diary.entries == [("INTERRUPT", 7, 2), ("TERMINATE", 7, 2)]
    done = run(tmp_path / "half", network=small_network(5), resume=True, epochs=3)
    assert metrics_of(done) == metrics_of(whole)


@pytest.mark.parametrize("silently", [False, True])
def test_an_epoch_terminated_by_a_handler(tmp_path: Path, silently: bool) -> None:
    diary = Diary(Events.ITERATION_COMPLETED, Events.EPOCH_COMPLETED, Events.TERMINATE_SINGLE_EPOCH)
    end = (Events.ITERATION_COMPLETED(once=2), lambda engine: engine.terminate_epoch(skip_epoch_completed=silently))
    result = run(tmp_path, handlers=(end, diary), epochs=2)
    assert [epoch.number for epoch in result.epochs] == [1, 2]
    first = [("ITERATION_COMPLETED", 1, 1), ("ITERATION_COMPLETED", 2, 1), ("TERMINATE_SINGLE_EPOCH", 2, 1)]
    ended = [] if silently else [("EPOCH_COMPLETED", STEPS, 1)]
    second = [("ITERATION_COMPLETED", STEPS + step, 2) for step in range(1, STEPS + 1)]
    assert diary.entries == [*first, *ended, *second, ("EPOCH_COMPLETED", 2 * STEPS, 2)]
    longer = run(tmp_path, network=small_network(5), resume=True, epochs=3)
    assert [epoch.number for epoch in longer.epochs] == [1, 2, 3]


def test_exception_handlers_are_called_once(tmp_path: Path) -> None:
    seen: list[BaseException] = []

    def look(error: BaseException) -> None:
        seen.append(error)

    with pytest.raises(SpecError, match="the loss became NaN or infinite") as caught:
        run(tmp_path, network=exploding(2), handlers=((Events.EXCEPTION_RAISED, look),))
    assert seen == [caught.value]


def fails(engine: Engine) -> None:
    raise KeyError("no such metric")


@pytest.mark.parametrize(
    "event", [Events.STARTED, Events.ITERATION_COMPLETED, Events.ITERATION_STARTED(every=2), Events.EPOCH_COMPLETED]
)
def test_a_failing_handler_is_named(tmp_path: Path, event: Any) -> None:
    with pytest.raises(SpecError) as caught:
        run(tmp_path, handlers=((event, fails),))
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "E649"
    assert diagnostic.message == "the handler `fails` failed: KeyError: 'no such metric'"
    assert diagnostic.notes[0].startswith(f"raised at {__file__}:")
    assert isinstance(caught.value.__cause__, KeyError)


def test_a_failing_handler_of_an_evaluator_is_named(tmp_path: Path) -> None:
    def attach(training: HandlerView) -> None:
        training.evaluators["validation"].add_event_handler(Events.COMPLETED, fails)

    with pytest.raises(SpecError, match="the handler `fails` failed"):
        run(tmp_path, handlers=(attach,))


def test_an_exception_of_the_network_is_not_attributed_to_a_handler(tmp_path: Path) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(tmp_path, network=at_batch(2, fail), handlers=(Diary(),))


def test_a_handler_that_cannot_be_attached(tmp_path: Path) -> None:
    def attach(training: HandlerView) -> None:
        training.evaluators["nothing"].add_event_handler(Events.COMPLETED, fails)

    with pytest.raises(SpecError, match="attach` cannot be attached: KeyError: 'nothing'") as caught:
        run(tmp_path, handlers=(attach,))
    assert caught.value.diagnostics[0].code == "E649"
    assert not (tmp_path / "state.pt").exists()


@pytest.mark.parametrize(
    ("handler", "message"),
    [
        (5, "`5` is not a handler: it is of type int"),
        ("log", "`'log'` is not a handler: it is of type str"),
        (TerminateOnNan(), "`TerminateOnNan` is not a handler: ignite calls it at an event"),
        (TerminateOnNan, "`TerminateOnNan` is not a handler: it is a class"),
        (Accuracy(), "`Accuracy` is not a handler: its `attach` takes more arguments than the engine"),
        (lambda: None, "`<lambda>` is not a handler: it must accept a single argument, as in `def handler(training)`"),
        ((Events.COMPLETED, 5), "a pair must be an Ignite event and a function"),
        (("completed", print), "a pair must be an Ignite event and a function"),
        ((Events.COMPLETED,), "a pair must be an Ignite event and a function"),
    ],
)
def test_what_is_not_a_handler(tmp_path: Path, handler: Handler, message: str) -> None:
    with pytest.raises(SpecError, match=message.replace("(", r"\(").replace(")", r"\)")) as caught:
        run(tmp_path, handlers=(handler,))
    (diagnostic,) = caught.value.diagnostics
    assert (diagnostic.code, bool(diagnostic.help)) == ("E649", True)


def test_a_handler_may_evaluate_within_an_epoch(tmp_path: Path) -> None:
    found: list[float] = []

    def attach(training: HandlerView) -> None:
        training.trainer.add_event_handler(
            Events.ITERATION_COMPLETED(every=2), lambda: found.append(training.evaluate("validation").loss)
        )

    alone = run(tmp_path / "alone")
    result = run(tmp_path / "run", handlers=(attach,))
    assert len(found) == 5
    assert metrics_of(result) == metrics_of(alone)


def test_context_managers_are_closed_at_the_end(tmp_path: Path) -> None:
    class Door:
        is_open = False

        def __enter__(self) -> Door:
            self.is_open = True
            return self

        def __exit__(self, *error: object) -> None:
            self.is_open = False

    door = Door()
    seen: list[bool] = []

    def attach(training: HandlerView) -> None:
        training.enter(door)
        training.trainer.add_event_handler(Events.COMPLETED, lambda: seen.append(door.is_open))

    run(tmp_path, handlers=(attach,))
    assert (seen, door.is_open) == ([True], False)
    with pytest.raises(SpecError):
        run(tmp_path / "failing", handlers=(attach, (Events.STARTED, fails)))
    assert not door.is_open


def test_handlers_of_a_finished_run(tmp_path: Path) -> None:
    reporter = RecordingReporter()
    run(tmp_path, epochs=2)
    diary = Diary(*(event for event in ALL if event not in OF_STEPS))
    result = run(tmp_path, epochs=2, resume=True, handlers=(diary,), reporter=reporter)
    assert diary.entries == [("COMPLETED", 2 * STEPS, 2)]
    assert result.test
    assert reporter.evaluated == ["test"]


def test_a_run_terminated_in_its_first_epoch(tmp_path: Path) -> None:
    end = (Events.ITERATION_COMPLETED(once=2), lambda engine: engine.terminate(skip_completed=True))
    diary = Diary(Events.TERMINATE, Events.COMPLETED)
    result = run(tmp_path, handlers=(end, diary), splits=stripe_splits(validation=False), validation=None)
    assert diary.names == ["TERMINATE"]
    assert (result.epochs, result.best) == ((), None)
    assert result.test


def test_handlers_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_handlers.py").write_text(
        "from ignite.engine import Events\n"
        "def log_rate(training): pass\n"
        "class Group:\n    pair = (Events.STARTED, print)\n"
        "number = 3\n"
    )
    (tmp_path / "my_broken.py").write_text("1 / 0\n")
    (tmp_path / "my_needy.py").write_text("import there_is_no_such_module\n")
    monkeypatch.syspath_prepend(tmp_path)
    first, second = load_handlers(["my_handlers:log_rate", "my_handlers:Group.pair"])
    assert first.__name__ == "log_rate"
    assert second == (Events.STARTED, print)
    for name, message, help in (
        ("my_handlers:log_rat", "the module `my_handlers` has no `log_rat`", "did you mean `log_rate`?"),
        ("my_handlers:number", "`3` is not a handler: it is of type int", "use a function with one argument"),
        (
            "my_handler:log",
            "there is no module `my_handler` for the handler `my_handler:log`",
            "use an installed module",
        ),
        (
            "my_handlers.py:log_rate",
            "there is no module `my_handlers.py`",
            "remove the extension: `my_handlers:log_rate`",
        ),
        ("my_broken:log", "the handler `my_broken:log` cannot be imported: ZeroDivisionError", "fix the handler"),
        ("my_needy:log", "ModuleNotFoundError: No module named 'there_is_no_such_module'", "fix the handler"),
    ):
        with pytest.raises(SpecError) as caught:
            load_handlers([name])
        (diagnostic,) = caught.value.diagnostics
        assert diagnostic.code == "E649"
        assert message in diagnostic.message
        assert (diagnostic.help or "").startswith(help)
