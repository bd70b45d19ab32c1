"""Labels and pixels to the cell table: the one frontier from pixels to micrometres.

A tile's labels are read once and become *runs* (`macprox.measure.runs`): stretches of a row in
one part of one cell. Shapes (`shape`) and every channel's means (`means`) come from the runs.
"""

from macprox.measure.table import CONTACT_UM, GEOMETRY_COLUMNS, cell_table, measure_tile

__all__ = ["CONTACT_UM", "GEOMETRY_COLUMNS", "cell_table", "measure_tile"]
