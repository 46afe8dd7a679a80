"""The table of the façade: its modules have the names that scripts import, and these are flowdump's own objects."""

from __future__ import annotations

import importlib
import pickle
from importlib import import_module

import pytest

from flowdump.compat.names import MODULES

pytestmark = pytest.mark.usefixtures("installed")


#: The names that scripts import, by module; the most used modules come first.
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
def test_modules_have_the_names_that_scripts_import(name: str) -> None:
    module = import_module(name)
    assert [wanted for wanted in WANTED[name].split() if not hasattr(module, wanted)] == []


def test_each_module_of_the_table_is_listed_above() -> None:
    packages = {name.rpartition(".")[0] for name in MODULES}
    unlisted = MODULES.keys() - WANTED.keys() - packages - {"mitmproxy", "libmproxy", "netlib"}
    assert {name for name in unlisted if not name.startswith("mitmproxy.net.dns.")} == set()


@pytest.mark.parametrize("name", MODULES)
def test_modules_are_complete_and_packages_where_others_are_below_them(name: str) -> None:
    module = import_module(name)
    assert [each for each in module.__all__ if not hasattr(module, each)] == []
    assert module.__spec__ is not None
    assert bool(module.__spec__.submodule_search_locations is not None) == any(
        other.startswith(f"{name}.") for other in MODULES
    )


def test_modules_can_be_starred_and_reloaded() -> None:
    names: dict[str, object] = {}
    exec("from mitmproxy.net.dns.types import *", names)
    assert names["HTTPS"] == 65
    module = import_module("mitmproxy.http")
    assert importlib.reload(module) is module


def test_classes_have_one_identity_under_all_names() -> None:
    import flowdump.http
    import flowdump.tcp

    assert import_module("mitmproxy.http").HTTPFlow is flowdump.http.HTTPFlow
    assert import_module("libmproxy.flow").Headers is flowdump.http.Headers
    assert import_module("mitmproxy.tcp").TCPFlow is flowdump.tcp.TCPFlow
    assert import_module("mitmproxy.http").HTTPResponse is import_module("netlib.http").Response


def test_script_concurrent_is_a_function_although_a_module_has_its_name() -> None:
    import_module("mitmproxy.script.concurrent")
    from flowdump.scripting import concurrent

    assert import_module("mitmproxy.script").concurrent is concurrent
    assert import_module("mitmproxy.script.concurrent").concurrent is concurrent


@pytest.mark.parametrize("name", MODULES)
def test_names_are_the_objects_of_the_places_that_the_table_names(name: str) -> None:
    module = import_module(name)
    for place, listed in MODULES[name].items():
        path, _, attribute = place.replace("shims.", "compat.shims.", 1).partition(":")
        source = import_module(path if path.startswith("mitmproxy.") else f"flowdump.{path}")
        if listed == "*":
            expected = getattr(source, attribute)
        else:
            pairs = [word.partition("=")[::2] for word in listed.split()]
            expected = {new: getattr(source, old or new) for new, old in pairs}
        assert {each: getattr(module, each) for each in expected} == expected


def test_classes_of_the_facade_can_be_pickled() -> None:
    headers = import_module("mitmproxy.http").Headers
    assert pickle.loads(pickle.dumps(headers)) is headers


def test_the_development_version_names_flowdump() -> None:
    assert "flowdump" in import_module("mitmproxy.version").get_dev_version()


def test_handlers_of_older_scripts_need_no_decorator() -> None:
    assert import_module("mitmproxy.controller").handler(print) is print
