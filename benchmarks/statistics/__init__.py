"""Spatial statistics beside the packages that also have them; see `benchmarks/README.md`."""
