"""``mitmproxy.hooks``: events as objects, for ``ctx.master.addons.trigger``."""

from flowdump.compat.shims.hook_objects import ConfigureHook, DoneHook, Hook, RunningHook, UpdateHook, all_hooks

__all__ = ["ConfigureHook", "DoneHook", "Hook", "RunningHook", "UpdateHook", "all_hooks"]
