"""Takes away what keeps pages from being embedded, adds CORS."""
from mitmproxy import http


class Cors:
    def request(self, flow: http.HTTPFlow):
        if flow.request.method == "OPTIONS":
            flow.response = http.Response.make(
                204, b"", {"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Methods": "GET, POST"}
            )

    def response(self, flow: http.HTTPFlow):
        for name in ["Content-Security-Policy", "X-Frame-Options", "Strict-Transport-Security"]:
            if name in flow.response.headers:
                del flow.response.headers[name]
        flow.response.headers["Access-Control-Allow-Origin"] = flow.request.headers.get("Origin", "*")


addons = [Cors()]
