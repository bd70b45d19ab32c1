"""The same questions to macprox and to other tools; docs/comparison.md reads the answers."""
