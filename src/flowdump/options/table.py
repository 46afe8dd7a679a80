"""Every option of flowdump, in one table.

It feeds ``--set``, the flags of the command line, ``--options``, ``--help``, ``config.yaml`` and ``ctx.options`` for
scripts. Names, types and defaults are those of mitmproxy where both have the option.
"""

from __future__ import annotations

from typing import Any, NamedTuple

#: Types: how a value is written, and what a script reads.
#:   str, bool, int          as in Python
#:   str?, int?              the same or None
#:   float, bool?, float?    likewise; only scripts declare such options
#:   [str]                   a list of str; each --set adds one
#:   size?                   bytes with an optional k, m or g (1024-based); a script reads the text, ``Options.size``
#:                           gives the number
#:   filter?                 a filter expression; ``Options.filter`` gives the compiled one
TYPES = ("str", "str?", "bool", "bool?", "int", "int?", "float", "float?", "[str]", "size?", "filter?")


class Spec(NamedTuple):
    """One option. ``flags`` are its names on the command line, ``group`` its section in ``--help``.

    ``missing`` is set for an option that flowdump knows but cannot honour yet: what it would take, in words.
    """

    name: str
    type: str
    default: Any
    help: str
    choices: tuple[Any, ...] = ()
    flags: tuple[str, ...] = ()
    group: str = ""
    missing: str = ""
    #: The least number that makes sense.
    least: int | None = None


_REPLAY = "server replay"
_MODIFY = "modifying traffic from the command line"
#: Values of the ``tls_version_*`` options, lowest first.
TLS_VERSIONS = ("UNBOUNDED", "SSL3", "TLS1", "TLS1_1", "TLS1_2", "TLS1_3")

#: Sections of ``--help``, in order.
GROUPS = ("Proxy", "Input and output", "Scripts", "Display", "Changing flows", "Running")
_PROXY, _IO, _SCRIPTS, _DISPLAY, _CHANGE, _RUN = GROUPS

OPTIONS = (
    Spec("rfile", "[str]", [],
         "Read flows from a flow file or HAR, told apart by content; - is stdin.", (), ("-r", "--rfile"), _IO),
    Spec("save_stream_file", "str?", None,
         "Write flows to a file: +PATH appends, strftime codes rotate, - is stdout.", (),
         ("-w", "--save-stream-file"), _IO),
    Spec("hardump", "str", "",
         "Write a HAR to a file; - is stdout, a name ending in .zhar is compressed.", (), ("--hardump",), _IO),
    Spec("save_stream_filter", "filter?", None, "Only write flows that match.", (), ("--save-stream-filter",), _IO),
    Spec("readfile_filter", "filter?", None, "Only read flows that match.", (), ("--readfile-filter",), _IO),
    Spec("client_replay", "[str]", [], "Send the requests of a flow file or HAR again.", (),
         ("-C", "--client-replay"), _IO),
    Spec("client_replay_concurrency", "int", 1, "How many requests are replayed at a time; -1 is no limit."),
    Spec("scripts", "[str]", [], "Run a script: 'PATH ARG…', quoted as in a shell.", (), ("-s", "--scripts"), _SCRIPTS),
    Spec("script_errors", "str", "log", "What becomes of a flow whose script handler raised.", ("log", "kill")),
    Spec("flow_detail", "int", 1,
         "0 nothing, 1 a line per flow, 2 headers too, 3 bodies too, cut, 4 everything.", (0, 1, 2, 3, 4),
         ("--flow-detail",), _DISPLAY),
    Spec("dumper_filter", "filter?", None, "Only print flows that match.", (), ("--dumper-filter",), _DISPLAY),
    Spec("content_view_lines_cutoff", "int", 512, "How many lines of a body are shown at detail 3.", (), (), _DISPLAY),
    Spec("dumper_default_contentview", "str", "auto", "How bodies are shown.", (), (), _DISPLAY),
    Spec("showhost", "bool", False, "Show URLs with the host of the Host header.", (), ("--showhost",), _DISPLAY),
    Spec("termlog_verbosity", "str", "info",
         "The least severe messages that are printed.", ("error", "warn", "info", "alert", "debug"), (),
         _DISPLAY),
    Spec("anticache", "bool", False,
         "Drop if-none-match and if-modified-since from requests.", (), ("--anticache",), _CHANGE),
    Spec("anticomp", "bool", False, "Ask origins for responses without compression.", (), ("--anticomp",), _CHANGE),
    Spec("stickycookie", "filter?", None,
         "Remember cookies that origins set and add them to later requests that match.", (),
         ("--stickycookie",), _CHANGE),
    Spec("stickyauth", "filter?", None, "Remember Authorization headers and add them to later requests that match.", (),
         ("--stickyauth",), _CHANGE),
    Spec("confdir", "str", "~/.flowdump",
         "The folder of config.yaml and of the certificate authority.", (), ("--confdir",), _RUN),
    Spec("keepserving", "bool", False, "Stay up when everything was read.", (), ("--keepserving",), _RUN),
    Spec("server", "bool", True, "Start the listeners; with -r and without keepserving none is started.", (), (), _RUN),
    # the live proxy
    Spec("mode", "[str]", ["regular"],
         "How traffic comes in: regular, upstream:URL, reverse:URL, socks5, transparent, dns; each with @[HOST:]PORT.",
         flags=("-m", "--mode"), group=_PROXY),
    Spec("listen_host", "str", "", "The address to listen on.", flags=("--listen-host",), group=_PROXY),
    Spec("listen_port", "int?", 8080,
         "The port to listen on; 0 is any free one. Where it is not set, 1080 in socks5 mode, 53 in dns mode.",
         flags=("-p", "--listen-port"), group=_PROXY),
    Spec("connect_timeout", "int", 30, "Seconds to connect to an origin; 0 is no limit.", least=0),
    Spec("tls_timeout", "int", 30, "Seconds for a TLS handshake; 0 is no limit.", least=0),
    Spec("response_timeout", "int", 300,
         "Seconds an origin may be silent while it is waited for; 0 is no limit.", least=0),
    Spec("body_timeout", "int", 300,
         "Seconds a client may be silent in the middle of an exchange; 0 is no limit.", least=0),
    Spec("client_timeout", "int", 600, "Seconds a client may be silent between exchanges; 0 is no limit.", least=0),
    Spec("shutdown_timeout", "int", 10, "Seconds that exchanges under way get when flowdump is told to end.", least=0),
    Spec("stream_large_bodies", "size?", None, "Stream bodies larger than this instead of buffering them.",
         flags=("--stream-large-bodies",), group=_PROXY),
    Spec("body_size_limit", "size?", None, "Refuse bodies larger than this."),
    Spec("store_streamed_bodies", "bool", False, "Keep a copy of streamed bodies in the flow."),
    Spec("stream_event_streams", "bool", True, "Stream event streams, gRPC and the like without being asked."),
    Spec("stream_websockets", "bool", False,
         "Forward WebSocket frames as they arrive; messages are recorded, edits have no effect."),
    Spec("websocket", "bool", True, "Understand WebSocket; otherwise it is relayed as it is."),
    Spec("websocket_message_limit", "size?", "64m",
         "Close a WebSocket (1009) whose message is larger; with stream_websockets, record no more of it."),
    Spec("websocket_kept_limit", "size?", "64m", "Forget the oldest messages of a WebSocket that has sent more."),
    Spec("rawtcp", "bool", True, "Relay what is not HTTP as raw TCP."),
    Spec("http2", "bool", True, "Speak HTTP/2."),
    Spec("http3", "bool", True, "Speak HTTP/3."),
    Spec("http2_ping_keepalive", "int", 58,
         "Seconds after which an idle HTTP/2 upstream is pinged; 0 is never.", least=0),
    Spec("tcp_timeout", "int", 600, "Seconds after which an idle raw connection or WebSocket is closed.", least=0),
    Spec("udp_timeout", "int", 120, "Seconds after which an idle UDP conversation ends; 0 is never.", least=0),
    Spec("dns_timeout", "int", 4, "Seconds for the name servers to answer a DNS query; 0 is no limit.", least=0),
    Spec("connection_strategy", "str", "eager",
         "Connect upstream before or after the request is known.", ("eager", "lazy")),
    Spec("connect_addr", "str?", None, "The local address of outgoing connections."),
    Spec("block_global", "bool", True, "Refuse clients with a public address."),
    Spec("block_private", "bool", False, "Refuse clients with a private address."),
    Spec("allow_hosts", "[str]", [], "Intercept only hosts that match one of these expressions.",
         flags=("--allow-hosts",), group=_PROXY),
    Spec("ignore_hosts", "[str]", [], "Pass hosts that match through untouched.",
         flags=("--ignore-hosts",), group=_PROXY),
    Spec("tcp_hosts", "[str]", [], "Treat hosts that match as raw TCP.", flags=("--tcp-hosts",), group=_PROXY),
    Spec("udp_hosts", "[str]", [], "Treat hosts that match as raw UDP, even in front of a name server."),
    Spec("show_ignored_hosts", "bool", False, "Record passed-through connections as TCP flows."),
    Spec("proxyauth", "str?", None, "Ask clients for credentials: USER:PASSWORD, any, @HTPASSWD-FILE, or ldap[s]:…",
         flags=("--proxyauth",), group=_PROXY),
    Spec("upstream_auth", "str?", None,
         "USER:PASSWORD for the upstream proxy or the server of reverse mode.",
         flags=("--upstream-auth",), group=_PROXY),
    Spec("upstream_cert", "bool", True, "Look at the origin's certificate to build ours."),
    Spec("add_upstream_certs_to_client_chain", "bool", False, "Send the origin's chain along."),
    Spec("certs", "[str]", [], "[DOMAIN=]PATH: a certificate with its key, PEM, to use instead of one of our making.",
         flags=("--certs",), group=_PROXY),
    Spec("cert_passphrase", "str?", None, "The passphrase of the given keys."),
    Spec("client_certs", "str?", None, "Client certificates for origins."),
    Spec("request_client_cert", "bool", False, "Ask clients for a certificate."),
    Spec("key_size", "int", 2048, "The RSA size of a newly made certificate authority."),
    Spec("ssl_insecure", "bool", False, "Do not verify origins.", flags=("-k", "--ssl-insecure"), group=_PROXY),
    Spec("ssl_verify_upstream_trusted_ca", "str?", None, "A file of trusted authorities for origins."),
    Spec("ssl_verify_upstream_trusted_confdir", "str?", None, "A folder of trusted authorities for origins."),
    Spec("tls_version_client_min", "str", "TLS1_2", "The lowest TLS version for clients.", TLS_VERSIONS),
    Spec("tls_version_client_max", "str", "UNBOUNDED", "The highest TLS version for clients.", TLS_VERSIONS),
    Spec("tls_version_server_min", "str", "TLS1_2", "The lowest TLS version for origins.", TLS_VERSIONS),
    Spec("tls_version_server_max", "str", "UNBOUNDED", "The highest TLS version for origins.", TLS_VERSIONS),
    Spec("ciphers_client", "str?", None, "OpenSSL cipher list for clients."),
    Spec("ciphers_server", "str?", None, "OpenSSL cipher list for origins."),
    Spec("tls_ecdh_curve_client", "str?", None, "The elliptic curve for clients."),
    Spec("tls_ecdh_curve_server", "str?", None, "The elliptic curve for origins."),
    Spec("validate_inbound_headers", "bool", True, "Refuse malformed header names and ambiguous framing."),
    Spec("normalize_outbound_headers", "bool", True, "Lower-case header names towards HTTP/2."),
    Spec("http_connect_send_host_header", "bool", True, "Send Host with CONNECT to an upstream proxy."),
    Spec("keep_host_header", "bool", False, "Keep the client's Host header in reverse mode."),
    Spec("keep_alt_svc_header", "bool", False, "Keep Alt-Svc headers in reverse mode."),
    Spec("strip_ech", "bool", True, "Take hints at encrypted ClientHello out of DNS answers."),
    Spec("dns_name_servers", "[str]", [], "Name servers of DNS mode, ADDRESS[:PORT]; the system's without."),
    Spec("dns_use_hosts_file", "bool", True, "Let DNS mode use the hosts file."),
    Spec("onboarding", "bool", True, "Serve the page that hands out the certificate."),
    Spec("onboarding_host", "str", "mitm.it", "The host of that page."),
    # not honoured yet
    Spec("modify_headers", "[str]", [], "/[FILTER/]NAME/VALUE", missing=_MODIFY),
    Spec("modify_body", "[str]", [], "/[FILTER/]REGEX/REPLACEMENT", missing=_MODIFY),
    Spec("map_remote", "[str]", [], "/[FILTER/]URL-REGEX/REPLACEMENT", missing=_MODIFY),
    Spec("map_local", "[str]", [], "/[FILTER/]URL-REGEX/PATH", missing=_MODIFY),
    Spec("block_list", "[str]", [], "/FILTER/STATUS", missing=_MODIFY),
    Spec("server_replay", "[str]", [], "Answer from recorded flows.", missing=_REPLAY),
    Spec("server_replay_extra", "str", "forward",
         "What a request without a recording gets.", ("forward", "kill", "204", "400", "404", "500")),
    Spec("server_replay_kill_extra", "bool", False, "Older name of server_replay_extra=kill."),
    Spec("server_replay_reuse", "bool", False, "A recording may answer more than once."),
    Spec("server_replay_nopop", "bool", False, "Older name of server_replay_reuse."),
    Spec("server_replay_refresh", "bool", True, "Move dates in recorded answers to now."),
    Spec("server_replay_use_headers", "[str]", [], "Headers that take part in matching."),
    Spec("server_replay_ignore_params", "[str]", [], "Query parameters that do not take part in matching."),
    Spec("server_replay_ignore_payload_params", "[str]", [], "Form fields that do not take part in matching."),
    Spec("server_replay_ignore_content", "bool", False, "The body does not take part in matching."),
    Spec("server_replay_ignore_host", "bool", False, "The host does not take part in matching."),
    Spec("server_replay_ignore_port", "bool", False, "The port does not take part in matching."),
    Spec("export_preserve_original_ip", "bool", False, "Add --resolve to exported curl commands."),
    Spec("proxy_debug", "bool", False, "Log what the proxy does in detail."),
    Spec("command_history", "bool", True, "Accepted for existing configurations; there is no command prompt here."),
    Spec("protobuf_definitions", "str?", None,
         "A .proto file for the display of bodies.", missing="reading .proto files"),
)  # fmt: skip

_LEAKED_KEY = (
    "flowdump does not sign with the leaked key of a public authority; it signs with its own authority "
    "(see confdir), or with certificates that you give it (see certs)"
)

#: Options of mitmproxy that flowdump does not have on purpose, and why.
REFUSED = {"emudhra": _LEAKED_KEY, "emudhra_old": _LEAKED_KEY}
