"""E3xx: names of nodes, what nodes read, and shared modules."""

from __future__ import annotations

from cnngraph.diagnostics.codes.entry import Group, code, spec

NODES = Group(
    "Nodes and what they read",
    (
        code(
            "E301",
            "unknown node",
            """
            A path in `from`, `share`, `outputs` or `else` names a node that does not exist, or one that cannot be seen
            from here. A block sees its own nodes and its inputs only, never the nodes around the place where it is
            used.

            Check the spelling. Nodes inside another node are named by their path, such as `layer1.0.conv2`. What a
            block needs from outside is one of its inputs: `inputs: [x, skip]` in its definition, and a list in `from`
            where it is used.
            """,
            wrong=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                nodes:
                  conv1: {op: conv, out: 3, kernel: 3, padding: same}
                  add: {op: add, from: [conv, in]}
                """
            ),
            right=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                nodes:
                  conv1: {op: conv, out: 3, kernel: 3, padding: same}
                  add: {op: add, from: [conv1, in]}
                """
            ),
        ),
        code(
            "E302",
            "name that a node cannot have",
            """
            Nodes become attributes of a `torch.nn.Module`, so a node cannot have the name of one of its own attributes,
            such as `train`, `forward` or `type`, nor a Python keyword. Names are letters, digits and underscores, with
            hyphens between them, and do not start with a digit.

            Choose another name; `train_` would do.
            """,
            wrong=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                nodes:
                  half: {op: conv, out: 16, kernel: 3, stride: 2}
                """
            ),
            right=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                nodes:
                  reduce: {op: conv, out: 16, kernel: 3, stride: 2}
                """
            ),
        ),
        code(
            "E304",
            "reading from an absent node",
            """
            A node whose `when` is false is absent: readers of the node itself get its first input instead, but nothing
            inside it exists, so a path into it leads nowhere. It is also reported if the network's output is absent and
            nothing takes its place.

            Read the node as a whole, give it an `else`, or give the reader the same `when`.
            """,
            wrong=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                params: {deep: false}
                nodes:
                  branch: {when: $deep, nodes: {conv: {op: conv, out: 8, kernel: 3}, act: relu}}
                  tap: {op: conv, from: branch.conv, out: 16, kernel: 3}
                """
            ),
            right=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                params: {deep: false}
                nodes:
                  branch: {when: $deep, nodes: {conv: {op: conv, out: 8, kernel: 3}, act: relu}}
                  tap: {op: conv, from: branch, out: 16, kernel: 3}
                """
            ),
        ),
        code(
            "E305",
            "two modules with the same path",
            """
            A module's path is its key in the checkpoint, such as `layer1.0.conv1.weight`, so it has to be unique. A
            clash arises from `flat`, which removes a level of names: two flat blocks with a child `conv` both claim
            it.

            Rename one of the nodes, or leave out `flat`.
            """,
            wrong=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                nodes:
                  first: {flat: true, nodes: {conv: {op: conv, out: 8, kernel: 3}}}
                  second: {flat: true, nodes: {conv: {op: conv, out: 8, kernel: 3}}}
                """
            ),
            right=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                nodes:
                  first: {flat: true, nodes: {conv: {op: conv, out: 8, kernel: 3}}}
                  second: {nodes: {conv: {op: conv, out: 8, kernel: 3}}}
                """
            ),
        ),
        code(
            "E307",
            "module that cannot be shared",
            """
            `share` runs the module of another node again, with the same weights. That is impossible if this input needs
            weights of another shape, as a convolution does for a different number of channels, or if the node has no
            module of its own: because it is flat, absent, or itself a `share`.

            Give the node its own module with `op`, share a node whose weights fit, or change the channels first. Height
            and width may differ between the uses of a convolution.
            """,
            wrong=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                nodes:
                  conv: {op: conv, out: 16, kernel: 3, padding: same}
                  again: {share: conv}
                """
            ),
            right=spec(
                """
                cnngraph: 1
                input: [16, 32, 32]
                nodes:
                  conv: {op: conv, out: 16, kernel: 3, padding: same}
                  again: {share: conv}
                """
            ),
        ),
        code(
            "E312",
            "reading from an unused node",
            """
            `unused: true` declares that a module exists for its weights alone and never runs, as some published
            checkpoints need. Such a node has no output, so nothing can read or share it, and it cannot be an output of
            the network. The node below it in the file reads it by default.

            Remove `unused`, or name another node in `from`.
            """,
            wrong=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                nodes:
                  conv: {op: conv, out: 8, kernel: 3}
                  old_head: {op: conv, out: 4, kernel: 1, unused: true}
                  relu: relu
                """
            ),
            right=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                nodes:
                  conv: {op: conv, out: 8, kernel: 3}
                  old_head: {op: conv, out: 4, kernel: 1, unused: true}
                  relu: {op: relu, from: conv}
                """
            ),
        ),
        code(
            "E315",
            "cycle",
            """
            The nodes read each other in a circle, or an expression needs the shape of a node that itself depends on
            the expression. A network is a directed acyclic graph: no order exists in which a cycle could run.

            Change one `from`. Recurrence is written with `repeat` and `share`, which unroll it over a fixed number of
            iterations.
            """,
            wrong=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                nodes:
                  conv1: {op: conv, from: conv2, out: 3, kernel: 3, padding: same}
                  conv2: {op: conv, from: conv1, out: 3, kernel: 3, padding: same}
                """
            ),
            right=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                nodes:
                  conv1: {op: conv, from: in, out: 3, kernel: 3, padding: same}
                  conv2: {op: conv, from: conv1, out: 3, kernel: 3, padding: same}
                """
            ),
        ),
        code(
            "E316",
            "node or input that is never used",
            """
            No node and no output reads this node, so its result would be computed for nothing and its weights would
            get no gradient. Nearly always a `from` names the wrong node: a projection shortcut that the `add` does not
            read is the classic case. An input of the network that nothing reads is reported too.

            Read it, make it an output, or remove it. `unused: true` keeps a module that only a checkpoint needs.
            """,
            wrong=spec(
                """
                cnngraph: 1
                input: [16, 32, 32]
                nodes:
                  conv: {op: conv, out: 16, kernel: 3, padding: same}
                  shortcut: {op: conv, from: in, out: 16, kernel: 1}
                  add: {op: add, from: [conv, in]}
                """
            ),
            right=spec(
                """
                cnngraph: 1
                input: [16, 32, 32]
                nodes:
                  conv: {op: conv, out: 16, kernel: 3, padding: same}
                  shortcut: {op: conv, from: in, out: 16, kernel: 1}
                  add: {op: add, from: [conv, shortcut]}
                """
            ),
        ),
        code(
            "E319",
            "ambiguous path",
            """
            A number in a path is either the name of a node, as in `layer1.0`, or an index into a list of tensors. Where
            both exist and differ, the path could mean either: an absent node has a name, and no place in the list.

            Give the nodes names instead of numbers, or give the list a name of its own with `identity`. In an
            expression, `$paths[1]` is always the tensor.
            """,
            wrong=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                blocks:
                  maybe: {params: {n: }, when: $n > 0, nodes: [{op: conv, out: 3, kernel: 1}]}
                nodes:
                  paths: {op: maybe, repeat: 3, n: $i, from: in, carry: none}
                  second: {op: relu, from: paths.1}
                  sum: {op: add, from: [paths, second]}
                """
            ),
            right=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                blocks:
                  maybe: {params: {n: }, when: $n > 0, nodes: [{op: conv, out: 3, kernel: 1}]}
                nodes:
                  paths: {op: maybe, repeat: 3, n: $i, name: path1, from: in, carry: none}
                  second: {op: relu, from: paths.path2}
                  sum: {op: add, from: [paths, second]}
                """
            ),
        ),
        code(
            "E321",
            "input that is not named",
            """
            The first node of a network or block reads its input if it has no `from`. With several inputs it is not
            clear which one is meant.

            Add `from` to the node.
            """,
            wrong=spec(
                """
                cnngraph: 1
                input: {image: [3, 32, 32], mask: [1, 32, 32]}
                nodes:
                  conv: {op: conv, out: 15, kernel: 3, padding: same}
                  concat: {op: concat, from: [conv, image, mask]}
                """
            ),
            right=spec(
                """
                cnngraph: 1
                input: {image: [3, 32, 32], mask: [1, 32, 32]}
                nodes:
                  conv: {op: conv, from: image, out: 15, kernel: 3, padding: same}
                  concat: {op: concat, from: [conv, image, mask]}
                """
            ),
        ),
        code(
            "E322",
            "list of tensors as an output",
            """
            An output of the network is one tensor, and this node gives several: `chunk`, `split` and repeats with
            `carry: none` produce lists.

            Output a single one by its number, such as `halves.0`, give each a name of its own under `outputs`, or join
            them with `concat` or `add`.
            """,
            wrong=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                nodes:
                  conv: {op: conv, out: 16, kernel: 3}
                  halves: {op: chunk, chunks: 2}
                """
            ),
            right=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                nodes:
                  conv: {op: conv, out: 16, kernel: 3}
                  halves: {op: chunk, chunks: 2}
                outputs: {left: halves.0, right: halves.1}
                """
            ),
        ),
        code(
            "E324",
            "rule of `change` that cannot be applied",
            """
            A rule matches no node of the network, or inserts nodes before one that has several inputs. A rule without
            effect would leave the network as it was, unnoticed.

            `match` is the name of an op or block, or a path as `cnngraph show` prints it; `*` matches any text without
            a dot, and `**` any text. A rule sees the nodes that the rules above it have inserted.
            """,
            wrong=spec(
                """
                cnngraph: 1
                extends: resnet18
                change: [{match: "layers*.*.conv2", bias: true}]
                """
            ),
            right=spec(
                """
                cnngraph: 1
                extends: resnet18
                change: [{match: "layer*.*.conv2", bias: true}]
                """
            ),
        ),
    ),
)
