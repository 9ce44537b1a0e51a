"""The evaluators that come with the core, one a file."""
