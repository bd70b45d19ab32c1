"""How the built-in nucleus network was made: synthetic images, training, export.

No real pixel is used anywhere, and nothing is shared with `macprox.simulate`, whose slides are
kept for judging. ``python -m macprox.train`` rebuilds the weights (extra ``macprox[train]``).
"""
