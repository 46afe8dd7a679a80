"""``mitmproxy.coretypes.serializable``: the base class of objects with ``get_state`` and ``from_state``."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from typing import Any, Self


class Serializable(metaclass=ABCMeta):
    """A base class for scripts that store their state as flows do."""

    @classmethod
    @abstractmethod
    def from_state(cls, state: Any) -> Self:
        """Create an instance from its state."""

    @abstractmethod
    def get_state(self) -> Any:
        """The state, as plain values."""

    @abstractmethod
    def set_state(self, state: Any) -> None:
        """Replace the state."""

    def copy(self) -> Self:
        """An independent copy; an ``id`` in the state is replaced by a new one."""
        from flowdump.connection import new_id

        state = self.get_state()
        if isinstance(state, dict) and "id" in state:
            state["id"] = new_id()
        return self.from_state(state)
