import mitmproxy.websocket
from mitmproxy import ctx


class Events:
    def start(self):
        pass

    def configure(self, options, updated):
        ctx.log.info("configure %s" % ("rfile" in updated))

    def tick(self):
        pass

    def clientconnect(self, root_layer):
        ctx.log.info("clientconnect")

    def serverconnect(self, server_conn):
        ctx.log.info("serverconnect")

    def http_connect(self, flow):
        ctx.log.info("http_connect")

    def requestheaders(self, flow):
        ctx.log.info("requestheaders")

    def request(self, flow):
        ctx.log.info("request")

    def response(self, flow):
        ctx.log.info("response")

    def websocket_handshake(self, flow):
        ctx.log.info("websocket_handshake")

    def websocket_start(self, flow: mitmproxy.websocket.WebSocketFlow):
        ctx.log.info("websocket_start")

    def websocket_message(self, flow: mitmproxy.websocket.WebSocketFlow):
        ctx.log.info("websocket_message %r" % flow.messages[-1].content)

    def websocket_end(self, flow):
        ctx.log.info("websocket_end")

    def tcp_message(self, flow):
        ctx.log.info("tcp_message")

    def done(self):
        ctx.log.info("done")


addons = [Events()]
