"""WebSockets through a running proxy: messages, events, edits, ends. Both peers are scripted, frame by frame."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from tests.support.asynchronous import PATIENCE
from tests.support.http1 import OK, get
from tests.support.live import Running, assert_quiet, origin, running, until
from tests.support.websocket import (
    DEFLATE,
    MASK,
    Watch,
    Wire,
    close,
    deflater,
    ending,
    frame,
    inflater,
    messages,
    until_close,
    wires,
)

from flowdump.engine.websocket import relay as relaying
from flowdump.exceptions import ControlException
from flowdump.http import HTTPFlow, Response

# -- messages pass ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("addon", [None, Watch()], ids=["nobody listens", "somebody listens"])
async def test_messages_pass_and_are_recorded(addon: Watch | None) -> None:
    async with running(*[addon] if addon else []) as proxy:
        async with wires(proxy) as (client, server):
            client.send(0x81, "grün".encode())
            assert await server.read() == (0x81, "grün".encode())
            server.send(0x82, b"\xff\x00")
            assert await client.read() == (0x82, b"\xff\x00")
            client.send(0x82)
            assert await server.read() == (0x82, b"")
            await close(client, server, 1000, b"bye")
            assert await client.rest() == b""
            assert await server.rest() == b""
        await proxy.wait_for_flows()
        assert messages(proxy) == [(1, True, "grün".encode()), (2, False, b"\xff\x00"), (2, True, b"")]
        assert ending(proxy) == (True, 1000, "bye")
        assert proxy.flow.error is None
        assert proxy.flow.response is not None
        assert proxy.flow.response.status_code == 101
        assert not proxy.log
    if addon:
        expected = ["request", "response", "websocket_start", *["websocket_message"] * 3, "websocket_end"]
        assert addon.events == expected


@pytest.mark.parametrize("options", [{}, {"stream_websockets": True}], ids=["whole", "streamed"])
@pytest.mark.parametrize("addon", [None, Watch()], ids=["nobody listens", "somebody listens"])
async def test_what_nobody_changes_goes_on_byte_for_byte(options: dict[str, Any], addon: Watch | None) -> None:
    pack = deflater()
    compressed = pack(b"Hello" * 20)
    sent = [
        frame(0x81, b"small", b"abcd"),
        frame(0x02, b"frag") + frame(0x00) + frame(0x80, b"ments"),
        frame(0x82, bytes(200_000), b"wxyz"),
        frame(0x41, compressed[:4], MASK) + frame(0x89, b"ping", MASK) + frame(0x80, compressed[4:], MASK),
        frame(0xC1, pack(b"Hello" * 20), MASK),
        frame(0x8A, b"unasked", MASK),
        frame(0x88, b"\x03\xe8", MASK),
    ]
    sent[1] = b"".join(frame(first, part, MASK) for first, part in ((0x02, b"frag"), (0x00, b""), (0x80, b"ments")))
    expected = [*sent]
    if not options:  # the ping does not wait for the end of the message
        expected[3] = frame(0x89, b"ping", MASK) + frame(0x41, compressed[:4], MASK) + frame(0x80, compressed[4:], MASK)

    async with running(*[addon] if addon else [], **options) as proxy:
        async with wires(proxy, DEFLATE) as (client, server):
            client.writer.write(b"".join(sent))
            wire = b"".join(expected)
            assert await server.reader.readexactly(len(wire)) == wire
            server.close()
            assert await server.rest() == b""
        await proxy.wait_for_flows()
        assert [content for _, _, content in messages(proxy)] == [
            b"small", b"fragments", bytes(200_000), b"Hello" * 20, b"Hello" * 20,
        ]  # fmt: skip


async def test_frames_that_came_with_the_handshake_are_not_lost() -> None:
    async with running() as proxy, wires(proxy) as (client, server):
        server.writer.write(frame(0x81, b"early") * 3)
        for _ in range(3):
            assert await client.read() == (0x81, b"early")
        await close(client, server)


async def test_websocket_false_relays_raw() -> None:
    addon = Watch()
    async with running(addon, websocket=False) as proxy:
        async with wires(proxy) as (client, server):
            client.writer.write(b"\xff\xff\xffany bytes")
            assert await server.reader.readexactly(12) == b"\xff\xff\xffany bytes"
            client.writer.write_eof()
            server.writer.write_eof()
            assert await client.rest() == b""
        await proxy.wait_for_flows()
        assert proxy.flow.websocket is None
    assert addon.events == ["request", "response"]


@pytest.mark.parametrize("extensions", [b"x-unheard-of", b"permessage-deflate; level=9"])
async def test_extensions_that_are_not_understood_are_relayed_raw(extensions: bytes) -> None:
    async with running() as proxy:
        async with wires(proxy, extensions) as (client, server):
            client.writer.write(b"\xf3\xff\xffany bytes")
            assert await server.reader.readexactly(12) == b"\xf3\xff\xffany bytes"
            client.writer.write_eof()
            server.writer.write_eof()
            assert await client.rest() == b""
        await proxy.wait_for_flows()
        assert proxy.flow.websocket is None
        assert any("not understood" in line and "/chat" in line for line in proxy.log)


async def test_a_script_may_refuse_the_switch() -> None:
    """What it answers instead is sent, and the connection to the server is not used again."""
    switch = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"

    class Refuse:
        def response(self, flow: HTTPFlow) -> None:
            if flow.response is not None and flow.response.status_code == 101:
                flow.response = Response.make(403, b"no")

    async with origin(switch, OK) as server, running(Refuse()) as proxy:
        ask = get(server.port, "/", "Upgrade: websocket", "Connection: Upgrade", close=False)
        reply = await proxy.send(ask + get(server.port))
        assert reply.startswith(b"HTTP/1.1 403 ")
        assert reply.endswith(b"hi")
        assert len(server.requests) == 2
        assert proxy.flows[0].websocket is None


# -- scripts ---------------------------------------------------------------------------------------------------------


def replaced(old: bytes, new: bytes) -> Callable[[Any], None]:
    def change(message: Any) -> None:
        message.content = message.content.replace(old, new)

    return change


async def test_an_edit_of_the_same_length_keeps_the_fragments() -> None:
    async with running(Watch(replaced(b"foo", b"bar"))) as proxy, wires(proxy) as (client, server):
        for wire, other in ((client, server), (server, client)):
            wire.send(0x01, b"a fo")
            wire.send(0x00, b"o")
            wire.send(0x80, b" b")
            assert [await other.read() for _ in range(3)] == [(0x01, b"a ba"), (0x00, b"r"), (0x80, b" b")]
        await close(client, server)


async def test_an_edit_of_another_length_is_one_frame() -> None:
    async with running(Watch(replaced(b"foo", b"longer"))) as proxy:
        async with wires(proxy) as (client, server):
            client.send(0x01, b"fo")
            client.send(0x80, b"o")
            assert await server.read() == (0x81, b"longer")
            client.send(0x82, b"foo" * 50_000)
            assert await server.read() == (0x82, b"longer" * 50_000)
            client.send(0x82, b"unchanged")
            assert await server.read() == (0x82, b"unchanged")
            await close(client, server)
        await proxy.wait_for_flows()
        assert messages(proxy)[0] == (1, True, b"longer")


async def test_dropped_messages_do_not_arrive_and_are_recorded() -> None:
    def change(message: Any) -> None:
        if b"drop" in message.content:
            message.drop()

    async with running(Watch(change)) as proxy:
        async with wires(proxy) as (client, server):
            for content in (b"one", b"drop me", b"two"):
                client.send(0x81, content)
            assert [await server.read() for _ in range(2)] == [(0x81, b"one"), (0x81, b"two")]
            await close(client, server)
        await proxy.wait_for_flows()
        assert proxy.flow.websocket is not None
        assert [message.dropped for message in proxy.flow.websocket.messages] == [False, True, False]


@pytest.mark.parametrize("how", ["edited", "dropped"])
async def test_what_follows_a_change_is_compressed_anew(how: str) -> None:
    """The next compressed message may refer to what the receiver has never seen."""

    def change(message: Any) -> None:
        if message.content.startswith(b"change"):
            if how == "dropped":
                message.drop()
            else:
                message.content = b"something else"

    async with running(Watch(change)) as proxy, wires(proxy, DEFLATE) as (client, server):
        pack, unpack = deflater(), inflater()
        text = b"a text that is referred to, again and again"
        for content in (text, b"change: " + text, text, text):
            client.send(0xC1, pack(content))
        expected = [text, *[b"something else"] * (how == "edited"), text, text]
        for content in expected:
            first, payload = await server.read()
            assert first == 0xC1
            assert unpack(payload) == content
        client.send(0x81, b"plain")
        assert await server.read() == (0x81, b"plain")
        await close(client, server)


async def test_without_context_only_what_is_changed_is_compressed_anew() -> None:
    extensions = DEFLATE + b"; client_no_context_takeover"

    async with running(Watch(replaced(b"foo", b"bar"))) as proxy, wires(proxy, extensions) as (client, server):
        client.send(0xC1, deflater()(b"foo"))
        first, payload = await server.read()
        assert (first, inflater()(payload)) == (0xC1, b"bar")
        stored = b"\x00\x05\x00\xfa\xffHello\x00"
        client.send(0xC1, stored)
        assert await server.read() == (0xC1, stored)
        await close(client, server)


async def test_a_script_may_take_compression_from_one_side() -> None:
    class Plain:
        def response(self, flow: HTTPFlow) -> None:
            assert flow.response is not None
            flow.response.headers.pop("sec-websocket-extensions", None)

    async with running(Plain()) as proxy, wires(proxy, DEFLATE) as (client, server):
        pack = deflater()
        for n in range(3):
            client.send(0x81, b"Hello %d" % n)  # is allowed where compression was agreed on
            assert await server.read() == (0x81, b"Hello %d" % n)
            server.send(0xC1, pack(b"World %d" % n))
            assert await client.read() == (0x81, b"World %d" % n)
        await close(client, server)


async def test_what_cannot_be_sent_is_put_right_and_said() -> None:
    def change(message: Any) -> None:
        kind = message.content
        message.content = {b"str": "grün", b"lone": "\ud800", b"bytearray": bytearray(b"array"), b"none": None}.get(
            kind, kind
        )
        if kind == b"type":
            message.type = 9

    async with running(Watch(change)) as proxy:
        async with wires(proxy) as (client, server):
            for content in (b"str", b"lone", b"bytearray", b"none", b"type"):
                client.send(0x81, content)
            got = [await server.read() for _ in range(5)]
            assert [payload for _, payload in got] == ["grün".encode(), b"?", b"array", b"none", b"type"]
            await close(client, server)
        await proxy.wait_for_flows()
        assert all(type(content) is bytes for _, _, content in messages(proxy))
        assert [line for line in proxy.log if "NoneType" in line]
        assert [line for line in proxy.log if "type of a message to 9" in line]


async def test_a_held_message_waits_and_is_the_last_one_meanwhile() -> None:
    class Hold:
        def __init__(self) -> None:
            self.flow: HTTPFlow | None = None
            self.seen: list[bytes] = []
            self.held = asyncio.Event()

        async def websocket_message(self, flow: HTTPFlow) -> None:
            assert flow.websocket is not None
            message = flow.websocket.messages[-1]
            self.seen.append(message.content)
            if message.content == b"hold":
                flow.intercept()
                self.flow = flow
                self.held.set()

    addon = Hold()
    async with running(addon) as proxy, wires(proxy) as (client, server):
        client.send(0x81, b"hold")
        await addon.held.wait()
        server.send(0x81, b"other way")
        client.send(0x89, b"after")
        flow = addon.flow
        assert flow is not None
        assert flow.websocket is not None
        await asyncio.sleep(0.05)  # nothing is to happen
        assert [m.content for m in flow.websocket.messages] == [b"hold"]
        flow.websocket.messages[-1].content = b"held"
        threading.Thread(target=flow.resume).start()
        assert await server.read() == (0x81, b"held")
        assert await server.read() == (0x89, b"after")
        assert await client.read() == (0x81, b"other way")
        assert addon.seen == [b"hold", b"other way"]
        await close(client, server)


@pytest.mark.parametrize("when", ["in its event", "later", "while it is held"])
async def test_a_killed_flow_is_cut_on_both_sides(when: str) -> None:
    class Kill(Watch):
        def websocket_message(self, flow: HTTPFlow) -> None:
            super().websocket_message(flow)
            if when == "in its event":
                flow.kill()
            elif when == "while it is held":
                flow.intercept()
                asyncio.get_running_loop().call_soon(flow.kill)
            else:
                asyncio.get_running_loop().call_later(0.01, flow.kill)

    addon = Kill()
    async with running(addon) as proxy:
        async with wires(proxy) as (client, server):
            client.send(0x81, b"a")
            assert (await server.rest()) in (b"", frame(0x81, b"a", MASK))
            assert await client.rest() == b""
        await proxy.wait_for_flows()
        assert ending(proxy) == (None, 1006, "")
        assert proxy.flow.error is not None
        assert proxy.flow.error.msg == "Connection killed."
    assert addon.events[-3:] == ["websocket_message", "websocket_end", "error"]


class Narrow:
    """A stream with nothing but what the relay may use: HTTP/2 gives it one of this shape."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    NAMES = (
        "buffer", "more", "take", "consumed", "write", "drain", "write_eof", "close", "abort", "clogged", "at_eof",
        "peer", "idle_limit",
    )  # fmt: skip

    def __getattr__(self, name: str) -> Any:
        assert name in self.NAMES
        return getattr(self._stream, name)

    def __setattr__(self, name: str, value: Any) -> None:
        assert name in ("_stream", "idle_limit")
        if name == "_stream":
            object.__setattr__(self, name, value)
        else:
            setattr(self._stream, name, value)


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("end", ["close", "violation", "leave"])
async def test_the_relay_uses_little_of_a_stream(monkeypatch: pytest.MonkeyPatch, streamed: bool, end: str) -> None:
    relay = relaying.relay

    async def narrow(session: Any, client: Any, server: Any, *more: Any) -> None:
        await relay(session, Narrow(client), Narrow(server), *more)  # type: ignore[arg-type]

    monkeypatch.setattr(relaying, "relay", narrow)

    async with running(Watch(), stream_websockets=streamed) as proxy, wires(proxy) as (client, server):
        client.send(0x82, bytes(100_000))
        assert await server.read() == (0x82, bytes(100_000))
        if end == "close":
            await close(client, server)
            return
        if end == "violation":
            client.send(0x83)
        else:
            next(iter(proxy.proxy.sessions.values())).context.leave()
        for wire in (client, server):
            await until_close(wire)
            wire.writer.close()


# -- injection -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("extensions", [b"", DEFLATE])
@pytest.mark.parametrize("streamed", [False, True])
async def test_messages_can_be_injected(extensions: bytes, streamed: bool) -> None:
    flows: list[HTTPFlow] = []

    class Inject(Watch):
        def websocket_message(self, flow: HTTPFlow) -> None:
            super().websocket_message(flow)
            assert flow.websocket is not None
            message = flow.websocket.messages[-1]
            flows.append(flow)
            if message.content == b"inject":
                flow.live.inject_websocket(flow, True, b"to the client")

    addon = Inject()
    async with running(addon, stream_websockets=streamed) as proxy:
        async with wires(proxy, extensions) as (client, server):
            client.send(0x81, b"inject")
            assert await server.read() == (0x81, b"inject")
            assert await client.read() == (0x81, b"to the client")
            flow = flows[0]
            inject = flow.live.inject_websocket
            with pytest.raises(TypeError):
                inject(flow, False, 5)
            threading.Thread(target=inject, args=(flow, False, b"\xff", False)).start()
            assert await server.read() == (0x82, b"\xff")
            await close(client, server)
        await proxy.wait_for_flows()
        websocket = proxy.flow.websocket
        assert websocket is not None
        assert [m.get_state()[:3] + m.get_state()[5:] for m in websocket.messages] == [
            (1, True, b"inject", False),
            (1, False, b"to the client", True),
            (2, True, b"\xff", True),
        ]
        with pytest.raises(ControlException, match="no open WebSocket"):
            inject(flow, True, b"too late")


async def test_a_streamed_message_is_not_torn_by_an_injected_one() -> None:
    flows: list[HTTPFlow] = []

    class Start:
        def websocket_start(self, flow: HTTPFlow) -> None:
            flows.append(flow)

    async with running(Start(), stream_websockets=True) as proxy, wires(proxy) as (client, server):
        client.send(0x01, b"begin")
        assert await server.read() == (0x01, b"begin")
        flows[0].live.inject_websocket(flows[0], False, b"injected")
        client.send(0x89, b"ping")
        assert await server.read() == (0x89, b"ping")
        client.send(0x80, b"end")
        assert await server.read() == (0x80, b"end")
        assert await server.read() == (0x81, b"injected")
        await close(client, server)


async def test_what_waits_to_be_injected_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relaying, "MAX_INJECTED", 5)

    class Flood:
        def websocket_message(self, flow: HTTPFlow) -> None:
            assert flow.websocket is not None
            if len(flow.websocket.messages) == 1:
                for n in range(20):
                    flow.live.inject_websocket(flow, True, b"%d" % n)

    async with running(Flood()) as proxy:
        async with wires(proxy) as (client, server):
            client.send(0x81, b"a")
            got = [await client.read() for _ in range(5)]
            assert got == [(0x81, b"%d" % n) for n in range(5)]
            await close(client, server)
        assert len([line for line in proxy.log if "injected" in line]) == 1


# -- streaming -------------------------------------------------------------------------------------------------------


async def test_streamed_frames_go_on_before_the_message_is_complete() -> None:
    def change(message: Any) -> None:
        message.content = b"b"
        message.type = 2
        message.drop()

    async with running(Watch(change), stream_websockets=True) as proxy:
        async with wires(proxy) as (client, server):
            client.send(0x01, b"a")
            assert await server.read() == (0x01, b"a")
            large = frame(0x80, b"c" * 100_000, MASK)
            client.writer.write(large[:50_000])
            assert await server.reader.readexactly(50_000) == large[:50_000]
            client.writer.write(large[50_000:])
            assert await server.reader.readexactly(len(large) - 50_000) == large[50_000:]
            client.send(0x81, b"a")
            assert await server.read() == (0x81, b"a")
            await close(client, server)
        await proxy.wait_for_flows()
        assert messages(proxy) == [(1, True, b"a" + b"c" * 100_000), (1, True, b"a")]
        assert len([line for line in proxy.log if "no effect" in line]) == 1
        assert proxy.flow.websocket is not None
        assert not any(message.dropped for message in proxy.flow.websocket.messages)


async def test_streamed_messages_are_recorded_in_part() -> None:
    async with running(stream_websockets=True, websocket_message_limit="1k") as proxy:
        async with wires(proxy) as (client, server):
            for _ in range(2):
                client.send(0x82, bytes(100_000))
                assert await server.read() == (0x82, bytes(100_000))
            await close(client, server)
        await proxy.wait_for_flows()
        assert [content for _, _, content in messages(proxy)] == [bytes(1024)] * 2
        assert len([line for line in proxy.log if "in part" in line]) == 1


# -- ends ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("by_client", [True, False])
@pytest.mark.parametrize(
    ("payload", "code", "reason"),
    [(b"", 1005, ""), (b"\x03\xe8", 1000, ""), (b"\x0f\xa1gr\xc3\xbcn", 4001, "grün"), (b"\x03\xe9", 1001, "")],
)
async def test_the_close_frame_is_mirrored(
    payload: bytes, code: int, reason: str, by_client: bool, streamed: bool
) -> None:
    async with running(stream_websockets=streamed) as proxy:
        async with wires(proxy) as (client, server):
            first, second = (client, server) if by_client else (server, client)
            first.send(0x88, payload)
            assert await second.read() == (0x88, payload)
            second.send(0x81, b"one more")
            assert await first.read() == (0x81, b"one more")
            second.close(4999, b"other words")
            assert await first.read() == (0x88, b"\x13\x87other words")
            assert (await first.rest(), await second.rest()) == (b"", b"")
        await proxy.wait_for_flows()
        assert ending(proxy) == (by_client, code, reason)
        assert proxy.flow.error is None


async def test_a_side_that_does_not_answer_a_close_frame_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relaying, "CLOSE_TIMEOUT", 0.05)

    async with running() as proxy:
        async with wires(proxy) as (client, server):
            client.close(1000)
            assert await until_close(server) == b"\x03\xe8"
            assert await client.rest() == b""
            assert await server.rest() == b""
        await proxy.wait_for_flows()
        assert ending(proxy) == (True, 1000, "")


@pytest.mark.parametrize("how", ["ended", "reset"])
@pytest.mark.parametrize("by_client", [True, False])
async def test_a_broken_connection_is_1006(by_client: bool, how: str) -> None:
    addon = Watch()
    async with running(addon) as proxy:
        async with wires(proxy) as (client, server):
            first, second = (client, server) if by_client else (server, client)
            first.send(0x81, b"last words")
            assert await second.read() == (0x81, b"last words")
            if how == "ended":
                first.writer.close()
            else:
                first.writer.transport.abort()
            assert await second.rest() == b""
        await proxy.wait_for_flows()
        assert ending(proxy) == (by_client, 1006, "")
        assert proxy.flow.error is not None
        assert ("client" if by_client else "server") in proxy.flow.error.msg
        assert_quiet(proxy)
    assert addon.events[-2:] == ["websocket_end", "error"]


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("by_client", [True, False])
@pytest.mark.parametrize(
    ("first", "payload", "code"),
    [(0x83, b"a", 1002), (0xC1, b"a", 1002), (0x81, b"\xff", 1007), (0x80, b"", 1002), (0x88, b"\x00", 1002)],
)
@pytest.mark.parametrize("heard", [False, True], ids=["nobody listens", "somebody listens"])
async def test_bad_frames_get_the_close_code_that_says_so(
    first: int, payload: bytes, code: int, by_client: bool, streamed: bool, heard: bool
) -> None:
    addon = Watch()
    async with running(*[addon] * heard, stream_websockets=streamed) as proxy:
        async with wires(proxy) as (client, server):
            bad, good = (client, server) if by_client else (server, client)
            bad.writer.write(frame(0x81, b"fine", bad.mask) + frame(first, payload, bad.mask))
            told = await until_close(bad)
            assert int.from_bytes(told[:2], "big") == code
            assert await good.read() == (0x81, b"fine")
            went = await until_close(good)
            assert int.from_bytes(went[:2], "big") == 1001
            good.close(1001)
            bad.close(code)
            bad.writer.close()
            good.writer.close()
        await proxy.wait_for_flows()
        closed_by_client, recorded, reason = ending(proxy)
        assert (closed_by_client, recorded) == (by_client, code)
        assert proxy.flow.error is not None
        assert proxy.flow.error.msg == reason
        assert f"the {'client' if by_client else 'server'}" in proxy.flow.error.msg
        assert [content for _, _, content in messages(proxy)] == [b"fine"]
        assert_quiet(proxy)
    assert addon.events[-3:] == ["websocket_message", "websocket_end", "error"][: 3 * heard]


async def test_a_torn_frame_is_not_followed_by_a_close_frame() -> None:
    """What a streamed receiver gets in the middle of a frame would be taken for its payload."""

    async with running(stream_websockets=True) as proxy, wires(proxy) as (client, server):
        begin = frame(0x81, b"a" * 70_000, MASK)[:40_000]
        client.writer.write(begin)
        assert await server.reader.readexactly(40_000) == begin
        client.writer.write(b"\xff" * 20_000)  # not UTF-8, unmasked
        assert int.from_bytes((await until_close(client))[:2], "big") == 1007
        client.writer.close()
        server.writer.write_eof()
        assert b"\x88" not in await server.rest()


async def test_an_idle_websocket_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    from flowdump.engine.listen import proxy as proxy_module

    monkeypatch.setattr(proxy_module, "TICK", 0.02)

    async with running() as proxy:
        proxy.proxy.options.__dict__["tcp_timeout"] = 0.05
        async with wires(proxy) as (client, server):
            assert await client.rest() == b""
            assert await server.rest() == b""
        await proxy.wait_for_flows()
        assert proxy.flow.error is not None
        assert "idle" in proxy.flow.error.msg
        assert ending(proxy)[1] == 1006


async def test_a_proxy_that_ends_says_so() -> None:
    addon = Watch()
    async with running(addon) as proxy, wires(proxy) as (client, server):
        client.send(0x81, b"a")
        assert await server.read() == (0x81, b"a")
        stopping = asyncio.create_task(proxy.proxy.stop(2 * PATIENCE))
        for wire in (client, server):
            assert (await until_close(wire))[:2] == b"\x03\xe9"
            wire.close(1001)
            wire.writer.close()
        await stopping
        assert ending(proxy) == (None, 1001, "the proxy is shutting down")
        assert proxy.flow.error is None
        assert addon.events[-1] == "websocket_end"


async def test_a_cancelled_websocket_is_recorded() -> None:
    class Slow(Watch):
        async def websocket_message(self, flow: HTTPFlow) -> None:  # type: ignore[override]
            self.events.append("websocket_message")
            proxy = proxies[0]
            for task in list(proxy.proxy.sessions):
                task.cancel()
            await asyncio.Event().wait()

    proxies: list[Running] = []

    addon = Slow()
    async with running(addon) as proxy:
        proxies.append(proxy)
        async with wires(proxy) as (client, server):
            client.send(0x81, b"a")
            assert (await until_close(server))[:2] == b"\x03\xe9"
            await client.rest()
        await proxy.wait_for_flows()
        assert ending(proxy)[1] == 1001
        assert proxy.flow.error is not None
    assert addon.events[-3:] == ["websocket_message", "websocket_end", "error"]


# -- limits ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by_client", [True, False])
async def test_a_message_that_is_too_large_is_1009(by_client: bool) -> None:
    async with running(websocket_message_limit="100k") as proxy:
        async with wires(proxy) as (client, server):
            bad, good = (client, server) if by_client else (server, client)
            bad.send(0x82, bytes(102_400))
            assert await good.read() == (0x82, bytes(102_400))
            bad.send(0x82, bytes(102_401))
            assert int.from_bytes((await until_close(bad))[:2], "big") == 1009
            assert int.from_bytes((await until_close(good))[:2], "big") == 1001
            bad.writer.close()
            good.writer.close()
        await proxy.wait_for_flows()
        assert ending(proxy)[:2] == (by_client, 1009)
        assert proxy.flow.error is not None
        assert "102400" in proxy.flow.error.msg
        assert len(messages(proxy)) == 1


async def test_old_messages_are_forgotten() -> None:
    async with running(websocket_kept_limit="100k") as proxy:
        async with wires(proxy) as (client, server):
            for n in range(100):
                client.send(0x82, b"%05d" % n + bytes(4995))
                assert (await server.read())[1][:5] == b"%05d" % n
            await close(client, server)
        await proxy.wait_for_flows()
        kept = [int(content[:5]) for _, _, content in messages(proxy)]
        forgotten = proxy.flow.metadata["websocket_messages_forgotten"]
        assert kept == list(range(forgotten, 100))
        assert 10 <= len(kept) <= 20
        assert len([line for line in proxy.log if "websocket_kept_limit" in line]) == 1


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_receiver_that_does_not_read_holds_the_sender_up(streamed: bool) -> None:
    async def pour(client: Wire) -> None:
        payload = frame(0x82, bytes(60_000), MASK)
        while True:
            client.writer.write(payload)
            await client.writer.drain()

    async with running(stream_websockets=streamed) as proxy:
        async with wires(proxy) as (client, server):
            server.writer.transport.pause_reading()
            pouring = asyncio.create_task(pour(client))
            flow = next(iter(next(iter(proxy.proxy.sessions.values())).context.websockets.values()))._flow
            assert flow.websocket is not None
            await until(lambda: flow.websocket.messages)
            count = -1
            while count != len(flow.websocket.messages):  # until nothing moves
                count = len(flow.websocket.messages)
                await asyncio.sleep(0.2)
            assert 0 < count < 500
            assert all(len(stream.buffer) < 1 << 20 for stream in proxy.proxy.streams)
            pouring.cancel()
            await asyncio.gather(pouring, return_exceptions=True)
            client.writer.transport.abort()
            server.writer.transport.abort()
        await proxy.wait_for_flows()
