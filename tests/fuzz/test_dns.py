"""Anything at all, sent to the running listeners for DNS and UDP: a clean answer, a recorded error, or nothing.

The codec alone is fed in ``tests/test_dns_wire.py``.
"""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.live import Running, running, until
from tests.support.names import Talker, answering, name_server, query

from flowdump.dns import DNSMessage
from flowdump.dns.wire import MalformedMessage

GOOD = query().packed

#: A query with some of its bytes changed, cut or continued: nearly right is what finds mistakes.
damaged = st.builds(
    lambda edits, cut, more: bytes(edits.get(n, byte) for n, byte in enumerate(GOOD))[:cut] + more,
    st.dictionaries(st.integers(0, len(GOOD) - 1), st.integers(0, 255), max_size=4),
    st.integers(0, len(GOOD)),
    st.binary(max_size=20),
)
datagrams = st.lists(st.binary(max_size=200) | damaged, min_size=1, max_size=8)

some = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def assert_answers(sent: list[bytes], answers: list[bytes]) -> None:
    """No more answers than queries, none larger than a server would give, each to something that was sent."""
    ids = [data[:2] for data in sent]
    assert len(answers) <= len(sent)
    for answer in answers:
        message = DNSMessage.unpack(answer)
        assert not message.query
        assert len(answer) <= 512
        assert answer[:2] in ids


def assert_healthy(proxy: Running) -> None:
    assert [line for line in proxy.log if "internal error" in line] == []
    assert {flow.type for flow in proxy.flows} <= {"dns", "udp"}


@some
@given(datagrams)
async def test_datagrams_for_a_name_server(sent: list[bytes]) -> None:
    async with name_server(careful) as server, running(mode=[f"reverse:dns://{server.address}"]) as proxy:
        with Talker(proxy.port) as talker:
            for data in sent:
                talker.send(data)
            await proxy.wait_for_flows(len(sent))
            talker.send(query(id=65535).packed)
            answers: list[bytes] = []
            while not answers or answers[-1][:2] != b"\xff\xff":
                answers.append(await talker.receive())
            assert_answers([*sent, b"\xff\xff"], answers)
        assert_healthy(proxy)


def careful(asked: DNSMessage) -> list[bytes]:
    if asked.question is None:
        return [asked.fail(1).packed]
    return answering("192.0.2.7")(asked)


@some
@given(st.lists(st.binary(max_size=100), min_size=1, max_size=5), st.booleans())
async def test_bytes_for_a_name_server_over_tcp(pieces: list[bytes], framed: bool) -> None:
    sent = [len(piece).to_bytes(2, "big") + piece for piece in pieces] if framed else pieces

    async with name_server(careful) as server, running(mode=[f"reverse:dns://{server.address}"]) as proxy:
        reply = await proxy.send(*sent)
        while reply:
            size = int.from_bytes(reply[:2], "big")
            assert not DNSMessage.unpack(reply[2 : 2 + size]).query
            reply = reply[2 + size :]
        if framed:
            assert len(proxy.flows) == len(pieces)
        assert_healthy(proxy)


@some
@given(st.binary(max_size=300) | damaged)
async def test_a_name_server_that_answers_with_anything(answer: bytes) -> None:
    def script(asked: DNSMessage) -> list[bytes]:
        return [asked.packed[:2] + answer[2:], asked.succeed([]).packed]

    async with name_server(script) as server, running(mode=[f"reverse:dns://{server.address}"]) as proxy:
        with Talker(proxy.port) as talker:
            reply = await talker.ask(query())
        assert (reply.id, reply.query) == (query().id, False)
        assert_healthy(proxy)


@some
@given(st.lists(st.binary(max_size=300), min_size=1, max_size=8))
async def test_datagrams_pass_whatever_they_are(sent: list[bytes]) -> None:
    received: list[bytes] = []

    class Sink(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, address: Any) -> None:
            received.append(data)

    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(Sink, local_addr=("127.0.0.1", 0))
    port = transport.get_extra_info("sockname")[1]
    async with running(mode=[f"reverse:udp://127.0.0.1:{port}"]) as proxy:
        with Talker(proxy.port) as talker:
            for data in sent:
                talker.send(data)
            await until(lambda: len(received) >= len(sent))
        await proxy.proxy.stop(1)
        assert [message.content for message in proxy.flow.messages] == sent == received  # type: ignore[attr-defined]
        assert_healthy(proxy)
    transport.close()
    await asyncio.sleep(0)


@given(st.binary(max_size=400))
def test_what_is_understood_can_be_shown_and_stored(data: bytes) -> None:
    try:
        message = DNSMessage.unpack(data)
    except MalformedMessage:
        return
    assert DNSMessage.from_state(message.get_state()) == message
    shown = [(str(record), record.data_text(), record.to_json()) for record in message.answers]
    assert len(shown) == len(message.answers)
    assert str(message).count("\r\n") >= len(message.questions) + len(shown) - 1
