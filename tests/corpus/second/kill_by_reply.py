"""flow.reply, as it was up to mitmproxy 6."""


def request(flow):
    if flow.request.pretty_host == "cdn.example.com":
        flow.reply.kill(force=True)
        flow.comment = "tried"
