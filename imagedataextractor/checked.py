"""The one check of what people write: settings, options and definitions of corpora, against dataclasses.

In: plain values, as TOML gives them, and a dataclass whose fields say what is allowed (types, literals, bounds as
`msgspec.Meta`). Out: the dataclass, or one line that names the place, the key, what is wrong and what is allowed.
"""

from __future__ import annotations

import dataclasses
import re
import reprlib
import sys
import types
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

from imagedataextractor.errors import UsageError

__all__ = ["Amount", "AtLeastOne", "Count", "Share", "Text", "checked", "line_of"]

T = TypeVar("T")

#: How a wrong value is shown: shortened, and not deeper than a line can tell.
_SHOWN = reprlib.Repr()
_SHOWN.maxstring = _SHOWN.maxother = 80

#: A whole number from 0 on, and from 1 on.
Count = Annotated[int, Meta(ge=0)]
AtLeastOne = Annotated[int, Meta(ge=1)]
#: A number from 0 on; what is beyond the largest is infinite, and means nothing here.
Amount = Annotated[float, Meta(ge=0, le=sys.float_info.max)]
#: A number between 0 and 1.
Share = Annotated[float, Meta(ge=0, le=1)]
#: A text that is not blank.
Text = Annotated[str, Meta(pattern=r"\S")]

_PLAIN = {str: "a text", int: "a whole number", float: "a number", bool: "true or false", Path: "a text"}


def checked(
    content: Mapping[str, Any], into: type[T], where: Callable[[str], str], *, prefix: str = "", what: str = "setting"
) -> T:
    """The dataclass that plain values make.

    Parameters
    ----------
    content : mapping
        Tables in tables of plain values.
    into : dataclass type
    where : function of str
        Says where a key stands: "config.toml, line 3".
    prefix : str
        Of every key, in what is said: "corpus.".
    what : str
        What a key is called.

    Raises
    ------
    UsageError
        A key is unknown or missing, or a value has the wrong type or makes no sense.
    """
    _check_keys(content, into, where, prefix, what)
    try:
        return msgspec.convert(content, into, dec_hook=_path)
    except msgspec.ValidationError as error:
        keys = re.findall(r"\.(\w+)", str(error).rpartition("`$")[2])
        missing = re.search(r"missing required field `(\w+)`", str(error))
        full = prefix + ".".join([*keys, missing[1]] if missing else keys)
        if missing:
            raise UsageError(f"{where(full)}: {full} is missing") from error
        value: Any = content
        kind: Any = into
        shown = True
        for key in keys:
            shown = next(field.repr for field in dataclasses.fields(kind) if field.name == key)
            value, kind = value[key], get_type_hints(kind, include_extras=True)[key]
        # What a dataclass does not show is a secret.
        given = _SHOWN.repr(value) if shown else "what is there"
        raise UsageError(f"{where(full)}: {full} must be {_allowed(kind)}, not {given}") from None


def _check_keys(content: Mapping[str, Any], into: type, where: Callable[[str], str], prefix: str, what: str) -> None:
    """No key but those of the dataclass, and of the dataclasses in it: msgspec passes over what it does not know."""
    hints = get_type_hints(into, include_extras=True)
    known = [field.name for field in dataclasses.fields(into)]
    for name, value in content.items():
        full = f"{prefix}{name}"
        if name not in known:
            near = get_close_matches(name, known, 1)
            meant = f"did you mean {near[0]!r}? There are" if near else "there are"
            raise UsageError(f"{where(full)}: no {what} is called {full!r}; {meant}: {', '.join(known)}")
        table = _dataclass_in(hints[name])
        if table is not None and isinstance(value, Mapping):
            _check_keys(value, table, where, f"{full}.", what)


def _path(kind: type, value: object) -> object:
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise ValueError(f"no {kind.__name__}")  # msgspec says where


def _dataclass_in(kind: Any) -> Any:
    return kind if dataclasses.is_dataclass(kind) else None


def _allowed(kind: Any) -> str:
    """What may stand for a type, in words."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _within(arguments[0], arguments[1])
    if origin in (Union, types.UnionType):
        return " or ".join(_allowed(part) for part in arguments if part is not type(None))
    if origin is Literal:
        return f"one of {', '.join(map(str, arguments))}"
    if origin is tuple:
        return "a list of texts"
    return "a table" if dataclasses.is_dataclass(kind) else _PLAIN[kind]


def _within(kind: Any, meta: Meta) -> str:
    """What may stand for a type under bounds, in words: those of its description where it has one."""
    if meta.description:
        return meta.description
    if meta.ge is None:
        return _allowed(kind)
    if meta.le is None or meta.le == sys.float_info.max:
        return f"{_allowed(kind)} from {meta.ge:g} on"
    return f"{_allowed(kind)} between {meta.ge:g} and {meta.le:g}"


def line_of(text: str, key: str) -> int:
    """The line of a TOML text that a dotted key is set in; that of its table, or 1, where it cannot be told."""
    table, _, name = key.rpartition(".")
    current, best = "", 1
    for number, line in enumerate(text.splitlines(), 1):
        header = re.match(r"\s*\[\s*([^\]]+?)\s*\]", line)
        if header:
            current = re.sub(r"[\s\"']", "", header[1])
            if current == key or current.startswith(f"{key}."):
                return number
            if current == table:
                best = number
            continue
        found = re.match(r"\s*([\w.\"' -]+?)\s*=", line)
        if found:
            set_here = ".".join(filter(None, (current, re.sub(r"[\s\"']", "", found[1]))))
            if set_here == key or (set_here == table and name in line):
                return number
    return best
