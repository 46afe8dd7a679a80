"""Modes as text that knows its parts."""

from __future__ import annotations

import pytest
from tests.support.flows import client

from flowdump.connection import Client
from flowdump.proxy_mode import ProxyMode, RegularMode, ReverseMode, UpstreamMode


def test_a_mode_is_text() -> None:
    mode = ProxyMode.parse("reverse:https://h@127.0.0.1:80")
    assert isinstance(mode, ReverseMode)
    assert mode == "reverse:https://h@127.0.0.1:80" == mode.full_spec == mode.get_state() == str(mode)
    assert type(mode.get_state()) is str
    assert (mode.type_name, mode.data, mode.scheme, mode.address) == ("reverse", "https://h", "https", ("h", 443))
    assert (mode.custom_listen_host, mode.custom_listen_port) == ("127.0.0.1", 80)
    assert (mode.listen_host("x"), mode.listen_port(5), mode.description) == (
        "127.0.0.1",
        80,
        "reverse proxy to https://h",
    )
    plain = RegularMode.from_state("regular")
    assert (plain.listen_host("x"), plain.listen_host(), plain.listen_port(5), plain.data) == ("x", "", 5, "")
    assert {plain: 1}["regular"] == 1


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("nonsense", "unknown mode"),
        ("", "is no mode"),
        ("regular:x", "no arguments"),
        ("regular@99999", "invalid port"),
        ("reverse:", "server"),
        ("upstream:tcp://a:1", "scheme"),
    ],
)
def test_what_is_no_mode(spec: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        ProxyMode.parse(spec)


def test_another_mode_than_asked_for() -> None:
    assert UpstreamMode.parse("upstream:a:1").address == ("a", 1)
    with pytest.raises(ValueError, match="not a spec for a upstream mode"):
        UpstreamMode.parse("regular")


def test_the_mode_of_a_client() -> None:
    ours = client()
    assert isinstance(ours.proxy_mode, RegularMode)
    ours.proxy_mode = "reverse:http://a:1"
    assert isinstance(ours.proxy_mode, ReverseMode)
    assert ours.proxy_mode.address == ("a", 1)
    state = ours.get_state()
    assert type(state["proxy_mode"]) is str
    assert Client.from_state(state).proxy_mode == "reverse:http://a:1"
    ours.proxy_mode = "wireguard:x"
    assert type(ours.proxy_mode) is ProxyMode
    assert ours.proxy_mode.data == "x"
    ours.proxy_mode = "no mode at all"
    assert ours.proxy_mode == "no mode at all"
