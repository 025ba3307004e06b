"""E3xx: params, blocks, imported and extended files, plugins."""

from __future__ import annotations

from cnngraph.diagnostics.codes.entry import Group, code, project, spec

WITH_PLUGIN = """
cnngraph: 1
input: [3, 32, 32]
nodes: [{op: conv, out: 8, kernel: 3}, square]
"""
PLUGIN = '''
from dataclasses import dataclass
from typing import ClassVar

from cnngraph.ops.activation import Relu


@dataclass(frozen=True)
class Square(Relu):
    """x²."""

    name: ClassVar[str] = "square"

    def code(self, arguments, *inputs):
        return f"{arguments[0]} ** 2"
'''

FILES = Group(
    "Params, blocks and files",
    (
        code(
            "E303",
            "unknown param of the network",
            """
            `--set`, a keyword argument in Python, or `params` of a file that extends another sets a param that the
            network does not have.

            Check the spelling: `cnngraph show` prints the params of a network. Keys of the training recipe are set with
            `train.` in front, as in `--set train.epochs=3`.
            """,
            wrong=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                params: {classes: 10}
                nodes: [global_avg_pool, {op: linear, out: $classes}]
                """,
                "--set clases=100",
            ),
            right=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                params: {classes: 10}
                nodes: [global_avg_pool, {op: linear, out: $classes}]
                """,
                "--set classes=100",
            ),
        ),
        code(
            "E306",
            "block that contains itself",
            """
            A block uses itself, directly or by way of other blocks. Expanding it would never end.

            `repeat` runs a block several times in a row. For nesting of a fixed depth, write a block for each level.
            """,
            wrong=spec(
                """
                cnngraph: 1
                input: [16, 32, 32]
                blocks:
                  unit:
                    nodes:
                      conv: {op: conv, out: 16, kernel: 3, padding: same}
                      inner: unit
                nodes: {layer1: unit}
                """
            ),
            right=spec(
                """
                cnngraph: 1
                input: [16, 32, 32]
                blocks:
                  unit:
                    nodes:
                      conv: {op: conv, out: 16, kernel: 3, padding: same}
                      relu: relu
                nodes: {layer1: {repeat: 2, op: unit}}
                """
            ),
        ),
        code(
            "E308",
            "name of a block that is taken",
            """
            A block has the name of an op, or two imported files define blocks of the same name. Every use of the name
            would be ambiguous, and an op that means something else in one file is hard to notice.

            Rename the block. A file may replace a block of the file that it extends, also one that this file imports.
            """,
            wrong=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                blocks: {relu: [batch_norm, leaky_relu]}
                nodes: [{op: conv, out: 16, kernel: 3}, relu]
                """
            ),
            right=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                blocks: {norm_relu: [batch_norm, leaky_relu]}
                nodes: [{op: conv, out: 16, kernel: 3}, norm_relu]
                """
            ),
        ),
        code(
            "E309",
            "circular import",
            """
            A file extends or imports itself, directly or by way of other files.

            Move what both files need into a third one that imports neither.
            """,
            wrong=spec(
                """
                cnngraph: 1
                extends: base.yaml
                params: {classes: 100}
                """,
                base_yaml="""
                cnngraph: 1
                extends: network.yaml
                """,
            ),
            right=spec(
                """
                cnngraph: 1
                extends: base.yaml
                params: {classes: 100}
                """,
                base_yaml="""
                cnngraph: 1
                input: [3, 32, 32]
                params: {classes: 10}
                nodes: [global_avg_pool, {op: linear, out: $classes}]
                """,
            ),
        ),
        code(
            "E310",
            "file outside of the spec's folder",
            """
            A spec imports and extends files in its own folder and below, and those of the library. Nothing else is
            opened, so that checking an untrusted spec cannot read your other files.

            Copy the file into the folder of the spec, or move the spec up.
            """,
            wrong=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                import: [../blocks.yaml]
                nodes: [{op: conv, out: 8, kernel: 3}, unit]
                """
            ),
            right=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                import: [blocks.yaml]
                nodes: [{op: conv, out: 8, kernel: 3}, unit]
                """,
                blocks_yaml="""
                cnngraph: 1
                blocks: {unit: [batch_norm, relu]}
                """,
            ),
        ),
        code(
            "E311",
            "unknown network or imported file",
            """
            A name without `.yaml` and without a slash is a network of the library, and there is none of this name; or a
            file in `import` or `extends` exists neither in the spec's folder nor in the library.

            `cnngraph list` prints the networks. To read your own file, write its ending, `net.yaml`, or its folder,
            `./net`.
            """,
            wrong=project("cnngraph check resnet19"),
            right=project("cnngraph check resnet18"),
        ),
        code(
            "E313",
            "unknown op or block",
            """
            There is no op and no block of this name. Blocks of other files have to be imported, and ops of a plugin
            need `--plugin`.

            `docs/ops.md` lists all ops. Their names follow PyTorch's modules in lower case: `batch_norm` is
            `BatchNorm2d` on maps and `BatchNorm1d` on vectors.
            """,
            wrong=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                nodes: [{op: conv, out: 16, kernel: 3}, batchnorm, relu]
                """
            ),
            right=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                nodes: [{op: conv, out: 16, kernel: 3}, batch_norm, relu]
                """
            ),
        ),
        code(
            "E314",
            "invalid training_only",
            """
            `training_only` lists outputs that are computed in training mode alone, such as the auxiliary classifiers of
            GoogLeNet (Szegedy et al. 2014). It names something that is no output, or names every output, so that
            nothing would be left to evaluate.

            List names from `outputs`, and leave at least one of them out.
            """,
            wrong=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                nodes:
                  stem: {op: conv, out: 16, kernel: 3, stride: 2}
                  aux: [global_avg_pool, {op: linear, out: 10}]
                  body: {op: conv, from: stem, out: 32, kernel: 3, stride: 2}
                  head: [global_avg_pool, {op: linear, out: 10}]
                outputs: {logits: head, aux_logits: aux}
                training_only: [aux]
                """
            ),
            right=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                nodes:
                  stem: {op: conv, out: 16, kernel: 3, stride: 2}
                  aux: [global_avg_pool, {op: linear, out: 10}]
                  body: {op: conv, from: stem, out: 32, kernel: 3, stride: 2}
                  head: [global_avg_pool, {op: linear, out: 10}]
                outputs: {logits: head, aux_logits: aux}
                training_only: [aux_logits]
                """
            ),
        ),
        code(
            "E317",
            "plugin that cannot be loaded",
            """
            A module named by `--plugin`, or an installed package that registers ops, cannot be imported, exports no
            op, or exports an op under a name that is taken.

            The message includes Python's reason. Python must be able to import the module: install it, add its folder
            to `PYTHONPATH`, or run `python -m cnngraph` in that folder.
            """,
            wrong=project(
                "python -m cnngraph check network.yaml --plugin myops", network_yaml=WITH_PLUGIN, my_ops_py=PLUGIN
            ),
            right=project(
                "python -m cnngraph check network.yaml --plugin my_ops", network_yaml=WITH_PLUGIN, my_ops_py=PLUGIN
            ),
        ),
        code(
            "W318",
            "definition that probably should replace one of the base",
            """
            A file with `extends` defines an unused block or param whose name is similar to one of its base. It was
            probably meant to replace that one, but does not.

            Correct the name, or remove the definition.
            """,
            wrong=spec(
                """
                cnngraph: 1
                extends: base.yaml
                params: {width: 64}
                """,
                base_yaml="""
                cnngraph: 1
                input: [3, 32, 32]
                params: {widths: 16}
                nodes: [{op: conv, out: $widths, kernel: 3}]
                """,
            ),
            right=spec(
                """
                cnngraph: 1
                extends: base.yaml
                params: {widths: 64}
                """,
                base_yaml="""
                cnngraph: 1
                input: [3, 32, 32]
                params: {widths: 16}
                nodes: [{op: conv, out: $widths, kernel: 3}]
                """,
            ),
        ),
    ),
)
