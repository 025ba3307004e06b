"""A document: the values of a YAML text with their source locations."""

from cnngraph.document.files import LIMITS, Limits, no_file, read_file, read_stream
from cnngraph.document.scalars import core_scalar
from cnngraph.document.values import Entry, Listing, Plain, Scalar, Table, Value, scalars_in, texts_in, value_of
from cnngraph.document.yaml_text import parse

__all__ = [
    "LIMITS",
    "Entry",
    "Limits",
    "Listing",
    "Plain",
    "Scalar",
    "Table",
    "Value",
    "core_scalar",
    "no_file",
    "parse",
    "read_file",
    "read_stream",
    "scalars_in",
    "texts_in",
    "value_of",
]
