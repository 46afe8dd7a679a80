"""The display of flows on stdout: one line per flow at detail 1, everything at detail 4.

A line is time, client, method, URL, status, type, size and duration. Detail 2 adds both heads, marked ``>`` and ``<``
as curl marks them, detail 3 bodies up to ``content_view_lines_cutoff`` lines, detail 4 whole bodies, trailers,
connections and times. Whatever came from the network is shown with control characters escaped.
"""

from __future__ import annotations

import time
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any, TextIO

from flowdump.connection import hostport
from flowdump.escaping import escape_controls

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flowdump.dns import DNSFlow
    from flowdump.flow import Flow
    from flowdump.http import HTTPFlow, Message, Request
    from flowdump.options import Options

_STATUS_COLOURS = {1: "36", 2: "32", 3: "36", 4: "33", 5: "31"}
_DIM, _RED, _BOLD = "2", "31", "1"

#: Detail levels, from where on their part is shown.
HEADERS, BODIES, EVERYTHING = 2, 3, 4


class Dumper:
    """Prints flows to ``out`` as the options say."""

    path = "stdout"

    def __init__(self, options: Options, out: TextIO, colour: bool = False) -> None:
        self._options = options
        self._out = out
        self._colour = colour

    def add(self, flow: Flow) -> None:
        """Print one finished flow. Raises OSError when the stream does not take it."""
        options = self._options
        if not options.flow_detail:
            return
        matches = options.filter("dumper_filter")
        if matches is not None and not matches(flow):
            return
        line = escape_controls(_LINES[flow.type](self, flow))
        if options.flow_detail == 1 and not self._colour:
            self._out.write(line + "\n")
            return
        lines = [self._coloured(line, flow), *self._details(flow)]
        self._out.write("\n".join(lines) + ("\n\n" if len(lines) > 1 else "\n"))

    def close(self) -> None:
        """Let everything out. Raises OSError when the stream does not take it."""
        self._out.flush()

    # -- the line ------------------------------------------------------------------------------------------------

    def _http_line(self, flow: HTTPFlow) -> str:
        request, response = flow.request, flow.response
        url = request.pretty_url if self._options.showhost else request.url
        data = request.data
        begin = f"{clock(int(data.timestamp_start))} {_peer(flow)} {data.method.decode('utf-8', 'replace')} {url}"
        if response is None:
            return f"{begin} {_failure(flow)}"
        facts = response.data
        content = facts.content
        length = "not recorded" if content is None else size(len(content))
        kind = facts.headers.get("content-type", "-").partition(";")[0].strip() or "-"
        if flow.websocket is not None:
            messages = flow.websocket.messages
            kind, length = "websocket", _amount(messages)
        took = duration(data.timestamp_start, self._end_of(flow))
        line = f"{begin} {facts.status_code} {kind} {length} {took}"
        return f"{line} {_failure(flow)}" if flow.error is not None else line

    @staticmethod
    def _end_of(flow: HTTPFlow) -> float | None:
        if flow.websocket is not None:
            messages = flow.websocket.messages
            return flow.websocket.timestamp_end or (messages[-1].timestamp if messages else None)
        return flow.response.data.timestamp_end if flow.response else None

    def _raw_line(self, flow: Any) -> str:
        messages = flow.messages
        begin = messages[0].timestamp if messages else flow.client_conn.timestamp_start or 0.0
        end = messages[-1].timestamp if messages else None
        line = f"{clock(int(begin))} {_peer(flow)} {flow.type.upper()} {_server(flow)} {_amount(messages)}"
        line = f"{line} {duration(begin, end)}"
        return f"{line} {_failure(flow)}" if flow.error is not None else line

    def _dns_line(self, flow: DNSFlow) -> str:
        from flowdump import dns

        request, response = flow.request, flow.response
        begin = request.timestamp or flow.timestamp_created
        asked = ", ".join(f"{dns.type_name(q.type)} {q.name or '.'}" for q in request.questions)
        line = f"{clock(int(begin))} {_peer(flow)} DNS {asked}"
        if response is None:
            return f"{line} {_failure(flow)}"
        code = dns.RESPONSE_CODES.get(response.response_code, str(response.response_code))
        answers = ", ".join(rr.data_text() for rr in response.answers)
        return f"{line} {code} {answers or '-'} {duration(begin, response.timestamp)}"

    def _coloured(self, line: str, flow: Any) -> str:
        """The line with its time dimmed and its status coloured."""
        if not self._colour:
            return line
        clock_text, _, rest = line.partition(" ")
        response = getattr(flow, "response", None)
        if flow.error is not None or response is None:
            colour = _RED if flow.error is not None else _DIM
            rest = paint(rest, colour)
        elif flow.type == "http":
            status = f" {response.status_code} "
            head, found, tail = rest.rpartition(status)
            colour = _STATUS_COLOURS.get(response.status_code // 100, _RED)
            rest = f"{head} {paint(str(response.status_code), colour)} {tail}" if found else rest
        return f"{paint(clock_text, _DIM)} {rest}"

    # -- the rest ------------------------------------------------------------------------------------------------

    def _details(self, flow: Any) -> Iterator[str]:
        detail = self._options.flow_detail
        if detail < HEADERS:
            return
        if detail >= EVERYTHING:
            yield from _about(flow)
        if flow.type == "http":
            yield from self._http_details(flow, detail)
        elif flow.type == "dns":
            for mark, message in ((">", flow.request), ("<", flow.response)):
                yield from (f"{mark} {escape_controls(line)}" for line in str(message or "").splitlines())
        elif detail >= BODIES:
            yield from self._messages(flow.messages)

    def _http_details(self, flow: HTTPFlow, detail: int) -> Iterator[str]:
        request, response = flow.request, flow.response
        yield from _head(">", f"{request.method} {_target(request)} {request.http_version}", request)
        if detail >= BODIES:
            yield from self._body(request, list(request.query.fields))
            yield from _trailers(">", request)
        if response is not None:
            yield from _head(
                "<", f"{response.http_version} {response.status_code} {response.reason}".rstrip(), response
            )
            if detail >= BODIES:
                yield from self._body(response, ())
                yield from _trailers("<", response)
        if flow.websocket is not None:
            if detail >= BODIES:
                yield from self._messages(flow.websocket.messages)
            yield f"* WebSocket {_closed(flow.websocket)}"
        if flow.error is not None:
            yield f"* {escape_controls(flow.error.msg)}"

    def _body(self, message: Message, query: Any) -> Iterator[str]:
        content = message.get_content(strict=False)
        if content is None:
            yield "  (body not recorded)"
            return
        headers = message.headers
        yield from self._rendered(
            content,
            content_type=headers.get("content-type", ""),
            query=query if not content else (),
            grpc_encoding=headers.get("grpc-encoding", ""),
        )

    def _rendered(self, content: bytes, **facts: Any) -> Iterator[str]:
        from flowdump import contentviews

        rendered = contentviews.render(content, view=self._options.dumper_default_contentview, **facts)
        lines = iter(rendered.lines)
        cutoff = self._options.content_view_lines_cutoff if self._options.flow_detail == BODIES else None
        for line in islice(lines, cutoff):
            yield f"  {line}"
        if cutoff is not None and next(lines, None) is not None:
            yield f"  … cut after {cutoff} lines (content_view_lines_cutoff)"

    def _messages(self, messages: list[Any]) -> Iterator[str]:
        for message in messages:
            dropped = " (dropped)" if getattr(message, "dropped", False) else ""
            arrow = ">" if message.from_client else "<"
            yield f"{arrow} {clock(int(message.timestamp))} {size(len(message.content))}{dropped}"
            yield from self._rendered(message.content)


_LINES: dict[str, Any] = {
    "http": Dumper._http_line,
    "tcp": Dumper._raw_line,
    "udp": Dumper._raw_line,
    "dns": Dumper._dns_line,
}


# -- pieces ------------------------------------------------------------------------------------------------------


def paint(text: str, colour: str) -> str:
    """``text`` between an ANSI SGR sequence and its reset."""
    return f"\x1b[{colour}m{text}\x1b[0m"


@lru_cache(maxsize=4096)
def clock(second: int) -> str:
    """Local time of day of a Unix second."""
    try:
        return time.strftime("%H:%M:%S", time.localtime(second))
    except (OverflowError, ValueError, OSError):
        return "--:--:--"


def size(n: int) -> str:
    """``1234`` -> ``"1.2k"``, 1024-based."""
    if n < 1024:
        return f"{n}b"
    value = n / 1024
    for unit in "kmgt":
        if value < 1024 or unit == "t":
            break
        value /= 1024
    return f"{value:.1f}{unit}" if value < 100 else f"{value:.0f}{unit}"


def duration(start: float, end: float | None) -> str:
    """Seconds between two times, for people: ``"34ms"``, ``"1.2s"``; ``"-"`` where the end is not known."""
    if end is None:
        return "-"
    seconds = max(end - start, 0.0)
    if seconds < 1:
        return f"{seconds * 1000:.0f}ms"
    return f"{seconds:.1f}s" if seconds < 100 else f"{seconds:.0f}s"


def _peer(flow: Flow) -> str:
    peername = flow.client_conn.peername
    return hostport(peername) if peername and peername[0] else "-"


def _server(flow: Flow) -> str:
    address = flow.server_conn.address or flow.server_conn.peername
    return hostport(address) if address else "-"


def _amount(messages: list[Any]) -> str:
    total = sum(len(message.content) for message in messages)
    return f"{len(messages)} message{'' if len(messages) == 1 else 's'} {size(total)}"


def _failure(flow: Flow) -> str:
    return f"error: {flow.error.msg}" if flow.error is not None else "(no response)"


def _target(request: Request) -> str:
    if request.first_line_format == "authority":
        return request.authority or f"{request.host}:{request.port}"
    return request.path


def _head(mark: str, first_line: str, message: Message) -> Iterator[str]:
    yield f"{mark} {escape_controls(first_line)}"
    for name, value in message.headers.items(multi=True):
        yield f"{mark} {escape_controls(name)}: {escape_controls(value)}"


def _trailers(mark: str, message: Message) -> Iterator[str]:
    for name, value in message.trailers.items(multi=True) if message.trailers else ():
        yield f"{mark} {escape_controls(name)}: {escape_controls(value)} (trailer)"


def _closed(websocket: Any) -> str:
    if websocket.close_code is None:
        return "not closed"
    by = "client" if websocket.closed_by_client else "server"
    reason = f" {escape_controls(websocket.close_reason)}" if websocket.close_reason else ""
    return f"closed by the {by}: {websocket.close_code}{reason}"


def _about(flow: Any) -> Iterator[str]:
    """Connections, times and notes, each line marked with a star."""
    notes = [f"id {flow.id}"]
    notes += [f"marked {flow.marked}"] if flow.marked else []
    notes += [f"comment {flow.comment}"] if flow.comment else []
    notes += [f"replayed {flow.is_replay}"] if flow.is_replay else []
    yield f"* {escape_controls(', '.join(notes))}"
    for name, connection in (("client", flow.client_conn), ("server", flow.server_conn)):
        where = connection.peername if name == "client" else connection.address or connection.peername
        facts = [hostport(where) if where else "-", connection.transport_protocol]
        facts += [connection.tls_version or "TLS"] if connection.tls else []
        facts += [str(fact) for fact in (connection.cipher, connection.sni and f"SNI {connection.sni}") if fact]
        facts += [f"ALPN {connection.alpn.decode('ascii', 'replace')}"] if connection.alpn else []
        facts += [f"error {connection.error}"] if connection.error else []
        yield f"* {name} {escape_controls(', '.join(facts))}"
    if flow.metadata:
        yield f"* metadata {escape_controls(repr(flow.metadata))}"
