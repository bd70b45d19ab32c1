"""The napari plugin: opens slides and result folders; nothing in macprox imports it."""
