"""Write every flow as one line of JSON, to stdout or to a file.

    flowdump -q -r saved -s scripts/jsonl.py | jq -r .request.url
    flowdump -r saved -s "scripts/jsonl.py flows.jsonl"

A line is written as soon as its flow has ended. Its fields:

    type        "http", "tcp", "udp" or "dns"
    id          the id of the flow
    started     when it began, in Unix seconds
    client      [address, port] of the client, null where it is not known
    server      [host, port] of the server, null where it is not known
    error       what went wrong on the network, or null
    marked      the marker, "" where there is none
    comment     the comment, "" where there is none
    request     http: method, url, and what every message has; dns: see below
    response    http: status_code, reason, and what every message has; dns: see below; null where there was none
    websocket   http: close_code and messages, null where the flow is not a WebSocket
    messages    tcp and udp: what passed

An HTTP message has http_version, headers (a list of [name, value]), body and base64. Other messages have from_client,
timestamp, body and base64. A body is text, with any content coding undone; where it is not text, it is the base64 of
its bytes, and "base64" is true. A body that was not recorded is null. Bytes that are not UTF-8 become
U+FFFD in headers.

A DNS request or response has id, response_code, questions and answers (both as text).
"""

import argparse
import base64
import json
import re
import sys
from collections.abc import Iterable
from typing import Any

from flowdump import connection, ctx, dns, flow, http, tcp, udp, websocket

#: Control characters that text does not have, and what became of bytes that are not in the charset.
NOT_TEXT = re.compile("[\0-\x08\x0e-\x1a\x1c-\x1f\ud800-\udfff]")


class JsonLines:
    def __init__(self, path: str | None) -> None:
        # Nothing is lost if the start fails later on: the old content goes in running().
        self.file = open(path, "a", encoding="utf-8") if path else None  # noqa: SIM115 - done() closes it
        self.unfinished: dict[flow.Flow, None] = {}

    def running(self) -> None:
        if self.file:
            self.file.truncate(0)

    def done(self) -> None:
        for each in list(self.unfinished):
            self.end(each)
        if self.file:
            self.file.close()

    # -- which event begins a flow, and which ends it ----------------------------------------------------------------

    def begin(self, flow: flow.Flow) -> None:
        # Saved flows come one at a time, so those before this one have ended, even without a response.
        for earlier in [each for each in self.unfinished if not each.live]:
            self.end(earlier)
        self.unfinished[flow] = None

    def end(self, flow: flow.Flow) -> None:
        if flow in self.unfinished:
            del self.unfinished[flow]
            self.write(json.dumps(describe(flow)))

    def write(self, line: str) -> None:
        try:
            print(line, file=self.file or sys.stdout, flush=True)
        except BrokenPipeError:  # the reader, such as head, has seen enough
            ctx.master.shutdown()

    requestheaders = tcp_start = udp_start = dns_request = begin
    error = websocket_end = tcp_end = tcp_error = udp_end = udp_error = dns_response = dns_error = end

    def response(self, flow: http.HTTPFlow) -> None:
        if flow.websocket is None:
            self.end(flow)


# -- flows as plain values ---------------------------------------------------------------------------------------


def describe(flow: flow.Flow) -> dict[str, Any]:
    common = {
        "type": flow.type,
        "id": flow.id,
        "started": flow.timestamp_start,
        "client": address(flow.client_conn.peername),
        "server": address(flow.server_conn.address or flow.server_conn.peername),
        "error": flow.error.msg if flow.error else None,
        "marked": flow.marked,
        "comment": flow.comment,
    }
    if isinstance(flow, http.HTTPFlow):
        return common | http_parts(flow)
    if isinstance(flow, dns.DNSFlow):
        return common | {"request": dns_part(flow.request), "response": dns_part(flow.response)}
    if isinstance(flow, tcp.TCPFlow | udp.UDPFlow):
        return common | {"messages": messages(flow.messages)}
    return common


def http_parts(flow: http.HTTPFlow) -> dict[str, Any]:
    request, response, socket = flow.request, flow.response, flow.websocket
    asked = {"method": clean(request.method), "url": clean(request.url)}
    answered = {"status_code": response.status_code, "reason": response.reason} if response else {}
    talked = {"close_code": socket.close_code, "messages": messages(socket.messages)} if socket else None
    return {
        "request": asked | http_message(request),
        "response": answered | http_message(response) if response else None,
        "websocket": talked,
    }


def http_message(message: http.Message) -> dict[str, Any]:
    try:
        text = message.text
    except ValueError:
        text = None
    return {
        "http_version": clean(message.http_version),
        "headers": [[clean(name), clean(value)] for name, value in message.headers.items(multi=True)],
        **body(message.get_content(strict=False), text),
    }


def messages(parts: Iterable[tcp.TCPMessage | udp.UDPMessage | websocket.WebSocketMessage]) -> list[dict[str, Any]]:
    return [{"from_client": m.from_client, "timestamp": m.timestamp, **body(m.content, utf8(m.content))} for m in parts]


def dns_part(message: dns.DNSMessage | None) -> dict[str, Any] | None:
    if message is None:
        return None
    return {
        "id": message.id,
        "response_code": dns.RESPONSE_CODES.get(message.response_code, str(message.response_code)),
        "questions": [f"{question.name} {dns.type_name(question.type)}" for question in message.questions],
        "answers": [f"{each.name} {dns.type_name(each.type)} {each.data_text()}" for each in message.answers],
    }


def body(content: bytes | None, text: str | None) -> dict[str, Any]:
    if content is None:
        return {"body": None, "base64": False}
    if text is None or NOT_TEXT.search(text):
        return {"body": base64.b64encode(content).decode(), "base64": True}
    return {"body": text, "base64": False}


def utf8(content: bytes) -> str | None:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None


def clean(text: str) -> str:
    """Text that JSON can carry: bytes that were not UTF-8 become U+FFFD."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def address(address: connection.Address | None) -> list[str | int] | None:
    return [address[0], address[1]] if address and address[0] else None


def start() -> JsonLines:
    parser = argparse.ArgumentParser(description="Write every flow as one line of JSON.")
    parser.add_argument("path", nargs="?", help="the file to write; stdout if it is left out")
    path = parser.parse_args().path
    try:
        return JsonLines(path)
    except OSError as error:
        parser.error(f"cannot write {path!r}: {error.strerror}")
