"""Cell tables made by other tools: recognised by content, units read and never guessed."""

from macprox.io.tables.description import describe, is_table_name
from macprox.io.tables.gates import Gate, gate_of_text, on_scale, read_gates
from macprox.io.tables.mapping import ColumnMapping
from macprox.io.tables.positivity import signs_of
from macprox.io.tables.read import GivenCells, read_cells, read_given
from macprox.io.tables.sheet import SAMPLE_FILE, read_foreign_sheet, samples_of_slides

__all__ = [
    "SAMPLE_FILE",
    "ColumnMapping",
    "Gate",
    "GivenCells",
    "describe",
    "gate_of_text",
    "is_table_name",
    "on_scale",
    "read_cells",
    "read_foreign_sheet",
    "read_gates",
    "read_given",
    "samples_of_slides",
    "signs_of",
]
