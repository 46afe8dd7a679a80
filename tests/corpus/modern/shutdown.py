"""Ends after some flows."""
from mitmproxy import ctx

count = 0


def response(flow):
    global count
    count += 1
    flow.comment = str(count)
    if count == 500:
        ctx.master.shutdown()
