"""``mitmproxy.types``: what scripts annotate the arguments of commands with."""

from flowdump.runtime.arguments import Choice, Cmd, CmdArgs, CutSpec, Data, Marker, Path, Space, Unknown

__all__ = ["Choice", "Cmd", "CmdArgs", "CutSpec", "Data", "Marker", "Path", "Space", "Unknown"]
