"""Options: what they are (``table.py``), and their values in one run (``store.py``)."""

from flowdump.options.store import Deferred, Options, listing, load_config, parse_size, save_config

__all__ = ["Deferred", "Options", "listing", "load_config", "parse_size", "save_config"]
