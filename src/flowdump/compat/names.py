"""The façade as one table: each module of ``mitmproxy``, ``libmproxy`` and ``netlib`` that flowdump serves.

A key is a module that scripts import. Its value maps places to the names that the module takes from them:

- A place is a module below ``flowdump``; ``shims.…`` is short for ``compat.shims.…``. Another module of the façade is
  written in full: ``mitmproxy.net.dns``.
- ``NEW=OLD`` serves the name ``OLD`` of that place as ``NEW``.
- ``module:DICT`` with the names ``*`` serves the items of a dictionary.

:mod:`flowdump.compat.finder` builds modules from this table when scripts import them.
"""

from __future__ import annotations

#: Module of the façade -> place -> names.
MODULES: dict[str, dict[str, str]] = {
    "libmproxy": {},
    "libmproxy.certutils": {"certs": "SSLCert=Cert"},
    "libmproxy.encoding": {"shims.encoding": "decode encode"},
    "libmproxy.exceptions": {
        "exceptions": "ControlException FlowReadException ProxyException=FlowdumpError ScriptException=ScriptError"
    },
    "libmproxy.filt": {"filters": "match parse"},
    "libmproxy.flow": {
        "formats.flowfile": "FlowWriter",
        "shims.flow_io": "FlowReader",
        "shims.older_http": "Request=HTTPRequest Response=HTTPResponse",
        "connection": "ClientConnect=Client ClientDisconnect=Client",
        "flow": "Error Flow",
        "http": "Headers",
        "scripting.older.names": "ODict ODictCaseless",
        "scripting.older.first_generation": "ScriptContext",
    },
    "libmproxy.models": {
        "shims.older_http": "HTTPRequest HTTPResponse decoded make_connect_response make_error_response",
        "connection": "ClientConnection=Client ServerConnection=Server",
        "flow": "Error Flow",
        "http": "HTTPFlow Headers",
    },
    "libmproxy.protocol": {},
    "libmproxy.protocol.http": {
        "shims.older_http": "CONTENT_MISSING HTTPRequest HTTPResponse decoded",
        "http": "HTTPFlow",
    },
    "libmproxy.protocol.primitives": {"shims.older_http": "KILL", "flow": "Error Flow"},
    "libmproxy.protocol.tcp": {"tcp": "TCPFlow TCPMessage"},
    "libmproxy.proxy": {},
    "libmproxy.proxy.connection": {"connection": "ClientConnection=Client ServerConnection=Server"},
    "libmproxy.script": {"scripting.concurrency": "concurrent", "scripting.older.first_generation": "ScriptContext"},
    "libmproxy.utils": {
        "shims.human": "pretty_duration pretty_size",
        "shims.strutils": "clean_hanging_newline hexdump isBin=is_mostly_bin isXML=is_xml",
        "http.urls": "urldecode=decode_query urlencode=encode_query",
    },
    "libmproxy.version": {"shims.versions:LIBMPROXY": "*"},
    "mitmproxy": {"shims.dynamic": "__getattr__=submodule"},
    "mitmproxy.addonmanager": {"runtime.addons": "AddonManager=Addons", "runtime.master": "Loader"},
    "mitmproxy.addons": {},
    "mitmproxy.addons.anticache": {"addons.anticache": "AntiCache"},
    "mitmproxy.addons.anticomp": {"addons.anticomp": "AntiComp"},
    "mitmproxy.addons.asgiapp": {"addons.asgiapp": "ASGIApp WSGIApp"},
    "mitmproxy.addons.cut": {"addons.cut": "Cut"},
    "mitmproxy.addons.export": {
        "addons.export": "Export curl_command httpie_command raw raw_request raw_response",
        "shims.export": "formats",
    },
    "mitmproxy.addons.proxyauth": {"addons.proxyauth": "ProxyAuth"},
    "mitmproxy.addons.savehar": {"shims.har": "SaveHar"},
    "mitmproxy.addons.script": {"scripting.script": "Script"},
    "mitmproxy.addons.stickyauth": {"addons.stickyauth": "StickyAuth"},
    "mitmproxy.addons.stickycookie": {"addons.stickycookie": "StickyCookie"},
    "mitmproxy.addons.upstream_auth": {"addons.upstream_auth": "UpstreamAuth"},
    "mitmproxy.addons.wsgiapp": {"addons.asgiapp": "WSGIApp"},
    "mitmproxy.certs": {"certs": "Cert SSLCert=Cert"},
    "mitmproxy.command": {"runtime.commands": "Command CommandManager argument command"},
    "mitmproxy.connection": {"connection": "Address Client Connection ConnectionState Server TransportProtocol"},
    "mitmproxy.connections": {"connection": "ClientConnection=Client ServerConnection=Server"},
    "mitmproxy.contentviews": {
        "contentviews.custom": (
            "Contentview InteractiveContentview Metadata View format_dict format_pairs format_text"
        ),
        "shims.contentviews": (
            "ContentviewResult SyntaxHighlight TViewLine TViewResult add get get_message_content_view prettify_message "
            "remove"
        ),
    },
    "mitmproxy.contentviews.base": {
        "contentviews.custom": "View format_dict format_pairs format_text",
        "shims.contentviews": "TViewLine TViewResult",
    },
    "mitmproxy.controller": {"scripting.older.names": "Reply", "shims.controller": "handler"},
    "mitmproxy.coretypes": {},
    "mitmproxy.coretypes.multidict": {"http.multidict": "MultiDict MultiDictView"},
    "mitmproxy.coretypes.serializable": {"shims.serializable": "Serializable"},
    "mitmproxy.ctx": {"shims.dynamic": "__getattr__=ctx_attribute"},
    "mitmproxy.dns": {
        "mitmproxy.net.dns": "classes https_records op_codes response_codes types",
        "mitmproxy.net.dns.https_records": "SVCParamKeys",
        "dns": "DNSFlow DNSMessage HTTPSRecord Message=DNSMessage Question ResourceRecord",
    },
    "mitmproxy.eventsequence": {"shims.hook_objects": "iterate"},
    "mitmproxy.exceptions": {
        "exceptions": (
            "AddonHalt AddonManagerError CommandError ControlException FlowReadException Kill=ControlException "
            "MitmproxyException=FlowdumpError OptionsError"
        )
    },
    "mitmproxy.filt": {"filters": "match parse"},
    "mitmproxy.flow": {"formats.flowfile": "FlowWriter", "shims.flow_io": "FlowReader", "flow": "Error Flow"},
    "mitmproxy.flowfilter": {"filters": "TFilter match parse"},
    "mitmproxy.hooks": {"shims.hook_objects": "ConfigureHook DoneHook Hook RunningHook UpdateHook all_hooks"},
    "mitmproxy.http": {
        "shims.older_http": "HTTPRequest HTTPResponse decoded make_connect_response make_error_response",
        "http": "HTTPFlow Headers Message Request RequestData Response ResponseData",
    },
    "mitmproxy.io": {
        "formats.flowfile": "FlowWriter",
        "shims.flow_io": "FilteredFlowWriter FlowReader read_flows_from_paths",
    },
    "mitmproxy.io.har": {"shims.har": "request_to_flow"},
    "mitmproxy.io.io": {
        "formats.flowfile": "FlowWriter",
        "shims.flow_io": "FilteredFlowWriter FlowReader read_flows_from_paths",
    },
    "mitmproxy.io.tnetstring": {"formats.flowfile.tnetstring": "dumps loads", "shims.flow_io": "dump load"},
    "mitmproxy.log": {
        "shims.log_handlers": "LogLevels MitmFormatter MitmLogHandler log_tier",
        "runtime.log": "ALERT Log=EventLog LogEntry",
    },
    "mitmproxy.master": {"runtime.master": "Master"},
    "mitmproxy.models": {
        "shims.older_http": "HTTPRequest HTTPResponse decoded make_connect_response make_error_response",
        "connection": "ClientConnection=Client ServerConnection=Server",
        "flow": "Error Flow",
        "http": "HTTPFlow Headers",
        "tcp": "TCPFlow",
    },
    "mitmproxy.net": {},
    "mitmproxy.net.check": {"server_spec": "is_valid_host is_valid_port"},
    "mitmproxy.net.dns": {},
    "mitmproxy.net.dns.classes": {"dns.codes": "from_str=class_number", "shims.dns_numbers:CLASS_NAMES": "*"},
    "mitmproxy.net.dns.https_records": {"dns.svcb": "HTTPSRecord pack unpack", "shims.dns_numbers": "SVCParamKeys"},
    "mitmproxy.net.dns.op_codes": {"dns.codes": "from_str=op_code_number", "shims.dns_numbers:OP_CODE_NAMES": "*"},
    "mitmproxy.net.dns.response_codes": {
        "dns.codes": "from_str=response_code_number",
        "shims.dns_numbers:RESPONSE_CODE_NAMES": "*",
    },
    "mitmproxy.net.dns.types": {"dns.codes": "from_str=type_number", "shims.dns_numbers:TYPE_NAMES": "*"},
    "mitmproxy.net.encoding": {"shims.encoding": "decode encode"},
    "mitmproxy.net.http": {"shims.older_http": "decoded", "http": "Headers Message Request Response"},
    "mitmproxy.net.http.cookies": {
        "http.cookies": "format_cookie_header",
        "http.response": "CookieAttrs=CookieAttributes",
        "shims.cookies": (
            "format_set_cookie_header get_expiration_ts group_cookies is_expired "
            "parse_cookie_header parse_cookie_headers parse_set_cookie_header parse_set_cookie_headers "
            "refresh_set_cookie_header"
        ),
    },
    "mitmproxy.net.http.encoding": {"shims.encoding": "decode encode"},
    "mitmproxy.net.http.headers": {
        "shims.content_type": "assemble_content_type infer_content_encoding parse_content_type",
        "http": "Headers",
    },
    "mitmproxy.net.http.http1": {
        "shims.http1": (
            "assemble_body assemble_request assemble_request_head assemble_response assemble_response_head "
            "connection_close expected_http_body_size read_request_head read_response_head"
        )
    },
    "mitmproxy.net.http.http1.assemble": {
        "shims.http1": "assemble_body assemble_request assemble_request_head assemble_response assemble_response_head"
    },
    "mitmproxy.net.http.http1.read": {
        "shims.http1": (
            "connection_close expected_http_body_size get_header_tokens read_request_head read_response_head"
        )
    },
    "mitmproxy.net.http.message": {"http": "Message"},
    "mitmproxy.net.http.multipart": {"shims.multipart": "decode decode_multipart encode encode_multipart"},
    "mitmproxy.net.http.request": {"http": "Request"},
    "mitmproxy.net.http.response": {"http": "Response"},
    "mitmproxy.net.http.status_codes": {"http.status_codes": "RESPONSES", "shims.status_codes:NAMES": "*"},
    "mitmproxy.net.http.url": {
        "shims.url": "parse",
        "http.urls": (
            "decode=decode_query default_port encode=encode_query hostport parse_authority quote unparse unquote"
        ),
    },
    "mitmproxy.net.server_spec": {"server_spec": "ServerSpec parse"},
    "mitmproxy.options": {"shims.options": "CONF_BASENAME CONF_DIR CONTENT_VIEW_LINES_CUTOFF KEY_SIZE Options"},
    "mitmproxy.optmanager": {
        "shims.options": "OptManager dump_defaults dump_dicts load load_paths relative_path save serialize"
    },
    "mitmproxy.proxy": {"shims.proxy_server": "DummyServer ProxyConfig ProxyServer"},
    "mitmproxy.proxy.config": {"shims.proxy_server": "ProxyConfig"},
    "mitmproxy.proxy.context": {"shims.tls_data": "Context"},
    "mitmproxy.proxy.mode_specs": {
        "shims.modes": "LocalMode TunMode WireGuardMode",
        "proxy_mode": "DnsMode ProxyMode RegularMode ReverseMode Socks5Mode TransparentMode UpstreamMode",
    },
    "mitmproxy.proxy.server": {"shims.proxy_server": "DummyServer ProxyServer"},
    "mitmproxy.proxy.server_hooks": {
        "shims.hook_objects": (
            "ClientConnectedHook ClientDisconnectedHook ServerConnectErrorHook ServerConnectHook "
            "ServerConnectedHook ServerDisconnectedHook"
        ),
        "runtime.hook_data": "ServerConnectionHookData=ServerData",
    },
    "mitmproxy.script": {"scripting.concurrency": "concurrent"},
    "mitmproxy.script.concurrent": {"scripting.concurrency": "concurrent"},
    "mitmproxy.tcp": {"tcp": "TCPFlow TCPMessage"},
    "mitmproxy.test": {},
    "mitmproxy.test.taddons": {"test.taddons": "RecordingMaster context"},
    "mitmproxy.test.tflow": {
        "test.tflow": (
            "DummyFlow tclient_conn tdnsflow tdummyflow terr tflow tflows tserver_conn ttcpflow tudpflow "
            "twebsocket twebsocketflow"
        ),
        "test.tutils": "tdnsreq tdnsresp treq tresp",
    },
    "mitmproxy.test.tutils": {"test.tutils": "tdnsreq tdnsresp treq tresp"},
    "mitmproxy.tls": {"shims.tls_data": "ClientHello", "runtime.hook_data": "ClientHelloData TlsData"},
    "mitmproxy.tools": {},
    "mitmproxy.tools.dump": {"shims.dump_master": "DumpMaster"},
    "mitmproxy.tools.main": {"shims.dump_master": "mitmdump"},
    "mitmproxy.types": {"runtime.arguments": "Choice Cmd CmdArgs CutSpec Data Marker Path Space Unknown"},
    "mitmproxy.udp": {"udp": "UDPFlow UDPMessage"},
    "mitmproxy.utils": {},
    "mitmproxy.utils.asyncio_utils": {"shims.utils": "create_task"},
    "mitmproxy.utils.human": {
        "shims.human": (
            "format_address format_timestamp format_timestamp_with_milli parse_size pretty_duration pretty_size"
        )
    },
    "mitmproxy.utils.sliding_window": {"shims.utils": "window"},
    "mitmproxy.utils.strutils": {
        "shims.strutils": (
            "always_bytes always_str bytes_to_escaped_str clean_hanging_newline cut_after_n_lines "
            "escape_control_characters escaped_str_to_bytes hexdump is_mostly_bin is_xml"
        )
    },
    "mitmproxy.utils.typecheck": {"shims.options": "check_option_type typespec_to_str"},
    "mitmproxy.version": {
        "flow": "FLOW_FORMAT_VERSION=STATE_VERSION",
        "shims.versions": "VERSION MITMPROXY get_dev_version",
    },
    "mitmproxy.websocket": {"shims.older_http": "WebSocketFlow", "websocket": "WebSocketData WebSocketMessage"},
    "netlib": {},
    "netlib.certutils": {"certs": "SSLCert=Cert"},
    "netlib.encoding": {"shims.encoding": "decode encode"},
    "netlib.http": {
        "shims.older_http": "CONTENT_MISSING Request=HTTPRequest Response=HTTPResponse decoded",
        "http.flow": "Headers",
    },
    "netlib.http.cookies": {
        "http.cookies": "format_cookie_header",
        "shims.cookies": "format_set_cookie_header parse_cookie_header parse_set_cookie_header",
    },
    "netlib.http.headers": {"shims.content_type": "assemble_content_type parse_content_type", "http.flow": "Headers"},
    "netlib.http.http1": {
        "shims.http1": "assemble_request assemble_request_head assemble_response assemble_response_head"
    },
    "netlib.http.semantics": {"shims.older_http": "CONTENT_MISSING"},
    "netlib.http.url": {
        "shims.url": "parse",
        "http.urls": "decode=decode_query encode=encode_query hostport quote unparse unquote",
    },
    "netlib.human": {"shims.human": "parse_size pretty_duration pretty_size"},
    "netlib.multidict": {"http.multidict": "MultiDict MultiDictView"},
    "netlib.odict": {"scripting.older.names": "ODict ODictCaseless"},
    "netlib.strutils": {
        "shims.strutils": (
            "always_bytes bytes_to_escaped_str clean_hanging_newline escaped_str_to_bytes hexdump is_mostly_bin is_xml"
        )
    },
    "netlib.utils": {
        "shims.strutils": (
            "bytes_to_escaped_str clean_hanging_newline escaped_str_to_bytes hexdump isBin=is_mostly_bin isXML=is_xml"
        ),
        "shims.url": "parse_url=parse",
        "http.urls": "hostport urldecode=decode_query urlencode=encode_query",
    },
    "netlib.version": {"shims.versions:NETLIB": "*"},
}

#: Modules of user interfaces, in every generation.
USER_INTERFACES = (
    "mitmproxy.tools.console",
    "mitmproxy.tools.web",
    "mitmproxy.console",
    "mitmproxy.web",
    "libmproxy.console",
    "libmproxy.web",
)

#: Modules of mitmproxy's protocol layers, which flowdump does not have.
PROTOCOL_LAYERS = (
    "mitmproxy.proxy.layer",
    "mitmproxy.proxy.layers",
    "mitmproxy.proxy.commands",
    "mitmproxy.proxy.events",
    "mitmproxy.proxy.protocol",
    "mitmproxy.protocol",
)
