"""Works with text instead of bytes."""


def response(flow):
    if flow.response.headers.get("Content-Type", "").startswith("text/"):
        text = flow.response.get_text(strict=False)
        if text:
            flow.response.text = text.upper() + "ÄÖ€"
