"""Make ``sample.flows``, the small flow file that comes with flowdump.

    python examples/make_sample.py [PATH]

Ids and times are fixed, so the same file comes out each time (compressed bodies may differ between versions of zlib
and brotli). Hosts are those that RFC 2606 and RFC 5737 keep free for examples; it holds no real data.
"""

from __future__ import annotations

import json
import struct
import sys
import zlib
from pathlib import Path

from flowdump.connection import Client, Server
from flowdump.dns import DNSFlow, DNSMessage, Question, ResourceRecord
from flowdump.flow import Error, Flow
from flowdump.formats.flowfile import FlowWriter
from flowdump.http import HTTPFlow, Request, Response
from flowdump.websocket import TEXT, WebSocketData, WebSocketMessage

#: 2026-03-02 09:30:00 UTC, in Unix seconds.
BEGIN = 1772443800.0

PAGE = b"""<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <title>Example Garden</title>
  <link rel="stylesheet" href="/css/site.css">
  <script src="/js/app.js" defer></script>
</head>
<body>
  <h1><img src="/img/logo.png" alt="">Example Garden</h1>
  <p>Seeds and tools. This page is plain html.</p>
  <ul>
    <li><a href="/seeds.html">Seeds</a></li>
    <li><a href="/tools.html">Tools</a></li>
    <li><a href="/about.html">About us</a></li>
  </ul>
</body>
</html>
"""

STYLE = b"""@charset "utf-8";
:root { --leaf: #2e7d32; }
body { font: 16px/1.5 sans-serif; margin: 2rem auto; max-width: 40rem; }
h1, a { color: var(--leaf); }
"""

SCRIPT = b"""const api = "https://api.example.org/v1";
async function items(page) {
  const answer = await fetch(`${api}/items?page=${page}`);
  return (await answer.json()).items;
}
items(1).then((all) => console.log(all.length));
"""

ITEMS = {
    "page": 1,
    "items": [
        {"id": 17, "name": "Basil", "price": 2.4, "tags": ["herb", "annual"], "inStock": True},
        {"id": 18, "name": "Möhre", "price": 1.9, "tags": ["root"], "inStock": True},
        {"id": 23, "name": "Trowel", "price": 11.0, "tags": [], "inStock": False},
    ],
    "next": "/v1/items?page=2",
}

MISSING = b"<!doctype html>\n<title>Not found</title>\n<p>There is no such page. <a href='/index.html'>Home</a></p>\n"

ACCOUNT = b"<!doctype html>\n<title>Account</title>\n<p>Hello, demo. <a href='/logout.html'>Log out</a></p>\n"

AGENT = ("User-Agent", "ExampleBrowser/1.0")
HTML = ("Content-Type", "text/html; charset=utf-8")
ADDRESSES = {"example.com": "192.0.2.10", "www.example.com": "192.0.2.10", "api.example.org": "198.51.100.20"}

Pairs = list[tuple[str, str]]


def png(width: int, height: int, row: bytes) -> bytes:
    """A PNG of one colour per column: 8-bit RGB, stored without compression."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    pixels = zlib.compress(b"".join(b"\0" + row for _ in range(height)), 0)
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


class Sample:
    """Flows in the order in which they happened, half a second apart."""

    def __init__(self) -> None:
        self.flows: list[Flow] = []

    def at(self) -> float:
        return BEGIN + 0.5 * len(self.flows)

    def add(self, flow: Flow) -> None:
        number = len(self.flows) + 1
        flow.timestamp_created = self.at()
        for kind, part in (("f1", flow), ("c1", flow.client_conn), ("5e", flow.server_conn)):
            part.id = f"{kind}000000-0000-4000-8000-{number:012}"
        self.flows.append(flow)

    def client(self) -> Client:
        at = self.at()
        return Client(
            peername=("127.0.0.1", 51000 + len(self.flows)), sockname=("127.0.0.1", 8080), timestamp_start=at - 0.02
        )

    def server(self, host: str, port: int) -> Server:
        at = self.at()
        server = Server(address=(host, port))
        if host in ADDRESSES:
            server.peername, server.sockname = (ADDRESSES[host], port), ("203.0.113.5", 40000 + len(self.flows))
            server.timestamp_start, server.timestamp_tcp_setup = at - 0.015, at - 0.008
        return server

    def http(self, request: Request, response: Response | None, took: float = 0.08) -> HTTPFlow:
        at = self.at()
        flow = HTTPFlow(self.client(), self.server(request.host, request.port))
        request.timestamp_start, request.timestamp_end = at, at + 0.001
        flow.request, flow.response = request, response
        if response is not None:
            response.timestamp_start, response.timestamp_end = at + took / 2, at + took
        if request.scheme == "https" and response is not None:
            self.secure(flow)
        self.add(flow)
        return flow

    def secure(self, flow: HTTPFlow) -> None:
        alpn = b"h2" if flow.request.is_http2 else b"http/1.1"
        for connection in (flow.client_conn, flow.server_conn):
            connection.tls, connection.tls_version = True, "TLSv1.3"
            connection.cipher, connection.sni = "TLS_AES_256_GCM_SHA384", flow.request.host
            connection.alpn, connection.alpn_offers = alpn, [b"h2", b"http/1.1"]
            connection.timestamp_tls_setup = flow.request.timestamp_start - 0.002

    def get(self, url: str, response: Response, headers: Pairs | None = None, took: float = 0.08) -> HTTPFlow:
        return self.http(asked("GET", url, headers), response, took)


def asked(method: str, url: str, headers: Pairs | None = None, content: bytes = b"") -> Request:
    request = Request.make(method, url)
    request.headers.clear()
    request.headers.add("Host", request.host)
    for name, value in [AGENT, ("Accept-Encoding", "gzip, br"), *(headers or [])]:
        request.headers.add(name, value)
    if content:
        request.content = content
    return request


def answered(status: int, headers: Pairs, content: bytes = b"") -> Response:
    return Response.make(status, content, [("Date", "Mon, 02 Mar 2026 09:30:00 GMT"), *headers])


def site(sample: Sample) -> None:
    """A browser opens a page and what belongs to it."""
    page = "https://www.example.com/"
    referer = [("Referer", page)]
    gzip = ("Content-Encoding", "gzip")
    sample.get("http://example.com/", answered(301, [("Location", page)]), took=0.03)
    sample.get(page, answered(200, [HTML, gzip, ("Set-Cookie", "visit=4d2; Path=/; Secure")], PAGE), took=0.12)
    sample.get(f"{page}css/site.css", answered(200, [("Content-Type", "text/css"), gzip], STYLE), referer)
    sample.get(f"{page}js/app.js", answered(200, [("Content-Type", "text/javascript"), gzip], SCRIPT), referer)
    logo = png(8, 8, b"\x2e\x7d\x32" * 4 + b"\xff\xff\xff" * 4)
    sample.get(f"{page}img/logo.png", answered(200, [("Content-Type", "image/png")], logo), referer, 0.04)
    sample.get(f"{page}seeds.htm", answered(404, [HTML], MISSING), referer)


def api(sample: Sample) -> None:
    """HTTP/2: no Host header, names in lower case, no reason phrase."""
    request = asked("GET", "https://api.example.org/v1/items?page=1&api_key=demo-key", [("accept", "application/json")])
    headers = [("content-type", "application/json"), ("content-encoding", "br")]
    response = answered(200, headers, json.dumps(ITEMS, ensure_ascii=False).encode())
    for message in (request, response):
        message.http_version = "HTTP/2.0"
        message.headers.fields = tuple((name.lower(), value) for name, value in message.headers.fields)
    request.headers.pop("host")
    request.authority = "api.example.org"
    response.reason = ""
    sample.http(request, response, took=0.21)


def login(sample: Sample) -> None:
    """A form, and the page it leads to."""
    form = [("Content-Type", "application/x-www-form-urlencoded"), ("Cookie", "visit=4d2")]
    request = asked("POST", "https://www.example.com/login", form, b"user=demo&password=correct+horse&next=%2Faccount")
    headers = [("Location", "/account.html"), ("Set-Cookie", "session=s3cr3t; Path=/; HttpOnly; SameSite=Lax")]
    sample.http(request, answered(303, headers), took=0.3)
    cookies = [("Cookie", "visit=4d2; session=s3cr3t")]
    sample.get("https://www.example.com/account.html", answered(200, [HTML], ACCOUNT), cookies)


def failure(sample: Sample) -> None:
    """An origin that cannot be reached."""
    flow = sample.http(asked("GET", "https://shop.example.net/cart"), None)
    flow.error = Error("connection to shop.example.net:443 refused", flow.request.timestamp_start + 0.05)
    flow.server_conn.error = "connection refused"


def chat(sample: Sample) -> None:
    """A WebSocket with three messages, closed by the client."""
    upgrade = [("Connection", "Upgrade"), ("Upgrade", "websocket")]
    key = [("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")]
    request = asked("GET", "https://www.example.com/stock", [*upgrade, *key])
    response = answered(101, [*upgrade, ("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")])
    response.headers.pop("content-length")
    flow = sample.http(request, response, took=0.02)
    at = request.timestamp_start
    flow.websocket = WebSocketData()
    talk = [(True, b'{"watch": [17, 18]}'), (False, b'{"id": 17, "inStock": true}'), (False, b'{"id": 18, "left": 3}')]
    for i, (from_client, content) in enumerate(talk):
        flow.websocket.messages.append(WebSocketMessage(TEXT, from_client, content, at + 0.1 * (i + 1)))
    flow.websocket.closed_by_client, flow.websocket.close_code, flow.websocket.close_reason = True, 1000, "bye"
    flow.websocket.timestamp_end = at + 0.4


def name(sample: Sample) -> None:
    """A DNS query and its answer."""
    flow = DNSFlow(sample.client(), sample.server("192.0.2.53", 53))
    flow.client_conn.transport_protocol = flow.server_conn.transport_protocol = "udp"
    flow.request = DNSMessage(4660, True, 0, False, False, True, False, 0, 0, timestamp=sample.at())
    flow.request.questions = [Question("api.example.org", 1, 1)]
    flow.response = flow.request.succeed([ResourceRecord("api.example.org", 1, 1, 300, bytes((198, 51, 100, 20)))])
    flow.response.timestamp = sample.at() + 0.012
    sample.add(flow)


def sample_flows() -> list[Flow]:
    sample = Sample()
    for scene in (site, name, api, login, failure, chat):
        scene(sample)
    return sample.flows


def main() -> None:
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("sample.flows")
    with path.open("wb") as out:
        writer = FlowWriter(out)
        for flow in sample_flows():
            writer.add(flow)


if __name__ == "__main__":
    main()
