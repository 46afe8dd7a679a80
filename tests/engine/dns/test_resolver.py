"""Name servers and hosts: options, and the files of the system."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowdump.engine.dns import resolver
from flowdump.engine.dns.resolver import Resolver, parse_server
from flowdump.exceptions import OptionsError
from flowdump.options import Options


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with ``resolv.conf`` and ``hosts``, which are not there yet."""
    monkeypatch.setattr(resolver, "RESOLV_CONF", str(tmp_path / "resolv.conf"))
    monkeypatch.setattr(resolver, "HOSTS", str(tmp_path / "hosts"))
    return tmp_path


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("192.0.2.1", ("192.0.2.1", 53)),
        (" 192.0.2.1:5353 ", ("192.0.2.1", 5353)),
        ("2001:db8::1", ("2001:db8::1", 53)),
        ("[2001:db8::1]", ("2001:db8::1", 53)),
        ("[2001:db8::1]:54", ("2001:db8::1", 54)),
        ("192.0.2.1:", ("192.0.2.1", 53)),
    ],
)
def test_servers_by_option(text: str, place: tuple[str, int]) -> None:
    assert parse_server(text) == place


@pytest.mark.parametrize(
    "text", ["", "a.example", "192.0.2.1:0", "192.0.2.1:65536", "192.0.2.1:x", "[::1", "[::1]54", "1.2.3.4:²", "[]"]
)
def test_what_is_no_server(text: str) -> None:
    with pytest.raises(
        OptionsError, match=r"option 'dns_name_servers': .* is no name server; an IP address is expected"
    ):
        parse_server(text)


@given(st.text(max_size=30))
def test_any_text_is_a_server_or_an_error(text: str) -> None:
    try:
        host, port = parse_server(text)
    except OptionsError:
        return
    assert host
    assert 0 < port < 65536


def test_options_change_while_it_runs(files: Path) -> None:
    options = Options()
    options.update(dns_name_servers=["192.0.2.1"])
    known = Resolver(options)
    assert known.servers() == [("192.0.2.1", 53)]
    options.update(dns_name_servers=["192.0.2.2:54", "::1"])
    assert known.servers() == [("192.0.2.2", 54), ("::1", 53)]
    with pytest.raises(OptionsError):
        options.update(dns_name_servers=["nobody"])
    assert known.servers() == [("192.0.2.2", 54), ("::1", 53)]


def test_the_servers_of_the_system(files: Path) -> None:
    known = Resolver(Options())
    assert known.servers() == [("127.0.0.1", 53)]
    path = files / "resolv.conf"
    path.write_text(
        "# nameserver 192.0.2.9\n; nameserver 192.0.2.8\nsearch example\nnameserver 192.0.2.1 # first\n"
        "nameserver\nnameserver nobody\n\tnameserver\t2001:db8::1\nnameserver fe80::1%eth0\noptions timeout:1\n"
    )
    assert known.servers() == [("192.0.2.1", 53), ("2001:db8::1", 53), ("fe80::1%eth0", 53)]
    path.write_bytes(b"nameserver 192.0.2.3\n\xff\xfe\0\n")
    assert known.servers() == [("192.0.2.3", 53)]
    path.unlink()
    assert known.servers() == [("127.0.0.1", 53)]


def test_the_hosts_file(files: Path) -> None:
    options = Options()
    known = Resolver(options)
    assert known.look_up("a.example", 4) is None
    path = files / "hosts"
    path.write_text(
        "127.0.0.1\tlocalhost\n::1 localhost ip6-localhost # ours\n192.0.2.1 a.example A.Example. b\n"
        "192.0.2.2 a.example\n"
        "192.0.2.1 a.example\nfe80::1%lo0 local\nnonsense c.example\n192.0.2.3\n"
    )
    assert known.look_up("LOCALHOST", 4) == ["127.0.0.1"]
    assert known.look_up("localhost", 6) == ["::1"]
    assert known.look_up("a.example", 4) == ["192.0.2.1", "192.0.2.2"]
    assert known.look_up("a.example", 6) == []
    assert [known.look_up(name, 4) for name in ("c.example", "local", "ours", "#")] == [None] * 4
    options.update(dns_use_hosts_file=False)
    assert known.look_up("localhost", 4) is None


def test_files_are_read_again_when_they_have_changed(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = Resolver(Options())
    path = files / "hosts"
    path.write_text("192.0.2.1 a\n")
    assert known.look_up("a", 4) == ["192.0.2.1"]
    reads = []
    monkeypatch.setattr("builtins.open", lambda *arguments, **more: reads.append(arguments))
    assert known.look_up("a", 4) == ["192.0.2.1"]
    assert reads == []
    monkeypatch.undo()
    monkeypatch.setattr(resolver, "HOSTS", str(path))
    path.write_text("192.0.2.2 a\n")
    os.utime(path, ns=(1, 1))
    assert known.look_up("a", 4) == ["192.0.2.2"]
