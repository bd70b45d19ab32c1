"""Nucleus accuracy against human outlines: every method, the same images, the same scoring.

    python -m benchmarks.nuclei --part held_out          (from the root of the repository)

`split` says which images may be looked at while a method is made, `scores` counts, `methods` and
`peers` are what is compared, `releases` keeps one line a released model in `../scores.jsonl`.
"""
