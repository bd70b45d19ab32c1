"""One cell: what is known of it, what a person says of it, and which to look at first."""
