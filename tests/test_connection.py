"""The two ends of a flow: names, defaults, states, identity."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.states import CONNECTION
from tests.support.traffic import certificate

from flowdump.certs import Cert
from flowdump.connection import Client, Connection, ConnectionState, Server, hostport, new_id


def client(**facts: Any) -> Client:
    known = {"peername": ("127.0.0.1", 5000), "sockname": ("127.0.0.1", 8080), "timestamp_start": 1.0}
    return Client(**(known | facts))


def server(**facts: Any) -> Server:
    return Server(**({"address": ("example.com", 443)} | facts))


def facts_of(connection: Connection) -> dict[str, Any]:
    return {key: value for key, value in connection.get_state().items() if key != "id"}


# -- facts -------------------------------------------------------------------------------------------------------


def test_a_new_client() -> None:
    c = client()
    known = {"peername": ("127.0.0.1", 5000), "sockname": ("127.0.0.1", 8080), "timestamp_start": 1.0}
    assert facts_of(c) == CONNECTION | known | {"mitmcert": None, "proxy_mode": "regular"}
    assert Client(peername=("a", 1), sockname=("b", 2)).timestamp_start > 1_700_000_000
    assert (Client().peername, Client().sockname) == (("", 0), ("", 0))


def test_a_new_server() -> None:
    extra = {"address": ("example.com", 443), "timestamp_tcp_setup": None, "via": None}
    assert facts_of(server()) == CONNECTION | extra
    assert Server().address is None


@pytest.mark.parametrize("kind", [Client, Server])
def test_what_is_not_in_a_state(kind: Any) -> None:
    connection = kind(state=ConnectionState.OPEN)
    assert connection.connected
    assert not kind().connected
    assert "state" not in connection.get_state()
    assert kind.from_state(connection.get_state()).state is ConnectionState.CLOSED
    connection.state = ConnectionState.CAN_READ
    assert not connection.connected


def test_lists_are_not_shared() -> None:
    one, other = client(), client()
    one.alpn_offers.append(b"h2")
    one.certificate_list.append(Cert(b""))
    assert (other.alpn_offers, other.certificate_list) == ([], [])
    assert one.cipher_list is not other.cipher_list


@pytest.mark.parametrize("kind", [Client, Server])
def test_unknown_facts(kind: Any) -> None:
    with pytest.raises(TypeError, match=f"{kind.__name__} has no adress, tsl"):
        kind(tsl=True, adress=1)


def test_any_attribute_may_be_set() -> None:
    s: Any = server()
    s.mine = 1
    assert s.mine == 1
    assert "mine" not in s.get_state()


def test_tls_established_is_when_the_handshake_ended() -> None:
    assert not server(tls=True).tls_established
    assert server(timestamp_tls_setup=1.0).tls_established
    assert not server(timestamp_tls_setup=1.0).tls


def test_the_address_of_a_client_is_its_peername() -> None:
    with pytest.warns(DeprecationWarning, match="peername"):
        assert client().address == ("127.0.0.1", 5000)


# -- state -------------------------------------------------------------------------------------------------------

PEM = certificate("leaf.example")


def full_state(kind: type[Connection]) -> dict[str, Any]:
    both = {
        "peername": ["::1", 1, 0, 0],
        "sockname": ["127.0.0.1", 8080],
        "id": "an-id",
        "transport_protocol": "udp",
        "error": "lost",
        "tls": True,
        "certificate_list": [PEM],
        "alpn": b"h2",
        "alpn_offers": [b"h2", b"http/1.1"],
        "cipher": "TLS_AES_256_GCM_SHA384",
        "cipher_list": ["TLS_AES_256_GCM_SHA384"],
        "tls_version": "TLSv1.3",
        "sni": "leaf.example",
        "timestamp_start": 1.0,
        "timestamp_end": 4.0,
        "timestamp_tls_setup": 3.0,
    }
    if kind is Client:
        return both | {"mitmcert": PEM, "proxy_mode": "upstream:http://proxy:3128"}
    return both | {"address": ["leaf.example", 443], "timestamp_tcp_setup": 2.0, "via": ["http", ["proxy", 3128]]}


@pytest.mark.parametrize("kind", [Client, Server])
def test_a_full_state_comes_back(kind: Any) -> None:
    state = full_state(kind)
    connection = kind.from_state(state)
    again = connection.get_state()
    assert list(again) == list(state)
    assert _listed(again) == state
    assert connection.peername == ("::1", 1, 0, 0)
    assert [type(cert) for cert in connection.certificate_list] == [Cert]
    assert connection.certificate_list[0].altnames[0] == "leaf.example"
    assert connection.tls_established


def _listed(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_listed(item) for item in value]
    return {key: _listed(item) for key, item in value.items()} if isinstance(value, dict) else value


def test_addresses_are_tuples() -> None:
    s = Server.from_state(full_state(Server))
    assert (s.address, s.via) == (("leaf.example", 443), ("http", ("proxy", 3128)))
    c = Client.from_state(full_state(Client))
    assert (c.sockname, c.mitmcert) == (("127.0.0.1", 8080), Cert(PEM))


@pytest.mark.parametrize("kind", [Client, Server])
def test_a_state_shares_no_list_with_the_connection(kind: Any) -> None:
    state = full_state(kind)
    connection = kind.from_state(state)
    connection.alpn_offers.append(b"more")
    connection.cipher_list.clear()
    assert state == full_state(kind)


def test_a_part_of_a_state_leaves_the_rest() -> None:
    c = Client.from_state(full_state(Client))
    c.set_state({"sni": "other", "peername": ["a", 1]})
    assert (c.sni, c.peername) == ("other", ("a", 1))
    assert (len(c.certificate_list), c.mitmcert, c.alpn_offers) == (1, Cert(PEM), [b"h2", b"http/1.1"])


# -- identity ----------------------------------------------------------------------------------------------------


def test_equal_when_the_ids_are() -> None:
    s = server()
    twin = Server.from_state(s.get_state())
    assert s == twin
    assert hash(s) == hash(twin)
    assert {s: 1}[twin] == 1
    assert s != server()
    assert s != s.id


def test_a_copy_is_another_connection() -> None:
    s = server(sni="a")
    twin = s.copy()
    assert type(twin) is Server
    assert twin != s
    assert facts_of(twin) == facts_of(s)
    twin.address = ("other", 1)
    assert s.address == ("example.com", 443)


def test_ids_are_random_uuids() -> None:
    import uuid

    ids = [new_id() for _ in range(50)]
    assert len(set(ids)) == 50
    for text in ids:
        parsed = uuid.UUID(text)
        assert (str(parsed), parsed.version, parsed.variant) == (text, 4, uuid.RFC_4122)


# -- for people --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "text"), [(("a.b", 80), "a.b:80"), (("::1", 80), "[::1]:80"), (("::1", 80, 0, 0), "[::1]:80")]
)
def test_hostport(address: Any, text: str) -> None:
    assert hostport(address) == text


def test_repr_tells_a_story() -> None:
    assert repr(client()) == "Client(127.0.0.1:5000, state=closed)"
    assert (
        repr(server(state=ConnectionState.OPEN, tls=True, alpn=b"h2"))
        == "Server(example.com:443, state=open, tls, alpn=h2)"
    )
    assert repr(server(tls=True, tls_version="TLSv1.3")) == "Server(example.com:443, state=closed, TLSv1.3)"
    assert repr(Server()) == "Server(<no address>, state=closed)"
