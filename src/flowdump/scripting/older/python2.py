"""What tells that a script was written for Python 2, besides its syntax."""

from __future__ import annotations

#: Modules, built-in names and methods that there were.
_MODULES = {
    "__builtin__", "BaseHTTPServer", "ConfigParser", "Cookie", "cookielib", "cPickle", "cStringIO", "HTMLParser",
    "httplib", "Queue", "SimpleHTTPServer", "SocketServer", "StringIO", "thread", "Tkinter", "urllib2", "urlparse",
    "UserDict", "xmlrpclib",
}  # fmt: skip
_NAMES = {
    "basestring", "cmp", "execfile", "file", "long", "raw_input", "reduce", "reload", "unichr", "unicode", "xrange",
}  # fmt: skip
_METHODS = {"has_key", "iteritems", "iterkeys", "itervalues"}

_GONE: dict[type[BaseException], set[str]] = {
    ModuleNotFoundError: _MODULES,
    NameError: _NAMES,
    AttributeError: _METHODS,
}


def hint(error: BaseException) -> str:
    """What to append to the text of an error that Python 2 would not have raised; nothing for others."""
    gone = getattr(error, "name", None) in _GONE.get(type(error), ())
    return " (of Python 2: the script is not valid Python 3)" if gone else ""
