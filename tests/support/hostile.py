"""Hostile HTTP/1 messages, by what is wrong with them, and the statuses they get.

``ORIGIN`` stands for the origin's address, see ``at``. Requests without a status get 400; responses all become a 502.
"""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.live import Origin

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
NEXT = b"GET http://ORIGIN/smuggled HTTP/1.1\r\nHost: ORIGIN\r\n\r\n"


def with_fields(*fields: bytes, body: bytes = b"", method: bytes = b"POST", version: bytes = b"HTTP/1.1") -> bytes:
    lines = [method + b" http://ORIGIN/x " + version, b"Host: ORIGIN", *fields]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def coded(value: bytes) -> bytes:
    return with_fields(b"Transfer-Encoding:" + value, body=b"0\r\n\r\n")


def sized(value: bytes) -> bytes:
    return with_fields(b"Content-Length:" + value, body=b"hello")


def chunked(body: bytes) -> bytes:
    return with_fields(b"Transfer-Encoding: chunked", body=body)


def line(start: bytes) -> bytes:
    return start + b"\r\nHost: ORIGIN\r\n\r\n"


CODINGS = {
    "kelvin": (coded(b" chun\xe2\x84\xaaed"), 501),
    "blank inside": (coded(b" chun ked"), 501),
    "twice in a list": (coded(b" chunked,chunked"), 501),
    "gzip after": (coded(b" chunked,gzip"), 501),
    "gzip in front": (coded(b" gzip, chunked"), 501),
    "comma after": (coded(b" chunked,"), 501),
    "comma in front": (coded(b" ,chunked"), 501),
    "identity": (coded(b" identity"), 501),
    "unknown": (coded(b" qux"), 501),
    "empty": (coded(b""), 501),
    "vertical tab in front": (coded(b"\x0bchunked"), 400),
    "form feed after": (coded(b" chunked\x0c"), 400),
    "two fields": (with_fields(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"), 501),
    "two, one hidden": (with_fields(b"Transfer-Encoding: chunked", b"Transfer-Encoding: x", body=b"0\r\n\r\n"), 501),
    "http/1.0": (with_fields(b"Transfer-Encoding: chunked", body=b"0\r\n\r\n", version=b"HTTP/1.0"), 400),
    "and a length": (with_fields(b"Content-Length: 5", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"), 400),
    "and a length after": (with_fields(b"Transfer-Encoding: chunked", b"Content-Length: 5", body=b"0\r\n\r\n"), 400),
    "and a length of zero": (with_fields(b"Content-Length: 0", b"transfer-encoding: chunked", body=b"0\r\n\r\n"), 400),
}

LENGTHS = {
    "NaN": sized(b" NaN"),
    "empty": sized(b""),
    "minus": sized(b" -1"),
    "plus": sized(b" +1"),
    "hex": sized(b" 0x42"),
    "leading zero": sized(b" 010"),
    "underscore": sized(b" 1_0"),
    "list": sized(b" 1, 1"),
    "equal list": sized(b" 5,5"),
    "5000 digits": sized(b" " + b"9" * 5000),
    "arabic digit": sized(b" \xd9\xa5"),
    "vertical tab": sized(b" \x0b5"),
    "form feed": sized(b" 5\x0c"),
    "float": sized(b" 5.0"),
    "two equal": with_fields(b"Content-Length: 5", b"Content-Length: 5", body=b"hello"),
    "two different": with_fields(b"Content-Length: 5", b"Content-Length: 0", body=b"hello"),
    "two, cases differ": with_fields(b"Content-Length: 5", b"content-length: 6", body=b"hello"),
}

LINES = {
    "blank before colon": with_fields(b"Content-Length : 5", body=b"hello"),
    "tab before colon": with_fields(b"Content-Length\t: 5", body=b"hello"),
    "blank before colon of a coding": with_fields(b"Transfer-Encoding : chunked", body=b"0\r\n\r\n"),
    "leading blank": with_fields(b" Content-Length: 5", body=b"hello"),
    "obs-fold": with_fields(b"Transfer-Encoding:", b" chunked", body=b"0\r\n\r\n"),
    "obs-fold with tab": with_fields(b"X: y", b"\tContent-Length: 5", body=b"hello"),
    "bare CR": with_fields(b"X: y\rContent-Length: 5", body=b"hello"),
    "bare LF": with_fields(b"X: y\nContent-Length: 5", body=b"hello"),
    "only LF": with_fields(b"X: y").replace(b"\r\n", b"\n"),
    "LF before the end": with_fields(b"X: y")[:-2] + b"\n",
    "NUL in value": with_fields(b"X: a\0b"),
    "NUL in name": with_fields(b"X\0: b"),
    "escape in value": with_fields(b"X: \x1b[2J"),
    "no colon": with_fields(b"Content-Length 5", body=b"hello"),
    "no name": with_fields(b": 5", body=b"hello"),
    "obs-text in name": with_fields(b"Content-Length\xa0: 5", body=b"hello"),
    "first line folded": line(b"GET http://ORIGIN/ HTTP/1.1\r\n X: y"),
}

STARTS = {
    "separator in the method": line(b"G(T http://ORIGIN/ HTTP/1.1"),
    "version 9.9": line(b"GET http://ORIGIN/ HTTP/9.9"),
    "version 1.2": line(b"GET http://ORIGIN/ HTTP/1.2"),
    "version 2.0": line(b"GET http://ORIGIN/ HTTP/2.0"),
    "version with a sign": line(b"GET http://ORIGIN/ HTTP/+1.1"),
    "version in small letters": line(b"GET http://ORIGIN/ http/1.1"),
    "no version": line(b"GET http://ORIGIN/"),
    "NUL in the target": line(b"GET http://ORIGIN/a\0b HTTP/1.1"),
    "tab in the target": line(b"GET http://ORIGIN/a\tb HTTP/1.1"),
    "blank in the target": line(b"GET http://ORIGIN/a b HTTP/1.1"),
    "two blanks": line(b"GET  http://ORIGIN/ HTTP/1.1"),
    "blank after": line(b"GET http://ORIGIN/ HTTP/1.1 "),
    "GET *": line(b"GET * HTTP/1.1"),
    "origin form": line(b"GET /x HTTP/1.1"),
    "other scheme": line(b"GET ftp://ORIGIN/ HTTP/1.1"),
    "no host in the target": line(b"GET http:///x HTTP/1.1"),
    "three empty lines": b"\r\n\r\n\r\n" + line(b"GET http://ORIGIN/ HTTP/1.1"),
    "blank first": line(b" GET http://ORIGIN/ HTTP/1.1"),
    "not HTTP": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "binary": b"\x00\x01\x02\x03\xff\xfe" * 20 + b"\r\n\r\n",
    "a TLS alert": b"\x15\x03\x01\x00\x02\x02\x28\r\n\r\n",
}

HOSTS = {
    "path": b"GET http://ORIGIN/ HTTP/1.1\r\nHost: example.com/abc?x=\r\n\r\n",
    "user": b"GET http://ORIGIN/ HTTP/1.1\r\nHost: a@b\r\n\r\n",
    "two": b"GET http://ORIGIN/ HTTP/1.1\r\nHost: ORIGIN\r\nHost: other\r\n\r\n",
    "two equal": b"GET http://ORIGIN/ HTTP/1.1\r\nHost: ORIGIN\r\nhost: ORIGIN\r\n\r\n",
    "list": b"GET http://ORIGIN/ HTTP/1.1\r\nHost: ORIGIN, other\r\n\r\n",
    "none": b"GET http://ORIGIN/ HTTP/1.1\r\nAccept: */*\r\n\r\n",
    "empty": b"GET http://ORIGIN/ HTTP/1.1\r\nHost:\r\n\r\n",
    "port": b"GET http://ORIGIN/ HTTP/1.1\r\nHost: a:99999\r\n\r\n",
    "blank": b"GET http://ORIGIN/ HTTP/1.1\r\nHost: a b\r\n\r\n",
    "non-ASCII": b"GET http://ORIGIN/ HTTP/1.1\r\nHost: \xc3\xa9\r\n\r\n",
}

CHUNKS = {
    "data too long": chunked(b"5\r\nhelloXX0\r\n\r\n"),
    "data too long by one": chunked(b"5\r\nhello\r\r\n0\r\n\r\n"),
    "LF after data": chunked(b"5\r\nhello\n0\r\n\r\n"),
    "LF after size": chunked(b"5\nhello\r\n0\r\n\r\n"),
    "CR after size": chunked(b"5\rhello\r\n0\r\n\r\n"),
    "LF in an extension": chunked(b"5;a\nb\r\nhello\r\n0\r\n\r\n"),
    "plus": chunked(b"+5\r\nhello\r\n0\r\n\r\n"),
    "minus": chunked(b"-5\r\nhello\r\n0\r\n\r\n"),
    "0x": chunked(b"0x5\r\nhello\r\n0\r\n\r\n"),
    "underscore": chunked(b"0_5\r\nhello\r\n0\r\n\r\n"),
    "17 digits": chunked(b"00000000000000005\r\nhello\r\n0\r\n\r\n"),
    "blank in front": chunked(b" 5\r\nhello\r\n0\r\n\r\n"),
    "blank after": chunked(b"5 \r\nhello\r\n0\r\n\r\n"),
    "no digits": chunked(b"\r\nhello\r\n0\r\n\r\n"),
    "extension only": chunked(b";a\r\nhello\r\n0\r\n\r\n"),
    "not hex": chunked(b"5g\r\nhello\r\n0\r\n\r\n"),
    "LF after the last size": chunked(b"5\r\nhello\r\n0\n\n"),
    "length in the trailers": chunked(b"0\r\nContent-Length: 5\r\n\r\n"),
    "coding in the trailers": chunked(b"0\r\nTransfer-Encoding: chunked\r\n\r\n"),
    "host in the trailers": chunked(b"0\r\nHost: a\r\n\r\n"),
    "folded trailers": chunked(b"0\r\nX: y\r\n z\r\n\r\n"),
    "bare LF in the trailers": chunked(b"0\r\nX: y\nZ: a\r\n\r\n"),
}

CONNECTS = {
    "no port": b"CONNECT ORIGIN.invalid HTTP/1.1\r\nHost: a\r\n\r\n",
    "port 0": b"CONNECT a:0 HTTP/1.1\r\nHost: a\r\n\r\n",
    "port too large": b"CONNECT a:65536 HTTP/1.1\r\nHost: a\r\n\r\n",
    "path": b"CONNECT a:443/x HTTP/1.1\r\nHost: a\r\n\r\n",
    "user": b"CONNECT b@a:443 HTTP/1.1\r\nHost: a\r\n\r\n",
    "absolute form": b"CONNECT http://ORIGIN/ HTTP/1.1\r\nHost: a\r\n\r\n",
    "a body": b"CONNECT ORIGIN HTTP/1.1\r\nHost: ORIGIN\r\nContent-Length: 5\r\n\r\nhello",
    "a chunked body": b"CONNECT ORIGIN HTTP/1.1\r\nHost: ORIGIN\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two hosts": b"CONNECT ORIGIN HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
}

TOO_LARGE = {
    "one long line": (with_fields(b"X: " + b"y" * 70_000), 431),
    "long target": (line(b"GET http://ORIGIN/" + b"y" * 70_000 + b" HTTP/1.1"), 431),
    "many fields": (with_fields(*[b"X: y"] * 300), 431),
    "body": (sized(b" 5"), 413),
    "chunked body": (chunked(b"5\r\nhello\r\n0\r\n\r\n"), 413),
}


def table(*tables: dict[str, Any]) -> list[Any]:
    """All rows of tables as parameters; where a status is missing it is 400."""
    return [
        pytest.param(*(row if isinstance(row, tuple) else (row, 400)), id=name)
        for rows in tables
        for name, row in rows.items()
    ]


def at(raw: bytes, server: Origin) -> bytes:
    return raw.replace(b"ORIGIN", b"127.0.0.1:%d" % server.port)


def answer(*fields: bytes, body: bytes = b"", start: bytes = b"HTTP/1.1 200 OK") -> bytes:
    return b"\r\n".join([start, *fields]) + b"\r\n\r\n" + body


def answer_chunked(body: bytes) -> bytes:
    return answer(b"Transfer-Encoding: chunked", body=body)


RESPONSES = {
    "length and coding": answer(b"Content-Length: 5", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
    "coding and length": answer(b"Transfer-Encoding: chunked", b"Content-Length: 5", body=b"0\r\n\r\n"),
    **{
        f"coding {name}": answer(b"Transfer-Encoding:" + value, body=b"0\r\n\r\n")
        for name, value in {
            "kelvin": b" chun\xe2\x84\xaaed",
            "blank": b" chun ked",
            "twice": b" chunked,chunked",
            "gzip": b" chunked,gzip",
            "comma": b" chunked,",
            "identity": b" identity",
            "unknown": b" qux",
            "empty": b"",
            "vertical tab": b" \x0bchunked",
        }.items()
    },
    "two codings": answer(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
    "coding in HTTP/1.0": answer(b"Transfer-Encoding: chunked", body=b"0\r\n\r\n", start=b"HTTP/1.0 200 OK"),
    "coding with 204": answer(b"Transfer-Encoding: chunked", body=b"0\r\n\r\n", start=b"HTTP/1.1 204 No Content"),
    "coding with 103": answer(b"Transfer-Encoding: chunked", start=b"HTTP/1.1 103 Early Hints") + OK,
    **{
        f"length {value.decode()}": answer(b"Content-Length:" + value, body=b"hello")
        for value in (b" NaN", b"", b" -1", b" +5", b" 0x5", b" 05", b" 5, 5", b" 5 5", b" 5\x0c")
    },
    "length of 5000 digits": answer(b"Content-Length: " + b"9" * 5000, body=b"hello"),
    "two lengths": answer(b"Content-Length: 5", b"Content-Length: 6", body=b"hello!"),
    "two equal lengths": answer(b"Content-Length: 5", b"Content-Length: 5", body=b"hello"),
    "blank before colon": answer(b"Content-Length : 5", body=b"hello"),
    "obs-fold": answer(b"X: y", b" z", b"Content-Length: 5", body=b"hello"),
    "bare LF": answer(b"X: y\nContent-Length: 5", body=b"hello"),
    "only LF": b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello",
    "bare CR": answer(b"X: y\rContent-Length: 5", body=b"hello"),
    "NUL": answer(b"X: \0", b"Content-Length: 5", body=b"hello"),
    "no colon": answer(b"X", b"Content-Length: 5", body=b"hello"),
    **{
        f"status {start.decode()}": answer(b"Content-Length: 0", start=start)
        for start in (
            b"HTTP/1.1 2000 OK",
            b"HTTP/1.1 20 OK",
            b"HTTP/1.1 +200 OK",
            b"HTTP/1.1 2_0 OK",
            b"HTTP/1.1 abc OK",
            b"HTTP/1.1 099 OK",
            b"HTTP/9.9 200 OK",
            b"HTTP/2.0 200 OK",
            b"HTTP/1.1  200 OK",
            b"ICY 200 OK",
            b"200 OK",
        )
    },
    "reason with NUL": answer(b"Content-Length: 0", start=b"HTTP/1.1 200 O\0K"),
    "chunk data too long": answer_chunked(b"5\r\nhelloXX0\r\n\r\n"),
    "chunk size and LF": answer_chunked(b"5\nhello\r\n0\r\n\r\n"),
    "chunk size with a sign": answer_chunked(b"+5\r\nhello\r\n0\r\n\r\n"),
    "chunk size 0x5": answer_chunked(b"0x5\r\nhello\r\n0\r\n\r\n"),
    "chunk size of 17 digits": answer_chunked(b"00000000000000005\r\nhello\r\n0\r\n\r\n"),
    "length in the trailers": answer_chunked(b"5\r\nhello\r\n0\r\nContent-Length: 5\r\n\r\n"),
    "unasked 101": answer(b"Connection: upgrade", b"Upgrade: x", start=b"HTTP/1.1 101 Switching Protocols"),
    "endless interim responses": answer(start=b"HTTP/1.1 102 Processing") * 200 + OK,
    "one long line": answer(b"X: " + b"y" * 70_000, b"Content-Length: 0"),
    "many fields": answer(*[b"X: y"] * 300, b"Content-Length: 0"),
    "not HTTP": b"220 mail.example ESMTP\r\n\r\n",
    "a body that is cut": answer(b"Content-Length: 6", body=b"hello"),
    "chunks that are cut": answer_chunked(b"5\r\nhello\r\n"),
    "a head that is cut": b"HTTP/1.1 200 OK\r\nContent-Le",
    "nothing": b"",
}
