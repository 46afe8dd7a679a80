"""Specifications of modes: what they say, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flowdump.engine.listen.modes import Credentials, Mode, Target, parse
from flowdump.exceptions import OptionsError
from flowdump.formats.flowfile.stored_modes import is_known_mode

HTTP = Target("http", "h", 80)


def facts(mode: Mode) -> tuple[object, ...]:
    return mode.kind, mode.target, mode.host, mode.port


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("regular", ("regular", None, None, None)),
        (" regular ", ("regular", None, None, None)),
        ("REGULAR@8081", ("regular", None, None, 8081)),
        ("regular@127.0.0.1:8081", ("regular", None, "127.0.0.1", 8081)),
        ("regular@[::1]:8081", ("regular", None, "::1", 8081)),
        ("regular@:8081", ("regular", None, "", 8081)),
        ("regular@0", ("regular", None, None, 0)),
        ("socks5", ("socks5", None, None, None)),
        ("transparent@localhost:1", ("transparent", None, "localhost", 1)),
        ("dns@5353", ("dns", None, None, 5353)),
        ("reverse:h", ("reverse", Target("https", "h", 443), None, None)),
        ("reverse:h:80", ("reverse", Target("https", "h", 80), None, None)),
        ("reverse:http://h/", ("reverse", HTTP, None, None)),
        ("reverse:HTTP://h", ("reverse", HTTP, None, None)),
        ("reverse:https://[::1]:80@[::1]:8443", ("reverse", Target("https", "::1", 80), "::1", 8443)),
        ("reverse:tcp://h:22@2222", ("reverse", Target("tcp", "h", 22), None, 2222)),
        ("reverse:tls://h:5", ("reverse", Target("tls", "h", 5), None, None)),
        ("reverse:udp://h:5", ("reverse", Target("udp", "h", 5), None, None)),
        ("reverse:dns://8.8.8.8", ("reverse", Target("dns", "8.8.8.8", 53), None, None)),
        ("upstream:h", ("upstream", HTTP, None, None)),
        ("upstream:h:81", ("upstream", Target("http", "h", 81), None, None)),
        ("upstream:https://h", ("upstream", Target("https", "h", 443), None, None)),
        ("upstream:socks5://h", ("upstream", Target("socks5", "h", 1080), None, None)),
        ("upstream:socks5h://h:9@10.0.0.1:8", ("upstream", Target("socks5h", "h", 9), "10.0.0.1", 8)),
    ],
)
def test_facts(spec: str, expected: tuple[object, ...]) -> None:
    if spec.endswith("@10.0.0.1:8"):  # may be credentials, too
        spec = spec.replace("@", "/@")
    assert facts(parse(spec)) == expected


@pytest.mark.parametrize(
    ("spec", "credentials", "expected"),
    [
        ("upstream:http://u:p@h", ("u", "p"), (HTTP, None, None)),
        ("upstream:u:p@h", ("u", "p"), (HTTP, None, None)),
        ("upstream:http://u:p@h:80@8080", ("u", "p"), (HTTP, None, 8080)),
        ("upstream:http://u:p:q@h@127.0.0.1:1", ("u", "p:q"), (HTTP, "127.0.0.1", 1)),
        ("upstream:http://u:p@q@h", ("u", "p@q"), (HTTP, None, None)),
        ("upstream:http://%3A%40:%2F%C3%A9@h", (":@", "/é"), (HTTP, None, None)),
        ("upstream:http://u:@h", ("u", ""), (HTTP, None, None)),
        ("upstream:http://u:12@h:80/", ("u", "12"), (HTTP, None, None)),
        ("upstream:http://h:80@127.0.0.1:81", None, (HTTP, "127.0.0.1", 81)),
        ("upstream:http://h@81", None, (HTTP, None, 81)),
        ("upstream:http://h:80/@10.0.0.1:81", None, (HTTP, "10.0.0.1", 81)),
        ("upstream:socks5://u:p@h", ("u", "p"), (Target("socks5", "h", 1080), None, None)),
    ],
)
def test_credentials(spec: str, credentials: tuple[str, str] | None, expected: tuple[object, ...]) -> None:
    mode = parse(spec)
    assert mode.credentials == (credentials and Credentials(*credentials))
    assert (mode.target, mode.host, mode.port) == expected


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("", "no such mode"),
        ("bogus", "no such mode; there are regular, upstream:URL, reverse:URL, socks5, transparent and dns"),
        ("regular:x", "regular mode takes no argument but @[HOST:]PORT"),
        ("regular:", "takes no argument"),
        ("regular@", "@ is no place to listen at"),
        ("regular@x", "@x is no place to listen at: @PORT or @HOST:PORT is expected"),
        ("regular@1@2", "no place to listen at"),
        ("regular@65536", "there is no port 65536"),
        ("dns:8.8.8.8", "dns mode takes no argument"),
        ("reverse", "reverse:https://HOST[:PORT] is expected"),
        ("reverse:https://", "is expected"),
        ("reverse:https://a b", "is expected"),
        ("reverse:https://h:65536", "is expected"),
        ("reverse:https://h/path", "a server, not a path in it"),
        ("reverse:tcp://h", "tcp:// needs a port"),
        ("reverse:tls://h:0", "is expected"),
        ("upstream:http://h:0", "upstream:http://[USER:PASSWORD@]HOST[:PORT] is expected"),
        ("reverse:ftp://h", "reverse mode knows no ftp://; there are http, https, tcp, tls, dns, udp"),
        ("reverse:http://u:p@h", "credentials for the server go into the option upstream_auth"),
        ("upstream:", "upstream:http://[USER:PASSWORD@]HOST[:PORT] is expected"),
        ("upstream:ftp://h", "upstream mode knows no ftp://"),
        ("upstream:http://u:12@h:80", "this may be credentials or a place to listen at"),
        ("reverse:http3://h", "http3 comes in a later version"),
        ("reverse:quic://h:1", "quic comes in a later version"),
        ("reverse:dtls://h:1", "dtls comes in a later version"),
        ("wireguard:conf@1", "needs a WireGuard tunnel; it comes in a later version of flowdump"),
        ("local:curl", "a later version of flowdump"),
        ("tun", "a later version of flowdump"),
        ("http3@443", "http3 mode needs QUIC; it comes in a later version of flowdump"),
    ],
)
def test_refusals(spec: str, message: str) -> None:
    with pytest.raises(OptionsError, match="option 'mode': ") as caught:
        parse(spec)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "spec",
    [
        "upstream:ftp://user:geheim@h",
        "upstream:http://user:geheim@h:99999",
        "upstream:user:geheim@h/x",
        "upstream:http://user:gehe@im@h@99999",
        "reverse:http://user:geheim@h",
    ],
)
def test_no_message_shows_a_password(spec: str) -> None:
    with pytest.raises(OptionsError) as caught:
        parse(spec)
    assert "gehe" not in str(caught.value)
    assert "user:…@" in str(caught.value)


@pytest.mark.parametrize(
    ("spec", "stored"),
    [
        ("Regular@[::1]:8080", "regular@[::1]:8080"),
        ("reverse:HTTPS://h/@8080", "reverse:https://h@8080"),
        ("reverse:h:81", "reverse:h:81"),
        ("upstream:https://u:p@h:1@2", "upstream:https://h:1@2"),
        ("upstream:u:p@h", "upstream:h"),
        ("upstream:socks5://u:p@h", "upstream:socks5://h"),
    ],
)
def test_what_is_stored(spec: str, stored: str) -> None:
    mode = parse(spec)
    assert mode.stored == stored
    assert "geheim" not in repr(mode._replace(credentials=Credentials("u", "geheim")))
    again = parse(stored)
    assert (again.stored, again.target) == (stored, mode.target)
    assert is_known_mode(stored) is ("socks5:" not in stored)


@pytest.mark.parametrize(
    ("spec", "transports", "port"),
    [
        ("regular", ("tcp",), 8080),
        ("socks5", ("tcp",), 1080),
        ("dns", ("tcp", "udp"), 53),
        ("reverse:dns://h", ("tcp", "udp"), 53),
        ("reverse:udp://h:1", ("udp",), 8080),
        ("reverse:https://h", ("tcp",), 8080),
    ],
)
def test_transports_and_default_ports(spec: str, transports: tuple[str, ...], port: int) -> None:
    mode = parse(spec)
    assert (mode.transports, mode.default_port) == (transports, port)


@given(st.text(alphabet="regulaupstmvhtp5ok:/@[]0123.%-é ", max_size=40))
@example("upstream:http://@")
@example("reverse:://@")
@example("upstream:@@@")
def test_any_text_is_a_mode_or_an_error(text: str) -> None:
    for spec in (text, f"upstream:{text}", f"reverse:{text}"):
        try:
            mode = parse(spec)
        except OptionsError:
            continue
        assert parse(mode.stored).target == mode.target


# -- for people --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "title", "sees_tls"),
    [
        ("regular", "HTTP(S) proxy", True),
        ("upstream:http://user:secret@h:3128", "HTTP(S) proxy in front of http://h:3128", True),
        ("reverse:h", "reverse proxy to https://h:443", True),
        ("reverse:udp://[::1]:9", "reverse proxy to udp://[::1]:9", False),
        ("reverse:dns://h", "reverse proxy to dns://h:53", False),
        ("socks5", "SOCKS proxy", True),
        ("dns", "DNS server", False),
    ],
)
def test_titles(spec: str, title: str, sees_tls: bool) -> None:
    mode = parse(spec)
    assert (mode.title, mode.sees_tls) == (title, sees_tls)
