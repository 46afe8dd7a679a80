"""Reads and sets cookies on both sides."""


def request(flow):
    for name, value in flow.request.cookies.items():
        print("cookie", name, value)
    if "session" in flow.request.cookies:
        flow.request.cookies["session"] = "stolen"


def response(flow):
    for name, (value, attrs) in flow.response.cookies.items():
        print("set-cookie", name, value, list(attrs.items()))
    if "set-cookie" in flow.response.headers:
        del flow.response.headers["set-cookie"]
