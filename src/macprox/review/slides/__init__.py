"""The result folder: how far its slides have come, what is wrong with one, who stands by it."""
