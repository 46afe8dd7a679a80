"""Logs through ctx, at all levels, and listens to nobody."""
from mitmproxy import ctx


def load(l):
    ctx.log.info("loaded")


def running():
    ctx.log.debug("running")


def response(flow):
    ctx.log.warn("careful")
    ctx.log.error("wrong: %s" % flow.request.path)
    ctx.log.alert("look")
    ctx.log("plain")
    ctx.log("worse", "error")
    flow.comment = "logged"
