"""Writes down what was asked for; keeps a set on the context."""


def start(ctx):
    ctx.urls = set()


def response(ctx, flow):
    ctx.urls.add((flow.response.code, flow.response.msg, flow.request.get_url(), flow.response.httpversion))
    if flow.match("~t json"):
        flow.response.headers["x-json"] = ["yes"]


def done(ctx):
    for url in sorted(ctx.urls):
        print(url)
