"""Marker logic: from ``"CD68+ (MARCO+ or PPARG+) panCK-"`` to a phenotype for every cell.

The grammar, loosest binding first::

    rule  = any [ "otherwise" ]              otherwise: only cells that no other rule takes
    any   = all { "or" all }
    all   = one { [ "and" ] one }            a space is "and"
    one   = "not" one | "(" any ")" | marker | place
    marker = NAME "+" | NAME "-"             a NAME with spaces or brackets goes in quotes
    place = "in:" REGION
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NoReturn

from macprox.errors import StudyError, shortened
from macprox.phenotype.calls import call_phenotypes, explain_cell
from macprox.phenotype.logic import (
    ALWAYS,
    REGION_WORDS,
    And,
    Inside,
    Marker,
    Node,
    Not,
    Or,
    Rule,
    did_you_mean,
)

__all__ = ["REGION_WORDS", "Rule", "call_phenotypes", "explain_cell", "parse_rule"]

_MOST_SHOWN = 200  # characters of a rule in a message
_MOST_NESTED = 100  # brackets and "not" inside one another; people write three
_KEYWORDS = ("and", "or", "not", "otherwise")
# Rules are pasted from papers, so the superscripts and dashes of print count as signs too.
_SIGNS = {"+": True, "⁺": True, "-": False, "⁻": False, "−": False, "–": False}
_TOKEN = re.compile(
    r"""\s*(?: (?P<bracket>[()])
             | (?P<quote>["']) (?P<quoted>.*?) (?P=quote) (?P<sign>[^\s()]*)
             | (?P<word>[^\s()"'][^\s()]*)
             | (?P<open_quote>["']) )""",
    re.VERBOSE,
)
_FOREIGN = {"&": "and", "&&": "and", "|": "or", "||": "or", "!": "not", "~": "not", ",": "and"}


@dataclass(frozen=True)
class _Token:
    kind: str  # "(", ")", a keyword, "atom" or "end"
    column: int  # counted from 1
    text: str
    atom: Marker | Inside | None = None


def parse_rule(text: str) -> Rule:
    """Parse one phenotype rule.

    Parameters
    ----------
    text : str

    Returns
    -------
    Rule

    Raises
    ------
    StudyError
        With the column, what is wrong there and what to write.

    Examples
    --------
    >>> rule = parse_rule("CD68+ (MARCO+ or PPARG+) not in:tumour")
    >>> rule.markers, rule.regions
    (('CD68', 'MARCO', 'PPARG'), ('tumour',))
    >>> str(rule.without_region())
    'CD68+ (MARCO+ or PPARG+)'
    """
    return _Parser(text).rule()


class _Parser:
    """Recursive descent over the tokens of one rule."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = _tokens(text)
        self.at = 0
        self.depth = 0

    @property
    def next(self) -> _Token:
        return self.tokens[self.at]

    def take(self) -> _Token:
        self.at += 1
        return self.tokens[self.at - 1]

    def rule(self) -> Rule:
        if self.next.kind == "end":
            _fail(self.text, 1, "it is empty; write for example 'CD68+ panCK-'")
        logic = ALWAYS if self.next.kind == "otherwise" else self.any()
        otherwise = self.next.kind == "otherwise"
        if otherwise:
            self.take()
        if self.next.kind == ")":
            _fail(self.text, self.next.column, "this bracket was never opened")
        if self.next.kind != "end":
            _fail(self.text, self.next.column, "'otherwise' must be the last word of a rule")
        return Rule(logic, otherwise)

    def any(self) -> Node:
        parts = [self.all()]
        while self.next.kind == "or":
            self.take()
            parts.append(self.all())
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def all(self) -> Node:
        parts = [self.one()]
        while self.next.kind in ("and", "not", "(", "atom"):
            if self.next.kind == "and":
                self.take()
            parts.append(self.one())
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def one(self) -> Node:
        self.depth += 1
        if self.depth > _MOST_NESTED:
            _fail(
                self.text, self.next.column, f"more than {_MOST_NESTED} brackets or 'not' are open"
            )
        node = self.operand()
        self.depth -= 1
        return node

    def operand(self) -> Node:
        token = self.take()
        if token.kind == "not":
            return Not(self.one())
        if token.kind == "(":
            inner = self.any()
            if self.next.kind == "otherwise":
                _fail(self.text, self.next.column, "'otherwise' cannot stand inside brackets")
            if self.take().kind != ")":
                _fail(self.text, token.column, "this bracket is never closed")
            return inner
        if token.atom is None:
            found = (
                "the rule ends" if token.kind == "end" else f"{shortened(repr(token.text))} stands"
            )
            _fail(self.text, token.column, f"{found} where a marker such as 'CD68+' is expected")
        return token.atom


def _tokens(text: str) -> list[_Token]:
    tokens = []
    at = 0
    while match := _TOKEN.match(text, at):
        kind = match.lastgroup
        column = match.start("quote" if match["quote"] else kind or 0) + 1
        if match["bracket"]:
            tokens.append(_Token(match["bracket"], column, match["bracket"]))
        elif match["open_quote"]:
            _fail(text, column, "this quotation mark is never closed")
        elif match["quote"]:
            marker = _quoted_marker(text, column, match["quoted"], match["sign"])
            tokens.append(_Token("atom", column, match[0].strip(), marker))
        elif (word := match["word"]).lower() in _KEYWORDS:
            tokens.append(_Token(word.lower(), column, word))
        else:
            tokens.append(_Token("atom", column, word, _atom(text, column, word)))
        at = match.end()
    return [*tokens, _Token("end", len(text.rstrip()) + 1, "")]


def _quoted_marker(text: str, column: int, name: str, sign: str) -> Marker:
    if not name.strip() or sign not in _SIGNS:
        _fail(
            text,
            column,
            f"a quoted marker needs a name and one sign, as in '\"{shortened(name)}\"+'",
        )
    return Marker(name, _SIGNS[sign])


def _atom(text: str, column: int, word: str) -> Marker | Inside:
    if word.lower().startswith("in:"):
        region = word[3:]
        if region not in REGION_WORDS:
            near = did_you_mean(region, REGION_WORDS, "in:{}")
            _fail(
                text,
                column,
                f"no region {shortened(repr(region))}; there are {', '.join(REGION_WORDS)}.{near}",
            )
        return Inside(region)
    if word in _FOREIGN or word[0] in "!~" or word[-1] == ",":
        written = word if word in _FOREIGN else word[0] if word[0] in "!~" else ","
        _fail(text, column, f"{written!r} is not part of a rule; write {_FOREIGN[written]!r}")
    name, sign = word[:-1], word[-1]
    if sign not in _SIGNS:
        near = did_you_mean(word, _KEYWORDS)
        shown = shortened(word)
        _fail(text, column, f"{shown!r} has no sign; write '{shown}+' or '{shown}-'.{near}")
    if not name:
        _fail(text, column, f"{sign!r} has no marker before it; write it without a space")
    if re.search(r"[+⁺,]", name):
        _fail(
            text,
            column,
            f"{shortened(repr(word))}: put a space between markers, or quotes around the name",
        )
    return Marker(name, _SIGNS[sign])


def _fail(text: str, column: int, problem: str) -> NoReturn:
    end = "" if problem.endswith((".", "?")) else "."
    near = text if len(text) <= _MOST_SHOWN else text[max(0, column - 20) :]
    raise StudyError(f"rule {shortened(repr(near), _MOST_SHOWN)}, column {column}: {problem}{end}")
