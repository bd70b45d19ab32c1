"""Cells as a graph: neighbours, enrichment, composition, niches, mixing, contact."""
