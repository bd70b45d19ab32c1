"""Which cell is positive for which marker, from columns of calls or from names such as CK+CD8-."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from macprox.celltable import OTHER, slug
from macprox.errors import TableError, shortened
from macprox.io.tables.text import plain

Positivity = dict[str, np.ndarray]  # by marker: (n,) bool

_PLUS, _MINUS = "+⁺", r"\-⁻−–"
# Names whose hyphen is no sign; in any other, "CD3-CD8+" is two markers.
_HYPHENATED = r"PD-L?\d|HLA-[A-Z]{1,3}\d?|CTLA-4|LAG-3|TIM-3|Ki-67|TTF-1|B7-H\d|pan-?C(?:yto)?K\w*"
_SIGNED = re.compile(
    rf"[\s,;|/&]*(?P<marker>{_HYPHENATED}|[^\s,;|/&{_PLUS}{_MINUS}]*[A-Za-z][^\s,;|/&{_PLUS}{_MINUS}]*)"
    rf"(?P<sign>[{_PLUS}{_MINUS}])[\s,;|/&]*",
    re.IGNORECASE,
)
_LONGEST_NAME = 1000  # the pattern takes the square of it
_YES = {"1", "1.0", "true", "t", "yes", "y", "pos", "positive", "+", "high", "hi"}
_NO = {"0", "0.0", "false", "f", "no", "n", "neg", "negative", "-", "low", "lo"}
_NOBODY = {"", "other", "others", "other+", "none", "na", "nan", "n/a"}
_BEFORE_MARKER = re.compile(
    r"^(phenotype|is|has|pos|positive|expr|call|classify)[ ._-]+", re.IGNORECASE
)
_AFTER_MARKER = re.compile(
    r"[ .(_-]*(?:Opal|Alexa|Positiv)|[ .]+\((?=[^)]*\) Positiv)|[ .(_-]+pos(?![a-z])|(?<=\w)\+"
    r"|[ ._-]+(?:call|status)$",
    re.IGNORECASE,
)
_MOST_CLASS = 3  # HALO grades positive cells weak, moderate, strong


def signs_of(text: str) -> dict[str, bool] | None:
    """Markers and signs that a name consists of; None if it is any other name.

    Examples
    --------
    >>> signs_of("CK+CD8-"), signs_of("HLA-DR+ CD3-"), signs_of("T-cell")
    ({'CK': True, 'CD8': False}, {'HLA-DR': True, 'CD3': False}, None)
    """
    if len(text) > _LONGEST_NAME:
        return None
    found: dict[str, bool] = {}
    at = 0
    while match := _SIGNED.match(text, at):
        positive = match["sign"] in _PLUS
        if found.setdefault(match["marker"], positive) != positive:
            return None  # a contradiction is no name
        at = match.end()
    return found if found and at == len(text) else None


def positivity_marker(column: str) -> str:
    """The marker of a positivity column, spelled as in the column.

    Examples
    --------
    >>> positivity_marker("CD3..Opal.570..Positive"), positivity_marker("phenotype_cd8")
    ('CD3', 'cd8')
    """
    bare = _BEFORE_MARKER.sub("", column)
    return _AFTER_MARKER.split(bare)[0] or column


def of_names(names: pd.Series) -> Positivity:
    """What names say of markers; nothing unless every one of them consists of markers and signs."""
    codes, distinct = pd.factorize(names)
    signs = {i: signs_of(name) for i, name in enumerate(distinct) if name != OTHER}
    if not signs or any(found is None for found in signs.values()):
        return {}
    markers = dict.fromkeys(marker for found in signs.values() for marker in found or ())
    return _merged(
        {
            marker: np.array(
                [bool((signs.get(i) or {}).get(marker)) for i in range(len(distinct))]
            )[codes]
            for marker in markers
        }
    )


def of_columns(table: pd.DataFrame, columns: tuple[str, ...], path: object) -> Positivity:
    """What columns of positivity say; an empty value is "not positive".

    Raises
    ------
    TableError
        If a column holds something else than calls: intensities, or names.
    """
    found: list[tuple[str, np.ndarray]] = []
    for column in columns:
        codes, distinct = pd.factorize(table[column].fillna("").astype(str).str.strip())
        for marker, is_positive in _calls(list(distinct), column, path).items():
            found.append((marker, is_positive[codes]))
    merged: Positivity = {}
    for marker, values in found:
        merged[marker] = merged[marker] | values if marker in merged else values
    return _merged(merged)


def is_of_calls(values: pd.Series) -> bool:
    """Whether a column says only yes or no, and hence is no column of names."""
    distinct = {value.lower() for value in values.unique()}
    return bool(distinct & (_YES | _NO)) and distinct <= _YES | _NO | _NOBODY


def joined_names(positivity: Positivity, n_cells: int) -> pd.Series:
    """``"CD3+ CD8+"``: the markers a cell is positive for, in the order of the columns."""
    names = np.full(n_cells, "", dtype=object)
    for marker, values in positivity.items():
        names[values] += f" {marker}+"
    return pd.Series(names, dtype=object).str.strip()


def _calls(values: list[str], column: str, path: object) -> dict[str, np.ndarray]:
    """By marker, which of a column's distinct values are positive."""
    signs = [signs_of(value) for value in values]
    if any(signs):
        for value, found in zip(values, signs, strict=True):
            if found is None and value.lower() not in _NOBODY | _NO:
                raise _no_call(column, value, path)
        markers = dict.fromkeys(marker for found in signs if found for marker in found)
        return {
            marker: np.array([bool(found and found.get(marker)) for found in signs])
            for marker in markers
        }
    marker = positivity_marker(column)
    return {marker: np.array([_is_yes(value, marker, column, path) for value in values], bool)}


def _is_yes(value: str, marker: str, column: str, path: object) -> bool:
    word = value.lower()
    bare = plain(word.removeprefix(marker.lower())) or word  # "CD8 pos" in the column of CD8
    if word in _YES or bare in _YES or plain(word) == plain(marker):
        return True
    if word in _NO | _NOBODY or bare in _NO:
        return False
    try:
        number = float(word.replace(",", "."))
    except ValueError:
        raise _no_call(column, value, path) from None
    if not 0 <= number <= _MOST_CLASS or number != int(number):
        raise _no_call(column, value, path)
    return number > 0


def _no_call(column: str, value: str, path: object) -> TableError:
    return TableError(
        f"{path}: column {shortened(repr(column))} should say positive or negative (CD8+/CD8-, "
        f"1/0, TRUE/FALSE, pos/neg), but has {shortened(repr(value))}. For names of cell types "
        "give that column alone as --phenotype; for intensities give gates with --gate."
    )


def _merged(positivity: Positivity) -> Positivity:
    """Markers that would share a column are one marker, under the first spelling."""
    by_slug: dict[str, str] = {}
    merged: Positivity = {}
    for marker, values in positivity.items():
        name = by_slug.setdefault(slug(marker), marker)
        merged[name] = merged[name] | values if name in merged else values
    return merged
