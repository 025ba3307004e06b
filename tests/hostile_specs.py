"""Hostile specs, with the codes of the errors that `check` must report for each."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

FULL = {"repeat", "doubling"}  # checked with the default limit on nodes; all others with a tenth of it
HEAD = "cnngraph: 1\ninput: [3, 8, 8]\n"
ABSENT = "{op: relu, when: 1 == 2}"


def spec(body: str) -> str:
    """A spec with an input."""
    return HEAD + body


def lines(count: int, line: str, first: int = 0) -> str:
    """One line per number, with every %d replaced by the number."""
    return "".join(line.replace("%d", str(number)) + "\n" for number in range(first, first + count))


def doubling(end: str, line: str = "{nodes: [b%d, b%d]}") -> str:
    """Forty blocks that each use the next one twice."""
    blocks = "".join(f"  b{n}: {line.replace('%d', str(n + 1))}\n" for n in range(40))
    return spec(f"blocks:\n{blocks}  b40: {end}\nnodes: {{x: b0}}\n")


def chain(first: str, line: str, count: int = 60) -> str:
    """Nodes a0, a1, …; in a line, %d is the number of the node before."""
    rest = "".join(f"  a{n}: {line.replace('%d', str(n - 1))}\n" for n in range(1, count))
    return spec(f"nodes:\n  a0: {first}\n{rest}")


def params(first: str, line: str, count: int = 60, use: str = "relu") -> str:
    """Params p0, p1, …; in a line, %d is the number of the param before."""
    rest = "".join(f"  p{n}: {line.replace('%d', str(n - 1))}\n" for n in range(1, count))
    return spec(f"params:\n  p0: {first}\n{rest}nodes: {{a: {use}}}\n")


def bomb() -> str:
    """Nine levels of nine aliases each."""
    levels = ["a: &a [x,x,x,x,x,x,x,x,x]"]
    levels += [f"{new}: &{new} [{','.join([f'*{old}'] * 9)}]" for old, new in zip("abcdefgh", "bcdefghi", strict=True)]
    return "\n".join(levels)


def nested(inner: str, *counts: int) -> str:
    """A repeat in a repeat in a repeat."""
    text = inner
    for count in counts:
        text = f"{{repeat: {count}, nodes: [{text}]}}"
    return spec(f"nodes: {{a: {text}}}")


DEEP = 45
DEEP_NODES = "{a: {nodes: " * DEEP + "{a: {repeat: 1000, op: relu}}" + "}}" * DEEP


# name: a function that returns the text, and the allowed codes (none: the spec is valid)
TEXTS: dict[str, tuple[Callable[[], str], tuple[str, ...]]] = {
    # YAML
    "yaml_bomb": (bomb, ("E104",)),
    "merge_keys": (lambda: spec("nodes: {<<: {a: relu}}"), ("E104",)),
    "python_tag": (lambda: spec("nodes: !!python/object/apply:os.system [id]"), ("E104",)),
    "brackets": (lambda: spec("nodes: " + "[" * 100_000 + "]" * 100_000), ("E501",)),
    "braces": (lambda: spec("nodes: " + "{a: " * 100_000 + "}" * 100_000), ("E501",)),
    "open_bracket": (lambda: spec("nodes: {a: [" + "{" * 1000), ("E102", "E501")),
    "open_quote": (lambda: spec('nodes: {a: "' + "x" * 1_000_000), ("E102",)),
    "colons": (lambda: "nodes: " + ": " * 1_000_000, ("E102",)),
    "colons_and_brackets": (lambda: spec("nodes: {a: [" + ":$a[" * 500_000), ("E102",)),
    "two_documents": (lambda: spec("nodes: {a: relu}\n---\na: 1"), ("E102",)),
    "complex_key": (lambda: spec("nodes: {? [a, b] : relu}"), ("E102",)),
    "nul": (lambda: spec("nodes: {a: re\0lu}"), ("E102",)),
    "nul_escaped": (lambda: spec('import: ["a\\0b"]\nnodes: {a: "re\\0lu"}'), ("E310", "E313")),
    "surrogate": (lambda: spec('nodes: {a: "\\ud800"}'), ("E102", "E313")),
    "tabs": (lambda: "cnngraph: 1\nnodes:\n\ta: relu\n", ("E102",)),
    "empty": (lambda: "", ("E106",)),
    "megabytes_of_keys": (lambda: lines(240_000, "k%d: 1"), ("E501",)),
    "many_keys": (lambda: lines(100_000, "k%d: 1"), ("E110", "E504")),
    "megabytes_of_nodes": (lambda: spec("nodes:\n" + lines(110_000, "  n%d: relu")), ("E502",)),
    "megabytes_of_list": (lambda: spec("nodes: [" + "relu," * 600_000 + "]"), ("E501",)),
    "duplicate_keys": (lambda: spec("nodes: {a: relu}\n" + "name: x\n" * 100_000), ("E103", "E504")),
    "commas": (lambda: spec("nodes: {a: {op: f(" + "".join(f",b{n}" for n in range(10_000)) + "}}"), ("E105", "E313")),
    "one_long_string": (lambda: spec("nodes: {a: " + "x" * 3_000_000 + "}"), ("E501",)),
    "spaces": (lambda: spec("nodes: " + " " * 3_000_000 + "{a: rellu}"), ("E313",)),
    "errors_far_down": (
        lambda: spec("#\n" * 1_000_000 + "nodes: {" + ",".join(f"a{n}: {{op: conv}}" for n in range(4_000)) + "}"),
        ("E206",),
    ),
    # size of the network
    "repeat": (lambda: spec("nodes: {a: {repeat: 1000000000, op: relu}}"), ("E502",)),
    "repeat_flat": (lambda: spec("nodes: {a: {repeat: 1000000000, op: relu, flat: true}}"), ("E502",)),
    "repeat_beyond_integers": (lambda: spec("nodes: {a: {repeat: 100000000000000, op: relu}}"), ("E205",)),
    "nested_repeats": (lambda: nested("relu", 1000, 1000, 1000), ("E502",)),
    "nested_repeats_of_absent_nodes": (lambda: nested(ABSENT, 1000, 1000, 1000), ("E502",)),
    "nested_repeats_of_zero": (lambda: nested("{repeat: 0, op: relu}", 40_000, 40_000), ("E502",)),
    "doubling": (lambda: doubling("relu"), ("E502",)),
    "doubling_absent": (lambda: doubling(ABSENT), ("E502",)),
    "doubling_scopes": (lambda: doubling(f"{{nodes: [{ABSENT}]}}", "{nodes: {x: b%d, y: b%d}}"), ("E502",)),
    "doubling_zero_repeats": (lambda: doubling("{op: relu, repeat: 0}"), ("E502",)),
    "doubling_errors": (lambda: doubling("{op: conv, out: 3, kernel: 99}"), ("E204",)),
    "doubling_repeats": (lambda: doubling(ABSENT, "{repeat: 2, op: b%d}"), ("E503",)),
    "doubling_shares": (lambda: doubling("relu", "{nodes: {x: b%d, y: {share: x}}}"), ("E307", "E502")),
    "block_uses_itself": (lambda: spec("blocks: {a: {op: a}}\nnodes: {x: a}"), ("E306",)),
    "cycle_of_blocks": (lambda: spec("blocks: {a: {op: b}, b: {op: c}, c: {nodes: [a]}}\nnodes: {x: a}"), ("E306",)),
    "block_uses_its_param": (
        lambda: spec("blocks: {a: {params: {u: }, op: $u, u: a}}\nnodes: {x: {op: a, u: a}}"),
        ("E306",),
    ),
    "chain_of_blocks": (
        lambda: spec(
            "blocks:\n" + "".join(f"  b{n}: {{op: b{n + 1}}}\n" for n in range(5000)) + "  b5000: relu\nnodes: [b0]"
        ),
        ("E503",),
    ),
    "deep_nodes": (lambda: spec("nodes: " + "{a: {nodes: " * 48 + "{a: relu}" + "}}" * 48), ()),
    "carry_concat": (
        lambda: spec("nodes: {x: {op: conv, out: 1, kernel: 1, repeat: 40000, carry: concat}}"),
        ("E502",),
    ),
    "wide_concat": (lambda: spec("nodes: {x: {op: concat, from: [" + "in," * 1_000_000 + "]}}"), ("E501",)),
    "many_wide_adds": (
        lambda: spec(
            "nodes:\n"
            + lines(40, "  x%d: {op: add, from: [" + "in," * 1000 + "], unused: true}")
            + "  y: {op: relu, from: in}"
        ),
        (),
    ),
    "lists_of_lists": (lambda: chain("{op: identity, from: [in, in]}", "{op: identity, from: [a%d, a%d]}"), ("E502",)),
    "lists_by_else": (lambda: chain("relu", "{op: relu, when: 1 == 2, else: [a%d, a%d]}"), ("E502",)),
    "lists_by_nodes": (lambda: chain("relu", f"{{from: [a%d, a%d], nodes: [{ABSENT}]}}"), ("E502",)),
    "lists_by_carry": (lambda: chain("relu", f"{{repeat: 2, carry: none, nodes: [{ABSENT}]}}"), ("E502",)),
    "splits": (
        lambda: "cnngraph: 1\ninput: [10000, 1, 1]\nnodes:\n" + lines(20_000, "  a%d: {op: split, sizes: 1, from: in}"),
        ("E502",),
    ),
    "huge_input": (lambda: "cnngraph: 1\ninput: [999999999999, 9, 9]\nnodes: [relu]", ("E205",)),
    "large_input": (lambda: "cnngraph: 1\ninput: [1000000, 1000000, 1000000]\nnodes: [relu]", ("E502",)),
    "huge_parameters": (lambda: spec("nodes: [{op: conv, out: 99999999999, kernel: 99999999999}]"), ("E205",)),
    "huge_weights": (lambda: spec("nodes: [{op: conv, out: 2000000000, kernel: 8}]"), ("E502",)),
    "many_axes": (lambda: spec("nodes: [{op: reshape, shape: [3, 8, 8" + ",1" * 100_000 + "]}]"), ("E205", "E503")),
    "long_permute": (lambda: spec("nodes: [{op: permute, dims: [" + "1," * 9_000 + "]}]"), ("E205",)),
    "long_expect": (lambda: spec("nodes: [{op: relu, expect: [" + "1," * 9_000 + "]}]"), ("E209",)),
    # expressions and params
    "power_tower": (lambda: spec('nodes: [{op: conv, kernel: 1, out: "0 * $in.channels + 9**9**9"}]'), ("E503",)),
    "long_expression": (lambda: spec("nodes: [{op: relu, when: '" + "1+" * 500_000 + "1'}]"), ("E503",)),
    "expression_brackets": (
        lambda: spec("nodes: [{op: relu, when: '" + "(" * 900 + "1" + ")" * 900 + "'}]"),
        ("E503",),
    ),
    "many_minuses": (lambda: spec("nodes: [{op: relu, when: '" + "-" * 1900 + "1'}]"), ("E503",)),
    "long_list": (lambda: params("1", "2", use='{op: relu, when: "[0] * 1000000"}'), ("E205",)),
    "long_range": (lambda: params("1", "2", use='{op: relu, repeat: "range(10**9)"}'), ("E503",)),
    "list_doubling": (lambda: params("[1, 2]", "$p%d + $p%d"), ("E503",)),
    "list_nesting": (lambda: params("[1, 2]", '"[$p%d, $p%d]"'), ("E503",)),
    "list_nesting_in_yaml": (lambda: params("[1, 2]", "[$p%d, $p%d]"), ("E503",)),
    "mapping_nesting": (lambda: params("{a: 1}", "{a: $p%d, b: $p%d}"), ("E503",)),
    "string_doubling": (lambda: params("abc", "$p%d + $p%d"), ("E503",)),
    "squares": (lambda: params("10", "$p%d * $p%d"), ("E503",)),
    "rows": (lambda: spec("params: {t: [" + "{a: 1}," * 100_000 + "]}\nnodes: [{op: relu, repeat: $t}]"), ("E501",)),
    "numbers": (lambda: spec("params: {t: [" + "1," * 240_000 + "]}\nnodes: [{op: relu, repeat: $t}]"), ("E503",)),
    "many_params": (
        lambda: spec("params:\n" + lines(80_000, "  p%d: $p0 + 1", 1) + "  p0: 1\nnodes: [relu]"),
        ("E402",),
    ),
    "long_lists_in_iterations": (
        lambda: spec("params: {p: [" + "1," * 9000 + "]}\nnodes: [{repeat: 40000, op: relu, when: sum($p + 1) > 0}]"),
        ("E502",),
    ),
    "long_parameters_in_iterations": (
        lambda: spec(
            "blocks: {b: {params: {p: }, nodes: [relu]}}\nnodes: [{repeat: 20000, op: b, p: [" + "1," * 9000 + "]}]"
        ),
        ("E502",),
    ),
    "many_params_in_iterations": (
        lambda: (
            spec("blocks: {b: {params: {" + ",".join(f"p{n}: 1" for n in range(1000)) + "}, nodes: [relu]}}\n")
            + "nodes: [{repeat: 20000, op: b}]"
        ),
        ("E502",),
    ),
    # names and paths
    "long_key": (lambda: spec("nodes: {" + "x" * 1_000_000 + ": relu}"), ("E501",)),
    "long_name": (lambda: spec("nodes: {" + "x" * 400 + ": relu}"), ("E302",)),
    "long_op": (lambda: spec("nodes: {a: {op: " + "x" * 1_000_000 + "}}"), ("E501",)),
    "long_path": (lambda: spec("nodes: {a: relu, b: {op: relu, from: a" + ".x" * 500_000 + "}}"), ("E501",)),
    "dotted_key": (lambda: spec("nodes: {" + "x." * 200 + "x: relu}"), ("E302",)),
    "long_number": (lambda: spec(f"nodes: {{a: {{repeat: 4000, op: relu, name: a{'9' * 1900}}}}}"), ("E302",)),
    "number_from_string": (
        lambda: params("'9'", "$p%d + $p%d", 13, "{repeat: 2, op: relu, name: 'a${$p12}'}"),
        ("E503",),
    ),
    "names_that_are_numbers": (lambda: spec('nodes: {"²": relu, a: {op: relu, from: in.²}}'), ("E301", "E302")),
    "path_element_that_is_no_number": (
        lambda: spec("nodes: {a: {op: chunk, chunks: 3}, c: {op: relu, from: a.²}}"),
        ("E301",),
    ),
    "cycle": (
        lambda: spec("nodes:\n" + "".join(f"  n{n}: {{op: relu, from: n{(n + 1) % 4000}}}\n" for n in range(4000))),
        ("E315",),
    ),
    "cycles": (
        lambda: spec("nodes:\n" + lines(2_000, "  n%d: {op: relu, from: m%d}\n  m%d: {op: relu, from: n%d}")),
        ("E315",),
    ),
    "nodes_that_read_themselves": (lambda: spec("nodes:\n" + lines(4_000, "  n%d: {op: relu, from: n%d}")), ("E315",)),
    "dotted_keys": (lambda: spec("nodes:\n" + lines(4_000, "  c.x.y.z.n%d: relu")), ()),
    "flat_scopes_and_unknown_names": (
        lambda: spec(
            "nodes:\n"
            + lines(2_000, "  - {flat: true, nodes: [relu, relu]}")
            + lines(2_000, "  - {op: relu, from: somewhere%d}")
        ),
        ("E301", "E504"),
    ),
    "paths_with_unknown_beginnings": (
        lambda: spec("nodes:\n" + lines(4_000, '  a%d: {op: relu, from: "$(z)%d"}')),
        ("E502",),
    ),
    "iterations_that_read_all_others": (
        lambda: spec("nodes: {x: {op: add, repeat: 9000, carry: 'range(1, $i + 2)'}}"),
        ("E502",),
    ),
    "flat_scopes": (lambda: spec("nodes:\n" + lines(2_000, "  - {flat: true, nodes: [relu, relu]}")), ()),
    "near_nodes": (
        lambda: spec(
            "nodes:\n"
            + lines(20_000, "  node_number_%d: relu")
            + lines(2_000, "  z%d: {op: relu, from: node_numbe_%d}")
        ),
        ("E301", "E504"),
    ),
    "near_params": (
        lambda: (
            spec("params:\n" + lines(20_000, "  param_number_%d: 1") + "nodes:\n")
            + lines(2_000, "  z%d: {op: conv, out: $parm_number_%d, kernel: 1}")
        ),
        ("E402", "E504"),
    ),
    "near_blocks": (
        lambda: (
            spec("blocks:\n" + lines(20_000, "  block_number_%d: relu") + "nodes:\n")
            + lines(2_000, "  z%d: {op: blok_number_%d}")
        ),
        ("E313", "E504"),
    ),
    "near_parameters": (
        lambda: spec("nodes:\n  a:\n    op: relu\n" + lines(100_000, "    word%d: 1")),
        ("E207", "E504"),
    ),
    "near_keys": (lambda: spec("nodes:\n  a:\n" + lines(100_000, "    oop%d: 1")), ("E109",)),
    "near_outputs": (
        lambda: (
            spec("nodes: {a: relu}\noutputs: {" + ",".join(f"output_{n}: a" for n in range(10_000)) + "}\n")
            + "training_only: ["
            + ",".join(f"outpu_{n}" for n in range(10_000))
            + "]"
        ),
        ("E314", "E504"),
    ),
    # lint
    "many_merges": (
        lambda: spec("nodes:\n" + lines(4_000, "  - {op: add, ignore: {W401: n%d}}")),
        ("E501",),
    ),
    "many_merges_ignored": (
        lambda: spec("nodes:\n" + lines(900, "  - {op: add, ignore: {W401: n%d}}") + lines(3_000, "  - add # %d")),
        ("W401",),
    ),
    "many_unused_ignores": (
        lambda: spec("nodes:\n" + lines(900, "  - {op: relu, ignore: {W401: n%d}}")),
        ("W400",),
    ),
    "many_unused_params": (lambda: spec("nodes: [relu]\nparams:\n" + lines(100_000, "  p%d: 1")), ("W320",)),
    # init rules and renames
    "stars": (
        lambda: spec(
            f"nodes: {DEEP_NODES}\ninit:\n" + lines(9, "  - {match: '*a*a*a*a*a*a*a*a*a*a*b', weight: 1} # %d")
        ),
        ("W701",),
    ),
    "double_stars": (
        lambda: spec(f"nodes: {DEEP_NODES}\ninit:\n" + lines(9, "  - {match: '" + "**a" * 10 + "b', weight: 1} # %d")),
        ("W701",),
    ),
    "many_rules": (
        lambda: spec("nodes: [{repeat: 4000, op: relu}]\ninit:\n" + lines(10_000, "  - {match: 'b.%d', weight: 1}")),
        ("E501", "E504", "W701"),
    ),
    "long_rule": (lambda: spec("nodes: [relu]\ninit:\n  - {match: '" + "*" * 1_000_000 + "', weight: 1}"), ("E501",)),
    "many_renames": (
        lambda: spec(
            "nodes: [relu]\nweights: {renames: {" + ",".join(f"k{n}: '$({n})*'" for n in range(50_000)) + "}}"
        ),
        (),
    ),
    "stars_in_renames": (lambda: spec("nodes: [relu]\nweights: {renames: {'" + "**a" * 9 + "': b}}"), ("E501",)),
}


def write(folder: Path, **files: str) -> Path:
    """Write YAML files by name; returns the path of the first, the spec."""
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)
    return folder / f"{next(iter(files))}.yaml"


def importing(*names: str) -> str:
    """A spec that imports the named files."""
    return spec(f"import: {json.dumps(names)}\nnodes: [relu]")
