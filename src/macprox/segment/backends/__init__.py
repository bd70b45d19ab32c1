"""Segmenters of other packages behind `macprox.segment.learned.Segmenter`, one file each.

None is imported, and none of their packages, before a study asks for it.
"""
