"""Post messages to mitmproxy's event log, and listen to it."""
from mitmproxy import ctx

seen = []


def load(l):
    ctx.log.info("This is some informative text.")
    ctx.log.warn("This is a warning.")
    ctx.log.error("This is an error.")


def log(entry):
    seen.append((entry.level, entry.msg))


def request(flow):
    ctx.log("from request", level="warn")
    flow.comment = repr(seen[-1])
