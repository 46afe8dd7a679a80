"""Keeps images and JSON as files."""
import os
import re


def response(flow):
    kind = flow.response.headers.get("content-type", "").split(";")[0]
    if kind.startswith("image/") or kind == "application/json":
        name = re.sub(r"[^a-z0-9]+", "_", flow.request.host + flow.request.path.split("?")[0])
        os.makedirs("bodies", exist_ok=True)
        with open(os.path.join("bodies", name), "wb") as f:
            f.write(flow.response.get_content(strict=False) or b"")
