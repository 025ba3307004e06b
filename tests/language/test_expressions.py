"""Expressions: their values, and the errors of wrong ones with their place."""

from __future__ import annotations

import pickle

import pytest

from cnngraph.language.expressions.evaluate import (
    ExpressionError,
    Reference,
    evaluate,
    parse_expression,
    substitute,
)
from tests.language.expression_names import lookup, run, same


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$x", 3),
        ("  $x\n", 3),
        ("4 * $x", 12),
        ("$x + 1 - 2", 2),
        ("2 + 3 * 4", 14),
        ("(2 + 3) * 4", 20),
        ("7 / 2", 3.5),
        ("7 // 2", 3),
        ("-7 // 2", -4),
        ("7 // 2.0", 3.0),
        ("-7 % 3", 2),
        ("2 ** 3 ** 2", 512),
        ("-2 ** 2", -4),
        ("2 ** -1", 0.5),
        ("- -$x", 3),
        ("1e-3 + .5 + 1.", 1.501),
        ("$in.channels // 2", 32),
        ("$in.height * $in.width", 56 * 28),
        ("$in.features", 64 * 56 * 28),
        ("($in).channels", 64),
        ("$vector.channels", 512),
        ("$vector.features", 512),
        ("$halves.1.width", 4),
        ("$halves[0].channels", 32),
        ("len($halves)", 2),
        ("len($in)", 1),
        ("$in.0.channels + $in[-1].height", 120),
        ("$block.conv.channels + $block.conv.width", 10),
        ("$widths.0", 64),
        ("$widths[-1]", 256),
        ("$widths[$x - 1]", 256),
        ("$widths[1:]", [128, 256]),
        ("$widths[:-1]", [64, 128]),
        ("$widths[::2]", [64, 256]),
        ("$widths[:]", [64, 128, 256]),
        ("$widths[5:]", []),
        ("[1, $x, [2]]", [1, 3, [2]]),
        ("[1, 2,]", [1, 2]),
        ("[]", []),
        ("$item.width", 3),
        ("$item['kernel']", 5),
        ("$rows.1.out", 24),
        ("$rows[0].out", 16),
        ("2 * $widths", [128, 256, 512]),
        ("$widths / 64", [1.0, 2.0, 4.0]),
        ("1 - [1, [2, 3]]", [0, [-1, -2]]),
        ("-$widths", [-64, -128, -256]),
        ("$widths + [1]", [64, 128, 256, 1]),
        ("'a' + \"b\"", "ab"),
        ("""'say "no"' + "it's" """, 'say "no"it\'s'),
        ("ceil(1.1 * [1, 2, 3])", [2, 3, 4]),
        ("[floor(2.7), ceil(2.1), int(-2.7), round(2.5), round(3.5), abs(-2)]", [2, 3, -2, 2, 4, 2]),
        ("floor([2.7, [3.2]])", [2, [3]]),
        ("min(3, 1, 2) + max($widths)", 257),
        ("sum($widths[:2]) + sum([])", 192),
        ("range(3) + range(2, 8, 3)", [0, 1, 2, 2, 5]),
        ("len($widths) + len('ab') + len($item)", 7),
        ("make_divisible(32 * 1.4)", 48),
        ("make_divisible([10, 11, 12, 3])", [16, 16, 16, 8]),
        ("make_divisible(33, 16)", 32),
        ("ceil_divisible([8, 9, 0.5, 0, -9])", [8, 16, 8, 0, -8]),
        ("ceil_divisible(33, 32)", 64),
        ("log2([8, 0.5, 1])", [3.0, -1.0, 0.0]),
        ("int(abs((log2(512) + 1) / 2))", 5),
        ("fill(2, 3) + fill([1], 2) + fill('x', 0)", [2, 2, 2, [1], [1]]),
        ("[10 * $a + $b for $a in range(3) for $b in range($a)]", [10, 20, 21]),
        ("[[$row - $x for $x in [1, 2]] for $row in $widths[:2]]", [[63, 62], [127, 126]]),
        ("[$x for $x in [$x, $x + 1]] + [$x]", [3, 4, 3]),
        ("[$r.out + $r['out'] for $r in $rows]", [32, 48]),
        ("[1 if $a else 0 for $a in [true, false]]", [1, 0]),
        ("[$w[0] for $w in [$widths] if $off or $flag][0]", 64),
        ("[1 / 0 for $a in []]", []),
        ("sum([$n.height for $n in [[1]] if $off])", 0),
        ("1 if $flag else 1 / 0", 1),
        ("1 if $off else 2 if $off else 3", 3),
        ("$off and 1 / 0", False),
        ("$flag or 1 / 0", True),
        ("not $off and $flag", True),
        ("not not $flag", True),
        ("$nothing or $flag", True),
        ("$stride != 1 or $in.channels != $out", False),
        ("0 < $x <= 3 == 3.0", True),
        ("1 < 3 < 2", False),
        ("$act == 'relu'", True),
        ("$act != 'relu'", False),
        ("$nothing == null", True),
        ("[2 * $n for $n in $widths]", [128, 256, 512]),
        ("[$n for $n in [1, 2, 3, 4] if ($x + 1) % $n == 0 and $n != 2]", [1, 4]),
        ("[$n for $n in [] if $missing]", []),
        ("[$x for $x in $widths] + [$x]", [64, 128, 256, 3]),
        ("[$n if $n > 64 else 0 for $n in $widths if $n < 256][1:]", [128]),
        ("[[$n] for $n in [$k + 1 for $k in range(2)]]", [[1], [2]]),
        ("max([$row.0 for $row in [[1, 2], [3]]])", 3),
        ("$act == None", False),
        ("$widths == [64, 128, 256]", True),
        ("[1] == [true]", False),
        ("$flag == True and $off == False", True),
        ("$endless", float("inf")),
    ],
)
def test_value(text: str, expected: object) -> None:
    assert same(run(text), expected)


# « and » mark the place of the error.
@pytest.mark.parametrize(
    ("marked", "code", "message", "help"),
    [
        # syntax errors
        ("«»", "E401", "the expression is empty", None),
        ("1 «+»", "E401", "incomplete: expected a value", None),
        ("1 + «*» 2", "E401", "expected a value, found `*`", None),
        ("«(»1 + 2", "E401", "`(` is never closed", "add the missing `)`"),
        ("[1, 2«)»", "E401", "expected `]`, found `)`", None),
        ("«'abc»", "E401", "no closing '", "close it with '"),
        ("$x «$out»", "E401", "an operator is missing before `$out`", "write `*` to multiply"),
        ("«2x»", "E401", "`2x` is neither a number nor a name", "write `*` to multiply"),
        ("«1_000»", "E401", "`1_000`", "write `1000`"),
        ("$x «&&» $flag", "E401", "found `&&`", "write `and`"),
        ("$x «||» $flag", "E401", "found `||`", "write `or`"),
        ("«!»$flag", "E401", "found `!`", "write `not`"),
        ("$x «=» 3", "E401", "found `=`", "write `==` to compare"),
        ("$x «===» 3", "E401", "found `===`", "write `==`"),
        ("$x «^» 2", "E401", "found `^`", "write `**` for a power"),
        ("$flag «?» 1 : 2", "E401", "found `?`", "write `a if condition else b`"),
        ("$x «in» $widths", "E401", "found `in`", "write `$x == 'a' or $x == 'b'`"),
        ("$x «≥» 3", "E401", "unexpected `≥`", "write `>=`"),
        ("$x «;» 3", "E401", "unexpected `;`", None),
        ("«+»3", "E401", "found `+`", "remove the `+`"),
        ("1 + «not» $flag", "E401", "found `not`", "put it in parentheses: `(not …)`"),
        ("«1 if $flag»", "E401", "`if` without `else`", "write `a if condition else b`"),
        ("«relu» if $flag else silu", "E401", "`relu` is neither", "did you mean `$relu` or `'relu'`?"),
        ("$act == «original»", "E401", "`original` is neither", "did you mean `$original` or `'original'`?"),
        ("«max»", "E401", "`max` is a function", "write `max(…)`"),
        ("«min()»", "E401", "`min` takes one list or several numbers, got 0", None),
        ("«abs(1, 2)»", "E401", "`abs` takes 1 argument, got 2", None),
        ("make_divisible(3, «divisor»=8)", "E401", "no keyword arguments", "by position"),
        ("«${»x}", "E401", "not allowed", "write `$name`"),
        ("1 + «$»", "E401", "`$` must be followed by a name", "write `$name`"),
        ("$in«.»", "E401", "must follow a name without a space", "write `$name.channels`"),
        ("«{»a: 1}", "E401", "cannot contain a mapping", "make the mapping a param"),
        ("[«for» $n in $widths]", "E401", "expected a value, found `for`", "`[$x + 1 for $x in $list]`"),
        ("[$n for «n» in $widths]", "E401", "expected a name, found `n`", "write `for $n in`"),
        ("[«k» for $k in $widths]", "E401", "`k` is neither", "did you mean `$k` or `'k'`?"),
        ("[$n for «$n.x» in $widths]", "E401", "expected a name", None),
        ("[$n for $n «$widths»]", "E401", "expected `in`", None),
        ("[$x for «$i» in $widths]", "E401", "`$i` already has a meaning", "choose another name"),
        ("[1, $n «for» $n in $widths]", "E401", "found `for`", "one element and one `for`"),
        ("[$n for $n in $widths if $n > 1 «else» 2]", "E401", "found `else`", None),
        ("max($n «for» $n in $widths)", "E401", "found `for`", "in brackets"),
        ("«[»$n for $n in $widths", "E401", "never closed", "add the missing `]`"),
        ("$widths«[]»", "E401", "`[]` has no index", "write `[0]` for the first"),
        ("$widths[1:2:3«:»4]", "E401", "expected `]`, found `:`", None),
        ("[$a for $a «=» $widths]", "E401", "expected `in`, found `=`", "write `==` to compare"),
        # unknown functions
        ("1 + «ciel»(3)", "E402", "there is no function `ciel`", "did you mean `ceil`?"),
        ("«__import__»('os')", "E402", "there is no function `__import__`", "the functions are `min`, `max`"),
        # type errors
        ("«$in»", "E403", "`$in` is a tensor of 64×56×28, not a number", "write `$in.channels`"),
        ("2 * «$in»", "E403", "`$in` is a tensor of 64×56×28, not a number", "write `$in.channels`"),
        ("[1, «$in»]", "E403", "`$in` is a tensor", "write `$in.channels`"),
        ("max(«$in», 3)", "E403", "`$in` is a tensor", "write `$in.channels`"),
        ("«$in» == $out", "E403", "`$in` is a tensor", "write `$in.channels`"),
        ("«$halves»", "E403", "`$halves` is a list of 2 tensors", "write `$halves[0].channels`"),
        (
            "«$halves.channels»",
            "E403",
            "`$halves` is a list of 2 tensors, so it has no `channels`",
            "`$halves[0].channels`",
        ),
        ("2 * «$vector.height»", "E403", "`$vector` has no `height`: it is a vector of 512", "`$vector.features`"),
        ("«$in.chanels»", "E403", "`$in` is a tensor of 64×56×28 and has no `chanels`", "did you mean `channels`?"),
        ("«$x.channels»", "E403", "`$x` is `3`, not a tensor, so it has no `channels`", None),
        ("«$x[0]» + 1", "E403", "`$x` is `3`, a number, so it cannot be indexed", None),
        ("«$widths.width».x", "E403", "`$widths` is `[64, 128, 256]`", "`[0]` is the first"),
        ("«$widths[0.5 * 2]»", "E403", "an integer, got `1.0`", "use `//`"),
        ("«$widths[:$half]»", "E403", "integers, got `0.5`", "use `//`"),
        ("[$n for $n in «$x»]", "E403", "`for` needs a list, got `3`", "write `range($x)`"),
        ("[$n for $n in «$in»]", "E403", "`$in` is a tensor", "write `$in.channels`"),
        ("[«$in» for $n in $widths]", "E403", "`$in` is a tensor", "write `$in.channels`"),
        ("[$n for $n in $widths if «$n»]", "E403", "`$n` is `64`, not true or false", "compare it: `$n != 0`"),
        ("«log2(0)»", "E404", "`log2` needs a number above 0, got `0`", None),
        ("«fill(1, $half)»", "E403", "an integer of at least 0, got `0.5`", "use `//`"),
        ("«fill(1, -1)»", "E403", "an integer of at least 0, got `-1`", None),
        ("fill(«$in», 2)", "E403", "`$in` is a tensor of 64×56×28", "write `$in.channels`"),
        ("«ceil_divisible(3, 0)»", "E403", "an integer of at least 1, got `0`", None),
        ("«range($half)»", "E403", "integers, got `0.5`", "use `//`"),
        ("[$a for $a in «$halves»]", "E403", "`$halves` is a list of 2 tensors", "write `$halves[0].channels`"),
        ("1 + («'same' * 2»)", "E403", "`'same'` is a string, not a number", None),
        ("«'3' * 2»", "E403", "`'3'` is a string", "write `3` without quotes"),
        ("«2 * $flag» * 3", "E403", "`true` is a boolean, not a number", "write `1 if … else 0` to get a number"),
        ("-«$huge»", "E503", "`$huge` is too large", None),
        ("«$widths * [1, 2, 3]»", "E403", "both are lists", "`+` joins two lists"),
        ("«$x == 'x'»", "E403", "cannot compare a number with a string: `3` and `'x'`", None),
        ("«$x == '3'»", "E403", "cannot compare a number with a string", "write `3` without quotes"),
        ("«$act < 'z'»", "E403", "`<` compares numbers", None),
        ("not «$x»", "E403", "`$x` is `3`, not true or false", "compare it: `$x != 0`"),
        ("1 if «$act» else 2", "E403", "`$act` is `'relu'`, not true or false", "compare it: `$act == 'relu'`"),
        ("$off or «$widths»", "E403", "not true or false", "compare it: `len($widths) > 0`"),
        ("«sum($x)»", "E403", "`sum` needs a list, got `3`", None),
        ("«max($x)»", "E403", "`max` with one argument needs a list, got `3`", "`max(…, …)`"),
        # invalid values
        ("$x + «1 / $zero»", "E404", "division by zero: `1 / 0`", None),
        ("«5 % 0»", "E404", "division by zero", None),
        ("«(-8) ** $half»", "E404", "cannot be raised to a fractional power", None),
        ("1 + «$widths[3]»", "E404", "`$widths` has 3 elements, `[3]` is the fourth", "from 0 to 2"),
        ("«$widths.3»", "E404", "`$widths` has 3 elements, `.3` is the fourth", "from 0 to 2"),
        ("«$widths[-4]»", "E404", "`[-4]` is the fourth from the end", None),
        ("«$empty[-1]»", "E404", "`$empty` is empty, `[-1]` is the last", None),
        ("«$item.widht»", "E404", "`$item` has no key `widht`: it is `{width, kernel}`", "did you mean `width`?"),
        ("«$widths[::$zero]»", "E404", "must not be 0", None),
        ("«min([])»", "E404", "`min` of an empty list", None),
        # limits
        ("«9**9**9»", "E503", "`9 ** 387420489` is too large", None),
        ("«1e308 * 10»", "E503", "infinite or NaN", None),
        ("«$endless - 1»", "E503", "infinite or NaN", None),
        ("«99999999999999999999»", "E503", "too large", None),
        ("«range(10**9)»", "E503", "1,000,000,000 elements, the maximum is 10,000", None),
        ("«range(10000) + [1]»", "E503", "the maximum is 10,000 elements in total", None),
    ],
)
def test_error(marked: str, code: str, message: str, help: str | None) -> None:
    start, end = marked.index("«"), marked.index("»") - 1
    with pytest.raises(ExpressionError) as caught:
        run(marked.replace("«", "").replace("»", ""))
    error = caught.value
    assert (error.code, error.start, error.end) == (code, start, end)
    assert message in error.message
    assert (help in error.help) if help and error.help else (error.help or None) == help


def test_references_are_in_text_order() -> None:
    text = "$widths[$i] if $layer1.0.conv.channels > 2 else '$no'"
    first, second, third = parse_expression(text).references
    assert (first.name, text[first.start : first.end], first.trail) == ("widths", "$widths", ())
    assert second == Reference("i", 8, 10)
    assert (third.name, third.trail) == ("layer1", ("0", "conv", "channels"))
    assert str(third) == text[third.start : third.end] == "$layer1.0.conv.channels"


def test_the_names_of_a_comprehension_are_no_references() -> None:
    parsed = parse_expression("[$a * $x + $b for $a in $widths for $b in [$a] if $a != $out] + [$a]")
    assert [reference.name for reference in parsed.references] == ["x", "widths", "out", "a"]
    assert [reference.name for reference in parsed.certain_references] == ["widths", "a"]


def test_bare_reference() -> None:
    assert parse_expression(" $unit ").bare_reference == Reference("unit", 1, 6)
    assert parse_expression("$item.op").bare_reference == Reference("item", 0, 8, ("op",))
    assert parse_expression("$x + 1").bare_reference is None
    assert parse_expression("'text'").bare_reference is None


def test_an_exception_of_the_lookup_propagates() -> None:
    def unknown(reference: Reference) -> tuple[object, int]:
        raise LookupError(reference.name)

    with pytest.raises(LookupError, match="nobody"):
        evaluate(parse_expression("max(1, -$nobody[0])"), unknown)


def test_only_the_chosen_branch_is_looked_up() -> None:
    looked_up: list[str] = []

    def watch(reference: Reference) -> tuple[object, int]:
        looked_up.append(reference.name)
        return lookup(reference)

    assert evaluate(parse_expression("$x if $flag or $off else $gone"), watch) == 3
    assert looked_up == ["flag", "x"]


def test_expressions_compare_by_value_and_can_be_pickled() -> None:
    parsed = parse_expression("$x + 1")
    assert parsed == parse_expression("$x + 1") != parse_expression("$x+1")
    again = pickle.loads(pickle.dumps(parsed))
    assert again == parsed
    assert hash(again) == hash(parsed)
    assert evaluate(again, lookup) == 4


def test_errors_can_be_pickled() -> None:
    with pytest.raises(ExpressionError) as caught:
        run("1 / 0")
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.start, again.end, again.code) == ("division by zero: `1 / 0`", 0, 5, "E404")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("conv1", "conv1"),
        ("branches.$i", "branches.3"),
        ("branches.$i.conv", "branches.3.conv"),
        ("stage${$i + 1}", "stage4"),
        ("${$act}_${$widths.0}", "relu_64"),
        ("${'a' if $flag else '}'}", "a"),
        ("layer*.$i", "layer*.3"),
    ],
)
def test_substitute(text: str, expected: str) -> None:
    assert substitute(text, lookup) == expected


@pytest.mark.parametrize(
    ("marked", "code", "help"),
    [
        ("a.«$»", "E401", "write `${…}`"),
        ("a«$»{$i", "E401", "write `${…}`"),
        ("«a.$i + 1»", "E401", "wrap it in `${…}`"),
        ("a${$i +«+» 1}", "E401", "remove the `+`"),
        ("a${«i»}", "E401", "did you mean `$i` or `'i'`?"),
        ("a${«$half»}", "E403", "use `//`, `int(…)` or `round(…)` to get an integer"),
        ("a${«$flag»}", "E403", None),
        ("a.«$widths»", "E403", None),
        ("a.${1 + «$in»}", "E403", "write `$in.channels` (or `.height`, `.width`, `.features`)"),
    ],
)
def test_errors_of_substitute(marked: str, code: str, help: str | None) -> None:
    with pytest.raises(ExpressionError) as caught:
        substitute(marked.replace("«", "").replace("»", ""), lookup)
    error = caught.value
    assert (error.code, error.start, error.end, error.help) == (code, marked.index("«"), marked.index("»") - 1, help)
