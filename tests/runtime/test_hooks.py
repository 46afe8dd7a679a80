"""The list of events, the table of who listens, and how handlers are fired."""

from __future__ import annotations

import asyncio
import inspect
from types import SimpleNamespace
from typing import Any

import pytest

from flowdump.exceptions import AddonHalt
from flowdump.runtime.hooks import EVENT_NAMES, EVENTS, HookTable, fire


def run(handlers: tuple[Any, ...], *arguments: Any) -> None:
    asyncio.run(fire(handlers, *arguments))


# -- the list ----------------------------------------------------------------------------------------------------


def test_the_list_is_sound() -> None:
    assert len(set(EVENT_NAMES)) == len(EVENTS)
    for event in EVENTS:
        assert event.name.isidentifier()
        assert all(argument.isidentifier() for argument in event.arguments)
        assert event.doc[0].isupper()
        assert event.doc.endswith(".")


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("load", ("loader",)),
        ("configure", ("updated",)),
        ("running", ()),
        ("done", ()),
        ("update", ("flows",)),
        ("add_log", ("entry",)),
        ("client_connected", ("client",)),
        ("server_connect", ("data",)),
        ("http_connect", ("flow",)),
        ("request", ("flow",)),
        ("websocket_message", ("flow",)),
        ("udp_error", ("flow",)),
        ("dns_response", ("flow",)),
    ],
)
def test_arguments(name: str, arguments: tuple[str, ...]) -> None:
    assert {event.name: event.arguments for event in EVENTS}[name] == arguments


# -- who listens -------------------------------------------------------------------------------------------------


def test_an_empty_table() -> None:
    table = HookTable()
    assert all(table.handlers(name) == () for name in EVENT_NAMES)
    assert repr(table) == "HookTable({})"


def test_handlers_come_in_the_order_of_the_addons() -> None:
    def one(flow: Any) -> None: ...
    def two(flow: Any) -> None: ...

    table = HookTable([SimpleNamespace(request=one), SimpleNamespace(response=one), SimpleNamespace(request=two)])
    assert table.request == (one, two)
    assert table.response == (one,)
    assert table.handlers("error") == ()
    assert repr(table) == "HookTable({'request': 2, 'response': 1})"


def test_what_cannot_be_called_is_no_handler() -> None:
    assert HookTable([SimpleNamespace(request=5, response=None, done="text")]).request == ()


def test_modules_classes_and_instances_are_addons() -> None:
    class Static:
        @staticmethod
        def request(flow: Any) -> None: ...

        @classmethod
        def response(cls, flow: Any) -> None: ...

        def error(self, flow: Any) -> None: ...

    instance = Static()
    assert HookTable([Static]).request == (Static.request,)
    assert HookTable([Static]).response == (Static.response,)
    assert HookTable([instance]).error == (instance.error,)
    assert HookTable([inspect]).request == ()


def test_a_name_that_is_no_event() -> None:
    with pytest.raises(AttributeError):
        HookTable().handlers("reqest")
    with pytest.raises(AttributeError):
        HookTable().reqest = ()  # type: ignore[assignment]


def test_a_table_is_prepared_once() -> None:
    addon = SimpleNamespace()
    table = HookTable([addon])
    addon.request = print
    assert table.request == ()


# -- firing ------------------------------------------------------------------------------------------------------


def test_plain_and_async_handlers_run_one_behind_the_other() -> None:
    seen: list[Any] = []

    async def slow(flow: Any) -> None:
        await asyncio.sleep(0)
        seen.append(("slow", flow))

    class Awaitable:
        def __await__(self) -> Any:
            seen.append("awaited")
            return iter(())

    run((lambda flow: seen.append(flow), slow, lambda flow: Awaitable(), lambda flow: seen.append("last")), "f")
    assert seen == ["f", ("slow", "f"), "awaited", "last"]


def test_other_results_are_ignored() -> None:
    seen: list[Any] = []
    run((lambda: True, lambda: 5, lambda: [1], lambda: seen.append(1)))
    assert seen == [1]


def test_no_handlers() -> None:
    run((), 1, 2, 3)


@pytest.mark.parametrize("late", [False, True])
def test_addon_halt_ends_the_chain(late: bool) -> None:
    seen: list[int] = []

    async def halt_late() -> None:
        raise AddonHalt

    def halt() -> None:
        raise AddonHalt

    run((lambda: seen.append(1), halt_late if late else halt, lambda: seen.append(2)))
    assert seen == [1]


def test_other_exceptions_go_out() -> None:
    seen: list[int] = []

    def broken() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run((lambda: seen.append(1), broken, lambda: seen.append(2)))
    assert seen == [1]
