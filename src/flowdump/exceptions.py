"""Every error that flowdump raises on purpose.

::

    FlowdumpError
    ├── UserError               something the person at the keyboard can mend; shown as one message, exit code 1
    │   ├── OptionsError        an option's name or value
    │   │   ├── UnknownOption   no option is called so (also a KeyError)
    │   │   └── WrongType       the value is of another type than the option (also a TypeError)
    │   ├── FilterError         a filter expression (also a ValueError)
    │   └── ScriptError         a script that cannot be found, compiled, imported or started
    ├── FlowFileError           a flow file or HAR that cannot be read; knows path, byte offset and flows read so far
    ├── ControlException        a flow was asked for something its state forbids (``kill()`` on a saved flow)
    ├── CommandError            a command was called with wrong arguments
    ├── AddonManagerError       an addon cannot be added (its name is taken)
    └── AddonHalt               raised by a handler: later addons do not get this event

    SystemExit
    └── EndedNow                a second signal: nothing is waited for any more

Names that scripts know from mitmproxy (``OptionsError``, ``CommandError``, ``ControlException``, ``AddonHalt``,
``FlowReadException``) are kept.
"""

from __future__ import annotations


class FlowdumpError(Exception):
    """The base class of every exception that flowdump itself raises."""


class UserError(FlowdumpError):
    """A mistake in a command line, an option, a filter or a path. The text is a whole sentence for people."""


class OptionsError(UserError):
    """An unknown option, or a value that does not fit its type."""


class UnknownOption(OptionsError, KeyError):
    """No option is called so. Scripts, and their tests, may expect a KeyError."""

    __str__ = Exception.__str__  # that of KeyError is a repr


class WrongType(OptionsError, TypeError):
    """The value is of another type than the option. Scripts, and their tests, may expect a TypeError."""


class FilterError(UserError, ValueError):
    """A filter expression that cannot be parsed; the text holds the expression and marks the position."""


class ScriptError(UserError):
    """A script that cannot be loaded; the text names file and line where there is one."""


class FlowFileError(FlowdumpError):
    """A flow file or a HAR is damaged, or is neither of the two.

    ``path`` is the file as the user named it (``-`` for stdin), ``offset`` the byte where reading failed,
    ``flows_read`` how many flows came out before.
    """

    def __init__(
        self, message: str, *, path: str | None = None, offset: int | None = None, flows_read: int = 0
    ) -> None:
        super().__init__(message)
        self.path = path
        self.offset = offset
        self.flows_read = flows_read


FlowReadException = FlowFileError


class ControlException(FlowdumpError):
    """A flow cannot do that now: it is not live, or it has been killed already."""


class FlowGivenUp(FlowdumpError):
    """A handler of a saved flow raised, and the option ``script_errors`` says that such a flow is not to be kept."""


class CommandError(FlowdumpError):
    """A command was called with the wrong number or kind of arguments, or it failed."""


class AddonManagerError(FlowdumpError):
    """An addon of the same name is there already, or none of that name is."""


class EndedNow(SystemExit):
    """A second signal came. No handler of a script may take it for its own ``sys.exit()``."""


class AddonHalt(FlowdumpError):
    """Raised inside a handler to keep the remaining addons from seeing the current event."""
