"""Tries to kill flows from a file, politely."""


def request(flow):
    if flow.killable:
        flow.kill()
    else:
        flow.comment = "not killable, live: %s" % bool(flow.live)
