"""Sets whole URLs, and parts of them."""


def request(flow):
    if flow.request.pretty_host == "old.example.com":
        flow.request.url = flow.request.url.replace("old.example.com", "new.example.com:8443").replace("http:", "https:")
    if flow.request.path == "/":
        flow.request.path = "/index.html"
    if flow.request.path_components and flow.request.path_components[0] == "api":
        flow.request.path_components = ("v2",) + tuple(flow.request.path_components[1:])
    print(flow.request.scheme, flow.request.host, flow.request.port, flow.request.path, flow.request.http_version)
