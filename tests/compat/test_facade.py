"""Everything that scripts import from mitmproxy, libmproxy and netlib is there, and is flowdump's own."""

from __future__ import annotations

import asyncio
import importlib
import io
import json
import re
import subprocess
import sys
import textwrap
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from tests.support.flows import environment, every_kind, http_flow, record, response, write_flows

from flowdump import ctx
from flowdump.compat.names import MODULES
from flowdump.exceptions import FlowReadException, OptionsError
from flowdump.options import Options
from flowdump.test import taddons, tflow

pytestmark = pytest.mark.usefixtures("installed")

#: What scripts import, by module; most wanted first.
WANTED = {
    "mitmproxy.http": "HTTPFlow Headers Request Response Message HTTPResponse HTTPRequest decoded make_error_response",
    "mitmproxy.ctx": "",
    "mitmproxy.script": "concurrent",
    "mitmproxy.script.concurrent": "concurrent",
    "mitmproxy.exceptions": "OptionsError CommandError FlowReadException ControlException AddonManagerError AddonHalt",
    "mitmproxy.flowfilter": "parse match TFilter",
    "mitmproxy.io": "FlowReader FlowWriter FilteredFlowWriter read_flows_from_paths",
    "mitmproxy.io.io": "FlowReader FlowWriter",
    "mitmproxy.io.tnetstring": "dump dumps load loads",
    "mitmproxy.io.har": "request_to_flow",
    "mitmproxy.command": "command argument Command CommandManager",
    "mitmproxy.types": "Path Cmd Choice CutSpec",
    "mitmproxy.net.http.http1": "assemble_request read_request_head",
    "mitmproxy.net.http.http1.assemble": "assemble_request assemble_response assemble_request_head",
    "mitmproxy.net.http.http1.read": "expected_http_body_size",
    "mitmproxy.net.http.cookies": "parse_cookie_header CookieAttrs",
    "mitmproxy.net.http.url": "parse unparse encode decode",
    "mitmproxy.net.http.multipart": "encode decode decode_multipart",
    "mitmproxy.net.http.headers": "parse_content_type Headers",
    "mitmproxy.net.http.status_codes": "RESPONSES NOT_FOUND",
    "mitmproxy.net.http": "Headers decoded",
    "mitmproxy.net.http.encoding": "encode decode",
    "mitmproxy.net.http.message": "Message",
    "mitmproxy.net.http.request": "Request",
    "mitmproxy.net.http.response": "Response",
    "mitmproxy.net.encoding": "encode decode",
    "mitmproxy.net.server_spec": "ServerSpec parse",
    "mitmproxy.net.check": "is_valid_host is_valid_port",
    "mitmproxy.net.dns.types": "A AAAA to_str from_str",
    "mitmproxy.net.dns.response_codes": "NXDOMAIN",
    "mitmproxy.utils.human": "pretty_size format_address",
    "mitmproxy.utils.strutils": "always_bytes always_str bytes_to_escaped_str",
    "mitmproxy.utils.asyncio_utils": "create_task",
    "mitmproxy.utils.sliding_window": "window",
    "mitmproxy.utils.typecheck": "check_option_type typespec_to_str",
    "mitmproxy.proxy.server_hooks": "ServerConnectionHookData ServerConnectHook ClientConnectedHook",
    "mitmproxy.proxy.mode_specs": "ProxyMode ReverseMode UpstreamMode RegularMode DnsMode WireGuardMode LocalMode",
    "mitmproxy.proxy": "ProxyConfig ProxyServer",
    "mitmproxy.proxy.config": "ProxyConfig",
    "mitmproxy.proxy.server": "ProxyServer DummyServer",
    "mitmproxy.proxy.context": "Context",
    "mitmproxy.connection": "Client Server Connection ConnectionState",
    "mitmproxy.connections": "ClientConnection ServerConnection",
    "mitmproxy.tls": "ClientHelloData TlsData ClientHello",
    "mitmproxy.certs": "Cert SSLCert",
    "mitmproxy.version": "VERSION MITMPROXY",
    "mitmproxy.addons.export": "curl_command raw raw_request formats",
    "mitmproxy.addons.asgiapp": "WSGIApp ASGIApp",
    "mitmproxy.addons.wsgiapp": "WSGIApp",
    "mitmproxy.addons.cut": "Cut",
    "mitmproxy.addons.proxyauth": "ProxyAuth",
    "mitmproxy.addons.upstream_auth": "UpstreamAuth",
    "mitmproxy.addons.anticache": "AntiCache",
    "mitmproxy.addons.anticomp": "AntiComp",
    "mitmproxy.addons.stickycookie": "StickyCookie",
    "mitmproxy.addons.stickyauth": "StickyAuth",
    "mitmproxy.addons.savehar": "SaveHar",
    "mitmproxy.addons.script": "Script",
    "mitmproxy.contentviews": "add get View Contentview Metadata SyntaxHighlight TViewResult",
    "mitmproxy.contentviews.base": "View format_text TViewResult",
    "mitmproxy.test.tflow": "tflow ttcpflow twebsocketflow tdnsflow treq tresp",
    "mitmproxy.test.taddons": "context",
    "mitmproxy.test.tutils": "treq tresp",
    "mitmproxy.coretypes.multidict": "MultiDict MultiDictView",
    "mitmproxy.coretypes.serializable": "Serializable",
    "mitmproxy.optmanager": "OptManager load_paths",
    "mitmproxy.options": "Options",
    "mitmproxy.addonmanager": "Loader AddonManager",
    "mitmproxy.hooks": "UpdateHook all_hooks",
    "mitmproxy.eventsequence": "iterate",
    "mitmproxy.log": "ALERT LogEntry MitmLogHandler",
    "mitmproxy.master": "Master",
    "mitmproxy.flow": "Flow Error FlowReader FlowWriter",
    "mitmproxy.filt": "parse match",
    "mitmproxy.tcp": "TCPFlow TCPMessage",
    "mitmproxy.udp": "UDPFlow UDPMessage",
    "mitmproxy.dns": "DNSFlow DNSMessage Message",
    "mitmproxy.websocket": "WebSocketMessage WebSocketData WebSocketFlow",
    "mitmproxy.models": "HTTPResponse HTTPRequest HTTPFlow decoded",
    "mitmproxy.controller": "handler Reply",
    "mitmproxy.tools.dump": "DumpMaster",
    "mitmproxy.tools.main": "mitmdump",
    "libmproxy.flow": "Flow Headers ODict ODictCaseless ScriptContext FlowReader FlowWriter Error",
    "libmproxy.models": "HTTPResponse decoded",
    "libmproxy.script": "concurrent",
    "libmproxy.protocol.http": "HTTPResponse decoded CONTENT_MISSING",
    "libmproxy.protocol.primitives": "KILL",
    "libmproxy.protocol.tcp": "TCPFlow",
    "libmproxy.proxy.connection": "ClientConnection",
    "libmproxy.certutils": "SSLCert",
    "libmproxy.encoding": "decode",
    "libmproxy.exceptions": "ScriptException",
    "libmproxy.filt": "parse",
    "libmproxy.utils": "urldecode pretty_size isXML",
    "libmproxy.version": "VERSION",
    "netlib.odict": "ODict ODictCaseless",
    "netlib.http": "Headers Response decoded CONTENT_MISSING",
    "netlib.http.semantics": "CONTENT_MISSING",
    "netlib.http.cookies": "parse_cookie_header",
    "netlib.http.url": "parse",
    "netlib.http.headers": "Headers",
    "netlib.http.http1": "assemble_request",
    "netlib.certutils": "SSLCert",
    "netlib.encoding": "decode",
    "netlib.human": "pretty_size",
    "netlib.multidict": "MultiDict",
    "netlib.strutils": "hexdump",
    "netlib.utils": "hostport parse_url",
    "netlib.version": "VERSION",
}


@pytest.mark.parametrize("name", WANTED)
def test_what_scripts_import_is_there(name: str) -> None:
    module = import_module(name)
    assert [wanted for wanted in WANTED[name].split() if not hasattr(module, wanted)] == []


def test_every_module_of_the_facade_is_wanted() -> None:
    packages = {name.rpartition(".")[0] for name in MODULES}
    unwanted = MODULES.keys() - WANTED.keys() - packages - {"mitmproxy", "libmproxy", "netlib"}
    assert {name for name in unwanted if not name.startswith("mitmproxy.net.dns.")} == set()


@pytest.mark.parametrize("name", MODULES)
def test_every_name_in_the_table_is_there(name: str) -> None:
    module = import_module(name)
    assert [each for each in module.__all__ if not hasattr(module, each)] == []
    assert module.__spec__ is not None
    assert bool(module.__spec__.submodule_search_locations is not None) == any(
        other.startswith(f"{name}.") for other in MODULES
    )


def test_star_imports_and_reloads() -> None:
    names: dict[str, object] = {}
    exec("from mitmproxy.net.dns.types import *", names)
    assert names["HTTPS"] == 65
    module = import_module("mitmproxy.http")
    assert importlib.reload(module) is module


def test_classes_are_flowdump_s_own() -> None:
    import flowdump.http
    import flowdump.tcp

    assert import_module("mitmproxy.http").HTTPFlow is flowdump.http.HTTPFlow
    assert import_module("libmproxy.flow").Headers is flowdump.http.Headers
    assert import_module("mitmproxy.tcp").TCPFlow is flowdump.tcp.TCPFlow
    assert import_module("mitmproxy.http").HTTPResponse is import_module("netlib.http").Response


def test_concurrent_is_a_function_in_a_module_of_its_name() -> None:
    import_module("mitmproxy.script.concurrent")
    from flowdump.scripting import concurrent

    assert import_module("mitmproxy.script").concurrent is concurrent
    assert import_module("mitmproxy.script.concurrent").concurrent is concurrent


# -- files and options -------------------------------------------------------------------------------------------


def test_reading_and_writing_flows(tmp_path: Path) -> None:
    mio = import_module("mitmproxy.io")
    flows = every_kind()
    out = io.BytesIO()
    writer = mio.FilteredFlowWriter(out, "~tcp")
    for flow in flows:
        writer.add(flow)
    found = list(mio.FlowReader(io.BytesIO(out.getvalue())).stream())
    assert [flow.id for flow in found] == [flow.id for flow in flows if flow.type == "tcp"]
    everything = io.BytesIO()
    unfiltered = mio.FilteredFlowWriter(everything, None)
    for flow in flows:
        unfiltered.add(flow)
    assert everything.getvalue() == record(*flows)
    path = write_flows(tmp_path / "flows", flows)
    assert [flow.id for flow in mio.read_flows_from_paths([path])] == [flow.id for flow in flows]
    with pytest.raises(FlowReadException, match="cannot read"):
        mio.read_flows_from_paths([str(tmp_path / "none")])
    with pytest.raises(FlowReadException):
        list(mio.FlowReader(io.BytesIO(b"no flows at all")).stream())


def test_hars_as_values() -> None:
    har = import_module("mitmproxy.addons.savehar").SaveHar().make_har([http_flow("https://a.b/c", response(204))])
    (entry,) = har["log"]["entries"]
    assert entry["request"]["url"] == "https://a.b/c"
    flow = import_module("mitmproxy.io.har").request_to_flow(entry)
    assert (flow.request.url, flow.response.status_code) == ("https://a.b/c", 204)
    assert import_module("mitmproxy.addons.savehar").SaveHar().flow_entry(flow)["response"]["status"] == 204
    document = io.BytesIO(json.dumps(har).encode())
    assert [flow.type for flow in import_module("mitmproxy.io").FlowReader(document).stream()] == ["http"]
    broken = io.BytesIO(b'{"log": {"entries": [{"request": 5}]}}')
    with pytest.raises(FlowReadException):
        list(import_module("mitmproxy.io").FlowReader(broken).stream())


def test_the_notation_of_flow_files() -> None:
    notation = import_module("mitmproxy.io.tnetstring")
    out = io.BytesIO()
    notation.dump({"a": [1, b"b"]}, out)
    out.seek(0)
    assert notation.load(out) == {"a": [1, b"b"]} == notation.loads(notation.dumps({"a": [1, b"b"]}))
    for wrong in (b"", b"5", b"99999999999999:x"):
        with pytest.raises(ValueError, match="tnetstring"):
            notation.load(io.BytesIO(wrong))


def test_options_of_a_program() -> None:
    options = import_module("mitmproxy.options").Options(anticache=True, listen_port=1)
    assert isinstance(options, Options)
    assert (options.anticache, options.listen_port) == (True, 1)
    options.merge({"ignore_hosts": ["a"], "anticomp": True, "showhost": None})
    options.merge({"ignore_hosts": ["b"]})
    assert (options.ignore_hosts, options.anticomp, options.showhost) == (["a", "b"], True, False)
    with pytest.raises(OptionsError):
        import_module("mitmproxy.options").Options(nonsense=1)


def test_options_of_one_s_own(tmp_path: Path) -> None:
    manager = import_module("mitmproxy.optmanager")
    options, heard = manager.OptManager(), []
    options.add_option("one", str, "a", "One.")
    options.add_option("two", int, 2, "Two.")
    options.subscribe(lambda opts, updated: heard.append((opts is options, sorted(updated))), ["one"])
    options.subscribe(lambda opts, updated: heard.append(sorted(updated)))
    options.update(one="b", two=3)
    options.two = 4
    assert heard == [(True, ["one"]), ["one", "two"], ["two"]]
    with pytest.raises(OptionsError):
        options.subscribe(print, ["three"])
    assert manager.dump_dicts(options)["two"] == {
        "type": "int", "default": 2, "value": 4, "help": "Two.", "choices": None
    }  # fmt: skip
    path = tmp_path / "options.yaml"
    path.write_text("other: 5\none: old\n")
    manager.save(options, path)
    assert sorted(path.read_text().splitlines()) == ["one: b", "other: 5", "two: 4"]
    options.reset()
    manager.save(options, path)
    assert path.read_text() == "other: 5\n"
    manager.save(options, path, defaults=True)
    path.write_text("one: c\n")
    manager.load_paths(options, path, tmp_path / "none.yaml")
    manager.load(options, "two: 9")
    assert (options.one, options.two) == ("c", 9)
    out = io.StringIO()
    manager.dump_defaults(options, out)
    assert "one: " in out.getvalue()
    for wrong in ("[", "5"):
        path.write_text(wrong)
        with pytest.raises(OptionsError):
            manager.save(options, path)
    path.write_bytes(b"\xff")
    with pytest.raises(OptionsError):
        manager.save(options, path)
    assert manager.relative_path("a", relative_to=tmp_path) == tmp_path / "a"


# -- older classes -----------------------------------------------------------------------------------------------


def test_older_requests_and_responses() -> None:
    http = import_module("mitmproxy.http")
    asked = http.HTTPRequest("absolute", "GET", "http", "a", 80, "/b", "HTTP/1.1", http.Headers(x="y"), b"c", 1.0, 2.0)
    assert isinstance(asked, http.HTTPRequest)
    assert not isinstance(asked, http.HTTPResponse)
    assert (asked.url, asked.authority, asked.content, asked.timestamp_end) == ("http://a/b", "a:80", b"c", 2.0)
    relative = http.HTTPRequest("relative", "GET", None, "a", 80, None)
    assert (relative.authority, relative.http_version) == ("", "HTTP/1.1")
    answer = http.HTTPResponse(b"HTTP/1.1", 200, "OK", None, "text", 1.0, 2.0)
    assert (answer.content, answer.timestamp_start, http.HTTPResponse.wrap(answer)) == (b"text", 1.0, answer)
    assert http.HTTPRequest.wrap(asked) is asked
    assert http.make_error_response(502, "<why>").text.count("&lt;why&gt;") == 1
    assert http.make_connect_response().reason == "Connection established"
    assert issubclass(http.HTTPResponse, http.HTTPResponse)
    flow = tflow.twebsocketflow()
    kind = import_module("mitmproxy.websocket").WebSocketFlow
    assert kind(flow.client_conn, flow.server_conn, flow) is flow
    with http.decoded(answer):
        answer.content = b"more"
    assert answer.content == b"more"


def test_serializable() -> None:
    base = import_module("mitmproxy.coretypes.serializable").Serializable

    class Mine(base):  # type: ignore[misc,valid-type]
        def __init__(self, value: Any) -> None:
            self.value = value

        @classmethod
        def from_state(cls, state: Any) -> Any:
            return cls(state)

        def get_state(self) -> Any:
            return dict(self.value)

        def set_state(self, state: Any) -> None:
            self.value = state

    mine = Mine({"id": "a", "b": 1})
    copied = mine.copy()
    assert copied.value["b"] == 1
    assert copied.value["id"] != "a"
    with pytest.raises(TypeError):
        base()


def test_small_helpers() -> None:
    async def work() -> int:
        task = import_module("mitmproxy.utils.asyncio_utils").create_task(asyncio.sleep(0, 5), name="x", keep_ref=True)
        assert task.get_name() == "x"
        return int(await task)

    assert asyncio.run(work()) == 5
    handler = import_module("mitmproxy.controller").handler
    assert handler(print) is print
    log = import_module("mitmproxy.log")
    assert [log.log_tier(level) for level in (*log.LogLevels, "other")] == [0, 1, 2, 2, 3, None]
    assert "flowdump" in import_module("mitmproxy.version").get_dev_version()


def test_cookies_with_what_belongs_to_them() -> None:
    cookies = import_module("mitmproxy.net.http.cookies")
    pairs = [("a", "b"), ("Path", "/"), ("c", "d"), ("httponly", None), ("e", "f")]
    assert [(name, value, dict(attrs)) for name, value, attrs in cookies.group_cookies(pairs)] == [
        ("a", "b", {"Path": "/"}), ("c", "d", {"httponly": None}), ("e", "f", {})
    ]  # fmt: skip


def test_modes_that_only_recorded_flows_have() -> None:
    specs = import_module("mitmproxy.proxy.mode_specs")
    mode = specs.ProxyMode.of("wireguard:keys.conf@51820")
    assert isinstance(mode, specs.WireGuardMode)
    assert not isinstance(mode, specs.LocalMode | specs.TunMode)
    assert not isinstance("wireguard", specs.WireGuardMode)
    with pytest.raises(ValueError, match="not part of flowdump"):
        specs.LocalMode.parse("local")


def test_tls_events_of_tests() -> None:
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


def test_wrong_options_are_what_tests_expect() -> None:
    with taddons.context() as tctx:
        with pytest.raises(KeyError, match=r"^unknown option 'bogus'$"):
            tctx.options.update(bogus=1)
        with pytest.raises(TypeError, match="is of type bool"):
            tctx.options.anticache = "x"


def test_views_by_name() -> None:
    views = import_module("mitmproxy.contentviews")

    class Shout(views.Contentview):  # type: ignore[misc,name-defined]
        def prettify(self, data: bytes, metadata: Any) -> str:
            return data.decode().upper()

    flow = http_flow("https://a.b/c", response(200, b'{"a": [1]}', {"content-type": "application/json"}))
    with taddons.context():
        views.add(Shout)
        assert isinstance(views.get("shout"), Shout)
        assert views.get("no such view") is None
        indented = '{\n  "a": [1]\n}'
        assert views.get("JSON").prettify(b'{"a": [1]}', views.Metadata()) == indented
        shown = views.prettify_message(flow.response, flow)
        assert (shown.text, shown.view_name) == (indented, "json")
        assert views.prettify_message(flow.response, flow, "shout").text == '{"A": [1]}'
        assert views.prettify_message(flow.response, flow, "nowhere").view_name == "json"
        name, lines, wrong = views.get_message_content_view("auto", flow.response, flow)
        assert (name, lines[1], wrong) == ("json", [("text", '  "a": [1]')], "")
        flow.response.raw_content = None
        assert views.prettify_message(flow.response, flow).syntax_highlight == "error"
        dns = tflow.tdnsflow(resp=True)
        assert "8.8.8.8" not in views.prettify_message(dns.response, dns).text
    assert views.get("shout") is None


def test_handlers_of_the_log() -> None:
    import logging

    log = import_module("mitmproxy.log")
    seen: list[str] = []

    class Handler(log.MitmLogHandler):  # type: ignore[misc,name-defined]
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(self.format(record))

    handler = Handler()
    handler.setFormatter(log.MitmFormatter(colorize=False))
    handler.install()
    try:
        logging.error("it is %s", "so")
    finally:
        handler.uninstall()
    logging.error("not this")
    (line,) = seen
    assert re.fullmatch(r"\[\d\d:\d\d:\d\d\.\d{3}\] it is so", line)


def test_triggering_events() -> None:
    hooks = import_module("mitmproxy.hooks")
    heard: list[Any] = []

    class Listener:
        def update(self, flows: list[Any]) -> None:
            heard.append(flows)

        async def running(self) -> None:
            heard.append("running")

    async def fire() -> None:
        with taddons.context(Listener()) as tctx:
            ctx.master.addons.trigger(hooks.UpdateHook([1]))
            ctx.master.addons.trigger(hooks.RunningHook())
            await ctx.master.addons.trigger_event(hooks.UpdateHook(flows=[2]))
            await asyncio.sleep(0)
            tctx.invoke_addon(Listener(), hooks.UpdateHook([3]))

    asyncio.run(fire())
    assert heard == [[1], [2], "running", [3]]
    assert repr(hooks.UpdateHook([1])) == "UpdateHook(flows=[1])"


# -- test suites of scripts ----------------------------------------------------------------------------------------

SUITE = {
    "conftest.py": "import mitmproxy.http\n",
    "addon.py": """
        from mitmproxy import ctx, http

        class Blocker:
            def load(self, loader):
                loader.add_option("blocked", str, "example.com", "Which host.")

            def request(self, flow: http.HTTPFlow):
                if flow.request.pretty_host == ctx.options.blocked:
                    flow.response = http.Response.make(403, b"no")

        addons = [Blocker()]
    """,
    "test_addon.py": """
        from mitmproxy import http
        from mitmproxy.test import taddons, tflow, tutils

        import addon
        import flowdump.http

        def test_blocked():
            blocker = addon.Blocker()
            with taddons.context(blocker) as tctx:
                flow = tflow.tflow(req=tutils.treq(host="example.com"))
                blocker.request(flow)
                assert flow.response.status_code == 403
                tctx.configure(blocker, blocked="other")
                flow = tflow.tflow(req=tutils.treq(host="example.com"))
                blocker.request(flow)
                assert flow.response is None

        def test_it_is_flowdump():
            assert http.HTTPFlow is flowdump.http.HTTPFlow

        def test_as_a_script():
            with taddons.context() as tctx:
                loaded = tctx.script("addon.py")
                assert type(loaded).__name__ == "Blocker" and tctx.options.blocked == "example.com"
    """,
}


@pytest.mark.parametrize(
    "command",
    [["-m", "flowdump.compat", "pytest"], ["-m", "pytest", "-p", "flowdump.compat"]],
    ids=["command", "plugin"],
)
def test_a_test_suite_runs_on_flowdump(command: list[str], tmp_path: Path) -> None:
    for name, text in SUITE.items():
        (tmp_path / name).write_text(textwrap.dedent(text))
    done = subprocess.run(
        [sys.executable, *command, "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "conftest"),
    [
        pytest.param(["-m", "flowdump.compat", "pytest", "-n", "2"], "", id="workers"),
        pytest.param(["-m", "pytest"], 'pytest_plugins = ["flowdump.compat"]\n', id="conftest"),
    ],
)
def test_a_test_suite_runs_on_flowdump_wherever_it_is_told_to(
    arguments: list[str], conftest: str, tmp_path: Path
) -> None:
    for name, text in (SUITE | {"conftest.py": conftest}).items():
        (tmp_path / name).write_text(textwrap.dedent(text))
    done = subprocess.run(
        [sys.executable, *arguments, "-q", "-p", "no:cacheprovider", "-W", "error"],
        cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout


def test_a_program_runs_on_flowdump(tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("from mitmproxy.http import HTTPFlow\n")
    text = "import sys, beside\nprint(beside.HTTPFlow.__module__, sys.argv[1:], __name__)\nsys.exit(5)\n"
    (tmp_path / "program.py").write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "flowdump.compat", str(tmp_path / "program.py"), "a", "-b"],
        env=environment(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (5, "flowdump.http.flow ['a', '-b'] __main__\n"), done.stderr


def test_the_command_asks_for_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "flowdump.compat"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("usage: python -m flowdump.compat MODULE")
