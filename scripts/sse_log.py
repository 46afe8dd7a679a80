"""Print server-sent events as they pass, one line per event.

    flowdump --flow-detail 0 -s scripts/sse_log.py
    flowdump --flow-detail 0 -r saved -s scripts/sse_log.py

A line is the URL, the type of the event (``message`` where the stream names none), its id if it has one, and its data
as a JSON string::

    https://example.com/prices update id=7 "{\\"acme\\": 12}"

Live, the stream goes on to the client untouched, byte for byte and at once. Origins are asked not to compress event
streams; one that is compressed nevertheless is printed when it has ended. Saved event streams are printed from what
was recorded of them.
"""

import codecs
import json
import re
import weakref
from collections.abc import Iterator
from typing import NamedTuple

from flowdump import flow, http
from flowdump.escaping import escape_controls

#: Longest event that is printed whole, in characters; of a longer one the beginning is.
LONGEST = 1 << 20

LINE = re.compile(r"\r\n|\n|\r")


class Event(NamedTuple):
    type: str
    id: str
    data: str


class EventStream:
    """Takes the bytes of an event stream in any pieces, gives the events in them."""

    def __init__(self) -> None:
        self.decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")
        self.line = ""
        self.id = ""
        self.clear()

    def clear(self) -> None:
        self.type = ""
        self.data: list[str] = []
        self.size = 0

    def feed(self, piece: bytes) -> Iterator[Event]:
        text = self.line + self.decoder.decode(piece)
        # A CR at the end may be half of a CR LF.
        whole = text[:-1] if text.endswith("\r") else text
        *lines, rest = LINE.split(whole)
        self.line = (rest + text[len(whole) :])[-LONGEST:]
        for line in lines:
            if line:
                self.field(line)
                continue
            if self.data:
                yield Event(self.type or "message", self.id, "\n".join(self.data))
            self.clear()

    def field(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self.data.append(value[: max(0, LONGEST - self.size)])
            self.size += len(value)
        elif name == "event":
            self.type = value
        elif name == "id" and "\0" not in value:
            self.id = value


class Printer:
    """A streaming function that prints the events that it sees and changes nothing."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.events = EventStream()
        self.begun = False

    def __call__(self, piece: bytes) -> bytes:
        self.begun = True
        for event in self.events.feed(piece):
            words = [self.url, event.type, f"id={event.id}" if event.id else "", json.dumps(event.data)]
            print(escape_controls(" ".join(filter(None, words))), flush=True)
        return piece


class SseLog:
    def __init__(self) -> None:
        self.printers: weakref.WeakKeyDictionary[flow.Flow, Printer] = weakref.WeakKeyDictionary()

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        if flow.live and "text/event-stream" in flow.request.headers.get("accept", ""):
            flow.request.headers["accept-encoding"] = "identity"

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        response = flow.response
        if response is None or not is_event_stream(response):
            return
        self.printers[flow] = printer = Printer(flow.request.pretty_url)
        if flow.live and response.headers.get("content-encoding", "identity") == "identity":
            response.stream = printer

    def response(self, flow: http.HTTPFlow) -> None:
        printer = self.printers.pop(flow, None)
        # Nothing went through it if the stream is a saved one, is compressed, or was made by another script.
        if printer is not None and not printer.begun and flow.response is not None:
            printer(flow.response.get_content(strict=False) or b"")


def is_event_stream(response: http.Response) -> bool:
    return bool(re.match(r"\s*text/event-stream\s*(;|$)", response.headers.get("content-type", ""), re.IGNORECASE))


addons = [SseLog()]
