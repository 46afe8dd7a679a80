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

__all__ = [
    "DummyFlow",
    "tclient_conn",
    "tdnsflow",
    "tdummyflow",
    "terr",
    "tflow",
    "tflows",
    "tserver_conn",
    "ttcpflow",
    "tudpflow",
    "twebsocket",
    "twebsocketflow",
]
