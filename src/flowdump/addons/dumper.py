"""The display of flows on stdout: one line per flow at detail 1, everything at detail 4.

A line is time, client, method, URL, status, type, size and duration. Detail 2 adds both heads, marked ``>`` and ``<``
as curl marks them, detail 3 bodies up to ``content_view_lines_cutoff`` lines and trailers, detail 4 whole bodies,
connections, certificates and notes, marked ``*``. Text from the network is shown with control characters
escaped.

A line is made of three parts: what leads up to the outcome, the outcome (a status, say), which alone is coloured by
what it means, and the rest. Nearly all flows are shown at detail 1 and without colours, some microseconds each, so
headers are not indexed for it.
"""

from __future__ import annotations

import time
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any, TextIO

from flowdump.addons import script_views
from flowdump.connection import hostport
from flowdump.escaping import escape_controls

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from flowdump.certs import Cert
    from flowdump.dns.message import DNSFlow, DNSMessage
    from flowdump.flow import Flow
    from flowdump.http.flow import Headers, HTTPFlow, Message, Request
    from flowdump.options.store import Options

    #: The part before the outcome, the outcome, and the part after it; blanks between them are part of the outer two.
    Line = tuple[str, str, str]

_STATUS_COLOURS = {1: "36", 2: "32", 3: "36", 4: "33", 5: "31"}
_DIM, _RED, _GREEN, _BOLD = "2", "31", "32", "1"

#: Seconds; no exchange takes longer: one of the two times is nonsense. 30 years.
_LONGEST = 1e9

#: Characters of a DNS answer that its line shows; an answer may have 64 KiB.
_ANSWERS = 160

#: Detail levels, from where on their part is shown.
HEADERS, BODIES, EVERYTHING = 2, 3, 4


class Dumper:
    """Prints flows to ``out`` as the options say."""

    path = "stdout"

    def __init__(
        self, options: Options, out: TextIO, colour: bool = False, tell: Callable[[str], None] = lambda text: None
    ) -> None:
        self._options = options
        self._out = out
        self._colour = colour
        #: Called with the reason when a flow cannot be shown.
        self._tell = tell
        #: Responses to saved requests that are younger than this were made by a script, not by a server.
        self._begun = time.time()
        #: Called before something is printed, to take a progress bar off the screen.
        self.before_print: Callable[[], None] | None = None

    def add(self, flow: Flow) -> None:
        """Print one finished flow. Raises OSError when the stream does not take it."""
        options = self._options
        if not options.flow_detail:
            return
        if options.dumper_filter:
            matches = options.filter("dumper_filter")
            if matches is not None and not matches(flow):
                return
        try:
            text = self._text(flow)
        except Exception as error:  # a script may have put anything into the flow; the next ones are fine
            reason = f"cannot be shown: {type(error).__name__}: {error}"
            text = escape_controls(f"--:--:-- - {flow.type.upper()} {flow.id} ({reason})")
            self._tell(f"flow {flow.id} {reason}")
        if self.before_print is not None:
            self.before_print()
        self._out.write(text + "\n")

    def close(self) -> None:
        """Let everything out. Raises OSError when the stream does not take it."""
        self._out.flush()

    def _text(self, flow: Flow) -> str:
        self._flow = flow
        line = _LINES[flow.type](self, flow)
        if self._options.flow_detail == 1 and not self._colour:
            return escape_controls("".join(line))
        shown = self._coloured(flow, line) if self._colour else escape_controls("".join(line))
        details = list(self._details(flow))
        return "\n".join([shown, *details, ""]) if details else shown

    # -- the line ------------------------------------------------------------------------------------------------

    def _http_line(self, flow: HTTPFlow) -> Line:
        request, response = flow.request, flow.response
        url = request.pretty_url if self._options.showhost else request.url
        data = request.data
        started = data.timestamp_start
        begin = f"{at(started)} {_peer(flow)} {data.method.decode('utf-8', 'surrogateescape')} {url} "
        if response is None:
            return begin, _failure(flow), ""
        facts = response.data
        content = facts.content
        if flow.websocket is None:
            kind = content_type(facts.headers)
            length = "not recorded" if content is None else size(len(content))
            ended = None if _is_made_here(flow, self._begun) else facts.timestamp_end
        else:
            kind, length = "websocket", _amount(flow.websocket.messages)
            websocket = flow.websocket
            messages = websocket.messages
            ended = websocket.timestamp_end or (messages[-1].timestamp if messages else None)
        rest = f" {kind} {length} {duration(started, ended)}"
        return begin, str(facts.status_code), rest if flow.error is None else f"{rest} {_failure(flow)}"

    def _raw_line(self, flow: Any) -> Line:
        messages = flow.messages
        begin = messages[0].timestamp if messages else flow.client_conn.timestamp_start or 0.0
        end = messages[-1].timestamp if messages else None
        head = f"{at(begin)} {_peer(flow)} {flow.type.upper()} {_server(flow)} "
        rest = f"{_amount(messages)} {duration(begin, end)}"
        return (head, rest, "") if flow.error is None else (f"{head}{rest} ", _failure(flow), "")

    def _dns_line(self, flow: DNSFlow) -> Line:
        from flowdump import dns

        request, response = flow.request, flow.response
        begin = request.timestamp or flow.timestamp_created
        asked = ", ".join(f"{dns.type_name(q.type)} {q.name or '.'}" for q in request.questions) or "-"
        head = f"{at(begin)} {_peer(flow)} DNS {asked} "
        if response is None:
            return head, _failure(flow), ""
        code = dns.RESPONSE_CODES.get(response.response_code, str(response.response_code))
        answers = ", ".join(rr.data_text() for rr in response.answers) or "-"
        if len(answers) > _ANSWERS:
            answers = f"{answers[:_ANSWERS]}… ({len(response.answers)} records)"
        rest = f" {answers} {duration(begin, response.timestamp)}"
        return head, code, rest if flow.error is None else f"{rest} {_failure(flow)}"

    # -- colours -------------------------------------------------------------------------------------------------

    def _coloured(self, flow: Any, line: Line) -> str:
        """Time and client step back, the outcome shows how it went, an error after it is red."""
        head, outcome, rest = map(escape_controls, line)
        when, client, asked = [*head.split(" ", 2), "", ""][:3]
        failure = escape_controls(_failure(flow)) if flow.error is not None else ""
        if failure and rest.endswith(failure):
            rest = rest.removesuffix(failure) + paint(failure, _RED)
        return f"{paint(f'{when} {client}', _DIM)} {asked}{paint(outcome, _outcome_colour(flow))}{rest}"

    def _marked(self, mark: str, text: str, colour: str = "") -> str:
        """A line of the details: its mark, and its text, escaped."""
        text = escape_controls(text)
        return f"{paint(mark, _DIM)} {paint(text, colour)}" if self._colour else f"{mark} {text}"

    # -- the rest ------------------------------------------------------------------------------------------------

    def _details(self, flow: Any) -> Iterator[str]:
        detail = self._options.flow_detail
        if detail < HEADERS:
            return
        if detail >= EVERYTHING:
            yield from (self._marked("*", fact, _DIM) for fact in _about(flow, self._begun))
        if flow.type == "http":
            yield from self._http_details(flow, detail)
        elif flow.type == "dns":
            for mark, message in ((">", flow.request), ("<", flow.response)):
                yield from (self._marked(mark, text) for text in _dns_facts(message))
        elif detail >= BODIES:
            yield from self._messages(flow.messages)

    def _http_details(self, flow: HTTPFlow, detail: int) -> Iterator[str]:
        request, response = flow.request, flow.response
        first_line = f"{request.method} {_target(request)} {request.http_version}"
        yield from self._message(">", first_line, request, detail)
        if response is not None:
            first_line = f"{response.http_version} {response.status_code} {response.reason}".rstrip()
            yield from self._message("<", first_line, response, detail)
        if flow.websocket is not None:
            if detail >= BODIES:
                yield from self._messages(flow.websocket.messages)
            yield self._marked("*", f"WebSocket {_closed(flow.websocket)}", _DIM)

    def _message(self, mark: str, first_line: str, message: Message, detail: int) -> Iterator[str]:
        yield self._marked(mark, first_line, _BOLD)
        yield from self._fields(mark, message.headers)
        if detail >= BODIES:
            yield from self._body(message)
        if detail >= BODIES and message.trailers:
            yield from self._fields(mark, message.trailers, " (trailer)")

    def _fields(self, mark: str, headers: Headers, note: str = "") -> Iterator[str]:
        for name, value in headers.items(multi=True):
            if self._colour:
                name = paint(escape_controls(name) + ":", "36")
                yield f"{paint(mark, _DIM)} {name} {escape_controls(value)}{note}"
            else:
                yield f"{mark} {escape_controls(name)}: {escape_controls(value)}{note}"

    def _body(self, message: Message) -> Iterator[str]:
        try:
            content = message.get_content()
        except ValueError as error:
            yield f"  (shown as it came: {escape_controls(str(error))})"
            content = message.raw_content
        if content is None:
            yield "  (body not recorded)"
            return
        query = getattr(message, "query", None)
        yield from self._rendered(
            content,
            message,
            content_type=message.headers.get("content-type", ""),
            query=list(query.fields) if query and not content else (),
            grpc_encoding=message.headers.get("grpc-encoding", ""),
        )

    def _rendered(self, content: bytes, message: Any, **facts: Any) -> Iterator[str]:
        from flowdump import contentviews

        view = self._options.dumper_default_contentview
        rendered = script_views.render(content, message, self._flow, view)
        rendered = rendered or contentviews.render(content, view=view, **facts)
        lines = iter(rendered.lines)
        cutoff = max(self._options.content_view_lines_cutoff, 0) if self._options.flow_detail == BODIES else None
        for line in islice(lines, cutoff):
            yield f"  {line}"
        if cutoff is not None and next(lines, None) is not None:
            yield f"  … cut after {cutoff} lines (content_view_lines_cutoff)"

    def _messages(self, messages: list[Any]) -> Iterator[str]:
        for message in messages:
            kind = ("text " if message.is_text else "binary ") if hasattr(message, "is_text") else ""
            notes = [note for note in ("dropped", "injected") if getattr(message, note, False)]
            after = f" ({', '.join(notes)})" if notes else ""
            facts = f"{at(message.timestamp)} {kind}{size(len(message.content))}{after}"
            yield self._marked(">" if message.from_client else "<", facts, _DIM)
            yield from self._rendered(message.content, message)


_LINES: dict[str, Any] = {
    "http": Dumper._http_line,
    "tcp": Dumper._raw_line,
    "udp": Dumper._raw_line,
    "dns": Dumper._dns_line,
}


# -- pieces ------------------------------------------------------------------------------------------------------


def paint(text: str, colour: str) -> str:
    """``text`` between an ANSI SGR sequence and its reset; without a colour as it is."""
    return f"\x1b[{colour}m{text}\x1b[0m" if colour else text


def at(timestamp: float) -> str:
    """Local time of day of a Unix time; dashes for what is none."""
    try:
        return _clock(int(timestamp))
    except (OverflowError, ValueError, OSError, TypeError):
        return "--:--:--"


@lru_cache(maxsize=4096)
def _clock(second: int) -> str:
    return time.strftime("%H:%M:%S", time.localtime(second))


def size(n: int) -> str:
    """``1234`` -> ``"1.2k"``, 1024-based."""
    if n < 1024:
        return f"{n}b"
    if n < 100 << 10:  # the usual case, without floats
        tenths = (n * 10 + 512) >> 10
        return f"{tenths // 10}.{tenths % 10}k"
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
    seconds = end - start
    if seconds < 1:
        return f"{int(seconds * 1000 + 0.5)}ms" if seconds > 0 else "0ms"
    if seconds < 100:
        return f"{seconds:.1f}s"
    return f"{seconds:.0f}s" if seconds < _LONGEST else "-"


def content_type(headers: Headers) -> str:
    """The media type without parameters, ``-`` where there is none; walks the fields instead of indexing them."""
    for name, value in headers.fields:
        if len(name) == 12 and name.lower() == b"content-type":
            return _media_type(value)
    return "-"


@lru_cache(maxsize=1024)
def _media_type(value: bytes) -> str:
    return value.partition(b";")[0].strip().decode("utf-8", "surrogateescape") or "-"


def _peer(flow: Flow) -> str:
    peername = flow.client_conn.peername
    return _hostport(tuple(peername)) if peername and peername[0] else "-"


_hostport = lru_cache(maxsize=1024)(hostport)


def _server(flow: Flow) -> str:
    address = flow.server_conn.address or flow.server_conn.peername
    return hostport(address) if address else "-"


def _amount(messages: list[Any]) -> str:
    total = sum(len(message.content) for message in messages)
    return f"{len(messages)} message{'' if len(messages) == 1 else 's'} {size(total)}"


def _failure(flow: Flow) -> str:
    return f"error: {flow.error.msg}" if flow.error is not None else "(no response)"


def _outcome_colour(flow: Any) -> str:
    """Of the middle of a line: a status by its class, a DNS answer by its code, red for an error, dim for nothing."""
    response = getattr(flow, "response", None)
    if response is None:
        return _RED if flow.error is not None else _DIM
    if flow.type == "dns":
        return _GREEN if response.response_code == 0 else _RED
    return _STATUS_COLOURS.get(response.status_code // 100, _RED)


def _target(request: Request) -> str:
    if request.first_line_format == "authority":
        return request.authority or f"{request.host}:{request.port}"
    return request.path


def _dns_facts(message: DNSMessage | None) -> Iterator[str]:
    """A DNS message as dig shows it: what kind, then a line per question and record."""
    if message is None:
        return
    from flowdump import dns

    kinds, code = (dns.OP_CODES, message.op_code) if message.query else (dns.RESPONSE_CODES, message.response_code)
    flags = ("authoritative_answer", "truncation", "recursion_desired", "recursion_available")
    said = [flag.replace("_", " ") for flag in flags if getattr(message, flag)]
    yield ", ".join([f"{kinds.get(code, code)} {message.id}", *said])
    for question in message.questions:
        yield f"{question.name}. {_dns_type(question)}"
    for section in ("answers", "authorities", "additionals"):
        note = "" if section == "answers" else f" ({section})"
        for record in getattr(message, section):
            if record.type == 41:  # no record but an extension: its class is a size (RFC 6891 section 6.1.2)
                yield f"EDNS, up to {record.class_} bytes over UDP"
                continue
            yield f"{record.name}. {record.ttl} {_dns_type(record)} {record.data_text()}{note}"


def _dns_type(part: Any) -> str:
    from flowdump import dns

    return f"{dns.CLASSES.get(part.class_, f'CLASS{part.class_}')} {dns.type_name(part.type)}"


def _closed(websocket: Any) -> str:
    if websocket.close_code is None:
        return "not closed"
    by = {True: " by the client", False: " by the server"}.get(websocket.closed_by_client, "")
    return f"closed{by}: {websocket.close_code} {websocket.close_reason or ''}".rstrip()


def _about(flow: Any, begun: float) -> Iterator[str]:
    """Notes, connections and certificates."""
    notes = [f"id {flow.id}"]
    notes += [f"marked {flow.marked}"] if flow.marked else []
    notes += [f"comment {flow.comment}"] if flow.comment else []
    notes += [f"replayed {flow.is_replay}"] if flow.is_replay else []
    yield ", ".join(notes)
    if flow.type == "http":
        yield _times(flow, begun)
    for name, connection in (("client", flow.client_conn), ("server", flow.server_conn)):
        yield f"{name} {', '.join(_connection_facts(name, connection))}"
        yield from map(_certificate_facts, connection.certificate_list)
    if flow.metadata:
        yield f"metadata {flow.metadata!r}"


def _is_made_here(flow: HTTPFlow, begun: float) -> bool:
    """Whether a script made the response, in this run, to a request that is older: how long that took means nothing."""
    assert flow.response is not None
    ended = flow.response.data.timestamp_end
    return ended is not None and flow.request.data.timestamp_start < begun <= ended


def _times(flow: HTTPFlow, run: float) -> str:
    """When the exchange began, and how long its parts took."""
    request, response = flow.request, flow.response
    started, sent = request.timestamp_start, request.timestamp_end
    begun = f"begun {_day(started)} {at(started)}, request {duration(started, sent)}"
    if response is None or _is_made_here(flow, run):
        return begun
    answered = response.timestamp_start
    waited = duration(sent, answered) if sent is not None else "-"
    return f"{begun}, waiting {waited}, response {duration(answered, response.timestamp_end)}"


def _day(timestamp: float) -> str:
    try:
        return time.strftime("%Y-%m-%d", time.localtime(int(timestamp)))
    except (OverflowError, ValueError, OSError, TypeError):
        return "----------"


def _connection_facts(name: str, connection: Any) -> Iterator[str]:
    where = connection.peername if name == "client" else connection.address or connection.peername
    yield hostport(where) if where and where[0] else "-"
    yield connection.transport_protocol
    if connection.tls:
        yield connection.tls_version or "TLS"
    if connection.cipher:
        yield connection.cipher
    if connection.sni:
        yield f"SNI {connection.sni}"
    if connection.alpn:
        yield f"ALPN {connection.alpn.decode('ascii', 'backslashreplace')}"
    via = getattr(connection, "via", None)
    if via:
        yield f"via {via[0]}://{hostport(via[1])}"
    mode = getattr(connection, "proxy_mode", "regular")
    if mode != "regular":
        yield f"mode {mode}"
    if connection.error:
        yield f"error {connection.error}"


def _certificate_facts(certificate: Cert) -> str:
    try:
        names, issuer = _distinguished(certificate.subject), _distinguished(certificate.issuer)
        begin, end = (f"{moment:%Y-%m-%d}" for moment in (certificate.notbefore, certificate.notafter))
    except ValueError as error:
        return f"certificate that cannot be read: {error}"
    return f"certificate {names}, from {issuer}, {begin} to {end}"


def _distinguished(names: list[tuple[str, str]]) -> str:
    return " ".join(f"{key}={value}" for key, value in names) or "-"
