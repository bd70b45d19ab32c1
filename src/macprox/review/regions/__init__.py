"""Tumour and exclusions drawn by hand."""
