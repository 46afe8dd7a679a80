"""Collects facts of connections and messages, as the HAR exporters of that time did."""
import json

from mitmproxy import connections, version
from mitmproxy.net.http import cookies
from mitmproxy.utils import strutils

ENTRIES = []


def response(flow):
    ENTRIES.append(
        {
            "ip": flow.server_conn.ip_address[0] if flow.server_conn.ip_address else "",
            "tls": flow.server_conn.ssl_established,
            "cipher": flow.client_conn.cipher_name,
            "server": isinstance(flow.server_conn, connections.ServerConnection),
            "size": len(flow.response.raw_content or b""),
            "cookies": [c[0] for c in cookies.parse_set_cookie_headers(flow.response.headers.get_all("set-cookie"))],
            "binary": strutils.is_mostly_bin(flow.response.raw_content or b""),
            "version": bool(version.VERSION),
        }
    )


def done():
    print(json.dumps(ENTRIES))
