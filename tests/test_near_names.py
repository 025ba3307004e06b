"""Near names: misspelt and foreign names are recognised, unrelated ones are not suggested."""

from __future__ import annotations

import pytest

from cnngraph.nearest import near_words
from cnngraph.ops.registry import builtin_ops

UNRELATED = ["attention", "route", "max", "se", "matmul", "embedding", "lstm", "shortcut", "yolo", "crop", "tile"]


@pytest.mark.parametrize("word", UNRELATED)
def test_unrelated_ops_are_not_near_names(word: str) -> None:
    assert near_words(word, builtin_ops()) == []


@pytest.mark.parametrize(
    ("word", "op"),
    [
        ("convv", "conv"),
        ("cnov", "conv"),
        ("Conv2d", "conv"),
        ("ConvTranspose2d", "conv_transpose"),
        ("conv2d_transpose", "conv_transpose"),
        ("maxpool", "max_pool"),
        ("pool_max", "max_pool"),
        ("global_pool", "global_avg_pool"),
        ("BatchNorm2d", "batch_norm"),
        ("LeakyReLU", "leaky_relu"),
        ("sofmax", "softmax"),
        ("lineer", "linear"),
    ],
)
def test_a_misspelt_op_is_recognised(word: str, op: str) -> None:
    assert near_words(word, builtin_ops())[0] == op


ALIKE = [
    ("kernal", "kernel"),
    ("kernl", "kernel"),
    ("stirde", "stride"),
    ("paddng", "padding"),
    ("dilaton", "dilation"),
    ("repaet", "repeat"),
    ("form", "from"),
    ("wehn", "when"),
    ("gruops", "groups"),
    ("optimiser", "optimizer"),
    ("negative_slop", "negative_slope"),
    ("shar", "share"),
]
UNLIKE = [
    ("rate", "repeat"),
    ("scale", "share"),
    ("recipe", "clip"),
    ("recipe", "repeat"),
    ("hidden", "when"),
    ("units", "inputs"),
    ("bias", "dims"),
    ("scale", "stride"),
    ("width", "when"),
    ("depth", "repeat"),
    ("filters", "flatten"),
    ("input_size", "output_size"),
]


@pytest.mark.parametrize(("word", "known"), ALIKE)
def test_a_misspelt_name_is_recognised(word: str, known: str) -> None:
    assert near_words(word, [known]) == [known]


@pytest.mark.parametrize(("word", "known"), UNLIKE)
def test_an_unrelated_name_is_not_suggested(word: str, known: str) -> None:
    assert near_words(word, [known]) == []
