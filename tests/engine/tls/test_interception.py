"""TLS in the middle of a running proxy: both handshakes, what scripts are told, and what happens when one fails."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
import types
from collections.abc import Callable
from typing import Any

import pytest
from tests.support.asynchronous import run
from tests.support.events import Events
from tests.support.http1 import OK
from tests.support.interception import GET, Authorities, knock, names_of, read_all, trusting, visit
from tests.support.live import Running, assert_quiet, origin, running, until
from tests.support.pki import EXPIRED, Ca, self_signed

from flowdump.http import HTTPFlow, Response
from flowdump.runtime.hook_data import ClientHelloData, TlsData


async def test_a_broken_handshake_with_the_proxy_itself_is_told_in_words() -> None:
    events = Events()
    async with running(events) as proxy:
        assert await proxy.send(b"\x16\x03\x01\x00\x05hello\r\n\r\n") == b""
        told = next(line for line in proxy.log if line.startswith("warn"))
        assert "TLS for this proxy: the client's TLS handshake cannot be understood: " in told
        assert events.names == ["client_connected", "tls_failed_client", "client_disconnected"]


# -- what works ----------------------------------------------------------------------------------------------------


async def test_https_is_looked_into_and_names_are_those_of_the_origin(pki: Authorities) -> None:
    context = pki.serve("example.com", "www.example.com", "127.0.0.1")
    async with origin(OK, ssl=context) as server, running(**pki.trust) as proxy:
        seen = await visit(proxy, server.port)
        assert seen.reply.endswith(b"\r\n\r\nhi")
        assert names_of(seen.certificate) == {"example.com", "www.example.com", "127.0.0.1"}
        flow = proxy.flow
        assert (flow.request.scheme, flow.request.port) == ("https", server.port)
        assert flow.request.host == "127.0.0.1"
        assert flow.request.pretty_host == "example.com"
        assert flow.client_conn.sni == flow.server_conn.sni == "example.com"
        assert flow.client_conn.tls_version == flow.server_conn.tls_version == "TLSv1.3"
        assert flow.client_conn.mitmcert.serial == seen.certificate.serial_number
        assert "www.example.com" in flow.server_conn.certificate_list[0].altnames


async def test_without_a_look_at_the_origin_the_name_asked_for_is_the_only_one(pki: Authorities) -> None:
    context = pki.serve("example.com", "www.example.com")
    async with origin(OK, ssl=context) as server, running(upstream_cert=False, **pki.trust) as proxy:
        seen = await visit(proxy, server.port)
        assert seen.reply.endswith(b"hi")
        assert names_of(seen.certificate) == {"example.com"}


@pytest.mark.parametrize("name", [None, "127.0.0.1"], ids=["without SNI", "by address"])
async def test_hosts_that_are_addresses(pki: Authorities, name: str | None) -> None:
    async with origin(OK, ssl=pki.serve("127.0.0.1")) as server, running(**pki.trust) as proxy:
        seen = await visit(proxy, server.port, name)
        assert seen.reply.endswith(b"hi")
        assert names_of(seen.certificate) == {"127.0.0.1"}
        assert proxy.flow.client_conn.sni is None
        assert proxy.flow.request.url == f"https://127.0.0.1:{server.port}/"


@pytest.mark.parametrize("client", ["TLSv1_2", "TLSv1_3"])
@pytest.mark.parametrize("upstream", ["TLSv1_2", "TLSv1_3"])
async def test_tls_versions_are_each_side_s_own(pki: Authorities, client: str, upstream: str) -> None:
    serving = pki.serve("example.com")
    serving.minimum_version = serving.maximum_version = ssl.TLSVersion[upstream]
    wanted = ssl.TLSVersion[client]
    async with origin(OK, ssl=serving) as server, running(**pki.trust) as proxy:
        context = trusting(minimum_version=wanted, maximum_version=wanted)
        assert (await visit(proxy, server.port, context=context)).reply.endswith(b"hi")
        flow = proxy.flow
        assert flow.client_conn.tls_version == client.replace("_", ".")
        assert flow.server_conn.tls_version == upstream.replace("_", ".")
        assert flow.client_conn.cipher
        assert flow.server_conn.cipher


async def test_sessions_are_resumed_on_both_sides(pki: Authorities) -> None:
    reused: list[bool] = []

    async def answer(reader: Any, writer: asyncio.StreamWriter) -> None:
        reused.append(writer.get_extra_info("ssl_object").session_reused)
        writer.write(OK)

    async with origin(answer, ssl=pki.serve("example.com")) as server, running(**pki.trust) as proxy:
        context = trusting()
        first = await visit(proxy, server.port, context=context)
        await visit(proxy, server.port, context=context, session=first.tls.session)
        assert reused == [False, True]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_clients_resume_their_sessions(pki: Authorities, version: ssl.TLSVersion) -> None:
    async with origin(OK, ssl=pki.serve("example.com")) as server, running(**pki.trust) as proxy:
        context = trusting(maximum_version=version)

        def browse(session: ssl.SSLSession | None) -> tuple[bool, ssl.SSLSession]:
            with (
                knock(proxy, f"127.0.0.1:{server.port}") as connection,
                context.wrap_socket(connection, server_hostname="example.com", session=session) as tls,
            ):
                tls.sendall(GET)
                assert read_all(tls).endswith(b"hi")
                assert tls.session is not None
                return bool(tls.session_reused), tls.session

        reused, session = await asyncio.to_thread(browse, None)
        assert not reused
        reused, session = await asyncio.to_thread(browse, session)
        assert reused


async def test_http_1_1_is_the_answer_to_protocols_offered_without_http2(pki: Authorities) -> None:
    serving = pki.serve("example.com")
    serving.set_alpn_protocols(["h2", "http/1.1"])
    async with origin(OK, ssl=serving) as server, running(http2=False, **pki.trust) as proxy:
        context = trusting()
        context.set_alpn_protocols(["h2", "http/1.1"])

        def agreed() -> str | None:
            with (
                knock(proxy, f"127.0.0.1:{server.port}") as connection,
                context.wrap_socket(connection, server_hostname="example.com") as tls,
            ):
                tls.sendall(GET)
                read_all(tls)
                return tls.selected_alpn_protocol()

        assert await asyncio.to_thread(agreed) == "http/1.1"
        flow = proxy.flow
        assert flow.client_conn.alpn_offers == [b"h2", b"http/1.1"]
        assert flow.client_conn.alpn == flow.server_conn.alpn == b"http/1.1"
        assert flow.server_conn.alpn_offers == [b"http/1.1"]


async def test_many_clients_get_one_leaf(pki: Authorities) -> None:
    async with origin(OK, ssl=pki.serve("example.com")) as server, running(**pki.trust) as proxy:
        visits = await asyncio.gather(*(visit(proxy, server.port) for _ in range(8)))
        assert len({seen.certificate.serial_number for seen in visits}) == 1


# -- origins that cannot be verified -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("expired", "the certificate of the server has expired"),
        ("other", "the certificate of the server is for another host name"),
        ("self-signed", "the certificate of the server is self-signed"),
        ("unknown", "the certificate of the server is signed by an authority that is not known here"),
    ],
)
async def test_an_origin_that_cannot_be_verified_is_a_502_with_the_reason(
    pki: Authorities, fault: str, reason: str
) -> None:
    serving = {
        "expired": lambda: pki.serve("example.com", days=EXPIRED),
        "other": lambda: pki.serve("other.example"),
        "self-signed": lambda: pki.context(self_signed("example.com")),
        "unknown": lambda: pki.context(Ca("stranger").leaf("example.com")),
    }

    events = Events()
    async with origin(OK, ssl=serving[fault]()) as server, running(events, **pki.trust) as proxy:
        seen = await visit(proxy, server.port)
        assert seen.reply.startswith(b"HTTP/1.1 502 ")
        assert reason.encode() in seen.reply
        assert server.received == b""
        assert proxy.flow.error is not None
        assert reason in proxy.flow.error.msg
        assert events.names.count("tls_failed_server") == 1
        assert events.names.count("error") == 1
        told = events["tls_failed_server"].conn.error
        assert told.startswith(reason)
        assert "ssl_insecure accepts any certificate" in told
        assert ("ssl_verify_upstream_trusted_ca" in told) == ("authority" in reason or "self-signed" in reason)


async def test_ssl_insecure_takes_any_origin(pki: Authorities) -> None:
    context = pki.context(self_signed("other.example"))
    async with origin(OK, ssl=context) as server, running(ssl_insecure=True) as proxy:
        assert (await visit(proxy, server.port)).reply.endswith(b"hi")


def test_an_origin_that_is_not_there_is_told_to_each_request() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]

        async def scenario() -> None:
            async with running() as proxy:
                seen = await visit(proxy, port)
                assert seen.reply.startswith(b"HTTP/1.1 502 ")
                assert b"Connection refused" in seen.reply
                assert proxy.flow.error is not None

        run(scenario())


# -- given certificates, existing authorities ----------------------------------------------------------------------


async def test_given_certificates_are_shown_for_their_hosts(pki: Authorities) -> None:
    given = pki.ca.leaf("example.com", "given.example")
    path = given.write(pki.folder / "given.pem")

    context = ssl.create_default_context(cafile=str(pki.ca.write(pki.folder)))
    options = {"certs": [f"example.com={path}"], **pki.trust}
    serving = pki.serve("example.com", "www.example.com")
    async with origin(OK, ssl=serving) as server, running(**options) as proxy:
        seen = await visit(proxy, server.port, context=context)
        assert seen.certificate == given.certificate
        other = await visit(proxy, server.port, "www.example.com")
        assert other.certificate.serial_number != given.certificate.serial_number


async def test_an_existing_confdir_of_mitmproxy_is_used_as_it_is(pki: Authorities) -> None:
    authority = Ca("mitmproxy")
    confdir = pki.folder / "confdir"
    confdir.mkdir()
    (confdir / "mitmproxy-ca.pem").write_bytes(authority.credentials.pem())

    context = ssl.create_default_context(cafile=str(authority.write(pki.folder)))
    serving = pki.serve("example.com")
    async with origin(OK, ssl=serving) as server, running(confdir=confdir, **pki.trust) as proxy:
        assert (await visit(proxy, server.port, context=context)).reply.endswith(b"hi")
    assert [path.name for path in confdir.iterdir() if path.name.startswith("flowdump")] == []


async def test_secrets_go_into_the_key_log(pki: Authorities, monkeypatch: pytest.MonkeyPatch) -> None:
    log = pki.folder / "keys.log"
    monkeypatch.setenv("MITMPROXY_SSLKEYLOGFILE", str(log))
    context = trusting()

    async with origin(OK, ssl=pki.serve("example.com")) as server, running(**pki.trust) as proxy:
        await visit(proxy, server.port, context=context)
    lines = [line for line in log.read_text().splitlines() if line.startswith("CLIENT_TRAFFIC_SECRET_0 ")]
    assert len(lines) == 2  # one per side


# -- clients that fail ---------------------------------------------------------------------------------------------


def fail_as(proxy: Running, port: int, client: Callable[[socket.socket], None]) -> Any:
    def browse() -> None:
        with knock(proxy, f"127.0.0.1:{port}") as connection:
            client(connection)

    return asyncio.to_thread(browse)


def distrust(connection: socket.socket) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with pytest.raises(ssl.SSLCertVerificationError):
        context.wrap_socket(connection, server_hostname="example.com")


def hang_up(connection: socket.socket) -> None:
    connection.sendall(bytes.fromhex("16030100aa010000a6"))
    connection.shutdown(socket.SHUT_WR)
    assert read_all(connection) == b""


def talk_nonsense(connection: socket.socket) -> None:
    connection.sendall(b"\x16\x03\x01\x00\x05\x63\x00\x00\x01\x00")
    assert read_all(connection) == b""


def only_old_versions(connection: socket.socket) -> None:
    context = trusting(minimum_version=ssl.TLSVersion.TLSv1_2, maximum_version=ssl.TLSVersion.TLSv1_2)
    with pytest.raises(ssl.SSLError):
        context.wrap_socket(connection, server_hostname="example.com")


@pytest.mark.parametrize(
    ("client", "words"),
    [
        (distrust, "the client does not trust the certificate authority of the proxy"),
        (hang_up, "the client closed the connection during the TLS handshake"),
        (talk_nonsense, "the client's TLS handshake cannot be understood"),
        (only_old_versions, "the client and the proxy have no TLS version in common"),
    ],
)
async def test_handshakes_that_clients_fail_are_told_in_words(
    pki: Authorities, client: Callable[[socket.socket], None], words: str
) -> None:
    events = Events()
    options = {"tls_version_client_min": "TLS1_3", **pki.trust}
    async with origin(OK, ssl=pki.serve("example.com")) as server, running(events, **options) as proxy:
        await fail_as(proxy, server.port, client)
        await events.wait_for("client_disconnected")
        (line,) = [line for line in proxy.log if line.startswith("warn")]
        assert words in line
        assert line.startswith("warn: 127.0.0.1:")
        assert events.names.count("tls_failed_client") == 1
        failed = events["tls_failed_client"]
        assert failed.is_client
        assert words in failed.conn.error
        assert server.received == b""


# -- events --------------------------------------------------------------------------------------------------------


async def test_events_of_a_request_over_tls_come_in_order_with_their_data(pki: Authorities) -> None:
    events = Events()
    async with origin(OK, ssl=pki.serve("example.com")) as server, running(events, **pki.trust) as proxy:
        await visit(proxy, server.port)
        await events.wait_for("client_disconnected")
        assert events.names == [
            "client_connected",
            "http_connect",
            "tls_clienthello",
            "server_connect",
            "server_connected",
            "tls_start_server",
            "tls_established_server",
            "tls_start_client",
            "tls_established_client",
            "request",
            "response",
            "server_disconnected",
            "client_disconnected",
        ]
        hello = events["tls_clienthello"]
        assert isinstance(hello, ClientHelloData)
        assert hello.client_hello.sni == "example.com"
        assert hello.context.server.address == ("127.0.0.1", server.port)
        ours, theirs = events["tls_established_client"], events["tls_established_server"]
        assert isinstance(ours, TlsData)
        assert (ours.is_client, theirs.is_client) == (True, False)
        assert ours.conn is ours.context.client is theirs.context.client
        assert theirs.conn is proxy.flow.server_conn
        assert theirs.conn.timestamp_tls_setup >= theirs.conn.timestamp_tcp_setup
        assert events["http_connect"].request.method == "CONNECT"
        assert events["server_connected"].server is theirs.conn
        assert events["server_disconnected"].client is ours.conn


async def test_a_script_can_let_a_connection_pass(pki: Authorities) -> None:
    class Pass:
        def tls_clienthello(self, data: ClientHelloData) -> None:
            data.ignore_connection = True

    context = ssl.create_default_context(cafile=str(pki.ca.write(pki.folder)))
    leaf = pki.ca.leaf("example.com")
    async with origin(OK, ssl=pki.context(leaf), close=True) as server, running(Pass()) as proxy:
        seen = await visit(proxy, server.port, context=context)
        assert seen.reply.endswith(b"hi")
        assert seen.certificate == leaf.certificate
        assert proxy.flows == []


# -- which hosts ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "passed"),
    [
        ({"ignore_hosts": [r"^example\.com:"]}, True),
        ({"ignore_hosts": [r"^127\.0\.0\.1:"]}, True),
        ({"ignore_hosts": [r"^other\.example:"]}, False),
        ({"allow_hosts": [r"^example\.com:"]}, False),
        ({"allow_hosts": [r"^127\.0\.0\.1:"]}, False),
        ({"allow_hosts": [r"^other\.example:"]}, True),
    ],
    ids=str,
)
@pytest.mark.parametrize("shown", [False, True], ids=["not shown", "shown"])
async def test_hosts_that_are_passed_on_untouched(
    pki: Authorities, options: dict[str, Any], passed: bool, shown: bool
) -> None:
    leaf = pki.ca.leaf("example.com")
    context = trusting()
    context.load_verify_locations(str(pki.ca.write(pki.folder)))
    settings = options | pki.trust | {"show_ignored_hosts": shown}
    async with origin(OK, ssl=pki.context(leaf), close=True) as server, running(**settings) as proxy:
        seen = await visit(proxy, server.port, context=context)
        assert seen.reply.endswith(b"hi")
        assert (seen.certificate == leaf.certificate) is passed
        if passed and not shown:
            assert proxy.flows == []
            return
        await proxy.wait_for_flows()
        assert proxy.flow.type == ("tcp" if passed else "http")


async def test_tcp_hosts_are_raw_whatever_they_look_like() -> None:
    async with origin(OK, close=True) as server, running(tcp_hosts=["127.0.0.1"]) as proxy:
        reply = await proxy.send(f"CONNECT 127.0.0.1:{server.port} HTTP/1.1\r\n\r\n".encode() + GET)
        assert reply.endswith(OK)
        await proxy.wait_for_flows()
        (flow,) = proxy.flows
        assert flow.type == "tcp"
        assert [(message.from_client, message.content) for message in flow.messages] == [(True, GET), (False, OK)]


# -- inside CONNECT ------------------------------------------------------------------------------------------------


async def test_plain_http_inside_connect() -> None:
    async with origin(OK) as server, running() as proxy:
        reply = await proxy.send(f"CONNECT 127.0.0.1:{server.port} HTTP/1.1\r\n\r\n".encode() + GET)
        assert reply.startswith(b"HTTP/1.1 200 Connection established\r\n\r\nHTTP/1.1 200 OK\r\n")
        assert proxy.flow.request.url == f"http://127.0.0.1:{server.port}/"


async def test_a_script_refuses_a_tunnel() -> None:
    class Refuse:
        def http_connect(self, flow: HTTPFlow) -> None:
            flow.response = Response.make(403, b"not there", {"X-Why": "because"})

    async with origin(OK) as server, running(Refuse()) as proxy:
        reply = await proxy.send(f"CONNECT 127.0.0.1:{server.port} HTTP/1.1\r\n\r\n".encode() + GET)
        assert reply.startswith(b"HTTP/1.1 403 Forbidden\r\n")
        assert b"X-Why: because\r\n" in reply
        assert reply.endswith(b"\r\n\r\nnot there")
        assert server.received == b""
        assert proxy.flow.request.method == "CONNECT"


async def test_a_script_leads_a_tunnel_elsewhere() -> None:
    class Elsewhere:
        def __init__(self) -> None:
            self.port = 0

        def http_connect(self, flow: HTTPFlow) -> None:
            flow.request.host, flow.request.port = "127.0.0.1", self.port

    elsewhere = Elsewhere()
    async with origin(OK) as server, running(elsewhere) as proxy:
        elsewhere.port = server.port
        reply = await proxy.send(b"CONNECT nowhere.invalid:443 HTTP/1.1\r\n\r\n" + GET)
        assert reply.startswith(b"HTTP/1.1 200 Connection established\r\n\r\nHTTP/1.1 200 OK\r\n")
        assert proxy.flow.request.url == f"http://127.0.0.1:{server.port}/"


async def test_what_is_not_http_is_a_tcp_flow_that_scripts_may_edit() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(100):
            writer.write(b"<" + data + b">")
        writer.close()

    class Shout:
        def tcp_message(self, flow: Any) -> None:
            message = flow.messages[-1]
            message.content = message.content.upper()

    events = Events()
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with running(Shout(), events) as proxy:
        reply = await proxy.send(f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\n\r\n".encode() + b"\x00hello\xff" * 5)
        assert reply.partition(b"\r\n\r\n")[2] == b"<" + b"\x00HELLO\xff" * 5 + b">"
        await proxy.wait_for_flows()
        (flow,) = proxy.flows
        assert flow.type == "tcp"
        assert flow.error is None
        assert [message.from_client for message in flow.messages] == [True, False]
        assert [name for name in events.names if name.startswith("tcp_")] == [
            "tcp_start", "tcp_message", "tcp_message", "tcp_end",
        ]  # fmt: skip
    server.close()


async def test_an_upgrade_that_nobody_claims_is_relayed_raw() -> None:
    async def answer(reader: Any, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: odd/1\r\n\r\nwelcome ")
        writer.write(await reader.readexactly(4))
        writer.close()

    async with origin(answer) as server, running() as proxy:
        head = f"GET http://127.0.0.1:{server.port}/ HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n"
        reply = await proxy.send(head.encode() + b"Connection: Upgrade\r\nUpgrade: odd/1\r\n\r\n\x00\x01\x02\x03")
        assert reply.startswith(b"HTTP/1.1 101 ")
        assert b"Upgrade: odd/1\r\n" in reply
        assert reply.endswith(b"\r\n\r\nwelcome \x00\x01\x02\x03")
        assert proxy.flows[0].response.status_code == 101


@pytest.mark.parametrize("event", ["responseheaders", "response"])
@pytest.mark.parametrize("status", [502, 403])
async def test_a_script_that_does_not_want_an_upgrade(event: str, status: int) -> None:
    addon, answer = types.SimpleNamespace(), None if status == 502 else Response.make(403, b"mine")
    setattr(addon, event, lambda flow: setattr(flow, "response", answer))
    switching = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: odd/1\r\n\r\n"

    async with origin(switching) as server, running(addon) as proxy:
        head = f"GET http://127.0.0.1:{server.port}/ HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n"
        reply = await proxy.send(head.encode() + b"Connection: Upgrade\r\nUpgrade: odd/1\r\n\r\n")
        assert reply.startswith(b"HTTP/1.1 %d " % status)
        assert (b"a script took the response away" if answer is None else b"\r\n\r\nmine") in reply
        assert_quiet(proxy)


# -- held flows ----------------------------------------------------------------------------------------------------


def from_thread(act: Callable[[], None]) -> None:
    threading.Timer(0.05, act).start()


def from_task(act: Callable[[], None]) -> None:
    asyncio.get_running_loop().call_later(0.05, act)


@pytest.mark.parametrize("event", ["requestheaders", "request", "responseheaders", "response"])
@pytest.mark.parametrize("how", ["resume", "kill"])
@pytest.mark.parametrize("later", [from_thread, from_task])
async def test_a_held_flow_goes_on_or_ends(later: Callable[[Callable[[], None]], None], how: str, event: str) -> None:
    seen: list[str] = []

    def hold(flow: HTTPFlow) -> None:
        flow.intercept()
        assert flow.intercepted
        later(getattr(flow, how))

    addon = types.SimpleNamespace(
        error=lambda flow: seen.append("error"), response=lambda flow: seen.append("response")
    )
    setattr(addon, event, hold)

    async with origin(OK) as server, running(addon) as proxy:
        reply = await proxy.send(
            f"GET http://127.0.0.1:{server.port}/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode(),
            half_close=False,
        )
        assert reply.endswith(b"hi" if how == "resume" else b"")
        assert bool(reply) is (how == "resume")
        assert bool(server.received) is (how == "resume" or event.startswith("response"))
        assert (proxy.flow.error is None) is (how == "resume")
        assert seen.count("error") == (how == "kill")
        assert not proxy.flow.intercepted


@pytest.mark.parametrize("how", ["resume", "kill"])
async def test_a_held_tunnel_is_made_when_it_is_let_go(how: str) -> None:
    held: list[HTTPFlow] = []

    class Hold:
        def http_connect(self, flow: HTTPFlow) -> None:
            flow.intercept()
            held.append(flow)

    async with origin(OK) as server, running(Hold()) as proxy:
        target = f"127.0.0.1:{server.port}"
        reader, writer = await proxy.connect()
        writer.write(f"CONNECT {target} HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
        await until(lambda: bool(held))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await reader.read(1)
        getattr(held[0], how)()
        if how == "resume":
            assert (await reader.readexactly(12)) == b"HTTP/1.1 200"
            await reader.readuntil(b"hi")
        else:
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
            assert proxy.flow.error is not None
        writer.close()


async def test_a_handler_may_wait_by_itself() -> None:
    class Wait:
        async def request(self, flow: HTTPFlow) -> None:
            flow.intercept()
            asyncio.get_running_loop().call_soon(flow.resume)
            await asyncio.sleep(0.01)

    async with origin(OK) as server, running(Wait()) as proxy:
        head = f"GET http://127.0.0.1:{server.port}/ HTTP/1.1\r\nHost: a\r\n\r\n"
        assert (await proxy.send(head.encode())).endswith(b"hi")
        assert not proxy.flow.intercepted


# -- connections without TLS ---------------------------------------------------------------------------------------


async def test_events_of_a_plain_connection_come_in_order_with_their_data() -> None:
    events = Events()
    async with origin(OK) as server, running(events) as proxy:
        head = f"GET http://127.0.0.1:{server.port}/ HTTP/1.1\r\nHost: a\r\n\r\n"
        await proxy.send(head.encode())
        await events.wait_for("client_disconnected")
        assert events.names == [
            "client_connected", "request", "server_connect", "server_connected", "response", "server_disconnected",
            "client_disconnected",
        ]  # fmt: skip
        flow = proxy.flow
        client, data = events["client_connected"], events["server_connect"]
        assert client is flow.client_conn is events["client_disconnected"] is data.client
        assert data.server is flow.server_conn is events["server_connected"].server
        assert data.server is events["server_disconnected"].server
        assert data.server.address == ("127.0.0.1", server.port)
        assert client.timestamp_end is not None
        assert data.server.timestamp_end is not None


def test_a_connection_that_cannot_be_made_has_its_event() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]

        async def scenario() -> None:
            events = Events()
            async with running(events) as proxy:
                reply = await proxy.send(f"GET http://127.0.0.1:{port}/ HTTP/1.1\r\nHost: a\r\n\r\n".encode())
                assert reply.startswith(b"HTTP/1.1 502 ")
                await events.wait_for("client_disconnected")
                assert events.names == [
                    "client_connected", "request", "server_connect", "server_connect_error", "error",
                    "client_disconnected",
                ]  # fmt: skip
                failed = events["server_connect_error"]
                assert failed.server.address == ("127.0.0.1", port)
                assert "Connection refused" in failed.server.error
                assert failed.client is proxy.flow.client_conn

        run(scenario())


async def test_a_script_sends_a_connection_elsewhere() -> None:
    async with origin(OK) as server, running() as proxy:

        def server_connect(data: Any) -> None:
            data.server.address = ("127.0.0.1", server.port)

        proxy.master.addons.script_addons = [types.SimpleNamespace(server_connect=server_connect)]
        proxy.master.addons.rebuild()
        reply = await proxy.send(b"GET http://nowhere.invalid/ HTTP/1.1\r\nHost: nowhere.invalid\r\n\r\n")
        assert reply.endswith(b"hi")
        assert b"Host: nowhere.invalid\r\n" in server.received
