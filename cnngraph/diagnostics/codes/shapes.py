"""E2xx: ops, their parameters, and the shapes of tensors."""

from __future__ import annotations

from cnngraph.diagnostics.codes.entry import Group, code, spec

SHAPES = Group(
    "Ops and shapes",
    (
        code(
            "E201",
            "input that the op cannot process",
            """
            The op has a requirement on its input that has no code of its own. PyTorch would raise an error when the
            layer runs: instance norm, for example, normalises each channel over height and width, and a map of 1×1 has
            a single value there, whose variance is zero.

            The message states the requirement. Usually the op is in the wrong place, or a different op is needed.
            """,
            wrong=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                nodes: [{op: conv, out: 16, kernel: 3}, {op: adaptive_avg_pool, output: 1}, instance_norm]
                """
            ),
            right=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                nodes: [{op: conv, out: 16, kernel: 3}, instance_norm, {op: adaptive_avg_pool, output: 1}]
                """
            ),
        ),
        code(
            "E202",
            "different numbers of channels",
            """
            An elementwise op such as `add` needs inputs with the same number of channels, or a parameter with one value
            for each channel (`prelu`, `affine`) has a different number of values than the input has channels.

            In a residual block this is the shortcut: where a block changes the width, the identity no longer fits, and
            He et al. (2015) project it by a convolution with a 1×1 kernel and the block's stride. To join branches of
            different widths, use `concat`, which adds the channels up.
            """,
            wrong=spec(
                """
                cnngraph: 1
                input: [16, 32, 32]
                nodes:
                  conv: {op: conv, out: 32, kernel: 3, padding: same}
                  add: {op: add, from: [conv, in]}
                """
            ),
            right=spec(
                """
                cnngraph: 1
                input: [16, 32, 32]
                nodes:
                  conv: {op: conv, out: 32, kernel: 3, padding: same}
                  shortcut: {op: conv, from: in, out: 32, kernel: 1}
                  add: {op: add, from: [conv, shortcut]}
                """
            ),
        ),
        code(
            "E203",
            "different heights and widths",
            """
            `add`, `concat` and similar ops need inputs of the same height and width. Branches diverge if one has a
            stride or lacks padding: without padding, a k×k kernel removes k - 1 rows and columns. `reshape` reports
            this code if the number of values changes.

            A size of 1 is repeated by `add`, `mul` and other elementwise ops, but not by `concat`.

            Give all branches the same strides, and padding that keeps the size: `padding: same`, or (k - 1) / 2 for an
            odd kernel. In an encoder and decoder, odd sizes are rounded down on the way and do not come back: choose an
            input size that the total stride divides.
            """,
            wrong=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                nodes:
                  narrow: {op: conv, from: in, out: 8, kernel: 1}
                  wide: {op: conv, from: in, out: 8, kernel: 5}
                  concat: {op: concat, from: [narrow, wide]}
                """
            ),
            right=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                nodes:
                  narrow: {op: conv, from: in, out: 8, kernel: 1}
                  wide: {op: conv, from: in, out: 8, kernel: 5, padding: same}
                  concat: {op: concat, from: [narrow, wide]}
                """
            ),
        ),
        code(
            "E204",
            "window larger than the map",
            """
            A convolution or pooling has a window, its dilated kernel, that is larger than the padded map that it reads,
            so there is no position to put it at. Either the kernel is too large, or the map has become too small: every
            stride of 2 halves it. Networks for 224×224 images often fail like this on images of 32×32.

            Use a smaller kernel here, fewer strides before, or padding. To pool whatever is left, use
            `global_avg_pool`, or `adaptive_avg_pool` with the output's size.
            """,
            wrong=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                nodes:
                  - {op: conv, out: 16, kernel: 3, stride: 2}
                  - {op: max_pool, kernel: 4}
                  - {op: conv, out: 32, kernel: 5}
                """
            ),
            right=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                nodes:
                  - {op: conv, out: 16, kernel: 3, stride: 2}
                  - {op: max_pool, kernel: 4}
                  - {op: conv, out: 32, kernel: 3}
                """
            ),
        ),
        code(
            "E205",
            "invalid value of a parameter",
            """
            A parameter of an op has the wrong type, is out of range, or contradicts another parameter. Numbers of
            channels are integers, and a division with `/` is not: `$in.channels / 2` is 1.5 for an image with 3
            channels.

            The message says which values are allowed; `docs/ops.md` has all parameters of all ops. Use `//` to divide
            and round down.
            """,
            wrong=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                nodes: [{op: conv, out: $in.channels / 2, kernel: 3}]
                """
            ),
            right=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                nodes: [{op: conv, out: $in.channels // 2, kernel: 3}]
                """
            ),
        ),
        code(
            "E206",
            "missing parameter",
            """
            An op or block has a parameter without a default, and the node does not set it; or a param of the network
            itself has neither a default nor a value from `--set`.

            Add the parameter. A block's param gets a default in its definition, as in `params: {out: , stride: 1}`,
            where `out` is required and `stride` is not.
            """,
            wrong=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                nodes: [{op: conv, kernel: 3}]
                """
            ),
            right=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                nodes: [{op: conv, out: 16, kernel: 3}]
                """
            ),
        ),
        code(
            "E207",
            "unknown parameter",
            """
            The op or block has no parameter of this name. It is reported rather than ignored, since the layer would
            silently get its default.

            Check the spelling. Some names differ from PyTorch's: `out` for `out_channels` and `out_features`, `kernel`
            for `kernel_size`. The number of input channels is never written: it follows from what the node reads.
            """,
            wrong=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                nodes: [{op: conv, out: 16, kernal: 3}]
                """
            ),
            right=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                nodes: [{op: conv, out: 16, kernel: 3}]
                """
            ),
        ),
        code(
            "E208",
            "number that does not divide another",
            """
            A convolution's `groups` must divide both its input and its output channels, since every group gets the same
            number of them; `group_norm`, `channel_shuffle` and `chunk` have the same requirement. The sizes of a
            `split` must add up to the axis that it splits.

            Choose a divisor. `groups: $in.channels` makes a convolution depthwise, whatever its input.
            """,
            wrong=spec(
                """
                cnngraph: 1
                input: [16, 32, 32]
                nodes: [{op: conv, out: 24, kernel: 3, groups: 3}]
                """
            ),
            right=spec(
                """
                cnngraph: 1
                input: [16, 32, 32]
                nodes: [{op: conv, out: 24, kernel: 3, groups: 8}]
                """
            ),
        ),
        code(
            "E209",
            "shape other than expected",
            """
            The node has `expect`, an assertion on its output's shape, and the inferred shape is different. Either the
            expectation is wrong or something before the node is: the notes below the error name the nodes that changed
            the size.

            Assertions are worth having where a paper gives a shape, such as before the classifier: an error is then
            reported near its cause.
            """,
            wrong=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                nodes:
                  conv: {op: conv, out: 16, kernel: 3, stride: 2}
                  pool: {op: max_pool, kernel: 2, expect: [16, 8, 8]}
                """
            ),
            right=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                nodes:
                  conv: {op: conv, out: 16, kernel: 3, stride: 2, padding: 1}
                  pool: {op: max_pool, kernel: 2, expect: [16, 8, 8]}
                """
            ),
        ),
        code(
            "E210",
            "wrong number of inputs",
            """
            The op or block does not take the number of tensors that `from` lists. Most layers read exactly one, `sub`
            two, `add` and `concat` any number; a block reads as many as its `inputs` say.

            Combine tensors with `concat` or `add` first, or name a single one. A name that stands for a list of
            tensors, such as a `chunk`, counts as all of them.
            """,
            wrong=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                nodes:
                  left: {op: conv, from: in, out: 8, kernel: 3}
                  right: {op: conv, from: in, out: 8, kernel: 3}
                  relu: {op: relu, from: [left, right]}
                """
            ),
            right=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                nodes:
                  left: {op: conv, from: in, out: 8, kernel: 3}
                  right: {op: conv, from: in, out: 8, kernel: 3}
                  add: {op: add, from: [left, right]}
                  relu: relu
                """
            ),
        ),
        code(
            "E211",
            "wrong number or order of axes",
            """
            A convolution reads a map of channels×height×width, a linear layer a vector of features. PyTorch's `Linear`
            would accept a map, act on its width and fail only if the width does not fit; cnngraph always reports it.

            Put `flatten` or `global_avg_pool` between the last convolution and the classifier. After a `permute`,
            ops that need the channels in front cannot follow until they are moved back.
            """,
            wrong=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                nodes: [{op: conv, out: 16, kernel: 3}, {op: linear, out: 10}]
                """
            ),
            right=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                nodes: [{op: conv, out: 16, kernel: 3}, global_avg_pool, {op: linear, out: 10}]
                """
            ),
        ),
        code(
            "E212",
            "free parameter instead of a tensor",
            """
            The op `parameter` creates a trainable tensor that does not depend on the image, so it has no batch axis;
            nor has a `constant`. It can be combined with a tensor by `add`, `mul`, `concat`, `matmul` and others that
            repeat it for each image, and changed by elementwise ops, `reshape`, `linear`, `conv` and others. Poolings,
            norms and other layers cannot read it, and it cannot be an output of the network. Only `index` reads the
            integers of a constant with `dtype: int64`.

            Combine it with a tensor first.
            """,
            wrong=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                nodes:
                  offset: {op: parameter, shape: [3, 32, 32]}
                  norm: batch_norm
                  add: {op: add, from: [in, norm]}
                """
            ),
            right=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                nodes:
                  offset: {op: parameter, shape: [3, 32, 32]}
                  add: {op: add, from: [in, offset]}
                  norm: batch_norm
                """
            ),
        ),
    ),
)
