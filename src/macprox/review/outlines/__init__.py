"""Cells drawn by hand: a crop of the labels, and what a drawing takes and gives."""
