"""Records of mitmproxy 0.4 to 0.10 (2011 to 2014), which no later mitmproxy reads.

Up to 0.6 a record is a netstring around JSON, with bodies in base64; 0.7 to 0.10 write the same tree as a tnetstring. A
request carries what is known of the client and of the connection to the server; there are no ids, one time per
message up to 0.8, and no HTTP version before 0.9. The tree is mapped straight to today's.
"""

from __future__ import annotations

from typing import Any

from flowdump.formats.flowfile.values import StateError

State = dict[str, Any]


def parse_json(payload: bytes) -> dict[Any, Any]:
    """The record of a release up to 0.6, with its bodies decoded. Raises StateError."""
    import json

    if payload[:1] != b"{":
        raise StateError("not a flow: the record is not a dict")
    try:
        record = json.loads(payload)
    except (ValueError, RecursionError):
        raise StateError("not a flow: the record is neither a dict nor JSON") from None
    _decode_bodies(record)
    try:
        _decode_bodies(_dict(record.get("backup")))
    except StateError:
        record["backup"] = None
    return record  # type: ignore[no-any-return]


def _decode_bodies(record: State) -> None:
    for key in ("request", "response"):
        message = _dict(record.get(key))
        if isinstance(message.get("content"), str):
            message["content"] = _decode_base64(message["content"], key)


def _decode_base64(text: str, key: str) -> bytes:
    from binascii import a2b_base64

    try:
        return a2b_base64(text)
    except ValueError:
        raise StateError("expected a body in base64", f"{key}.content") from None


def convert(record: State) -> State:
    """The tree of 0.4 to 0.10 in the shape of version 21, for `state.complete`."""
    request, response = _dict(record.get("request")), _dict(record.get("response"))
    if not request:
        raise StateError("missing", "request")
    start = request.get("timestamp_start", request.get("timestamp"))
    tls = request.get("scheme") in ("https", b"https")
    return {
        "type": "http",
        "error": record.get("error"),
        "client_conn": {**_client(request.get("client_conn")), "timestamp_start": start, "tls": tls},
        "server_conn": {**_server(request), "certificate_list": _certificates(response), "tls": tls},
        "request": {**request, **_message(request)},
        "response": {
            **_message(response),
            "headers": response.get("headers"),
            "status_code": response.get("code"),
            "reason": response.get("msg"),
        }
        if response
        else None,
        "timestamp_created": start,
        "backup": _backup(record.get("backup")),
    }


def _dict(value: object) -> State:
    return value if isinstance(value, dict) else {}


def _backup(value: object) -> State | None:
    try:
        return convert({**value, "backup": None}) if isinstance(value, dict) else None
    except StateError:
        return None


def _message(message: State) -> State:
    """What requests and responses have in common."""
    version = message.get("httpversion")
    numbers = version if isinstance(version, list) and len(version) == 2 else (1, 1)
    time = message.get("timestamp")
    return {
        "http_version": f"HTTP/{numbers[0]!s:.9}.{numbers[1]!s:.9}".encode("ascii", "replace"),
        "content": message.get("content"),
        "timestamp_start": message.get("timestamp_start", time),
        "timestamp_end": message.get("timestamp_end", time),
    }


def _client(client: object) -> State:
    """Up to 0.7 the client is just its address."""
    if isinstance(client, dict):
        return {"peername": client.get("address"), "error": client.get("error")}
    return {"peername": client}


def _server(request: State) -> State:
    """The connection to the server; its setup times are on the first request that used it only."""
    ip, port = request.get("ip"), request.get("port")
    connected, end = request.get("tcp_setup_timestamp"), request.get("timestamp_end")
    starts = [time for time in (connected, end) if isinstance(time, (int, float))]
    return {
        "address": [request.get("host"), port],
        "peername": [ip, port] if ip is not None else None,
        "timestamp_start": min(starts) if connected is not None and starts else None,
        "timestamp_tcp_setup": connected,
        "timestamp_tls_setup": request.get("ssl_setup_timestamp"),
    }


def _certificates(response: State) -> list[Any]:
    """One certificate: as PEM, or in 0.8 as DER."""
    pem, der = response.get("cert"), response.get("der_cert")
    if isinstance(der, bytes):
        from base64 import b64encode

        text = b64encode(der)
        lines = [text[start : start + 64] for start in range(0, len(text), 64)]
        pem = b"\n".join([b"-----BEGIN CERTIFICATE-----", *lines, b"-----END CERTIFICATE-----", b""])
    return [] if pem is None else [pem]
