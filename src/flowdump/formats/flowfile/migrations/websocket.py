"""WebSocket flows of releases 2.0 to 6.0, which stored them apart from their handshake.

The handshake is an HTTP flow of its own and comes first; the flow with the messages, of type ``websocket``, names it by
its id in ``metadata.websocket_handshake``. Today both are one HTTP flow. As in mitmproxy the handshake stays in the
file as it was, and the flow with the messages becomes a second copy of it, now with the messages: N records give N
flows. Development versions of 2.0 had the handshake inside the WebSocket flow instead (``handshake_flow``).

mitmproxy goes by a flag in the metadata to tell which HTTP flows may be asked for later; releases 6.0 did not always
set it, so here a response with status 101 counts as well.
"""

from __future__ import annotations

from typing import Any, Final

State = dict[str, Any]

MAX_HANDSHAKES: Final = 4096
"""How many handshakes are kept in memory for messages that may still come; the oldest ones go first."""

DUPLICATED: Final = (
    "Converted from an old flow file, which stores a WebSocket and its handshake as two flows: "
    "the handshake may be listed twice."
)


class Handshakes:
    """The handshakes of one file whose messages have not come yet."""

    def __init__(self) -> None:
        self._flows: dict[str, State] = {}

    def remember(self, flow: State) -> None:
        """Keep `flow`, a complete state, if it is a handshake."""
        if flow["type"] != "http" or not _is_handshake(flow):
            return
        self._flows[flow["id"]] = flow
        if len(self._flows) > MAX_HANDSHAKES:
            del self._flows[next(iter(self._flows))]

    def take(self, state: State) -> State | None:
        """The handshake that a WebSocket flow names, if it is there. It is given out once."""
        metadata = state.get("metadata")
        key = metadata.get("websocket_handshake") if isinstance(metadata, dict) else None
        return self._flows.pop(key, None) if isinstance(key, str) else None


def _is_handshake(flow: State) -> bool:
    response = flow["response"]
    return "websocket" in flow["metadata"] or (response is not None and response["status_code"] == 101)


def mend_handshake(state: State) -> State:
    """Handshakes inside WebSocket flows can have their port as text."""
    request = state.get("request")
    port = request.get("port") if isinstance(request, dict) else None
    if isinstance(port, str) and port.isascii() and port.isdigit() and len(port) <= 5:
        state["request"] = {**request, "port": int(port)}  # type: ignore[dict-item]
    return state


def join(state: State, handshake: State | None) -> State:
    """One HTTP flow of a WebSocket flow, whose parts other than messages are current, and its handshake."""
    from copy import deepcopy

    flow = _unknown_handshake(state) if handshake is None else deepcopy(handshake)
    flow["metadata"] = {**flow["metadata"], "duplicated": DUPLICATED}
    flow["error"] = flow["error"] or state.get("error")
    flow["backup"] = None
    server = flow.get("server_conn")
    code, sender = state.get("close_code"), state.get("close_sender")
    flow["websocket"] = {
        "messages": state.get("messages"),
        "closed_by_client": None if sender is None else sender == "client",
        "close_code": code if type(code) is int else None,
        "close_reason": state.get("close_reason"),
        "timestamp_end": server.get("timestamp_end") if isinstance(server, dict) else None,
    }
    return flow


def _unknown_handshake(state: State) -> State:
    """A stand-in for a handshake that is not in the file, or was asked for before."""
    kept = ("id", "error", "client_conn", "server_conn", "intercepted", "is_replay", "marked")
    return {
        **{key: state.get(key) for key in kept},
        "type": "http",
        "metadata": {},
        "timestamp_created": 0,
        "request": {
            "host": "unknown",
            "port": 80,
            "method": b"GET",
            "scheme": b"http",
            "path": b"/",
            "http_version": b"HTTP/1.1",
            "content": None,
            "timestamp_start": 0,
            "timestamp_end": 0,
        },
    }
