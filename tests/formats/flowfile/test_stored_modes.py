"""Which proxy modes a flow file may hold. The rows were checked against a released mitmproxy 12.2.3."""

from __future__ import annotations

import pytest

from flowdump.formats.flowfile.stored_modes import is_known_mode, storable_mode

ACCEPTED = [
    "regular",
    "Regular",
    "REGULAR@8080",
    "regular@127.0.0.1:8080",
    "regular@[::1]:8080",
    "regular@:8080",
    "regular@127.0.0.1:0",
    "regular@65535",
    "regular@a:80:90",
    "regular:",
    "regular@",
    "transparent",
    "transparent@1",
    "socks5",
    "socks5@:1080",
    "dns",
    "dns@53",
    "wireguard",
    "wireguard:/tmp/xyz.conf",
    "wireguard:~/x.conf@127.0.0.1:51820",
    "local",
    "local:",
    "local:curl",
    "local:curl,!foo",
    "local:!123",
    "local@8080",
    "tun",
    "tun:tun0",
    "upstream:http://p:3128",
    "upstream:https://p",
    "upstream:p",
    "upstream:p:80",
    "upstream:[::1]:80",
    "upstream:http://[::1]",
    "upstream:http://h:80/",
    "upstream:http://h:80@127.0.0.1:8080",
    "reverse:https://h",
    "Reverse:https://h",
    "reverse:h:80",
    "reverse:http3://h",
    "reverse:quic://h",
    "reverse:tls://h:443",
    "reverse:dns://1.1.1.1",
    "reverse:tcp://127.0.0.1:18904@127.0.0.1:18911",
    "reverse:https://h@1.2.3.4:80",
    "reverse:https://h_x:80",
    "reverse:https://exämple.com",
    "reverse:https://a.",
]

REFUSED = [
    "",
    " regular",
    "regular ",
    "foo",
    ":",
    "@8080",
    "regular:x",
    "regular@host",
    "regular@99999",
    "regular@8080@9090",
    "regular@[::1]",
    "regular@:",
    "socks5:x",
    "\u017focks5",
    "local:a@b",
    "local:,",
    "local:!",
    "local:a,,b",
    "wireguard:/tmp/a@b",
    "upstream",
    "upstream:",
    "upstream:http://h:80/path",
    "upstream:http3://h:80",
    "upstream:tcp://h:80",
    "upstream:socks5://h:80",
    "upstream:socks5:h:80",
    "upstream:http://h:abc",
    "upstream:http://h:99999",
    "upstream:http://::1",
    "reverse:tls://h",
    "reverse:tcp://h",
    "reverse:udp://h",
    "reverse:ftp://h:80",
    "reverse:HTTPS://h:80",
    "reverse:https://h:",
    "reverse:https://h x:80",
    "reverse:https://a..b",
    "reverse:https://.a",
    "reverse:https://a,b",
    "reverse:https://h?x",
    "reverse:https://xn--a",
    "reverse:https://" + "a" * 64,
    "reverse:https://" + "a." * 130 + "a",
]


@pytest.mark.parametrize("spec", ACCEPTED)
def test_modes_that_mitmproxy_parses_are_stored_as_they_are(spec: str) -> None:
    assert is_known_mode(spec)
    assert storable_mode(spec) == spec


@pytest.mark.parametrize("spec", REFUSED)
def test_modes_that_mitmproxy_cannot_parse_are_stored_as_regular(spec: str) -> None:
    assert not is_known_mode(spec)
    assert storable_mode(spec) == "regular"


@pytest.mark.parametrize(
    ("spec", "stored"), [("osproxy", "local"), ("osproxy:curl", "local:curl"), ("osproxy:a@b", "regular")]
)
def test_osproxy_is_called_local(spec: str, stored: str) -> None:
    assert storable_mode(spec) == stored


@pytest.mark.parametrize(
    ("spec", "stored"),
    [
        ("upstream:http://user:secret@h:80", "upstream:http://h:80"),
        ("upstream:http://user:secret@h:80@8080", "upstream:http://h:80@8080"),
        ("upstream:http://user:secret@h", "upstream:http://h"),
        ("upstream:user:secret@h:80", "upstream:h:80"),
        ("reverse:https://user:secret@h", "reverse:https://h"),
        ("upstream:http://:secret@h:80", "upstream:http://h:80"),
        ("upstream:socks5://user:secret@h:80", "regular"),
    ],
)
def test_credentials_are_not_stored(spec: str, stored: str) -> None:
    assert storable_mode(spec) == stored
