"""Edits a JSON body."""
import json

from mitmproxy import http


class EditJson:
    def response(self, flow: http.HTTPFlow) -> None:
        if "application/json" not in flow.response.headers.get("content-type", ""):
            return
        try:
            data = json.loads(flow.response.text)
        except (ValueError, TypeError):
            return
        if isinstance(data, dict):
            data["premium"] = True
            data.pop("ads", None)
            flow.response.text = json.dumps(data, sort_keys=True)


addons = [EditJson()]
