"""HAR between flowdump and a real mitmproxy, and the recorded HARs of browsers and tools.

Facts that must survive are the method, the URL, the status and the decoded bodies. Where HAR 1.2 or a browser's habit
is better than what mitmproxy does, flowdump does that, so the rest differs on purpose: a WebSocket has a ``ws:`` URL, a
failed request has no response.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import brotli
import pytest
import zstandard
from tests.support.mitmproxy import Mitmproxy, Read
from tests.support.notation import restored
from tests.support.states import HTML, T0, State, dns_state, http_state, mixtures, tcp_state, variants, websocket_state
from tests.support.traffic import states

from flowdump.flow import Flow
from flowdump.formats import open_flows
from flowdump.formats.flowfile import tnetstring
from flowdump.formats.har.write import HarWriter
from flowdump.http import content_coding

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
RECORDED = sorted(str(file.relative_to(DATA)) for file in DATA.glob("har_files/*.har"))
EXPORTED = sorted(str(file.relative_to(DATA)) for file in DATA.glob("flows/*.har"))

Flowdump = Callable[..., str]


class Facts(NamedTuple):
    """What must survive a HAR. ``status`` is 0 where there is no response, ``sent`` and ``body`` are decoded."""

    method: str
    url: str
    status: int
    sent: bytes
    body: bytes


def url_of(scheme: str, host: str, port: int, path: str) -> str:
    scheme = {"ws": "http", "wss": "https"}.get(scheme, scheme)
    usual = (scheme, port) in (("http", 80), ("https", 443))
    return f"{scheme}://{host}{'' if usual else f':{port}'}{path}"


def facts(flow: Any) -> Facts:
    """The facts of a flow of ours."""
    request, response = flow.request, flow.response
    return Facts(
        request.method.upper(),
        url_of(request.scheme, request.host, request.port, request.path),
        response.status_code if response else 0,
        request.get_content(strict=False) or b"",
        (response.get_content(strict=False) or b"") if response else b"",
    )


def plain(value: dict[str, str] | None) -> bytes:
    return restored(value) or b""


def facts_of_state(state: dict[str, Any]) -> Facts:
    """The facts of a state in notation."""
    request, response = state["request"], state["response"]
    scheme, path = (plain(request[key]).decode() for key in ("scheme", "path"))
    return Facts(
        plain(request["method"]).decode(),
        url_of(scheme, request["host"], request["port"], path),
        response["status_code"] if response else 0,
        decoded(request),
        decoded(response) if response else b"",
    )


def decoded(message: dict[str, Any]) -> bytes:
    """A body without its coding, of which mitmproxy 11 keeps the header when it imports a HAR, and 12 does not."""
    headers = {plain(name).lower(): plain(value).decode() for name, value in message["headers"]}
    coding = headers.get(b"content-encoding")
    body = plain(message["content"])
    return content_coding.decode(body, coding) if coding and body else body


def flows_of(path: Path) -> list[Any]:
    return [flow for flow in open_flows(str(path)) if flow.type == "http"]


def entries_of(path: Path) -> list[dict[str, Any]]:
    document = json.loads(path.read_bytes().decode("utf-8-sig"))
    found: list[dict[str, Any]] = document["log"]["entries"]
    return found


# flows of our own


def exchange(name: str, *, request: State | None = None, response: State | None = None, **facts: Any) -> State:
    flow = http_state()
    flow["id"] = name
    flow["request"] |= request or {}
    flow["response"] |= response or {}
    return flow | facts


def coded(coding: bytes, content: bytes) -> State:
    return {
        "headers": [[b"Content-Type", b"text/html; charset=utf-8"], [b"Content-Encoding", coding]],
        "content": content,
    }


def posted(kind: bytes, content: bytes) -> State:
    return {"method": b"POST", "content": content, "headers": [[b"Host", b"example.com"], [b"Content-Type", kind]]}


def typed(kind: bytes, content: bytes) -> State:
    return {"headers": [[b"Content-Type", kind]], "content": content}


SAMPLES = [
    http_state(),
    exchange("gzip", response=coded(b"gzip", gzip.compress(HTML))),
    exchange("br", response=coded(b"br", brotli.compress(HTML))),
    exchange("zstd", response=coded(b"zstd", zstandard.compress(HTML))),
    exchange("latin-1", response=typed(b"text/plain; charset=iso-8859-1", b"gr\xfc\xdfe")),
    exchange("utf-16", response=typed(b"text/plain; charset=utf-16le", "grüße".encode("utf-16-le"))),
    exchange("json", response=typed(b"application/json", '{"a": "ü\u2028\U0001f9ff"}'.encode())),
    exchange("binary", response=typed(b"image/png", b"\x89PNG\r\n\x1a\n" + bytes(range(256)))),
    exchange("form", request=posted(b"application/x-www-form-urlencoded", b"a=1&b=%C3%BC+x&a=2&c")),
    exchange("text", request=posted(b"text/plain; charset=utf-8", "grüße".encode())),
    exchange(
        "redirect", response={"status_code": 302, "reason": b"Found", "headers": [[b"Location", b"/x"]], "content": b""}
    ),
    exchange("not modified", response={"status_code": 304, "content": b"", "headers": [[b"Content-Length", b"99"]]}),
    exchange("head", request={"method": b"HEAD"}, response={"content": b""}),
    exchange("own status", response={"status_code": 599, "reason": b""}),
    exchange("query", request={"path": b"/p?a=1&b=%20x&c&d=%C3%BC;e=~"}),
    exchange("port", request={"port": 8081, "headers": [[b"Host", b"example.com:8081"]]}),
    exchange("https", request={"scheme": b"https", "port": 443}),
    exchange("cookies", request={"headers": [[b"Host", b"example.com"], [b"Cookie", b'a=1; b="2;3"; c']]}),
    exchange(
        "set-cookie", response={"headers": [[b"Set-Cookie", b"a=1; Path=/; Expires=Thu, 01 Jan 2026 00:00:00 GMT"]]}
    ),
    exchange("http2", request={"http_version": b"HTTP/2.0", "authority": b"example.com", "headers": []}),
    exchange("not stored", response={"content": None}),
    exchange("odd headers", response={"headers": [[b"X-\xff", b"\xfe"], [b"x-utf-8", "ü".encode()]]}),
    exchange("late", error={"msg": "lost", "timestamp": T0}),
    exchange("failed", error={"msg": "refused", "timestamp": T0}, response={"content": b""}) | {"response": None},
    websocket_state(),
]


class Exported(NamedTuple):
    """The samples, and the HARs that either program made of them."""

    flows: list[Any]
    ours: Path
    theirs: Path
    confdir: Path


@pytest.fixture(scope="module")
def exported(mitmproxy: Mitmproxy, flowdump: Flowdump, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    folder = tmp_path_factory.mktemp("har")
    source, ours, theirs = (folder / name for name in ("in.mitm", "ours.har", "theirs.har"))
    samples = [*SAMPLES, *states(50)]
    source.write_bytes(b"".join(map(tnetstring.dumps, [tcp_state(), *samples, dns_state()])))
    flowdump("-q", "-r", source, "--set", f"hardump={ours}")
    mitmproxy.mitmdump("-q", "-r", source, "--set", f"hardump={theirs}", confdir=folder)
    return Exported(flows_of(source), ours, theirs, folder)


def once(found: list[Facts]) -> list[Facts]:
    """Facts without repetition: mitmproxy exports a flow with a response and an error twice."""
    return list(dict.fromkeys(found))


def test_flowdump_reads_what_mitmproxy_exported(exported: Exported) -> None:
    expected = [facts(flow) for flow in exported.flows]
    assert len(expected) == len(SAMPLES) + 50
    # mitmproxy's bodies of requests are text, and so far as they are text they come back.
    assert once([facts(flow) for flow in flows_of(exported.theirs)]) == once(expected)


def test_mitmproxy_reads_what_flowdump_exported(exported: Exported, mitmproxy: Mitmproxy, tmp_path: Path) -> None:
    back = tmp_path / "back.mitm"
    mitmproxy.mitmdump("-q", "-r", exported.ours, "-w", back, confdir=exported.confdir)
    found = [facts_of_state(state) for state in mitmproxy.read([back])[back].flows]
    assert found == [facts(flow) for flow in exported.flows]


def test_each_flow_is_exported_once_and_in_order(exported: Exported) -> None:
    entries = entries_of(exported.ours)
    assert [entry["request"]["url"].replace("ws://", "http://") for entry in entries] == [
        facts(flow).url for flow in exported.flows
    ]


def test_a_har_of_ours_comes_back(exported: Exported, flowdump: Flowdump, tmp_path: Path) -> None:
    native, again = tmp_path / "native.mitm", tmp_path / "again.har"
    flowdump("-q", "-r", exported.ours, "-w", native, "--set", f"hardump={again}")
    assert [facts(flow) for flow in flows_of(native)] == [facts(flow) for flow in exported.flows]
    assert [flow.websocket is not None for flow in flows_of(native)] == [
        flow.websocket is not None for flow in exported.flows
    ]
    assert [entry["request"]["url"] for entry in entries_of(again)] == [
        entry["request"]["url"] for entry in entries_of(exported.ours)
    ]


def test_websocket_messages_come_from_either(exported: Exported) -> None:
    wanted = exported.flows[len(SAMPLES) - 1].websocket.messages
    for path in (exported.ours, exported.theirs):
        (flow,) = [flow for flow in flows_of(path) if flow.websocket is not None]
        found = [(message.type, message.from_client, message.content) for message in flow.websocket.messages]
        assert found == [(message.type, message.from_client, message.content) for message in wanted]


def exportable(state: State) -> bool:
    """mitmproxy cannot import an entry whose URL has no scheme, or whose body has a coding it does not know."""
    if state["type"] != "http" or not state["request"]["scheme"]:
        return False
    headers = state["response"]["headers"] if state["response"] else []
    return [b"Content-Encoding", b"unheard-of"] not in headers


def test_mitmproxy_reads_the_har_of_any_flow(mitmproxy: Mitmproxy, tmp_path: Path) -> None:
    paths = {}
    for number, (name, state) in enumerate([*variants(), *mixtures(200)]):
        if exportable(state):
            paths[tmp_path / f"{number}.har"] = name
            with (tmp_path / f"{number}.har").open("wb") as file:
                writer = HarWriter(file)
                writer.add(Flow.from_state(state))
                writer.close()
    read = mitmproxy.read(list(paths))
    wrong = {paths[path]: result.error for path, result in read.items() if result.error or len(result.flows) != 1}
    assert len(paths) > 400
    assert wrong == {}


# recorded HARs


class Recorded(NamedTuple):
    """A recorded HAR, the flows that flowdump makes of it, and how mitmproxy reads what flowdump wrote of them."""

    entries: list[dict[str, Any]]
    flows: list[Any]
    after: Read


@pytest.fixture(scope="module")
def recorded(
    mitmproxy: Mitmproxy, flowdump: Flowdump, shared_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Recorded]:
    folder = tmp_path_factory.mktemp("recorded")
    names = [*RECORDED, *EXPORTED]
    written = {name: folder / f"{name.replace('/', '__')}.mitm" for name in names}
    for name in names:
        flowdump("-q", "-r", shared_data / name, "-w", written[name])
    read = mitmproxy.read(list(written.values()))
    return {
        name: Recorded(entries_of(shared_data / name), flows_of(target), read[target])
        for name, target in written.items()
    }


def imported_by_mitmproxy(name: str) -> Iterator[dict[str, Any]]:
    for row in json.loads((DATA / "expected" / f"{name.replace('/', '__')}.json").read_text()):
        yield row["state"]


@pytest.mark.parametrize("name", [*RECORDED, *EXPORTED])
def test_recorded_hars_give_the_same_facts(recorded: dict[str, Recorded], name: str) -> None:
    expected = [facts_of_state(state) for state in imported_by_mitmproxy(name)]
    assert [facts(flow) for flow in recorded[name].flows] == expected


@pytest.mark.parametrize("name", [*RECORDED, *EXPORTED])
def test_mitmproxy_reads_flows_that_came_from_a_har(recorded: dict[str, Recorded], name: str) -> None:
    read = recorded[name].after
    assert read.error is None
    assert len(read.flows) == len(recorded[name].entries)


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_hars_match_their_json(recorded: dict[str, Recorded], shared_data: Path, name: str) -> None:
    """The view of the same HARs in mitmproxy's web interface: lengths and hashes of bodies."""
    views = json.loads((shared_data / name).with_suffix(".json").read_text())
    for flow, view in zip(recorded[name].flows, views, strict=True):
        request, response = view["request"], view["response"]
        url = url_of(request["scheme"], request["host"], request["port"], request["path"])
        seen = facts(flow)
        assert seen[:3] == (request["method"], url, response["status_code"])
        for body, message in ((seen.sent, request), (seen.body, response)):
            assert hashlib.sha256(body).hexdigest() == (message["contentHash"] or hashlib.sha256(b"").hexdigest())


@pytest.mark.parametrize("name", [*RECORDED, *EXPORTED])
def test_headers_stay_as_recorded(recorded: dict[str, Recorded], name: str) -> None:
    for flow, entry in zip(recorded[name].flows, recorded[name].entries, strict=True):
        for message, part in ((flow.request, "request"), (flow.response, "response")):
            if message is not None:
                assert comparable(message.headers.items(multi=True)) == comparable(
                    (item["name"], item["value"]) for item in entry[part]["headers"]
                )


def comparable(headers: Any) -> list[tuple[str, str]]:
    """Headers without those that follow the body: it is stored decoded."""
    return [(name, value) for name, value in headers if name.lower() not in ("content-encoding", "content-length")]


@pytest.mark.parametrize("name", [name.removesuffix(".har") for name in EXPORTED])
def test_exports_match_those_of_mitmproxy(flowdump: Flowdump, shared_data: Path, tmp_path: Path, name: str) -> None:
    ours = tmp_path / "ours.har"
    flowdump("-q", "-r", shared_data / f"{name}.mitm", "--set", f"hardump={ours}")
    pairs = zip(entries_of(ours), entries_of(shared_data / f"{name}.har"), strict=True)
    for entry, wanted in pairs:
        assert entry["startedDateTime"][:19] == wanted["startedDateTime"][:19]
        assert entry["request"]["url"].replace("ws", "http", 1) == wanted["request"]["url"].replace("ws", "http", 1)
        for part, keys in (("request", ("method", "headers", "queryString")), ("response", ("status", "headers"))):
            assert [entry[part][key] for key in keys] == [wanted[part][key] for key in keys]
        texts = [side["response"]["content"].get("text", "") for side in (entry, wanted)]  # ours has none for no body
        assert texts[0] == texts[1]


def test_the_hardump_of_a_live_run(flowdump: Flowdump, shared_data: Path, tmp_path: Path) -> None:
    """The same traffic as flow file and as hardump, of which the latter lacks what was not HTTP."""
    native, theirs = (shared_data / "generated" / f"live-12.2.3.{suffix}" for suffix in ("mitm", "hardump.har"))
    ours = tmp_path / "ours.har"
    flowdump("-q", "-r", native, "--set", f"hardump={ours}")
    expected = sorted(facts(flow) for flow in flows_of(native))
    assert len(expected) == 7
    assert sorted(facts(flow) for flow in flows_of(ours)) == expected
    assert sorted(facts(flow) for flow in flows_of(theirs)) == expected


def test_a_compressed_har_is_read(flowdump: Flowdump, shared_data: Path, tmp_path: Path) -> None:
    native, zipped = tmp_path / "out.mitm", tmp_path / "out.zhar"
    flowdump("-q", "-r", shared_data / "flows/compressed.zhar", "-w", native, "--set", f"hardump={zipped}")
    found = [facts(flow) for flow in flows_of(native)]
    assert found
    assert [facts(flow) for flow in flows_of(zipped)] == found


@pytest.mark.parametrize(
    "name", ["corrupted_har/brokenfile.har", "corrupted_har/broken_headers.json", "har_extractor.har"]
)
def test_what_is_no_har_is_an_error(flowdump: Flowdump, shared_data: Path, name: str) -> None:
    flowdump("-q", "-r", shared_data / name, code=1)
