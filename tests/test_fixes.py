"""Fixes: edits that are verified on the whole text; a failing search never hides the error."""

from __future__ import annotations

import inspect
import pickle
from pathlib import Path
from typing import Any, NoReturn

import pytest

from cnngraph.compilation import compile_text
from cnngraph.diagnostics import Diagnostic, Source, apply_edits
from cnngraph.fixes import (
    edges,
    inputs,
    names,
    numbers,
    ops,
    repaired,
    search,
    syntax,
    values,
    written,
)

HEAD = "cnngraph: 1\ninput: [3, 32, 32]\n"


UNIT = """\
blocks:
  unit:
    params: {out: , stride: 1}
    nodes:
      conv: {op: conv, out: $out, kernel: 3, stride: $stride, padding: half}
      short: {op: conv, from: in, out: $out, kernel: 1, stride: $stride}
      add: {op: add, from: [conv, short]}
"""


USES = "nodes: [{op: unit, out: 8}, {op: unit, out: 16, stride: 2}, global_avg_pool]\n"


def checked(text: str, fixes: bool = True) -> tuple[Diagnostic, ...]:
    return compile_text(Source("net.yaml", text), Path(), fixes=fixes).diagnostics


def fixed(text: str) -> str:
    (found,) = checked(text)
    return apply_edits(text, found.fixes[0].edits)


GOOD = HEAD + UNIT + USES


SLIPS = [  # (right, wrong)
    ("kernel: 3", "kernal: 3"),
    ("op: conv, out: $out, kernel: 3", "op: cnov, out: $out, kernel: 3"),
    ("op: unit, out: 8", "op: unti, out: 8"),
    ("[conv, short]", "[conv, shrt]"),
    ("conv: {op: conv, out: $out", "cnov: {op: conv, out: $out"),
    ("out: $out, kernel: 1", "out: $uot, kernel: 1"),
    ("out: $out, kernel: 1", "out: out, kernel: 1"),
    ("params: {out: , stride: 1}", "params: {uot: , stride: 1}"),
    ("blocks:", "blcks:"),
    ("nodes: [", "nods: ["),
    ("padding: half", "padding: hafl"),
    ("out: 16", "out: '16'"),
    ("stride: 2", "stride: -2"),
    ("kernel: 3, stride: $stride, padding: half", "kernel: 3, stride: $stride"),
    ("kernel: 1, stride: $stride", "kernel: 1"),
    ("[conv, short]", "conv"),
    ("{op: add, from: [conv, short]}", "{op: add}"),
    ("out: 8}", "out: 8"),
    ("out: 16,", "out:16,"),
    ("input: [3, 32, 32]", "input: [1, 3, 32, 32]"),
]


@pytest.mark.parametrize(("right", "wrong"), SLIPS)
def test_a_slip_is_one_error_with_a_fix_that_reverts_it(right: str, wrong: str) -> None:
    damaged = GOOD.replace(right, wrong, 1)
    assert damaged != GOOD
    (found,) = checked(damaged)
    assert found.to_dict()["fixes"]
    assert checked(fixed(damaged)) == ()


HIDDEN = [
    ("a: {op: norm, from: x}", "b: {op: norm, from: y}"),
    ("a: {op: conv, from: x, out: 8, kernel: 99}", "b: {op: conv, from: y, out: 8, kernel: 99}"),
    ("a: {op: conv, from: x, out: 8, kernel: 3, groups: 3}", "b: {op: conv, from: y, out: 8, kernel: 3, groups: 3}"),
    ("a: {op: linear, from: x, out: 4}", "b: {op: linear, from: y, out: 4}"),
]


@pytest.mark.parametrize("nodes", HIDDEN)
def test_no_fix_hides_an_error_behind_another(nodes: tuple[str, str]) -> None:
    text = ", ".join([*nodes, "d: {op: sub, from: [a, b]}"])
    found = checked(f"cnngraph: 1\ninput: {{x: [8, 9, 9], y: [8, 9, 9]}}\nnodes: {{{text}}}\n")
    assert len(found) == 2
    for error in found:
        assert not any(edit.text in ("a", "b") for fix in error.fixes for edit in fix.edits)


def test_no_fix_takes_an_input_from_a_block_that_merges() -> None:
    block = "blocks: {merge: {nodes: [concat, {op: conv, out: 8, kernel: 1}]}}"
    conv = "{op: conv, out: 8, kernel: 1}"
    (error,) = checked(f"{HEAD}{block}\nnodes: {{a: {conv}, b: {conv}, m: {{op: merge, from: [a, b]}}}}\n")
    assert (error.code, error.fixes) == ("E210", ())


def test_a_fix_works_for_all_uses_of_a_block() -> None:
    """A stride of 1 would fix the use in which the error shows, and break the other one."""
    text = GOOD.replace("kernel: 1, stride: $stride", "kernel: 1")
    assert "kernel: 1, stride: $stride" in fixed(text)


def test_ambiguous_changes_are_named_but_not_offered() -> None:
    pools = "a: {op: adaptive_avg_pool, output: 2}, b: {op: adaptive_avg_pool, from: in, output: 3}"
    (error,) = checked(f"{HEAD}nodes: {{{pools}, add: {{op: add, from: [a, b]}}, c: global_avg_pool}}\n")
    assert not error.fixes
    assert "`output: 3` at net.yaml:3 · `output: 2` at net.yaml:3" in error.notes[-1]


FUNCTIONS = [
    (module, name)
    for module in (edges, inputs, names, numbers, ops, repaired, search, syntax, values)
    for name, getmember in inspect.getmembers(module, inspect.isfunction)
    if getmember.__module__ == module.__name__ and name != "with_fixes"
]


@pytest.mark.parametrize(("module", "name"), FUNCTIONS, ids=lambda value: getattr(value, "__name__", value))
def test_an_exception_in_the_search_for_fixes_keeps_the_errors(
    module: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> NoReturn:
        raise ZeroDivisionError

    monkeypatch.setattr(module, name, fail)
    for right, wrong in (SLIPS[0], SLIPS[13], SLIPS[15], SLIPS[17]):
        damaged = GOOD.replace(right, wrong, 1)
        reported = [(error.code, error.message, error.span) for error in checked(damaged)]
        assert (
            reported == [(error.code, error.message, error.span) for error in checked(damaged, fixes=False)]
            or len(reported) == 1
        )


def test_an_exception_while_reading_the_text_keeps_the_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(written.Written, "_read", None)
    damaged = GOOD.replace(*SLIPS[0], 1)
    assert checked(damaged) == checked(damaged, fixes=False)


BROKEN_HEADS = [
    (GOOD.replace("params: {out: , stride: 1}", "flat: yes\n    params: {out: , stride: 1}"), "E109"),
    (GOOD.replace("params: {out: , stride: 1}", "repeat: 2\n    carry: {}\n    params: {out: , stride: 1}"), "E109"),
    (GOOD.replace("params: {out: , stride: 1}", "params: {out: , stride: 1, first: 2}"), "E108"),
    (GOOD.replace("params: {out: , stride: 1}", "params: {out: , stride: 1, a-b: 2}"), "E108"),
    (GOOD.replace("  unit:\n", "  unit:\n    unused: true\n"), "E107"),
    (GOOD.replace("params: {out: , stride: 1}", "params: [out, stride]"), "E109"),
    (GOOD.replace("params: {out: , stride: 1}", "params: {stride: 1}\n    params: {out: }"), "E103"),
    (GOOD.replace("    nodes:\n", "    nodes: [relu]\n    nodes:\n").replace("out: , ", ""), "E103"),
]


@pytest.mark.parametrize(("text", "code"), BROKEN_HEADS, ids=range(len(BROKEN_HEADS)))
def test_an_invalid_block_is_one_error_for_all_uses(text: str, code: str) -> None:
    (found,) = checked(text, fixes=False)
    assert found.code == code


@pytest.mark.parametrize(("kernel", "padding"), [(2, "1"), (4, "2"), (6, "3"), (2, "half"), (4, "half")])
def test_an_even_kernel_gets_padding_same(kernel: int, padding: str) -> None:
    """`padding: same` keeps the size for an even kernel; another kernel would be another network."""
    conv = f"a: {{op: conv, out: 3, kernel: {kernel}, padding: {padding}}}"
    text = f"{HEAD}nodes:\n  {conv}\n  add: {{op: add, from: [a, in]}}\n"
    assert f"kernel: {kernel}, padding: same" in fixed(text)
    assert not checked(fixed(text))


@pytest.mark.parametrize("pool", ["max_pool", "avg_pool"])
@pytest.mark.parametrize(("kernel", "padding"), [(2, "1"), (4, "2"), (4, "half")])
def test_an_even_window_gets_padding_tf_same(pool: str, kernel: int, padding: str) -> None:
    node = f"a: {{op: {pool}, kernel: {kernel}, stride: 1, padding: {padding}}}"
    text = f"{HEAD}nodes:\n  {node}\n  add: {{op: add, from: [a, in]}}\n"
    assert f"kernel: {kernel}, stride: 1, padding: tf_same" in fixed(text)
    assert not checked(fixed(text))


@pytest.mark.parametrize(
    ("word", "op"),
    [
        ("nn.Conv2d", "conv"),
        ("torch.nn.Dropout2d", "dropout2d"),
        ("tf.keras.layers.MaxPooling2D", "max_pool"),
        ("GlobalAveragePooling2D", "global_avg_pool"),
        ("BatchNormalization", "batch_norm"),
        ("fullyConnectedLayer", "linear"),
        ("convolution2dLayer", "conv"),
        ("crossChannelNormalizationLayer", "local_response_norm"),
        ("UpSampling2D", "upsample"),
        ("Conv2DTranspose", "conv_transpose"),
        ("convolutional", "conv"),
        ("upscale", "upsample"),
    ],
)
def test_names_of_ops_in_other_libraries_are_recognised(word: str, op: str) -> None:
    (found,) = checked(f"{HEAD}nodes: [{{op: {word}}}]\n", fixes=False)
    assert found.help == f"did you mean `{op}`?"


PARAMETERS = [  # (with a name of another library, right)
    ("op: roll, shift: 1, dims: 1", "shifts: 1"),
    ("op: batch_norm, epsilon: 0.01", "eps: 0.01"),
    ("op: leaky_relu, alpha: 0.1", "negative_slope: 0.1"),
    ("op: max_pool, pool_size: 2", "kernel: 2"),
    ("op: conv, filters: 8, kernel: 3", "out: 8"),
    ("op: conv, out: 8, filterSize: 3", "kernel: 3"),
    ("op: conv, out: 8, size: 3", "kernel: 3"),
    ("op: conv, out: 8, kernel: 3, pad: 1", "padding: 1"),
    ("op: conv, out: 8, kernel: 3, dilation_rate: 2", "dilation: 2"),
    ("op: adaptive_avg_pool, size: 1", "output: 1"),
    ("op: upsample, factor: 2", "scale_factor: 2"),
    ("op: upsample, scale: 2", "scale_factor: 2"),
    ("op: dropout, rate: 0.3", "p: 0.3"),
    ("op: pixel_unshuffle, factor: 2", "downscale_factor: 2"),
    ("op: local_response_norm, depth_radius: 5", "size: 5"),
    ("op: sum, axis: height", "dim: height"),
    ("op: max, dim: height, keepdims: true", "keepdim: true"),
    ("op: norm, dim: height, ord: 1", "p: 1"),
    ("op: pow, power: 2", "exponent: 2"),
    ("op: blur_pool, filt_size: 5", "kernel: 5"),
    ("op: index, indices: 0", "index: 0"),
    ("op: hardtanh, max: 6", "max_val: 6"),
]


@pytest.mark.parametrize(("node", "right"), PARAMETERS, ids=[right for _, right in PARAMETERS])
def test_names_of_parameters_in_other_libraries_are_recognised(node: str, right: str) -> None:
    text = f"{HEAD}nodes: [{{{node}}}]\n"
    (found,) = checked(text)
    assert found.help == f"did you mean `{right.partition(':')[0]}`?"
    assert right in fixed(text)
    assert not checked(fixed(text))


@pytest.mark.parametrize("parameter", ["in_channels: 3, ", "in: 3, "])
def test_input_channels_are_removed(parameter: str) -> None:
    text = f"{HEAD}nodes: [{{op: conv, {parameter}out: 8, kernel: 3}}]\n"
    (found,) = checked(text)
    assert found.help == "remove it: the number of input channels is inferred"
    assert fixed(text) == text.replace(parameter, "")


@pytest.mark.parametrize("node", ["{op: maximum, from: in, dim: channels}", "{op: tanh, p: 0.5}", "{op: share}"])
def test_an_unrelated_op_is_not_suggested(node: str) -> None:
    (error,) = checked(f"{HEAD}nodes: [{node}]\n")
    assert "did you mean" not in str(error)


TWO_CHANGES = {  # nodes whose error needs two changes, and parts of the fixed text
    "padding in two branches of an add": (
        "a: {op: conv, from: in, out: 3, kernel: 3}\nb: {op: conv, from: in, out: 3, kernel: 5}\n"
        "add: {op: add, from: [a, b, in]}",
        ["kernel: 3, padding: half", "kernel: 5, padding: half"],
    ),
    "padding in both branches of an add": (
        "a: {op: conv, from: in, out: 8, kernel: 3}\nb: {op: conv, from: in, out: 8, kernel: 5}\n"
        "add: {op: add, from: [a, b]}",
        ["kernel: 3, padding: half", "kernel: 5, padding: half"],
    ),
    "padding in both branches of a concat, with strides": (
        "a: {op: conv, from: in, out: 8, kernel: 7, stride: 2}\nb: {op: conv, from: in, out: 4, kernel: 3, stride: 2}\n"
        "cat: {op: concat, from: [a, b]}",
        ["kernel: 7, stride: 2, padding: half", "kernel: 3, stride: 2, padding: half"],
    ),
    "padding in two branches of a concat": (
        "a: {op: conv, from: in, out: 8, kernel: 1}\nb: {op: conv, from: in, out: 8, kernel: 3}\n"
        "c: {op: conv, from: in, out: 8, kernel: 5}\ncat: {op: concat, from: [a, b, c]}",
        ["kernel: 3, padding: half", "kernel: 5, padding: half"],
    ),
    "two names in one node": ("a: {op: cnov, out: 8, kernal: 3}", ["op: conv, out: 8, kernel: 3"]),
    "a shortcut without a projection": (
        "stem: {op: conv, out: 16, kernel: 3, padding: half}\n"
        "conv: {op: conv, out: 32, kernel: 3, stride: 2, padding: half}\nadd: {op: add, from: [conv, stem]}",
        ["short: {op: conv, from: stem, out: 32, kernel: 1, stride: 2}", "from: [conv, short]"],
    ),
}


@pytest.mark.parametrize("case", TWO_CHANGES)
def test_a_fix_may_consist_of_two_changes(case: str) -> None:
    nodes, expected = TWO_CHANGES[case]
    text = f"{HEAD}nodes:\n" + "".join(f"  {line}\n" for line in [*nodes.splitlines(), "pool: global_avg_pool"])
    (found,) = checked(text)
    assert len(found.fixes[0].edits) == 2
    assert checked(fixed(text)) == ()
    for part in expected:
        assert part in fixed(text)


def test_the_kernel_of_similar_nodes_is_preferred_to_padding() -> None:
    convs = "".join(f"  {name}: {{op: conv, out: 3, kernel: 3}}\n" for name in "uvw")
    branches = "  a: {op: conv, from: w, out: 3, kernel: 3}\n  b: {op: conv, from: w, out: 3, kernel: 5}\n"
    text = f"{HEAD}nodes:\n{convs}{branches}  add: {{op: add, from: [a, b]}}\n"
    assert "b: {op: conv, from: w, out: 3, kernel: 3}" in fixed(text)


@pytest.mark.parametrize(
    ("right", "wrong"), [("width: 8", "widht: 8"), ("out: $width, kernel: 3", "out: $widht, kernel: 3")]
)
def test_a_name_misspelt_twice_is_fixed_in_both_places(right: str, wrong: str) -> None:
    conv = "{op: conv, out: $width, kernel: 3, padding: half}"
    block = f"blocks:\n  unit: {{params: {{width: }}, nodes: [{conv}, {conv}]}}\n"
    text = f"{HEAD}{block}nodes: [{{op: unit, width: 8}}, {{op: unit, width: 8}}, global_avg_pool]\n"
    damaged = text.replace(right, wrong)
    first, second = checked(damaged)
    edits = [edit for error in (first, second) for edit in error.fixes[0].edits]
    assert apply_edits(damaged, edits) == text


def test_each_syntax_error_has_its_own_fix() -> None:
    nodes = "nodes:\n  a: {op: conv, out:8, kernel:3}\n  pool: global_avg_pool\n"
    first, second = checked(HEAD + nodes)
    edits = [edit for error in (first, second) for edit in error.fixes[0].edits]
    assert checked(apply_edits(HEAD + nodes, edits)) == ()


def test_two_unrelated_changes_are_not_offered() -> None:
    """Changing two kernels can make any two maps equal, so it is no evidence."""
    nodes = "a: {op: conv, from: in, out: 3, kernel: 7, stride: 3}\nadd: {op: add, from: [a, in]}\n"
    (error,) = checked(f"{HEAD}nodes:\n" + "".join(f"  {line}\n" for line in nodes.splitlines()))
    assert error.code in ("E202", "E203")
    assert all(len(fix.edits) < 3 for fix in error.fixes)


def test_suggestions_can_be_pickled() -> None:
    (found,) = checked(GOOD.replace("kernel: 3", "kernal: 3"), fixes=False)
    assert found.suggestions == ("kernel",)
    assert found.help == "did you mean `kernel`?"
    again = pickle.loads(pickle.dumps(found))
    assert (again.suggestions, again.help) == (found.suggestions, found.help)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [("repeat: $depths.0", "repeat: $dephts.0"), ("from: unit.act", "from: uint.act"), ("$in.channels", "$in.chanels")],
)
def test_only_the_wrong_name_of_a_path_is_replaced(right: str, wrong: str) -> None:
    nodes = "  unit:\n    nodes:\n      conv: {op: conv, out: $in.channels, kernel: 1}\n      act: relu\n"
    rest = "  more: {op: relu, repeat: $depths.0, from: unit.act}\n  pool: global_avg_pool\n"
    text = f"{HEAD}params: {{depths: [2, 3]}}\nnodes:\n{nodes}{rest}"
    assert checked(text) == ()
    assert fixed(text.replace(right, wrong)) == text


INPUTS = ["[1, 3, 32, 32]", "[null, 3, 32, 32]", "[-1, 3, 32, 32]", "[64, 3, 32, 32]"]


@pytest.mark.parametrize("sizes", INPUTS)
def test_a_batch_size_in_the_input_is_removed(sizes: str) -> None:
    text = HEAD.replace("[3, 32, 32]", sizes) + "nodes: [global_avg_pool]\n"
    (found,) = checked(text, fixes=False)
    assert str(found.help).startswith("leave out the batch size: `input: [3, 32, 32]`")
    assert "input: [3, 32, 32]\n" in fixed(text)


def test_a_gate_without_a_mode_lists_the_modes() -> None:
    text = f"{HEAD}nodes:\n  a: {{op: conv, out: 3, kernel: 1}}\n  g: {{op: gate, from: [in, a]}}\n"
    (found,) = checked(text, fixes=False)
    assert str(found.help).startswith("add `mode` (exclusive or shortcut): ")
