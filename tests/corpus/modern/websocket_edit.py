"""Looks into WebSocket messages, changes and drops some."""
import re

from mitmproxy import http


def websocket_start(flow: http.HTTPFlow):
    print("start", flow.request.path, len(flow.websocket.messages))


def websocket_message(flow: http.HTTPFlow):
    assert flow.websocket is not None
    message = flow.websocket.messages[-1]
    if message.from_client:
        print(f"Client sent a message: {message.content!r}")
    else:
        print(f"Server sent a message: {message.content!r} {message.type} {message.is_text}")
    message.content = re.sub(rb"^Hello", b"HAPPY", message.content)
    if b"FOOBAR" in message.content:
        message.drop()
    if message.is_text and "secret" in message.text:
        message.text = message.text.replace("secret", "******")


def websocket_end(flow: http.HTTPFlow):
    print("end", flow.websocket.close_code, flow.websocket.close_reason, flow.websocket.closed_by_client)
