"""Damaged and random inputs for everything that parses what strangers wrote.

`samples` are sound inputs, `damage`, `tiff_damage` and `text_damage` break them, `targets` say who
reads them, `verdict` what may come of it, `worker` and `runner` do it in processes of their own.
A target's name and a seed give the same input again: ``python -m fuzzing --help``.
"""
