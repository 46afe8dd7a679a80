"""Replaces words in HTML and JSON, whatever their coding."""


def response(flow):
    kind = flow.response.headers.get("content-type", "")
    if "html" in kind or "json" in kind:
        if flow.response.content:
            flow.response.content = flow.response.content.replace(b"world", b"flow")
