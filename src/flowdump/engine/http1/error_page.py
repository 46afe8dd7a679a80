"""What the proxy itself has to say to a client: small pages in HTML, with everything that is not ours escaped."""

from __future__ import annotations

from html import escape

from flowdump.engine.http1.heads import response_head_bytes
from flowdump.http.status_codes import RESPONSES
from flowdump.version import __version__

_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{title}</title></head>
<body>
<h1>{title}</h1>
<p>{text}</p>
<hr><p>flowdump {version}</p>
</body>
</html>
"""


def error_page(status: int, reason: str, method: bytes = b"GET") -> tuple[bytes, bytes]:
    """Head and body of an answer that says why there is no better one; the connection ends with it."""
    fields, body = error_fields(status, reason)
    headers = (*fields, (b"Connection", b"close"))
    head = response_head_bytes(b"HTTP/1.1", status, RESPONSES.get(status, "Error").encode(), headers)
    return head, b"" if method == b"HEAD" else body


def error_fields(status: int, reason: str) -> tuple[tuple[tuple[bytes, bytes], ...], bytes]:
    """Fields and body of such an answer."""
    title = f"{status} {RESPONSES.get(status, 'Error')}"
    body = _PAGE.format(title=title, text=escape(reason), version=__version__).encode()
    fields = (
        (b"Server", f"flowdump/{__version__}".encode()),
        (b"Content-Type", b"text/html; charset=utf-8"),
        (b"Content-Length", b"%d" % len(body)),
    )
    return fields, body
