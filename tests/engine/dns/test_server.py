"""DNS through the proxy: flows, scripts, name servers that fail or lie, and strangers."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Awaitable, Callable
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from tests.support.asynchronous import run
from tests.support.events import Events
from tests.support.live import Running, running, until
from tests.support.names import (
    AAAA,
    HTTPS,
    TXT,
    NameServer,
    Talker,
    answering,
    ask,
    ask_over_tcp,
    edns,
    name_server,
    query,
    record,
)
from tests.support.ports import free_port

from flowdump.dns import DNSFlow, DNSMessage, HTTPSRecord, ResourceRecord
from flowdump.engine.dns import resolver
from flowdump.engine.dns import transport as dns_transport
from flowdump.engine.dns.server import fit
from flowdump.engine.relay import udp_listener

Ask = Callable[[int, DNSMessage], Awaitable[DNSMessage]]


async def over_tcp(port: int, message: DNSMessage) -> DNSMessage:
    (answer,) = await ask_over_tcp(port, message)
    return answer


both = pytest.mark.parametrize("over", [ask, over_tcp], ids=["udp", "tcp"])


def before(server: NameServer, **options: Any) -> dict[str, Any]:
    """Options of a proxy in front of a name server."""
    return {"mode": [f"reverse:dns://{server.address}"]} | options


def spoof(*records: ResourceRecord) -> Callable[[DNSFlow], None]:
    def dns_request(flow: DNSFlow) -> None:
        flow.response = flow.request.succeed(list(records))

    return dns_request


async def flow_of(proxy: Running) -> Any:
    await proxy.wait_for_flows()
    (flow,) = proxy.flows
    return flow


# -- forwarding --------------------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("mode", ["reverse", "dns"])
async def test_queries_are_forwarded_and_recorded(over: Ask, mode: str) -> None:
    events = Events()
    async with name_server(answering("192.0.2.7", "192.0.2.8")) as server:
        options = before(server) if mode == "reverse" else {"mode": ["dns"], "dns_name_servers": [server.address]}
        async with running(events, **options) as proxy:
            answer = await over(proxy.port, query())
            flow = await flow_of(proxy)
            await events.wait_for("client_disconnected")
    assert isinstance(flow, DNSFlow)
    assert flow.response is not None
    assert [str(rr) for rr in answer.answers] == ["192.0.2.7", "192.0.2.8"]
    assert answer.answers == flow.response.answers
    assert (answer.id, flow.request.id, flow.response.id) == (4660, 4660, 4660)
    assert flow.server_conn.address == flow.server_conn.peername == ("127.0.0.1", server.port)
    transport = "udp" if over is ask else "tcp"
    assert flow.client_conn.transport_protocol == flow.server_conn.transport_protocol == transport
    assert flow.client_conn.proxy_mode == (f"reverse:dns://{server.address}" if mode == "reverse" else "dns")
    assert flow.request.timestamp is not None
    assert flow.response.timestamp is not None
    assert flow.request.timestamp <= flow.response.timestamp
    assert not flow.live
    opening = ["client_connected", "dns_request", "server_connect", "server_connected"]
    assert events.names[:4] == opening
    assert sorted(events.names[4:]) == ["client_disconnected", "dns_response", "server_disconnected"]
    assert events.names[-1] == "client_disconnected"


@both
async def test_what_nobody_changes_passes_byte_for_byte(over: Ask) -> None:
    odd = query("ExAmPlE.com", 65333, additionals=[edns(1232)])
    odd.reserved = 3
    came = b""

    def script(asked: DNSMessage) -> list[bytes]:
        nonlocal came
        answer = asked.succeed([ResourceRecord(asked.questions[0].name, 15, 1, 60, b"\0\x0a\4mail\7ExAmPlE\3com\0")])
        wire = answer.packed.replace(b"\4mail\7ExAmPlE\3com\0", b"\4mail\xc0\x0c")  # compressed, unlike ours
        came = wire = wire.replace(b"\0\x14\0\x0a", b"\0\x09\0\x0a")
        return [wire]

    async with name_server(script) as server, running(Events(), **before(server)) as proxy:
        with Talker(proxy.port) as talker:
            talker.send(odd.packed)
            assert (await talker.receive())[2:] == came[2:]
            assert server.wires[0][2:] == odd.packed[2:]
        answer = await over(proxy.port, odd)
        assert answer.answers[0].data == b"\0\x0a\4mail\7ExAmPlE\3com\0"
        assert answer.id == odd.id


async def test_every_query_has_an_id_and_a_port_of_its_own() -> None:
    async with name_server(answering("192.0.2.7")) as server, running(**before(server)) as proxy:
        for _ in range(30):
            assert (await ask(proxy.port, query())).id == 4660
        assert len({asked.id for asked in server.asked}) > 25
        assert len(set(server.sources)) > 20


async def test_answers_come_in_any_order_over_tcp_and_connections_are_kept() -> None:
    gate: list[Any] = []

    async def hold(flow: DNSFlow) -> None:
        if flow.request.id == 1:
            event = asyncio.Event()
            gate.append(event)
            await event.wait()

    events = Events(dns_request=hold, dns_response=lambda flow: gate[0].set() if flow.request.id == 3 else None)
    async with name_server(answering("192.0.2.7")) as server, running(events, **before(server)) as proxy:
        messages = [query(f"n{n}.example", id=n) for n in (1, 2, 3)]
        answers = await ask_over_tcp(proxy.port, *messages)
        assert answers[-1].id == 1
        assert sorted(answer.id for answer in answers) == [1, 2, 3]
        assert {a.questions[0].name for a in answers} == {"n1.example", "n2.example", "n3.example"}
        assert 1 <= server.connections <= 3
        await proxy.wait_for_flows(3)
        await events.wait_for("client_disconnected")
        assert events.names.count("server_connected") == events.names.count("server_disconnected")


async def test_a_kept_connection_that_the_server_closed_is_replaced() -> None:
    async with name_server(answering("192.0.2.7")) as server, running(**before(server)) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        for count in (1, 2):
            wire = query().packed
            writer.write(len(wire).to_bytes(2, "big") + wire)
            size = int.from_bytes(await reader.readexactly(2), "big")
            assert DNSMessage.unpack(await reader.readexactly(size)).answers
            assert server.connections == count
            server.hang_up()
            await asyncio.sleep(0)
        writer.close()
        await writer.wait_closed()
        await proxy.wait_for_flows(2)
        assert [flow.error for flow in proxy.flows] == [None, None]


@both
@pytest.mark.parametrize("shown", [False, True])
async def test_ignored_servers_are_asked_unseen(over: Ask, shown: bool) -> None:
    events = Events()
    async with name_server(answering("192.0.2.7")) as server:
        options = before(server, ignore_hosts=[r"127\.0\.0\.1"], show_ignored_hosts=shown)
        async with running(events, **options) as proxy:
            assert (await over(proxy.port, query())).answers
            for listener in proxy.proxy.datagrams:
                listener.end()
            await events.wait_for("client_disconnected")
            assert server.asked[0].id == query().id
            assert [flow.type for flow in proxy.flows] == ["udp" if over is ask else "tcp"] * shown


# -- scripts -----------------------------------------------------------------------------------------------------


@both
async def test_a_script_answers_instead_of_the_server(over: Ask) -> None:
    events = Events(dns_request=spoof(record(address="203.0.113.9")))
    async with name_server(answering("192.0.2.7")) as server, running(events, **before(server)) as proxy:
        answer = await over(proxy.port, query())
        assert [str(rr) for rr in answer.answers] == ["203.0.113.9"]
        assert answer.recursion_available
        flow = await flow_of(proxy)
        assert server.asked == []
        assert flow.error is None
        assert [name for name in events.names if name.startswith(("dns", "server"))] == ["dns_request", "dns_response"]


@both
async def test_a_script_refuses(over: Ask) -> None:
    def refuse(flow: DNSFlow) -> None:
        flow.response = flow.request.fail(5)

    async with name_server(answering("192.0.2.7")) as server:
        async with running(Events(dns_request=refuse), **before(server)) as proxy:
            answer = await over(proxy.port, query())
            assert (answer.response_code, answer.answers, answer.questions) == (5, [], query().questions)
        assert server.asked == []


@both
async def test_scripts_change_what_is_asked_and_what_is_answered(over: Ask) -> None:
    def ask_another(flow: DNSFlow) -> None:
        flow.request.questions[0].name = "b.example"

    def answer_another(flow: DNSFlow) -> None:
        assert flow.response is not None
        flow.response.answers[0].ipv4_address = IPv4Address("203.0.113.1")
        flow.response.questions[0].name = "a.example"

    events = Events(dns_request=ask_another, dns_response=answer_another)
    async with name_server(answering("192.0.2.7")) as server, running(events, **before(server)) as proxy:
        answer = await over(proxy.port, query())
        assert [(str(q), str(rr)) for q, rr in zip(answer.questions, answer.answers, strict=True)] == [
            ("a.example", "203.0.113.1")
        ]
        assert [str(asked) for asked in server.asked] == ["b.example"]


async def test_a_script_chooses_the_server() -> None:
    async with name_server(answering("192.0.2.7")) as first, name_server(answering("192.0.2.8")) as second:

        def choose(flow: DNSFlow) -> None:
            flow.server_conn.address = ("127.0.0.1", second.port)

        for options in (before(first), {"mode": ["dns"], "dns_name_servers": [first.address]}):
            async with running(Events(dns_request=choose), **options) as proxy:
                assert str((await ask(proxy.port, query())).answers[0]) == "192.0.2.8"
        assert first.asked == []


async def test_an_answer_that_a_script_takes_away_is_not_sent() -> None:
    def take(flow: DNSFlow) -> None:
        if flow.request.id == 1:
            flow.response = None

    events = Events(dns_response=take)
    async with name_server(answering("192.0.2.7")) as server, running(events, **before(server)) as proxy:
        with Talker(proxy.port) as talker:
            talker.send(query(id=1).packed)
            await proxy.wait_for_flows()
            assert (await talker.ask(query(id=2))).id == 2


@both
async def test_a_killed_flow_is_answered_servfail(over: Ask) -> None:
    events = Events(dns_request=lambda flow: flow.kill())
    async with name_server(answering("192.0.2.7")) as server, running(events, **before(server)) as proxy:
        assert (await over(proxy.port, query())).response_code == 2
        flow = await flow_of(proxy)
        assert flow.error.msg == "Connection killed."
        assert flow.response is None
        assert "dns_error" in events.names
        assert server.asked == []


@both
@pytest.mark.parametrize("how", ["resume", "kill"])
async def test_a_held_flow_goes_on_or_ends_from_a_thread(over: Ask, how: str) -> None:
    def hold(flow: DNSFlow) -> None:
        flow.intercept()
        threading.Timer(0.02, getattr(flow, how)).start()

    events = Events(dns_request=hold)
    async with name_server(answering("192.0.2.7")) as server, running(events, **before(server)) as proxy:
        assert (await over(proxy.port, query())).response_code == (0 if how == "resume" else 2)
        assert len(server.asked) == (how == "resume")


@pytest.mark.parametrize("part", ["request", "response"])
async def test_what_a_script_made_and_cannot_be_sent_is_told(part: str) -> None:
    def spoil(flow: DNSFlow) -> None:
        getattr(flow, part).questions[0].name = "a..b"

    events = Events(**{f"dns_{part}": spoil})
    async with name_server(answering("192.0.2.7")) as server, running(events, **before(server)) as proxy:
        answer = await ask(proxy.port, query())
        assert (answer.response_code, answer.questions) == (2, query().questions)
        flow = await flow_of(proxy)
        kind = "query" if part == "request" else "answer"
        assert f"the {kind} that a script made cannot be sent: 'a..b' is not a domain name" in flow.error.msg


# -- servers that fail or lie ------------------------------------------------------------------------------------


def silent(asked: DNSMessage) -> list[bytes]:
    return []


@both
async def test_a_silent_server_is_not_waited_for_forever(over: Ask) -> None:
    events = Events()
    async with name_server(silent) as server, running(events, **before(server), dns_timeout=1) as proxy:
        answer = await over(proxy.port, query())
        assert (answer.response_code, answer.questions) == (2, query().questions)
        flow = await flow_of(proxy)
        assert flow.error.msg == f"{server.address} did not answer within 1 s"
        assert events.names.count("dns_error") == 1
        assert "server_disconnected" in events.names


@both
async def test_a_server_that_is_not_there_is_told_at_once(over: Ask) -> None:
    nobody = f"127.0.0.1:{free_port()}"
    async with running(mode=[f"reverse:dns://{nobody}"]) as proxy:
        assert (await over(proxy.port, query())).response_code == 2
        flow = await flow_of(proxy)
        assert "Connection refused" in flow.error.msg
        assert nobody in flow.error.msg


@both
async def test_the_next_name_server_is_asked(over: Ask) -> None:
    nobody = f"127.0.0.1:{free_port()}"
    async with name_server(silent) as mute, name_server(answering("192.0.2.7")) as server:
        servers = [nobody, mute.address, server.address]
        async with running(mode=["dns"], dns_name_servers=servers, dns_timeout=1) as proxy:
            assert (await over(proxy.port, query())).answers
            flow = await flow_of(proxy)
            assert flow.server_conn.address == ("127.0.0.1", server.port)
            assert len(mute.asked) == 1


def forged(asked: DNSMessage) -> list[bytes]:
    """What does not fit, and then the answer."""
    answer = asked.succeed([record()])
    wrong = [answer.copy() for _ in range(4)]
    wrong[0].id ^= 1
    wrong[1].questions[0].name = "evil.example"
    wrong[2].questions[0].type = AAAA
    wrong[3].query = True
    return [message.packed for message in wrong] + [b"", b"short", answer.packed]


@both
async def test_answers_that_do_not_fit_the_query_are_ignored(over: Ask) -> None:
    async with name_server(forged) as server, running(**before(server)) as proxy:
        answer = await over(proxy.port, query())
        assert [str(rr) for rr in answer.answers] == ["192.0.2.7"]


async def test_spelling_of_the_question_does_not_matter() -> None:
    def shout(asked: DNSMessage) -> list[bytes]:
        answer = asked.succeed([record()])
        answer.questions[0].name = answer.questions[0].name.upper()
        return [answer.packed]

    async with name_server(shout) as server, running(**before(server)) as proxy:
        assert (await ask(proxy.port, query())).questions[0].name == "A.EXAMPLE"


@both
async def test_an_answer_that_cannot_be_understood(over: Ask) -> None:
    def garble(asked: DNSMessage) -> list[bytes]:
        return [asked.succeed([record()]).packed[:-1]]

    async with name_server(garble) as server, running(**before(server)) as proxy:
        assert (await over(proxy.port, query())).response_code == 2
        flow = await flow_of(proxy)
        assert flow.error.msg.startswith("the answer of the name server cannot be understood: the data of a record")


async def test_an_error_without_a_question_is_an_answer() -> None:
    def formerr(asked: DNSMessage) -> list[bytes]:
        answer = asked.fail(1)
        answer.questions = []
        return [answer.packed]

    async with name_server(formerr) as server, running(**before(server)) as proxy:
        assert (await ask(proxy.port, query())).response_code == 1


async def test_a_server_by_name() -> None:
    async with name_server(answering("192.0.2.7")) as server:
        async with running(mode=[f"reverse:dns://localhost:{server.port}"]) as proxy:
            assert (await ask(proxy.port, query())).answers
        async with running(mode=["reverse:dns://no-such-host.invalid"]) as proxy:
            assert (await ask(proxy.port, query())).response_code == 2
            assert "cannot find 'no-such-host.invalid'" in (await flow_of(proxy)).error.msg


@both
async def test_the_proxy_does_not_ask_itself(over: Ask) -> None:
    async with name_server(silent) as server:
        pass
    own = f"127.0.0.1:{server.port}"
    async with running(mode=[f"dns@{own}"], dns_name_servers=[own]) as proxy:
        assert (await over(proxy.port, query())).response_code == 2
        assert (await flow_of(proxy)).error.msg == f"{own} is this proxy itself"


# -- sizes -------------------------------------------------------------------------------------------------------


async def test_a_truncated_answer_is_passed_on_and_tcp_gives_the_whole() -> None:
    def script(asked: DNSMessage) -> list[bytes]:
        answer = asked.succeed([record(address=f"192.0.2.{n}") for n in range(60)])
        return [answer.packed if asked.id in over_tcp_ids else fit(answer.packed, 512)]

    over_tcp_ids: set[int] = set()

    async with name_server(script) as server, running(**before(server)) as proxy:
        answer = await ask(proxy.port, query())
        assert (answer.truncation, answer.answers) == (True, [])
        over_tcp_ids.update(range(65536))
        assert len((await over_tcp(proxy.port, query())).answers) == 60
        await proxy.wait_for_flows(2)
        assert [flow.response.truncation for flow in proxy.flows] == [True, False]


@pytest.mark.parametrize(("size", "whole"), [(None, False), (600, False), (4096, True)])
async def test_udp_clients_get_no_more_than_they_take(size: int | None, whole: bool) -> None:
    events = Events(dns_request=spoof(*[ResourceRecord.TXT("a.example", "x" * 200)] * 4))
    async with running(events, mode=["dns"]) as proxy:
        asked = query(kind=TXT, additionals=[edns(size)] if size else [])
        answer = await ask(proxy.port, asked)
        assert (answer.truncation, len(answer.answers)) == (not whole, 4 if whole else 0)
        assert answer.questions == asked.questions
        assert len((await over_tcp(proxy.port, asked)).answers) == 4


def test_cut_answers_are_never_too_long() -> None:
    long = query("x" * 63 + "." + "y" * 63)
    assert len(fit(long.succeed([record()] * 40).packed, 512)) == len(long.packed)
    assert fit(long.succeed([record()] * 40).packed, 20) == long.succeed([]).packed[:2] + b"\x83\x80" + bytes(8)


# -- strangers ---------------------------------------------------------------------------------------------------


async def test_malformed_queries_are_answered_formerr_and_recorded() -> None:
    wire = query().packed[:-1]

    events = Events()
    async with name_server(answering("192.0.2.7")) as server, running(events, **before(server)) as proxy:
        with Talker(proxy.port) as talker:
            talker.send(wire)
            answer = await talker.receive()
            assert answer == wire[:2] + b"\x81\x01" + bytes(8)
            flow = await flow_of(proxy)
            assert flow.error.msg == "the query cannot be understood: a question is cut off at byte 26"
            assert (flow.request.id, flow.request.questions) == (4660, [])
            assert "dns_error" in events.names
            assert "dns_request" not in events.names
            assert (await talker.ask(query())).answers
        assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "0 bytes are no DNS message"),
        (b"hello", "5 bytes are no DNS message"),
        (query().fail(3).packed, "an answer came where a query was expected"),
        (query().fail(3).packed[:-1], "the query cannot be understood"),
    ],
    ids=["empty", "short", "answer", "cut answer"],
)
async def test_what_is_no_query_is_recorded_and_not_answered(data: bytes, reason: str) -> None:
    async with name_server(answering("192.0.2.7")) as server, running(**before(server)) as proxy:
        with Talker(proxy.port) as talker:
            talker.send(data)
            await proxy.wait_for_flows()
            assert (await talker.ask(query(id=9))).id == 9  # the first thing that comes
        assert reason in proxy.flows[0].error.msg
        assert len(server.asked) == 1


async def test_a_tcp_client_that_sends_nonsense() -> None:
    async with name_server(answering("192.0.2.7")) as server, running(**before(server)) as proxy:
        bad, good = query().packed[:-1], query().packed
        sent = b"".join(len(wire).to_bytes(2, "big") + wire for wire in (b"", b"short", bad, good))
        reply = await proxy.send(sent + b"\xff\xffnever whole")
        assert reply.count(bad[:2]) == 2
        assert bad[:2] + b"\x81\x01" + bytes(8) in reply
        assert len(proxy.flows) == 4


async def test_a_flood_of_queries_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(udp_listener, "MAX_QUERIES", 5)

    async with name_server(silent) as server, running(**before(server), dns_timeout=1) as proxy:
        with Talker(proxy.port) as one, Talker(proxy.port) as other:
            for n in range(20):
                (one if n % 2 else other).send(query(id=n).packed)
            await proxy.wait_for_flows(5)
            (listener,) = proxy.proxy.datagrams
            await until(lambda: not listener.tasks)
        assert len(server.asked) == len(proxy.flows) == 5
        (line,) = [line for line in proxy.log if "5 DNS queries" in line]
        assert line.startswith("warn")
        assert listener._peers == {}
        assert listener.queries == 0


async def test_a_tcp_client_is_read_no_faster_than_it_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dns_transport, "PIPELINED", 3)

    async with name_server(silent) as server, running(**before(server), dns_timeout=1) as proxy:
        answers = await ask_over_tcp(proxy.port, *[query(id=n) for n in range(7)])
        assert [answer.response_code for answer in answers] == [2] * 7
        assert server.connections == 7


async def test_clients_that_may_not_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    async with name_server(answering("192.0.2.7")) as server, running(**before(server)) as proxy:
        (listener,) = proxy.proxy.datagrams
        for n in range(5):
            listener.datagram_received(query().packed, ("8.8.8.8", 1000 + n))
        assert listener.tasks == set()
        assert [line for line in proxy.log if "block_global" in line] == [
            "warn: 8.8.8.8:1000: refused: block_global keeps public addresses out"
        ]


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


async def test_many_queries_leave_nothing_behind() -> None:
    async with name_server(answering("192.0.2.7")) as server, running(**before(server)) as proxy:
        (listener,) = proxy.proxy.datagrams
        await ask(proxy.port, query())
        at_first = descriptors()
        for _ in range(300):
            await ask(proxy.port, query())
        await over_tcp(proxy.port, query())
        await until(lambda: not listener.tasks and not proxy.proxy.sessions)
        assert (listener._peers, listener.queries) == ({}, 0)
        assert descriptors() <= at_first + 2  # what asyncio closes in a moment


def test_ipv6() -> None:
    async def scenario() -> None:
        async with name_server(answering("192.0.2.7")) as server, running(**before(server), listen_host="::1") as proxy:
            with Talker(proxy.port, "::1") as talker:
                assert (await talker.ask(query())).answers
                flow = await flow_of(proxy)
                assert flow.client_conn.peername[:2] == talker.address[:2]

    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            pytest.skip("there is no IPv6 here")
    run(scenario())


# -- names that are known here -----------------------------------------------------------------------------------


@pytest.fixture
def hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "hosts"
    path.write_text("127.0.0.1 localhost\n192.0.2.99 Known.example\n192.0.2.98 known.example\n")
    monkeypatch.setattr(resolver, "HOSTS", str(path))
    return path


async def test_the_hosts_file_answers(hosts: Path) -> None:
    async with name_server(answering("192.0.2.7")) as server:
        options = {"mode": ["dns"], "dns_name_servers": [server.address]}
        async with running(**options) as proxy:
            answer = await ask(proxy.port, query("KNOWN.example"))
            assert [str(rr) for rr in answer.answers] == ["192.0.2.99", "192.0.2.98"]
            assert {rr.name for rr in answer.answers} == {"KNOWN.example"}
            answer = await ask(proxy.port, query("known.example", AAAA))
            assert (answer.response_code, answer.answers) == (0, [])
            flow = proxy.flows[0]
            assert (flow.server_conn.address, flow.error) == (None, None)
            assert server.asked == []
            assert (await ask(proxy.port, query("known.example", TXT))).answers
            assert (await ask(proxy.port, query("a.example"))).answers
            assert len(server.asked) == 2
        async with running(**options, dns_use_hosts_file=False) as proxy:
            assert str((await ask(proxy.port, query("known.example"))).answers[0]) == "192.0.2.7"
        async with running(**before(server)) as proxy:
            assert str((await ask(proxy.port, query("known.example"))).answers[0]) == "192.0.2.7"


@pytest.mark.parametrize(
    ("options", "alpn", "ech"),
    [
        ({}, (b"h2", b"h3"), None),
        ({"strip_ech": False}, (b"h2", b"h3"), "ZWU="),
        ({"http3": False}, (b"h2",), None),
        ({"http3": False, "strip_ech": False}, (b"h2",), "ZWU="),
    ],
    ids=str,
)
async def test_what_would_lead_clients_around_us_is_taken_out(
    options: dict[str, Any], alpn: Any, ech: str | None
) -> None:
    service = HTTPSRecord(1, "", {1: b"\2h2\2h3", 5: b"ee", 3: b"\1\xbb"})

    def script(asked: DNSMessage) -> list[bytes]:
        return [asked.succeed([ResourceRecord.HTTPS("a.example", service), record()]).packed]

    async with name_server(script) as server, running(**before(server), **options) as proxy:
        answer = await ask(proxy.port, query(kind=HTTPS))
        assert (answer.answers[0].https_alpn, answer.answers[0].https_ech) == (alpn, ech)
        assert "port" in answer.answers[0].to_json()["data"]
        assert str(answer.answers[1]) == "192.0.2.7"


async def test_a_port_that_one_transport_lacks_is_not_the_one(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []
    listen = udp_listener.listen

    async def taken(services: Any, mode: Any, host: str, port: int, refusal: Any) -> Any:
        tried.append(port)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            if len(tried) < 4:
                other.bind((host, port))
            return await listen(services, mode, host, port, refusal)

    monkeypatch.setattr(udp_listener, "listen", taken)

    async with name_server(answering("192.0.2.7")) as server, running(**before(server)) as proxy:
        assert len(tried) == 4
        assert [port for _, port in proxy.proxy.addresses] == [tried[-1]] * 2
        assert (await ask(proxy.port, query())).answers
        assert (await over_tcp(proxy.port, query())).answers


# -- the end -----------------------------------------------------------------------------------------------------


@both
async def test_queries_under_way_are_answered_when_the_proxy_stops(over: Ask) -> None:
    gate = asyncio.Event()
    events = Events(dns_response=lambda flow: gate.wait())
    async with name_server(answering("192.0.2.7")) as server, running(events, **before(server)) as proxy:
        asking = asyncio.create_task(over(proxy.port, query()))  # type: ignore[arg-type]
        await events.wait_for("dns_response")
        stopping = asyncio.create_task(proxy.proxy.stop(5))
        await until(lambda: proxy.proxy.stopping)
        gate.set()
        assert (await asking).answers
        await stopping
        assert proxy.flow.error is None


@both
async def test_queries_that_take_too_long_are_recorded_when_the_proxy_stops(over: Ask) -> None:
    events = Events()
    async with name_server(silent) as server, running(events, **before(server)) as proxy:
        asking = asyncio.create_task(over(proxy.port, query()))  # type: ignore[arg-type]
        await until(lambda: server.asked)
        await proxy.proxy.stop(0.05)
        assert proxy.flow.error is not None
        assert proxy.flow.error.msg == "the proxy was shut down during the exchange"
        assert events.names[-3:] == ["server_disconnected", "dns_error", "client_disconnected"]
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
