"""Which flows a text means, and flows that are made or copied by a command."""

from __future__ import annotations

import gc
from typing import Any

import pytest
from tests.support.commands import commands
from tests.support.flows import http_flow, response, tcp_flow, udp_flow

from flowdump.exceptions import CommandError
from flowdump.runtime.commands import CommandManager
from flowdump.runtime.hooks import HookTable


def began(manager: CommandManager, *flows: Any) -> None:
    """Let flows begin, as the engine does it."""
    table = HookTable(manager.master.addons.builtins)
    for flow in flows:
        event = {"http": "requestheaders", "tcp": "tcp_start", "udp": "udp_start"}[flow.type]
        for handler in table.handlers(event):
            handler(flow)


def test_specifications_mean_live_flows() -> None:
    manager = commands()
    assert manager.flows("@all") == []
    first, second = http_flow("http://a.example/", live=True), http_flow(answer=response(404), live=True)
    third, fourth = tcp_flow(b"x", live=True, marked=":x:"), udp_flow(b"x", live=True)
    began(manager, first, second, third, fourth)
    assert manager.flows("@all") == manager.flows("@shown") == [first, second, third, fourth]
    assert manager.flows("@marked") == [third]
    assert manager.flows("@unmarked") == [first, second, fourth]
    assert manager.flows("~c 404") == [second]
    assert manager.flows("a.example") == [first]
    assert manager.call("view.flows.resolve", "~udp") == [fourth]


def test_flows_are_not_kept() -> None:
    manager = commands()
    flow = http_flow(live=True)
    began(manager, flow)
    assert manager.flows("@all") == [flow]
    del flow
    gc.collect()
    assert manager.flows("@all") == []


def test_flows_of_files_are_not_kept_and_that_is_told() -> None:
    manager = commands()
    began(manager, http_flow())
    with pytest.raises(CommandError, match="read from files are not kept"):
        manager.execute("save.har @all out.har")


@pytest.mark.parametrize(("spec", "says"), [("@focus", "means no flows here"), ("~c x", "cannot be read")])
def test_specifications_that_mean_nothing(spec: str, says: str) -> None:
    with pytest.raises(CommandError, match=says):
        commands().flows(spec)


def test_flows_are_made() -> None:
    flow = commands().execute("view.flows.create get https://a.example:8443/x?y")
    assert (flow.request.method, flow.request.url) == ("GET", "https://a.example:8443/x?y")
    assert flow.request.headers["host"] == "a.example:8443"
    assert flow.server_conn.address == ("a.example", 8443)
    assert flow.server_conn.tls
    with pytest.raises(CommandError, match="'nowhere' is no URL"):
        commands().execute("view.flows.create GET nowhere")


def test_flows_are_copied() -> None:
    flow = http_flow("http://a.example/x")
    (copy,) = commands().call("view.flows.duplicate", [flow])
    assert copy.id != flow.id
    assert copy.request == flow.request
