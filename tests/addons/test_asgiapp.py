"""Web applications inside the proxy, over saved flows and live."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from tests.support.live import running

from flowdump.addons.asgiapp import ASGIApp, WSGIApp, environ_of, scope_of
from flowdump.flow import Error
from flowdump.http import Response
from flowdump.test import taddons, tflow, tutils


def asked(path: str = "/a%20b?x=1#f", method: str = "POST", host: str = "app.local", port: int = 80) -> Any:
    flow = tflow.tflow(req=tutils.treq(host=host, port=port, path=path.encode(), method=method.encode()))
    flow.request.headers["Host"] = host
    flow.request.headers["Content-Type"] = "text/plain"
    return flow


async def echo(scope: dict[str, Any], receive: Any, send: Any) -> None:
    first, second = await receive(), await receive()
    assert second == {"type": "http.disconnect"}
    text = f"{scope['method']} {scope['path']} {scope['query_string'].decode()} {first['body'].decode()}"
    await send({"type": "http.response.start", "status": 202, "headers": [(b"x-mine", b"1")]})
    await send({"type": "http.response.body", "body": text.encode(), "more_body": True})
    await send({"type": "http.response.body", "body": b"!"})


def wsgi(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    write = start_response("202 Fine", [("X-Mine", "1")])
    write(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']} {environ['QUERY_STRING']} ".encode())
    return iter([environ["wsgi.input"].read(), b"!"])


def served(app: Any, flow: Any) -> Any:
    async def serve() -> None:
        with taddons.context(app):
            await app.request(flow)

    asyncio.run(serve())
    return flow.response


@pytest.mark.parametrize(
    "app", [ASGIApp(echo, "app.local", 80), WSGIApp(wsgi, "app.local", None)], ids=["asgi", "wsgi"]
)
def test_an_application_answers(app: Any) -> None:
    answer = served(app, asked())
    assert (answer.status_code, answer.content, answer.headers["x-mine"]) == (202, b"POST /a b x=1 content!", "1")
    assert answer.headers["content-length"] == str(len(answer.content))
    assert answer.reason in ("Accepted", "Fine")


@pytest.mark.parametrize("other", [{"host": "other.local"}, {"port": 81}])
def test_other_hosts_and_ports_are_not_its_business(other: dict[str, Any]) -> None:
    assert served(ASGIApp(echo, "app.local", 80), asked(**other)) is None


def test_what_is_answered_or_failed_already_is_left_alone() -> None:
    flow = asked()
    flow.response = answer = Response.make(204)
    assert served(ASGIApp(echo, "app.local", 80), flow) is answer
    failed = asked()
    failed.error = Error("gone")
    assert served(ASGIApp(echo, "app.local", 80), failed) is None


async def failing(scope: Any, receive: Any, send: Any) -> None:
    raise KeyError("why")


async def silent(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.trailers"})


@pytest.mark.parametrize(("app", "error"), [(failing, KeyError), (silent, RuntimeError)])
def test_an_error_of_the_application_is_a_500(app: Any, error: type[Exception]) -> None:
    flow = asked()
    with pytest.raises(error):
        served(ASGIApp(app, "app.local", 80), flow)
    assert flow.response.status_code == 500


def test_a_wsgi_result_is_closed() -> None:
    closed: list[bool] = []

    class Result(list[bytes]):
        def close(self) -> None:
            closed.append(True)

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [("Transfer-Encoding", "chunked")])
        return Result([b"x"])

    answer = served(WSGIApp(app, "app.local", 80), asked())
    assert closed == [True]
    assert "content-length" not in answer.headers


def test_what_an_application_is_told() -> None:
    flow = asked("/%C3%BC?a=b")
    flow.request.headers["Proxy"] = "evil"
    flow.request.headers["X-A"] = "1"
    scope, environ = scope_of(flow), environ_of(flow)
    assert (scope["path"], scope["raw_path"], scope["http_version"]) == ("/ü", b"/%C3%BC", "1.1")
    assert (b"x-a", b"1") in scope["headers"]
    assert environ["PATH_INFO"].encode("latin-1").decode() == "/ü"
    assert (environ["HTTP_X_A"], environ["CONTENT_TYPE"], environ["SERVER_PORT"]) == ("1", "text/plain", "80")
    assert not {"HTTP_PROXY", "HTTP_CONTENT_TYPE"} & environ.keys()


def test_names() -> None:
    assert ASGIApp(echo, "a", 80).name == "asgiapp:a:80"


async def test_live() -> None:
    async with running(ASGIApp(echo, "app.local", 80), WSGIApp(wsgi, "wsgi.local", 80)) as proxy:
        proxy.master.find_loop()
        for host in ("app.local", "wsgi.local"):
            head = f"GET http://{host}/p HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
            reply = await proxy.send(head.encode())
            assert reply.startswith(b"HTTP/1.1 202 ")
            assert reply.endswith(b"GET /p  !")
