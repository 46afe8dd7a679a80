"""``Serializable``: a base class for objects with a state."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest

pytestmark = pytest.mark.usefixtures("installed")


def test_copies_get_a_new_id() -> None:
    base = import_module("mitmproxy.coretypes.serializable").Serializable

    class Mine(base):  # type: ignore[misc,valid-type]
        def __init__(self, value: Any) -> None:
            self.value = value

        @classmethod
        def from_state(cls, state: Any) -> Any:
            return cls(state)

        def get_state(self) -> Any:
            return dict(self.value)

        def set_state(self, state: Any) -> None:
            self.value = state

    mine = Mine({"id": "a", "b": 1})
    copied = mine.copy()
    assert copied.value["b"] == 1
    assert copied.value["id"] != "a"
    with pytest.raises(TypeError):
        base()
