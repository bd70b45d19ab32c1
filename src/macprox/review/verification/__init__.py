"""A blinded second reading of a random sample, and how far it agrees with the calls."""
