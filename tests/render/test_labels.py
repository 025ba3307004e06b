"""The labels of operations in drawings and in the table of `show`, and which operations share a box."""

from __future__ import annotations

import pytest

from cnngraph.cli.table import TreeTable
from cnngraph.render.compose import compose
from cnngraph.render.picture import Picture, Shape
from tests.render.networks import graph_of

# (input, nodes, the label of the last operation in a drawing, and in `show` if that is different)
LABELS = [
    ([3, 9, 9], "last: {op: conv, out: 8, kernel: 3, stride: 2}", "conv 3×3, 8, /2", ""),
    ([3, 9, 9], "last: {op: conv, out: 8, kernel: [1, 7], padding: half}", "conv 1×7, 8", ""),
    ([3, 9, 9], "last: {op: conv, out: 8, kernel: 3, dilation: 2}", "conv 3×3, 8, dilation 2", ""),
    ([3, 9, 9], "last: {op: conv, out: 3, kernel: 3, groups: 3}", "depthwise conv 3×3, 3", ""),
    ([3, 9, 9], "last: {op: conv, out: 8, kernel: 1, standardize: true, gamma: 1.7}", "conv 1×1, 8, standardize", ""),
    (
        [3, 9, 1],
        "last: {op: conv, out: 8, kernel: 5, stride: 2}",
        "conv kernel 5, 8, /2",
        "",
    ),
    (
        [3, 9, 1],
        "last: {op: conv, out: 3, kernel: 5, groups: 3}",
        "depthwise conv kernel 5, 3",
        "",
    ),
    (
        [3, 9, 1],
        "last: {op: max_pool, kernel: 3}",
        "max pool kernel 3, /3",
        "max_pool kernel 3, /3",
    ),
    (
        [3, 9, 1],
        "last: {op: adaptive_avg_pool, output: 3}",
        "adaptive avg pool to 3",
        "adaptive_avg_pool to 3",
    ),
    ([3, 9, 9], "last: {op: blur_pool}", "blur pool 3×3, /2", "blur_pool 3×3, /2"),
    ([3, 9, 9], "last: {op: adaptive_avg_pool, output: 3}", "adaptive avg pool to 3×3", "adaptive_avg_pool to 3×3"),
    ([3, 9, 9], "last: {op: adaptive_avg_pool, output: 1}", "global avg pool", "adaptive_avg_pool to 1×1"),
    ([3, 9, 9], "last: {op: adaptive_max_pool, output: 1}", "global max pool", "adaptive_max_pool to 1×1"),
    ([3, 9, 9], "last: {op: mean, dim: [height, width], keepdim: true}", "global avg pool", "mean over height, width"),
    ([3, 9, 9], "last: {op: max, dim: [width, height]}", "global max pool", "max over width, height"),
    ([3, 9, 9], "last: {op: mean, dim: channels, keepdim: true}", "mean over channels", ""),
    ([3, 9, 9], "last: {op: mean, dim: 1}", "mean dim 1", ""),
    ([3, 9, 9], "last: {op: softmax, dim: width}", "softmax along width", ""),
    ([3, 9, 9], "last: {op: index, index: 0, dim: width}", "index 0, along width", ""),
    ([3, 9, 9], "last: {op: index, index: [2, 0], dim: 2}", "index 2, 0, dim 2", ""),
    ([9, 9, 9], "last: {op: index, index: [8, 7, 6, 5, 4, 3, 2, 1]}", "index 8, 7, 6, … (8 in total)", ""),
    ([4, 3, 3], "last: {op: reshape, shape: [2, 18], axes: _C}", "reshape 2×18", ""),
    ([4, 3, 3], "last: {op: permute, dims: [0, 2, 3, 1]}", "permute 0, 2, 3, 1", ""),
    ([4, 3, 3], "last: {op: roll, shifts: [-1, 2], dims: [height, width]}", "roll -1, 2, height, width", ""),
    ([4, 3, 3], "last: {op: scale, factor: 0.2}", "scale ×0.2", ""),
    ([4, 3, 3], "last: {op: upsample, scale_factor: 2}", "upsample ↑2", ""),
    ([4, 3, 3], "last: {op: upsample, scale_factor: [2, 3]}", "upsample ↑2×3", ""),
    ([4, 8, 8], "last: {op: upsample, scale_factor: 0.5}", "upsample /2", ""),
    ([4, 3, 3], "last: {op: pixel_shuffle, upscale_factor: 2}", "pixel shuffle ↑2", "pixel_shuffle ↑2"),
    ([4, 4, 4], "last: {op: pixel_unshuffle, downscale_factor: 2}", "pixel unshuffle /2", "pixel_unshuffle /2"),
    (
        [4, 3, 3],
        "last: {op: conv_transpose, out: 2, kernel: 2, stride: 2}",
        "conv transpose 2×2, 2, ↑2",
        "conv_transpose 2×2, 2, ↑2",
    ),
    ([2, 3, 3], "last: {op: scale, factor: [0.2, 3]}", "scale ×(0.2, 3)", ""),
    ([4, 3, 3], "last: {op: dropout, p: 0.2}", "dropout 0.2", ""),
    ([4, 3, 3], "last: {op: group_norm, num_groups: 2}", "group norm 2 groups", "group_norm 2 groups"),
]

# (chains by the first letters of their operations, and how they are split into boxes)
CHAINS = {
    "lrdlrdl": "lrd lrd l",
    "dlrdlrl": "dlr dlr l",  # AlexNet's classifier
    "dl": "dl",
    "lrl": "lr l",
    "brlbrl": "brl brl",
    "brl": "brl",
    "rlblb": "rlb lb",  # an activation, then linear layers with a norm
    "rllbrllb": "rl lb rl lb",  # the separable convolutions of Xception
    "brlbrlb": "br lbr lb",
    "rlbrlbr": "r lbr lbr",
    "fdl": "fd l",
    "brldbrl": "brld brl",
    "iblb": "iblb",
}
SIGNAL = "signal: {op: reshape, shape: [3, 9]}\n  "
OPS = {"l": "{op: linear, out: 4}", "r": "relu", "d": "{op: dropout, p: 0.5}", "b": "batch_norm", "f": "flatten"}


def texts(picture: Picture) -> list[list[str]]:
    """The text and the note of each row, by box."""
    boxes = (box for box in picture.boxes() if box.shape is Shape.OPS)
    return [[" ".join(filter(None, (row.text, row.note))) for row in box.rows] for box in boxes]


def spec(size: list[int], nodes: str) -> str:
    return f"cnngraph: 1\nname: net\ninput: {size}\nnodes:\n  {nodes}\n"


@pytest.mark.parametrize(("size", "nodes", "drawn", "shown"), LABELS)
def test_the_label_of_an_operation(size: list[int], nodes: str, drawn: str, shown: str) -> None:
    signal = SIGNAL if size == [3, 9, 1] else ""
    graph = graph_of(spec(size, signal + nodes))
    *_, box = (box for box in compose(graph).boxes() if box.shape is Shape.OPS)
    assert box.rows[-1].text == drawn
    (row,) = (row for row in TreeTable(graph).rows() if row.name == "last")
    assert row.operation == (shown or drawn)


def test_the_name_of_an_identity_does_not_look_like_its_kind() -> None:
    graph = graph_of(spec([8, 4, 4], "maps: {op: identity, from: in}\n  last: {op: sub, from: [maps, in]}"))
    assert texts(compose(graph)) == [["identity"], ["sub last"]]


SCORES = "scores: {op: reshape, shape: [4, 2, 1]AXES}\n  "
SOFT = "soft: {op: softmax, dim: height}\n  parts: {op: chunk, chunks: 2, dim: height}\n  "
WEIGH = "one: {op: mul, from: [in, 'parts[0]']}\n  two: {op: mul, from: [in, 'parts[1]']}\n  "
SUM = "sum: {op: add, from: ['parts[0]', 'parts[1]']}\n  "


@pytest.mark.parametrize(
    ("size", "nodes", "labels"),
    [
        ([8, 1, 1], SCORES.replace("AXES", "") + SOFT + SUM, ["softmax dim 2", "chunk 2, dim 2"]),
        ([8], SCORES.replace("AXES", "") + SOFT + SUM, ["softmax dim 2", "chunk 2, dim 2"]),
        ([2, 4, 1], SCORES.replace("AXES", "") + SOFT + SUM, ["softmax along height", "chunk 2, along height"]),
        ([8], SCORES.replace("AXES", ", axes: CHW") + SOFT + SUM, ["softmax along height", "chunk 2, along height"]),
        ([4, 2, 2], SOFT + SUM, ["softmax along height", "chunk 2, along height"]),
        (
            [4, 1, 1],
            "conv: {op: conv, out: 8, kernel: 1}\n  " + SCORES.replace("AXES", "") + SOFT + WEIGH,
            ["softmax over branches", "chunk 2, dim 2"],
        ),
    ],
)
def test_an_axis_that_a_reshape_made_of_channels_has_no_name(size: list[int], nodes: str, labels: list[str]) -> None:
    graph = graph_of(spec(size, nodes + ("last: {op: add, from: [one, two]}" if WEIGH in nodes else "last: relu")))
    found = [text for box in texts(compose(graph)) for text in box]
    assert [text.removesuffix(" parts") for text in found if text.startswith(("softmax", "chunk"))] == labels


@pytest.mark.parametrize(("chain", "boxes"), CHAINS.items())
def test_operations_that_share_a_box(chain: str, boxes: str) -> None:
    nodes = ", ".join(OPS.get(letter, "identity") for letter in chain)
    drawn = texts(compose(graph_of(spec([4], f"chain: [{nodes}]"))))
    assert [len(rows) for rows in drawn] == [len(box) - box.count("i") for box in boxes.split()]


@pytest.mark.parametrize(
    ("nodes", "notes"),
    [
        ("conv1: {op: conv, out: 4, kernel: 1}\n  bn1: batch_norm\n  act: relu", "  "),
        ("scale_activation: sigmoid\n  expand1x1_activation: relu", " "),
        ("conv_dw: {op: conv, out: 4, kernel: 1}\n  norm: batch_norm", " "),
        ("dwconv: {op: conv, out: 4, kernel: 1}\n  shrink: batch_norm", " shrink"),
        ("fc1: {op: conv, out: 4, kernel: 1}\n  gate: sigmoid", "fc1 gate"),
        ("pool: {op: mean, dim: [height, width]}", ""),
        ("reduce: {op: mean, dim: channels, keepdim: true}", "reduce"),
        ("final_act: relu", "final_act"),
    ],
)
def test_a_name_that_repeats_the_operation_is_left_out(nodes: str, notes: str) -> None:
    picture = compose(graph_of(spec([4, 3, 3], nodes)))
    rows = [row for box in picture.boxes() if box.shape is Shape.OPS for row in box.rows]
    assert " ".join(row.note for row in rows) == notes


def test_operations_that_do_nothing_are_left_out_of_a_stack() -> None:
    chain = "fc: {op: linear, out: 4}\n  drop: {op: dropout, p: 0}\n  path: {op: drop_path, p: 0}\n  act: relu"
    assert texts(compose(graph_of(spec([4], chain)))) == [["linear 4 fc", "relu"]]
    assert texts(compose(graph_of(spec([4], "drop: {op: dropout, p: 0}")))) == [["dropout 0"]]


def test_a_shared_operation_names_its_owner_as_seen_from_it() -> None:
    text = "se:\n    nodes:\n      fc1: {op: linear, out: 4}\n      fc2: {share: fc1}"
    assert "linear 4 fc2, shares fc1" in [row for box in texts(compose(graph_of(spec([4], text)))) for row in box]
