"""What is not HTTP: relayed as it comes, recorded, and open to scripts."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from tests.support.asynchronous import run
from tests.support.interception import Authorities, trusting, with_alpn
from tests.support.live import Running, running
from tests.support.peers import close, echo, greet, serving, socks, tunnel

from flowdump.engine.listen.destination import DESTINATIONS
from flowdump.engine.relay import tcp as engine_tunnel
from flowdump.engine.upstream.destination import Destination
from flowdump.exceptions import ControlException
from flowdump.tcp import TCPFlow


def contents(flow: Any) -> list[tuple[bool, bytes]]:
    """The messages of a flow, neighbours of one direction joined."""
    joined: list[tuple[bool, bytes]] = []
    for message in flow.messages:
        if joined and joined[-1][0] == message.from_client:
            joined[-1] = (message.from_client, joined[-1][1] + message.content)
        else:
            joined.append((message.from_client, message.content))
    return joined


class Noting:
    """Notes the events of TCP flows."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def tcp_start(self, flow: TCPFlow) -> None:
        self.seen.append("start")

    def tcp_message(self, flow: TCPFlow) -> None:
        self.seen.append("client" if flow.messages[-1].from_client else "server")

    def tcp_end(self, flow: TCPFlow) -> None:
        self.seen.append("end")

    def tcp_error(self, flow: TCPFlow) -> None:
        self.seen.append("error")


async def enter(proxy: Running, way: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if way == "connect":
        return await tunnel(proxy, f"127.0.0.1:{port}")
    if way == "socks5":
        return await socks(proxy, "127.0.0.1", port)
    return await proxy.connect()


def mode(way: str, port: int) -> list[str]:
    return [{"connect": "regular", "reverse": f"reverse:tcp://127.0.0.1:{port}"}.get(way, way)]


WAYS = ["connect", "socks5", "reverse"]


@pytest.mark.parametrize("way", WAYS)
def test_a_client_that_speaks_first(way: str) -> None:
    noting = Noting()

    async def scenario() -> None:
        async with serving(echo) as server, running(noting, mode=mode(way, server.port)) as proxy:
            reader, writer = await enter(proxy, way, server.port)
            writer.write(b"\0\1binary")
            assert await reader.readexactly(8) == b"\0\1binary"
            writer.write_eof()
            assert await reader.read() == b""
            await close(writer)
            await proxy.wait_for_flows()
            assert contents(proxy.flow) == [(True, b"\0\1binary"), (False, b"\0\1binary")]
            assert proxy.flow.error is None
            assert proxy.flow.server_conn.peername == ("127.0.0.1", server.port)
            assert proxy.flow.client_conn.proxy_mode == proxy.proxy.options.mode[0]

    run(scenario())
    assert noting.seen == ["start", "client", "server", "end"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.usefixtures("_silent")
def test_a_server_that_speaks_first(way: str) -> None:
    noting = Noting()

    async def scenario() -> None:
        async with serving(greet) as server, running(noting, mode=mode(way, server.port)) as proxy:
            reader, writer = await enter(proxy, way, server.port)
            assert await reader.readline() == b"220 hello\r\n"
            writer.write(b"HELO me\r\n")
            assert await reader.readline() == b"250 HELO me\r\n"
            assert await reader.read() == b""
            await close(writer)
            await proxy.wait_for_flows()
            assert contents(proxy.flow) == [
                (False, b"220 hello\r\n"),
                (True, b"HELO me\r\n"),
                (False, b"250 HELO me\r\n"),
            ]
            assert server.count == 1

    run(scenario())
    assert noting.seen == ["start", "server", "client", "server", "end"]


async def test_a_slow_http_client_is_still_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server was connected to because the client was silent; that connection serves the request."""
    monkeypatch.setattr("flowdump.engine.listen.first_bytes.SILENCE", 0.01)
    connected = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.set()
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
        await reader.read()

    async with serving(answer) as server, running() as proxy:
        reader, writer = await tunnel(proxy, f"127.0.0.1:{server.port}")
        await connected.wait()
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert (await reader.read()).endswith(b"hi")
        await close(writer)
        await proxy.wait_for_flows()
        assert proxy.flow.response is not None
        assert server.count == 1


async def test_a_slow_tls_client_is_still_one(monkeypatch: pytest.MonkeyPatch, pki: Authorities) -> None:
    monkeypatch.setattr("flowdump.engine.listen.first_bytes.SILENCE", 0.01)
    connected = asyncio.Event()

    class Watch:
        def server_connected(self, data: Any) -> None:
            connected.set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
        await reader.read()

    async with serving(answer, ssl=pki.serve("example.com")) as server, running(Watch(), **pki.trust) as proxy:
        reader, writer = await tunnel(proxy, f"127.0.0.1:{server.port}")
        await connected.wait()
        await writer.start_tls(trusting(), server_hostname="example.com")
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert (await reader.read()).endswith(b"hi")
        await close(writer)
        await proxy.wait_for_flows()
        assert proxy.flow.server_conn.tls_established
        assert server.count == 1


@pytest.mark.parametrize("way", ["connect", "socks5"])
async def test_tcp_inside_tls(way: str, pki: Authorities) -> None:
    async with (
        serving(echo, ssl=pki.serve("example.com")) as server,
        running(mode=mode(way, server.port), **pki.trust) as proxy,
    ):
        reader, writer = await enter(proxy, way, server.port)
        await writer.start_tls(trusting(), server_hostname="example.com")
        writer.write(b"\0secret")
        assert await reader.readexactly(7) == b"\0secret"
        await close(writer)
        await proxy.wait_for_flows()
        flow = proxy.flow
        assert contents(flow) == [(True, b"\0secret"), (False, b"\0secret")]
        assert flow.client_conn.tls_established
        assert flow.server_conn.tls_established


@pytest.mark.usefixtures("_silent")
async def test_a_server_that_speaks_first_inside_tls(pki: Authorities) -> None:
    """IMAPS and the like."""

    async with serving(greet, ssl=pki.serve("example.com")) as server, running(**pki.trust) as proxy:
        reader, writer = await tunnel(proxy, f"127.0.0.1:{server.port}")
        await writer.start_tls(trusting(), server_hostname="example.com")
        assert await reader.readline() == b"220 hello\r\n"
        writer.write(b"x\r\n")
        assert await reader.readline() == b"250 x\r\n"
        await close(writer)
        await proxy.wait_for_flows()
        assert contents(proxy.flow)[0] == (False, b"220 hello\r\n")
        assert server.count == 1


@pytest.mark.parametrize("way", ["connect", "lazy", "reverse"])
async def test_what_is_no_http_by_alpn_is_agreed_on_as_it_was_offered(way: str, pki: Authorities) -> None:
    """A server may insist on it, as those of PostgreSQL do; and what is said inside may look like HTTP."""

    context = pki.serve("localhost")
    context.set_alpn_protocols(["http/1.1", "imap"])
    options: dict[str, Any] = {"connection_strategy": "lazy"} if way == "lazy" else {}
    async with serving(echo, ssl=context) as server:
        if way == "reverse":
            options["mode"] = [f"reverse:tls://localhost:{server.port}"]
        async with running(**pki.trust, **options) as proxy:
            target = f"localhost:{server.port}"
            reader, writer = await (proxy.connect() if way == "reverse" else tunnel(proxy, target))
            client = with_alpn("imap") if way == "lazy" else with_alpn("unheard-of", "imap")
            client.check_hostname = False
            await writer.start_tls(client, server_hostname="localhost")
            assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "imap"
            writer.write(b"a1 NOOP HTTP/1.1\r\n\r\n")
            assert await reader.readexactly(20) == b"a1 NOOP HTTP/1.1\r\n\r\n"
            await close(writer)
            await proxy.wait_for_flows()
            assert (proxy.flow.type, proxy.flow.server_conn.alpn, server.count) == ("tcp", b"imap", 1)


async def test_tcp_hosts_intercepts_tls_and_relays_what_is_inside(pki: Authorities) -> None:
    async with serving(echo, ssl=pki.serve("example.com")) as server, running(tcp_hosts=["127"], **pki.trust) as proxy:
        reader, writer = await tunnel(proxy, f"127.0.0.1:{server.port}")
        await writer.start_tls(trusting(), server_hostname="example.com")
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        assert await reader.readexactly(18) == b"GET / HTTP/1.1\r\n\r\n"
        await close(writer)
        await proxy.wait_for_flows()
        assert contents(proxy.flow)[0] == (True, b"GET / HTTP/1.1\r\n\r\n")


async def test_rawtcp_off_is_http_or_nothing() -> None:
    async with serving(echo) as server, running(rawtcp=False) as proxy:
        reader, writer = await tunnel(proxy, f"127.0.0.1:{server.port}")
        writer.write(b"\0\1binary\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
        await close(writer)
        assert server.count == 0


@pytest.mark.parametrize("way", WAYS)
def test_a_server_that_cannot_be_had_is_recorded(way: str) -> None:
    noting = Noting()

    async def scenario() -> None:
        async with running(noting, mode=mode(way, 1)) as proxy:
            reader, writer = await enter(proxy, way, 1)
            writer.write(b"\0hello")
            with suppress(ConnectionError):
                assert await reader.read() == b""
            await close(writer)
            await proxy.wait_for_flows()
            assert "Connection refused" in str(proxy.flow.error)
            assert proxy.flow.server_conn.address == ("127.0.0.1", 1)

    run(scenario())
    assert noting.seen == ["error"]


class Editing:
    def tcp_message(self, flow: TCPFlow) -> None:
        message = flow.messages[-1]
        message.content = message.content.replace(b"secret", b"public")
        if message.content == b"drop":
            message.content = b""


async def test_a_script_edits_and_drops_messages() -> None:
    async with serving(echo) as server, running(Editing(), mode=[f"reverse:tcp://127.0.0.1:{server.port}"]) as proxy:
        reader, writer = await proxy.connect()
        writer.write(b"my secret")
        assert await reader.readexactly(9) == b"my public"
        writer.write(b"drop")
        await asyncio.sleep(0.02)
        writer.write(b"kept")
        assert await reader.readexactly(4) == b"kept"
        await close(writer)
        await proxy.wait_for_flows()
        assert contents(proxy.flow)[0] == (True, b"my public")


async def test_what_is_no_bytes_is_made_bytes_or_told() -> None:
    class Mistaken:
        def tcp_message(self, flow: TCPFlow) -> None:
            made: dict[bytes, Any] = {b"text": "t\u20ac", b"array": bytearray(b"[]"), b"none": None}
            content = flow.messages[-1].content
            flow.messages[-1].content = made.get(content, content)

    async with serving(echo) as server, running(Mistaken(), mode=mode("reverse", server.port)) as proxy:
        reader, writer = await proxy.connect()
        for sent, got in ((b"text", "t\u20ac".encode()), (b"array", b"[]"), (b"none", b"none"), (b"ok", b"ok")):
            writer.write(sent)
            assert await reader.readexactly(len(got)) == got
        await close(writer)
        await proxy.wait_for_flows()
        assert [c for by_client, c in contents(proxy.flow) if by_client] == ["t\u20ac".encode(), b"[]", b"none", b"ok"]
        assert [line.rpartition("): ")[2] for line in proxy.log] == [
            "a script set the content of a message to NoneType, not bytes: not changed"
        ]


class Holding:
    """Keeps the flow, for the test to act on it."""

    def __init__(self) -> None:
        self.flow: Any = None
        self.came = asyncio.Event()

    def tcp_message(self, flow: TCPFlow) -> None:
        self.flow = flow
        self.came.set()


@pytest.mark.parametrize("thread", [False, True])
async def test_injection(thread: bool) -> None:
    holding, seen = Holding(), bytearray()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(100):
            seen.extend(data)
            writer.write(b"ok")

    async with serving(listen) as server, running(holding, mode=[f"reverse:tcp://127.0.0.1:{server.port}"]) as proxy:
        reader, writer = await proxy.connect()
        writer.write(b"one")
        assert await reader.readexactly(2) == b"ok"
        flow = holding.flow
        for to_client, content in ((True, b"<injected>"), (False, b"two")):
            if thread:
                await asyncio.to_thread(flow.live.inject_tcp, flow, to_client, content)
            else:
                flow.live.inject_tcp(flow, to_client, content)
        assert await reader.readexactly(12) == b"<injected>ok"
        assert seen == b"onetwo"
        live = flow.live
        await close(writer)
        await proxy.wait_for_flows()
        assert contents(proxy.flow) == [(True, b"one"), (False, b"ok<injected>"), (True, b"two"), (False, b"ok")]
        with pytest.raises(ControlException):
            live.inject_tcp(flow, True, b"late")


async def test_a_killed_flow_is_cut_on_both_sides() -> None:
    holding, broken = Holding(), asyncio.Event()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.read(100)
            await reader.read(100)
        finally:
            broken.set()

    async with serving(listen) as server, running(holding, mode=[f"reverse:tcp://127.0.0.1:{server.port}"]) as proxy:
        reader, writer = await proxy.connect()
        writer.write(b"one")
        await holding.came.wait()
        await asyncio.to_thread(holding.flow.kill)
        with pytest.raises(ConnectionError):
            await reader.read()
        await broken.wait()
        await close(writer)
        await proxy.wait_for_flows()
        assert str(proxy.flow.error) == "Connection killed."


@pytest.mark.parametrize("ignored", [False, True])
def test_a_connection_that_the_end_of_the_proxy_cuts_has_its_last_events(ignored: bool) -> None:
    class Last(Noting):
        def server_disconnected(self, data: Any) -> None:
            self.seen.append("disconnected")

    noting = Last()

    async def scenario() -> None:
        options = {"ignore_hosts": ["."]} if ignored else {}
        async with serving(echo) as server, running(noting, **options) as proxy:
            reader, writer = await enter(proxy, "connect", server.port)
            writer.write(b"\0one")
            assert await reader.readexactly(4) == b"\0one"
            await proxy.proxy.stop(0)
            if ignored:
                assert proxy.flows == []
            else:
                assert "shut down" in proxy.flows[0].error.msg
            await close(writer)

    run(scenario())
    assert noting.seen == (["disconnected"] if ignored else ["start", "client", "server", "error", "disconnected"])


async def test_an_intercepted_message_waits() -> None:
    class Intercepting(Holding):
        def tcp_message(self, flow: TCPFlow) -> None:
            if flow.messages[-1].from_client:
                flow.intercept()
            super().tcp_message(flow)

    holding = Intercepting()
    async with serving(echo) as server, running(holding, mode=[f"reverse:tcp://127.0.0.1:{server.port}"]) as proxy:
        reader, writer = await proxy.connect()
        writer.write(b"one")
        await holding.came.wait()
        await asyncio.sleep(0.05)
        assert len(holding.flow.messages) == 1
        holding.flow.resume()
        assert await reader.readexactly(3) == b"one"
        await close(writer)
        await proxy.wait_for_flows()


@pytest.mark.parametrize("way", WAYS)
async def test_half_close_in_either_direction(way: str) -> None:
    async def until_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"%d bytes" % len(await reader.read()))
        await writer.drain()

    async with serving(until_end) as server, running(mode=mode(way, server.port)) as proxy:
        reader, writer = await enter(proxy, way, server.port)
        writer.write(b"\0" * 100_000)
        writer.write_eof()
        assert await reader.read() == b"100000 bytes"
        await close(writer)
        await proxy.wait_for_flows()
        assert proxy.flow.error is None


async def test_an_idle_connection_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowdump.engine.listen.proxy.TICK", 0.05)

    async with (
        serving(echo) as server,
        running(mode=[f"reverse:tcp://127.0.0.1:{server.port}"], tcp_timeout=1) as proxy,
    ):
        reader, writer = await proxy.connect()
        writer.write(b"x")
        assert await reader.readexactly(1) == b"x"
        with pytest.raises(ConnectionError):
            await reader.read()
        await close(writer)
        await proxy.wait_for_flows()
        assert "idle" in str(proxy.flow.error)


async def test_a_long_flow_keeps_its_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_tunnel, "KEPT", 10_000)

    async with serving(echo) as server, running(mode=[f"reverse:tcp://127.0.0.1:{server.port}"]) as proxy:
        reader, writer = await proxy.connect()
        for number in range(100):
            piece = b"%03d" % number + b"." * 997
            writer.write(piece)
            assert await reader.readexactly(1000) == piece
        await close(writer)
        await proxy.wait_for_flows()
        flow: Any = proxy.flow
        kept = sum(len(message.content) for message in flow.messages)
        assert kept <= 12_000
        assert flow.messages[0].content.startswith(b"000")
        assert flow.messages[-1].content.startswith(b"099")
        assert kept + flow.metadata["left_out"] == 200_000


async def test_a_reader_that_stalls_stops_the_sender() -> None:
    """What neither side takes stays with the sender."""
    size = 64 * 1024 * 1024

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"!" * size)
        await writer.drain()

    async with serving(flood) as server, running(mode=[f"reverse:tcp://127.0.0.1:{server.port}"]) as proxy:
        reader, writer = await proxy.connect()
        await reader.readexactly(1)
        await asyncio.sleep(0.3)
        (relay,) = next(iter(proxy.proxy.sessions.values())).context.relays.values()
        passed = sum(len(message.content) for message in relay._flow.messages)
        assert passed < 24 * 1024 * 1024
        total = 1
        while data := await reader.read(1 << 20):
            total += len(data)
        assert total == size
        await close(writer)
        await proxy.wait_for_flows()


async def test_lazy_waits_for_the_client_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowdump.engine.listen.first_bytes.SILENCE", 0.01)

    async with serving(greet) as server, running(connection_strategy="lazy") as proxy:
        reader, writer = await tunnel(proxy, f"127.0.0.1:{server.port}")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.2)
        assert server.count == 0
        await close(writer)


@pytest.mark.parametrize("speaks_tls", [False, True])
async def test_reverse_tls_takes_either_client(
    speaks_tls: bool, pki: Authorities, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server gets TLS; the client may speak it, or not. One that does not is silent until the server speaks."""
    if not speaks_tls:
        monkeypatch.setattr("flowdump.engine.listen.first_bytes.SILENCE", 0.05)
    async with (
        serving(greet, ssl=pki.serve("localhost")) as server,
        running(mode=[f"reverse:tls://localhost:{server.port}"], **pki.trust) as proxy,
    ):
        reader, writer = await proxy.connect()
        if speaks_tls:
            await writer.start_tls(trusting(check_hostname=False), server_hostname="whatever.example")
        assert await reader.readline() == b"220 hello\r\n"
        writer.write(b"GET / HTTP/1.1\r\n")
        assert await reader.readline() == b"250 GET / HTTP/1.1\r\n"
        await close(writer)
        await proxy.wait_for_flows(1)
        assert proxy.flow.server_conn.tls_established
        assert proxy.flow.client_conn.tls_established is speaks_tls
        assert proxy.flow.server_conn.sni == "localhost"


async def test_connections_are_made_from_the_address_that_was_chosen() -> None:
    async def who(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(writer.get_extra_info("peername")[0].encode())
        await writer.drain()

    async with (
        serving(who) as server,
        running(mode=[f"reverse:tcp://127.0.0.1:{server.port}"], connect_addr="127.0.0.2") as proxy,
    ):
        reader, writer = await proxy.connect()
        assert await reader.read() == b"127.0.0.2"
        await close(writer)
        await proxy.wait_for_flows()
        assert proxy.flow.server_conn.sockname[0] == "127.0.0.2"


async def test_an_address_of_the_other_ip_version_is_told() -> None:
    async with running(mode=["reverse:tcp://127.0.0.1:1"], connect_addr="::1") as proxy:
        await proxy.send(b"x")
        await proxy.wait_for_flows()
        assert proxy.flow.error is not None
        assert proxy.flow.error.msg == "cannot connect to 127.0.0.1:1: connect_addr ::1 is of the other IP version"


@pytest.mark.parametrize("inside_tls", [False, True])
async def test_raw_tcp_cannot_be_asked_for_credentials(inside_tls: bool) -> None:
    """What cannot be asked is not let in, in a mode where a client of HTTP would be asked."""

    async with serving(echo) as server, running(mode=["transparent"], proxyauth="a:b") as proxy:
        destination = Destination("127.0.0.1", server.port, tls=False)

        async def find(context: Any, stream: Any) -> Destination:
            return destination

        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(DESTINATIONS, "transparent", find)
            reader, writer = await proxy.connect()
            if inside_tls:
                await writer.start_tls(trusting(check_hostname=False), server_hostname="a.example")
            writer.write(b"\0hello")
            with suppress(ConnectionError):
                assert await reader.read() == b""
            await close(writer)
            await proxy.wait_for_flows()
            assert proxy.flow.error is not None
