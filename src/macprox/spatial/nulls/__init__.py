"""What a statistic would be by chance: exact relabelling, permutations, shifts, envelopes."""
