from libmproxy.protocol.http import HTTPResponse
from netlib.odict import ODictCaseless


def request(context, flow):
    if flow.request.pretty_host(hostheader=True).endswith("example.com") and flow.request.method == "POST":
        resp = HTTPResponse([1, 1], 200, "OK", ODictCaseless([["Content-Type", "text/html"]]), b"helloworld")
        flow.reply(resp)
