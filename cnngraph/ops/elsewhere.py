"""Names in other libraries (Keras, PyTorch, Caffe, Darknet, MATLAB): parameters, keys, and ops without an equal."""

from __future__ import annotations

from collections.abc import Container

ELSEWHERE: dict[str, tuple[str, ...]] = {  # in lower case; the first one that the op has is suggested
    "filters": ("out",),
    "out_channels": ("out",),
    "num_filters": ("out",),
    "numfilters": ("out",),
    "num_output": ("out",),
    "units": ("out",),
    "features": ("out",),
    "out_features": ("out",),
    "channels": ("out",),
    "outputsize": ("out", "output"),
    "kernel_size": ("kernel",),
    "pool_size": ("kernel",),
    "poolsize": ("kernel",),
    "filtersize": ("kernel",),
    "ksize": ("kernel",),
    "size": ("kernel", "output", "scale_factor"),
    "output_size": ("output", "size"),
    "window": ("kernel",),
    "strides": ("stride",),
    "pad": ("padding",),
    "dilation_rate": ("dilation",),
    "rate": ("p", "dilation"),
    "prob": ("p",),
    "probability": ("p",),
    "drop_prob": ("p",),
    "drop_rate": ("p",),
    "dropout_rate": ("p",),
    "use_bias": ("bias",),
    "num_groups": ("groups",),
    "epsilon": ("eps",),
    "axis": ("dim",),
    "axes": ("dim", "dims"),
    "sections": ("sizes", "chunks"),
    "split_size": ("sizes",),
    "factor": ("scale_factor", "upscale_factor", "downscale_factor"),
    "scale": ("scale_factor", "upscale_factor"),
    "block_size": ("upscale_factor", "downscale_factor", "block"),
    "alpha": ("negative_slope",),
    "slope": ("negative_slope",),
    "depth_radius": ("size",),
    "windowchannelsize": ("size",),
    "interpolation": ("mode",),
    "inputs": ("from",),
    "input": ("from",),
    "bottom": ("from",),
    "source": ("from",),
    "type": ("op",),
    "layer": ("op",),
    "kind": ("op",),
    "count": ("repeat",),
    "times": ("repeat",),
    "repeats": ("repeat",),
    "if": ("when",),
    "condition": ("when",),
    "layers": ("nodes",),
    "imports": ("import",),
    "base": ("extends",),
}
NEEDLESS = {  # parameters that other libraries require and cnngraph does not have
    **dict.fromkeys(
        ("in", "in_channels", "in_features", "num_features", "num_channels", "in_planes", "input_shape", "input_size"),
        "the number of input channels is inferred",
    ),
    "inplace": "ops run in place wherever that is safe",
    "data_format": "a map is always channels×height×width",
}
_ATTENTION = "write its projections as `linear` nodes and use `attention`, as in `vit_b_16`"
_REPEATED = "`add`, `mul` and other elementwise ops repeat sizes of 1 by themselves"
ABSENT: dict[str, str] = {  # operations that are known but no op, with how to write them, if there is a way
    **dict.fromkeys(("multiheadattention", "selfattention", "crossattention", "mha"), _ATTENTION),
    **dict.fromkeys(("se", "squeezeexcite", "squeezeexcitation"), "use the block of `blocks/squeeze_excite.yaml`"),
    **dict.fromkeys(("shortcut", "residual"), "use `add` with both tensors in its `from`"),
    **dict.fromkeys(("classtoken", "clstoken"), "use `concat` with a free `parameter`"),
    **dict.fromkeys(("posembed", "positionembedding", "positionalembedding"), "use `add` with a free `parameter`"),
    **dict.fromkeys(("expand", "repeat", "tile", "broadcast"), _REPEATED),
    **dict.fromkeys(("squeeze", "unsqueeze", "expanddims"), "use `reshape`"),
    **dict.fromkeys(("embedding", "lstm", "gru", "rnn", "mamba", "yolo", "roll", "log", "sin", "cos", "tan"), ""),
    **dict.fromkeys(("maxunpool", "maxunpooling", "unpool", "unpooling"), ""),
    "route": "use `concat` with the tensors in its `from`, or `identity` for a single one",
    "einsum": "use `permute`, `reshape` and `matmul`",
    "layerscale": "use `mul` with a free `parameter`",
    "glu": "use `chunk`, `sigmoid` and `mul`",
    "swiglu": "use `chunk`, `silu` and `mul`",
    "geglu": "use `chunk`, `gelu` and `mul`",
    "bilinear": "use `upsample` with `mode: bilinear`",
    "crop": "use `slice`, or `pad` with negative numbers",
    "stack": "use `concat` after `reshape`",
    "min": "use `max` between two nodes `{op: scale, factor: -1}`",
    "neg": "use `scale` with `factor: -1`",
    "square": "use `pow` with `exponent: 2`",
    "rsqrt": "use `pow` with `exponent: -0.5`",
    "std": "use `var` and `sqrt`",
}
NODES_OF_THEIR_OWN = frozenset(("activation", "act", "activation_fn", "bn", "use_bn", "batch_normalize", "norm"))


def equivalent_parameter(name: str, options: Container[str]) -> str | None:
    """The name among `options` that corresponds to another library's name, or None."""
    return next((option for option in ELSEWHERE.get(name.lower(), ()) if option in options), None)
