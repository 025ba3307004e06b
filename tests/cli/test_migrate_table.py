"""What `cnngraph migrate` and `cnngraph weights` print for deep networks: equal iterations are one line."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch

import cnngraph
from cnngraph.cli.iterations import folded
from tests.cli.conftest import Cli

SE = """\
cnngraph: 1
extends: {base}
import: blocks/squeeze_excite.yaml
change:
  - {{match: "layer*.*.{norm}", after: {{se: {{op: squeeze_excite, squeeze: $from.channels // 16}}}}}}
"""


@pytest.mark.parametrize(("base", "norm"), [("resnet18", "bn2"), ("resnet152", "bn3")])
def test_the_plan_of_a_deep_network_is_short(cli: Cli, folder: Path, base: str, norm: str) -> None:
    (folder / "se.yaml").write_text(SE.format(base=base, norm=norm))
    lines = cli("migrate", base, "se.yaml").out.splitlines()
    facts = json.loads(cli("migrate", base, "se.yaml", "--format", "json").out)
    assert len(lines) < 35
    assert not any("more change" in line or "more block" in line for line in lines)
    table = [re.findall(r"\d[\d,]*", line[12:])[0] for line in lines[1 : lines.index("")]]
    assert sum(int(number.replace(",", "")) for number in table) == len(facts["tensors"])
    last = "1" if base == "resnet18" else "2"
    fresh = "initialised as usual: what follows starts at 0"
    assert f"fresh    layer1.0–{last}.se.fc1, layer2.0–" in "\n".join(lines)
    assert f"layer4.0–{last}.se.fc1: {fresh}" in "\n".join(lines)
    assert f"adapted  layer4.0–{last}.{norm} (weight, bias): ×2, undone by the gate layer4.0–{last}.se.scale" in lines


def test_the_weights_table_of_a_deep_network(cli: Cli, folder: Path) -> None:
    state = {key: torch.zeros(shape) for key, shape in cnngraph.load("resnet152").state.items()}
    del state["layer3.7.conv1.weight"]
    torch.save(state, "theirs.pth")
    blocks = [line.split() for line in cli("weights", "resnet152", "theirs.pth").out.split("\n\n")[0].splitlines()[1:]]
    assert [name for name, *_ in blocks] == [
        "conv1", "bn1", "layer1", "layer2", "layer3.0", "layer3.1–6", "layer3.7", "layer3.8–35", "layer4", "fc"
    ]  # fmt: skip
    assert blocks[5][1:] == ["108", "108"]
    assert blocks[6][1:] == ["18", "17", "1"]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["a.0.conv|new", "a.1.conv|new", "a.2.conv|new"], ["a.0–2.conv|new"]),
        (["a.0.conv|new", "a.0.bn|new", "a.1.conv|new", "a.1.bn|new"], ["a.0–1.conv|new", "a.0–1.bn|new"]),
        (["a.0.conv|new", "a.2.conv|new"], ["a.0.conv|new", "a.2.conv|new"]),
        (["a.0.conv|new", "a.1.conv|old", "a.2.conv|new"], ["a.0.conv|new", "a.1.conv|old", "a.2.conv|new"]),
        (["a.0.x|by a.0.y", "a.1.x|by a.1.y"], ["a.0–1.x|by a.0–1.y"]),
        (["a.3.x|was a.2.x", "a.4.x|was a.3.x"], ["a.3–4.x|was a.2–3.x"]),
        (["a.0.x|by b.7.y", "a.1.x|by b.7.y"], ["a.0–1.x|by b.7.y"]),
        (["a.0.x|by b.7.y", "a.1.x|by b.9.y"], ["a.0.x|by b.7.y", "a.1.x|by b.9.y"]),
        ([f"a.{outer}.{inner}.x|" for outer in (0, 1) for inner in (0, 1)], ["a.0–1.0–1.x|"]),
        (["a.0.0.x|", "a.0.1.x|", "a.1.0.x|"], ["a.0.0–1.x|", "a.1.0.x|"]),
        (["layer1.x|", "layer2.x|"], ["layer1.x|", "layer2.x|"]),
        (["0.x|", "1.x|"], ["0–1.x|"]),
        (["a.0.x|×2, 0.5", "a.1.x|×2, 0.6"], ["a.0.x|×2, 0.5", "a.1.x|×2, 0.6"]),
    ],
)
def test_lines_are_folded_only_if_they_are_those_of_the_next_iteration(lines: list[str], expected: list[str]) -> None:
    pairs = [(path, text) for path, _, text in (line.partition("|") for line in lines)]
    found = folded(pairs)
    assert [f"{line.path}|{line.text}" for line in found] == expected
    assert sorted(member for line in found for member in line.members) == [*range(len(lines))]
