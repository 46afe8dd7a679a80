"""The corpus of scripts in ``tests/corpus``, flows to run them on, and both programs run over all of them.

``first``, ``second`` and ``modern`` hold scripts in the style of each generation. ``run_all`` runs many command lines
of one program in one process, since a process per script would take a minute.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.flows import (
    SLOW,
    T0,
    client,
    dns_flow,
    environment,
    http_flow,
    request,
    response,
    server,
    tcp_flow,
    udp_flow,
    websocket_flow,
)

CORPUS = Path(__file__).resolve().parent.parent / "corpus"

#: Modules beside scripts.
HELPERS = {"corpus_neighbour.py"}

#: Reads [[module, function], [[folder, arguments], …]] from stdin; runs each command line in its folder; writes
#: [[exit code, stdout, stderr], …].
DRIVER = r"""
import contextlib, importlib, io, json, os, sys

(module, function), jobs = json.load(sys.stdin)
run = getattr(importlib.import_module(module), function)
before = set(sys.modules)

def result(folder, arguments):
    os.chdir(folder)
    path = list(sys.path)
    out, log = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(log):
            code = run(arguments)
    except SystemExit as end:
        code = end.code
    sys.path[:] = path
    for name in [name for name in sys.modules if name.startswith(("corpus_", "__mitmproxy_script__"))]:
        del sys.modules[name]
    return [code or 0, out.buffer.getvalue().decode(), log.buffer.getvalue().decode()]

results = [result(*job) for job in jobs]
sys.__stdout__.write(json.dumps(results))
"""


class Ran(NamedTuple):
    """What a run came to: its exit code, what it printed and logged, and its folder."""

    code: int
    out: str
    log: str
    folder: Path

    def files(self) -> dict[str, bytes]:
        """What it wrote besides flows, by name."""
        paths = [path for path in self.folder.rglob("*") if path.is_file() and path.name != "out.mitm"]
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in paths}


def scripts(generation: str) -> list[Path]:
    return sorted(path for path in (CORPUS / generation).glob("*.py") if path.name not in HELPERS)


def run_all(python: str, function: tuple[str, str], jobs: Sequence[tuple[Path, list[str]]]) -> list[Ran]:
    """Run command lines one after the other, each in a folder of its own."""
    for folder, _ in jobs:
        folder.mkdir(parents=True)
    done = subprocess.run(
        [python, "-c", DRIVER],
        input=json.dumps([function, [[str(folder), arguments] for folder, arguments in jobs]]),
        capture_output=True,
        text=True,
        env=environment(PYTHONPATH=os.environ.get("PYTHONPATH", "")),
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    return [
        Ran(code, out, SLOW.sub("", log), folder) for (code, out, log), (folder, _) in zip(results, jobs, strict=True)
    ]


# -- flows to run them on ----------------------------------------------------------------------------------------

_HTML = b"<html><head><title>world</title></head><body>foo world password</body></html>"
_MULTIPART = (
    b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\nhtml foo\r\n'
    b'--x\r\nContent-Disposition: form-data; name="name"\r\n\r\nworld\r\n--x--\r\n'
)


def _asked(method: str, url: str, body: bytes = b"", headers: Any = ()) -> Any:
    return request(method, url, body, headers)


def sample() -> list[Any]:
    """Flows as a day of browsing leaves them behind, one of each kind that scripts care about."""
    plain = {"content-type": "text/html; charset=utf-8", "server": "nginx", "content-security-policy": "none"}
    coded = {"content-type": "application/json", "content-encoding": "gzip"}
    form = {"content-type": "application/x-www-form-urlencoded"}
    cookie = [("Cookie", "session=abc; theme=dark"), ("Accept-Encoding", "gzip, br"), ("If-None-Match", '"x"')]
    set_cookie = [("set-cookie", "session=new; Path=/; HttpOnly"), ("set-cookie", "b=c"), ("x-powered-by", "PHP")]
    api = b'{"name": "world", "ads": [1], "n": 1.5}'
    named = _asked("GET", "http://192.0.2.7:8080/by-address")
    named.headers["Host"] = "old.example.com"
    pairs: list[tuple[Any, Any]] = [
        (_asked("GET", "https://example.com/", headers=cookie), response(200, _HTML, plain)),
        (_asked("GET", "http://example.com/page?utm_source=x&q=a+b&q=c", headers=cookie), response(200, _HTML, plain)),
        (_asked("GET", "https://api.example.com/api/items?token=secret"), response(200, api, coded)),
        (
            _asked("POST", "https://api.example.com/login", b"user=world&password=a%26b", form),
            response(200, api, coded),
        ),
        (
            _asked("POST", "https://example.com/up", _MULTIPART, {"content-type": "multipart/form-data; boundary=x"}),
            response(201, b"[1, 2]", {"content-type": "application/json", "location": "/up/1"}),
        ),
        (
            _asked("PUT", "https://example.com/json", b'{"secret": 1}', {"content-type": "application/json"}),
            response(204),
        ),
        (
            _asked("GET", "https://cdn.example.com/a.png"),
            response(200, b"\x89PNG\r\n\x1a\n\0\xff", {"content-type": "image/png"}),
        ),
        (_asked("GET", "https://example.com/old"), response(301, b"", {"Location": "https://example.com/new"})),
        (
            _asked("GET", "https://example.com/none", headers={"Authorization": "Basic dTpw"}),
            response(404, b"no", plain),
        ),
        (_asked("HEAD", "https://example.com/head"), response(200, b"", plain)),
        (_asked("OPTIONS", "https://example.com/cors", headers={"Origin": "https://a.b"}), response(200)),
        (_asked("GET", "https://example.com/cookies"), response(200, "größe".encode("latin-1"), [*set_cookie])),
        (_asked("DELETE", "https://example.com/x%20y/z;a=b?c=1#d"), response(500, b"", {"x-frame-options": "DENY"})),
        (named, response(200, b"foo", {"content-type": "text/plain"})),
    ]
    flows = [http_flow(asked, answer) for asked, answer in pairs]
    flows.append(http_flow("https://down.example.com/", error="connection refused"))
    flows.append(websocket_flow("Hello server", "Hello secret", b"\x00\x01", "FOOBAR"))
    flows.append(tcp_flow(b"foo", b"\xffbar foo"))
    flows.append(udp_flow(b"foo", b"back"))
    flows.append(dns_flow("example.com", "192.0.2.1"))
    for number, flow in enumerate(flows):
        flow.id = f"flow-{number:02}"
        flow.client_conn, flow.server_conn = _ends(flow)
    return flows


def _ends(flow: Any) -> tuple[Any, Any]:
    """Connections with TLS where there was some."""
    ours, theirs = client(), server()
    if flow.type == "http":
        theirs.address = (flow.request.host, flow.request.port)
        if flow.request.scheme == "https":
            for end in (ours, theirs):
                end.tls, end.tls_version, end.cipher = True, "TLSv1.3", "TLS_AES_128_GCM_SHA256"
                end.sni, end.alpn, end.timestamp_tls_setup = flow.request.host, b"http/1.1", T0
    elif flow.type in ("udp", "dns"):
        ours.transport_protocol = theirs.transport_protocol = "udp"
    return ours, theirs
