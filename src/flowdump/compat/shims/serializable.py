"""``Serializable``: what can be turned into plain values and back."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from typing import Any, Self


class Serializable(metaclass=ABCMeta):
    """A base class for scripts that keep their own state like flows do."""

    @classmethod
    @abstractmethod
    def from_state(cls, state: Any) -> Self:
        """Make one of its plain values."""

    @abstractmethod
    def get_state(self) -> Any:
        """The plain values."""

    @abstractmethod
    def set_state(self, state: Any) -> None:
        """Become what the plain values say."""

    def copy(self) -> Self:
        """An independent one, with a new ``id`` where there is one."""
        from flowdump.connection import new_id

        state = self.get_state()
        if isinstance(state, dict) and "id" in state:
            state["id"] = new_id()
        return self.from_state(state)
