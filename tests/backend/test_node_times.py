"""Measured times: every operation has one, and what is timed is what the network computes."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import torch

import cnngraph
from cnngraph.backend import lower
from cnngraph.backend.node_times import _steps, measure_node_times
from cnngraph.graph.graph import Graph
from cnngraph.graph.nodes import Ref
from cnngraph.numbers import show_seconds
from tests.library import CHOSEN, NETWORKS
from tests.render.networks import PARTS, SKIPS, graph_of

CPU = torch.device("cpu")
QUICK = {"googlenet_mnist", "hrnet", "shufflenet_v2_x0_5", "vit_tiny", "dla34", "resnet_cifar_20", "highway_10_16"}


def networks() -> list[Any]:
    """Small networks with every kind of operation; the others by `pytest -m zoo`."""
    return [
        pytest.param(path, id=path.stem, marks=() if path in CHOSEN and path.stem in QUICK else pytest.mark.zoo)
        for path in NETWORKS
    ]


def set_statistics(model: torch.nn.Module, images: list[torch.Tensor]) -> None:
    """Let normalization layers keep the values of a thousand layers finite."""
    norms = [module for module in model.modules() if isinstance(module, torch.nn.modules.batchnorm._BatchNorm)]
    for norm in norms:
        norm.momentum = 1.0
    if norms:
        model.train()(*images)


def check_values(graph: Graph) -> None:
    """Running the operations one by one gives the outputs of the network, bit for bit."""
    with torch.inference_mode():
        model = lower(graph)
        images = [torch.randn(2, *shape) for shape in graph.input_shapes.values()]
        set_statistics(model, images)
        expected = model.eval()(*images)
        values: dict[Ref, Any] = {Ref(-1 - place): image.clone() for place, image in enumerate(images)}
        for step in _steps(graph, model):
            output = step.call(*(values.get(ref) for ref in step.reads))
            values |= {Ref(step.node, place): item for place, item in enumerate(output if step.is_list else (output,))}
            for ref in step.frees:
                del values[ref]
    kept = {ref for ref in values if ref.node >= 0}
    names = [name for name in graph.outputs if name not in graph.training_only]
    assert kept >= {graph.outputs[name] for name in names}
    found = (expected,) if len(names) == 1 else [value for value in expected if value is not None]
    for name, value in zip(names, found, strict=True):
        assert value.isfinite().all()
        assert torch.equal(values[graph.outputs[name]], value)


@pytest.mark.parametrize("text", [PARTS, SKIPS])
def test_the_operations_compute_the_outputs(text: str) -> None:
    check_values(graph_of(text))


@pytest.mark.parametrize("path", networks())
def test_the_operations_of_a_library_network_compute_its_outputs(path: Path) -> None:
    check_values(cnngraph.load(path))


def test_every_operation_has_a_time() -> None:
    graph = graph_of(PARTS)
    times = measure_node_times(graph, CPU)
    assert list(times.seconds) == [node.path for node in graph.nodes]
    runs = {node.path for node in graph.nodes if not (node.unused or node.training_only)}
    assert {path for path, seconds in times.seconds.items() if seconds > 0} == runs
    assert 0 < len(runs) < len(graph.nodes)
    assert times.total == pytest.approx(sum(times.seconds.values()))
    assert times.passes >= 1
    assert times.device.startswith(f"cpu, {torch.get_num_threads()} thread")


def test_the_times_of_all_operations_are_near_that_of_the_network() -> None:
    """Other processes disturb single passes, so the fastest of them is compared, several times if need be."""
    graph = cnngraph.load("googlenet_mnist")
    model = cnngraph.build(graph).eval()
    image = torch.randn(1, 1, 28, 28)

    def forward() -> float:
        start = time.perf_counter()
        with torch.inference_mode():
            model(image)
        return time.perf_counter() - start

    found = []
    for _ in range(5):
        ratio = measure_node_times(graph, CPU).total / min(forward() for _ in range(50))
        found.append(ratio)
        if 0.5 < ratio < 1.5:
            return
    pytest.fail(f"{found}")


def test_what_needs_longer_takes_more_of_the_time() -> None:
    text = """
        cnngraph: 1
        name: two
        input: [32, 64, 64]
        nodes:
          small: {op: conv, out: 32, kernel: 1}
          large: {op: conv, out: 128, kernel: 5, padding: half}
    """
    seconds = measure_node_times(graph_of(text), CPU).seconds
    assert seconds["large"] > 5 * seconds["small"]


def test_measuring_takes_a_few_seconds_and_changes_no_random_numbers() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    start = time.process_time()
    cnngraph.measure_times("googlenet_mnist", classes=3)
    assert time.process_time() - start < 20
    assert torch.equal(torch.get_rng_state(), before)


def test_a_device_that_is_missing() -> None:
    with pytest.raises(cnngraph.SpecError, match="E640"):
        cnngraph.measure_times("googlenet_mnist", device="meta")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 µs"), (3.21e-6, "3.21 µs"), (8.7e-4, "870 µs"), (0.0234, "23.4 ms"), (0.9996, "1.00 s"), (125, "125 s")],
)
def test_times_are_written_with_three_digits(seconds: float, text: str) -> None:
    assert show_seconds(seconds) == text
