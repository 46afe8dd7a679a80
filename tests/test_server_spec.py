"""Servers as scripts write them."""

from __future__ import annotations

import pytest

from flowdump.server_spec import ServerSpec, is_valid_host, is_valid_port, parse


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("example.com", ("https", ("example.com", 443))),
        ("http://example.com", ("http", ("example.com", 80))),
        ("http://[::1]:90/", ("http", ("::1", 90))),
        ("tls://a:1", ("tls", ("a", 1))),
        ("dns://9.9.9.9", ("dns", ("9.9.9.9", 53))),
    ],
)
def test_a_server(text: str, expected: tuple[str, tuple[str, int]]) -> None:
    assert parse(text, "https") == expected


@pytest.mark.parametrize("text", ["", "a b", "ftp://a", "tcp://a", "http://a:99999", "http://a/b"])
def test_what_names_no_server(text: str) -> None:
    with pytest.raises(ValueError, match=r"[Ii]nvalid|missing"):
        parse(text, "https")


def test_a_spec_of_either_form() -> None:
    pair = ServerSpec(("http", ("a", 1)))
    assert pair == ServerSpec("http", ("a", 1)) == ("http", ("a", 1))
    assert (pair.scheme, pair.address, repr(pair)) == ("http", ("a", 1), "('http', ('a', 1))")


def test_hosts_and_ports() -> None:
    assert is_valid_host("a.b")
    assert is_valid_host(b"::1")
    assert not is_valid_host("a b")
    assert [is_valid_port(n) for n in (-1, 0, 65535, 65536)] == [False, True, True, False]
