"""Damage that knows words: trees of JSON, and the tokens of TOML, XML, tables and rules."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from typing import Any

_TOKEN = re.compile(r"\d+(?:\.\d+)?|\w+|\s+|[^\w\s]")
_NUMBERS = (
    *(
        "0",
        "-1",
        "1e308",
        "1e309",
        "-1e400",
        "nan",
        "inf",
        "-inf",
        "NaN",
        "Infinity",
        "0x10",
        "007",
    ),
    *("65536", "4294967296", "9223372036854775808", "-9223372036854775809", "1" + "0" * 5000),
    *("1e-400", "0.1.2", "1_000", "1979-05-27T07:32:00Z", "07:32:00", "3.5e", "--5"),
)
_WORDS = (
    *(
        '"',
        "'",
        '"""',
        "\\",
        "[",
        "]",
        "{",
        "}",
        "(",
        ")",
        "<",
        ">",
        "&",
        ";",
        ",",
        "\t",
        "\n",
        "=",
    ),
    *("true", "null", "not", "or", "and", "otherwise", "in:tumour", "in:", "+", "-", "CD68+"),
    *("\u202e", "\u0000", "\ufeff", "\U0001f9ea", "e\u0301", "\u2212", "\ud7ff", "\x1b[31m", "µm"),
    *("", "DAPI", "a" * 3000, "é" * 300, "[[x]]", "<!DOCTYPE a>", "&amp;", "&#0;", "${x}", "../.."),
)
_DEEP = ("[", "{", "(", '{"a":', "[[", "not ", "<a>")
_DEEP_MARK = "deep-nesting-goes-here"


def damaged_text(text: str, rng: random.Random) -> str:
    """The text with one to three of its tokens lost, doubled, swapped or replaced."""
    tokens = _TOKEN.findall(text)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        if not tokens:
            break
        at = rng.randrange(len(tokens))
        kind = rng.randrange(9)
        if kind == 0:
            del tokens[at : at + rng.choice((1, 1, 5))]
        elif kind == 1:
            tokens[at:at] = tokens[at : at + rng.choice((1, 5, 50))] * rng.choice((1, 1, 20))
        elif kind == 2:
            other = rng.randrange(len(tokens))
            tokens[at], tokens[other] = tokens[other], tokens[at]
        elif kind in (3, 4):
            tokens[at] = rng.choice(_WORDS)
        elif kind == 5:
            tokens.insert(at, rng.choice(_WORDS))
        elif kind == 6:
            numbers = [i for i, token in enumerate(tokens) if token[:1].isdigit()]
            tokens[rng.choice(numbers or [at])] = rng.choice(_NUMBERS)
        elif kind == 7:
            tokens[at] = rng.choice(tokens)
        else:
            tokens[at] = rng.choice(_DEEP) * rng.choice((10, 300, 3000, 60_000))
    return "".join(tokens)


def damaged_json(text: str, rng: random.Random) -> str:
    """JSON of the same kind with one to three of its values replaced, lost or renamed."""
    tree = json.loads(text)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        places = list(_places(tree))
        if not places:
            break
        holder, key = rng.choice(places)
        kind = rng.randrange(6)
        if kind == 0:
            del holder[key]
        elif kind == 1 and isinstance(holder, dict):
            holder[rng.choice((*_WORDS, str(key).upper()))] = holder.pop(key)
        elif kind == 2:
            other, other_key = rng.choice(places)
            if not _holds(other[other_key], holder):
                holder[key] = other[other_key]
        elif kind == 3 and isinstance(holder[key], list):
            holder[key] = holder[key] * rng.choice((0, 2, 40))
        else:
            holder[key] = _wrong_value(rng)
    written = json.dumps(tree, ensure_ascii=rng.random() < 0.5)
    if _DEEP_MARK in written:
        opening, closing = rng.choice((("[", "]"), ('{"a":', "}")))
        depth = rng.choice((50, 900, 100_000))
        written = written.replace(f'"{_DEEP_MARK}"', opening * depth + "1" + closing * depth)
    return written


def damaged_json_lines(text: str, rng: random.Random) -> str:
    """One of the lines damaged, lost, doubled or moved."""
    lines = text.splitlines()
    at = rng.randrange(len(lines))
    kind = rng.randrange(6)
    if kind == 0:
        del lines[at]
    elif kind == 1:
        lines.insert(rng.randrange(len(lines)), lines[at])
    elif kind == 2:
        lines[at] = damaged_text(lines[at], rng)
    else:
        lines[at] = damaged_json(lines[at], rng)
    return "\n".join(lines) + rng.choice(("\n", ""))


def _wrong_value(rng: random.Random) -> Any:
    return rng.choice(
        (
            *(None, True, 0, 1, -1, 0.5, 2**31, 2**63, 2**64, 10**400, 1e308, -1e308),
            *(float("nan"), float("inf"), "", "text", "\u0000", "x" * 4000, "../..", "\ud800"),
            *([], {}, [None], [[]], [1] * 2000, {"a": {"b": 1}}, ["a", 1], [2**60] * 3, [-5, 0]),
            *(_DEEP_MARK, _DEEP_MARK),
        )
    )


def _places(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) of a tree."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in items if isinstance(tree, (dict, list)) else ():
        yield tree, key
        if isinstance(value, (dict, list)):
            yield from _places(value)


def _holds(tree: Any, wanted: Any) -> bool:
    """Whether a container is, or is inside, a value: a tree must not become its own branch."""
    return tree is wanted or (
        isinstance(tree, (dict, list)) and any(value is wanted for value in _values(tree))
    )


def _values(tree: Any) -> Iterator[Any]:
    return (holder[key] for holder, key in _places(tree))
