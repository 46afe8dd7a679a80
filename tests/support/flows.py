"""Flows of every kind for tests, and the real command line to run on them.

Everything but the ids is fixed, times begin at ``T0``. Build flows with ``http_flow``, ``websocket_flow``,
``tcp_flow``, ``udp_flow`` and ``dns_flow`` (or ``every_kind``), store them with ``write_flows``, run
``run_flowdump("-r", path, …)`` and look with ``read_flows``.
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from flowdump.connection import Client, Server
from flowdump.dns import DNSFlow, DNSMessage, Question, ResourceRecord
from flowdump.flow import Error, Flow
from flowdump.formats.flowfile import FlowReader, FlowWriter
from flowdump.http import HTTPFlow, Request, Response
from flowdump.tcp import TCPFlow, TCPMessage
from flowdump.udp import UDPFlow, UDPMessage
from flowdump.websocket import BINARY, TEXT, WebSocketData, WebSocketMessage

ROOT = Path(__file__).resolve().parent.parent.parent
SCRIPTS = ROOT / "scripts"
EXAMPLES = ROOT / "examples"

#: When every flow begins, in Unix seconds: 2024-03-01 12:00:00 UTC.
T0 = 1709294400.0

#: What is said of a script whose handler takes long, which on a busy machine may be any.
SLOW = re.compile(r"^.+: \w+ blocked everything else for .*\n", re.MULTILINE)

#: A test that needs longer than this hangs.
TIMEOUT = 120


# -- messages ----------------------------------------------------------------------------------------------------


def request(method: str = "GET", url: str = "https://example.com/", content: bytes = b"", headers: Any = ()) -> Request:
    """A request at ``T0`` with a Host header in front of ``headers`` (pairs or a dict)."""
    made = Request.make(method, url, content, _pairs(headers))
    if not content and "content-length" not in dict(_lower(headers)):
        made.headers.pop("content-length", None)
    if "host" not in made.headers:
        made.headers.insert(0, "Host", made.host if made.port in (80, 443) else f"{made.host}:{made.port}")
    made.timestamp_start, made.timestamp_end = T0, T0 + 0.01
    return made


def response(status: int = 200, content: bytes = b"", headers: Any = ()) -> Response:
    """A response shortly after ``T0``. A Content-Encoding among ``headers`` is applied to ``content``."""
    made = Response.make(status, content, _pairs(headers))
    made.timestamp_start, made.timestamp_end = T0 + 0.02, T0 + 0.05
    return made


def _pairs(headers: Any) -> list[tuple[Any, Any]]:
    return list(headers.items()) if hasattr(headers, "items") else list(headers)


def _lower(headers: Any) -> list[tuple[str, Any]]:
    return [((name.decode("latin-1") if isinstance(name, bytes) else name).lower(), v) for name, v in _pairs(headers)]


# -- flows -------------------------------------------------------------------------------------------------------


def client(**facts: Any) -> Client:
    return Client(
        **({"peername": ("127.0.0.1", 50000), "sockname": ("127.0.0.1", 8080), "timestamp_start": T0} | facts)
    )


def server(host: str = "example.com", port: int = 443, **facts: Any) -> Server:
    known = {"address": (host, port), "peername": ("192.0.2.1", port), "timestamp_start": T0, "timestamp_tcp_setup": T0}
    return Server(**(known | facts))


def http_flow(url: str | Request = "https://example.com/", answer: Response | None = None, **facts: Any) -> HTTPFlow:
    """A GET of ``url`` (or a request) with its answer; without one the flow stayed unanswered.

    ``facts`` are attributes of the flow: ``error="refused"`` (text will do), ``id=…``, ``comment=…``.
    """
    asked = url if isinstance(url, Request) else request(url=url)
    flow = HTTPFlow(client(), server(asked.host, asked.port))
    flow.request, flow.response = asked, answer
    return _with(flow, facts)


def websocket_flow(*messages: bytes | str, url: str = "https://example.com/live", **facts: Any) -> HTTPFlow:
    """A closed WebSocket; str messages are text, bytes are binary, and the client begins, then they take turns."""
    upgrade = [("Connection", "Upgrade"), ("Upgrade", "websocket")]
    asked = request(url=url, headers=[*upgrade, ("Sec-WebSocket-Version", "13")])
    flow = http_flow(asked, response(101, headers=upgrade))
    flow.websocket = WebSocketData()
    for i, message in enumerate(messages):
        kind, content = (TEXT, message.encode()) if isinstance(message, str) else (BINARY, message)
        flow.websocket.messages.append(WebSocketMessage(kind, i % 2 == 0, content, T0 + 1 + i))
    flow.websocket.closed_by_client, flow.websocket.close_code, flow.websocket.close_reason = True, 1000, ""
    flow.websocket.timestamp_end = T0 + 1 + len(messages)
    return _with(flow, facts)


def tcp_flow(*messages: bytes, **facts: Any) -> TCPFlow:
    """A relayed TCP connection; the client begins, then they take turns."""
    flow = TCPFlow(client(), server(port=9000))
    flow.messages = [TCPMessage(i % 2 == 0, content, T0 + i) for i, content in enumerate(messages)]
    return _with(flow, facts)


def udp_flow(*messages: bytes, **facts: Any) -> UDPFlow:
    """Datagrams; the client begins, then they take turns."""
    flow = UDPFlow(client(transport_protocol="udp"), server(port=9001, transport_protocol="udp"))
    flow.messages = [UDPMessage(i % 2 == 0, content, T0 + i) for i, content in enumerate(messages)]
    return _with(flow, facts)


def dns_flow(name: str = "example.com", *addresses: str, **facts: Any) -> DNSFlow:
    """A query for the A record of ``name``; without ``addresses`` it stayed unanswered."""
    flow = DNSFlow(client(transport_protocol="udp"), server("192.0.2.53", 53, transport_protocol="udp"))
    flow.request = DNSMessage(7, True, 0, False, False, True, False, 0, 0, [Question(name, 1, 1)], timestamp=T0)
    if addresses:
        records = [ResourceRecord(name, 1, 1, 60, bytes(int(n) for n in a.split("."))) for a in addresses]
        flow.response = flow.request.succeed(records)
        flow.response.timestamp = T0 + 0.02
    return _with(flow, facts)


def _with(flow: Any, facts: dict[str, Any]) -> Any:
    flow.timestamp_created = T0
    if isinstance(facts.get("error"), str):
        facts["error"] = Error(facts["error"], T0 + 0.5)
    for name, value in facts.items():
        setattr(flow, name, value)
    return flow


def every_kind() -> list[Flow]:
    """One flow of each kind, and those on which careless code stumbles:

    no response, an error, an error beside a response, no recorded body, bytes that no coding, charset or JSON parser
    takes.
    """
    coded = {"content-type": "application/json", "content-encoding": "gzip"}
    undecodable = response(200, b"", coded)
    undecodable.raw_content = b"\x1f\x8b\xff no gzip"
    unrecorded = response(200, b"", {"content-type": "text/html"})
    unrecorded.raw_content = None
    binary = request("POST", "https://example.com/\udcff?q=\udcfe", b"\xff\x00{", {"content-type": "application/json"})
    headers = [(b"x-odd", b"\xff\xfe"), (b"content-type", b"text/plain; charset=nonsense")]
    return [
        http_flow("https://example.com/plain.html", response(200, b"<p>html</p>", {"content-type": "text/html"})),
        http_flow("https://example.com/gzip", response(200, b'{"a": "html"}', coded)),
        http_flow("https://example.com/unanswered"),
        http_flow("https://down.example.com/", error="connection refused"),
        http_flow("https://example.com/cut", response(200, b"half"), error="server closed the connection"),
        http_flow("https://example.com/undecodable", undecodable),
        http_flow("https://example.com/unrecorded", unrecorded),
        http_flow(binary, response(200, b"\xff\xfe\x00", headers)),
        http_flow(request("CONNECT", "https://example.com:443"), response(200)),
        websocket_flow("hello", b"\x00\xff"),
        websocket_flow("cut", error="connection lost"),
        tcp_flow(b"ping", b"\xff"),
        tcp_flow(b"ping", error="reset"),
        udp_flow(b"ping", b"\xff"),
        dns_flow("example.com", "192.0.2.1"),
        dns_flow("missing.example.com"),
        dns_flow("failed.example.com", error="timeout"),
    ]


# -- files -------------------------------------------------------------------------------------------------------


def record(*flows: Flow) -> bytes:
    """The flow file of these flows, as bytes."""
    out = io.BytesIO()
    writer = FlowWriter(out)
    for flow in flows:
        writer.add(flow)
    return out.getvalue()


def write_flows(path: str | os.PathLike[str], flows: Iterable[Flow]) -> Path:
    """Make a flow file; gives its path."""
    target = Path(path)
    target.write_bytes(record(*flows))
    return target


def read_flows(source: str | os.PathLike[str] | bytes) -> list[Any]:
    """The flows of a flow file, or of its bytes. Anything damaged raises FlowFileError."""
    data = source if isinstance(source, bytes) else Path(source).read_bytes()
    return list(FlowReader(io.BytesIO(data)))


# -- the command line ----------------------------------------------------------------------------------------------


def environment(**more: str) -> dict[str, str]:
    """The environment of a run: UTC, no colours, and a home without a configuration."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FLOWDUMP_", "MITMPROXY_"))}
    home = os.path.join(tempfile.gettempdir(), "flowdump-tests-have-no-home")
    return kept | {"HOME": home, "TZ": "UTC", "NO_COLOR": "1", "PYTHONIOENCODING": "utf-8"} | more


def run_flowdump(
    *arguments: str | os.PathLike[str],
    input: bytes | str | None = None,
    cwd: str | os.PathLike[str] | None = None,
    env: dict[str, str] | None = None,
    check: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Run ``flowdump`` as its users do, in a process of its own.

    Output comes as text; where it was binary (``-w -``), ``raw(result.stdout)`` gives its bytes back. ``input`` goes to
    stdin, which is empty otherwise. ``env`` comes on top of ``environment()``. With ``check`` an exit code other than 0
    fails the test, and says what was printed.
    """
    done = subprocess.run(
        [sys.executable, "-m", "flowdump", *map(os.fspath, arguments)],
        input=input.encode() if isinstance(input, str) else input or b"",
        capture_output=True,
        cwd=cwd,
        env=environment(**(env or {})),
        timeout=TIMEOUT,
        check=False,
    )
    out, err = (stream.decode("utf-8", "surrogateescape") for stream in (done.stdout, done.stderr))
    result = subprocess.CompletedProcess(done.args, done.returncode, out, SLOW.sub("", err))
    if check:
        assert result.returncode == 0, f"exit code {result.returncode}\n{result.stdout}\n{result.stderr}"
    return result


def raw(text: str) -> bytes:
    """The bytes of what ``run_flowdump`` gives as text."""
    return text.encode("utf-8", "surrogateescape")


def script(name: str, *arguments: str) -> str:
    """``script("replacer.py", "a", "b c")``: what ``-s`` takes for a script that comes with flowdump."""
    import shlex

    return shlex.join([str(SCRIPTS / name), *arguments])
