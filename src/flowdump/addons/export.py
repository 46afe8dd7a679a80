"""``export``: a flow as a curl or httpie command, or as the bytes of its messages.

The commands ask for what was recorded and for nothing else. What curl or httpie would add on its own (User-Agent,
Accept, a Content-Type) is switched off where the request did not have it, framing headers are left to the tool, and
words are quoted for a POSIX shell. A body that is text stands in the command; any other comes out of ``base64``, so
that each byte arrives as it was. Where mitmproxy's commands differ: there the tool's own headers are added, bytes that
are no UTF-8 change, and httpie's body ends with a line feed.

Raw messages are in HTTP/1 notation even if they were sent in another version, with their bodies decoded.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from flowdump import ctx
from flowdump.exceptions import CommandError
from flowdump.flow import Flow
from flowdump.runtime import commands
from flowdump.runtime.arguments import Choice, Path

if TYPE_CHECKING:
    from flowdump.http.headers import Headers
    from flowdump.http.message import Message
    from flowdump.http.request import Request

#: Headers that say how a message is framed or who handles it next: the tool writes its own (RFC 9110 section 7.6.1).
_FRAMING = frozenset((b"content-length", b"transfer-encoding", b"te", b"trailer", b"connection", b"keep-alive"))
_CURL_ADDS = ("User-Agent", "Accept")
_HTTPIE_ADDS = ("User-Agent", "Accept", "Accept-Encoding")

_FORMATS = Choice("export.formats")


class Export:
    """The commands; a flow that has nothing to export is a CommandError."""

    @commands.command("export.formats")
    def formats(self) -> Sequence[str]:
        """The formats that export knows."""
        return list(formats)

    @commands.command("export")
    @commands.argument("format", type=_FORMATS)
    def export_str(self, format: str, flow: Flow) -> str:
        """A flow as text in one of the formats; bytes that are no UTF-8 are shown with backslashes."""
        made = formats[format](flow)
        return made if isinstance(made, str) else made.decode("utf-8", "backslashreplace")

    @commands.command("export.file")
    @commands.argument("format", type=_FORMATS)
    def file(self, format: str, flow: Flow, path: Path) -> None:
        """Write a flow to a file in one of the formats, byte for byte."""
        made = formats[format](flow)
        where = os.path.expanduser(path)
        try:
            with open(where, "wb") as fo:
                fo.write(made if isinstance(made, bytes) else made.encode("utf-8", "surrogateescape"))
        except OSError as error:
            raise CommandError(f"cannot write {where!r}: {error.strerror or error}") from None


# -- commands for a shell ----------------------------------------------------------------------------------------------


def curl_command(flow: Flow) -> str:
    """The request as a curl command. Raises CommandError for a flow without a request."""
    request = _shell_request(flow)
    url = request.pretty_url  # the name the client meant, which TLS needs, rather than an address
    words = ["curl"]
    if ctx.options.export_preserve_original_ip and flow.server_conn.peername:
        words += ["--resolve", f"{request.pretty_host}:{request.port}:[{flow.server_conn.peername[0]}]"]
    for name, value in _fields(request, url):
        words += ["-H", f"{name}: {value}" if value.strip() else f"{name};"]
    names = {name.lower() for name, _ in request.headers.items(multi=True)}
    absent = [*_CURL_ADDS, *(["Content-Type"] if request.raw_content else [])]
    words += [word for name in absent if name.lower() not in names for word in ("-H", f"{name}:")]
    if request.headers.get("accept-encoding", "identity") not in ("identity", ""):
        words.append("--compressed")
    if request.method != ("POST" if request.raw_content else "GET"):
        words += ["--head"] if request.method == "HEAD" and not request.raw_content else ["-X", request.method]
    if any(step in ("/./", "/../") for step in _steps(request.path)):
        words.append("--path-as-is")
    if any(character in url for character in "[]{}"):
        words.append("--globoff")
    words.append(url)
    return _with_body(words, request, lambda text: ["--data-raw", text], ["--data-binary", "@-"])


def httpie_command(flow: Flow) -> str:
    """The request as an httpie command. Raises CommandError for a flow without a request."""
    request = _shell_request(flow)
    url = request.pretty_url  # the name the client meant, which TLS needs, rather than an address
    words = ["http", "--path-as-is"] if any(step in ("/./", "/../") for step in _steps(request.path)) else ["http"]
    words += ["--ignore-stdin"] if not request.raw_content or _is_plain(request.raw_content) else []
    items = [f"{name}: {value}" if value.strip() else f"{name};" for name, value in _fields(request, url)]
    names = {name.lower() for name, _ in request.headers.items(multi=True)}
    absent = [*_HTTPIE_ADDS, *(["Content-Type"] if request.raw_content else [])]
    items += [f"{name}:" for name in absent if name.lower() not in names]
    return _with_body([*words, request.method, url, *items], request, lambda text: [f"--raw={text}"], [])


def _shell_request(flow: Flow) -> Request:
    """A copy of the request, with a body that is decoded if it can be. Raises CommandError."""
    request = getattr(flow, "request", None)
    if flow.type != "http" or request is None:
        raise CommandError(f"flow {flow.id} has no HTTP request to export")
    request = _decoded(request)
    if request.method.upper() == "CONNECT":
        raise CommandError(f"flow {flow.id} asks a proxy for a tunnel: there is no URL to export")
    return request  # type: ignore[no-any-return]


def _steps(path: str) -> list[str]:
    parts = path.partition("?")[0].split("/")
    return [f"/{part}/" for part in parts]


def _fields(request: Request, url: str) -> list[tuple[str, str]]:
    """The headers that the command has to name: those that neither the URL nor the framing implies."""
    fields = []
    for name, value in request.headers.fields:
        lower = name.lower()
        if lower in _FRAMING or name.startswith(b":") or (lower == b"host" and _says_host(url, _text(value))):
            continue
        fields.append((_text(name), _text(value)))
    return fields


def _says_host(url: str, host: str) -> bool:
    return url.partition("://")[2].partition("/")[0].lower() == host.lower()


def _text(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")


def _is_plain(body: bytes) -> bool:
    """Whether a body can stand in a shell command: UTF-8 without control characters but line feeds and tabs."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return False
    return all(character.isprintable() or character in "\n\t" for character in text)


def _with_body(words: list[str], request: Request, inline: Callable[[str], list[str]], piped: list[str]) -> str:
    """The command with its body: ``inline`` makes words of a text, ``piped`` reads stdin."""
    body = request.raw_content
    if not body:
        return shlex.join(words)
    if _is_plain(body):
        return shlex.join([*words, *inline(body.decode())])
    import base64

    return f"echo {base64.b64encode(body).decode()} | base64 -d | {shlex.join([*words, *piped])}"


# -- bytes -------------------------------------------------------------------------------------------------------------


def raw_request(flow: Flow) -> bytes:
    """The request in HTTP/1 notation. Raises CommandError for a flow without one, or without its body."""
    request = _message(flow, "request")
    target = request.path
    if request.method.upper() == "CONNECT":
        target = request.authority or f"{request.host}:{request.port}"
    elif request.http_version == "HTTP/1.1" and request.authority:
        target = request.url
    line = f"{request.method} {target} {request.http_version}"
    if "host" not in request.headers and request.authority and not request.http_version.startswith("HTTP/1"):
        request.headers.insert(0, "Host", request.authority)
    return _assembled(line, request)


def raw_response(flow: Flow) -> bytes:
    """The response in HTTP/1 notation. Raises CommandError for a flow without one, or without its body."""
    response = _message(flow, "response")
    return _assembled(f"{response.http_version} {response.status_code} {response.reason}", response)


def raw(flow: Flow) -> bytes:
    """Request and response, and the messages of a WebSocket. Raises CommandError for a flow that has neither."""
    parts = [
        make(flow) for make, part in ((raw_request, "request"), (raw_response, "response")) if _is_whole(flow, part)
    ]
    if not parts:
        raise CommandError(f"flow {flow.id} has no request and no response to export")
    websocket = getattr(flow, "websocket", None)
    if websocket is not None:
        directions = {True: b"[OUTGOING] ", False: b"[INCOMING] "}
        parts.append(b"\n".join(directions[m.from_client] + m.content for m in websocket.messages))
    return b"\r\n\r\n".join(parts)


def _is_whole(flow: Any, part: str) -> bool:
    message = getattr(flow, part, None)
    return flow.type == "http" and message is not None and message.raw_content is not None


def _message(flow: Flow, part: str) -> Any:
    """A copy of a message with its body decoded, if it can be. Raises CommandError."""
    if flow.type != "http" or getattr(flow, part, None) is None:
        raise CommandError(f"flow {flow.id} has no HTTP {part} to export")
    if not _is_whole(flow, part):
        raise CommandError(f"flow {flow.id}: the body of the {part} was not recorded")
    return _decoded(getattr(flow, part))


def _decoded(message: Any) -> Any:
    """A copy with its body decoded, if it can be; where there is nothing to decode the length stays as it was said."""
    message = message.copy()
    if "content-encoding" in message.headers:
        message.decode(strict=False)
    return message


def _assembled(line: str, message: Message) -> bytes:
    """First line, headers, body, and trailers after a chunked one."""
    headers: Headers = message.headers
    head = line.encode("utf-8", "surrogateescape") + b"\r\n" + bytes(headers) + b"\r\n"
    body = message.raw_content or b""
    if "chunked" not in headers.get("transfer-encoding", "").lower():
        return head + body
    chunk = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
    return head + chunk + b"0\r\n" + bytes(message.trailers or b"") + b"\r\n"


#: Every format by its name: text for a shell, bytes for the raw ones.
formats: dict[str, Callable[[Flow], str | bytes]] = {
    "curl": curl_command,
    "httpie": httpie_command,
    "raw": raw,
    "raw_request": raw_request,
    "raw_response": raw_response,
}
