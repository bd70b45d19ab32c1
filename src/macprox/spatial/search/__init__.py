"""Who is near whom: cells on a grid, nearest targets, counts; chunks for threads."""
