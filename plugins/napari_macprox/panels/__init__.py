"""The panels of a review: each shows one side of the slide and passes on what is decided."""
