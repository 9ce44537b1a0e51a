"""The targets of this package, one a file."""
