"""The evaluators of this package, one a file."""
