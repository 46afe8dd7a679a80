"""Single values of a state: which are taken as they are, which are converted, which are refused."""

from __future__ import annotations

import base64
import enum
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowdump.formats.flowfile import values as v
from flowdump.formats.flowfile.values import Context, StateError

NOW = Context(7.5, "tcp")


class Opcode(enum.IntEnum):
    TEXT = 1


@pytest.mark.parametrize(
    ("convert", "value", "expected"),
    [
        (v.text, "hé", "hé"),
        (v.text, b"h\xc3\xa9\xff", "hé\\xff"),
        (v.text, "a\ud800b", "a?b"),
        (v.text_or_empty, 5, ""),
        (v.marker, True, ":default:"),
        (v.marker, False, ""),
        (v.marker, ":red_circle:", ":red_circle:"),
        (v.replayed_part, "request", "request"),
        (v.replayed_part, "both", None),
        (v.replayed_part, True, None),
        (v.host, b"xn--mnchen-3ya.de", "münchen.de"),
        (v.host, b"EXAMPLE.com", "EXAMPLE.com"),
        (v.host, b"xn--a", "xn--a"),
        (v.host, b"\xff", "\\xff"),
        (v.integer, True, 1),
        (v.integer, 2.0, 2),
        (v.integer_or(4), None, 4),
        (v.seconds, 3, 3.0),
        (v.seconds, True, 1.0),
        (v.seconds_or_start, None, 7.5),
        (v.time_or_start, None, 7.5),
        (v.octets, "é", b"\xc3\xa9"),
        (v.octets, "a\udcff", b"a\xff"),
        (v.octets, "a\ud800", b"a?"),
        (v.octets, bytearray(b"x"), b"x"),
        (v.body, 0, None),
        (v.body, memoryview(b"x"), b"x"),
        (v.fields, None, []),
        (v.fields, ((b"a", "b"),), [[b"a", b"b"]]),
        (v.address_or_none, ("h", 1), ["h", 1]),
        (v.address_or_none, ["h", 1, 2, 3, 4], ["h", 1, 2, 3]),
        (v.address_or_none, [b"h", 1.0], ["h", 1]),
        (v.address_or_none, [], None),
        (v.address_or_blank, None, ["", 0]),
        (v.target_or_none, ["::1", 1, 0, 0], ["::1", 1]),
        (v.upstream_or_none, ("http", ("h", 1)), ["http", ["h", 1]]),
        (v.upstream_or_none, ["socks5", ["h", 1]], None),
        (v.upstream_or_none, ["http", None], None),
        (v.upstream_or_none, "http", None),
        (v.tls_version, "TLSv1.3", "TLSv1.3"),
        (v.tls_version, "TLSv1.0", None),
        (v.tls_version, [], None),
        (v.server_name, True, None),
        (v.transport_protocol, "udp", "udp"),
        (v.transport_protocol, "sctp", "tcp"),
        (v.proxy_mode, None, "regular"),
        (v.stream_messages, [[True, b"x", 1.5]], [[True, b"x", 1.5]]),
        (v.stream_messages, [(True, "x")], [[True, b"x", 7.5]]),
        (v.stream_messages, [[1, None, 2]], [[True, b"", 2]]),
        (v.websocket_messages, [[1, True, "h\udcffi"]], [[1, True, b"h\xffi", 7.5, False, False]]),
        (v.websocket_messages, [(Opcode.TEXT, True, b"x", 1, True)], [[1, True, b"x", 1, True, False]]),
        (v.websocket_messages, [[3, False, b"x", 1.0, False, False]], [[2, False, b"x", 1.0, False, False]]),
        (v.metadata, None, {}),
        (v.metadata, [1], {}),
        (v.metadata, {"a": (1, "\ud800"), b"b": None}, {"a": [1, "?"], b"b": None}),
        (v.metadata, {(): {}, "\ud800": 1}, {(): {}, "?": 1}),
    ],
)
def test_values_are_converted(convert: Any, value: object, expected: object) -> None:
    converted = convert(value, NOW)
    assert converted == expected
    assert type(converted) is type(expected)


@pytest.mark.parametrize(
    ("convert", "value", "message"),
    [
        (v.text, None, "missing"),
        (v.text, 5, "expected text, found an integer"),
        (v.integer, "80", "expected an integer, found text"),
        (v.integer, 1.5, "expected an integer, found a decimal number"),
        (v.integer, float("nan"), "expected an integer, found a decimal number"),
        (v.integer, float("inf"), "expected an integer, found a decimal number"),
        (v.seconds, "1", "expected a number, found text"),
        (v.seconds, 10**400, "number too large for a time"),
        (v.flag, 1, "expected true or false, found an integer"),
        (v.flag_or_none, [], "expected true or false, found a list"),
        (v.octets, {}, "expected bytes, found a dict"),
        (v.body, "x", "expected bytes, found text"),
        (v.body, 1, "expected bytes, found an integer"),
        (v.body, False, "expected bytes, found true or false"),
        (v.fields, b"x", "expected a list, found bytes"),
        (v.fields, [[b"a", b"b"], [b"a"]], "1: expected a name and a value"),
        (v.fields, [[b"a", None]], "0: missing"),
        (v.text_list, ["a", 5], "1: expected text, found an integer"),
        (v.address_or_none, "host:80", "expected a list, found text"),
        (v.address_or_none, ["h", "80"], "expected a host and a port"),
        (v.certificates, [5], "0: expected bytes, found an integer"),
        (v.stream_messages, [[True]], "0: expected a list of two or three items"),
        (v.stream_messages, [[True, b"", 1.0, 1]], "0: expected a list of two or three items"),
        (v.stream_messages, [[True, b"", "x"]], "0: expected a number, found text"),
        (v.websocket_messages, [[1, True]], "0: expected a list of three to six items"),
        (v.websocket_messages, [["x", True, b""]], "0: expected an integer, found text"),
    ],
)
def test_values_that_mean_nothing_are_refused(convert: Any, value: object, message: str) -> None:
    with pytest.raises(StateError) as caught:
        convert(value, NOW)
    assert str(caught.value) == message


@given(st.text(alphabet="aA.-_0x\u00e4\u3002", max_size=20).map(lambda text: text.encode()))
@settings(deadline=None)
def test_hosts_read_as_the_idna_codec_reads_them(value: bytes) -> None:
    try:
        expected = value.decode("idna")
    except UnicodeError:
        expected = value.decode("ascii", "backslashreplace")
    assert v.host(value, NOW) == expected


def test_headers_that_are_right_are_not_copied() -> None:
    headers = [[b"a", b"b"]]
    assert v.fields(headers, NOW) is headers


def test_metadata_cannot_nest_without_end() -> None:
    endless: dict[str, Any] = {}
    endless["self"] = endless
    with pytest.raises(StateError, match="nested too deeply"):
        v.metadata(endless, NOW)


def test_uuids_are_version_four() -> None:
    pattern = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
    assert re.fullmatch(pattern, v.format_uuid(b"\xff" * 16))
    assert re.fullmatch(pattern, v.format_uuid(bytes(16)))
    assert v.identifier(None, NOW) != v.identifier(None, NOW)
    assert v.identifier(b"f1", NOW) == "f1"


def make_pem(common_name: str) -> bytes:
    import datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    day = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, day, day + datetime.timedelta(days=1))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def test_certificates_are_written_canonically_and_unreadable_ones_dropped() -> None:
    first, second = make_pem("one"), make_pem("two")
    untidy = b"subject: one\r\n" + first.replace(b"\n", b"\r\n") + second + b"\nthe end\n"
    garbage = b"-----BEGIN CERTIFICATE-----\n" + base64.b64encode(b"no certificate") + b"\n-----END CERTIFICATE-----\n"
    assert v.certificates([untidy, garbage, b"", second], NOW) == [first, second]
    assert v.certificate(untidy, NOW) == first
    assert v.certificate(garbage, NOW) is None
    assert v.certificate(None, NOW) is None
