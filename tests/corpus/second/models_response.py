"""As in 0.18: answers through mitmproxy.models, with a reply."""
from mitmproxy.models import HTTPResponse
from mitmproxy.net.http import Headers


def request(flow):
    if flow.request.path.endswith("/login"):
        flow.response = HTTPResponse(
            "HTTP/1.1", 401, "Unauthorized", Headers(Content_Type="text/plain", X_Made="1"), b"no"
        )
