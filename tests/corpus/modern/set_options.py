"""Sets options of the program while it runs."""
from mitmproxy import ctx


def running():
    ctx.options.update(anticache=True)
    ctx.options.anticomp = True


def request(flow):
    print(ctx.options.anticache, ctx.options.anticomp, ctx.options.get("nothing", 5) if hasattr(ctx.options, "get") else 5)
