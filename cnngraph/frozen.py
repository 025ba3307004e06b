"""Frozen dataclasses that Python makes of a class when it is first used.

A dataclass compiles the source of six functions: 0.4 ms. The ops, the parts of recipes and the kinds of parameters are
two hundred classes, of which one network uses a few; making all of them took a third of `cnngraph check`.
"""

from __future__ import annotations

import dataclasses
from threading import RLock
from typing import Any, Self, dataclass_transform

_complete: set[type] = set()
_lock = RLock()  # a field's declaration is gone from a class that is half made


@dataclass_transform(frozen_default=True, field_specifiers=(dataclasses.field,))
class Frozen:
    """Base of frozen dataclasses without slots: a subclass has annotated fields and no decorator.

    A class is a dataclass from its first instance on; `dataclass_fields` gives the fields of one that has none yet.
    """

    def __new__(cls, *values: Any, **named: Any) -> Self:
        """An instance, as `dataclasses` would have made it."""
        if cls not in _complete:
            complete(cls)
        return super().__new__(cls)


def complete(cls: type) -> None:
    """Make the class and its bases dataclasses, unless they are."""
    with _lock:
        for base in reversed(cls.__mro__):
            if not issubclass(base, Frozen) or base is Frozen or base in _complete:
                continue
            if "__dataclass_fields__" not in vars(base):
                dataclasses.dataclass(frozen=True)(base)
            _complete.add(base)


def dataclass_fields(cls: type) -> tuple[dataclasses.Field[Any], ...]:
    """The fields of a frozen dataclass, in order."""
    complete(cls)
    return dataclasses.fields(cls)
