"""Everything that headers can do."""


def request(flow):
    headers = flow.request.headers
    headers.pop("Accept-Encoding", None)
    headers.setdefault("X-Default", "1")
    headers.add("X-Many", "a")
    headers.add("x-many", "b")
    headers.update({"User-Agent": "corpus"})
    headers.insert(0, "X-First", "0")
    headers.set_all("X-All", ["1", "2"])
    if "cookie" in headers and headers["cookie"]:
        headers["X-Cookie-Length"] = str(len(headers["cookie"]))
    print(headers["x-many"], headers.get_all("x-many"), len(headers), dict(headers).keys() >= {"X-First"})
    for k, v in headers.items():
        print(k, "=", v)
    print(bytes(headers)[:20], headers.fields[0])


def response(flow):
    flow.response.headers.pop("Server", None)
    for name in [k for k in flow.response.headers if k.lower().startswith("x-")]:
        del flow.response.headers[name]
