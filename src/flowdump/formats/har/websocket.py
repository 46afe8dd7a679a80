"""WebSocket messages in a HAR, laid out as Chrome does: ``_webSocketMessages``, both ways.

A message is ``{"type": "send" | "receive", "time": Unix seconds, "opcode": 1 | 2, "data": text or base64}``. We add
``_dropped`` and ``_injected`` where they are true, and ``_opcode: 1`` to a text message that is no UTF-8: it is
written as a binary one.
"""

from __future__ import annotations

import binascii
from typing import Any

from flowdump.formats.har.times import microseconds
from flowdump.formats.har.values_in import as_dict, as_int, as_number, clean, to_bytes
from flowdump.http.flow import HTTPFlow
from flowdump.websocket import BINARY, TEXT, WebSocketData, WebSocketMessage

#: Statuses of a successful upgrade: HTTP/1.1 (RFC 6455) and extended CONNECT (RFC 8441).
UPGRADED = (101, 200)

# -- reading ----------------------------------------------------------------------------------------------------------


def websocket_data(entry: dict[str, Any], own: Any, flow: HTTPFlow, said: bool) -> WebSocketData | None:
    """``flow.websocket`` for an entry: ``own`` is what we wrote of its end, ``said`` whether URL or type say
    WebSocket.
    """
    items = entry.get("_webSocketMessages")
    upgraded = said and flow.response is not None and flow.response.status_code in UPGRADED
    if not (upgraded or own is not None or (type(items) is list and items)):
        return None
    data = WebSocketData()
    start = flow.request.timestamp_start
    if type(items) is list:
        messages = [_message(item, start) for item in items if type(item) is dict]
        data.messages = [message for message in messages if message is not None]
    _set_end(data, as_dict(own))
    return data


def _message(item: dict[str, Any], start: float) -> WebSocketMessage | None:
    """One message; None for a control frame."""
    opcode, text = item.get("opcode", TEXT), item.get("data")
    if opcode not in (TEXT, BINARY) or type(opcode) is not int or type(text) is not str:
        return None
    content = to_bytes(text) if opcode == TEXT else _binary(text)
    moment = as_number(item.get("time"))
    message = WebSocketMessage(
        TEXT if item.get("_opcode") == TEXT else opcode,
        item.get("type") == "send",
        content,
        1.0,
        item.get("_dropped") is True,
        item.get("_injected") is True,
    )
    message.timestamp = start if moment is None else moment / 1000 if moment > 1e11 else moment
    return message


def _binary(text: str) -> bytes:
    data = to_bytes(text)
    try:
        return binascii.a2b_base64(data, strict_mode=True)
    except binascii.Error:  # some tool that does not know of base64
        return data


def _set_end(data: WebSocketData, own: dict[str, Any]) -> None:
    if type(own.get("closed_by_client")) is bool:
        data.closed_by_client = own["closed_by_client"]
    data.close_code = as_int(own.get("close_code"))
    if type(own.get("close_reason")) is str:
        data.close_reason = clean(own["close_reason"])
    data.timestamp_end = as_number(own.get("timestamp_end"))


# -- writing ----------------------------------------------------------------------------------------------------------


def message_members(message: WebSocketMessage) -> dict[str, Any]:
    """One item of ``_webSocketMessages``."""
    content, opcode = message.content, int(message.type)
    if isinstance(content, str):  # text messages of old flow files
        content = to_bytes(content)
    text = _utf8(content) if opcode == TEXT else None
    made: dict[str, Any] = {
        "type": "send" if message.from_client else "receive",
        "time": (microseconds(message.timestamp) or 0) / 1_000_000,
        "opcode": BINARY if opcode == TEXT and text is None else opcode,
        "data": binascii.b2a_base64(content, newline=False).decode() if text is None else text,
    }
    if opcode == TEXT and text is None:
        made["_opcode"] = 1
    if message.dropped:
        made["_dropped"] = True
    if message.injected:
        made["_injected"] = True
    return made


def _utf8(content: bytes) -> str | None:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None
