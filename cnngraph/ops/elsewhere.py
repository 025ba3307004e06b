"""Names of parameters and keys in other libraries: Keras, PyTorch, Caffe, Darknet, MATLAB."""

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
NODES_OF_THEIR_OWN = frozenset(("activation", "act", "activation_fn", "bn", "use_bn", "batch_normalize", "norm"))


def equivalent_parameter(name: str, options: Container[str]) -> str | None:
    """The name among `options` that corresponds to another library's name, or None."""
    return next((option for option in ELSEWHERE.get(name.lower(), ()) if option in options), None)
