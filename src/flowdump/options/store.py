"""The options of a running flowdump: typed values, changed all together or not at all.

Values are immutable in spirit and stored as plain attributes, so reading ``options.showhost`` costs an attribute read.
Sizes and filters are parsed once, when they are set: ``options.filter("dumper_filter")``,
``options.size("body_size_limit")``. An update validates every value first, then applies them, then tells the
subscribers; when one of those objects, the old values come back.

A name that a script has yet to declare may be given with ``--set`` all the same: it is kept as text until
``loader.add_option`` declares it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from flowdump.exceptions import FilterError, OptionsError, UnknownOption, WrongType
from flowdump.options.table import OPTIONS, REFUSED, Spec

_SIZE = re.compile(r"([0-9]+)\s*([kmg]?)b?", re.IGNORECASE).fullmatch
_INT = re.compile(r"\s*[+-]?[0-9]+\s*").fullmatch
_FLOAT = re.compile(r"\s*[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\s*").fullmatch
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_BOOLS = {"true": True, "false": False, "1": True, "0": False, "yes": True, "no": False, "on": True, "off": False}

#: Options of the console and web interfaces, which a shared configuration may hold: nothing here could honour them.
FOREIGN = re.compile(r"(?:console|web|view|intercept)(?:_\w+)?")


Names = set[str]


class Deferred(NamedTuple):
    """A value that was set before its option was declared, and where it came from."""

    name: str
    values: list[str | None]
    source: str


class Options:
    """All options, as attributes. Scripts use it as ``ctx.options``."""

    def __init__(self, table: Iterable[Spec] = OPTIONS) -> None:
        own = self.__dict__
        own["_specs"] = {spec.name: spec for spec in table}
        own["_parsed"] = {}
        own["_deferred"] = {}
        own["_subscribers"] = []
        own["_given"] = set()
        #: Who declared the options that are not in the table.
        own["_sources"] = {}
        for spec in self._specs.values():
            own[spec.name] = _copied(spec.default)

    # -- reading -------------------------------------------------------------------------------------------------

    def __contains__(self, name: object) -> bool:
        return name in self._specs

    def __iter__(self) -> Iterator[str]:
        return iter(self._specs)

    def keys(self) -> Names:
        return set(self._specs)

    def items(self) -> list[tuple[str, Any]]:
        """``(name, value)`` of every option."""
        return [(name, getattr(self, name)) for name in self._specs]

    def get(self, name: str, default: Any = None) -> Any:
        return getattr(self, name) if name in self._specs else default

    def spec(self, name: str) -> Spec:
        """What is declared of an option. Raises OptionsError for an unknown name, with the nearest ones."""
        if name not in self._specs:
            raise UnknownOption(_unknown(name, self._specs))
        return self._specs[name]  # type: ignore[no-any-return]

    def specs(self) -> list[Spec]:
        return list(self._specs.values())

    def default(self, name: str) -> Any:
        return _copied(self.spec(name).default)

    def has_changed(self, name: str) -> bool:
        return bool(getattr(self, name) != self.spec(name).default)

    def was_given(self, name: str) -> bool:
        """Whether an option was set explicitly, be it to its default."""
        return name in self._given

    def filter(self, name: str) -> Callable[[Any], bool] | None:
        """The compiled filter of a ``filter?`` option, None when it is not set."""
        return self._parsed.get(name)  # type: ignore[no-any-return]

    def size(self, name: str) -> int | None:
        """The bytes of a ``size?`` option, None when it is not set."""
        return self._parsed.get(name)  # type: ignore[no-any-return]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        # Reached only for names that are not stored: undeclared options.
        raise AttributeError(f"unknown option {name!r}{nearest(name, self.__dict__['_specs'])}")

    # -- changing ------------------------------------------------------------------------------------------------

    def __setattr__(self, name: str, value: Any) -> None:
        self.update(**{name: value})

    def update(self, **values: Any) -> None:
        """Set several options at once. Raises OptionsError, with nothing changed, when a name or a value is wrong."""
        for name in values:
            self.spec(name)
        self._apply({name: _checked(self._specs[name], value) for name, value in values.items()})
        self._given.update(values)

    def update_known(self, **values: Any) -> dict[str, Any]:
        """Set those that are declared; gives back the others."""
        known = {name: value for name, value in values.items() if name in self._specs}
        self.update(**known)
        return {name: value for name, value in values.items() if name not in known}

    def update_defer(self, **values: Any) -> None:
        """Set those that are declared and keep the others until they are."""
        for name, value in self.update_known(**values).items():
            items = value if isinstance(value, list | tuple) else [value]
            texts = [None if item is None else str(item) for item in items]
            self._deferred[name] = Deferred(name, texts, "a script")

    def set(self, *assignments: str, defer: bool = False, source: str = "--set") -> None:
        """``set("name=value", …)``: values as text, as on a command line.

        A bare name sets a bool to true, and anything else to unset; a list collects its items. With ``defer`` an
        undeclared name is kept for later. Raises OptionsError.
        """
        collected: dict[str, list[str | None]] = {}
        for assignment in assignments:
            name, equals, text = assignment.partition("=")
            collected.setdefault(name.strip(), []).append(text if equals else None)
        values = {}
        for name, texts in collected.items():
            if name in self._specs:
                values[name] = _parsed_texts(self._specs[name], texts, getattr(self, name))
            elif defer:
                self._deferred[name] = Deferred(name, texts, source)
            else:
                self.spec(name)
        self.update(**values)

    def setter(self, name: str) -> Callable[[Any], None]:
        """A function that sets an option. Raises OptionsError for an unknown name."""
        self.spec(name)
        return lambda value: self.update(**{name: value})

    def toggler(self, name: str) -> Callable[[], None]:
        """A function that flips a bool option."""
        if self.spec(name).type != "bool":
            raise OptionsError(f"option {name!r} is not a bool")
        return lambda: self.update(**{name: not getattr(self, name)})

    def reset(self) -> None:
        """Every option back to its default."""
        self._apply({spec.name: _copied(spec.default) for spec in self._specs.values()})
        self._given.clear()

    def _apply(self, values: dict[str, Any]) -> None:
        changed = {name for name, value in values.items() if getattr(self, name) != value}
        if not changed:
            return
        parsed = {name: _parse(self._specs[name], values[name]) for name in changed}
        old_values = {name: getattr(self, name) for name in changed}
        old_parsed = dict(self._parsed)
        self.__dict__.update((name, values[name]) for name in changed)
        self._parsed.update(parsed)
        told = []
        try:
            for subscriber in list(self._subscribers):
                told.append(subscriber)
                subscriber(changed)
        except Exception:
            self.__dict__.update(old_values)
            self.__dict__["_parsed"] = old_parsed
            for subscriber in told[:-1]:  # they have taken over what does not hold any more
                subscriber(changed)
            raise

    def subscribe(self, subscriber: Callable[[Names], None]) -> None:
        """Call ``subscriber`` with the names that changed, after each update; it may raise OptionsError to undo it."""
        self._subscribers.append(subscriber)

    # -- declaring -----------------------------------------------------------------------------------------------

    def add_option(
        self, name: str, typespec: Any, default: Any, help: str, choices: Sequence[str] | None = None, source: str = ""
    ) -> None:
        """Declare an option; a value that was set for it before now takes effect.

        ``typespec`` is str, bool, int, float, Optional of one of these, or Sequence[str]. Declaring it again with the
        same type is no error. ``source`` is who declares it, for people; a script that is loaded again, changed, may
        declare another type and default, and loses a value that does not fit. Raises OptionsError.
        """
        if name.startswith("_") or hasattr(Options, name):
            raise OptionsError(f"an option cannot be called {name!r}: ctx.options.{name} is something else")
        spec = Spec(name, type_name(typespec), default, help, tuple(choices or ()))
        known = self._specs.get(name)
        again = known is not None and bool(source) and self._sources.get(name) == source
        if known is not None and (name in _BUILT_IN or (known.type != spec.type and not again)):
            raise OptionsError(_twice(spec, source, known, self._sources.get(name, "")))
        value = _checked(spec, default)
        self._specs[name] = spec
        if known is None or (again and not self._stands(spec)):
            self.__dict__[name] = value
            self._sources[name] = source
        deferred = self._deferred.pop(name, None)
        if deferred is not None:
            self.update(**{name: _parsed_texts(spec, deferred.values)})

    def _stands(self, spec: Spec) -> bool:
        """Whether a value was set explicitly that the option can still have."""
        if spec.name not in self._given:
            return False
        try:
            _checked(spec, getattr(self, spec.name))
        except OptionsError:
            return False
        return True

    def check_leftovers(self) -> None:
        """Raises OptionsError when an option was set that nothing has declared."""
        for deferred in self._deferred.values():
            if deferred.source.endswith(".yaml") and FOREIGN.fullmatch(deferred.name):
                continue  # for another program that shares the configuration
            raise OptionsError(f"{deferred.source}: {_unknown(deferred.name, self._specs)}")


_BUILT_IN = frozenset(spec.name for spec in OPTIONS)


def _twice(spec: Spec, source: str, known: Spec, known_source: str) -> str:
    """What to say when an option is declared again and cannot be."""
    if not source:
        return f"option {spec.name!r} is declared already, as {known.type}"
    owner = "flowdump itself" if known.name in _BUILT_IN else known_source or "another addon"
    return (
        f"option {spec.name!r} is declared already, as {known.type} by {owner}, and as {spec.type} by {source}: "
        "one of them has to be renamed"
    )


def type_name(typespec: Any) -> str:
    """``Optional[str]`` -> ``"str?"``, and so on. Raises OptionsError for types that options cannot have."""
    if isinstance(typespec, str):
        return typespec
    simple = {str: "str", bool: "bool", int: "int", float: "float"}
    if typespec in simple:
        return simple[typespec]
    import typing

    arguments = typing.get_args(typespec)
    if type(None) in arguments and len(arguments) == 2:
        inner = simple.get(next(a for a in arguments if a is not type(None)), "")
        if inner:
            return f"{inner}?"
    origin = typing.get_origin(typespec)
    if isinstance(origin, type) and issubclass(origin, Sequence) and arguments[:1] == (str,):
        return "[str]"
    raise OptionsError(f"an option cannot be of type {typespec!r}")


def parse_size(text: str) -> int:
    """``"3m"`` -> 3145728. Raises OptionsError."""
    found = _SIZE(text.strip())
    if not found:
        raise OptionsError(f"{text!r} is not a size: a number of bytes with an optional k, m or g, such as 512k or 3m")
    return int(found[1]) * _UNITS[found[2].lower()]


def _parse(spec: Spec, value: Any) -> Any:
    """The parsed form of a size or a filter; None for other types."""
    if value is None or value == "":
        return None
    if spec.type == "size?":
        try:
            return parse_size(value)
        except OptionsError as error:
            raise OptionsError(f"option {spec.name!r}: {error}") from None
    if spec.type == "filter?":
        from flowdump import filters

        try:
            return filters.parse(value)
        except FilterError as error:
            raise OptionsError(f"option {spec.name!r}: {error}") from None
    return None


def _parsed_texts(spec: Spec, texts: list[str | None], current: Any = None) -> Any:
    """The value of what was written as ``name=text``, several times for lists."""
    if spec.type == "[str]":
        return [text for text in texts if text]
    text = texts[-1]
    if text is None:
        if spec.type in ("bool", "bool?"):
            return True
        if spec.type.endswith("?"):
            return None
        if spec.type == "str":
            return ""
        raise OptionsError(f"option {spec.name!r} needs a value: --set {spec.name}=…")
    kind = spec.type.rstrip("?")
    if kind == "bool":
        return not current if text.strip().lower() == "toggle" else _parse_bool(spec, text)
    if kind in _NUMBERS:
        return _parse_number(spec, text)
    return text


def _parse_bool(spec: Spec, text: str) -> Any:
    try:
        return _BOOLS[text.strip().lower()]
    except KeyError:
        raise OptionsError(f"option {spec.name!r} is true or false, not {text!r}") from None


def _parse_number(spec: Spec, text: str) -> int | float | None:
    if not text and spec.type.endswith("?"):
        return None
    kind, is_one, what = _NUMBERS[spec.type.rstrip("?")]
    if not is_one(text):
        raise OptionsError(f"option {spec.name!r} is {what}, not {text!r}")
    return kind(text)


_NUMBERS: dict[str, tuple[type[int] | type[float], Callable[[str], Any], str]] = {
    "int": (int, _INT, "a whole number"),
    "float": (float, _FLOAT, "a number"),
}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_CHECKS: dict[str, Callable[[Any], bool]] = {
    "str": lambda value: isinstance(value, str),
    "str?": lambda value: value is None or isinstance(value, str),
    "filter?": lambda value: value is None or isinstance(value, str),
    "size?": lambda value: value is None or isinstance(value, str),
    "bool": lambda value: isinstance(value, bool),
    "bool?": lambda value: value is None or isinstance(value, bool),
    "float": _is_number,
    "float?": lambda value: value is None or _is_number(value),
    "int": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "int?": lambda value: value is None or (isinstance(value, int) and not isinstance(value, bool)),
    "[str]": lambda value: isinstance(value, list | tuple) and all(isinstance(item, str) for item in value),
}


def fits(type: str, value: Any) -> bool:
    """Whether a value is of a type such as ``"int?"``."""
    return type in _CHECKS and _CHECKS[type](value)


def _checked(spec: Spec, value: Any) -> Any:
    """``value`` if it fits. Raises OptionsError."""
    if spec.type == "size?" and isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not fits(spec.type, value):
        raise WrongType(f"option {spec.name!r} is of type {spec.type}, {value!r} is not")
    if spec.least is not None and value is not None and value < spec.least:
        raise OptionsError(f"option {spec.name!r} is {spec.least} or more, not {value!r}")
    if spec.choices and value is not None and value not in spec.choices:
        raise OptionsError(f"option {spec.name!r} is one of {', '.join(map(str, spec.choices))}, not {value!r}")
    _parse(spec, value)
    if spec.missing and value != spec.default:
        raise OptionsError(f"option {spec.name!r}: {spec.missing} is not part of this version of flowdump")
    return list(value) if spec.type == "[str]" else value


def _copied(value: Any) -> Any:
    return list(value) if isinstance(value, list) else value


def _unknown(name: str, names: Iterable[str]) -> str:
    if name in REFUSED:
        return f"option {name!r} is refused: {REFUSED[name]}"
    return f"unknown option {name!r}{nearest(name, names)}"


def nearest(name: str, names: Iterable[str]) -> str:
    """``"; did you mean 'a' or 'b'?"``, empty where nothing is near."""
    from difflib import get_close_matches

    near = get_close_matches(name, list(names), n=3, cutoff=0.6)
    return f"; did you mean {' or '.join(map(repr, near))}?" if near else ""


def load_config(options: Options, path: str) -> None:
    """Take over the options of a ``config.yaml``; a missing file is fine. Raises OptionsError, naming the file."""
    try:
        with open(path, encoding="utf-8") as fo:
            text = fo.read()
    except FileNotFoundError:
        return
    except (OSError, UnicodeDecodeError) as error:
        raise OptionsError(f"cannot read {path!r}: {getattr(error, 'strerror', None) or error}") from None
    import yaml

    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise OptionsError(f"{path}: not valid YAML: {error}") from None
    if values is None:
        return
    if not isinstance(values, Mapping):
        raise OptionsError(f"{path}: a mapping of option names to values is expected")
    for name, value in values.items():
        _set_configured(options, path, str(name), value)


def save_config(options: Options, path: str) -> None:
    """Write what differs from the defaults into a ``config.yaml``; entries that it has for other names stay.

    Raises OptionsError when the file is no such file, or cannot be written.
    """
    import yaml

    kept: dict[Any, Any] = {}
    try:
        if os.path.exists(path):
            with open(path, encoding="utf-8") as fo:
                kept = yaml.safe_load(fo) or {}
        if not isinstance(kept, dict):
            raise OptionsError(f"{path}: a mapping of option names to values is expected")
        kept = {name: value for name, value in kept.items() if name not in options}
        kept |= {name: value for name, value in options.items() if options.has_changed(name)}
        with open(path, "w", encoding="utf-8") as fo:
            yaml.safe_dump(kept, fo, allow_unicode=True)
    except (OSError, UnicodeDecodeError) as error:
        raise OptionsError(f"cannot write {path!r}: {getattr(error, 'strerror', None) or error}") from None
    except yaml.YAMLError as error:
        raise OptionsError(f"{path}: not valid YAML: {error}") from None


def _set_configured(options: Options, path: str, name: str, value: Any) -> None:
    """One entry of a configuration; an undeclared one waits for a script."""
    if name not in options:
        items = value if isinstance(value, list) else [value]
        options._deferred[name] = Deferred(
            name,
            [None if item is None else (str(item).lower() if isinstance(item, bool) else str(item)) for item in items],
            path,
        )
        return
    if value is None and options.spec(name).type == "[str]":
        value = []
    if options.spec(name).type == "[str]" and isinstance(value, str):
        value = [value]
    if isinstance(value, int) and not isinstance(value, bool) and options.spec(name).type in ("str", "str?"):
        value = str(value)
    try:
        options.update(**{name: value})
    except OptionsError as error:
        raise OptionsError(f"{path}: {error}") from None


def listing(options: Options) -> str:
    """Every option as YAML with its help, type and default as comments; a config.yaml can be made of it."""
    import json

    blocks = []
    for spec in sorted(options.specs(), key=lambda spec: spec.name):
        choices = f" One of {', '.join(map(str, spec.choices))}." if spec.choices else ""
        missing = f" Not part of this version: {spec.missing}." if spec.missing else ""
        blocks.append(
            f"# {spec.help.replace(chr(10), chr(10) + '# ')}{missing}\n# Type: {spec.type}.{choices}\n"
            f"{spec.name}: {json.dumps(getattr(options, spec.name), ensure_ascii=False)}\n"
        )
    return "\n".join(blocks)
