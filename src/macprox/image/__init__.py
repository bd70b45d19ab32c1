"""Pixels to pixels: tiles, the slide-wide survey, stains, tissue, quality."""
