"""``VirtualClass``: a name of the older API for another class of flowdump, with a constructor of its own."""

from __future__ import annotations

from typing import Any


class VirtualClass(type):
    """Metaclass: ``isinstance`` asks the class method ``recognises``, and calling the class calls ``construct``."""

    def __instancecheck__(cls, instance: Any) -> bool:
        return bool(cls.recognises(instance))  # type: ignore[attr-defined]

    def __subclasscheck__(cls, subclass: type) -> bool:
        return subclass is cls or cls in subclass.__mro__

    def __call__(cls, *arguments: Any, **named: Any) -> Any:
        return cls.construct(*arguments, **named)  # type: ignore[attr-defined]
