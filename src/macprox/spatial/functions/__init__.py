"""Summary functions of a window: G, K, L, pair correlation, marks, F, J, co-occurrence."""
