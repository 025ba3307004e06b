"""Hostile specs are refused with a clear error, quickly and in little memory; unusual but valid specs work."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from cnngraph.nearest import nearest
from tests.hostile_specs import FULL, TEXTS, bomb, importing, lines, spec, write
from tests.library import ROOT
from tests.measured import MEGABYTES, SECONDS, Validator, within_bounds


@pytest.mark.parametrize("name", TEXTS)
def test_hostile_specs(name: str, validator: Validator, tmp_path: Path) -> None:
    make, codes = TEXTS[name]
    file = tmp_path / "spec.yaml"
    file.write_bytes(make().encode())
    measured = validator.check(file, max_nodes=50_000 if name in FULL else 5_000)
    assert set(measured.codes) <= set(codes)
    assert measured.codes or not codes
    assert measured.ok is all(code.startswith("W") for code in codes)
    within_bounds(measured)


def test_the_limit_on_nodes_applies_to_a_file_of_megabytes(validator: Validator, tmp_path: Path) -> None:
    file = tmp_path / "spec.yaml"
    file.write_text(spec("nodes:\n" + lines(110_000, "  n%d: relu")))
    measured = validator.check(file)
    assert measured.codes == ["E502"]
    assert measured.megabytes < MEGABYTES
    assert measured.seconds < 2 * SECONDS  # 1.5 MB of valid nodes


RELU = spec("nodes: {r: relu}")
THOUSANDS = spec("nodes: {layer: {repeat: 4000, op: relu}}")


def net(file: str, more: str = "") -> str:
    """A network that contains another one."""
    return spec(f"nodes: {{a: {{net: {file}.yaml{more}}}}}")


def rules(count: int, rule: str, base: str = "b") -> str:
    """A variant with many rules; in a rule, %d is its number."""
    return f"cnngraph: 1\nextends: {base}.yaml\nchange:\n" + lines(count, f"  - {rule}")


# the files, of which the first is checked, and the allowed codes (none: the spec is valid)
VARIANTS: dict[str, tuple[dict[str, str], tuple[str, ...]]] = {
    "deep_nets": ({f"n{n}": net(f"n{n + 1}") for n in range(70)}, ("E503",)),
    "doubling_nets": (
        {f"n{n}": spec(f"nodes: {{a: {{net: n{n + 1}.yaml}}, b: {{net: n{n + 1}.yaml}}}}") for n in range(18)}
        | {"n18": RELU},
        ("E502",),
    ),
    "hundred_nets": (
        {"a": spec("nodes:\n" + lines(99, "  a%d: {net: b%d.yaml}"))} | {f"b{n}": RELU for n in range(99)},
        (),
    ),
    "nets_of_one_file": ({"a": spec("nodes:\n" + lines(900, "  a%d: {net: b.yaml}")), "b": RELU}, ()),
    "net_in_a_repeat": ({"a": spec("nodes: {a: {repeat: 1000000000, net: b.yaml}}"), "b": RELU}, ("E502",)),
    "circle_of_nets": ({"a": net("b"), "b": net("c"), "c": net("a")}, ("E309",)),
    "circle_of_a_net_and_its_base": ({"a": "cnngraph: 1\nextends: b.yaml", "b": net("a")}, ("E309",)),
    "circle_through_a_block": ({"a": spec("blocks: {u: {nodes: {x: {net: a.yaml}}}}\nnodes: [u]")}, ("E309",)),
    "circle_through_a_rule": ({"a": rules(1, "{match: r, replace: {net: a.yaml}}"), "b": RELU}, ("E309",)),
    "until_pattern": ({"a": net("b", ", until: '**'"), "b": RELU}, ("E301",)),
    "until_expression": ({"a": net("b", ", until: '${9**9**9}'"), "b": RELU}, ("E503",)),
    "until_long": ({"a": net("b", f", until: '{'x.' * 900}x'"), "b": RELU}, ("E301",)),
    "rules_with_stars": ({"a": rules(1000, "{match: 'layer.**%d*', op: silu}"), "b": THOUSANDS}, ("E502",)),
    "rules_with_many_stars": (
        {"a": rules(1000, "{match: '*a*a*a*a*a*b%d', op: silu}"), "b": THOUSANDS.replace("layer", "a" * 90)},
        ("E502",),
    ),
    "rules_of_nets": (
        {
            "a": spec("nodes:\n" + lines(400, "  a%d: {net: c.yaml}")),
            "c": rules(1000, "{match: 'r%d*', op: relu}"),
            "b": RELU,
        },
        ("E502",),
    ),
    "rules_that_match_nothing": ({"a": rules(1000, "{match: layer.x%d, op: silu}"), "b": THOUSANDS}, ("E324", "E504")),
    "too_many_rules": ({"a": rules(1001, "{match: relu, op: silu} # %d"), "b": RELU}, ("E501",)),
    "rules_that_double": (
        {"a": rules(40, "{match: relu, replace: [relu, relu]} # %d"), "b": RELU},
        ("E502",),
    ),
    "rules_that_nest": ({"a": rules(1000, "{match: relu, replace: [relu]} # %d"), "b": RELU}, ("E503",)),
    "rules_that_replace_each_other": ({"a": rules(1000, "{match: relu, replace: relu} # %d"), "b": RELU}, ("E503",)),
    "names_that_grow": ({"a": rules(1000, "{match: relu, after: {'a%d_$name': relu}}"), "b": RELU}, ("E302", "E502")),
    "name_bomb": ({"a": rules(1, "{match: relu, after: {'a${9**9**9}': relu}}"), "b": RELU}, ("E503",)),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_hostile_variants(name: str, validator: Validator, tmp_path: Path) -> None:
    files, codes = VARIANTS[name]
    measured = validator.check(write(tmp_path, **files), max_nodes=5_000)
    assert set(measured.codes) <= set(codes)
    assert measured.codes or not codes
    assert measured.ok is (not codes)
    within_bounds(measured)


OVERRIDES: dict[str, tuple[Any, tuple[str, ...]]] = {
    "a_number_out_of_bounds": (10**300, ("E205", "E503")),
    "nan": (float("nan"), ("E205", "E503")),
    "an_expression": ("$a * 9**9**9", ("E402", "E503")),
    "itself": ("$a", ("E402",)),
    "a_long_list": ([1] * 100_000, ("E503",)),
    "a_deep_list": (json.loads("[" * 90 + "]" * 90), ("E205", "E503")),
    "a_long_string": ("x" * 1_000_000, ("E205",)),
    "a_mapping": ({str(number): number for number in range(100_000)}, ("E503",)),
}


@pytest.mark.parametrize("name", OVERRIDES)
def test_hostile_overrides(name: str, validator: Validator, tmp_path: Path) -> None:
    value, codes = OVERRIDES[name]
    file = write(tmp_path, spec=spec("params: {a: 8}\nnodes: [{op: conv, out: $a, kernel: 1}]"))
    measured = validator.check(file, {"a": value})
    assert measured.codes
    assert set(measured.codes) <= set(codes)
    within_bounds(measured)


@pytest.mark.parametrize("input", [[10**9] * 3, [1] * 100_000, [0, 1, 1], [], ["$x"], 3, {"in": 3}, {"x": [1]}])
def test_hostile_inputs(input: Any, validator: Validator, tmp_path: Path) -> None:
    measured = validator.check(write(tmp_path, spec=spec("nodes: [relu]")), None, input)
    assert not measured.ok
    within_bounds(measured)


def test_the_command_is_fast(tmp_path: Path) -> None:
    hostile = {
        "bomb": bomb(),
        "repeat": TEXTS["repeat"][0](),
        "itself": TEXTS["block_uses_itself"][0](),
        "power": TEXTS["power_tower"][0](),
        "passwd": importing("../../../etc/passwd"),
    }
    files = [str(write(tmp_path, **{name: text})) for name, text in hostile.items()]
    start = sum(os.times()[2:4])  # of child processes
    command = [sys.executable, "-m", "cnngraph", "check", "--format", "json", *files]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 1
    assert not ended.stderr
    codes = [
        [diagnostic["code"] for diagnostic in answer["diagnostics"]] for answer in json.loads(ended.stdout)["files"]
    ]
    assert codes == [["E104"], ["E502"], ["E306"], ["E503"], ["E310"]]
    assert sum(os.times()[2:4]) - start < 10  # seconds of CPU for all five


def test_finding_near_names_among_many_is_fast() -> None:
    names = [f"node_number_{number}" for number in range(50_000)]
    start = time.process_time()
    for number in range(20):
        assert nearest(f"node_number_x{number}", names)
        assert nearest("y" * 5_000, names) is None
    assert time.process_time() - start < SECONDS
