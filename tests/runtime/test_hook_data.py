"""The arguments of events about connections."""

from __future__ import annotations

from tests.support.flows import client, server

from flowdump.runtime.hook_data import ClientHelloData, Context, ServerData, TlsData


def test_tls_data() -> None:
    context = Context(client(), server(transport_protocol="udp"))
    ours, theirs = TlsData(context.client, context), TlsData(context.server, context)
    assert (ours.is_client, ours.is_dtls, ours.ssl_conn) == (True, False, None)
    assert (theirs.is_client, theirs.is_dtls) == (False, True)


def test_what_may_be_set() -> None:
    data = ClientHelloData(Context(client(), server()), None)
    assert (data.ignore_connection, data.establish_server_tls_first) == (False, False)
    data.ignore_connection = True
    assert data.ignore_connection
    assert ServerData(server(), client())._fields == ("server", "client")
