"""Receptive fields, compared with the pixels that have a gradient."""

from __future__ import annotations

import pytest
import torch

from cnngraph.analysis.receptive_field import receptive_fields
from cnngraph.backend import lower
from cnngraph.compilation import compile_spec, network_of
from cnngraph.graph.graph import Graph
from tests.library import network
from tests.render.networks import graph_of

HEAD = "cnngraph: 1\ninput: [2, 65, 65]\nnodes:\n"
BODIES = {
    "conv": ["{op: conv, out: 2, kernel: 3, padding: half}", "{op: conv, out: 2, kernel: 5, padding: half}"],
    "stride": ["{op: conv, out: 2, kernel: 7, stride: 2, padding: half}", "{op: conv, out: 2, kernel: 3}"],
    "dilation": ["{op: conv, out: 2, kernel: 3, dilation: 4, padding: half}"],
    "unequal": ["{op: conv, out: 2, kernel: [1, 7]}", "{op: conv, out: 2, kernel: 3}"],
    "pools": ["{op: avg_pool, kernel: 3, stride: 2}", "{op: conv, out: 2, kernel: 3}", "{op: avg_pool, kernel: 2}"],
    "blur": ["{op: blur_pool, kernel: 3, stride: 2}", "{op: conv, out: 2, kernel: 3}"],
    "branches": [
        "{op: conv, out: 2, kernel: 3, padding: half}",
        "{op: conv, from: in, out: 2, kernel: 5, padding: half}",
        "{op: add, from: [a, b]}",
    ],
    "concat": ["{op: conv, out: 2, kernel: 3, padding: half}", "{op: concat, from: [in, a]}"],
    "transposed": [
        "{op: conv, out: 2, kernel: 3, stride: 2, padding: half}",
        "{op: conv_transpose, out: 2, kernel: 2, stride: 2}",
        "{op: conv, out: 2, kernel: 3, padding: half}",
    ],
    "upsampled": [
        "{op: avg_pool, kernel: 2}",
        "{op: upsample, scale_factor: 2, mode: nearest}",
        "{op: conv, out: 2, kernel: 4, padding: 1}",
    ],
    "shuffled": [
        "{op: pad, padding: [0, 1, 0, 1]}",
        "{op: pixel_unshuffle, downscale_factor: 2}",
        "{op: conv, out: 2, kernel: 3, padding: half}",
    ],
    "pooled": ["{op: conv, out: 2, kernel: 3, stride: 8}", "global_avg_pool", "{op: linear, out: 2}"],
}


def network_with(body: str) -> Graph:
    return graph_of(HEAD + "".join(f"  {name}: {node}\n" for name, node in zip("abcd", BODIES[body], strict=False)))


def seen(graph: Graph) -> tuple[int, int]:
    """The largest extent of the pixels on which an output position depends, over positions away from the border."""
    model = lower(graph).double().eval()
    for parameter in model.parameters():
        torch.nn.init.constant_(parameter, 0.1)
    image = torch.rand(1, *graph.inputs["in"].sizes, dtype=torch.float64, requires_grad=True)
    out = model(image)
    middle = [size // 2 for size in out.shape[2:]]
    places = [(middle[0] + i, middle[1] + j) for i in range(2) for j in range(2)] if middle else [()]
    height = width = 0
    for place in places:
        (gradient,) = torch.autograd.grad(out[(0, slice(None), *place)].sum(), image, retain_graph=True)
        pixels = gradient[0].abs().sum(0).nonzero()
        spans = pixels.max(0).values - pixels.min(0).values + 1
        height, width = max(height, int(spans[0])), max(width, int(spans[1]))
    return height, width


@pytest.mark.parametrize("body", BODIES)
def test_the_pixels_that_an_output_depends_on(body: str) -> None:
    graph = network_with(body)
    assert receptive_fields(graph)[-1] == seen(graph)


def fields(name: str) -> dict[str, tuple[int, ...] | None]:
    graph = network_of(compile_spec(network(name)), name)
    return dict(zip([node.path for node in graph.nodes], receptive_fields(graph), strict=True))


def test_published_networks() -> None:
    assert fields("vgg16")["features.30"] == (212, 212)
    assert fields("resnet50")["layer4.2.relu3"] == (427, 427)  # with the stride in the 3×3 convolution
    assert fields("alexnet")["features.12"] == (195, 195)


def test_attention_reads_everything_and_a_parameter_nothing() -> None:
    found = fields("vit_tiny")
    assert found["norm"] is None
    assert () in found.values()
