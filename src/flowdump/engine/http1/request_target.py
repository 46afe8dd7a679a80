"""Where a request goes, as its head has it: request targets and Host (RFC 9112 section 3.2, RFC 9110 section 7.2)."""

from __future__ import annotations

import contextlib
import re
import time
from functools import lru_cache
from typing import TYPE_CHECKING

from flowdump.engine.errors import ProtocolError
from flowdump.engine.http1.framing import shown
from flowdump.http import urls
from flowdump.http.flow import RequestData
from flowdump.http.headers import Headers

if TYPE_CHECKING:
    from flowdump.engine.http1.heads import RequestHead
    from flowdump.engine.upstream.destination import Destination
    from flowdump.http.flow import HTTPFlow

_parsed = lru_cache(maxsize=256)(urls.parse)
_VERSION = re.compile(rb"HTTP/[0-9]\.[0-9]").fullmatch


def request_data(head: RequestHead) -> RequestData:
    """The request of a head, as far as it does not depend on where it goes."""
    data = RequestData()
    data.method = head.method
    data.http_version = head.version
    data.headers = Headers.of(head.headers)
    data.content = data.trailers = None
    data.timestamp_start = time.time()
    data.timestamp_end = None
    data.scheme = data.path = b""
    data.authority = (head.host or b"") if head.version == b"HTTP/2.0" else b""
    data.host, data.port = "", 0
    return data


def rewrite_host(flow: HTTPFlow, arrived: bytes | None) -> None:
    """The server of reverse mode is asked by its own name; the one that arrived is kept in the metadata."""
    data = flow.request.data
    own = urls.authority_to_ascii(urls.hostport(data.scheme, data.host, data.port))
    if own != arrived:
        data.authority = data.authority and own
        if not data.authority or "host" in data.headers:
            data.headers["Host"] = own
        if arrived is not None:
            flow.metadata["host_header_arrived"] = arrived


def origin_form(data: RequestData, path: bytes, destination: Destination | None) -> None:
    """Everything goes to ``destination``. Raises ProtocolError where there is none."""
    if destination is None:
        raise ProtocolError(
            "this is a proxy: the request names no host to go to. Set it up as the proxy of your client", status=400
        )
    data.scheme = b"https" if destination.tls else b"http"
    data.host, data.port, data.path = destination.host, destination.port, path


def absolute_form(data: RequestData, head: RequestHead, fixed: Destination | None) -> None:
    """The target says where to, unless that is ``fixed``. Raises ProtocolError."""
    target = head.target
    try:
        data.scheme, data.host, data.port, data.path = _parsed(target) if len(target) <= 256 else urls.parse(target)
    except ValueError as error:
        raise ProtocolError(f"request target {shown(target)}: {error}", status=400) from None
    if data.scheme not in (b"http", b"https"):
        raise ProtocolError(f"the scheme {data.scheme.decode('ascii', 'replace')!r} is not HTTP", status=400)
    if fixed is not None:
        origin_form(data, data.path, fixed)
        return
    if head.method == b"OPTIONS" and data.path == b"/" and not target.endswith(b"/"):
        data.path = b"*"  # no path at all (RFC 9112 section 3.2.4)
        data.authority = target.partition(b"://")[2].rpartition(b"@")[2]
        _set_host(data, head)
        return
    begin = len(data.scheme) + 3
    end = len(target) - len(data.path)
    data.authority = target[begin:end]
    if target[end:] != data.path or b"@" in data.authority:
        data.authority = re.split(rb"[/?#]", target[begin:], maxsplit=1)[0].rpartition(b"@")[2]
    _set_host(data, head)


def _set_host(data: RequestData, head: RequestHead) -> None:
    """Of two hosts that are named, the target wins (RFC 9112 section 3.2.2)."""
    own = data.authority
    if head.host is None:
        data.headers["Host"] = own
    elif head.host != own:
        data.headers.fields = tuple([(k, own if k.lower() == b"host" else v) for k, v in head.headers])


def told(line: bytes, destination: Destination | None) -> RequestData:
    """What can be told of a refused request from its first line."""
    data = RequestData()
    data.host, data.port = (destination or ("", 0))[:2]
    data.scheme = b"https" if destination is not None and destination.tls else b"http"
    data.authority, data.http_version = b"", b"HTTP/1.1"
    data.headers, data.content, data.trailers = Headers(), b"", None
    data.timestamp_start = data.timestamp_end = time.time()
    words = line.split(b" ")
    if len(words) > 1 and _VERSION(words[-1]):
        data.http_version = words.pop()
    data.method, data.path = words[0], b" ".join(words[1:])
    if data.method == b"CONNECT":
        data.authority, data.path = data.path, b""
    with contextlib.suppress(ValueError):
        if data.method == b"CONNECT":
            host, port = urls.parse_authority(data.authority, check=True)
            data.host, data.port = host, port or 0
        elif not data.path.startswith(b"/"):
            data.scheme, data.host, data.port, data.path = urls.parse(data.path)
    return data
