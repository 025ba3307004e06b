"""Frozen dataclasses that are created lazily, when a class is first used.

Creating a dataclass compiles six functions, which takes 0.4 ms. There are two hundred classes of ops, recipe mappings
and kinds of fields, of which one network uses a few; creating all of them took a third of `cnngraph check`.
"""

from __future__ import annotations

import dataclasses
from threading import RLock
from typing import Any, Self, dataclass_transform

_complete: set[type] = set()
_lock = RLock()  # a partially created dataclass has already lost some field declarations


@dataclass_transform(frozen_default=True, field_specifiers=(dataclasses.field,))
class Frozen:
    """Base of frozen dataclasses without slots: a subclass has annotated fields and no decorator.

    A class becomes a dataclass when it is first instantiated; use `dataclass_fields` to get its fields before that.
    """

    def __new__(cls, *values: Any, **named: Any) -> Self:
        """Create an instance, and first the dataclass if necessary."""
        if cls not in _complete:
            complete(cls)
        return super().__new__(cls)


def complete(cls: type) -> None:
    """Turn the class and its bases into dataclasses, unless they already are."""
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
