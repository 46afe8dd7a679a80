"""Helpers for people who test their scripts: flows in :mod:`.tflow`, a running flowdump in :mod:`.taddons`."""
