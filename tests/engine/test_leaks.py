"""What a connection took is free when it ends, and not when the collector comes to it.

Python's collector counts objects. A TLS object is one of them, whatever it holds: connections that wait for the
collector are tens of megabytes that nobody sees.
"""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest
from tests.support.http1 import OK
from tests.support.interception import Authorities, visit
from tests.support.live import Running, origin, running, until


class Watch:
    """Knows the sessions, and what belongs to them, without keeping them."""

    def __init__(self) -> None:
        self.proxy: Running
        self.known: list[weakref.ref[Any]] = []

    def response(self, flow: Any) -> None:
        (session,) = self.proxy.proxy.sessions.values()
        parts = [session, session.upstreams, *self.proxy.proxy.streams, flow]
        parts += [stream.codec for stream in self.proxy.proxy.streams if stream.codec is not None]
        self.known += map(weakref.ref, parts)


@pytest.mark.parametrize("tls", [True, False], ids=["https", "http"])
async def test_sessions_do_not_wait_for_the_collector(pki: Authorities, tls: bool) -> None:
    watch = Watch()

    async def request(proxy: Running, port: int) -> None:
        if tls:
            assert (await visit(proxy, port)).reply.endswith(b"hi")
        else:
            assert (await proxy.send(b"GET http://127.0.0.1:%d/ HTTP/1.1\r\nHost: a\r\n\r\n" % port)).endswith(b"hi")

    context = pki.serve("example.com") if tls else None
    async with origin(OK, ssl=context) as server, running(watch, **pki.trust) as proxy:
        watch.proxy = proxy
        await request(proxy, server.port)  # what is made once is made now
        watch.known.clear()
        gc.collect()
        gc.disable()
        try:
            for _ in range(3):
                await request(proxy, server.port)
                await until(lambda: not proxy.proxy.streams and not proxy.proxy.sessions)
            proxy.flows.clear()
            assert len(watch.known) == (3 * 7 if tls else 3 * 5)
            assert [one for one in (reference() for reference in watch.known) if one is not None] == []
        finally:
            gc.enable()
