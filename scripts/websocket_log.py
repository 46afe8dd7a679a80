"""Print WebSocket messages as they pass, one line per message.

    flowdump --flow-detail 0 -s scripts/websocket_log.py
    flowdump --flow-detail 0 -r saved -s scripts/websocket_log.py
    flowdump --flow-detail 0 -r saved -s "scripts/websocket_log.py --match 'price|stock' --length 40"

``>`` is what the client said, ``<`` what the server said; text is a JSON string, other messages are their size and
their first bytes in hexadecimal. When the connection ends, there is its close code::

    wss://example.com/stock > "subscribe"
    wss://example.com/stock < 3 bytes 0102ff
    wss://example.com/stock closed by client 1000

``--match`` leaves out messages in which the regex is not found, ``--length`` cuts long ones.
"""

import argparse
import json
import re

from flowdump import http, websocket
from flowdump.escaping import escape_controls


class WebSocketLog:
    def __init__(self, match: re.Pattern[bytes], length: int) -> None:
        self.match = match
        self.length = length

    def websocket_message(self, flow: http.HTTPFlow) -> None:
        assert flow.websocket is not None
        message = flow.websocket.messages[-1]
        if self.match.search(message.content):
            notes = "".join([" (injected)" if message.injected else "", " (dropped)" if message.dropped else ""])
            self.show(flow, f"{'>' if message.from_client else '<'} {self.described(message)}{notes}")

    def websocket_end(self, flow: http.HTTPFlow) -> None:
        assert flow.websocket is not None
        by = {True: " by client", False: " by server", None: ""}[flow.websocket.closed_by_client]
        code = "without a close code" if flow.websocket.close_code is None else str(flow.websocket.close_code)
        self.show(flow, " ".join(filter(None, [f"closed{by} {code}", flow.websocket.close_reason])))

    def described(self, message: websocket.WebSocketMessage) -> str:
        if message.is_text:
            text = message.text
            return json.dumps(text[: self.length], ensure_ascii=False) + (" …" if len(text) > self.length else "")
        size, shown = len(message.content), message.content[: self.length // 2].hex()
        return f"{size} bytes {shown}{' …' if size > self.length // 2 else ''}"

    def show(self, flow: http.HTTPFlow, text: str) -> None:
        # The URL of the handshake is http:// or https://.
        url = re.sub("^http", "ws", flow.request.pretty_url)
        print(escape_controls(f"{url} {text}"), flush=True)


def pattern(text: str) -> re.Pattern[bytes]:
    try:
        return re.compile(text.encode())
    except re.error as error:
        raise argparse.ArgumentTypeError(f"{error}: {text!r}") from None


def start() -> WebSocketLog:
    parser = argparse.ArgumentParser(description="Print WebSocket messages as they pass.")
    parser.add_argument("--match", type=pattern, default="", help="only messages in which this regex is found")
    parser.add_argument("--length", type=int, default=200, help="how many characters are shown of each")
    args = parser.parse_args()
    if args.length < 1:
        parser.error("--length has to be 1 or more")
    return WebSocketLog(args.match, args.length)
