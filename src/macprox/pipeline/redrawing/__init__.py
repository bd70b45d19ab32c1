"""Cells that a reviewer drew, put into labels and measurements, and taken out again.

`stage` is what the pipeline calls; a `drawings` entry of the log changes labels in memory, a sheet
(`sheets`) keeps what it changed on the disk, `measuring` measures its cells as tiles do theirs.
"""
