"""``mitmproxy.test.tflow``: flows for tests."""

from flowdump.test.tflow import (
    DummyFlow,
    tclient_conn,
    tdnsflow,
    tdummyflow,
    terr,
    tflow,
    tflows,
    tserver_conn,
    ttcpflow,
    tudpflow,
    twebsocket,
    twebsocketflow,
)
from flowdump.test.tutils import tdnsreq, tdnsresp, treq, tresp

__all__ = [
    "DummyFlow",
    "tclient_conn",
    "tdnsflow",
    "tdnsreq",
    "tdnsresp",
    "tdummyflow",
    "terr",
    "tflow",
    "tflows",
    "treq",
    "tresp",
    "tserver_conn",
    "ttcpflow",
    "tudpflow",
    "twebsocket",
    "twebsocketflow",
]
