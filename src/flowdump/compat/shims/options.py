"""``mitmproxy.options``, ``optmanager`` and ``utils.typecheck``: options that a program creates, in YAML files too."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TextIO

from flowdump import options
from flowdump.exceptions import OptionsError
from flowdump.options.store import fits, type_name

CONF_DIR = "~/.flowdump"
CONF_BASENAME = "flowdump"
CONTENT_VIEW_LINES_CUTOFF = 512
KEY_SIZE = 2048


class Options(options.Options):
    """All options of flowdump; keyword arguments set values. Raises OptionsError for an invalid one."""

    def __init__(self, **values: Any) -> None:
        super().__init__()
        self.update(**values)

    def add_option(
        self, name: str, typespec: Any, default: Any, help: str, choices: Sequence[str] | None = None, source: str = ""
    ) -> None:
        """Declare an option. Built-in ones, which programs declared for older masters, stay as they are."""
        if source or name not in self:
            super().add_option(name, typespec, default, help, choices, source)

    def merge(self, values: dict[str, Any]) -> None:
        """Set the values that are not None; lists are extended."""
        own = {name: value for name, value in values.items() if value is not None}
        self.update(**{name: _added(getattr(self, name, None), value) for name, value in own.items()})


def _added(old: Any, new: Any) -> Any:
    return [*old, *new] if isinstance(old, list) and isinstance(new, list | tuple) else new


class OptManager(options.Options):
    """An empty set of options, for ``add_option(name, typespec, default, help)``."""

    def __init__(self) -> None:
        super().__init__(())

    def subscribe(self, func: Callable[..., Any], opts: Sequence[str] | None = None) -> None:
        """Call ``func(options, updated)`` when one of ``opts`` changes. Raises OptionsError for an unknown option."""
        for name in opts or ():
            self.spec(name)

        def notify(changed: set[str]) -> None:
            mine = changed & set(opts or changed)
            if mine:
                func(self, mine)

        super().subscribe(notify)


def load_paths(opts: options.Options, *paths: str | Path) -> None:
    """Set options from YAML files; missing files are skipped. Raises OptionsError."""
    for path in paths:
        options.load_config(opts, os.path.expanduser(path))


def load(opts: options.Options, text: str, cwd: Path | str | None = None) -> None:
    """Set options from YAML text. Raises OptionsError."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "options.yaml")
        path.write_text(text, encoding="utf-8")
        options.load_config(opts, str(path))


def dump_dicts(opts: options.Options, keys: Iterable[str] | None = None) -> dict[str, dict[str, Any]]:
    """Type, default, value, help and choices of each option."""
    wanted = sorted(keys if keys is not None else opts.keys())
    return {
        spec.name: {
            "type": spec.type,
            "default": spec.default,
            "value": getattr(opts, spec.name),
            "help": spec.help,
            "choices": list(spec.choices) or None,
        }
        for spec in map(opts.spec, wanted)
    }


def dump_defaults(opts: options.Options, out: TextIO) -> None:
    """Write all options as YAML, with their help texts as comments."""
    out.write(options.listing(opts))


def serialize(opts: options.Options, file: TextIO, text: str, defaults: bool = False) -> None:
    """Write the options that differ from their defaults (or all of them) into the YAML ``text``."""
    import yaml

    try:
        values = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise OptionsError(f"not valid YAML: {error}") from None
    if not isinstance(values, dict):
        raise OptionsError("not valid YAML: a mapping of option names to values is expected")
    for name in opts.keys():  # noqa: SIM118 - no dict
        if defaults or opts.has_changed(name):
            values[name] = getattr(opts, name)
        else:
            values.pop(name, None)
    yaml.safe_dump(values, file)


def save(opts: options.Options, path: Path | str, defaults: bool = False) -> None:
    """Save the options in a YAML file; its other entries stay. Raises OptionsError."""
    target = Path(path).expanduser()
    try:
        text = target.read_text(encoding="utf-8") if target.exists() else ""
    except UnicodeDecodeError as error:
        raise OptionsError(f"cannot read {str(path)!r}: {error}") from None
    with target.open("w", encoding="utf-8") as file:
        serialize(opts, file, text, defaults)


def relative_path(script_path: Path | str, *, relative_to: Path | str) -> Path:
    """The absolute path, relative to a folder; ``~`` is expanded."""
    return Path(relative_to, Path(script_path).expanduser()).absolute()


#: The types of options in the words of ``mitmproxy.utils.typecheck``.
_TYPE_NAMES = {
    "str?": "optional str",
    "int?": "optional int",
    "bool?": "optional bool",
    "float?": "optional float",
    "[str]": "sequence of str",
}


def typespec_to_str(typespec: Any) -> str:
    """``Optional[int]`` -> ``"optional int"``. Raises NotImplementedError for a type that no option can have."""
    try:
        name = type_name(typespec)
    except OptionsError as error:
        raise NotImplementedError(str(error)) from None
    return _TYPE_NAMES.get(name, name)


def check_option_type(name: str, value: Any, typeinfo: Any) -> None:
    """Check the value of an option. Raises TypeError if it does not fit the option's type."""
    if not fits(type_name(typeinfo), value):
        raise TypeError(f"Expected {typeinfo} for {name}, but got {type(value)}.")
