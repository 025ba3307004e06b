"""E1xx: reading files, and the structure of a spec."""

from __future__ import annotations

from cnngraph.diagnostics.codes.entry import Group, code, project, spec

READING = Group(
    "Reading files",
    (
        code(
            "E101",
            "unreadable file",
            """
            The file does not exist, may not be opened, or is not UTF-8 text. Paths are relative to the folder that
            the command runs in; paths inside a spec or an experiment are relative to that file.

            Correct the path, or save the file as UTF-8. A name without `.yaml` and without a slash is looked up among
            the bundled networks instead: `cnngraph list` prints them.
            """,
            wrong=project("cnngraph check netwrok.yaml", network_yaml="{cnngraph: 1, input: [3, 8, 8], nodes: [relu]}"),
            right=project("cnngraph check network.yaml", network_yaml="{cnngraph: 1, input: [3, 8, 8], nodes: [relu]}"),
        ),
        code(
            "E102",
            "invalid YAML",
            """
            The text is not YAML, or it is YAML that a spec has no use for, such as a second document or a mapping as
            a key. Nothing else can be checked before the file can be read, so this is usually the only error.

            The usual causes are a colon or comma without a space after it, entries of one mapping that do not line
            up, tabs, and an unclosed bracket. Expressions that contain `[`, `{`, `: ` or ` #` must be quoted.
            """,
            wrong=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                nodes:
                  conv: {op: conv, out: 16 kernel: 3}
                  relu: relu
                """
            ),
            right=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                nodes:
                  conv: {op: conv, out: 16, kernel: 3}
                  relu: relu
                """
            ),
        ),
        code(
            "E103",
            "duplicate key",
            """
            A mapping has the same key twice. YAML parsers usually keep the last of the two and say nothing, so half
            of what you wrote would be lost; cnngraph reports it instead.

            Rename one of the two, or remove it. Layers that need no name can be written as a list.
            """,
            wrong=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                nodes:
                  conv: {op: conv, out: 16, kernel: 3}
                  conv: {op: conv, out: 32, kernel: 3}
                """
            ),
            right=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                nodes:
                  conv1: {op: conv, out: 16, kernel: 3}
                  conv2: {op: conv, out: 32, kernel: 3}
                """
            ),
        ),
        code(
            "E104",
            "anchor, alias, merge key or tag",
            """
            YAML's `&anchor`, `*alias`, `<<:` and `!tag` are not part of the language. An alias repeats text; a network
            repeats structure, and needs new weights and new names for every copy. Aliases of aliases are also how a
            few lines of YAML grow to gigabytes.

            Define a block and use it several times, give shared values a name under `params`, or use `repeat`.
            """,
            wrong=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                nodes:
                  conv1: &wide {op: conv, out: 64, kernel: 3, padding: same}
                  conv2: *wide
                """
            ),
            right=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                blocks:
                  wide: {op: conv, out: 64, kernel: 3, padding: same}
                nodes:
                  conv1: wide
                  conv2: wide
                """
            ),
        ),
        code(
            "E105",
            "value cut off at a comma",
            """
            Inside `{…}` and `[…]` a comma ends the value, so YAML reads a call such as `min($a, 4)` as two entries.
            The same happens to a decimal comma, as in `0,5`.

            Put quotes around the expression; write decimal numbers with a point. On a line of its own, outside of
            braces, an expression with commas needs no quotes.
            """,
            wrong=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                params: {width: 16}
                nodes:
                  conv: {op: conv, out: min($width, 8), kernel: 3}
                """
            ),
            right=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                params: {width: 16}
                nodes:
                  conv: {op: conv, out: "min($width, 8)", kernel: 3}
                """
            ),
        ),
        code(
            "E106",
            "not a spec",
            """
            A spec is a mapping with `cnngraph: 1` in it, the version of the language. The version is what lets a later
            release read your file as it was meant, so it must not be left out.

            It is also reported if a recipe or an experiment is passed instead of a spec. A recipe is used by `cnngraph
            train SPEC --recipe FILE`, an experiment is run by `cnngraph experiment FILE`.
            """,
            wrong=spec(
                """
                input: [3, 32, 32]
                nodes: [{op: conv, out: 16, kernel: 3}, relu]
                """
            ),
            right=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                nodes: [{op: conv, out: 16, kernel: 3}, relu]
                """
            ),
        ),
        code(
            "E107",
            "missing or misplaced section",
            """
            A network needs `input` and `nodes`; without an input no shape can be inferred. The input is
            `[channels, height, width]` or `[features]`, for one image: the batch is not part of it.

            A file with `extends` takes its nodes from the file that it extends; those of its own are added to them by
            name. A file with `blocks` alone is a library of blocks, which other specs import, not a network. A block
            has its inputs wired where it is used, so `from` is not written in its definition. A rule of `change` needs
            `match`, and something to change.
            """,
            wrong=spec(
                """
                cnngraph: 1
                input: [32, 32]
                nodes: [{op: conv, out: 16, kernel: 3}, relu]
                """
            ),
            right=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                nodes: [{op: conv, out: 16, kernel: 3}, relu]
                """
            ),
        ),
        code(
            "E108",
            "reserved or invalid name",
            """
            Params, blocks, inputs and outputs have names of letters, digits and underscores that do not start with a
            digit. A param cannot have the name of a key of a node, such as `repeat` or `from`: where the block is used,
            the two could not be told apart. `in`, `i` and `item` are taken too, as the language defines them itself.

            Choose another name.
            """,
            wrong=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                params: {repeat: 3}
                nodes: {convs: {repeat: $repeat, op: conv, out: 16, kernel: 3}}
                """
            ),
            right=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                params: {depth: 3}
                nodes: {convs: {repeat: $depth, op: conv, out: 16, kernel: 3}}
                """
            ),
        ),
        code(
            "E109",
            "invalid value for a key of the language",
            """
            A key that the language itself defines, such as `nodes`, `share`, `carry` or `unused`, has a value of the
            wrong kind, or appears without the key that it belongs to: `else` needs `when`, and a node has exactly one
            of `op`, `nodes` and `share`.

            The message says what is allowed. Parameters of ops are reported as E205 instead.
            """,
            wrong=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                nodes:
                  conv: {op: conv, out: 16, kernel: 3}
                  act: {op: relu, nodes: [sigmoid]}
                """
            ),
            right=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                nodes:
                  conv: {op: conv, out: 16, kernel: 3}
                  act: {nodes: [relu, sigmoid]}
                """
            ),
        ),
        code(
            "E110",
            "unknown key",
            """
            A file, a node, a block or a section has a key that the language does not define there. Ignoring it would
            hide a typing error, so it is always an error.

            Correct the spelling, or move the key to where it belongs: params of the network go under `params`, the
            training recipe under `train`. Unknown parameters of an op are E207, unknown keys of a recipe E602.
            """,
            wrong=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                layers: [{op: conv, out: 16, kernel: 3}, relu]
                """
            ),
            right=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                nodes: [{op: conv, out: 16, kernel: 3}, relu]
                """
            ),
        ),
    ),
)
