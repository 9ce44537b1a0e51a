"""The commands, one a file, imported when called."""
