"""Which hosts are passed through, and which are raw."""

from __future__ import annotations

import pytest

from flowdump.engine.tls.passthrough import HostRules
from flowdump.exceptions import OptionsError
from flowdump.options import Options


def rules(**values: list[str]) -> tuple[Options, HostRules]:
    options = Options()
    options.update(**values)
    return options, HostRules(options)


def test_without_options_every_host_is_intercepted() -> None:
    _, hosts = rules()
    assert not hosts.is_ignored("a.example:443")
    assert not hosts.is_passed("a.example", 443)
    assert not hosts.is_raw("a.example:443")
    assert not hosts.is_raw_udp("a.example:53")


def test_expressions_are_searched_for_in_host_and_port_whatever_the_case() -> None:
    _, hosts = rules(ignore_hosts=["SECRET", ":8443$"], tcp_hosts=["chat"], udp_hosts=["game:"])
    assert hosts.is_ignored("www.secret.example:443")
    assert hosts.is_ignored("a.example:8443")
    assert hosts.is_ignored("other.example:443", "secret.example:443")
    assert hosts.is_raw("CHAT.example:1")
    assert hosts.is_raw_udp("game:9")
    assert not hosts.is_raw_udp("chat:9")


def test_allow_hosts_ignores_all_others_but_waits_for_the_name_of_an_address() -> None:
    _, hosts = rules(allow_hosts=["good"])
    assert not hosts.is_ignored("good.example:443")
    assert hosts.is_ignored("bad.example:443")
    assert hosts.is_passed("bad.example", 443)
    assert not hosts.is_passed("192.0.2.1", 443)


def test_changed_options_take_effect() -> None:
    options, hosts = rules()
    options.update(ignore_hosts=["a"])
    assert hosts.is_ignored("a:443")


@pytest.mark.parametrize("wrong", ["allow_hosts", "tcp_hosts", "udp_hosts", "ignore_hosts"])
def test_a_refused_change_changes_nothing(wrong: str) -> None:
    """Whatever the order in which the changed options are looked at."""
    options, hosts = rules(ignore_hosts=["old"])
    with pytest.raises(OptionsError, match="not a regular expression"):
        options.update(**({"ignore_hosts": ["new"], "tcp_hosts": ["raw"]} | {wrong: ["("]}))
    assert options.ignore_hosts == ["old"]
    assert hosts.is_ignored("old:443")
    assert not hosts.is_ignored("new:443")
    assert not hosts.is_raw("raw:443")
