"""``mitmproxy.optmanager``: options, and the files they are kept in."""

from flowdump.compat.shims.options import (
    OptManager,
    dump_defaults,
    dump_dicts,
    load,
    load_paths,
    relative_path,
    save,
    serialize,
)

__all__ = ["OptManager", "dump_defaults", "dump_dicts", "load", "load_paths", "relative_path", "save", "serialize"]
