"""Flows of every kind for tests.

``tflow()`` is a request without an answer; ``tflow(resp=True)`` has one, ``tflow(err=True)`` failed, and
``twebsocketflow()``, ``ttcpflow()``, ``tudpflow()`` and ``tdnsflow()`` are of the other kinds. Instead of True, the
response, error and so on may be given. Their facts are always the same, but for ids; they are live, so that they can be
killed.
"""

from __future__ import annotations

from typing import Any

from flowdump.connection import Client, ConnectionState, Server, new_id
from flowdump.dns.message import DNSFlow, DNSMessage
from flowdump.flow import Error, Flow
from flowdump.http.flow import Headers, HTTPFlow, Request, Response
from flowdump.tcp import TCPFlow, TCPMessage
from flowdump.test.tutils import T0, tdnsreq, tdnsresp, treq, tresp
from flowdump.udp import UDPFlow, UDPMessage
from flowdump.websocket import BINARY, TEXT, WebSocketData, WebSocketMessage

Given = Any  # True for the usual thing, False or None for none, or the thing itself


def tclient_conn() -> Client:
    """The client 127.0.0.1:22, connected, with TLS done."""
    client = _facts(Client(peername=("127.0.0.1", 22), sockname=("", 0)), T0)
    client.timestamp_tls_setup, client.timestamp_end = T0 + 1.0, T0 + 6.0
    client.alpn, client.cipher, client.state = b"http/1.1", "cipher", ConnectionState.OPEN
    return client  # type: ignore[no-any-return]


def tserver_conn() -> Server:
    """The server ``address:22`` at 192.168.0.1, closed, with TLS done."""
    server = _facts(Server(address=("address", 22), peername=("192.168.0.1", 22), sockname=("address", 22)), T0 + 2)
    server.timestamp_tcp_setup, server.timestamp_tls_setup, server.timestamp_end = T0 + 3.0, T0 + 4.0, T0 + 5.0
    return server  # type: ignore[no-any-return]


def _facts(connection: Any, begun: float) -> Any:
    connection.sni, connection.tls_version = "address", "TLSv1.2"
    connection.timestamp_start = float(begun)
    return connection


def terr(content: str = "error") -> Error:
    return Error(content, T0 + 7)


def tflow(
    *,
    client_conn: bool | Client | None = None,
    server_conn: bool | Server | None = None,
    req: bool | Request | None = None,
    resp: bool | Response | None = False,
    err: bool | Error | None = False,
    **more: Given,
) -> HTTPFlow:
    """An HTTP flow; ``ws=True`` gives it WebSocket messages, ``live=False`` makes it one from a file."""
    flow: HTTPFlow = _flow(HTTPFlow, client_conn, server_conn, err)
    flow.request = req if isinstance(req, Request) else treq()  # True is how older tests ask for the usual one
    flow.response = _given(resp, tresp)
    flow.websocket = _given(more.pop("ws", False), twebsocket)
    flow.live = more.pop("live", True)
    if more:
        raise TypeError(f"tflow() has no argument {', '.join(more)}")
    return flow


def twebsocketflow(
    messages: bool = True, err: Given = None, close_code: int | None = None, close_reason: str = ""
) -> HTTPFlow:
    """A WebSocket that was opened, used and closed."""
    upgrade = ((b"connection", b"upgrade"), (b"upgrade", b"websocket"))
    asked = Headers([*upgrade, (b"sec-websocket-version", b"13"), (b"sec-websocket-key", b"1234")])
    where: dict[str, Any] = {"host": "example.com", "port": 80, "authority": b"example.com", "path": b"/ws"}
    answer = tresp(
        status_code=101,
        reason=b"Switching Protocols",
        headers=Headers([*upgrade, (b"sec-websocket-accept", b"")]),
        content=b"",
    )
    flow = tflow(req=treq(**where, headers=asked, content=b""), resp=answer, err=err, ws=twebsocket(messages))
    assert flow.websocket is not None
    flow.websocket.close_code = close_code or 1000
    flow.websocket.close_reason = close_reason
    return flow


def twebsocket(messages: bool = True) -> WebSocketData:
    """Three messages, the first one binary; closed by the server."""
    data = WebSocketData(closed_by_client=False, close_code=1000, close_reason="Close Reason", timestamp_end=T0 + 5.0)
    if messages:
        data.messages = [
            WebSocketMessage(BINARY, True, b"hello binary", T0 + 3),
            WebSocketMessage(TEXT, True, b"hello text", T0 + 4),
            WebSocketMessage(TEXT, False, b"it's me", T0 + 5),
        ]
    return data


def ttcpflow(
    client_conn: Given = True, server_conn: Given = True, messages: Given = True, err: Given = None
) -> TCPFlow:
    """A TCP connection with a message each way."""
    flow: TCPFlow = _flow(TCPFlow, client_conn, server_conn, err)
    flow.messages = _messages(messages, TCPMessage)
    return flow


def tudpflow(
    client_conn: Given = True, server_conn: Given = True, messages: Given = True, err: Given = None
) -> UDPFlow:
    """A datagram each way."""
    flow: UDPFlow = _flow(UDPFlow, client_conn, server_conn, err)
    flow.messages = _messages(messages, UDPMessage)
    return flow


def tdnsflow(
    *,
    client_conn: Client | None = None,
    server_conn: Server | None = None,
    req: DNSMessage | None = None,
    resp: bool | DNSMessage = False,
    err: bool | Error = False,
    live: bool = True,
) -> DNSFlow:
    """A DNS query, with ``resp=True`` its answer."""
    flow: DNSFlow = _flow(DNSFlow, client_conn, server_conn, err)
    if client_conn is None:
        flow.client_conn.proxy_mode = "dns"
    flow.client_conn.transport_protocol = flow.server_conn.transport_protocol = "udp"
    flow.request, flow.response, flow.live = req or tdnsreq(), _given(resp, tdnsresp), live
    return flow


class DummyFlow(Flow):
    """A flow of a kind that nothing else knows."""

    type = "dummy"

    def _parts_state(self) -> dict[str, Any]:
        return {}

    def _set_parts(self, state: dict[str, Any]) -> None:
        """There are no parts."""


def tdummyflow(client_conn: Given = True, server_conn: Given = True, err: Given = None) -> DummyFlow:
    return _flow(DummyFlow, client_conn, server_conn, err)  # type: ignore[no-any-return]


def tflows() -> list[Flow]:
    """A flow of each kind, finished and failed."""
    return [
        tflow(resp=True),
        tflow(err=True),
        tflow(ws=True),
        ttcpflow(),
        ttcpflow(err=True),
        tudpflow(),
        tudpflow(err=True),
        tdnsflow(resp=True),
        tdnsflow(err=True),
    ]


def _flow(kind: Any, client: Given, server: Given, err: Given) -> Any:
    client = tclient_conn() if client is None or client is True else client
    server = tserver_conn() if server is None or server is True else server
    flow = kind(client or None, server or None, True)
    flow.id = new_id()
    flow.timestamp_created = float(T0)
    flow.error = _given(err, terr)
    return flow


def _given(thing: Given, usual: Any) -> Any:
    return usual() if thing is True else thing or None


def _messages(given: Given, kind: Any) -> list[Any]:
    if given is True:
        return [kind(True, b"hello", T0 + 4.2), kind(False, b"it's me", T0 + 4.5)]
    return given or []
