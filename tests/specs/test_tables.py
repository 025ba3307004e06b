"""Output sizes of stages (channels, height) from the tables of the papers, at the input size of the paper.

They are not `expect` in the specs, because these accept other input sizes.
"""

from __future__ import annotations

import pytest

import cnngraph
from cnngraph.graph.graph import Graph
from tests.library import network

TABLES: dict[str, dict[str, tuple[int, int]]] = {
    # He et al. 2016, table 1
    "resnet18": {"conv1": (64, 112), "layer1": (64, 56), "layer2": (128, 28), "layer3": (256, 14), "layer4": (512, 7)},
    "resnet50": {"conv1": (64, 112), "layer1": (256, 56), "layer2": (512, 28), "layer4": (2048, 7)},
    # Simonyan & Zisserman 2015, table 1, configuration D: the poolings
    "vgg16": {"features.4": (64, 112), "features.9": (128, 56), "features.16": (256, 28), "features.30": (512, 7)},
    # Huang et al. 2017, table 1
    "densenet121": {
        "features.pool0": (64, 56),
        "features.transition1": (128, 28),
        "features.transition2": (256, 14),
        "features.transition3": (512, 7),
        "features.denseblock4": (1024, 7),
    },
    # Sandler et al. 2018, table 2
    "mobilenet_v2": {
        "features.1": (16, 112),
        "features.3": (24, 56),
        "features.17": (320, 7),
        "features.18": (1280, 7),
    },
    # Ma et al. 2018, table 5
    "shufflenet_v2_x1_0": {"maxpool": (24, 56), "stage2": (116, 28), "stage3": (232, 14), "conv5": (1024, 7)},
    # Tan & Le 2019, table 1
    "efficientnet_b0": {
        "features.0": (32, 112),
        "features.2": (24, 56),
        "features.3": (40, 28),
        "features.5": (112, 14),
        "features.7": (320, 7),
        "features.8": (1280, 7),
    },
    # Liu et al. 2022, table 9
    "convnext_tiny": {"features.1": (96, 56), "features.3": (192, 28), "features.5": (384, 14), "features.7": (768, 7)},
    # Iandola et al. 2016, table 1, with the poolings' ceil_mode
    "squeezenet1_0": {"features.0": (96, 109), "features.5": (256, 54), "features.12": (512, 13)},
}


def output_size(graph: Graph, path: str) -> tuple[int, int]:
    """The channels and height of the output of a node or block."""
    last = [node for node in graph.nodes if node.path == path or node.path.startswith(f"{path}.")][-1]
    return last.types[0].channels, last.types[0].sizes[1]


@pytest.mark.parametrize("name", TABLES)
def test_stages_have_the_sizes_of_the_papers_table(name: str) -> None:
    graph = cnngraph.load(network(name))
    assert {path: output_size(graph, path) for path in TABLES[name]} == TABLES[name]
