"""TOML text <-> frozen parameter dataclasses, with the line of every mistake.

What a key means is written once, in the docstring of the dataclass that holds it: reading takes
types and defaults from the dataclass, writing takes the comments from its docstring.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import math
import re
import textwrap
import tomllib
import types
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, NoReturn, Union, get_args, get_origin, get_type_hints

from macprox.errors import MacproxError, StudyError, reason_of, shortened

KeyPath = tuple[str, ...]
Problem = tuple[KeyPath, str]  # where, and the sentence without its place

_KEY_PART = r"""(?:"(?:[^"\\]|\\.)*"|'[^']*'|[A-Za-z0-9_-]+)"""
_KEY = re.compile(rf"\s*(?P<key>{_KEY_PART}(?:\s*\.\s*{_KEY_PART})*)\s*=")
_TABLE = re.compile(rf"\s*\[\s*(?P<key>{_KEY_PART}(?:\s*\.\s*{_KEY_PART})*)\s*\]")
_BARE_NAME = re.compile(r"\s*[^\"'#=\[]*[^\s\w\"'#=.\[-][^\"'#=\[]*=|\s*[\w-]+\s+[\w-].*=")
COMMENT_WIDTH = 96
_MOST_OF_A_LINE = 300  # a key and its "="; the patterns above take the square of the length


def load(text: str, name: str) -> dict[str, Any]:
    """Parsed TOML; a syntax error becomes a `StudyError` with its line."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.fullmatch(
            r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", str(error)
        )
        reason, line, column = found.groups() if found else (str(error), None, None)
        number = int(line) if line else len(text.splitlines())
        hint = ""
        lines = text.splitlines()
        if 0 < number <= len(lines) and _BARE_NAME.match(lines[number - 1][:_MOST_OF_A_LINE]):
            hint = " A name with a space, '/' or '+' needs quotes: \"AM/TRM-like\" = \"...\"."
        place = f"line {number}" + (f", column {column}" if column else "")
        raise StudyError(
            f"{name} {place}: not valid TOML: {shortened(reason, 200)}.{hint}"
        ) from None
    except (ValueError, RecursionError) as error:  # a number of 5,000 digits; brackets in brackets
        raise StudyError(f"{name}: not valid TOML: {reason_of(error)}.") from None


def line_numbers(text: str) -> dict[KeyPath, int]:
    """Line (from 1) of every table header and key; inside inline tables only the outer key."""
    lines: dict[KeyPath, int] = {}
    table: KeyPath = ()
    for number, line in enumerate(text.splitlines(), start=1):
        line = line[:_MOST_OF_A_LINE]
        if header := _TABLE.match(line):
            table = _key_path(header["key"])
            for depth in range(1, len(table) + 1):
                lines.setdefault(table[:depth], number)
        elif key := _KEY.match(line):
            lines.setdefault(table + _key_path(key["key"]), number)
    return lines


def _key_path(written: str) -> KeyPath:
    try:
        node = tomllib.loads(f"{written} = 0")
    except tomllib.TOMLDecodeError:  # a line inside a text of several lines, and no key
        return (written,)
    path: list[str] = []
    while isinstance(node, dict):
        (key, node), *_ = node.items()
        path.append(key)
    return tuple(path)


def raise_all(problems: Iterable[Problem], name: str, lines: Mapping[KeyPath, int]) -> NoReturn:
    """One `StudyError` with every problem on its own line, in the order of the file."""
    placed = []
    for path, said in problems:
        sentence = shortened(said, 480)
        known = [path[:n] for n in range(len(path), 0, -1) if path[:n] in lines]
        number = lines[known[0]] if known else 0
        placed.append(
            (number, f"{name} line {number}: {sentence}" if number else f"{name}: {sentence}")
        )
    raise StudyError("\n".join(sentence for _, sentence in sorted(placed, key=lambda p: p[0])))


def field_types(cls: type) -> dict[str, Any]:
    """Every key of a parameters dataclass with its annotated type."""
    hints = get_type_hints(cls)
    return {field.name: hints[field.name] for field in dataclasses.fields(cls) if field.init}


# --- reading -----------------------------------------------------------------------------------


def read_dataclass(cls: type, table: Any, path: KeyPath, problems: list[Problem]) -> Any:
    """An instance of a parameters dataclass from a TOML table.

    Parameters
    ----------
    cls : dataclass
        Its fields are the allowed keys; fields without default are required.
    table : dict
    path : tuple of str
        Where the table stands, for messages.
    problems : list
        Receives every violation; the caller raises them together.

    Returns
    -------
    object or None
        None when anything was wrong.
    """
    if not isinstance(table, dict):
        problems.append((path, f"{_label(path)} must be a table of keys, found {table!r}."))
        return None
    before = len(problems)
    hints = field_types(cls)
    fields = {field.name: field for field in dataclasses.fields(cls) if field.init}
    values = {}
    for key, value in table.items():
        if key not in fields:
            problems.append(((*path, key), unknown_key(key, path, fields)))
        elif (read := read_value(hints[key], value, (*path, key), problems)) is not None:
            values[key] = read
    for name, field in fields.items():
        required = field.default is field.default_factory is dataclasses.MISSING
        if required and name not in table:
            problems.append((path, f"{_label(path)} needs the key {name!r}."))
            return None
        elif required and name not in values:
            return None  # reported already: its value has the wrong type
    made = _construct(cls, values, path, problems)
    return made if len(problems) == before else None


def _construct(cls: type, values: dict, path: KeyPath, problems: list[Problem]) -> Any:
    try:
        return cls(**values)
    except (MacproxError, ValueError) as error:
        culprit = next((key for key in values if re.search(rf"\b{key}\b", str(error))), None)
        where = (*path, culprit) if culprit else path
        problems.append((where, f"{_label(path)}: {error}" if path else str(error)))
        return None


def read_value(hint: Any, value: Any, path: KeyPath, problems: list[Problem]) -> Any:
    """A TOML value as the annotated type; a wrong type goes to ``problems``."""
    if dataclasses.is_dataclass(hint):
        return read_dataclass(hint, value, path, problems)  # type: ignore[arg-type]
    if get_origin(hint) is dict:
        return _read_mapping(get_args(hint)[1], value, path, problems)
    try:
        return _adapter(hint).validate_json(json.dumps(value, default=repr), strict=True)
    except ValueError:
        problems.append((path, f"{_label(path[:-1])} {path[-1]} {_type_problem(hint, value)}"))
        return None


def _read_mapping(hint: Any, value: Any, path: KeyPath, problems: list[Problem]) -> dict | None:
    if not isinstance(value, dict):
        problems.append(
            (path, f"{_label(path)} must be a table of keys, found {shortened(repr(value))}.")
        )
        return None
    return {key: read_value(hint, item, (*path, key), problems) for key, item in value.items()}


def _adapter(hint: Any) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(hint)


def unknown_key(key: str, path: KeyPath, allowed: Iterable[str]) -> str:
    """The sentence for a key that does not exist: where, near miss, what does."""
    allowed = list(allowed)
    near = difflib.get_close_matches(key.lower(), allowed, n=1, cutoff=0.5)
    starts = [name for name in allowed if name.startswith(key.lower())]
    guess = (starts or near or [""])[0]
    hint = f"did you mean {guess!r}? " if guess else ""
    where = f" under {_label(path)}" if path else ""
    return f"unknown key {shortened(repr(key))}{where}; {hint}Allowed: {', '.join(allowed)}."


def _type_problem(hint: Any, value: Any) -> str:
    choices = [c for member in _members(hint) for c in get_args(member) if isinstance(c, str)]
    near = difflib.get_close_matches(str(value).lower(), choices, n=1, cutoff=0.5)
    guess = f" Did you mean {near[0]!r}?" if near and isinstance(value, str) else ""
    found = shortened(repr(value)) if not isinstance(value, dict) else "a table"
    return f"must be {describe(hint)}, found {found}.{guess}"


def describe(hint: Any) -> str:
    """An annotated type in words: ``tuple[str, ...]`` is "a list of texts"."""
    words = {str: "a text", float: "a number", int: "a whole number", bool: "true or false"}
    plural = {str: "texts", float: "numbers", int: "whole numbers"}
    members = _members(hint)
    if len(members) > 1:
        return " or ".join(describe(member) for member in members)
    hint = members[0]
    if get_origin(hint) is Literal:
        return " or ".join(f'"{choice}"' for choice in get_args(hint))
    if get_origin(hint) in (tuple, list):
        return f"a list of {plural.get(get_args(hint)[0], 'values')}"
    return words.get(hint, str(getattr(hint, "__name__", hint)))


def _members(hint: Any) -> list[Any]:
    if get_origin(hint) in (Union, types.UnionType):
        return [member for member in get_args(hint) if member is not type(None)]
    return [hint]


def _label(path: KeyPath) -> str:
    return f"[{'.'.join(path)}]" if path else "the study"


# --- writing -----------------------------------------------------------------------------------


def dump(parameters: Any, header: str) -> str:
    """A parameters dataclass as commented TOML, every default written out."""
    import tomlkit

    document = tomlkit.document()
    for line in header.splitlines():
        document.add(tomlkit.comment(line))
    _fill(document, parameters)
    return tomlkit.dumps(document)


def _fill(container: Any, parameters: Any, commented: bool = True) -> None:
    """Write plain keys first: in TOML a key after a sub-table would belong to the sub-table."""
    comments = parameter_comments(type(parameters)) if commented else {}
    fields = [(f.name, getattr(parameters, f.name)) for f in dataclasses.fields(parameters)]
    tables = [(n, v) for n, v in fields if dataclasses.is_dataclass(v) or isinstance(v, dict)]
    for name, value in fields:
        if (name, value) not in tables:
            _add_key(container, name, value, comments.get(name, ""))
    for name, value in tables:
        _add_table(container, name, value, comments.get(name, ""))


def _add_table(container: Any, name: str, value: Any, comment: str) -> None:
    import tomlkit

    of_tables = isinstance(value, dict) and any(map(dataclasses.is_dataclass, value.values()))
    table = tomlkit.table(is_super_table=of_tables)
    if not of_tables:
        _add_comment(table, comment)
    if dataclasses.is_dataclass(value):
        _fill(table, value)
    else:
        for n, (key, item) in enumerate(value.items()):
            if not of_tables:
                _add_key(table, key, item, "")
                continue
            row = tomlkit.table()
            _fill(row, item, commented=n == 0)  # the same comments for forty markers are noise
            table.add(key, row)
    container.add(name, table)


def _add_key(container: Any, name: str, value: Any, comment: str) -> None:
    import tomlkit

    _add_comment(container, comment)
    if value is None:
        container.add(tomlkit.comment(f"{name}: not given"))
    elif isinstance(value, tuple):
        container.add(name, list(value))
    else:
        container.add(name, str(value) if isinstance(value, Path) else value)


def _add_comment(container: Any, comment: str) -> None:
    import tomlkit

    for line in textwrap.wrap(comment, COMMENT_WIDTH):
        container.add(tomlkit.comment(line))


def parameter_comments(cls: type) -> dict[str, str]:
    """What each parameter is, from the numpydoc section of the class's docstring."""
    doc = textwrap.dedent("    " + (cls.__doc__ or ""))
    section = re.search(r"Parameters\n\s*-+\n(.*?)(?:\n\n\s*\w+\n\s*-+\n|\Z)", doc, re.DOTALL)
    comments: dict[str, str] = {}
    if not section:
        return comments
    body = textwrap.dedent(section[1])
    for block in re.split(r"\n(?=\w)", body):
        head, _, text = block.partition("\n")
        text = " ".join(text.split()).replace("``", "")
        for name in head.partition(":")[0].split(","):
            comments[name.strip()] = text
    return comments


def plain(parameters: Any) -> Any:
    """The same content as JSON can hold it: tuples as lists, paths as text."""
    if dataclasses.is_dataclass(parameters) and not isinstance(parameters, type):
        names = [field.name for field in dataclasses.fields(parameters)]
        return {name: plain(getattr(parameters, name)) for name in names}
    if isinstance(parameters, Mapping):
        return {key: plain(value) for key, value in parameters.items()}
    if isinstance(parameters, (tuple, list)):
        return [plain(value) for value in parameters]
    if isinstance(parameters, float) and not math.isfinite(parameters):
        return repr(parameters)
    return str(parameters) if isinstance(parameters, Path) else parameters
