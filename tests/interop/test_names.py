"""What objects of scripts have in mitmproxy, they have here: every public attribute, but for the exceptions named."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.support.flows import environment
from tests.support.mitmproxy import Mitmproxy

LIST = r"""
import json, sys
from importlib import import_module

if sys.argv[1] == "flowdump":
    from flowdump import compat
    compat.install()
from mitmproxy import flow
from mitmproxy import tls
from mitmproxy.test import tflow

def public(thing):
    return sorted(name for name in dir(thing) if not name.startswith("_"))

answered, websocket, dns = tflow.tflow(resp=True, err=True), tflow.twebsocketflow(), tflow.tdnsflow(resp=True)
objects = {
    "HTTPFlow": answered, "Request": answered.request, "Response": answered.response,
    "Headers": answered.request.headers,
    "Client": answered.client_conn, "Server": answered.server_conn, "Error": answered.error,
    "WebSocketData": websocket.websocket, "WebSocketMessage": websocket.websocket.messages[0],
    "TCPFlow": tflow.ttcpflow(), "TCPMessage": tflow.ttcpflow().messages[0], "UDPFlow": tflow.tudpflow(),
    "DNSFlow": dns, "DNSMessage": dns.request, "Question": dns.request.question,
    "ResourceRecord": dns.response.answers[0],
    "ClientHello": tls.ClientHello(bytes.fromhex("0303" + "00" * 33 + "0002" "1301" "0100")),
    "query": answered.request.query,
}
classes = ["certs.Cert", "coretypes.multidict.MultiDict", "addonmanager.AddonManager",
           "addonmanager.Loader", "command.CommandManager", "master.Master", "optmanager.OptManager", "io.FlowReader",
           "io.FlowWriter", "test.taddons.context", "proxy.mode_specs.ReverseMode", "contentviews.Contentview"]
for name in classes:
    module, _, cls = name.rpartition(".")
    objects[cls] = getattr(import_module(f"mitmproxy.{module}"), cls)
json.dump({name: public(thing) for name, thing in objects.items()}, sys.stdout)
"""

#: What is not here, and why.
MISSING = {
    # another library's certificates, which flowdump does not use
    "Cert": {"from_pyopenssl", "to_pyopenssl", "set_state"},
    # half-typed commands, for a prompt that there is none of
    "CommandManager": {"parse_partial", "dump"},
    # inner workings of mitmproxy that no script was seen to use
    "AddonManager": {"handle_lifecycle"},
    "Master": {"run", "running", "done"},
    "OptManager": {"make_parser", "process_deferred", "rollback", "merge"},
    "FlowReader": {"peek"},
    "ReverseMode": {"default_port", "copy", "set_state"},
    "DNSMessage": {"HEADER"},
    "Question": {"HEADER"},
    "ResourceRecord": {"HEADER"},
}


def test_every_attribute_is_there(mitmproxy: Mitmproxy) -> None:
    def names(python: str, who: str) -> dict[str, list[str]]:
        done = subprocess.run(
            [python, "-W", "ignore", "-c", LIST, who],
            capture_output=True, text=True, env=environment(), timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)  # type: ignore[no-any-return]

    ours, theirs = names(sys.executable, "flowdump"), names(mitmproxy.python, "mitmproxy")
    missing = {name: set(known) - set(ours[name]) - MISSING.get(name, set()) for name, known in theirs.items()}
    assert {name: gone for name, gone in missing.items() if gone} == {}
    assert len(theirs) == 30
