"""Datagrams through ``reverse:udp://…``: flows, scripts, servers that are not there, and more than fits."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.support.events import Events
from tests.support.live import Running, running, until
from tests.support.names import Talker, answering, ask, name_server, query
from tests.support.ports import free_port

from flowdump.engine.relay import udp as udp_relay
from flowdump.engine.relay import udp_listener
from flowdump.udp import UDPFlow, UDPMessage


class EchoServer(asyncio.DatagramProtocol):
    """Sends every datagram back between ``<`` and ``>``; one that begins with ``quiet`` is only noted."""

    def __init__(self) -> None:
        self.received: list[bytes] = []
        self.sources: set[Any] = set()
        self.port = 0
        self.transport: Any = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, address: Any) -> None:
        self.received.append(data)
        self.sources.add(address)
        if not data.startswith(b"quiet"):
            self.transport.sendto(b"<" + data + b">", address)


@asynccontextmanager
async def echo() -> AsyncIterator[EchoServer]:
    server = EchoServer()
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: server, local_addr=("127.0.0.1", 0)
    )
    try:
        yield server
    finally:
        transport.close()
        await asyncio.sleep(0)


def before(server: EchoServer, **options: Any) -> dict[str, Any]:
    return {"mode": [f"reverse:udp://{server.address}"]} | options


async def say(talker: Talker, data: bytes) -> bytes:
    talker.send(data)
    return await talker.receive()


def end(proxy: Running) -> None:
    """End all conversations, as if nothing had passed for long."""
    for listener in proxy.proxy.datagrams:
        listener.end()


async def flow_of(proxy: Running) -> UDPFlow:
    await proxy.wait_for_flows()
    (flow,) = proxy.flows
    assert isinstance(flow, UDPFlow)
    return flow


def contents(flow: UDPFlow) -> list[tuple[bool, bytes]]:
    return [(message.from_client, message.content) for message in flow.messages]


# -- the life of a flow ------------------------------------------------------------------------------------------


async def test_a_conversation_is_a_flow() -> None:
    events = Events()
    async with echo() as server, running(events, **before(server)) as proxy:
        with Talker(proxy.port) as talker:
            assert await say(talker, b"one") == b"<one>"
            assert await say(talker, b"") == b"<>"
            assert await say(talker, b"x" * 60000) == b"<" + b"x" * 60000 + b">"
            assert proxy.flows == []
            end(proxy)
            flow = await flow_of(proxy)
            assert flow.client_conn.peername == talker.address
        await events.wait_for("client_disconnected")
        assert contents(flow)[:4] == [(True, b"one"), (False, b"<one>"), (True, b""), (False, b"<>")]
        assert (flow.error, flow.live) == (None, False)
        assert flow.server_conn.address == flow.server_conn.peername == ("127.0.0.1", server.port)
        assert flow.client_conn.transport_protocol == flow.server_conn.transport_protocol == "udp"
        assert flow.client_conn.proxy_mode == f"reverse:udp://{server.address}"
        assert flow.client_conn.timestamp_end is not None
        assert events.names == [
            "client_connected", "udp_start", "server_connect", "server_connected", *["udp_message"] * 6,
            "server_disconnected", "udp_end", "client_disconnected",
        ]  # fmt: skip


async def test_a_silent_conversation_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    async with echo() as server, running(**before(server), udp_timeout=1) as proxy:
        with Talker(proxy.port) as talker:
            assert await say(talker, b"one") == b"<one>"
            assert contents(await flow_of(proxy)) == [(True, b"one"), (False, b"<one>")]
            assert await say(talker, b"two") == b"<two>"
        await proxy.wait_for_flows(2)
        assert len(server.sources) == 2


async def test_every_client_has_a_flow_of_its_own() -> None:
    async with echo() as server, running(**before(server)) as proxy:
        with Talker(proxy.port) as one, Talker(proxy.port) as other:
            for n in range(3):
                assert await say(one, b"a%d" % n) == b"<a%d>" % n
                assert await say(other, b"b%d" % n) == b"<b%d>" % n
            end(proxy)
            await proxy.wait_for_flows(2)
        assert {flow.messages[0].content for flow in proxy.flows} == {b"a0", b"b0"}
        assert [len(flow.messages) for flow in proxy.flows] == [6, 6]
        assert len(server.sources) == 2


async def test_what_is_under_way_passes_when_the_proxy_stops() -> None:
    gate = asyncio.Event()
    events = Events(udp_message=lambda flow: gate.wait())
    async with echo() as server, running(events, **before(server)) as proxy:
        with Talker(proxy.port) as talker:
            talker.send(b"quiet one")
            talker.send(b"quiet two")
            await events.wait_for("udp_message")
            stopping = asyncio.create_task(proxy.proxy.stop(5))
            await until(lambda: proxy.proxy.stopping)
            gate.set()
            await stopping
        flow = await flow_of(proxy)
        assert flow.error is None
        assert server.received == [content for _, content in contents(flow)] == [b"quiet one", b"quiet two"]


async def test_a_conversation_that_a_script_holds_is_cut_when_the_proxy_stops() -> None:
    events = Events(udp_message=lambda flow: flow.intercept())
    async with echo() as server, running(events, **before(server)) as proxy:
        with Talker(proxy.port) as talker:
            talker.send(b"one")
            await events.wait_for("udp_message")
            await proxy.proxy.stop(0.05)
        flow = await flow_of(proxy)
        assert flow.error is not None
        assert flow.error.msg == "the proxy was shut down during the conversation"
        assert server.received == []
        assert events.names[-3:] == ["server_disconnected", "udp_error", "client_disconnected"]


# -- scripts -----------------------------------------------------------------------------------------------------


async def test_scripts_change_and_drop_datagrams() -> None:
    def edit(flow: UDPFlow) -> None:
        message = flow.messages[-1]
        if b"secret" in message.content:
            message.drop()
        else:
            message.content = message.content.upper()

    async with echo() as server, running(Events(udp_message=edit), **before(server)) as proxy:
        with Talker(proxy.port) as talker:
            talker.send(b"secret")
            assert await say(talker, b"hello") == b"<HELLO>"
            end(proxy)
            flow = await flow_of(proxy)
        assert server.received == [b"HELLO"]
        assert contents(flow) == [(True, b"secret"), (True, b"HELLO"), (False, b"<HELLO>")]
        assert [message.dropped for message in flow.messages] == [True, False, False]


async def test_an_answer_can_be_dropped() -> None:
    def edit(flow: UDPFlow) -> None:
        if flow.messages[-1].content == b"<one>":
            flow.messages[-1].drop()

    async with echo() as server, running(Events(udp_message=edit), **before(server)) as proxy:
        with Talker(proxy.port) as talker:
            talker.send(b"one")
            assert await say(talker, b"two") == b"<two>"


async def test_what_is_no_bytes_is_made_bytes_or_told() -> None:
    def edit(flow: UDPFlow) -> None:
        made: dict[bytes, Any] = {b"text": "t", b"number": 5}
        content = flow.messages[-1].content
        flow.messages[-1].content = made.get(content, content)

    async with echo() as server, running(Events(udp_message=edit), **before(server)) as proxy:
        with Talker(proxy.port) as talker:
            assert await say(talker, b"text") == b"<t>"
            assert await say(talker, b"number") == b"<number>"
        assert "a script set the content of a message to int, not bytes: not changed" in proxy.log[-1]


async def test_an_empty_answer_is_a_datagram_as_well() -> None:
    class Empty:
        def udp_message(self, flow: UDPFlow) -> None:
            if not flow.messages[-1].from_client:
                flow.messages[-1].content = b""

    async with echo() as server, running(Empty(), **before(server)) as proxy:
        with Talker(proxy.port) as talker:
            assert await say(talker, b"one") == b""
            end(proxy)
            assert contents(await flow_of(proxy)) == [(True, b"one"), (False, b"")]


async def test_a_script_chooses_the_server() -> None:
    async with echo() as first, echo() as second:

        def choose(flow: UDPFlow) -> None:
            flow.server_conn.address = ("127.0.0.1", second.port)

        async with running(Events(udp_start=choose), **before(first)) as proxy:
            with Talker(proxy.port) as talker:
                assert await say(talker, b"one") == b"<one>"
        assert (first.received, second.received) == ([], [b"one"])


@pytest.mark.parametrize("event", ["udp_start", "udp_message"])
async def test_a_killed_flow_passes_nothing(event: str) -> None:
    events = Events(**{event: lambda flow: flow.kill()})
    async with echo() as server, running(events, **before(server)) as proxy:
        with Talker(proxy.port) as talker:
            talker.send(b"one")
            flow = await flow_of(proxy)
        assert flow.error is not None
        assert flow.error.msg == "Connection killed."
        assert server.received == []
        assert "udp_error" in events.names


@pytest.mark.parametrize("how", ["resume", "kill"])
async def test_a_held_flow_goes_on_or_ends_from_a_thread(how: str) -> None:
    def hold(flow: UDPFlow) -> None:
        if len(flow.messages) == 1:
            flow.intercept()
            threading.Timer(0.02, getattr(flow, how)).start()

    async with echo() as server, running(Events(udp_message=hold), **before(server)) as proxy:
        with Talker(proxy.port) as talker:
            talker.send(b"quiet one")
            if how == "resume":
                assert await say(talker, b"two") == b"<two>"
                end(proxy)
            flow = await flow_of(proxy)
        assert server.received == ([b"quiet one", b"two"] if how == "resume" else [])
        assert (flow.error is None) is (how == "resume")


async def test_a_datagram_that_a_script_made_too_large_is_told() -> None:
    def edit(flow: UDPFlow) -> None:
        if flow.messages[-1].content == b"one":
            flow.messages[-1].content = bytes(70000)

    async with echo() as server, running(Events(udp_message=edit), **before(server)) as proxy:
        with Talker(proxy.port) as talker:
            talker.send(b"one")
            assert await say(talker, b"two") == b"<two>"
        (line,) = proxy.log
        assert "a datagram of 70000 bytes is dropped: Message too long" in line
        assert server.received == [b"two"]


# -- servers -----------------------------------------------------------------------------------------------------


async def test_a_server_that_is_not_there() -> None:
    async with echo() as server:
        pass
    events = Events()
    async with running(events, **before(server)) as proxy:
        with Talker(proxy.port) as talker:
            talker.send(b"one")
            flow = await flow_of(proxy)
            assert flow.error is not None
            assert flow.error.msg == f"cannot reach {server.address}: Connection refused"
            assert contents(flow) == [(True, b"one")]
            await events.wait_for("client_disconnected")
            assert events.names.count("udp_error") == 1
            assert "udp_end" not in events.names


async def test_a_local_address_that_is_none() -> None:
    async with echo() as server, running(**before(server), connect_addr="192.0.2.250") as proxy:
        with Talker(proxy.port) as talker:
            talker.send(b"one")
            flow = await flow_of(proxy)
        assert flow.error is not None
        assert flow.error.msg == f"cannot reach {server.address}: Cannot assign requested address"


async def test_a_server_without_an_address() -> None:
    events = Events()
    async with running(events, mode=["reverse:udp://no-such-host.invalid:9"]) as proxy:
        with Talker(proxy.port) as talker:
            talker.send(b"one")
            flow = await flow_of(proxy)
        assert flow.error is not None
        assert "cannot find 'no-such-host.invalid'" in flow.error.msg
        await events.wait_for("client_disconnected")
        assert events.names == [
            "client_connected", "udp_start", "server_connect", "server_connect_error", "udp_error",
            "client_disconnected",
        ]  # fmt: skip


async def test_the_proxy_does_not_talk_to_itself() -> None:
    async with echo() as server:
        pass
    async with running(mode=[f"reverse:udp://{server.address}@{server.address}"]) as proxy:
        with Talker(proxy.port) as talker:
            talker.send(b"one")
            flow = await flow_of(proxy)
        assert flow.error is not None
        assert flow.error.msg == f"{server.address} is this proxy itself"


# -- which hosts -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shown", [False, True])
@pytest.mark.parametrize("option", ["ignore_hosts", "allow_hosts"])
async def test_hosts_that_are_passed_on_unseen(option: str, shown: bool) -> None:
    events = Events()
    hosts = {option: ["127.0.0.1" if option == "ignore_hosts" else "elsewhere"], "show_ignored_hosts": shown}
    async with echo() as server, running(events, **before(server), **hosts) as proxy:
        with Talker(proxy.port) as talker:
            assert await say(talker, b"one") == b"<one>"
            end(proxy)
            await events.wait_for("client_disconnected")
        assert len(proxy.flows) == shown
        assert ("udp_message" in events.names) is shown


async def test_udp_hosts_are_raw_even_in_front_of_a_name_server() -> None:
    async with name_server(answering("192.0.2.7")) as server:
        options = {"mode": [f"reverse:dns://{server.address}"], "udp_hosts": [r"127\.0\.0\.1"]}
        async with running(**options) as proxy:
            assert (await ask(proxy.port, query())).answers
            end(proxy)
            flow = await flow_of(proxy)
            assert contents(flow)[0] == (True, query().packed)


# -- limits ------------------------------------------------------------------------------------------------------


async def test_the_client_that_was_silent_the_longest_has_to_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(udp_listener, "MAX_CLIENTS", 3)

    async with echo() as server, running(**before(server)) as proxy:
        talkers = [Talker(proxy.port) for _ in range(5)]
        for talker in (*talkers[:3], talkers[0], *talkers[3:]):
            assert await say(talker, b"hi") == b"<hi>"
        await proxy.wait_for_flows(2)
        gone = [flow.client_conn.peername for flow in proxy.flows]
        assert gone == [talkers[1].address, talkers[2].address]
        (listener,) = proxy.proxy.datagrams
        assert len(listener._peers) == 3
        assert len([line for line in proxy.log if "more than 3 UDP clients" in line]) == 1
        for talker in talkers:
            talker.__exit__()


async def test_a_held_conversation_keeps_a_bounded_box(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(udp_relay, "MAX_WAITING", 10_000)

    gate = asyncio.Event()
    events = Events(udp_message=lambda flow: gate.wait())
    async with echo() as server, running(events, **before(server)) as proxy:
        with Talker(proxy.port) as talker:
            talker.send(b"quiet")
            await events.wait_for("udp_message")
            (listener,) = proxy.proxy.datagrams
            (relay,) = listener._peers.values()
            for _ in range(100):
                talker.send(b"quiet" * 200)
                await asyncio.sleep(0)
            assert isinstance(relay, udp_relay.Relay)
            await until(lambda: proxy.log)
            assert 8_000 < relay._waiting <= 10_000
            gate.set()
            talker.send(b"quiet the end")
        end(proxy)
        flow = await flow_of(proxy)
        assert len(flow.messages) < 12
        assert [line for line in proxy.log if "some are dropped" in line]


@pytest.mark.parametrize("limit", ["MAX_FLOW", "MAX_KEPT"])
async def test_a_long_conversation_becomes_several_flows(monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    monkeypatch.setattr(udp_relay, limit, 5_000)

    events = Events()
    async with echo() as server, running(events, **before(server)) as proxy:
        with Talker(proxy.port) as talker:
            for n in range(20):
                assert await say(talker, b"%04d" % n * 100) == b"<" + b"%04d" % n * 100 + b">"
            (listener,) = proxy.proxy.datagrams
            assert 0 < listener.kept <= 5_000
            end(proxy)
            await events.wait_for("client_disconnected")
        assert listener.kept == 0
        messages = [message.content for flow in proxy.flows for message in flow.messages if message.from_client]
        assert messages == [b"%04d" % n * 100 for n in range(20)]
        assert len(proxy.flows) == events.names.count("udp_start") == events.names.count("udp_end") >= 4
        assert len({flow.client_conn.id for flow in proxy.flows}) == 1
        assert len(server.sources) == 1


async def test_datagrams_for_a_clogged_socket_are_dropped() -> None:
    events = Events()
    async with echo() as server, running(events, **before(server)) as proxy:
        with Talker(proxy.port) as talker:
            (listener,) = proxy.proxy.datagrams
            listener.pause_writing()
            talker.send(b"one")
            await events.wait_for("udp_message", 2)
            listener.resume_writing()
            assert await say(talker, b"two") == b"<two>"


async def test_ports_that_cannot_be_had() -> None:
    from flowdump.exceptions import UserError

    async with echo() as server:
        with pytest.raises(UserError, match=rf"cannot listen on 127\.0\.0\.1:{server.port}: Address already in use"):
            async with running(mode=[f"reverse:udp://192.0.2.1:9@{server.address}"]):
                raise AssertionError


@pytest.mark.parametrize("second", ["socks5", "dns"])
async def test_a_port_belongs_to_one_mode(second: str) -> None:
    from flowdump.exceptions import UserError

    port = free_port()
    reason = f"Address already in use, by the mode regular@{port}; -p, or @PORT after a mode, chooses another port"
    with pytest.raises(UserError, match=f":{port}: {reason}$"):
        async with running(mode=[f"regular@{port}", f"{second}@{port}"]):
            raise AssertionError


async def test_all_addresses_share_one_port() -> None:
    async with echo() as server, running(**before(server), listen_host="") as proxy:
        hosts = [host for host, _ in proxy.proxy.addresses]
        assert len({port for _, port in proxy.proxy.addresses}) == 1
        assert "0.0.0.0" in hosts
        with Talker(proxy.port) as talker:
            assert await say(talker, b"one") == b"<one>"


def test_messages() -> None:
    message = UDPMessage(True, b"x", 5.0)
    assert (message.dropped, message.copy().dropped) == (False, False)
    message.drop()
    assert message.dropped
    assert message.get_state() == (True, b"x", 5.0)
