"""What a phenotype rule says, as a small tree that is evaluated on every cell at once."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from macprox.errors import TableError

TUMOUR_ZONES = ("core", "inner_margin")  # inside the tumour border
ZONES = (*TUMOUR_ZONES, "outer_margin", "distant")  # values of the column region
COMPARTMENTS = ("epithelium", "stroma", "airspace", "vessel", "tissue")  # of column compartment
REGION_WORDS = ("tumour", *ZONES, *COMPARTMENTS)


@dataclass(frozen=True)
class Marker:
    """The cell is above (or not above) the gate of one marker."""

    name: str
    positive: bool

    def __str__(self) -> str:
        plain = re.fullmatch(r"[^\s()\"'+⁺,][^\s()+⁺,]*", self.name)
        if plain and not self.name.lower().startswith("in:") and self.name[0] not in "!~":
            name = self.name
        else:
            quote = "'" if '"' in self.name else '"'
            name = f"{quote}{self.name}{quote}"
        return name + ("+" if self.positive else "-")


@dataclass(frozen=True)
class Inside:
    """The cell lies in a region or compartment."""

    region: str

    def __str__(self) -> str:
        return f"in:{self.region}"


@dataclass(frozen=True)
class Not:
    """The operand does not hold."""

    operand: Node

    def __str__(self) -> str:
        return f"not {_bracketed(self.operand, And, Or)}"


@dataclass(frozen=True)
class And:
    """Every operand holds; without operands, always."""

    operands: tuple[Node, ...]

    def __str__(self) -> str:
        return " ".join(_bracketed(node, And, Or) for node in self.operands)


@dataclass(frozen=True)
class Or:
    """At least one operand holds."""

    operands: tuple[Node, ...]

    def __str__(self) -> str:
        return " or ".join(_bracketed(node, Or) for node in self.operands)


Node = Marker | Inside | Not | And | Or
ALWAYS = And(())


def _bracketed(node: Node, *kinds: type) -> str:
    return f"({node})" if isinstance(node, kinds) else str(node)


@dataclass(frozen=True)
class Rule:
    """A parsed phenotype rule; `str` gives text that parses to the same rule.

    Parameters
    ----------
    logic : Marker, Inside, Not, And or Or
    otherwise : bool
        The rule takes only cells that no rule without this word takes.
    """

    logic: Node
    otherwise: bool = False

    def __str__(self) -> str:
        return f"{self.logic} otherwise".strip() if self.otherwise else str(self.logic)

    @property
    def markers(self) -> tuple[str, ...]:
        """Markers the rule reads, in order of appearance."""
        return tuple(dict.fromkeys(a.name for a in _atoms(self.logic) if isinstance(a, Marker)))

    @property
    def regions(self) -> tuple[str, ...]:
        """Regions the rule reads, in order of appearance."""
        return tuple(dict.fromkeys(a.region for a in _atoms(self.logic) if isinstance(a, Inside)))

    def without_region(self) -> Rule:
        """The marker part: what a cell must show to match wherever it lies.

        ``"panCK+ CD68- in:tumour"`` becomes ``"panCK+ CD68-"``. It finds tumour-marker cells
        before there is a tumour region, so a condition on place counts as fulfilled.
        """
        return Rule(_placeless(self.logic, negated=False), self.otherwise)

    def evaluate(
        self, positive: Mapping[str, np.ndarray], inside: Mapping[str, np.ndarray]
    ) -> np.ndarray:
        """Which cells match; ``otherwise`` is not applied here (see `call_phenotypes`).

        Parameters
        ----------
        positive : mapping of marker to (n,) bool
        inside : mapping of region word to (n,) bool

        Returns
        -------
        (n,) bool

        Raises
        ------
        TableError
            If the rule names a marker or region that the mappings lack.
        """
        shape = next((np.shape(a) for a in (*positive.values(), *inside.values())), ())
        return np.broadcast_to(_evaluate(self.logic, positive, inside), shape).copy()


def _atoms(node: Node) -> Iterator[Marker | Inside]:
    if isinstance(node, (Marker, Inside)):
        yield node
    elif isinstance(node, Not):
        yield from _atoms(node.operand)
    else:
        for operand in node.operands:
            yield from _atoms(operand)


def _placeless(node: Node, negated: bool) -> Node:
    """Existential projection: what remains when every condition on place may hold."""
    if not any(isinstance(atom, Inside) for atom in _atoms(node)):
        return Not(node) if negated else node
    if isinstance(node, Not):
        return _placeless(node.operand, not negated)
    if not isinstance(node, (And, Or)):
        return ALWAYS
    parts = [_placeless(operand, negated) for operand in node.operands]
    if isinstance(node, Or) != negated:  # De Morgan: a negated "and" is an "or"
        return ALWAYS if ALWAYS in parts else Or(tuple(parts))
    parts = [part for part in parts if part != ALWAYS]
    return parts[0] if len(parts) == 1 else And(tuple(parts))


def _evaluate(
    node: Node, positive: Mapping[str, np.ndarray], inside: Mapping[str, np.ndarray]
) -> np.ndarray:
    if isinstance(node, Marker):
        values = _look_up(positive, node.name, "marker")
        return values if node.positive else ~values
    if isinstance(node, Inside):
        return _look_up(inside, node.region, "region")
    if isinstance(node, Not):
        return ~_evaluate(node.operand, positive, inside)
    join = np.logical_or if isinstance(node, Or) else np.logical_and
    parts = [_evaluate(operand, positive, inside) for operand in node.operands]
    return join.reduce(parts) if parts else np.array(True)


def _look_up(columns: Mapping[str, np.ndarray], name: str, kind: str) -> np.ndarray:
    if name not in columns:
        raise TableError(
            f"A phenotype rule needs {kind} {name!r}, but the cells have "
            f"{', '.join(columns) or 'none'}.{did_you_mean(name, columns)}"
        )
    return np.asarray(columns[name], dtype=bool)


def did_you_mean(name: str, known: Iterable[str], form: str = "{}") -> str:
    """`` Did you mean 'x'?`` for the nearest known name, or nothing."""
    lower = {str(word).lower(): str(word) for word in known}
    near = difflib.get_close_matches(name.lower(), lower, n=1, cutoff=0.6)
    return f" Did you mean {form.format(lower[near[0]])!r}?" if near else ""
