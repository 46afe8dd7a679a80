"""Annotations and imports of all kinds of data classes."""
import typing

import mitmproxy.http
from mitmproxy import connection, flow, tcp, tls, udp, websocket
from mitmproxy.addonmanager import Loader
from mitmproxy.certs import Cert
from mitmproxy.connection import Client, Server
from mitmproxy.coretypes.multidict import MultiDict, MultiDictView
from mitmproxy.flow import Error
from mitmproxy.log import ALERT
from mitmproxy.net.server_spec import ServerSpec, parse
from mitmproxy.proxy.mode_specs import ProxyMode, ReverseMode
from mitmproxy.proxy.server_hooks import ServerConnectionHookData
from mitmproxy.tls import ClientHelloData, TlsData


class Annotated:
    def load(self, loader: Loader):
        self.cert: typing.Optional[Cert] = None

    def server_connect(self, data: ServerConnectionHookData):
        pass

    def tls_clienthello(self, data: ClientHelloData):
        pass

    def tls_start_client(self, data: TlsData):
        pass

    def request(self, flow: mitmproxy.http.HTTPFlow):
        print(isinstance(flow.client_conn, Client), isinstance(flow.server_conn, Server), ALERT)
        print(parse("example.com:8080", "https"), ReverseMode.parse("reverse:http://h:1").address)
        print(flow.client_conn.proxy_mode.type_name, flow.client_conn.proxy_mode == ProxyMode.parse("regular"))
        print(isinstance(flow.request.query, MultiDictView), issubclass(mitmproxy.http.Headers, MultiDict))

    def error(self, flow: flow.Flow):
        print(isinstance(flow.error, Error), str(flow.error))

    def websocket_message(self, flow):
        print(isinstance(flow.websocket.messages[-1], websocket.WebSocketMessage), len(flow.websocket.messages))

    def tcp_message(self, flow: tcp.TCPFlow):
        print(isinstance(flow.messages[-1], tcp.TCPMessage), isinstance(flow, udp.UDPFlow), connection.ConnectionState.OPEN)


addons = [Annotated()]
