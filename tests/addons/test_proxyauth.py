"""``proxyauth``: who is let in, how others are asked, and what becomes of the credentials."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path
from typing import Any

import pytest
from tests.support.asynchronous import run
from tests.support.live import origin, running

from flowdump import ctx
from flowdump.addons import proxyauth
from flowdump.addons.proxyauth import ProxyAuth, judge, parse_basic
from flowdump.exceptions import OptionsError
from flowdump.http import HTTPFlow
from flowdump.options import Options

#: ldap3 uses names of pyasn1 that are going to change.
pytestmark = pytest.mark.filterwarnings("ignore:(tagMap|typeMap) is deprecated:DeprecationWarning")

#: "password" as ``htpasswd`` writes it with -B, -m and -s.
HASHES = {
    "bcrypt": "$2y$04$W0fyTsBnYfZmbdzq2puJyeDga5UKUvamYVJDMBLixULMahHLaXc/O",
    "apr1": "$apr1$abcdefgh$FBwExRW4dCc8aL.OvjpIE1",
    "sha": "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=",
}


def basic(pair: str) -> str:
    return "Basic " + base64.b64encode(pair.encode()).decode()


def get(port: int, *headers: str) -> bytes:
    lines = [f"GET http://127.0.0.1:{port}/ HTTP/1.1", "Host: a", "Connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode()


@pytest.mark.parametrize("credentials", ["", "Basic", "Basic !!!", basic("user:wrong"), basic("user"), "Bearer x"])
async def test_strangers_are_asked(credentials: str) -> None:
    async with origin() as server, running(ProxyAuth(), proxyauth="user:pass") as proxy:
        headers = [f"Proxy-Authorization: {credentials}"] if credentials else []
        reply = await proxy.send(get(server.port, *headers))
        assert reply.startswith(b"HTTP/1.1 407 ")
        assert b'Proxy-Authenticate: Basic realm="flowdump"\r\n' in reply
        assert server.received == b""
        reply = await proxy.send(b"CONNECT 127.0.0.1:%d HTTP/1.0\r\n\r\n" % server.port)
        assert reply.startswith(b"HTTP/1.1 407 ")
        assert server.received == b""


async def test_friends_come_in_and_their_credentials_stay() -> None:
    async with origin(close=True) as server, running(ProxyAuth(), proxyauth="user:pass") as proxy:
        reply = await proxy.send(get(server.port, f"proxy-authorization: {basic('user:pass')}"))
        assert reply.endswith(b"hi")
        assert b"authorization" not in server.received.lower()
        assert proxy.flow.metadata["proxyauth"] == ("user", "pass")
        assert "proxy-authorization" not in proxy.flow.request.headers


async def test_a_tunnel_is_asked_once() -> None:
    async with origin() as server, running(ProxyAuth(), proxyauth="user:pass") as proxy:
        knock = f"CONNECT 127.0.0.1:{server.port} HTTP/1.1\r\nProxy-Authorization: {basic('user:pass')}\r\n\r\n"
        inside = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
        reply = await proxy.send(knock.encode() + inside + inside)
        assert reply.count(b"HTTP/1.1 200 ") == 3
        assert [flow.metadata["proxyauth"] for flow in proxy.flows] == [("user", "pass")] * 2


async def test_reverse_mode_asks_as_a_server_does() -> None:
    async with (
        origin() as server,
        running(ProxyAuth(), mode=[f"reverse:http://127.0.0.1:{server.port}"], proxyauth="user:pass") as proxy,
    ):
        request = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{}\r\n"
        reply = await proxy.send(request.format("").encode())
        assert reply.startswith(b"HTTP/1.1 401 ")
        assert b"WWW-Authenticate: Basic" in reply
        reply = await proxy.send(request.format(f"Authorization: {basic('user:pass')}\r\n").encode())
        assert reply.endswith(b"hi")
        assert b"authorization" not in server.received.lower()


async def test_any_notes_who_it_was() -> None:
    async with origin(close=True) as server, running(ProxyAuth(), proxyauth="any") as proxy:
        assert (await proxy.send(get(server.port))).startswith(b"HTTP/1.1 407 ")
        await proxy.send(get(server.port, f"Proxy-Authorization: {basic('ann:x:y')}"))
        assert proxy.flows[-1].metadata["proxyauth"] == ("ann", "x:y")


def test_no_script_lets_a_stranger_in() -> None:
    class Lenient:
        def requestheaders(self, flow: HTTPFlow) -> None:
            from flowdump.exceptions import AddonHalt

            raise AddonHalt

    from flowdump.runtime.addons import Addons
    from flowdump.runtime.log import EventLog

    options = Options()
    options.update(proxyauth="a:b")
    addons, guard = Addons(options), ProxyAuth()
    addons.script_addons, addons.builtins = [Lenient()], [guard]
    addons.rebuild()
    assert EventLog
    assert addons.table.requestheaders[0] == guard.requestheaders


# -- judges -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def users(tmp_path: Path) -> Path:
    path = tmp_path / "htpasswd"
    path.write_text("".join(f"{name}:{hashed}\n" for name, hashed in HASHES.items()) + "open:password\n")
    return path


@pytest.mark.parametrize("name", HASHES)
def test_htpasswd(users: Path, name: str) -> None:
    judging = judge(f"@{users}")
    assert judging.knows(name, "password")
    assert not judging.knows(name, "Password")
    assert not judging.knows("nobody", "password")


def test_htpasswd_holds_no_plain_passwords(users: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(ctx, "log", type("Log", (), {"warn": staticmethod(told.append)}), raising=False)
    assert not judge(f"@{users}").knows("open", "password")
    assert not judge(f"@{users}").knows("o:pen", "password")
    assert told == [f"proxyauth: {users}: the entry of 'open' is plain text, or of an unknown form"]


def test_htpasswd_is_read_again(users: Path) -> None:
    import os

    judging = judge(f"@{users}")
    users.write_text(f"new:{HASHES['sha']}\n")
    os.utime(users, (1, 1))
    assert judging.knows("new", "password")
    assert not judging.knows("sha", "password")


def test_slow_judges_are_asked_once_and_in_a_thread(users: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    real = proxyauth.Htpasswd.knows

    def knows(self: Any, user: str, password: str) -> bool:
        asked.append(user)
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()
        return real(self, user, password)

    monkeypatch.setattr(proxyauth.Htpasswd, "knows", knows)

    async def scenario() -> None:
        async with origin(close=True) as server, running(ProxyAuth(), proxyauth=f"@{users}") as proxy:
            for pair, status in (
                ("bcrypt:password", 200),
                ("bcrypt:password", 200),
                ("bcrypt:x", 407),
                ("bcrypt:x", 407),
            ):
                reply = await proxy.send(get(server.port, f"Proxy-Authorization: {basic(pair)}"))
                assert reply.startswith(b"HTTP/1.1 %d " % status)

    run(scenario())
    assert asked == ["bcrypt"] * 3


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("nocolon", "USER:PASSWORD, any, @HTPASSWD-FILE, or ldap"),
        ("@", "the path of an htpasswd file is expected after the @"),
        ("@/nowhere/at/all", "cannot read '/nowhere/at/all': No such file"),
        ("ldap:host", "ldap\\[s\\]:HOST"),
        ("ldap::dn:password:subtree", "ldap\\[s\\]:HOST"),
    ],
)
def test_specifications_that_say_nothing(spec: str, message: str) -> None:
    with pytest.raises(OptionsError, match=message):
        judge(spec)


DIRECTORY = {
    "cn=admin,dc=x": {"userPassword": "secret", "cn": "admin", "objectClass": "person"},
    "cn=ann,ou=people,dc=x": {"userPassword": "pw", "cn": "ann", "uid": "a1", "objectClass": "person"},
    "cn=bob,ou=people,dc=x": {"userPassword": "pw2", "cn": "bob", "uid": "b1", "objectClass": "person"},
}


@pytest.fixture
def directory(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """LDAP in memory; the filters that were searched for."""
    import ldap3

    searched: list[str] = []

    class Connection(ldap3.Connection):  # type: ignore[misc]
        def __init__(self, server: Any, user: str, password: str, **options: Any) -> None:
            super().__init__(server, user, password, client_strategy=ldap3.MOCK_SYNC)
            for dn, entry in DIRECTORY.items():
                self.strategy.add_entry(dn, dict(entry))
            if not self.bind():
                from ldap3.core.exceptions import LDAPBindError

                raise LDAPBindError("invalid credentials")

        def search(self, base: str, text: str, *rest: Any, **options: Any) -> Any:
            searched.append(text)
            return super().search(base, text, *rest, **options)

    monkeypatch.setattr(ldap3, "Connection", Connection)
    return searched


@pytest.mark.parametrize(
    ("user", "password", "good"),
    [("ann", "pw", True), ("ann", "pw2", False), ("ann", "", False), ("eve", "pw", False), ("", "pw", False)],
)
def test_ldap(directory: list[str], user: str, password: str, good: bool) -> None:
    assert judge("ldap:localhost:cn=admin,dc=x:secret:ou=people,dc=x").knows(user, password) is good


@pytest.mark.parametrize(
    ("user", "escaped"), [("*", "(cn=\\2a)"), (")(cn=*", "(cn=\\29\\28cn=\\2a)"), ("a\\b\0", "(cn=a\\5cb\\00)")]
)
def test_ldap_filters_are_escaped(directory: list[str], user: str, escaped: str) -> None:
    assert not judge("ldaps:localhost:636:cn=admin,dc=x:secret:ou=people,dc=x").knows(user, "pw")
    assert directory == [escaped]


def test_ldap_by_another_key(directory: list[str]) -> None:
    judging = judge("ldap:localhost:cn=admin,dc=x:secret:ou=people,dc=x?search_filter_key=uid")
    assert judging.knows("a1", "pw")
    assert not judging.knows("ann", "pw")


def test_basic() -> None:
    assert parse_basic(basic("a:b:c")) == ("a", "b:c")
    assert parse_basic(basic(":")) == ("", "")
    assert parse_basic("bAsIc " + base64.b64encode("é:ü".encode()).decode()) == ("é", "ü")
    for bad in ("", "Basic", "Basic a", "Basic YQ==", "Digest YTpi", "Basic YTpi!", "Basic \xe9"):
        assert parse_basic(bad) is None
