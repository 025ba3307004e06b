"""Frozen dataclasses that are created lazily, when a class is first used.

Creating a dataclass compiles six functions, which takes 0.4 ms. There are two hundred classes of ops, recipe mappings
and kinds of fields, of which one network uses a few; creating all of them took a third of `cnngraph check`. Here a
class is created when it is first used, and all classes share the methods for comparison, hashing and repr.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from operator import attrgetter
from threading import RLock
from typing import Any, ClassVar, Self, dataclass_transform

_complete: set[type] = set()
_lock = RLock()  # a partially created dataclass has already lost some field declarations


@dataclass_transform(frozen_default=True, field_specifiers=(dataclasses.field,))
class Frozen:
    """Base of frozen dataclasses without slots: a subclass has annotated fields and no decorator.

    A class becomes a dataclass when it is first instantiated; use `dataclass_fields` to get its fields before that.
    """

    _compared: ClassVar[Callable[[object], Any]]  # returns the values of the fields to compare

    def __new__(cls, *values: Any, **named: Any) -> Self:
        """Create an instance, and first the dataclass if necessary."""
        if cls not in _complete:
            complete(cls)
        return super().__new__(cls)

    def __eq__(self, other: object) -> bool:
        if other.__class__ is not self.__class__:
            return NotImplemented
        compared = type(self)._compared
        return bool(compared(self) == compared(other))

    def __hash__(self) -> int:
        return hash(type(self)._compared(self))

    def __repr__(self) -> str:
        shown = (f"{field.name}={getattr(self, field.name)!r}" for field in dataclass_fields(type(self)) if field.repr)
        return f"{type(self).__qualname__}({', '.join(shown)})"


def complete(cls: type) -> None:
    """Turn the class and its bases into dataclasses, unless they already are."""
    with _lock:
        base: Any
        for base in reversed(cls.__mro__):
            if not issubclass(base, Frozen) or base is Frozen or base in _complete:
                continue
            if "__dataclass_fields__" not in vars(base):
                dataclasses.dataclass(frozen=True, eq=False, repr=False)(base)
            names = [field.name for field in dataclasses.fields(base) if field.compare]
            base._compared = attrgetter(*(names or ["__class__"]))
            _complete.add(base)


def dataclass_fields(cls: type) -> tuple[dataclasses.Field[Any], ...]:
    """The fields of a frozen dataclass, in order."""
    complete(cls)
    return dataclasses.fields(cls)
