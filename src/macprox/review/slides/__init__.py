"""The result folder: how far its slides have come, what is wrong with one, where its image is."""
