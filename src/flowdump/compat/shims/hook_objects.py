"""``mitmproxy.hooks``: events as objects. ``UpdateHook([flow])`` has the event's name and arguments.

A class for each event of :mod:`flowdump.runtime.hooks`, named after it: ``server_connect`` is ``ServerConnectHook``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from flowdump.runtime import event_sequence
from flowdump.runtime.hooks import EVENTS, Event


class Hook:
    """An event with its arguments, given in order or by name. Raises TypeError for wrong arguments."""

    name: ClassVar[str] = ""
    arguments: ClassVar[tuple[str, ...]] = ()

    def __init__(self, *values: Any, **named: Any) -> None:
        given = dict(zip(self.arguments, values, strict=False)) | named
        if len(values) + len(named) != len(self.arguments) or given.keys() != set(self.arguments):
            raise TypeError(f"{type(self).__name__} takes {', '.join(self.arguments) or 'no arguments'}")
        self.__dict__.update(given)

    def args(self) -> list[Any]:
        return [getattr(self, name) for name in self.arguments]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in self.arguments)})"


def _class_of(event: Event) -> type[Hook]:
    camel = "".join(word.capitalize() for word in event.name.split("_"))
    facts = {"name": event.name, "arguments": event.arguments, "__doc__": event.doc}
    return type(f"{camel}Hook", (Hook,), facts)


all_hooks: dict[str, type[Hook]] = {event.name: _class_of(event) for event in EVENTS}

ConfigureHook = all_hooks["configure"]
DoneHook = all_hooks["done"]
RunningHook = all_hooks["running"]
UpdateHook = all_hooks["update"]
ClientConnectedHook = all_hooks["client_connected"]
ClientDisconnectedHook = all_hooks["client_disconnected"]
ServerConnectErrorHook = all_hooks["server_connect_error"]
ServerConnectHook = all_hooks["server_connect"]
ServerConnectedHook = all_hooks["server_connected"]
ServerDisconnectedHook = all_hooks["server_disconnected"]


def iterate(flow: Any) -> Iterator[Hook]:
    """Yield the events of a stored flow as objects."""
    for name in event_sequence.events(flow):
        yield all_hooks[name](flow)
