"""Disk on one side, the types of macprox on the other; no arithmetic on pixels.

`macprox.io.images` opens slides of any format; one module per format describes what is in a
file and how to read a region of it.
"""
