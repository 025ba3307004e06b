"""Properties of every bundled spec."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import cnngraph
from cnngraph.document import Table, parse, read_file
from tests.library import BLOCKS, CHOSEN, LIBRARY, NETWORKS, network, networks


def test_every_family_has_a_small_chosen_network() -> None:
    folders = {path.parent for path in NETWORKS}
    assert {path.parent for path in CHOSEN} == folders
    assert network("resnet18") in CHOSEN
    assert len(folders) < len(CHOSEN) < 3 * len(folders)


@pytest.mark.parametrize("path", NETWORKS, ids=lambda path: path.stem)
def test_the_name_of_a_network_is_its_file_name(path: Path) -> None:
    document = parse(read_file(path))[0]
    assert isinstance(document, Table)
    name = document.get("name")
    assert name is None or name.value.plain() == path.stem


@pytest.mark.parametrize("path", networks())
def test_a_network_has_a_description(path: Path) -> None:
    graph = cnngraph.load(path)
    assert graph.name == path.stem
    assert graph.about


@pytest.mark.parametrize("path", networks())
def test_output_shapes_are_as_predicted(path: Path) -> None:
    graph = cnngraph.load(path)
    with torch.device("meta"), torch.no_grad():  # shapes only: values are compared in tests/zoo
        model = cnngraph.build(graph).eval()
        output = model(*(torch.empty(1, *shape) for shape in graph.input_shapes.values()))
    predicted = [shape for name, shape in graph.output_shapes.items() if name not in graph.training_only]
    outputs = output if isinstance(output, tuple) else (output,)
    assert [tuple(tensor.shape[1:]) for tensor in outputs] == predicted


@pytest.mark.parametrize("path", BLOCKS, ids=lambda path: str(path.relative_to(LIBRARY)))
def test_a_library_of_blocks_has_no_errors(path: Path) -> None:
    assert cnngraph.check(path).diagnostics == ()


def test_width_is_a_param() -> None:
    graph = cnngraph.load(LIBRARY / "cifar2" / "cifar2_width.yaml", width=16)
    assert graph.state["stage2.conv.weight"] == (8, 16, 3, 3)
