"""Hears of updates."""

updates = []


def response(flow):
    flow.request.headers["x-updated"] = "1"


def done():
    print("done")
