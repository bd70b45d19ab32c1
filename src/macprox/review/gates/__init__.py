"""Where each marker becomes positive: who says so, what a cut divides, the same cut elsewhere."""
