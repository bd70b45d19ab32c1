"""Cell tables made by other tools: recognised by content, units read and never guessed."""

from macprox.io.tables.layouts import ColumnMapping
from macprox.io.tables.read import read_cells

__all__ = ["ColumnMapping", "read_cells"]
