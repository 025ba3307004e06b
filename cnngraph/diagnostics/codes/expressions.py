"""E4xx: expressions; E5xx: bounds on the size of everything."""

from __future__ import annotations

from cnngraph.diagnostics.codes.entry import Group, code, spec

EXPRESSIONS = Group(
    "Expressions",
    (
        code(
            "E401",
            "invalid expression",
            """
            The text of an expression cannot be parsed: an operator or bracket is missing, or a word is neither a number
            nor a quoted string. Names of params and nodes are written with a `$`.

            The language has arithmetic, comparisons, `and`, `or`, `not`, `a if c else b`, lists and a dozen functions,
            all with Python's meaning and precedence, and nothing else: no attributes, no method calls.
            """,
            wrong=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                params: {width: 16}
                nodes: [{op: conv, out: $width * 2 +, kernel: 3}]
                """
            ),
            right=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                params: {width: 16}
                nodes: [{op: conv, out: $width * 2, kernel: 3}]
                """
            ),
        ),
        code(
            "E402",
            "unknown name or function in an expression",
            """
            An expression uses a name that is not defined at this place, or a function that does not exist. A block sees
            its own params and those of its own file; `$i` and `$item` exist inside a `repeat`; `$from` is what the node
            reads, `$in` the input of the block or network.

            Check the spelling, or pass the value to the block as a param: `{op: stage, index: $i}`.
            """,
            wrong=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                params: {width: 16}
                nodes: [{op: conv, out: $widht, kernel: 3}, {op: conv, out: 2 * $width, kernel: 3}]
                """
            ),
            right=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                params: {width: 16}
                nodes: [{op: conv, out: $width, kernel: 3}, {op: conv, out: 2 * $width, kernel: 3}]
                """
            ),
        ),
        code(
            "E403",
            "wrong type in an expression",
            """
            An operator or function gets a value that it is not defined for: a string or boolean in arithmetic, a tensor
            as a number, a number as a condition. Types are never converted silently, since `1 + true` or `$norm ==
            'batch'` with a number on the left is nearly always an error.

            Use a size of the tensor: `$in.channels`, `.height`, `.width` or `.features`. A number becomes a condition
            by a comparison, `$x != 0`; a boolean becomes a number by `1 if $flag else 0`.
            """,
            wrong=spec(
                """
                cnngraph: 1
                input: [16, 32, 32]
                nodes: [{op: conv, out: 2 * $in, kernel: 3}]
                """
            ),
            right=spec(
                """
                cnngraph: 1
                input: [16, 32, 32]
                nodes: [{op: conv, out: 2 * $in.channels, kernel: 3}]
                """
            ),
        ),
        code(
            "E404",
            "undefined result of an expression",
            """
            The types fit, but there is no result: a division by zero, an index past the end of a list, a key that a
            mapping lacks, the maximum of an empty list.

            Indices count from 0, so the last of three elements is `[2]`, or `[-1]`. In a `repeat`, `$i` goes from 0 to
            one less than the number of iterations.
            """,
            wrong=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                params: {widths: [16, 32]}
                nodes: {convs: {repeat: 3, op: conv, out: "$widths[$i]", kernel: 3}}
                """
            ),
            right=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                params: {widths: [16, 32, 64]}
                nodes: {convs: {repeat: len($widths), op: conv, out: "$widths[$i]", kernel: 3}}
                """
            ),
        ),
    ),
)

BOUNDS = Group(
    "Limits",
    (
        code(
            "E501",
            "file or drawing over a limit",
            """
            A file is too long or too deeply nested, has too many values or a number with too many digits, or a drawing
            would have more elements than anything can display. The limits, listed in the language's reference, are far
            above what a network needs; they keep an untrusted spec from using up memory.

            Write repeated structure with blocks and `repeat`. Draw a large network with a smaller `--depth`.
            """,
            wrong=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                params: {width: 16000000000000000000}
                nodes: [{op: conv, out: $width, kernel: 3}]
                """
            ),
            right=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                params: {width: 16}
                nodes: [{op: conv, out: $width, kernel: 3}]
                """
            ),
        ),
        code(
            "E502",
            "network over a limit",
            """
            The network would have more than 50,000 operations, or a tensor with too many elements to compute. Usually a
            param has an unintended value; nested repeats multiply.

            `--max-nodes` raises the limit on operations.
            """,
            wrong=spec(
                """
                cnngraph: 1
                input: [16, 32, 32]
                nodes: {convs: {repeat: 1000000, op: conv, out: 16, kernel: 3, padding: same}}
                """
            ),
            right=spec(
                """
                cnngraph: 1
                input: [16, 32, 32]
                nodes: {convs: {repeat: 10, op: conv, out: 16, kernel: 3, padding: same}}
                """
            ),
        ),
        code(
            "E503",
            "expression, value or nesting over a limit",
            """
            An expression is longer or more deeply nested than any that a person would write, a number is larger than
            2**53, up to which a float counts exactly, a list has more than 10,000 elements, or blocks are nested more
            than 50 deep.

            Give the parts of a long expression names under `params`. Check powers: a width such as `16 ** $i` grows
            faster than it looks.
            """,
            wrong=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                nodes: [{op: conv, out: $in.channels ** 64, kernel: 3}]
                """
            ),
            right=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                nodes: [{op: conv, out: $in.channels ** 3, kernel: 3}]
                """
            ),
        ),
        code(
            "E504",
            "more than 100 errors",
            """
            The file has more than 100 errors, of which the first are printed. So many usually have a common cause, such
            as a file of another kind, or a block whose name has changed.

            Fix the first ones and check again.
            """,
            without_example="It comes with a hundred other errors.",
            test="tests/experiment/test_plan.py::test_the_number_of_errors_is_limited_to_100",
        ),
    ),
)
