"""Cells that another tool found: from its tables to an ordinary result folder, without labels."""

from macprox.pipeline.given.prepare import GivenTables, prepare_tables
from macprox.pipeline.given.request import STRATUM_COLUMNS, TableRequest
from macprox.pipeline.given.run import run_tables, write_tables

__all__ = [
    "STRATUM_COLUMNS",
    "GivenTables",
    "TableRequest",
    "prepare_tables",
    "run_tables",
    "write_tables",
]
