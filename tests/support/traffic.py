"""Realistic traffic, made up: flows as a browser leaves them behind, the same ones on every run.

A *visit* is ten requests over one connection to one of forty sites: most over TLS with a certificate, half of those
HTTP/2. Bodies are HTML, JSON, JavaScript and PNG of 0.2 to 20 KB, most of the text gzip-encoded; a tenth of the
requests are form posts. ``states`` gives flows as state dicts (the notation of the flow file, format version 21), and
``write_native`` and ``write_har`` make files of them. Random numbers come from ``random.Random(1)`` and certificates
from Ed25519 keys with fixed bytes, so the flows are the same wherever they are made (zlib may differ in a few bytes).

20,000 flows are a native file of about 85 MB::

    python tests/support/traffic.py FOLDER [FLOWS]     # writes traffic.mitm, traffic.har and others
"""

from __future__ import annotations

import base64
import datetime
import gzip
import hashlib
import json
import random
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from flowdump.formats.flowfile import state, tnetstring

State = dict[str, Any]

FLOWS_PER_CONNECTION = 10
SITES = 40
#: 14 November 2023, in Unix seconds.
START = 1_700_000_000.0

_WORDS = """
about account archive article author banner basket browse button category checkout client comment contact
content customer delivery details discount download element event feature footer gallery header history image
index invoice keyword language layout library license listing location market member message module network
newsletter number option order overview package partner password payment picture platform policy preview price
privacy product profile project promotion provider quality quantity rating record region release report request
result review reward schedule search section security select service session setting shipping shop sidebar
signup social source special status storage subject summary support survey system template theme title topic
tracking traffic transfer update upload user value version video visitor warehouse website widget window
""".split()  # noqa: SIM905 - shorter to read than a list of a hundred lines
_WEIGHTS = [1 / (1 + rank) for rank in range(len(_WORDS))]
_AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
_DATE = "Tue, 14 Nov 2023 22:13:20 GMT"
_ACCEPT = {
    "html": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
    "json": "application/json, text/plain, */*",
    "js": "*/*",
    "png": "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8",
}
_TYPES = {
    "html": "text/html; charset=utf-8",
    "json": "application/json",
    "js": "application/javascript; charset=utf-8",
    "png": "image/png",
}


# bodies


def _sentence(rng: random.Random, words: int) -> str:
    """Words with a few common ones, so that text shrinks under gzip as real text does: to about a quarter."""
    return " ".join(rng.choices(_WORDS, _WEIGHTS, k=words))


def _html(rng: random.Random, size: int) -> bytes:
    parts = [f"<!doctype html><html><head><title>{_sentence(rng, 4)}</title></head><body>"]
    length = len(parts[0])
    while length < size:
        part = f'<div class="{rng.choice(_WORDS)}"><h2>{_sentence(rng, 3)}</h2><p>{_sentence(rng, 24)}.</p></div>\n'
        parts.append(part)
        length += len(part)
    return "".join([*parts, "</body></html>"]).encode()


def _json(rng: random.Random, size: int) -> bytes:
    rows, length = [], 0
    while length < size:
        row = {"id": rng.randrange(10**8), "name": _sentence(rng, 2), "price": rng.randrange(10**5) / 100, "tags": []}
        rows.append(row | {"tags": rng.choices(_WORDS, k=4), "page": f"/{rng.choice(_WORDS)}.html"})
        length += 130
    return json.dumps({"status": "ok", "items": rows}).encode()


def _js(rng: random.Random, size: int) -> bytes:
    parts, length = ['"use strict";\n'], 0
    while length < size:
        one, two, three = rng.choices(_WORDS, k=3)
        part = f'function {one}{length}({two}, {three}) {{ return {two}.{three}("{_sentence(rng, 5)}") || null; }}\n'
        parts.append(part)
        length += len(part)
    return "".join(parts).encode()


def _png(rng: random.Random, size: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + rng.randbytes(size)


_BODIES = {"html": _html, "json": _json, "js": _js, "png": _png}


# connections


@cache
def certificate(name: str) -> bytes:
    """A certificate for ``name`` as PEM, about 1.1 KB as those of real sites are; the same for the same name."""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding

    key = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    names = [x509.DNSName(f"{label}.{name}") for label in ("www", *_WORDS[:14])]
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Example Issuing Authority")]))
        .public_key(key.public_key())
        .serial_number(int.from_bytes(hashlib.sha256(name.encode()).digest()[:15], "big"))
        .not_valid_before(datetime.datetime(2023, 1, 1))
        .not_valid_after(datetime.datetime(2033, 1, 1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name), *names]), critical=False)
        .sign(key, None)
    )
    return built.public_bytes(Encoding.PEM)


def _uuid(rng: random.Random) -> str:
    digits = f"{rng.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


class _Site:
    """One connection of a client to a site, and the flows that go over it."""

    def __init__(self, rng: random.Random, start: float) -> None:
        number = rng.randrange(SITES)
        self.name = f"www.site{number}.example"
        self.tls = number % 5 != 0
        self.h2 = self.tls and number % 2 == 0
        self.port = 443 if self.tls else 80
        self.scheme = b"https" if self.tls else b"http"
        self.version = b"HTTP/2.0" if self.h2 else b"HTTP/1.1"
        self.cookie = f"session={rng.getrandbits(128):032x}; theme=dark; consent={rng.randrange(10**9)}"
        self.client = self._side(rng, start) | {
            "mitmcert": None,
            "proxy_mode": "regular",
            "peername": ["192.168.1.20", rng.randrange(30000, 60000)],
            "sockname": ["192.168.1.1", 8080],
            "certificate_list": [],
        }
        self.server = self._side(rng, start + 0.002) | {
            "via": None,
            "timestamp_tcp_setup": start + 0.02,
            "address": [self.name, self.port],
            "peername": [f"203.0.113.{number}", self.port],
            "sockname": ["192.168.1.1", rng.randrange(30000, 60000)],
        }

    def _side(self, rng: random.Random, start: float) -> State:
        protocol = b"h2" if self.h2 else b"http/1.1"
        return {
            "timestamp_tls_setup": start + 0.05 if self.tls else None,
            "timestamp_end": None,
            "timestamp_start": start,
            "sni": self.name if self.tls else None,
            "tls_version": "TLSv1.3" if self.tls else None,
            "cipher_list": [],
            "cipher": "TLS_AES_256_GCM_SHA384" if self.tls else None,
            "alpn_offers": [b"h2", b"http/1.1"] if self.tls else [],
            "alpn": protocol if self.tls else None,
            "certificate_list": [certificate(self.name)] if self.tls else [],
            "tls": self.tls,
            "error": None,
            "transport_protocol": "tcp",
            "id": _uuid(rng),
        }


# flows


def _fields(pairs: list[tuple[str, str]], lower: bool) -> list[list[bytes]]:
    return [[(name.lower() if lower else name).encode(), value.encode()] for name, value in pairs]


def _request(rng: random.Random, site: _Site, kind: str, start: float) -> State:
    post = rng.random() < 0.1
    path = f"/{rng.choice(_WORDS)}/{rng.choice(_WORDS)}.{kind}?id={rng.randrange(10**6)}&ref={rng.choice(_WORDS)}"
    content = f"user={rng.choice(_WORDS)}&token={rng.getrandbits(64):x}&text={rng.choice(_WORDS)}+html" if post else ""
    pairs = [] if site.h2 else [("Host", site.name)]
    pairs += [
        ("User-Agent", _AGENT),
        ("Accept", _ACCEPT[kind]),
        ("Accept-Language", "en-GB,en;q=0.9,de;q=0.7"),
        ("Accept-Encoding", "gzip, deflate, br"),
        ("Referer", f"{site.scheme.decode()}://{site.name}/"),
        ("Cookie", site.cookie),
        ("Cache-Control", "no-cache"),
        ("Sec-Fetch-Mode", "no-cors"),
    ]
    if post:
        pairs += [("Content-Type", "application/x-www-form-urlencoded"), ("Content-Length", str(len(content)))]
    return {
        "path": path.encode(),
        "authority": site.name.encode() if site.h2 else b"",
        "scheme": site.scheme,
        "method": b"POST" if post else b"GET",
        "port": site.port,
        "host": site.name,
        "timestamp_end": start + 0.001,
        "timestamp_start": start,
        "trailers": None,
        "content": content.encode(),
        "headers": _fields(pairs, site.h2),
        "http_version": site.version,
    }


def _response(rng: random.Random, site: _Site, kind: str, start: float) -> State:
    size = int(200 * 100 ** (rng.random() ** 3))
    body = _BODIES[kind](rng, size)
    encoded = kind != "png" and rng.random() < 0.85
    content = gzip.compress(body, 6, mtime=0) if encoded else body
    pairs = [
        ("Date", _DATE),
        ("Content-Type", _TYPES[kind]),
        ("Content-Length", str(len(content))),
        ("Server", "nginx/1.24.0"),
        ("Cache-Control", "public, max-age=3600"),
        ("ETag", f'"{rng.getrandbits(64):x}"'),
        ("Last-Modified", _DATE),
        ("Vary", "Accept-Encoding"),
        ("Strict-Transport-Security", "max-age=31536000"),
        ("X-Request-Id", f"{rng.getrandbits(64):x}"),
    ]
    if encoded:
        pairs.append(("Content-Encoding", "gzip"))
    if rng.random() < 0.2:
        pairs.append(("Set-Cookie", f"seen={rng.randrange(10**9)}; Path=/; HttpOnly; SameSite=Lax"))
    return {
        "reason": b"" if site.h2 else b"OK",
        "status_code": 200,
        "timestamp_end": start + size / 1e5,
        "timestamp_start": start,
        "trailers": None,
        "content": content,
        "headers": _fields(pairs, site.h2),
        "http_version": site.version,
    }


def states(count: int, seed: int = 1) -> Iterator[State]:
    """``count`` flows as complete state dicts, the same for the same seed."""
    rng = random.Random(seed)
    site = _Site(rng, START)
    for number in range(count):
        start = START + number * 0.05
        if number % FLOWS_PER_CONNECTION == 0:
            site = _Site(rng, start)
        kind = rng.choices(("html", "json", "js", "png"), (8, 6, 4, 1))[0]
        flow_id = _uuid(rng)
        yield {
            "websocket": None,
            "response": _response(rng, site, kind, start + 0.1),
            "request": _request(rng, site, kind, start + 0.06),
            "backup": None,
            "timestamp_created": start + 0.06,
            "comment": "",
            "metadata": {},
            "marked": "",
            "is_replay": None,
            "intercepted": False,
            "server_conn": site.server,
            "client_conn": site.client,
            "error": None,
            "id": flow_id,
            "type": "http",
            "version": 21,
        }


# files


def write_native(path: Path, flows: Iterator[State]) -> None:
    """A flow file as a released mitmproxy writes it, key order included."""
    with path.open("wb") as file:
        for flow in flows:
            file.write(tnetstring.dumps(state.complete(flow)))


def _har_pairs(fields: list[list[bytes]]) -> list[dict[str, str]]:
    return [{"name": name.decode(), "value": value.decode()} for name, value in fields]


def _har_content(kind: str, headers: list[dict[str, str]], content: bytes) -> dict[str, Any]:
    encoded = any(header["name"].lower() == "content-encoding" for header in headers)
    body = gzip.decompress(content) if encoded else content
    facts = {"size": len(body), "compression": len(body) - len(content), "mimeType": kind}
    if kind == "image/png":
        return facts | {"text": base64.b64encode(body).decode(), "encoding": "base64"}
    return facts | {"text": body.decode()}


def _har_request(request: State) -> dict[str, Any]:
    host, path = request["host"], request["path"].decode()
    entry = {
        "method": request["method"].decode(),
        "url": f"{request['scheme'].decode()}://{host}{path}",
        "httpVersion": request["http_version"].decode(),
        "cookies": [],
        "headers": _har_pairs(request["headers"]),
        "queryString": [],
        "headersSize": -1,
        "bodySize": len(request["content"]),
    }
    if request["content"]:
        kind = "application/x-www-form-urlencoded"
        entry["postData"] = {"mimeType": kind, "text": request["content"].decode(), "params": []}
    return entry


def har_entry(flow: State) -> dict[str, Any]:
    """A HAR entry for one of the flows of ``states``."""
    request, response = flow["request"], flow["response"]
    headers = _har_pairs(response["headers"])
    kind = next(header["value"] for header in headers if header["name"].lower() == "content-type")
    started = datetime.datetime.fromtimestamp(request["timestamp_start"], datetime.UTC)
    send = (request["timestamp_end"] - request["timestamp_start"]) * 1000
    wait = (response["timestamp_start"] - request["timestamp_end"]) * 1000
    receive = (response["timestamp_end"] - response["timestamp_start"]) * 1000
    return {
        "startedDateTime": started.isoformat(),
        "time": send + wait + receive,
        "request": _har_request(request),
        "response": {
            "status": response["status_code"],
            "statusText": response["reason"].decode(),
            "httpVersion": response["http_version"].decode(),
            "cookies": [],
            "headers": headers,
            "content": _har_content(kind, headers, response["content"]),
            "redirectURL": "",
            "headersSize": -1,
            "bodySize": len(response["content"]),
        },
        "cache": {},
        "timings": {"connect": -1.0, "ssl": -1.0, "send": send, "wait": wait, "receive": receive},
        "serverIPAddress": flow["server_conn"]["peername"][0],
    }


_OPENING, _CLOSING = b'"entries": [', b"\n]}}\n"


def write_har(path: Path, flows: Iterator[State]) -> None:
    """The same flows as HAR, indented as tools do it."""
    head = {"version": "1.2", "creator": {"name": "traffic", "version": "1"}, "pages": []}
    with path.open("w") as file:
        file.write('{"log": ' + json.dumps(head)[:-1] + ", " + _OPENING.decode())
        for number, flow in enumerate(flows):
            file.write((",\n" if number else "\n") + json.dumps(har_entry(flow), indent=2))
        file.write(_CLOSING.decode())


def plain_state() -> State:
    """One small flow without TLS."""
    return next(flow for flow in states(1000) if not flow["client_conn"]["tls"])


def repeat(source: Path, target: Path, times: int) -> None:
    """A flow file or HAR of ours with every flow ``times`` times."""
    text = source.read_bytes()
    if source.suffix == ".har":
        head, entries = text.split(_OPENING, 1)
        body = entries.removesuffix(_CLOSING)
        target.write_bytes(head + _OPENING + b",".join([body] * times) + _CLOSING)
    else:
        target.write_bytes(text * times)


def main() -> None:
    """Write the files that the benchmark reads."""
    folder, count = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 20_000
    for kind, write in (("mitm", write_native), ("har", write_har)):
        write(folder / f"traffic.{kind}", states(count))
        repeat(folder / f"traffic.{kind}", folder / f"traffic4.{kind}", 4)
    write_native(folder / "one.mitm", iter([plain_state()]))
    write_native(folder / "tls.mitm", states(1, seed=2))


if __name__ == "__main__":
    main()
