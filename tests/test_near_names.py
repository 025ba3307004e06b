"""Near names: misspelt and foreign names are recognised, unrelated ones are not suggested."""

from __future__ import annotations

from pathlib import Path

import pytest

import cnngraph
from cnngraph.nearest import near_words
from cnngraph.ops.registry import builtin_ops

UNRELATED = ["route", "se", "embedding", "lstm", "shortcut", "yolo", "crop", "tile", "mamba", "sigma", "einsum"]


@pytest.mark.parametrize("word", UNRELATED)
def test_unrelated_ops_are_not_near_names(word: str) -> None:
    assert near_words(word, builtin_ops()) == []


@pytest.mark.parametrize(
    ("op", "help"),
    [
        ("attn", None),
        ("MultiheadAttention", "`attention`"),
        ("nn.MultiheadAttention", "`attention`"),
        ("self_attention", "`attention`"),
        ("se", "squeeze_excite.yaml"),
        ("squeeze_excite", "squeeze_excite.yaml"),
        ("shortcut", "blocks/residual.yaml"),
        ("residual", "use `add`"),
        ("route", "use `concat`"),
        ("einsum", "`matmul`"),
        ("bmm", "`matmul`"),
        ("mm", "`matmul`"),
        ("F.scaled_dot_product_attention", "`attention`"),
        ("glu", "use `chunk`"),
        ("bilinear", "use `upsample`"),
        ("min", "`max`"),
        ("std", "use `var`"),
        ("grn", "`global_response_norm`"),
        ("select", "`index`"),
        ("clamp", "`hardtanh`"),
        ("divide", "`div`"),
        ("MaxUnpool2d", None),
        ("unpool", None),
        ("tan", None),
        ("lstm", None),
        ("embedding", None),
        ("maxx", "`max`"),
        ("atention", "`attention`"),
        ("matmull", "`matmul`"),
    ],
)
def test_the_help_for_an_unknown_op_is_close_in_meaning_or_absent(op: str, help: str | None, tmp_path: Path) -> None:
    """`help` is part of the message; None if it must not name an op."""
    path = tmp_path / "net.yaml"
    path.write_text(f"cnngraph: 1\ninput: [3, 8, 8]\nnodes: [{{op: {op}}}]\n")
    with pytest.raises(cnngraph.SpecError) as caught:
        cnngraph.load(path)
    message = str(caught.value)
    assert "E313" in message
    if help is None:
        assert "docs/ops.md lists the ops" in message
        assert "did you mean" not in message
        assert "fix:" not in message
    else:
        assert help in message


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
