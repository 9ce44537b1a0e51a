"""Data sets for diffeo."""
