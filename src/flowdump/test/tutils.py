"""Requests, responses and DNS messages for tests: each fact may be given by name, the others are always the same."""

from __future__ import annotations

from typing import Any

from flowdump.dns.message import DNSMessage, Question, ResourceRecord
from flowdump.http.flow import Request, Response
from flowdump.http.headers import Headers

#: 2000-01-01 00:00:00 UTC, in Unix seconds: when every flow of a test begins, give or take a time zone.
T0 = 946681200


def treq(**facts: Any) -> Request:
    """``GET http://address:22/path`` with a body."""
    known: dict[str, Any] = {
        "host": "address",
        "port": 22,
        "method": b"GET",
        "scheme": b"http",
        "authority": b"",
        "path": b"/path",
        "http_version": b"HTTP/1.1",
        "headers": Headers([(b"header", b"qvalue"), (b"content-length", b"7")]),
        "content": b"content",
        "trailers": None,
        "timestamp_start": T0,
        "timestamp_end": T0 + 1,
    }
    return Request(**(known | facts))


def tresp(**facts: Any) -> Response:
    """``200 OK`` with a body."""
    known: dict[str, Any] = {
        "http_version": b"HTTP/1.1",
        "status_code": 200,
        "reason": b"OK",
        "headers": Headers([(b"header-response", b"svalue"), (b"content-length", b"7")]),
        "content": b"message",
        "trailers": None,
        "timestamp_start": T0 + 2,
        "timestamp_end": T0 + 3,
    }
    return Response(**(known | facts))


def tdnsreq(**facts: Any) -> DNSMessage:
    """A query for the A record of ``dns.google``."""
    return DNSMessage(**(_dns(T0) | facts))


def tdnsresp(**facts: Any) -> DNSMessage:
    """Its answer: 8.8.8.8 and 8.8.4.4."""
    records = [ResourceRecord("dns.google", 1, 1, 32, bytes((8, 8, n, n))) for n in (8, 4)]
    return DNSMessage(**(_dns(T0 + 1) | {"query": False, "recursion_available": True, "answers": records} | facts))


def _dns(timestamp: float) -> dict[str, Any]:
    return {
        "id": 42,
        "query": True,
        "op_code": 0,
        "authoritative_answer": False,
        "truncation": False,
        "recursion_desired": True,
        "recursion_available": False,
        "reserved": 0,
        "response_code": 0,
        "questions": [Question("dns.google", 1, 1)],
        "answers": [],
        "authorities": [],
        "additionals": [],
        "timestamp": timestamp,
    }
