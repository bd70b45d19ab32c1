"""Cell tables made by other tools: recognised by content, units read and never guessed.

In the order in which a table goes through the rooms:

1. What kind of file is it? `file_kinds`; then `text`, `geojson`, `anndata` or `spatialdata` opens
   it, `files_beside` adds what lies next to it, and all of them give an `opened` table.
2. Whose is it? `recognition` asks `viewers` and `workflows`, which give a `layout`; `guesses` for
   tables of nobody, `mapping` for what the user says.
3. What does it say of cells? `cells`, `positivity`, `derived_classes`; of slides: `facts`, `sheet`.
4. Where are markers positive? `gates` and `intensities`, then `held_to_gates`.

`read` does all of it, `description` tells what it would find.
"""

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
