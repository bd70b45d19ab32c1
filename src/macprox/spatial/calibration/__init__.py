"""Whether the tests keep their level on a slide of this geometry."""
