"""How long a reviewer waits."""
