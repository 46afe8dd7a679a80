"""The arguments of TLS events as test suites construct them."""

from __future__ import annotations

from importlib import import_module

import pytest

from flowdump.test import tflow

pytestmark = pytest.mark.usefixtures("installed")


def test_client_hello_and_context_are_constructed_like_mitmproxy_s() -> None:
    tls, context = import_module("mitmproxy.tls"), import_module("mitmproxy.proxy.context")
    name = b"\x00\x00\x00\x0e\x00\x0c\x00\x00\x09localhost"
    extensions = len(name).to_bytes(2, "big") + name[:2] + (len(name) - 4).to_bytes(2, "big") + name[4:]
    hello = tls.ClientHello(b"\x03\x03" + bytes(32) + b"\x00\x00\x02\x13\x01\x01\x00" + extensions)
    assert isinstance(hello, tls.ClientHello)
    assert (hello.sni, hello.cipher_suites) == ("localhost", [0x1301])
    around = context.Context(tflow.tclient_conn(), import_module("mitmproxy.options").Options())
    assert isinstance(around, context.Context)
    data = tls.ClientHelloData(around, hello)
    data.context.server.address = ("localhost", 443)
    assert (data.client_hello, data.context, data.ignore_connection) == (hello, around, False)
    assert tls.TlsData(around.client, around).is_client
    for wrong in (b"", b"\x03\x03"):
        with pytest.raises(ValueError, match="ClientHello"):
            tls.ClientHello(wrong)
    with pytest.raises(ValueError, match="ClientHello"):
        tls.ClientHello(hello.message, dtls=True)
