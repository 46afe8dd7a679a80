"""Puts a script into pages, and takes the policy away."""
from mitmproxy import http

SNIPPET = "<script>alert(1)</script>"


class Injector:
    def response(self, flow: http.HTTPFlow) -> None:
        if flow.request.host == "127.0.0.1":
            return
        if flow.response.headers.get("content-type", "").startswith("text/html") and flow.response.content:
            flow.response.decode(strict=False)
            html = flow.response.get_text(strict=False)
            flow.response.text = html.replace("</body>", SNIPPET + "</body>")
            flow.response.headers.pop("content-security-policy", None)


addons = [Injector()]
