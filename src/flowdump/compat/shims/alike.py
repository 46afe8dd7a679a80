"""``Alike``: classes of the older API that are other classes of flowdump, made in another way."""

from __future__ import annotations

from typing import Any


class Alike(type):
    """Metaclass: ``isinstance`` asks the class method ``is_one``, and calling the class calls ``made``."""

    def __instancecheck__(cls, instance: Any) -> bool:
        return bool(cls.is_one(instance))  # type: ignore[attr-defined]

    def __subclasscheck__(cls, subclass: type) -> bool:
        return subclass is cls or cls in subclass.__mro__

    def __call__(cls, *arguments: Any, **named: Any) -> Any:
        return cls.made(*arguments, **named)  # type: ignore[attr-defined]
