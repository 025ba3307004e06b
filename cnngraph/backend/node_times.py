"""Measures how long each operation of a network takes, one operation at a time in the order of execution."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from statistics import median
from time import perf_counter
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnngraph.backend.modules.build import lower
from cnngraph.backend.modules.frames import Layout
from cnngraph.frozen import frozen
from cnngraph.graph.graph import Graph
from cnngraph.graph.node_times import NodeTimes
from cnngraph.graph.nodes import Ref

SECONDS = 3.0  # for all passes; if half of it is too short for one pass, there is only one
WARM_UP = 0.4  # seconds before, in which caches are filled and memory is allocated
MOST = 100  # forward passes


def measure_node_times(graph: Graph, device: torch.device) -> NodeTimes:
    """Build a network with random weights, and run one random image through it several times, in eval mode.

    The numbers of the caller's random generator are not used up. Raises RuntimeError if PyTorch cannot run it.
    """
    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        torch.manual_seed(0)
        model = lower(graph).to(device).eval()
        images = [torch.randn(1, *shape).to(device) for shape in graph.input_shapes.values()]
        steps = list(_steps(graph, model))
        clock = _Clock(device)
        passes = _passes(lambda: _run(clock, steps, images))
    seconds = dict.fromkeys((node.path for node in graph.nodes), 0.0)
    for step, times in zip(steps, zip(*passes, strict=True), strict=True):
        seconds[graph.nodes[step.node].path] = median(times)
    return NodeTimes(seconds, _device_name(device), len(passes))


@frozen(eq=False)
class _Step:
    """One operation: what it calls, the tensors it reads, and those that no later operation reads."""

    node: int
    call: Callable[..., Any]
    reads: tuple[Ref, ...]
    frees: tuple[Ref, ...]
    is_list: bool


def _steps(graph: Graph, model: nn.Module) -> Iterator[_Step]:
    """The operations that run in eval mode, in order; free parameters and constants are read where they are."""
    layout = Layout(graph)
    modules = dict(model.named_modules(remove_duplicate=False))
    runs = [
        index
        for index, node in enumerate(graph.nodes)
        if not (node.unused or node.training_only or node.operation.is_attribute)
    ]
    last = {ref: index for index in runs for ref in layout.reads[index]}
    kept = set(graph.outputs.values())
    for index in runs:
        node, reads = graph.nodes[index], layout.reads[index]
        call = modules.get(layout.module(node.path)) or _expression(layout, index)
        computed = (ref for ref in dict.fromkeys(reads) if not layout.is_attribute(ref))
        frees = tuple(ref for ref in computed if last[ref] == index and ref not in kept)
        yield _Step(index, _with_attributes(layout, model, reads, call), reads, frees, node.is_list)


def _expression(layout: Layout, index: int) -> Callable[..., Any]:
    """An operation without a module, as it is written in a forward method."""
    names = tuple(f"x{place}" for place in range(len(layout.reads[index])))
    code = layout.graph.nodes[index].operation.code(names, *layout.types_read(index))
    found: Callable[..., Any] = eval(
        f"lambda {', '.join(names)}: {code}", {"torch": torch, "nn": nn, "F": F, "Tensor": Tensor}
    )
    return found


def _with_attributes(
    layout: Layout, model: nn.Module, reads: Sequence[Ref], call: Callable[..., Any]
) -> Callable[..., Any]:
    """The call with the free parameters and constants among its inputs already filled in."""
    fixed = {place: _attribute(layout, model, ref) for place, ref in enumerate(reads) if layout.is_attribute(ref)}
    if not fixed:
        return call
    return lambda *inputs: call(*(fixed.get(place, value) for place, value in enumerate(inputs)))


def _attribute(layout: Layout, model: nn.Module, ref: Ref) -> Any:
    return reduce(getattr, layout.module(layout.graph.nodes[ref.node].path).split("."), model)


class _Clock:
    """Times of a device. Those of a GPU are events in its queue, which is never waited for within a forward pass."""

    def __init__(self, device: torch.device) -> None:
        self.module = None if device.type == "cpu" else getattr(torch, device.type)

    def mark(self) -> Any:
        """This moment."""
        if self.module is None:
            return perf_counter()
        event = self.module.Event(enable_timing=True)
        event.record()
        return event

    def wait(self) -> None:
        """Wait until all marks are past."""
        if self.module is not None:
            self.module.synchronize()

    def between(self, start: Any, end: Any) -> float:
        """The seconds between two marks."""
        return float(end - start if self.module is None else start.elapsed_time(end) / 1000)


def _passes(run: Callable[[], list[float]]) -> list[list[float]]:
    """The times of each operation, for every pass after the warm-up."""
    begun = perf_counter()
    first = run()
    if perf_counter() - begun > SECONDS / 2:
        return [first]
    while perf_counter() - begun < WARM_UP:
        run()
    begun = perf_counter()
    passes = [run()]
    while len(passes) < MOST and (perf_counter() - begun) * (1 + 1 / len(passes)) < SECONDS:
        passes.append(run())
    return passes


def _run(clock: _Clock, steps: Sequence[_Step], images: Sequence[Tensor]) -> list[float]:
    """One pass, operation by operation."""
    values: dict[Ref, Any] = {Ref(-1 - place): image for place, image in enumerate(images)}
    marks = []
    for step in steps:
        inputs = [values.get(ref) for ref in step.reads]
        start = clock.mark()
        output = step.call(*inputs)
        marks.append((start, clock.mark()))
        for place, value in enumerate(output if step.is_list else (output,)):
            values[Ref(step.node, place)] = value
        for ref in step.frees:
            del values[ref]
        del inputs, output
    clock.wait()
    return [clock.between(start, end) for start, end in marks]


def _device_name(device: torch.device) -> str:
    if device.type == "cpu":
        count = torch.get_num_threads()
        return f"cpu, {count} thread{'s' if count > 1 else ''}"
    return f"{device}, {torch.cuda.get_device_name(device)}" if device.type == "cuda" else str(device)
