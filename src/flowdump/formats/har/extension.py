"""``_flowdump``: what an entry of ours says beyond HAR, so that export and import lose nothing that matters.

It is there only when there is something in it; an ordinary flow has none. Its members:

* ``marked``, ``metadata`` (what of it JSON can hold), ``is_replay``
* ``error``: when the error happened that ``_error`` tells of; null: the flow has no response, but no error either
* ``times``: in milliseconds from ``startedDateTime``: ``connect``, when the connection to the server was begun, and
  ``request_end``, ``response_start``, ``response_end`` where the timings cannot express them (null: unknown)
* ``request``, ``response``: ``content`` (null: the body was not recorded), ``encoded`` (the text is the body as on
  the wire, as its Content-Encoding could not be undone), ``trailers``, ``latin1`` (places of headers that are not
  UTF-8), ``http_version``, and of the request ``scheme``, ``host``, ``port``, ``path``, ``authority``, ``method``
  where the URL does not tell them (bytes as latin-1)
* ``websocket``: ``closed_by_client``, ``close_code``, ``close_reason``, ``timestamp_end``
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowdump.formats.har.json_text import Json, dumps
from flowdump.formats.har.times import microseconds
from flowdump.formats.har.values_in import as_version
from flowdump.formats.har.websocket import UPGRADED, message_members

if TYPE_CHECKING:
    from flowdump.http.flow import HTTPFlow, RequestData, Response, ResponseData
    from flowdump.websocket import WebSocketData

_USUAL_VERSIONS = frozenset((b"HTTP/1.0", b"HTTP/1.1", b"HTTP/2.0", b"HTTP/3"))


def add_remarks(flow: HTTPFlow, extra: Json, last: int) -> None:
    """What concerns the flow as a whole; ``last`` is when an import takes an error to have happened, in
    microseconds.
    """
    if flow.error is not None:
        moment = microseconds(flow.error.timestamp)
        if moment != last or not flow.error.msg:
            extra["error"] = (last if moment is None else moment) / 1_000_000
    elif flow.response is None:
        extra["error"] = None
    if flow.marked:
        extra["marked"] = str(flow.marked)
    if flow.metadata and (metadata := {key: value for key, value in flow.metadata.items() if _fits_json(key, value)}):
        extra["metadata"] = metadata
    if flow.is_replay:
        extra["is_replay"] = str(flow.is_replay)


def _fits_json(key: Any, value: Any) -> bool:
    try:
        dumps(value)
    except (TypeError, ValueError):
        return False
    return type(key) is str


def add_message(data: RequestData | ResponseData, own: Json) -> None:
    """What of a request or response an import would not find out by itself."""
    if data.content is None:
        own["content"] = None
    if data.trailers is not None:
        own["trailers"] = [
            {"name": name.decode("utf-8", "replace"), "value": value.decode("utf-8", "replace")}
            for name, value in data.trailers.fields
        ]
    version = data.http_version
    if version not in _USUAL_VERSIONS and as_version(version.decode("latin-1")) != version:
        own["http_version"] = version.decode("utf-8", "replace")


def websocket_members(websocket: WebSocketData, response: Response | None, extra: Json) -> Json:
    """``_resourceType`` and ``_webSocketMessages``; how the WebSocket was closed goes into ``extra``."""
    names = ("closed_by_client", "close_code", "close_reason", "timestamp_end")
    end = {name: value for name in names if (value := getattr(websocket, name)) is not None}
    if "timestamp_end" in end:
        end["timestamp_end"] = (microseconds(end["timestamp_end"]) or 0) / 1_000_000
    if end or response is None or response.status_code not in UPGRADED:
        extra["websocket"] = end
    messages = [message_members(message) for message in websocket.messages]
    return {"_resourceType": "websocket", "_webSocketMessages": messages}
