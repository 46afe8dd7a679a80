"""The native flow file: a concatenation of tagged netstrings, one flow each, read and written lazily."""

from flowdump.formats.flowfile.reader import FlowReader, FlowWriter

__all__ = ["FlowReader", "FlowWriter"]
